//! Checkout: a folder is made to equal a tree.
//!
//! Most often the folder is right already: if its index makes the very tree, and the statuses of all
//! files prove that they are what the index says, that is all there is to do. Otherwise
//! the tree is read whole and checked before anything is touched; then the folder is compared
//! with it, folder by folder; then, if nothing stands in the way, what differs is removed and
//! written. Before the first change the state folder says which tree is coming, so that a
//! checkout which was interrupted is gone on with by the next, whatever version that is for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};

use super::handle::{Handle, identity};
use super::index::{Index, IndexEntry, Known, Origin};
use super::plan::{Pending, Plan, Planner, Write, items, split};
use super::progress::{Progress, Step};
use super::proof::proven_root;
use super::stat::Tick;
use super::write::{GROUP, State, Writer, groups};
use super::{FolderError, STATE_FOLDER};
use crate::name::{BlobId, BookPath, CommitId, Hash, TreeId};
use crate::object::EntryKind;
use crate::repo::{Leaf, Reading, RepoError, Repository, for_each};
use crate::store::{Prefetch, Want};

/// How a checkout is done.
#[derive(Debug, Clone)]
pub struct CheckoutOptions {
    /// The subtree that the folder is to equal; the root for the whole version.
    pub path: BookPath,
    /// Overwrite and delete what stands in the way.
    pub force: bool,
    /// Only find out what would be done.
    pub dry_run: bool,
    /// Leave an index, so that the next checkout need not read what is there. Without it nothing
    /// but the version's own files is left in the folder.
    pub index: bool,
    /// Make files other names of the store's own objects, as far as they are not executable: they
    /// take no room, and nobody may ever write to them.
    pub link: bool,
    /// The store's own folder, which nothing is checked out into.
    pub store_folder: Option<PathBuf>,
}

impl Default for CheckoutOptions {
    fn default() -> Self {
        Self {
            path: BookPath::root(),
            force: false,
            dry_run: false,
            index: true,
            link: false,
            store_folder: None,
        }
    }
}

/// What a checkout did, or with `dry_run` would do.
#[derive(Debug, Clone)]
pub struct CheckoutReport {
    /// The commit.
    pub commit: CommitId,
    /// The tree that the folder equals.
    pub tree: TreeId,
    /// The files written, in order.
    pub written: Vec<String>,
    /// The files removed, in order.
    pub removed: Vec<String>,
    /// How many files were right already.
    pub kept: u64,
    /// Bytes of the files written.
    pub bytes: u64,
    /// How many of them are names of the store's own objects.
    pub linked: u64,
}

impl Repository {
    /// Makes the folder at `path` equal a version, or a subtree of it.
    pub async fn checkout(
        &self,
        version: &Reading,
        path: &Path,
        options: &CheckoutOptions,
        progress: Arc<dyn Progress>,
    ) -> Result<CheckoutReport, FolderError> {
        if options.link && self.store.is_remote() {
            let reason = "the store is not a folder of this machine".to_owned();
            return Err(FolderError::CannotLink { path: path.to_owned(), reason });
        }
        let tree = self.folder(version.tree, &options.path).await?;
        let root = open(path, options)?;
        let kept = root.as_ref().map(State::look).unwrap_or_default();
        let (index, seen) = (kept.index.unwrap_or_default(), kept.stamp);
        let origin = Origin {
            book: version.book.to_string(),
            name: version.name.as_ref().map(ToString::to_string),
            commit: version.id.to_string(),
            tree: tree.to_string(),
            path: options.path.to_string(),
        };
        let finished = kept.pending.is_empty();
        if let Some(root) = &root
            && options.index
            && finished
            && index.origin.as_ref() == Some(&origin)
            && proven_root(root, &index).is_some_and(|(proven, _)| proven == tree)
        {
            return Ok(CheckoutReport::unchanged(version.id, tree, &index));
        }
        let announced = self.announce(tree, root.as_ref(), &index, options).await?;
        let leaves = self.checked_leaves(tree, &index).await?;
        let pending = self.pending(&kept.pending).await;
        let before = (index.origin.clone(), index.entries().len(), finished);
        let plan = self.plan(leaves, root, index, pending, options.force, &progress).await?;
        if !plan.in_the_way.is_empty() {
            let mut files = plan.in_the_way;
            files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
            files.dedup();
            return Err(FolderError::InTheWay { files });
        }
        let mut report = CheckoutReport::new(version.id, tree, &plan);
        if options.dry_run {
            return Ok(report);
        }
        let settled = plan.is_quiet() && plan.reread == 0 && options.index;
        if settled && before == (Some(origin.clone()), plan.keep.len(), true) {
            // The folder and its index say all of this already.
            return Ok(report);
        }
        let target = Target { tree, origin, seen, pending: kept.pending };
        // Kept until everything is written.
        let _rest = self.announce_rest(&plan.write, &announced).await?;
        report.linked = self.carry_out(plan, path, target, options, progress).await?;
        Ok(report)
    }

