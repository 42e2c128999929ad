//! Import: a folder becomes the next version of a branch.
//!
//! The folder is listed; files whose status is as the index remembers are not read; the others
//! are, and hashed; trees are made from the bottom up and compared with the branch's present
//! version, opening only what differs. What that version holds is in the store already and is not
//! asked about again; the rest is put. If nothing differs, nothing at all is written, and nothing
//! but the ref is read.
//!
//! The first version of a branch has nothing to be compared with: its files are put as they are
//! read.

mod compare;
mod files;
mod foresee;
mod remembered;
mod trees;
mod verify;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::FolderError;
use super::handle::identity;
use super::ignored::Rules;
use super::index::Known;
use super::progress::Progress;
use super::scan::{Recall, Scan, ScannedFile, scan};
use crate::env::Timestamp;
use crate::name::{CommitId, Operation, TreeId};
use crate::object::{Totals, collisions};
use crate::refs::Upstream;
use crate::repo::{Made, NewVersion, PathFault, RepoError, Repository, VersionRequest};
use crate::schema::Violation;
use crate::store::Session;

use compare::Difference;
use files::{Target, Work};
use remembered::Remembered;
use trees::Trees;

/// How an import is done.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// Patterns of what to leave out, in the syntax of `.gitignore`.
    pub exclude: Vec<String>,
    /// Only find out what would change.
    pub dry_run: bool,
    /// Allow a folder without files to empty a branch that has some.
    pub allow_empty: bool,
    /// Where the index of this folder is kept between imports; without it every file is read.
    pub index: Option<PathBuf>,
    /// The store's own folder, which is left out if it lies inside the imported one.
    pub store_folder: Option<PathBuf>,
    /// Read every object of the folder's version from the store, and write those again that are
    /// missing or damaged.
    pub verify_existing: bool,
}

/// What an import did to the branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ImportMode {
    /// The branch is new.
    Created,
    /// The branch has a new version.
    Updated,
    /// The folder is what the branch holds already.
    Unchanged,
}

/// What an import did, or with `dry_run` would do.
#[derive(Debug, Clone)]
pub struct ImportReport {
    /// What happened to the branch.
    pub mode: ImportMode,
    /// The commit that the branch points at; none for a dry run that would make one.
    pub commit: Option<CommitId>,
    /// Whether the branch is made by this, as a fork of its upstream. The counts are of what differs
    /// from that.
    pub forked: bool,
    /// The folder's tree.
    pub tree: TreeId,
    /// All files and bytes of the folder.
    pub totals: Totals,
    /// Files that the branch did not have.
    pub added: u64,
    /// Files that it had with other content, or of another kind.
    pub changed: u64,
    /// Files that it had and the folder has not.
    pub removed: u64,
    /// Files whose content was read.
    pub read: u64,
    /// Bytes of content that the store did not have.
    pub bytes_new: u64,
    /// Objects that the store had lost or damaged and that were written again; counted only when
    /// asked for.
    pub repaired: u64,
    /// What is new in this version and against the book's rules, though not so that it is refused.
    pub warnings: Vec<Violation>,
}

/// The version that the branch holds now.
#[derive(Debug, Clone, Copy, Default)]
struct Present {
    commit: Option<CommitId>,
    /// Its tree; none if there is no version, or if its commit is lost.
    tree: Option<TreeId>,
}

/// The position of a folder in the scan, and of a file in that folder.
type Place = (usize, usize);

/// What is known of each file, by its place.
type Settled = Vec<Vec<Option<Known>>>;

/// Whether the index knew each file, by its place.
type Recalled = Vec<Vec<bool>>;

