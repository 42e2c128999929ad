//! Planning a checkout: what to keep, write and remove, and what stands in the way.
//!
//! A file in the folder is this program's to replace or remove if the index proves that it is
//! what an earlier checkout wrote, or if its content is what one wrote or was writing when it was
//! interrupted. Everything else is the user's.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::FolderError;
use super::error::InTheWay;
use super::handle::{Handle, Walked};
use super::index::{Index, IndexEntry, Known};
use super::read::{Data, ReadFault, ReadFile, read_file};
use super::stat::Fingerprint;
use crate::limits;
use crate::object::EntryKind;
use crate::repo::{Leaf, Side};
use crate::store::Store;

/// What a checkout is going to do.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Files that are right already.
    pub(super) keep: Vec<IndexEntry>,
    /// How many of them had to be read to find out.
    pub(super) reread: usize,
    /// Files to write.
    pub(super) write: Vec<Write>,
    /// Files to remove.
    pub(super) remove: Vec<String>,
    /// Folders that an interrupted checkout may have made, to remove if they are empty.
    pub(super) prune: BTreeSet<String>,
    /// Paths where nothing may be left: files where folders are needed, and folders where files
    /// are.
    pub(super) clear: Vec<String>,
    /// What is not this program's to touch.
    pub(super) in_the_way: Vec<InTheWay>,
}

/// A file to write.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) leaf: Leaf,
    /// Whether a file that is there is replaced.
    pub(super) replaces: bool,
}

/// What interrupted checkouts were writing, by path.
pub(super) type Pending = BTreeMap<String, Vec<Leaf>>;

/// What planning goes by.
#[derive(Debug)]
pub(super) struct Planner {
    pub(super) store: Store,
    /// The folder; none if it does not exist yet.
    pub(super) root: Option<Handle>,
    pub(super) index: Index,
    pub(super) pending: Pending,
    /// Whether the user gave up what stands in the way.
    pub(super) force: bool,
}

/// One path of the new version, of the index, or of both.
#[derive(Debug)]
pub(super) struct Item {
    name: String,
    leaf: Option<Leaf>,
    entry: Option<IndexEntry>,
}

/// The paths of one folder.
pub(super) type FolderItems = (String, Vec<Item>);

/// Brings the new version, the index and what interrupted checkouts may have left together,
/// folder by folder. `leaves` and the index are sorted by path.
pub(super) fn items(leaves: Vec<Leaf>, index: &Index, pending: &Pending) -> Vec<FolderItems> {
    let mut folders = Folders::default();
    for path in pending.keys().filter(|path| index.get(path).is_none()) {
        if leaves.binary_search_by(|leaf| leaf.path.as_str().cmp(path)).is_err() {
            folders.add(path, None, None);
        }
    }
    let mut leaves = leaves.into_iter().peekable();
    let mut entries = index.entries().iter().peekable();
    loop {
        let order = match (leaves.peek(), entries.peek()) {
            (None, None) => return folders.items,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(leaf), Some(entry)) => leaf.path.as_str().cmp(&entry.path),
        };
        let leaf = if order.is_le() { leaves.next() } else { None };
        let entry = if order.is_ge() { entries.next() } else { None };
        let path = match (&leaf, entry) {
            (Some(leaf), _) => leaf.path.to_string(),
            (None, Some(entry)) => entry.path.clone(),
            (None, None) => continue,
        };
        folders.add(&path, leaf, entry.cloned());
    }
}

/// Items by folder, in the order in which the folders were met.
#[derive(Debug, Default)]
struct Folders {
    items: Vec<FolderItems>,
    /// The position of each folder.
    places: BTreeMap<String, usize>,
}

impl Folders {
    fn add(&mut self, path: &str, leaf: Option<Leaf>, entry: Option<IndexEntry>) {
        let (folder, name) = split(path);
        let place = self.places.get(folder).copied().unwrap_or_else(|| {
            self.places.insert(folder.to_owned(), self.items.len());
            self.items.push((folder.to_owned(), Vec::new()));
            self.items.len() - 1
        });
        self.items[place].1.push(Item { name: name.to_owned(), leaf, entry });
    }
}

/// The folder and the name of a path.
pub(super) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

impl Plan {
    /// Whether the folder is right as it is.
    pub(super) fn is_quiet(&self) -> bool {
        self.write.is_empty() && self.remove.is_empty() && self.clear.is_empty()
    }

