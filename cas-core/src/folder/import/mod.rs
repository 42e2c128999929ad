//! Import: a folder becomes the next version of a branch.
//!
//! The folder is listed; files whose status is as the index remembers are not read; the others
//! are read, hashed and stored; trees are made from the bottom up. What the branch's present
//! version holds is in the store already and is not asked about again. If nothing differs,
//! nothing at all is written.

mod files;
mod trees;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::FolderError;
use super::handle::identity;
use super::ignored::Rules;
use super::index::{Index, IndexEntry, Known};
use super::progress::Progress;
use super::scan::{Scan, scan};
use crate::name::{BookPath, CommitId, Hash, Operation, TreeId};
use crate::object::{Totals, collisions};
use crate::repo::{Leaf, Made, NewVersion, PathFault, RepoError, Repository, VersionRequest};

use files::{Settled, Target, Work};
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
}

/// The version that the branch holds now.
#[derive(Debug, Default)]
struct Present {
    commit: Option<CommitId>,
    tree: Option<TreeId>,
    leaves: Vec<Leaf>,
    /// The ids of everything in it: present in the store, because a ref names it.
    ids: BTreeSet<Hash>,
}

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
        let mut present = self.present(request).await?;
        let scan = list(path, options)?;
        let mut settled = recall(&scan, options);
        if settled.iter().flatten().all(Option::is_some) {
            let trees = trees::build(path, &scan, &settled)?;
            if present.tree == Some(trees.root) {
                return Ok(ImportReport::new(&present, &trees));
            }
        }
        self.list_present(&mut present).await?;
        check_not_emptied(path, &scan, &present, options)?;
        let target = if options.dry_run {
            Target::DryRun { store: self.store.clone(), met: Mutex::default() }
        } else {
            Target::Session(self.store.session().await?)
        };
        let work = Arc::new(Work::open(path, target, std::mem::take(&mut present.ids), progress)?);
        work.settle(&scan, &mut settled, self.jobs).await?;
        let trees = trees::build(path, &scan, &settled)?;
        let mut report = ImportReport::new(&present, &trees);
        (report.read, report.bytes_new) = work.counts();
        if report.mode != ImportMode::Unchanged {
            report.count(&present.leaves, &scan, &settled);
            report.commit = self.write(&work, &trees, request, present.commit).await?;
        }
        if let Some(index) = options.index.as_deref().filter(|_| !options.dry_run) {
            // The version is made by now: failing to write a cache is not failing to import.
            let _ = save(index, &scan, &settled);
        }
        Ok(report)
    }

    /// The branch's present commit and tree.
    async fn present(&self, request: &VersionRequest) -> Result<Present, FolderError> {
        let head = self
            .store
            .refs()
            .head(&request.book, &request.branch)
            .await
            .map_err(RepoError::from)?;
        let Some(commit) = head.and_then(|head| head.entry.target) else {
            return Ok(Present::default());
        };
        let tree = self.store.get_commit(&commit).await?.tree;
        Ok(Present { commit: Some(commit), tree: Some(tree), ..Present::default() })
    }

    /// Everything in the branch's present version.
    async fn list_present(&self, present: &mut Present) -> Result<(), FolderError> {
        let Some(tree) = present.tree else {
            return Ok(());
        };
        let listing = self.list_all(&BookPath::root(), tree).await?;
        let leaves = listing.leaves.iter().map(|leaf| leaf.id.0);
        present.ids = leaves.chain(listing.trees.iter().map(|(_, id, _)| id.0)).collect();
        present.leaves = listing.leaves;
        Ok(())
    }

    /// Writes the trees and the commit, and moves the branch. Nothing for a dry run.
    async fn write(
        &self,
        work: &Work,
        trees: &Trees,
        request: &VersionRequest,
        parent: Option<CommitId>,
    ) -> Result<Option<CommitId>, FolderError> {
        let Some(session) = work.session() else {
            return Ok(None);
        };
        for tree in
            trees.all.iter().filter(|(id, _)| !work.is_vouched(id.hash())).map(|(_, tree)| tree)
        {
            session.put_tree(tree).await?;
        }
        let new = NewVersion { request, operation: Operation::import(), parent, tree: trees.root };
        match self.make_version(session, new).await? {
            Made::Done(commit) => Ok(Some(commit)),
            Made::Earlier(entry) => match entry.entry.target {
                Some(commit) if self.store.get_commit(&commit).await?.tree == trees.root => {
                    Ok(Some(commit))
                }
                _ => Err(RepoError::request_used(&entry).into()),
            },
            Made::Lost(current) => {
                let (book, name) = (request.book.clone(), request.branch.clone());
                Err(RepoError::RefMoved { book, name, current }.into())
            }
        }
    }
}

