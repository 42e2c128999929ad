//! The files of an import: read where need be, and put where the store may not have them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::trees::Trees;
use super::{Place, Recalled, Settled, io};
use crate::folder::FolderError;
use crate::folder::handle::Handle;
use crate::folder::index::Known;
use crate::folder::progress::{Progress, Step};
use crate::folder::read::{Data, ReadFault, ReadFile, read_file};
use crate::folder::scan::Scan;
use crate::folder::stat::Tick;
use crate::name::{BookPath, Hash, TreeId};
use crate::object::{EntryKind, Kind, check_symlink};
use crate::repo::{PathFault, Side, for_each};
use crate::store::{ByteStream, Session, Store, StoreError};

/// What all workers of one import share.
#[derive(Debug)]
pub(super) struct Work {
    root: Handle,
    path: PathBuf,
    pub(super) target: Target,
    pub(super) progress: Arc<dyn Progress>,
    read: AtomicU64,
    bytes_new: AtomicU64,
}

/// Where the contents go.
#[derive(Debug)]
pub(super) enum Target {
    /// Into the store.
    Session(Session),
    /// Nowhere: they are only looked up.
    DryRun {
        /// The store.
        store: Store,
        /// What was looked up already, so that equal files count once.
        met: Mutex<BTreeSet<Hash>>,
    },
}

/// One file to look after.
pub(super) struct Job {
    pub(super) place: Place,
    pub(super) path: String,
    pub(super) kind: EntryKind,
    /// What is known of it, if anything is.
    pub(super) known: Option<Known>,
    /// Whether that was known before this import, so that the store most likely has it.
    pub(super) recalled: bool,
}

/// What is done with a file that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    /// Only find out what it is.
    Hash,
    /// Put it as well.
    Put,
}

impl Work {
    pub(super) fn open(
        path: &Path,
        target: Target,
        progress: Arc<dyn Progress>,
    ) -> Result<Self, FolderError> {
        Ok(Self {
            root: Handle::open(path).map_err(|source| io("open", path, source))?,
            path: path.to_owned(),
            target,
            progress,
            read: AtomicU64::new(0),
            bytes_new: AtomicU64::new(0),
        })
    }

    /// The write session; none for a dry run.
    pub(super) const fn session(&self) -> Option<&Session> {
        match &self.target {
            Target::Session(session) => Some(session),
            Target::DryRun { .. } => None,
        }
    }