    /// Adds what was planned for another folder.
    pub(super) fn add(&mut self, other: Self) {
        self.keep.extend(other.keep);
        self.reread += other.reread;
        self.write.extend(other.write);
        self.remove.extend(other.remove);
        self.prune.extend(other.prune);
        self.clear.extend(other.clear);
        self.in_the_way.extend(other.in_the_way);
    }
}

impl Planner {
    /// Plans one folder.
    pub(super) async fn folder(
        self: Arc<Self>,
        (folder, items): FolderItems,
    ) -> Result<Plan, FolderError> {
        let mut plan = Plan::default();
        let walked = match &self.root {
            None => Walked::Missing,
            Some(root) => root.walk(&folder).map_err(|source| self.io(&folder, source))?,
        };
        let handle = match walked {
            Walked::Opened(handle) => handle,
            Walked::Missing => {
                plan.write.extend(new_files(items));
                return Ok(plan);
            }
            Walked::Blocked(end) => {
                let new: Vec<_> = new_files(items).collect();
                // If an earlier checkout wrote what is there, it is dealt with as its own item.
                let at = &folder[..end];
                if !new.is_empty() && self.index.get(at).is_none() && !self.left_behind(at).await? {
                    self.refuse(&mut plan, at, "a folder is needed here");
                }
                plan.write.extend(new);
                return Ok(plan);
            }
        };
        for item in items {
            let path = super::scan::join(&folder, &item.name);
            let stat = handle.stat(&item.name).map_err(|source| self.io(&path, source))?;
            match (item.leaf, stat) {
                (None, None) => {}
                (Some(leaf), None) => plan.write.push(Write { leaf, replaces: false }),
                (None, Some(stat)) => {
                    self.removal(&mut plan, &handle, &path, item.entry.as_ref(), &stat).await?;
                }
                (Some(leaf), Some(stat)) => {
                    self.replacement(&mut plan, &handle, &path, leaf, item.entry, stat).await?;
                }
            }
        }
        Ok(plan)
    }

    /// Plans for a file that the new version does not have.
    async fn removal(
        &self,
        plan: &mut Plan,
        handle: &Handle,
        path: &str,
        entry: Option<&IndexEntry>,
        stat: &Fingerprint,
    ) -> Result<(), FolderError> {
        if stat.kind() == Some(EntryKind::Tree) {
            // The user put a folder where the file was.
            return Ok(());
        }
        let mut ours = entry.is_some_and(|entry| entry.known.proves(stat));
        if !ours && let Some(found) = self.read(handle, path, stat)? {
            ours = entry.is_some_and(|entry| entry.known.content() == found.content)
                || self.was_being_written(path, &found).await;
        }
        if ours || (self.force && entry.is_some()) {
            plan.remove.push(path.to_owned());
        } else if entry.is_some() {
            let reason = "changed since it was checked out, and not in this version";
            plan.in_the_way.push(InTheWay { path: path.to_owned(), reason });
        }
        Ok(())
    }

    /// Plans for a path of the new version where something is.
    async fn replacement(
        &self,
        plan: &mut Plan,
        handle: &Handle,
        path: &str,
        leaf: Leaf,
        entry: Option<IndexEntry>,
        stat: Fingerprint,
    ) -> Result<(), FolderError> {
        if stat.kind() == Some(EntryKind::Tree) {
            self.folder_in_the_way(plan, handle, path).await?;
            plan.write.push(Write { leaf, replaces: false });
            return Ok(());
        }
        let wanted = Side { kind: leaf.kind, id: leaf.id, size: leaf.size };
        if let Some(entry) = entry.as_ref().filter(|entry| entry.known.proves(&stat)) {
            if entry.known.content() == wanted {
                plan.keep.push(entry.clone());
            } else {
                plan.write.push(Write { leaf, replaces: true });
            }
            return Ok(());
        }
        let found = self.read(handle, path, &stat)?;
        if let Some(found) = found.as_ref().filter(|found| found.content == wanted) {
            plan.keep.push(IndexEntry {
                path: path.to_owned(),
                known: Known::new(found.stat, wanted, found.seen),
            });
            plan.reread += 1;
            return Ok(());
        }
        let ours = match &found {
            None => false,
            // Only the mode differs: nothing is lost by writing the file again.
            Some(found) if found.content.id == leaf.id => true,
            Some(found)
                if entry.as_ref().is_some_and(|entry| entry.known.content() == found.content) =>
            {
                true
            }
            Some(found) => self.was_being_written(path, found).await,
        };
        if !ours {
            let reason = if entry.is_some() {
                "changed since it was checked out"
            } else {
                "not written by a checkout"
            };
            self.refuse(plan, path, reason);
        }
        plan.write.push(Write { leaf, replaces: true });
        Ok(())
    }

