//! Files that one side removed where the other changed them: perhaps they were moved.
//!
//! A move is taken for certain if the file is found by its exact id, or by being alike for at
//! least [`SIMILAR_PERCENT`], in just one place that the side added, and no other file that the
//! side removed fits as well. If several fit, those that kept the file's name decide, if that is
//! one. Anything else stays a named conflict.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::leaf::{MergedLeaf, Three, merge_files, same};
use super::text::{is_text, similarity};
use super::trees::{Merge, Removed};
use super::{Conflict, ConflictKind, NewObject, OnConflict, is_regular};
use crate::limits;
use crate::name::{BlobId, BookPath, TreeId};
use crate::object::{Entry, Kind, TreeError};
use crate::repo::editor::TreeEditor;
use crate::repo::read::Found;
use crate::repo::{Change, ChangeStatus, RepoError, Repository, Side};
use crate::store::Store;

/// How alike two texts are at least, in percent, for one to be taken for the other moved: the
/// bytes of the lines that both have, as a part of the longer one.
pub const SIMILAR_PERCENT: u64 = 60;

/// How many pairs of files are compared in one merge. Beyond, only exact ids tell a move.
const COMPARISONS: usize = 2_000;

/// Where a file went.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Went {
    Nowhere,
    To(BookPath, Side),
    Unclear,
}

/// Decides about everything in [`Merge::removed`], with the other paths already in the tree
/// `root`. Returns the new root.
pub(super) async fn settle(merge: &mut Merge<'_>, root: TreeId) -> Result<TreeId, RepoError> {
    let removed = std::mem::take(&mut merge.removed);
    if removed.is_empty() {
        return Ok(root);
    }
    let (base, ours, theirs) = merge.roots;
    let made = merge.made.iter().map(|((kind, id), bytes)| (*kind, *id, bytes.clone()));
    let store = merge.repo.store.overlaid(made, None);
    let mut our_moves = Moves::new(merge.repo, base, ours);
    let mut their_moves = Moves::new(merge.repo, base, theirs);
    let mut settling = Settling { merge, editor: TreeEditor::new(&store, root).await? };
    for file in &removed {
        let Some(before) = file.base.as_ref() else { continue };
        let at_ours = match file.ours {
            None => our_moves.find(&file.path, before).await?,
            Some(_) => Went::Nowhere,
        };
        let at_theirs = match file.theirs {
            None => their_moves.find(&file.path, before).await?,
            Some(_) => Went::Nowhere,
        };
        if file.ours.is_none() && file.theirs.is_none() {
            settling.both_removed(file, before, at_ours, at_theirs).await?;
        } else {
            let moved = if file.ours.is_none() { at_ours } else { at_theirs };
            settling.edited_and_removed(file, before, moved).await?;
        }
    }
    settling.write().await
}

/// Putting files where they belong.
struct Settling<'m, 'r, 's> {
    merge: &'m mut Merge<'r>,
    editor: TreeEditor<'s>,
}