impl Repository {
    /// Makes the folder at `path` the next version of a branch.
    pub async fn import(
        &self,
        path: &Path,
        request: &VersionRequest,
        options: &ImportOptions,
        progress: Arc<dyn Progress>,
    ) -> Result<ImportReport, FolderError> {
        Self::check_branch(&request.book, &request.branch)?;
        let began = self.env.clock.now();
        let (present, forks) = self.present(request, options.verify_existing).await?;
        let remembered = Remembered::load(options);
        if let Some(report) = remembered.unchanged(path, present) {
            return Ok(report);
        }
        let recall = |folder: &str, files: &[ScannedFile]| remembered.recall(folder, files);
        let mut scan = list(path, options, &recall)?;
        let known = scan.folders.iter_mut().map(|folder| std::mem::take(&mut folder.known));
        let mut settled: Settled = known.collect();
        let target = if options.dry_run {
            Target::DryRun { store: self.store.clone(), met: Mutex::default() }
        } else {
            Target::Session(self.store.session().await?)
        };
        let work = Arc::new(Work::open(path, target, progress)?);
        check_not_emptied(self, path, &scan, present, options).await?;
        let (trees, difference) = match present.tree {
            None => {
                work.put_all(&scan, &mut settled, self.jobs).await?;
                let trees = trees::build(path, &scan, &settled)?;
                let difference = Difference::from_nothing(&trees);
                (trees, difference)
            }
            Some(tree) => {
                let known =
                    |files: &Vec<Option<Known>>| files.iter().map(Option::is_some).collect();
                let recalled: Recalled = settled.iter().map(known).collect();
                work.hash(&scan, &mut settled, self.jobs).await?;
                let trees = trees::build(path, &scan, &settled)?;
                let difference = if trees.root == tree {
                    Difference::default()
                } else {
                    self.difference(&scan, &trees, tree, options.verify_existing).await?
                };
                work.put_some(&scan, &settled, &recalled, &difference.files, self.jobs).await?;
                (trees, difference)
            }
        };
        let (trees, scan, settled) = (Arc::new(trees), Arc::new(scan), Arc::new(settled));
        let mut report = ImportReport::new(present, (trees.root, trees.totals), &difference);
        let new = if self.store.takes_in_order() {
            trees.levels(&scan, &difference.trees)
        } else {
            vec![difference.trees.into_iter().collect()]
        };
        work.put_trees(trees.clone(), new, self.jobs).await?;
        if options.verify_existing {
            // What was put just now is to be there as well.
            if let Some(session) = work.session() {
                session.publish().await?;
            }
            let store = &self.store;
            let is_stored = report.mode == ImportMode::Unchanged;
            report.repaired =
                work.verify(store, &scan, &settled, &trees, is_stored, self.jobs).await?;
            // A new version publishes what was put right with its commit.
            if let Some(session) = work.session().filter(|_| is_stored) {
                session.publish().await?;
            }
        }
        (report.read, report.bytes_new) = work.counts();
        if report.mode != ImportMode::Unchanged {
            report.forked = forks.is_some();
            (report.commit, report.warnings) = match work.session() {
                Some(session) => {
                    self.write(session, &trees, request, (present.commit, forks), began).await?
                }
                None => (None, self.foresee(path, &trees, present.tree).await?),
            };
        }
        if let Some(index) = options.index.as_deref().filter(|_| !options.dry_run) {
            let folders = remembered::folders(&scan, &options.exclude);
            let is_news = report.mode != ImportMode::Unchanged || report.read > 0;
            if is_news || folders.is_some() {
                // The version is made by now: failing to write a cache is not failing to import.
                let _ = remembered::save(index, &scan, &settled, folders);
            }
        }
        Ok(report)
    }

    /// The branch's present commit and tree. With `mistrust` a lost commit is no error: it vouches
    /// for nothing, and the new version comes after it all the same.
    ///
    /// Of a personal branch that is not there, its upstream's, which it then forks.
    async fn present(
        &self,
        request: &VersionRequest,
        mistrust: bool,
    ) -> Result<(Present, Option<Upstream>), FolderError> {
        let VersionRequest { book, branch, .. } = request;
        let head = self.store.refs().head(book, branch).await.map_err(RepoError::from)?;
        let Some(commit) = head.and_then(|head| head.entry.target) else {
            let Some(found) = self.stand_in(book, branch).await? else {
                return Ok((Present::default(), None));
            };
            let (commit, tree) = (Some(found.upstream.base), Some(found.commit.tree));
            return Ok((Present { commit, tree }, Some(found.upstream)));
        };
        let tree = match self.store.get_commit(&commit).await {
            Ok(found) => Some(found.tree),
            Err(error) if mistrust && compare::is_lost(&error) => None,
            Err(error) => return Err(error.into()),
        };
        Ok((Present { commit: Some(commit), tree }, None))
    }

