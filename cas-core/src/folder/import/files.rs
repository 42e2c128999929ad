//! The files of an import: read where need be, and put where the store may not have them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::io;
use crate::folder::FolderError;
use crate::folder::handle::Handle;
use crate::folder::index::Known;
use crate::folder::progress::{Progress, Step};
use crate::folder::read::{Data, ReadFault, ReadFile, read_file};
use crate::folder::scan::Scan;
use crate::folder::stat::Tick;
use crate::name::{BookPath, Hash};
use crate::object::{EntryKind, Kind, check_symlink};
use crate::repo::{PathFault, Side, for_each};
use crate::store::{ByteStream, Session, Store, StoreError};

/// What is known of each file, by its place in the scan: its folder and its position there.
pub(super) type Settled = Vec<Vec<Option<Known>>>;

/// What all workers of one import share.
#[derive(Debug)]
pub(super) struct Work {
    root: Handle,
    path: PathBuf,
    target: Target,
    /// Ids of what is in the store for certain.
    vouched: BTreeSet<Hash>,
    progress: Arc<dyn Progress>,
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
struct Job {
    place: (usize, usize),
    path: String,
    kind: EntryKind,
    /// What the index remembers, if that is still true.
    recalled: Option<Known>,
}

impl Work {
    pub(super) fn open(
        path: &Path,
        target: Target,
        vouched: BTreeSet<Hash>,
        progress: Arc<dyn Progress>,
    ) -> Result<Self, FolderError> {
        Ok(Self {
            root: Handle::open(path).map_err(|source| io("open", path, source))?,
            path: path.to_owned(),
            target,
            vouched,
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

    pub(super) fn is_vouched(&self, id: &Hash) -> bool {
        self.vouched.contains(id)
    }

    /// How many files were read, and how many bytes the store did not have.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.read.load(Ordering::Relaxed), self.bytes_new.load(Ordering::Relaxed))
    }

    /// Reads what the index does not know, and puts what the store may not have.
    pub(super) async fn settle(
        self: &Arc<Self>,
        scan: &Scan,
        settled: &mut Settled,
        jobs: usize,
    ) -> Result<(), FolderError> {
        let mut todo = Vec::new();
        for (at, folder) in scan.folders.iter().enumerate() {
            for (nth, file) in folder.files.iter().enumerate() {
                let recalled = settled[at][nth];
                if recalled.is_none_or(|known| !self.is_vouched(known.content().id.hash())) {
                    let path = folder.join(file.name.as_str());
                    todo.push(Job { place: (at, nth), path, kind: file.kind, recalled });
                }
            }
        }
        self.progress.begin(Step::Store, todo.len() as u64);
        let work = self.clone();
        let done = for_each(todo, jobs, move |job| {
            let work = work.clone();
            async move {
                let place = job.place;
                let found = work.file(job).await?;
                work.progress.advance(1);
                Ok::<_, FolderError>((place, found))
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
            return Err(FolderError::CannotImport { path: self.path.clone(), faults });
        }
        if self.session().is_some() && !fresh.is_empty() {
            self.look_again(scan, settled, &fresh).await;
        }
        Ok(())
    }

    /// Makes sure that the store has one file's content; reads it if need be.
    ///
    /// A file that no book can hold, or that cannot be read, is the inner error: all of those are
    /// told together.
    async fn file(&self, job: Job) -> Result<Result<Known, PathFault>, FolderError> {
        let Job { path, kind, recalled, .. } = job;
        if let Some(known) = recalled {
            let content = known.content();
            match &self.target {
                Target::Session(session) => {
                    if session.contains_blob(content.id, content.size).await? {
                        return Ok(Ok(known));
                    }
                }
                Target::DryRun { store, met } => {
                    if would_be_new(store, met, content).await? {
                        self.bytes_new.fetch_add(content.size, Ordering::Relaxed);
                    }
                    return Ok(Ok(known));
                }
            }
        }
        let found = match read_file(&self.root, &path, kind) {
            Ok(found) => found,
            Err(ReadFault::Changed | ReadFault::Gone) => {
                return Err(FolderError::Changed { path: self.path.join(&path) });
            }
            Err(ReadFault::Io(error)) => {
                return Ok(Err(PathFault { path, reason: format!("it cannot be read: {error}") }));
            }
        };
        self.read.fetch_add(1, Ordering::Relaxed);
        let ReadFile { content, stat, seen, data } = found;
        if let (EntryKind::Symlink, Data::Whole(target)) = (content.kind, &data) {
            let checked = BookPath::parse(&path).map(|at| check_symlink(&at, target));
            if let Ok(Err(error)) = checked {
                let reason = format!("it points to {:?}: {}", error.target, error.rule);
                return Ok(Err(PathFault { path, reason }));
            }
        }
        if !self.is_vouched(content.id.hash()) {
            self.put(&path, content, data).await?;
        }
        Ok(Ok(Known::new(stat, content, seen)))
    }

    async fn put(&self, path: &str, content: Side, data: Data) -> Result<(), FolderError> {
        let new = match (&self.target, data) {
            (Target::DryRun { store, met }, _) => would_be_new(store, met, content).await?,
            (Target::Session(session), Data::Whole(bytes)) => session.put_blob(bytes).await?.1,
            (Target::Session(session), Data::Large(file)) => {
                let stream = ByteStream::from_file(file, content.size, path);
                match session.put_blob_stream(content.id, stream).await {
                    Err(StoreError::ContentChanged { .. }) => {
                        return Err(FolderError::Changed { path: self.path.join(path) });
                    }
                    other => other?,
                }
            }
        };
        if new {
            self.bytes_new.fetch_add(content.size, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Reads those files again whose status could not prove their content, because they had
    /// changed in the very moment they were read, so that the next import need not.
    async fn look_again(&self, scan: &Scan, settled: &mut Settled, fresh: &[(usize, usize)]) {
        Tick::pass().await;
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