impl ImportReport {
    /// The report of a folder with these trees, before anything is counted.
    fn new(present: &Present, trees: &Trees) -> Self {
        let (mode, commit) = match present.tree {
            Some(tree) if tree == trees.root => (ImportMode::Unchanged, present.commit),
            Some(_) => (ImportMode::Updated, None),
            None => (ImportMode::Created, None),
        };
        Self {
            mode,
            commit,
            tree: trees.root,
            totals: trees.totals,
            added: 0,
            changed: 0,
            removed: 0,
            read: 0,
            bytes_new: 0,
        }
    }

    /// Counts how the folder's files differ from those of the present version.
    fn count(&mut self, present: &[Leaf], scan: &Scan, settled: &Settled) {
        let before: BTreeMap<&str, &Leaf> =
            present.iter().map(|leaf| (leaf.path.as_str(), leaf)).collect();
        let mut met = 0;
        for (path, known) in files(scan, settled) {
            match before.get(path.as_str()) {
                None => self.added += 1,
                Some(leaf) => {
                    met += 1;
                    let content = known.content();
                    self.changed += u64::from((leaf.id, leaf.kind) != (content.id, content.kind));
                }
            }
        }
        self.removed = before.len() as u64 - met;
    }
}

/// Every settled file with its path.
fn files<'a>(scan: &'a Scan, settled: &'a Settled) -> impl Iterator<Item = (String, &'a Known)> {
    scan.folders.iter().zip(settled).flat_map(|(folder, settled)| {
        let files = folder.files.iter().zip(settled);
        files.filter_map(|(file, known)| Some((folder.join(file.name.as_str()), known.as_ref()?)))
    })
}

/// Lists the folder, refusing what no book can hold.
fn list(path: &Path, options: &ImportOptions) -> Result<Scan, FolderError> {
    let rules = Rules::new(&options.exclude)
        .map_err(|(pattern, reason)| FolderError::Repo(RepoError::Pattern { pattern, reason }))?;
    let skip = options.store_folder.as_deref().and_then(identity);
    if skip.is_some() && skip == identity(path) {
        return Err(io("import", path, std::io::Error::other("it is the store itself")));
    }
    let mut scan = scan(path, &rules, skip).map_err(|source| io("list", path, source))?;
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
fn check_not_emptied(
    path: &Path,
    scan: &Scan,
    present: &Present,
    options: &ImportOptions,
) -> Result<(), FolderError> {
    let empty = scan.folders.iter().all(|folder| folder.files.is_empty());
    if empty && !options.allow_empty && !present.leaves.is_empty() {
        let files = present.leaves.len() as u64;
        return Err(FolderError::WouldEmpty { path: path.to_owned(), files });
    }
    Ok(())
}

/// What the index knows of the scanned files.
fn recall(scan: &Scan, options: &ImportOptions) -> Settled {
    let bytes = options.index.as_deref().and_then(|path| std::fs::read(path).ok());
    let index = bytes.and_then(|bytes| Index::decode(&bytes)).unwrap_or_default();
    let folders = scan.folders.iter().map(|folder| {
        let files = folder.files.iter().map(|file| {
            let known = index.get(&folder.join(file.name.as_str()))?.known;
            (known.proves(&file.stat) && known.kind() == file.kind).then_some(known)
        });
        files.collect()
    });
    folders.collect()
}

/// Keeps what is known for the next import.
fn save(path: &Path, scan: &Scan, settled: &Settled) -> std::io::Result<()> {
    let entries = files(scan, settled).map(|(path, known)| IndexEntry { path, known: *known });
    let index = Index::new(None, entries.collect());
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut temp = tempfile::NamedTempFile::new_in(folder)?;
    std::io::Write::write_all(&mut temp, &index.encode()?)?;
    temp.persist(path)?;
    Ok(())
}

fn io(action: &'static str, path: &Path, source: std::io::Error) -> FolderError {
    FolderError::Io { action, path: path.to_owned(), source }
}