    /// How many files were read to find out what they are, and how many bytes the store did not
    /// have.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.read.load(Ordering::Relaxed), self.bytes_new.load(Ordering::Relaxed))
    }

    /// Finds out what the files are that the index does not know. Nothing is put.
    pub(super) async fn hash(
        self: &Arc<Self>,
        scan: &Scan,
        settled: &mut Settled,
        jobs: usize,
    ) -> Result<(), FolderError> {
        let todo: Vec<_> =
            jobs_of(scan, settled).into_iter().filter(|job| job.known.is_none()).collect();
        self.settle(Step::Read, Act::Hash, todo, scan, settled, jobs).await
    }

    /// Finds out what all files are, and puts them: nothing is known to be in the store.
    pub(super) async fn put_all(
        self: &Arc<Self>,
        scan: &Scan,
        settled: &mut Settled,
        jobs: usize,
    ) -> Result<(), FolderError> {
        let todo = jobs_of(scan, settled);
        self.settle(Step::Store, Act::Put, todo, scan, settled, jobs).await
    }

    /// Puts these files, whose content is known.
    pub(super) async fn put_some(
        self: &Arc<Self>,
        scan: &Scan,
        settled: &Settled,
        recalled: &Recalled,
        places: &[Place],
        jobs: usize,
    ) -> Result<(), FolderError> {
        let job = |(at, nth): &Place| Job {
            recalled: recalled[*at][*nth],
            ..job(scan, settled, (*at, *nth))
        };
        let todo: Vec<_> = places.iter().map(job).collect();
        self.progress.begin(Step::Store, todo.len() as u64);
        let work = self.clone();
        let done = for_each(todo, jobs, move |job| {
            let work = work.clone();
            async move {
                let known = job.known;
                let found = work.file(&job, Act::Put).await?;
                work.progress.advance(1);
                match found {
                    Ok(found) if known.is_none_or(|known| known.content() == found.content()) => {
                        Ok(())
                    }
                    // It is not what the tree will say any more.
                    _ => Err(FolderError::Changed { path: work.path.join(&job.path) }),
                }
            }
        });
        done.await.map(|_| ())
    }

    /// Puts these groups of trees, one after the other.
    pub(super) async fn put_trees(
        self: &Arc<Self>,
        trees: Arc<Trees>,
        groups: Vec<Vec<TreeId>>,
        jobs: usize,
    ) -> Result<(), FolderError> {
        for group in groups {
            let (work, trees) = (self.clone(), trees.clone());
            let done = for_each(group, jobs, move |id| {
                let (work, trees) = (work.clone(), trees.clone());
                async move {
                    if let (Some(session), Some(tree)) = (work.session(), trees.all.get(&id)) {
                        session.put_tree(tree).await?;
                    }
                    Ok::<_, FolderError>(())
                }
            });
            done.await?;
        }
        Ok(())
    }

    async fn settle(
        self: &Arc<Self>,
        step: Step,
        act: Act,
        todo: Vec<Job>,
        scan: &Scan,
        settled: &mut Settled,
        jobs: usize,
    ) -> Result<(), FolderError> {
        if todo.is_empty() {
            return Ok(());
        }
        self.progress.begin(step, todo.len() as u64);
        let work = self.clone();
        let done = for_each(todo, jobs, move |job| {
            let work = work.clone();
            async move {
                let found = work.file(&job, act).await?;
                work.progress.advance(1);
                Ok::<_, FolderError>((job.place, found))
            }
        });
        let mut faults = Vec::new();
        let mut fresh = Vec::new();
        for ((at, nth), found) in done.await? {
            match found {
                Ok(known) => {
                    if !known.is_settled() {
                        fresh.push((at, nth));
                    }
                    settled[at][nth] = Some(known);
                }
                Err(fault) => faults.push(fault),
            }
        }
        if !faults.is_empty() {
            return Err(self.cannot_import(faults));
        }
        if self.session().is_some() && !fresh.is_empty() {
            self.look_again(scan, settled, &fresh).await;
        }
        Ok(())
    }

    /// Finds out what one file is, and makes sure that the store has its content if it is to be
    /// put.
    ///
    /// A file that no book can hold, or that cannot be read, is the inner error: all of those are
    /// told together.
    async fn file(&self, job: &Job, act: Act) -> Result<Result<Known, PathFault>, FolderError> {
        let Job { path, kind, known, recalled, .. } = job;
        // What the index knows was put before, most likely: looking may spare reading it.
        let look = *recalled || matches!(self.target, Target::DryRun { .. });
        if let (Some(known), Act::Put, true) = (known, act, look)
            && self.has(known.content()).await?
        {
            return Ok(Ok(*known));
        }
        let found = match self.read(path, *kind)? {
            Ok(found) => found,
            Err(fault) => return Ok(Err(fault)),
        };
        if known.is_none() {
            self.read.fetch_add(1, Ordering::Relaxed);
        }
        let ReadFile { content, stat, seen, data } = found;
        if let (EntryKind::Symlink, Data::Whole(target)) = (content.kind, &data) {
            let checked = BookPath::parse(path).map(|at| check_symlink(&at, target));
            if let Ok(Err(error)) = checked {
                let reason = format!("it points to {:?}: {}", error.target, error.rule);
                return Ok(Err(PathFault { path: path.clone(), reason }));
            }
        }
        if act == Act::Put && known.is_none_or(|known| known.content() == content) {
            self.put(path, content, data).await?;
        }
        Ok(Ok(Known::new(stat, content, seen)))
    }

    /// The file's content, all of one moment.
    pub(super) fn read(
        &self,
        path: &str,
        kind: EntryKind,
    ) -> Result<Result<ReadFile, PathFault>, FolderError> {
        match read_file(&self.root, path, kind) {
            Ok(found) => Ok(Ok(found)),
            Err(ReadFault::Changed | ReadFault::Gone) => {
                Err(FolderError::Changed { path: self.path.join(path) })
            }
            Err(ReadFault::Io(error)) => {
                let reason = format!("it cannot be read: {error}");
                Ok(Err(PathFault { path: path.to_owned(), reason }))
            }
        }
    }

    /// Whether the store has this content. For a dry run, whether it need not be counted.
    async fn has(&self, content: Side) -> Result<bool, StoreError> {
        match &self.target {
            Target::Session(session) => session.contains_blob(content.id, content.size).await,
            Target::DryRun { store, met } => {
                if would_be_new(store, met, content).await? {
                    self.bytes_new.fetch_add(content.size, Ordering::Relaxed);
                }
                Ok(true)
            }
        }
    }

    async fn put(&self, path: &str, content: Side, data: Data) -> Result<(), FolderError> {
        let new = match (&self.target, data) {
            (Target::DryRun { store, met }, _) => would_be_new(store, met, content).await?,
            (Target::Session(session), Data::Whole(bytes)) => session.put_blob(bytes).await?.1,
            (Target::Session(session), Data::Large(file)) => {
                let stream = ByteStream::from_file(file, content.size, path);
                self.unchanged(path, session.put_blob_stream(content.id, stream).await)?
            }
        };
        if new {
            self.bytes_new.fetch_add(content.size, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The error for files that no book can hold, or that cannot be read.
    pub(super) fn cannot_import(&self, faults: Vec<PathFault>) -> FolderError {
        FolderError::CannotImport { path: self.path.clone(), faults }
    }

    /// Names the file whose content changed between being hashed and being put.
    pub(super) fn unchanged<T>(
        &self,
        path: &str,
        put: Result<T, StoreError>,
    ) -> Result<T, FolderError> {
        put.map_err(|error| match error {
            StoreError::ContentChanged { .. } => {
                FolderError::Changed { path: self.path.join(path) }
            }
            error => error.into(),
        })
    }

    /// Reads those files again whose status could not prove their content, because they had
    /// changed in the very moment they were read, so that the next import need not.
    async fn look_again(&self, scan: &Scan, settled: &mut Settled, fresh: &[Place]) {
        let known = fresh.iter().filter_map(|(at, nth)| settled[*at][*nth].as_ref());
        Tick::pass(known.map(|known| &known.stat)).await;
        for (at, nth) in fresh {
            let Some(known) = &mut settled[*at][*nth] else {
                continue;
            };
            let folder = &scan.folders[*at];
            let path = folder.join(folder.files[*nth].name.as_str());
            let Ok(found) = read_file(&self.root, &path, known.kind()) else {
                continue;
            };
            if found.content == known.content() && found.stat == known.stat {
                *known = Known::new(found.stat, found.content, found.seen);
            }
        }
    }
}

/// One job for each file.
fn jobs_of(scan: &Scan, settled: &Settled) -> Vec<Job> {
    let folders = scan.folders.iter().enumerate();
    let places = folders.flat_map(|(at, folder)| (0..folder.files.len()).map(move |nth| (at, nth)));
    places.map(|place| job(scan, settled, place)).collect()
}

pub(super) fn job(scan: &Scan, settled: &Settled, place: Place) -> Job {
    let (at, nth) = place;
    let folder = &scan.folders[at];
    let file = &folder.files[nth];
    let known = settled[at][nth];
    let path = folder.join(file.name.as_str());
    Job { place, path, kind: file.kind, known, recalled: known.is_some() }
}

/// Whether an import would write this content, asked for the first time.
async fn would_be_new(
    store: &Store,
    met: &Mutex<BTreeSet<Hash>>,
    content: Side,
) -> Result<bool, StoreError> {
    let id = *content.id.hash();
    let first = met.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
    Ok(first && store.size(Kind::Blob, &id).await? != Some(content.size))
}
