//! How a branch stands to what it follows.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Change, Edit, EditReport, PathEdit, Precondition, RepoError, Repository};
use super::{ChangeStatus, VersionRequest};
use crate::name::{BlobId, BookId, BookPath, CommitId, Operation, RefName, TreeId};
use crate::object::Totals;
use crate::refs::{LogEntry, Upstream};
use crate::repo::read::Found;

/// How a branch stands to its upstream.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The newest entry of the branch.
    pub head: LogEntry,
    /// Where it points.
    pub commit: CommitId,
    /// What it follows.
    pub upstream: Upstream,
    /// Where the upstream points; none if it is not there.
    pub upstream_commit: Option<CommitId>,
    /// Where the two met last: mostly one commit.
    pub bases: Arc<Vec<CommitId>>,
    /// How many commits the branch has that the upstream has not.
    pub ahead: u64,
    /// How many commits the upstream has that the branch has not.
    pub behind: u64,
    /// What the branch changed since they met.
    pub changes: Vec<Change>,
    /// Bytes and files of the branch's version.
    pub totals: Totals,
    /// How many of those bytes are in files that the version where they met does not have.
    pub own_bytes: u64,
}

impl Repository {
    /// How a branch stands to its upstream. One without an upstream is [`RepoError::NoUpstream`].
    pub async fn standing(&self, book: &BookId, name: &RefName) -> Result<Standing, RepoError> {
        let (head, commit) = self.live(book, name).await?;
        let upstream = upstream_of(&head)?;
        let upstream_head = self.store.refs().head(book, &upstream.name).await?;
        let upstream_commit = upstream_head.and_then(|head| head.entry.target);
        let met = upstream_commit.unwrap_or(upstream.base);
        let bases = self.bases().common(commit, met, Some(upstream.base)).await?;
        let (ahead, behind) = self.bases().apart(commit, met).await?;
        let (tree, base) = (self.tree_id(commit).await?, bases.first());
        let totals = self.store.get_tree(&tree).await?.totals();
        let (changes, own_bytes) = match base {
            Some(base) => {
                let base = self.tree_id(*base).await?;
                let changes = self.diff(base, tree, &BookPath::root()).await?;
                let own_bytes = own_bytes(&changes);
                (changes, own_bytes)
            }
            None => (Vec::new(), totals.size),
        };
        Ok(Standing {
            head,
            commit,
            upstream,
            upstream_commit,
            bases,
            ahead: ahead.len() as u64,
            behind: behind.len() as u64,
            changes,
            totals,
            own_bytes,
        })
    }

    /// The newest tree of what a branch follows.
    pub async fn upstream_tree(&self, book: &BookId, name: &RefName) -> Result<TreeId, RepoError> {
        let (head, _) = self.live(book, name).await?;
        let upstream = upstream_of(&head)?;
        let (_, commit) = self.live(book, &upstream.name).await?;
        self.tree_id(commit).await
    }

    /// Makes paths of a branch what they are in the tree `from`, which a commit of the book has:
    /// files and folders are put back, and what is not there is removed. One commit, unless
    /// nothing changes.
    pub async fn restore_paths(
        &self,
        request: &VersionRequest,
        from: TreeId,
        paths: &[BookPath],
    ) -> Result<EditReport, RepoError> {
        let mut edits = Vec::with_capacity(paths.len());
        for path in paths {
            let entry = match self.find(from, path).await? {
                Some(Found::Root(_)) => {
                    let rule = "name files or folders, or reset the whole branch";
                    return Err(RepoError::NotAPath { path: path.clone(), rule });
                }
                Some(Found::Entry(entry)) => Some(entry),
                None => None,
            };
            let edit = Edit::Place(entry);
            edits.push(PathEdit { path: path.clone(), edit, precondition: Precondition::Unsaid });
        }
        self.edit(request, Operation::revert(), &edits).await
    }
}

/// What a branch follows, which must be something.
fn upstream_of(head: &LogEntry) -> Result<Upstream, RepoError> {
    head.entry.upstream().ok_or_else(|| RepoError::NoUpstream {
        book: head.entry.book.clone(),
        name: head.entry.name.clone(),
    })
}

/// The bytes of files that are new with these changes, each content once.
fn own_bytes(changes: &[Change]) -> u64 {
    let mut met = BTreeSet::<BlobId>::new();
    let new = |change: &&Change| {
        matches!(change.status, ChangeStatus::Added | ChangeStatus::Changed)
            && change.old.map(|old| old.id) != change.new.map(|new| new.id)
    };
    let sides = changes.iter().filter(new).filter_map(|change| change.new);
    sides.filter(|side| met.insert(side.id)).map(|side| side.size).sum()
}