    /// Says what is about to be read, so that a server sends it in one answer.
    ///
    /// What the folder holds already is known from its index. Where files are that no index vouches
    /// for, they have to be compared first: then only trees are asked for here, and in the end just
    /// the files that are to be written.
    async fn announce(
        &self,
        tree: TreeId,
        root: Option<&Handle>,
        index: &Index,
        options: &CheckoutOptions,
    ) -> Result<Announced, FolderError> {
        let have: Vec<TreeId> =
            index.origin.iter().filter_map(|origin| origin.tree.parse().ok()).collect();
        let is_empty = |root: &Handle| root.names().is_ok_and(|names| names.is_empty());
        let contents = !options.dry_run && (!have.is_empty() || root.is_none_or(is_empty));
        let own = index.entries().iter().map(|entry| entry.known.content().id);
        let own = if have.is_empty() { BTreeSet::new() } else { own.collect() };
        let prefetch = self.store.prefetch(Want::Tree { tree, have, contents }).await?;
        Ok(Announced { prefetch, own })
    }

    /// Says which files are about to be read that were not announced as part of their tree.
    async fn announce_rest(
        &self,
        writes: &[Write],
        announced: &Announced,
    ) -> Result<Prefetch, FolderError> {
        let Announced { prefetch, own } = announced;
        if !prefetch.is_useful() {
            return Ok(Prefetch::nothing());
        }
        let comes = |id: &BlobId| prefetch.brings_contents() && !own.contains(id);
        let rest: BTreeMap<BlobId, u64> = writes
            .iter()
            .map(|write| (write.leaf.id, write.leaf.size))
            .filter(|(id, _)| !comes(id))
            .collect();
        Ok(self.store.prefetch(Want::Blobs(rest.into_iter().collect())).await?)
    }

    /// Everything below `tree`, refused whole if any of it cannot be laid out on a disk.
    /// Trees that the folder has already are not read.
    async fn checked_leaves(&self, tree: TreeId, index: &Index) -> Result<Vec<Leaf>, FolderError> {
        // The folder is the root of what is checked out, so that links of a subtree may not leave
        // it either.
        let known = Arc::new(index.trees());
        let listing = self.list_at_most(&BookPath::root(), tree, known, u64::MAX).await?;
        // A link that the folder has was looked at when it was written.
        let has = |leaf: &Leaf| {
            let entry = index.get(leaf.path.as_str());
            entry.is_some_and(|entry| {
                let content = entry.known.content();
                (content.kind, content.id) == (leaf.kind, leaf.id)
            })
        };
        let is_new_link = |leaf: &&Leaf| leaf.kind == EntryKind::Symlink && !has(leaf);
        let links: Vec<Leaf> = listing.leaves.iter().filter(is_new_link).cloned().collect();
        let checked = self.link_faults(links).await;
        let mut faults = listing.faults;
        faults.extend(checked.map_err(|(path, source)| FolderError::Content { path, source })?);
        if faults.is_empty() {
            Ok(listing.leaves)
        } else {
            Err(FolderError::CannotCheckOut { faults })
        }
    }

    /// What interrupted checkouts were writing into the folder, by path. Best effort: without
    /// it, what they left is taken for the user's.
    async fn pending(&self, trees: &[TreeId]) -> Pending {
        let mut pending = Pending::new();
        for tree in trees {
            let listing = self.list_all(&BookPath::root(), *tree).await.unwrap_or_default();
            for leaf in listing.leaves {
                pending.entry(leaf.path.to_string()).or_default().push(leaf);
            }
        }
        pending
    }

    async fn plan(
        &self,
        leaves: Vec<Leaf>,
        root: Option<Handle>,
        index: Index,
        pending: Pending,
        force: bool,
        progress: &Arc<dyn Progress>,
    ) -> Result<Plan, FolderError> {
        let folders = items(leaves, &index, &pending);
        let prune = pending.keys().map(|path| split(path).0.to_owned()).collect();
        let planner = Arc::new(Planner { store: self.store.clone(), root, index, pending, force });
        progress.begin(Step::Compare, folders.len() as u64);
        let progress = progress.clone();
        let parts = for_each(folders, self.jobs, move |folder| {
            let (planner, progress) = (planner.clone(), progress.clone());
            async move {
                let part = planner.folder(folder).await;
                progress.advance(1);
                part
            }
        });
        let mut plan = Plan { prune, ..Plan::default() };
        parts.await?.into_iter().for_each(|part| plan.add(part));
        plan.write.sort_unstable_by(|a, b| a.leaf.path.cmp(&b.leaf.path));
        plan.remove.sort_unstable();
        Ok(plan)
    }

