//! How a branch stands to what it follows.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Change, ChangeStatus, RepoError, Repository};
use crate::name::{BlobId, BookId, BookPath, CommitId, RefName, TreeId};
use crate::object::Totals;
use crate::refs::{LogEntry, Upstream};

/// A branch that follows another.
#[derive(Debug, Clone)]
pub struct Follower {
    /// The newest entry of the branch.
    pub head: LogEntry,
    /// Where it points.
    pub commit: CommitId,
    /// What it follows.
    pub upstream: Upstream,
}

/// How a branch stands to its upstream.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The branch.
    pub branch: Follower,
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

/// Where a branch and its upstream met.
struct Met {
    /// Where the upstream points; none if it is not there.
    upstream_commit: Option<CommitId>,
    /// The same, or where the branch met it last.
    theirs: CommitId,
    bases: Arc<Vec<CommitId>>,
}

impl Standing {
    /// How many bytes of the branch's version are in files that both have.
    pub fn shared_bytes(&self) -> u64 {
        self.totals.size.saturating_sub(self.own_bytes)
    }
}

impl Repository {
    /// A branch that is there and follows another. One without an upstream is
    /// [`RepoError::NoUpstream`].
    ///
    /// What is asked of the answer is asked of this one upstream, also if the branch comes to
    /// follow another meanwhile: whoever has to know whether it may be read, knows it by now.
    pub async fn follower(&self, book: &BookId, name: &RefName) -> Result<Follower, RepoError> {
        Self::check_branch(book, name)?;
        let (head, commit) = self.live(book, name).await?;
        let upstream = head
            .entry
            .upstream()
            .ok_or_else(|| RepoError::NoUpstream { book: book.clone(), name: name.clone() })?;
        Ok(Follower { head, commit, upstream })
    }

    /// How a branch stands to its upstream.
    pub async fn standing(&self, branch: Follower) -> Result<Standing, RepoError> {
        let Met { upstream_commit, theirs, bases } = self.met(&branch).await?;
        let (tree, base) = (self.tree_id(branch.commit).await?, bases.first());
        let (ahead, behind) = self.bases().apart(branch.commit, theirs, base.copied()).await?;
        let (ahead, behind) = (ahead.len() as u64, behind.len() as u64);
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
        Ok(Standing { branch, upstream_commit, bases, ahead, behind, changes, totals, own_bytes })
    }

    /// Where a branch and its upstream met last; of several such commits, the one by which its
    /// [`standing`](Self::standing) says what it changed.
    pub async fn fork_point(&self, branch: &Follower) -> Result<CommitId, RepoError> {
        let Met { theirs, bases, .. } = self.met(branch).await?;
        bases.first().copied().ok_or(RepoError::Unrelated { ours: branch.commit, theirs })
    }

    /// The newest tree of what a branch follows.
    pub async fn upstream_tree(&self, branch: &Follower) -> Result<TreeId, RepoError> {
        let (_, commit) = self.live(&branch.head.entry.book, &branch.upstream.name).await?;
        self.tree_id(commit).await
    }

    async fn met(&self, branch: &Follower) -> Result<Met, RepoError> {
        let Follower { head, commit, upstream } = branch;
        let found = self.store.refs().head(&head.entry.book, &upstream.name).await?;
        let upstream_commit = found.and_then(|found| found.entry.target);
        let theirs = upstream_commit.unwrap_or(upstream.base);
        let bases = self.bases().common(*commit, theirs, Some(upstream.base)).await?;
        Ok(Met { upstream_commit, theirs, bases })
    }
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
