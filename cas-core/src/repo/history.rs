//! The history of a version, and of one path in it.

use std::collections::{BTreeSet, BinaryHeap};

use super::read::Found;
use super::{RepoError, Repository};
use crate::env::Timestamp;
use crate::name::{BookPath, CommitId};
use crate::object::{Commit, EntryKind};

/// One commit of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogItem {
    /// Its id.
    pub id: CommitId,
    /// The commit.
    pub commit: Commit,
}

impl Repository {
    /// The commits that `heads` come from, newest first, at most `limit` of them; with a path
    /// other than the root, those in which it differs from every parent.
    pub async fn history(
        &self,
        heads: &[CommitId],
        path: &BookPath,
        limit: usize,
    ) -> Result<Vec<LogItem>, RepoError> {
        let mut queue = BinaryHeap::new();
        let mut seen = BTreeSet::new();
        for head in heads {
            if seen.insert(*head) {
                queue.push(Pending::new(*head, self.store.get_commit(head).await?));
            }
        }
        let mut items = Vec::new();
        let mut found_ever = path.is_root();
        while let Some(Pending { id, commit, .. }) = queue.pop() {
            if items.len() >= limit {
                break;
            }
            let here = self.fingerprint(&commit, path).await?;
            found_ever |= here.is_some();
            let mut changed = commit.parents.is_empty() && here.is_some() || path.is_root();
            let mut same_as_one = false;
            for parent in &commit.parents {
                let parent_commit = self.store.get_commit(parent).await?;
                if !path.is_root() {
                    let same = self.fingerprint(&parent_commit, path).await? == here;
                    same_as_one |= same;
                    changed |= !same;
                }
                if seen.insert(*parent) {
                    queue.push(Pending::new(*parent, parent_commit));
                }
            }
            if changed && !same_as_one {
                items.push(LogItem { id, commit });
            }
        }
        if items.is_empty() && !found_ever && limit > 0 {
            return Err(RepoError::NoPath { path: path.clone() });
        }
        Ok(items)
    }

    /// Whether `commit` is `head` or one that it comes from.
    pub async fn descends(&self, head: CommitId, commit: CommitId) -> Result<bool, RepoError> {
        let mut queue = vec![head];
        let mut seen = BTreeSet::from([head]);
        while let Some(id) = queue.pop() {
            if id == commit {
                return Ok(true);
            }
            for parent in self.store.get_commit(&id).await?.parents {
                if seen.insert(parent) {
                    queue.push(parent);
                }
            }
        }
        Ok(false)
    }

    /// What is at `path` in a commit, as far as it matters for having changed.
    pub(super) async fn fingerprint(
        &self,
        commit: &Commit,
        path: &BookPath,
    ) -> Result<Option<(EntryKind, crate::name::Hash)>, RepoError> {
        if path.is_root() {
            return Ok(None);
        }
        Ok(match self.find(commit.tree, path).await? {
            None | Some(Found::Root(_)) => None,
            Some(Found::Entry(entry)) => Some((entry.kind, entry.id)),
        })
    }
}

/// A commit still to be visited; the newest comes first, and of equal times the one found first.
#[derive(Debug, PartialEq, Eq)]
struct Pending {
    committed_at: Timestamp,
    id: CommitId,
    commit: Commit,
}

impl Pending {
    fn new(id: CommitId, commit: Commit) -> Self {
        Self { committed_at: commit.committed_at, id, commit }
    }
}

impl Ord for Pending {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.committed_at, self.id).cmp(&(other.committed_at, other.id))
    }
}

impl PartialOrd for Pending {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