    /// Whether an interrupted checkout wrote this, or the beginning of it. Overwriting the
    /// beginning of a blob loses nothing that the blob does not hold.
    async fn was_being_written(&self, path: &str, found: &ReadFile) -> bool {
        for leaf in self.pending.get(path).into_iter().flatten() {
            if found.content.id == leaf.id {
                return true;
            }
            let Data::Whole(bytes) = &found.data else {
                continue;
            };
            if leaf.size <= limits::WHOLE_BYTES && (bytes.len() as u64) < leaf.size {
                let blob = self.store.get_blob(&leaf.id).await;
                if blob.is_ok_and(|blob| blob.starts_with(bytes)) {
                    return true;
                }
            }
        }
        false
    }

    /// Whether what is at `path` was left by an interrupted checkout.
    async fn left_behind(&self, path: &str) -> Result<bool, FolderError> {
        let (folder, name) = split(path);
        let (Some(root), true) = (&self.root, self.pending.contains_key(path)) else {
            return Ok(false);
        };
        let Walked::Opened(handle) = root.walk(folder).map_err(|source| self.io(path, source))?
        else {
            return Ok(false);
        };
        let Some(stat) = handle.stat(name).map_err(|source| self.io(path, source))? else {
            return Ok(false);
        };
        match self.read(&handle, path, &stat)? {
            Some(found) => Ok(self.was_being_written(path, &found).await),
            None => Ok(false),
        }
    }

    /// A folder is where a file is needed: whatever an earlier checkout wrote in it is dealt with
    /// as items of their own; the rest is the user's.
    async fn folder_in_the_way(
        &self,
        plan: &mut Plan,
        handle: &Handle,
        path: &str,
    ) -> Result<(), FolderError> {
        let (_, name) = split(path);
        let mut stack =
            vec![(handle.folder(name).map_err(|source| self.io(path, source))?, path.to_owned())];
        while let Some((folder, at)) = stack.pop() {
            for name in folder.names().map_err(|source| self.io(&at, source))? {
                let below = super::scan::join(&at, &name);
                match folder.folder(&name) {
                    Ok(handle) => stack.push((handle, below)),
                    Err(_) => {
                        let ours =
                            self.index.get(&below).is_some() || self.left_behind(&below).await?;
                        if !ours && !self.force {
                            let reason =
                                "not written by a checkout, in a folder where a file is needed";
                            plan.in_the_way.push(InTheWay { path: below, reason });
                        }
                    }
                }
            }
        }
        plan.clear.push(path.to_owned());
        Ok(())
    }

    /// The content of what is at `path`; `None` if it is no file or keeps changing, and so is
    /// certainly not this program's.
    fn read(
        &self,
        handle: &Handle,
        path: &str,
        stat: &Fingerprint,
    ) -> Result<Option<ReadFile>, FolderError> {
        let Some(kind) = stat.kind() else {
            return Ok(None);
        };
        let (_, name) = split(path);
        match read_file(handle, name, kind) {
            Ok(found) => Ok(Some(found)),
            Err(ReadFault::Changed | ReadFault::Gone) => Ok(None),
            Err(ReadFault::Io(error))
                if self.force && error.kind() == std::io::ErrorKind::PermissionDenied =>
            {
                Ok(None)
            }
            Err(ReadFault::Io(source)) => Err(self.io(path, source)),
        }
    }

    fn refuse(&self, plan: &mut Plan, path: &str, reason: &'static str) {
        if self.force {
            plan.clear.push(path.to_owned());
        } else {
            plan.in_the_way.push(InTheWay { path: path.to_owned(), reason });
        }
    }

    #[expect(clippy::unused_self, reason = "reads as part of planning")]
    fn io(&self, path: &str, source: std::io::Error) -> FolderError {
        FolderError::Io { action: "look at", path: path.into(), source }
    }
}

fn new_files(items: Vec<Item>) -> impl Iterator<Item = Write> {
    items.into_iter().filter_map(|item| item.leaf).map(|leaf| Write { leaf, replaces: false })
}