    /// Writes the commit and moves the branch.
    async fn write(
        &self,
        session: &Session,
        trees: &Trees,
        request: &VersionRequest,
        (parent, forks): (Option<CommitId>, Option<Upstream>),
        began: Timestamp,
    ) -> Result<(Option<CommitId>, Vec<Violation>), FolderError> {
        let root = trees.all.get(&trees.root);
        let root = root.ok_or_else(|| RepoError::Internal("a folder has no root".to_owned()))?;
        let operation = Operation::import();
        let new = NewVersion { request, operation, began, parent, forks, tree: trees.root, root };
        match self.make_version(session, new).await? {
            Made::Done(commit, warnings) => Ok((Some(commit), warnings)),
            Made::Earlier(entry) => match entry.entry.target {
                Some(commit) if self.store.get_commit(&commit).await?.tree == trees.root => {
                    Ok((Some(commit), Vec::new()))
                }
                _ => Err(RepoError::request_used(&entry, &request.request_id).into()),
            },
            Made::Lost(current) => {
                let (book, name) = (request.book.clone(), request.branch.clone());
                Err(RepoError::RefMoved { book, name, current }.into())
            }
        }
    }
}

impl ImportReport {
    /// The report of a folder with this tree, before anything is written.
    fn new(present: Present, (tree, totals): (TreeId, Totals), difference: &Difference) -> Self {
        let mode = match present {
            Present { commit: None, .. } => ImportMode::Created,
            Present { tree: Some(before), .. } if before == tree => ImportMode::Unchanged,
            Present { .. } => ImportMode::Updated,
        };
        Self {
            mode,
            commit: present.commit.filter(|_| mode == ImportMode::Unchanged),
            forked: false,
            tree,
            totals,
            added: difference.added,
            changed: difference.changed,
            removed: difference.removed,
            read: 0,
            bytes_new: 0,
            repaired: 0,
            warnings: Vec::new(),
        }
    }
}

/// Lists the folder, refusing what no book can hold.
fn list(path: &Path, options: &ImportOptions, recall: &Recall<'_>) -> Result<Scan, FolderError> {
    let rules = Rules::new(&options.exclude)
        .map_err(|(pattern, reason)| FolderError::Repo(RepoError::Pattern { pattern, reason }))?;
    let skip = options.store_folder.as_deref().and_then(identity);
    if skip.is_some() && skip == identity(path) {
        return Err(io("import", path, std::io::Error::other("it is the store itself")));
    }
    let mut scan = scan(path, &rules, skip, recall).map_err(|source| io("list", path, source))?;
    if scan.faults.is_empty() {
        return Ok(scan);
    }
    // Something is wrong in any case: look for the rest of what is, so that all is told at once.
    for folder in &scan.folders {
        for (first, second) in collisions(folder.files.iter().map(|file| &file.name)) {
            let reason = format!("it meets {first} on a disk that ignores case or normalisation");
            scan.faults.push(PathFault { path: folder.join(second.as_str()), reason });
        }
    }
    Err(FolderError::CannotImport { path: path.to_owned(), faults: scan.faults })
}

/// An emptied folder is more often a disk that is not mounted than a wish to empty the book.
async fn check_not_emptied(
    repo: &Repository,
    path: &Path,
    scan: &Scan,
    present: Present,
    options: &ImportOptions,
) -> Result<(), FolderError> {
    let empty = scan.folders.iter().all(|folder| folder.files.is_empty());
    if let (true, false, Some(tree)) = (empty, options.allow_empty, present.tree) {
        let (tree, _) = repo.store.get_tree_with_faults(&tree).await?;
        let files = tree.totals().files;
        if files > 0 {
            return Err(FolderError::WouldEmpty { path: path.to_owned(), files });
        }
    }
    Ok(())
}

fn io(action: &'static str, path: &Path, source: std::io::Error) -> FolderError {
    FolderError::Io { action, path: path.to_owned(), source }
}
