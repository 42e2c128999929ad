//! Edits of single paths: each with a precondition, several at once making one commit.
//!
//! If the branch moved meanwhile, the edits are applied again on its new head as long as their
//! preconditions hold there, so that writers of different files never disturb each other; when
//! they do not hold, the answer tells what is there now.
//!
//! This file says what an edit is and does to a tree; how a branch gets it is in `group.rs`.

use super::editor::TreeEditor;
use super::group::{Wish, is_about_the_request};
use super::replay::Replay;
use super::{Content, RepoError, Repository, VersionRequest};
use crate::name::{BlobId, BookPath, CommitId, HashPrefix, Operation, RequestId, TreeId};
use crate::object::{Entry, EntryKind, check_symlink};
use crate::refs::{LogEntry, RefEntry};
use crate::schema::Violation;
use crate::store::{Session, StoreError};

/// One edit of one path.
#[derive(Debug)]
pub struct PathEdit {
    /// What is edited.
    pub path: BookPath,
    /// How.
    pub edit: Edit,
    /// What the caller believes to be there.
    pub precondition: Precondition,
}

/// What is to happen to a path.
#[derive(Debug)]
pub enum Edit {
    /// Write a file. One that is there keeps its executable bit.
    Put(Content),
    /// Remove a file or symlink; with `recursive` also a folder.
    Remove {
        /// Whether a folder may be removed with everything in it.
        recursive: bool,
    },
    /// Put what is elsewhere in the book's history, a file or folder, whatever is here now; or
    /// remove what is here.
    Place(Option<Entry>),
    /// Move a file or folder to a path where nothing is.
    Move {
        /// Where to.
        to: BookPath,
    },
}

/// What the caller believes to be at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing said. Enough to create and to delete; overwriting is refused.
    Unsaid,
    /// Nothing is there.
    Absent,
    /// A file whose id begins so.
    Is(HashPrefix),
}

/// What happened to one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditResult {
    /// The path.
    pub path: BookPath,
    /// What happened.
    pub outcome: EditOutcome,
    /// The file's id before; none if nothing or a folder was there.
    pub old: Option<BlobId>,
    /// The file's id after; none if nothing or a folder is there.
    pub new: Option<BlobId>,
    /// Where it is now, if it was moved.
    pub to: Option<BookPath>,
}

/// What happened to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EditOutcome {
    /// It is there now and was not before.
    Created,
    /// It has other content than before.
    Updated,
    /// It was so already.
    Unchanged,
    /// It is gone.
    Deleted,
    /// It was not there: nothing to delete.
    Absent,
    /// It is elsewhere now.
    Moved,
}

/// What became of a set of edits.
#[derive(Debug, Clone)]
pub struct EditReport {
    /// The commit that the branch points at now.
    pub commit: CommitId,
    /// Its tree.
    pub tree: TreeId,
    /// Whether a commit was made; it is not when nothing changed.
    pub changed: bool,
    /// Whether the branch was made by this: it had not been there, and its upstream was edited.
    pub forked: bool,
    /// What happened to each path, in the order of the edits.
    pub results: Vec<EditResult>,
    /// What is new in this version and against the book's rules, though not so that it is refused.
    /// Told once: not again when a request is repeated.
    pub warnings: Vec<Violation>,
}

impl Repository {
    /// Applies `edits` to a branch as one commit: all of them, or none.
    ///
    /// A repeated request is answered as the first time, wherever the branch is by now, as long
    /// as its entry is among the newest; a request id that made another change is
    /// [`RepoError::RequestUsed`].
    pub async fn edit(
        &self,
        request: &VersionRequest,
        operation: Operation,
        edits: &[PathEdit],
    ) -> Result<EditReport, RepoError> {
        let wish = Wish { request, operation: &operation, actor: &self.actor, edits };
        let mut reports = self.edit_together(&[wish], &mut Replay::default()).await?;
        let none = || Err(RepoError::Internal("an edit was not answered".to_owned()));
        reports.pop().unwrap_or_else(none)
    }

