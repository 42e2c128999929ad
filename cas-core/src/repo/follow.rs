//! What a branch follows, once it is there: changing it, and keeping it true when the branch is
//! reset.

use super::{RefRequest, RepoError, Repository};
use crate::name::{BookId, CommitId, Operation, RefName};
use crate::object::Metadata;
use crate::refs::{Expectation, Follow, LogEntry, Upstream};

/// What a branch is to follow from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Following {
    /// Which branch; none for the one that it follows already.
    pub upstream: Option<RefName>,
    /// How.
    pub follow: Follow,
}

impl Repository {
    /// Changes what a branch follows; `None` ends it. The branch stays where it points: one more log
    /// entry, or none if nothing changes.
    ///
    /// Following the same branch in another way keeps the commit where the two last met. Another
    /// branch has to share some history with this one.
    pub async fn set_upstream(
        &self,
        request: &RefRequest,
        following: Option<&Following>,
    ) -> Result<LogEntry, RepoError> {
        let RefRequest { book, name, .. } = request;
        Self::check_branch(book, name)?;
        let began = self.env.clock.now();
        let head = self.newest(book, name).await?;
        let follow = Operation::follow();
        if let Some(entry) =
            self.earlier(request, &head, &follow, |target| target.is_some()).await?
        {
            return Ok(entry);
        }
        let commit = Self::target_of(&head)?;
        let present = head.entry.upstream();
        let wanted = match following {
            None => None,
            Some(Following { upstream, follow }) => {
                let followed = present.as_ref().map(|present| &present.name);
                let Some(named) = upstream.as_ref().or(followed) else {
                    let rule = format!("{book}@{name} follows nothing yet: name an upstream");
                    return Err(RepoError::Upstream { rule });
                };
                if named == name {
                    let rule = format!("{book}@{name} cannot follow itself");
                    return Err(RepoError::Upstream { rule });
                }
                let base = match &present {
                    Some(present) if present.name == *named => present.base,
                    _ => self.upstream_base(book, named, commit).await?,
                };
                Some(Upstream { name: named.clone(), follow: *follow, base })
            }
        };
        if wanted == present {
            return Ok(head);
        }
        let expect = Expectation::Is(commit);
        let metadata = metadata_of(wanted.as_ref())?;
        self.move_ref_with(request, began, expect, Some(commit), follow, metadata).await
    }

    /// The commit of the branch `upstream` from which one at `commit` is to follow it: `commit`
    /// itself if it is in the upstream's history, else one that they share.
    pub(super) async fn upstream_base(
        &self,
        book: &BookId,
        upstream: &RefName,
        commit: CommitId,
    ) -> Result<CommitId, RepoError> {
        Self::check_branch(book, upstream)?;
        let (_, theirs) = self.live(book, upstream).await?;
        self.meeting(theirs, commit).await?.ok_or_else(|| RepoError::Upstream {
            rule: format!(
                "{book}@{upstream} and commit {} share no history, so that one cannot follow the \
                 other",
                commit.short()
            ),
        })
    }

    /// What a branch says of its upstream when it is reset to `commit`: nothing if it follows none.
    ///
    /// It met its upstream at `commit` if that is in the upstream's history; where it last met it
    /// if `commit` comes after that; else at a commit that they share. With no history in common it
    /// follows nothing any more.
    pub(super) async fn upstream_after_reset(
        &self,
        head: &LogEntry,
        commit: CommitId,
    ) -> Result<Metadata, RepoError> {
        let Some(present) = head.entry.upstream() else {
            return Ok(Metadata::new());
        };
        let theirs = self.store.refs().head(&head.entry.book, &present.name).await?;
        let met = match theirs.and_then(|theirs| theirs.entry.target) {
            Some(theirs) => self.meeting(theirs, commit).await?,
            None => None,
        };
        let base = if met != Some(commit) && self.descends(commit, present.base).await? {
            Some(present.base)
        } else {
            met
        };
        metadata_of(base.map(|base| Upstream { base, ..present }).as_ref())
    }

    /// A commit that two come from: `ours` if it is in the history of `theirs`; `None` if they share
    /// no history.
    async fn meeting(
        &self,
        theirs: CommitId,
        ours: CommitId,
    ) -> Result<Option<CommitId>, RepoError> {
        Ok(self.bases().common(ours, theirs, None).await?.first().copied())
    }
}

fn metadata_of(upstream: Option<&Upstream>) -> Result<Metadata, RepoError> {
    let mut metadata = Metadata::new();
    match upstream {
        Some(upstream) => upstream.write(&mut metadata)?,
        None => Upstream::write_none(&mut metadata)?,
    }
    Ok(metadata)
}
