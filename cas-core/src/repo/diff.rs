//! The difference of two trees: exact, the same on every machine, opening only what differs.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::read::Found;
use super::{RepoError, Repository, for_each};
use crate::name::{BlobId, BookPath, TreeId};
use crate::object::{Entry, EntryKind, Tree};

/// One path that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The path: after the change, or before it if it is gone.
    pub path: BookPath,
    /// How it differs.
    pub status: ChangeStatus,
    /// What was there before; for a rename, at [`from`](Self::from).
    pub old: Option<Side>,
    /// What is there after.
    pub new: Option<Side>,
    /// The path before, for a rename.
    pub from: Option<BookPath>,
}

/// How a path differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeStatus {
    /// Only in the second tree.
    Added,
    /// In both, with other content or of another kind.
    Changed,
    /// Only in the first tree.
    Removed,
    /// The same content at another path.
    Renamed,
}

/// A file, executable or symlink on one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Side {
    /// What it is; never a tree.
    pub kind: EntryKind,
    /// Its content.
    pub id: BlobId,
    /// Its size in bytes.
    pub size: u64,
}

/// Two directories to compare; one may be missing.
type Pair = (BookPath, Option<TreeId>, Option<TreeId>);

impl Repository {
    /// How `new` differs from `old`, at `path` and below, in the order of paths.
    ///
    /// A removed and an added file with the same content are one rename; which are paired when
    /// there are several is decided by name and path alone.
    pub async fn diff(
        &self,
        old: TreeId,
        new: TreeId,
        path: &BookPath,
    ) -> Result<Vec<Change>, RepoError> {
        let mut changes = Vec::new();
        if old == new {
            return Ok(changes);
        }
        let (old, new) = (self.find(old, path).await?, self.find(new, path).await?);
        if old.is_none() && new.is_none() {
            return Err(RepoError::NoPath { path: path.clone() });
        }
        let mut level: Vec<Pair> = Vec::new();
        let trees = (old.as_ref().and_then(Found::tree_id), new.as_ref().and_then(Found::tree_id));
        if trees.0 != trees.1 {
            level.push((path.clone(), trees.0, trees.1));
        }
        changes.extend(leaf_change(path, found_side(old.as_ref()), found_side(new.as_ref())));
        while !level.is_empty() {
            let store = self.store.clone();
            let loaded = for_each(level, self.jobs, move |(path, old, new)| {
                let store = store.clone();
                async move {
                    let mut trees = (Tree::default(), Tree::default());
                    if let Some(id) = old {
                        trees.0 = store.get_tree(&id).await?;
                    }
                    if let Some(id) = new {
                        trees.1 = store.get_tree(&id).await?;
                    }
                    Ok::<_, RepoError>((path, trees))
                }
            })
            .await?;
            level = Vec::new();
            for (path, (old, new)) in loaded {
                compare(&path, &old, &new, &mut changes, &mut level)?;
            }
        }
        pair_renames(&mut changes);
        changes.sort_unstable_by(|a, b| (&a.path, a.status).cmp(&(&b.path, b.status)));
        Ok(changes)
    }
}

/// Compares two directories: files that differ become changes, folders that differ the next level.
fn compare(
    path: &BookPath,
    old: &Tree,
    new: &Tree,
    changes: &mut Vec<Change>,
    level: &mut Vec<Pair>,
) -> Result<(), RepoError> {
    let (mut olds, mut news) = (old.entries().iter().peekable(), new.entries().iter().peekable());
    // Both are sorted by name.
    loop {
        let order = match (olds.peek(), news.peek()) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(old), Some(new)) => old.name.cmp(&new.name),
        };
        let old = if order.is_le() { olds.next() } else { None };
        let new = if order.is_ge() { news.next() } else { None };
        let Some(name) = old.or(new).map(|entry| &entry.name) else { return Ok(()) };
        if old.zip(new).is_some_and(|(old, new)| old.same_content(new)) {
            continue;
        }
        let below = path.join(name)?;
        let trees = (old.and_then(Entry::tree_id), new.and_then(Entry::tree_id));
        if trees != (None, None) {
            level.push((below.clone(), trees.0, trees.1));
        }
        changes.extend(leaf_change(&below, old.and_then(side), new.and_then(side)));
    }
}

fn leaf_change(path: &BookPath, old: Option<Side>, new: Option<Side>) -> Option<Change> {
    let status = match (&old, &new) {
        (None, None) => return None,
        (Some(old), Some(new)) if old == new => return None,
        (Some(_), Some(_)) => ChangeStatus::Changed,
        (None, Some(_)) => ChangeStatus::Added,
        (Some(_), None) => ChangeStatus::Removed,
    };
    Some(Change { path: path.clone(), status, old, new, from: None })
}

fn side(entry: &Entry) -> Option<Side> {
    entry.blob_id().map(|id| Side { kind: entry.kind, id, size: entry.totals.size })
}

fn found_side(found: Option<&Found>) -> Option<Side> {
    match found {
        Some(Found::Entry(entry)) => side(entry),
        Some(Found::Root(_)) | None => None,
    }
}

/// Turns removed and added files of equal content and kind into renames: first those that keep
/// their name, then the rest in the order of paths. Empty files are never paired: they are equal
/// by accident.
fn pair_renames(changes: &mut Vec<Change>) {
    let mut removed: BTreeMap<(BlobId, EntryKind), Vec<BookPath>> = BTreeMap::new();
    for change in changes.iter() {
        if let (ChangeStatus::Removed, Some(old)) = (change.status, change.old)
            && old.size > 0
        {
            removed.entry((old.id, old.kind)).or_default().push(change.path.clone());
        }
    }
    for paths in removed.values_mut() {
        paths.sort_unstable();
    }
    let mut added: Vec<_> =
        (0..changes.len()).filter(|at| changes[*at].status == ChangeStatus::Added).collect();
    added.sort_by(|a, b| changes[*a].path.cmp(&changes[*b].path));
    let mut used = std::collections::BTreeSet::new();
    for same_name in [true, false] {
        for at in &added {
            let change = &mut changes[*at];
            let Some(new) = change.new.filter(|_| change.from.is_none()) else {
                continue;
            };
            let Some(paths) = removed.get_mut(&(new.id, new.kind)) else {
                continue;
            };
            let fits = |path: &BookPath| !same_name || path.name() == change.path.name();
            let Some(found) = paths.iter().position(fits) else {
                continue;
            };
            let from = paths.remove(found);
            used.insert(from.clone());
            change.status = ChangeStatus::Renamed;
            change.old = Some(new);
            change.from = Some(from);
        }
    }
    changes.retain(|change| change.status != ChangeStatus::Removed || !used.contains(&change.path));
}
