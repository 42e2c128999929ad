//! What a reader of a live branch sees: its own changes on top of its upstream's newest version.
//!
//! The merged tree is computed when it is read and remembered by the trees that it came of; nothing
//! is written. A reader pays one look at the upstream's ref, and a merge when either side moved.

use std::sync::Arc;

use super::merge::{Conflict, Merged, OnConflict};
use super::merging::MergeStatus;
use super::{RepoError, Repository};
use crate::name::{BookId, CommitId, TreeId};
use crate::refs::Upstream;

/// A live branch as it is seen now.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    /// What the two sides come to.
    pub(crate) status: MergeStatus,
    /// The tree to read.
    pub(crate) tree: TreeId,
    /// The upstream's commit that is in it.
    pub(crate) theirs: CommitId,
    /// Its tree.
    pub(crate) their_tree: TreeId,
    /// Where both changed the same, and the branch's own is shown.
    pub(crate) conflicts: Vec<Conflict>,
    /// The merge.
    pub(crate) merged: Arc<Merged>,
    /// A repository that sees the tree.
    pub(crate) repo: Repository,
}

impl Repository {
    /// What a reader of a branch at `ours` that follows `upstream` sees. None if the upstream is
    /// not there or has nothing in common with the branch: then its own version is all there is.
    pub(crate) async fn live_view(
        &self,
        book: &BookId,
        ours: CommitId,
        upstream: &Upstream,
    ) -> Result<Option<Live>, RepoError> {
        let head = self.store.refs().head(book, &upstream.name).await?;
        let Some(theirs) = head.and_then(|head| head.entry.target) else {
            return Ok(None);
        };
        let base = Some(upstream.base);
        let plan = match self.plan_merge(ours, theirs, base, OnConflict::Ours).await {
            Ok(plan) => plan,
            Err(RepoError::Unrelated { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(Live {
            status: plan.status,
            tree: plan.merged.tree,
            theirs,
            their_tree: plan.their_tree,
            conflicts: plan.merged.conflicts.clone(),
            repo: self.seeing(&plan.merged, Some(plan.their_tree)),
            merged: plan.merged,
        }))
    }
}