    /// The report of edits that `entry` was made by: applied again to the version before, they
    /// give the same results and the same tree. If they do not, they are not what made it.
    pub(super) async fn report_again(
        &self,
        entry: &LogEntry,
        request: &RequestId,
        edits: &[PathEdit],
    ) -> Result<EditReport, RepoError> {
        let other = || RepoError::request_used(entry, request);
        let id = entry.entry.made_by(request).and_then(|made| made.commit).ok_or_else(other)?;
        let commit = self.store.get_commit(&id).await?;
        let [parent] = commit.parents[..] else {
            return Err(other());
        };
        let before = self.store.get_commit(&parent).await?;
        let mut editor = TreeEditor::new(&self.store, before.tree).await?;
        let results = self
            .apply_all(&mut editor, edits)
            .await
            .map_err(|error| if is_about_the_request(&error) { other() } else { error })?;
        if editor.write(None).await? != commit.tree {
            return Err(other());
        }
        let forked = self.made_its_branch(entry).await?;
        let (tree, warnings) = (commit.tree, Vec::new());
        Ok(EditReport { commit: id, tree, changed: true, forked, results, warnings })
    }

    /// Whether an entry that edits made began a branch that follows another.
    async fn made_its_branch(&self, entry: &LogEntry) -> Result<bool, RepoError> {
        let RefEntry { book, name, seq, .. } = &entry.entry;
        if entry.entry.upstream().is_none() {
            return Ok(false);
        }
        let before = match seq {
            1 => None,
            seq => self.store.refs().entry(book, name, seq - 1).await?,
        };
        Ok(before.is_none_or(|before| before.entry.target.is_none()))
    }

    /// Applies `edits` to a tree, in order; nothing is written yet.
    pub(super) async fn apply_all(
        &self,
        editor: &mut TreeEditor<'_>,
        edits: &[PathEdit],
    ) -> Result<Vec<EditResult>, RepoError> {
        let mut results = Vec::with_capacity(edits.len());
        for edit in edits {
            results.push(self.apply(editor, edit).await?);
        }
        Ok(results)
    }

    async fn apply(
        &self,
        editor: &mut TreeEditor<'_>,
        edit: &PathEdit,
    ) -> Result<EditResult, RepoError> {
        let path = &edit.path;
        let before = editor.get(path).await?;
        // What is gone already is as wanted, whatever was expected of it.
        if !(before.is_none() && matches!(edit.edit, Edit::Remove { .. })) {
            check(path, &edit.precondition, before.as_ref())?;
        }
        let old = before.as_ref().and_then(Entry::blob_id);
        let result = |outcome, new| EditResult { path: path.clone(), outcome, old, new, to: None };
        match &edit.edit {
            Edit::Put(content) => self.put(editor, edit, content, before).await,
            Edit::Remove { recursive } => {
                let Some(before) = before else {
                    return Ok(result(EditOutcome::Absent, None));
                };
                if before.kind.is_tree() && !recursive {
                    return Err(RepoError::RemoveFolder { path: path.clone() });
                }
                editor.remove(path).await?;
                Ok(result(EditOutcome::Deleted, None))
            }
            Edit::Place(entry) => {
                let outcome = match (&before, entry) {
                    (None, None) => EditOutcome::Absent,
                    (Some(_), None) => EditOutcome::Deleted,
                    (None, Some(_)) => EditOutcome::Created,
                    (Some(before), Some(entry)) if before.same_content(entry) => {
                        EditOutcome::Unchanged
                    }
                    (Some(_), Some(_)) => EditOutcome::Updated,
                };
                match entry {
                    _ if outcome == EditOutcome::Unchanged => {}
                    None => drop(editor.remove(path).await?),
                    Some(entry) => {
                        editor.remove(path).await?;
                        editor.set(path, entry.clone()).await?;
                    }
                }
                Ok(result(outcome, entry.as_ref().and_then(Entry::blob_id)))
            }
            Edit::Move { to } => {
                let Some(before) = before else {
                    return Err(RepoError::NoPath { path: path.clone() });
                };
                self.move_to(editor, path, to, before).await?;
                Ok(EditResult { to: Some(to.clone()), ..result(EditOutcome::Moved, old) })
            }
        }
    }