impl Settling<'_, '_, '_> {
    /// One side edited the file, the other removed or moved it.
    async fn edited_and_removed(
        &mut self,
        file: &Removed,
        before: &Entry,
        moved: Went,
    ) -> Result<(), RepoError> {
        let (kind, other) = match moved {
            Went::Nowhere => (ConflictKind::EditDelete, None),
            Went::Unclear => (ConflictKind::RenameUnclear, None),
            Went::To(to, side) => {
                let there = self.editor.get(&to).await?.filter(|entry| is_side(entry, side));
                let added_too = self.has_other(file, &to).await?;
                match there {
                    Some(there) if !added_too => {
                        return self.follow(file, before, &to, there).await;
                    }
                    _ => (ConflictKind::RenameAdd, Some(to)),
                }
            }
        };
        let conflict = file.three().conflict(&file.path, kind);
        self.merge.conflicts.push(Conflict { other, ..conflict });
        let kept = match self.merge.on_conflict {
            OnConflict::Fail | OnConflict::Ours => file.ours.as_ref(),
            OnConflict::Theirs => file.theirs.as_ref(),
            OnConflict::Markers => file.ours.as_ref().or(file.theirs.as_ref()),
        };
        match kept {
            Some(entry) => self.put(&file.path, entry).await,
            None => Ok(()),
        }
    }

    /// Whether the side that edited the file has something of its own where the other moved it.
    async fn has_other(&self, file: &Removed, to: &BookPath) -> Result<bool, RepoError> {
        let (_, ours, theirs) = self.merge.roots;
        let editing = if file.ours.is_some() { ours } else { theirs };
        Ok(self.merge.repo.find(editing, to).await?.is_some())
    }

    /// Puts the edit where the other side moved the file.
    async fn follow(
        &mut self,
        file: &Removed,
        before: &Entry,
        to: &BookPath,
        there: Entry,
    ) -> Result<(), RepoError> {
        let (ours, theirs) = match (&file.ours, &file.theirs) {
            (Some(ours), _) => (ours.clone(), there),
            (None, Some(theirs)) => (there, theirs.clone()),
            (None, None) => return Ok(()),
        };
        self.merge_at(&file.path, before, to, &ours, &theirs).await
    }

    /// Merges a file that was moved, to the path where it is now.
    async fn merge_at(
        &mut self,
        from: &BookPath,
        before: &Entry,
        to: &BookPath,
        ours: &Entry,
        theirs: &Entry,
    ) -> Result<(), RepoError> {
        let policy = self.merge.on_conflict;
        let merged = if same(Some(ours), Some(theirs)) || same(Some(before), Some(theirs)) {
            MergedLeaf { entry: ours.clone(), conflict: None, object: None }
        } else if same(Some(before), Some(ours)) {
            MergedLeaf { entry: theirs.clone(), conflict: None, object: None }
        } else {
            merge_files(&self.merge.repo.store, Some(before), ours, theirs, policy).await?
        };
        self.merge.merged_files += 1;
        if let Some(kind) = merged.conflict {
            let side = |entry: &Entry| super::leaf::side_of(entry);
            self.merge.conflicts.push(Conflict {
                path: to.clone(),
                kind,
                other: Some(from.clone()),
                base: side(before),
                ours: side(ours),
                theirs: side(theirs),
            });
        }
        self.merge.keep(merged.object);
        self.editor.set(to, merged.entry).await
    }

    /// Both sides removed the file, or moved it.
    async fn both_removed(
        &mut self,
        file: &Removed,
        before: &Entry,
        ours: Went,
        theirs: Went,
    ) -> Result<(), RepoError> {
        let deleter_wins = |deleter: OnConflict| {
            let policy = self.merge.on_conflict;
            policy == deleter || (deleter == OnConflict::Ours && policy == OnConflict::Fail)
        };
        let (kind, to, dropped) = match (ours, theirs) {
            (Went::To(ours, our_side), Went::To(theirs, their_side)) if ours == theirs => {
                let entry = |side: Side| entry_of(&ours, side);
                let (Some(our_entry), Some(their_entry)) = (entry(our_side), entry(their_side))
                else {
                    return Ok(());
                };
                // Taken for two files added at one path before it was known to be one file moved.
                self.merge.conflicts.retain(|conflict| conflict.path != ours);
                return self.merge_at(&file.path, before, &ours, &our_entry, &their_entry).await;
            }
            (Went::To(ours, _), Went::To(theirs, _)) => {
                let theirs_wins = self.merge.on_conflict == OnConflict::Theirs;
                let dropped = if theirs_wins { ours.clone() } else { theirs };
                (ConflictKind::RenameRename, ours, Some(dropped))
            }
            (Went::To(to, _), Went::Nowhere) => {
                let dropped = deleter_wins(OnConflict::Theirs).then(|| to.clone());
                (ConflictKind::RenameDelete, to, dropped)
            }
            (Went::Nowhere, Went::To(to, _)) => {
                let dropped = deleter_wins(OnConflict::Ours).then(|| to.clone());
                (ConflictKind::RenameDelete, to, dropped)
            }
            // Whatever either side added is in the tree.
            _ => return Ok(()),
        };
        let conflict = file.three().conflict(&file.path, kind);
        self.merge.conflicts.push(Conflict { other: Some(to), ..conflict });
        if let Some(dropped) = dropped {
            self.editor.remove(&dropped).await?;
        }
        Ok(())
    }

    /// Puts a file at its path, in place of whatever the other side has in its way.
    async fn put(&mut self, path: &BookPath, entry: &Entry) -> Result<(), RepoError> {
        let mut way: Vec<_> = std::iter::successors(path.parent(), BookPath::parent)
            .filter(|path| !path.is_root())
            .collect();
        way.reverse();
        for folder in way {
            if self.editor.get(&folder).await?.is_some_and(|entry| !entry.kind.is_tree()) {
                self.in_the_way(&folder).await?;
            }
        }
        if self.editor.get(path).await?.is_some() {
            self.in_the_way(path).await?;
        }
        self.editor.set(path, entry.clone()).await
    }

    async fn in_the_way(&mut self, path: &BookPath) -> Result<(), RepoError> {
        let conflict = self.conflict_at(path, ConflictKind::FileFolder).await?;
        self.merge.conflicts.push(conflict);
        self.editor.remove(path).await?;
        Ok(())
    }

    /// A conflict at a path, with what the base and both sides have there.
    async fn conflict_at(
        &self,
        path: &BookPath,
        kind: ConflictKind,
    ) -> Result<Conflict, RepoError> {
        let (base, ours, theirs) = self.merge.roots;
        let mut found = [None, None, None];
        for (found, root) in found.iter_mut().zip([base, ours, theirs]) {
            if let Some(Found::Entry(entry)) = self.merge.repo.find(root, path).await? {
                *found = Some(entry);
            }
        }
        let [base, ours, theirs] = found.each_ref().map(Option::as_ref);
        Ok(Three { base, ours, theirs }.conflict(path, kind))
    }

    /// Builds the changed directories and returns the root. Names that meet on some disks are
    /// conflicts like any other.
    async fn write(mut self) -> Result<TreeId, RepoError> {
        loop {
            match self.editor.write(None).await {
                Ok(root) => {
                    for (id, tree) in self.editor.written().iter() {
                        let bytes = Bytes::from(tree.encode());
                        let object = NewObject { kind: Kind::Tree, id: *id.hash(), bytes };
                        self.merge.keep(Some(object));
                    }
                    return Ok(root);
                }
                Err(RepoError::Tree { path, source: TreeError::Collisions(pairs) }) => {
                    for (a, b) in pairs {
                        self.part(&path.join(&a)?, &path.join(&b)?).await?;
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Of two names that meet on some disks, removes the one that the preferred side does not have.
    async fn part(&mut self, a: &BookPath, b: &BookPath) -> Result<(), RepoError> {
        let (_, ours, theirs) = self.merge.roots;
        let preferred = if self.merge.on_conflict == OnConflict::Theirs { theirs } else { ours };
        let has_a = self.merge.repo.find(preferred, a).await?.is_some();
        let (loser, winner) = if has_a { (b, a) } else { (a, b) };
        let conflict = self.conflict_at(loser, ConflictKind::NameCollision).await?;
        self.merge.conflicts.push(Conflict { other: Some(winner.clone()), ..conflict });
        self.editor.remove(loser).await?;
        Ok(())
    }
}

fn is_side(entry: &Entry, side: Side) -> bool {
    entry.kind == side.kind && entry.blob_id() == Some(side.id)
}

fn entry_of(path: &BookPath, side: Side) -> Option<Entry> {
    path.name().map(|name| Entry::blob(name, side.kind, side.id, side.size))
}

/// What one side moved, found out when first asked.
struct Moves<'a> {
    repo: &'a Repository,
    base: TreeId,
    side: TreeId,
    changes: Option<Vec<Change>>,
    texts: BTreeMap<BlobId, Option<Bytes>>,
    comparisons: usize,
}

impl<'a> Moves<'a> {
    fn new(repo: &'a Repository, base: TreeId, side: TreeId) -> Self {
        Self { repo, base, side, changes: None, texts: BTreeMap::new(), comparisons: 0 }
    }

    /// Where the file at `path`, which is no longer there, went.
    async fn find(&mut self, path: &BookPath, before: &Entry) -> Result<Went, RepoError> {
        let changes = match self.changes.take() {
            Some(changes) => changes,
            None => self.repo.diff(self.base, self.side, &BookPath::root()).await?,
        };
        let went = self.find_in(&changes, path, before).await;
        self.changes = Some(changes);
        went
    }

    async fn find_in(
        &mut self,
        changes: &[Change],
        path: &BookPath,
        before: &Entry,
    ) -> Result<Went, RepoError> {
        let Some(before) = super::leaf::side_of(before).filter(|side| side.size > 0) else {
            return Ok(Went::Nowhere);
        };
        let exact: Vec<_> = appeared(changes).filter(|(_, new)| new.id == before.id).collect();
        if !exact.is_empty() {
            let rivals: Vec<_> = vanished(changes)
                .filter(|(from, old)| old.id == before.id && *from != path)
                .collect();
            let rivals = rivals.into_iter().map(|(from, _)| from);
            return Ok(choose(path, &exact, rivals));
        }
        if !is_regular(before.kind) {
            return Ok(Went::Nowhere);
        }
        let mut similar = Vec::new();
        let mut rivals = Vec::new();
        let added = changes.iter().filter(|change| change.status == ChangeStatus::Added);
        for (to, new) in added.filter_map(|change| change.new.map(|new| (&change.path, new))) {
            let percent = self.alike(before, new).await?;
            if percent < SIMILAR_PERCENT {
                continue;
            }
            similar.push((to, new));
            let removed = changes.iter().filter(|change| change.status == ChangeStatus::Removed);
            for change in removed.filter(|change| change.path != *path) {
                let Some(old) = change.old else { continue };
                if self.alike(old, new).await? >= percent {
                    rivals.push(&change.path);
                }
            }
        }
        if self.comparisons >= COMPARISONS {
            // Not all were compared: nothing is certain.
            return Ok(if similar.is_empty() { Went::Nowhere } else { Went::Unclear });
        }
        Ok(choose(path, &similar, rivals.into_iter()))
    }

    /// How alike two files are in percent; 0 if they are not text, or too many were compared.
    async fn alike(&mut self, a: Side, b: Side) -> Result<u64, RepoError> {
        let (shorter, longer) = (a.size.min(b.size), a.size.max(b.size));
        let hopeless = longer == 0
            || longer > limits::WHOLE_BYTES
            || shorter * 100 < longer * SIMILAR_PERCENT
            || !is_regular(a.kind)
            || !is_regular(b.kind);
        if hopeless || self.comparisons >= COMPARISONS {
            return Ok(0);
        }
        self.comparisons += 1;
        let (a, b) = (self.text(a.id).await?, self.text(b.id).await?);
        Ok(a.zip(b).map_or(0, |(a, b)| similarity(&a, &b)))
    }

    async fn text(&mut self, id: BlobId) -> Result<Option<Bytes>, RepoError> {
        if let Some(text) = self.texts.get(&id) {
            return Ok(text.clone());
        }
        let store: &Store = &self.repo.store;
        let bytes = store.get_blob(&id).await?;
        let text = is_text(&bytes).then_some(bytes);
        self.texts.insert(id, text.clone());
        Ok(text)
    }
}

/// The files that are where none was.
fn appeared(changes: &[Change]) -> impl Iterator<Item = (&BookPath, Side)> {
    let new =
        |change: &&Change| matches!(change.status, ChangeStatus::Added | ChangeStatus::Renamed);
    changes.iter().filter(new).filter_map(|change| change.new.map(|side| (&change.path, side)))
}

/// The files that are no longer where they were.
fn vanished(changes: &[Change]) -> impl Iterator<Item = (&BookPath, Side)> {
    changes.iter().filter_map(|change| match change.status {
        ChangeStatus::Removed => change.old.map(|old| (&change.path, old)),
        ChangeStatus::Renamed => change.from.as_ref().zip(change.old),
        ChangeStatus::Added | ChangeStatus::Changed => None,
    })
}

/// The one place among `found` where the file that was at `path` is; `rivals` are other files that
/// may be there as well.
fn choose<'a>(
    path: &BookPath,
    found: &[(&BookPath, Side)],
    rivals: impl Iterator<Item = &'a BookPath>,
) -> Went {
    let name = path.name();
    let rivals: Vec<_> = rivals.map(BookPath::name).collect();
    let to = |(to, side): &(&BookPath, Side)| Went::To((*to).clone(), *side);
    match found {
        [] => Went::Nowhere,
        [one] if rivals.is_empty() => to(one),
        _ if rivals.contains(&name) => Went::Unclear,
        several => {
            let mut same = several.iter().filter(|(to, _)| to.name() == name);
            match (same.next(), same.next()) {
                (Some(one), None) => to(one),
                _ => Went::Unclear,
            }
        }
    }
}