    async fn carry_out(
        &self,
        plan: Plan,
        path: &Path,
        target: Target,
        options: &CheckoutOptions,
        progress: Arc<dyn Progress>,
    ) -> Result<u64, FolderError> {
        let io = |action| move |source| FolderError::Io { action, path: path.to_owned(), source };
        let state_io = |source| FolderError::Io {
            action: "keep the state of the checkout in",
            path: path.join(STATE_FOLDER),
            source,
        };
        let other = |what: &str| io("check out into")(std::io::Error::other(what));
        let Target { tree, origin, seen, pending } = target;
        std::fs::create_dir_all(path).map_err(io("make folder"))?;
        let root = Handle::open(path).map_err(io("open"))?;
        let Some(state) = State::open(&root).map_err(state_io)? else {
            return Err(other("another checkout is running there"));
        };
        if State::stamp(&root) != seen {
            return Err(other("another checkout ran there meanwhile: run this one again"));
        }
        let quiet = plan.is_quiet();
        if !quiet {
            state.begin(pending, tree).map_err(state_io)?;
        }
        progress.begin(Step::Write, plan.write.len() as u64);
        let (store, next) = (self.store.clone(), AtomicU64::new(0));
        let (path, link) = (path.to_owned(), options.link);
        let objects = OnceLock::new();
        let writer = Writer { store, root, state, path, progress, next, link, objects };
        let writer = Arc::new(writer);
        writer.remove(&plan.remove, &plan.prune)?;
        writer.clear(&plan.clear, options.force)?;
        let task = writer.clone();
        // Over a network the files of a group would wait for each other.
        let size = if self.store.is_remote() { 1 } else { GROUP };
        let written =
            for_each(groups(plan.write, size), self.jobs, move |group| task.clone().group(group));
        let mut written: Vec<_> = written.await?.into_iter().flatten().collect();
        writer.look_again(&mut written)?;
        let linked = written.iter().filter(|file| file.linked).count() as u64;
        let mut entries = plan.keep;
        // So that what was written just now is settled, and not read again by the next.
        Tick::pass(written.iter().map(|file| &file.stat)).await;
        let seen = Tick::now();
        entries.extend(written.into_iter().map(|file| IndexEntry {
            path: file.path,
            known: Known::new(file.stat, file.content, seen),
        }));
        let Some(writer) = Arc::into_inner(writer) else {
            return Err(RepoError::Internal("a task outlived its checkout".to_owned()).into());
        };
        let finished = if options.index {
            writer.state.finish(&Index::new(Some(origin), entries))
        } else {
            writer.state.vanish(&writer.root)
        };
        finished.map_err(state_io)?;
        Ok(linked)
    }
}

impl CheckoutReport {
    /// Nothing was to be done.
    fn unchanged(commit: CommitId, tree: TreeId, index: &Index) -> Self {
        let kept = index.entries().len() as u64;
        Self { commit, tree, written: Vec::new(), removed: Vec::new(), kept, bytes: 0, linked: 0 }
    }

    fn new(commit: CommitId, tree: TreeId, plan: &Plan) -> Self {
        Self {
            commit,
            tree,
            written: plan.write.iter().map(|write| write.leaf.path.to_string()).collect(),
            removed: plan.remove.clone(),
            kept: plan.keep.len() as u64,
            bytes: plan.write.iter().map(|write| write.leaf.size).sum(),
            linked: 0,
        }
    }
}

/// What was said to be read, until it is dropped.
struct Announced {
    prefetch: Prefetch,
    /// The files that the folder is believed to hold and that were therefore left out.
    own: BTreeSet<BlobId>,
}

/// What a folder is about to become.
struct Target {
    tree: TreeId,
    origin: Origin,
    /// The stamp of the state that the plan was made from.
    seen: Hash,
    /// What interrupted checkouts were writing then.
    pending: Vec<TreeId>,
}

/// Opens the folder; `None` if it does not exist yet.
fn open(path: &Path, options: &CheckoutOptions) -> Result<Option<Handle>, FolderError> {
    let io = |source| FolderError::Io { action: "check out into", path: path.to_owned(), source };
    let root = match Handle::open(path) {
        Ok(root) => root,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(error)),
    };
    let store = options.store_folder.as_deref().and_then(identity);
    if store.is_some() && store == identity(path) {
        return Err(io(std::io::Error::other("it is the store itself")));
    }
    Ok(Some(root))
}
