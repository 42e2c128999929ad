//! What a reader of a live branch sees: its own changes on top of its upstream's newest version.
//!
//! The merged tree is computed when it is read and remembered by the trees that it came of; nothing
//! is written. A reader pays one look at the upstream's ref, and a merge when either side moved.

use super::merge::OnConflict;
use super::merging::Plan;
use super::{RepoError, Repository};
use crate::name::{BookId, CommitId};
use crate::refs::Upstream;

/// A live branch as it is seen now.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    /// What the two sides come to: where both changed the same, the branch's own is shown.
    pub(crate) plan: Plan,
    /// A repository that sees the merged tree.
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
        let repo = self.seeing(&plan.merged, Some(plan.their_tree));
        Ok(Some(Live { plan, repo }))
    }
}