    async fn put(
        &self,
        editor: &mut TreeEditor<'_>,
        edit: &PathEdit,
        content: &Content,
        before: Option<Entry>,
    ) -> Result<EditResult, RepoError> {
        let path = edit.path.clone();
        let Some(name) = path.name() else {
            return Err(RepoError::IsAFolder { path });
        };
        let (id, size) = (content.id(), content.size());
        let (outcome, old, kind) = match before {
            None => (EditOutcome::Created, None, EntryKind::File),
            Some(before) => {
                let Some(old) = before.blob_id() else {
                    return Err(RepoError::IsAFolder { path });
                };
                if edit.precondition == Precondition::Unsaid {
                    return Err(RepoError::PreconditionRequired { path, current: old });
                }
                // Writing a file where a symlink is replaces the link by the file.
                let kind = if before.kind == EntryKind::Executable {
                    before.kind
                } else {
                    EntryKind::File
                };
                let same = old == id && before.kind == kind;
                (if same { EditOutcome::Unchanged } else { EditOutcome::Updated }, Some(old), kind)
            }
        };
        if outcome != EditOutcome::Unchanged {
            editor.set(&path, Entry::blob(name, kind, id, size)).await?;
        }
        Ok(EditResult { path, outcome, old, new: Some(id), to: None })
    }

    async fn move_to(
        &self,
        editor: &mut TreeEditor<'_>,
        from: &BookPath,
        to: &BookPath,
        entry: Entry,
    ) -> Result<(), RepoError> {
        if to.starts_with(from) {
            return Err(RepoError::MoveIntoItself { from: from.clone(), to: to.clone() });
        }
        if let Some(there) = editor.get(to).await? {
            return Err(RepoError::Exists { path: to.clone(), current: there.blob_id() });
        }
        self.check_moved(to, &entry).await?;
        editor.rename(from, to, entry).await
    }

    /// A path may become too long by moving, and a relative symlink may come to point outside.
    async fn check_moved(&self, to: &BookPath, entry: &Entry) -> Result<(), RepoError> {
        let mut faults = Vec::new();
        let mut links = Vec::new();
        match (entry.tree_id(), entry.blob_id()) {
            (Some(tree), _) => {
                let listing = self.list_all(to, tree).await?;
                faults = listing.faults;
                let leaves = listing.leaves.into_iter();
                links.extend(
                    leaves.filter(|l| l.kind == EntryKind::Symlink).map(|l| (l.path, l.id)),
                );
            }
            (None, Some(id)) if entry.kind == EntryKind::Symlink => links.push((to.clone(), id)),
            _ => {}
        }
        for (path, id) in links {
            let target = self.store.get_blob(&id).await?;
            if let Err(error) = check_symlink(&path, &target) {
                faults.push(super::PathFault { path: path.to_string(), reason: error.to_string() });
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(RepoError::BadTree { faults }) }
    }
}

/// Puts the contents of all edits into the session.
pub(super) async fn put_contents(session: &Session, edits: &[PathEdit]) -> Result<(), StoreError> {
    for edit in edits {
        let Edit::Put(content) = &edit.edit else {
            continue;
        };
        content.put(session).await?;
    }
    Ok(())
}

/// Whether what is at `path` is what the caller believes.
fn check(
    path: &BookPath,
    precondition: &Precondition,
    found: Option<&Entry>,
) -> Result<(), RepoError> {
    let current = found.and_then(Entry::blob_id);
    match precondition {
        Precondition::Unsaid => Ok(()),
        Precondition::Absent if found.is_none() => Ok(()),
        Precondition::Absent => Err(RepoError::Exists { path: path.clone(), current }),
        Precondition::Is(_) if found.is_some_and(|entry| entry.kind.is_tree()) => {
            Err(RepoError::IsAFolder { path: path.clone() })
        }
        Precondition::Is(prefix) if current.is_some_and(|id| prefix.matches(id.hash())) => Ok(()),
        Precondition::Is(prefix) => {
            Err(RepoError::NotAsExpected { path: path.clone(), expected: prefix.clone(), current })
        }
    }
}
