//! Opening a version for reading: what a revision shows, and where that comes from.
//!
//! [`Repository::resolve`] says where a ref points, and is for writers. Readers open: of a personal
//! branch that is not there they see its upstream (`personal.rs`).

use std::sync::Arc;

use serde::Serialize;

use super::live::Live;
use super::merge::{Conflict, Merged};
use super::merging::MergeStatus;
use super::{RepoError, Repository};
use crate::name::{Base, BookId, CommitId, RefName, Revision, TreeId};
use crate::object::Commit;
use crate::refs::{Follow, Upstream};

/// A version, opened for reading.
#[derive(Debug, Clone)]
pub struct Reading {
    /// What it is read with: it knows every tree below `tree`, also those that nobody stored.
    pub repo: Repository,
    /// The book.
    pub book: BookId,
    /// The ref that was named, if one was.
    pub name: Option<RefName>,
    /// The commit's id.
    pub id: CommitId,
    /// The commit.
    pub commit: Commit,
    /// What there is to see, which need not be the commit's own tree.
    pub tree: TreeId,
    /// Where it comes from.
    pub source: Source,
    /// What the branch follows, or would follow if it were there. Nothing is followed by what was
    /// named by its id or its position in a log.
    pub upstream: Option<Upstream>,
    /// The two sides of what is seen, of a branch that follows its upstream live.
    pub live: Option<Arc<Sides>>,
}

/// What a live branch is seen to be made of.
#[derive(Debug, Clone)]
pub struct Sides {
    /// The branch's own tree.
    pub ours: TreeId,
    /// The upstream's newest commit.
    pub upstream: CommitId,
    /// Its tree.
    pub theirs: TreeId,
    /// The result, with what is in memory only.
    merged: Arc<Merged>,
}

impl Sides {
    /// Where both changed the same, and the branch's own is seen.
    pub fn conflicts(&self) -> &[Conflict] {
        &self.merged.conflicts
    }
}

/// Where what a reader sees comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The version that was named.
    Own,
    /// The upstream's newest version: the branch has nothing of its own, or is not there yet.
    Upstream,
    /// The branch's own version, with what changed in its upstream.
    Merged,
    /// The branch's own version, which contradicts its upstream.
    Conflict,
}

impl Source {
    /// `own`, `upstream`, `merged` or `conflict`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Upstream => "upstream",
            Self::Merged => "merged",
            Self::Conflict => "conflict",
        }
    }
}

impl Repository {
    /// Opens what `revision` shows.
    ///
    /// A branch that is there costs what it costs to [`resolve`](Self::resolve) it. For one that is
    /// not, or is deleted, the newest version of `main` says whether another is read instead.
    pub async fn open(&self, revision: &Revision) -> Result<Reading, RepoError> {
        let Revision { book, base, seq, back } = revision;
        let mut at_hand = None;
        let (name, start, source, upstream) = match (base, seq) {
            (Base::Ref(name), None) => {
                let head = self.store.refs().head(book, name).await?;
                match head.as_ref().and_then(|head| head.entry.target) {
                    Some(commit) => {
                        let upstream = head.and_then(|head| head.entry.upstream());
                        (Some(name.clone()), commit, Source::Own, upstream)
                    }
                    None => {
                        let Some(found) = self.stand_in(book, name).await? else {
                            return Err(self.not_live(book, name, head.is_some()).await?);
                        };
                        let base = found.upstream.base;
                        at_hand = Some(found.commit);
                        (Some(name.clone()), base, Source::Upstream, Some(found.upstream))
                    }
                }
            }
            (Base::Ref(name), Some(_)) => {
                let id = self.resolve_id(&Revision { back: 0, ..revision.clone() }).await?;
                (Some(name.clone()), id, Source::Own, None)
            }
            (Base::Commit(_), _) => {
                let id = self.resolve_id(&Revision { back: 0, ..revision.clone() }).await?;
                (None, id, Source::Own, None)
            }
        };
        let commit = match at_hand {
            Some(commit) => commit,
            None => self.store.get_commit(&start).await?,
        };
        let (id, commit) = self.go_back(revision, start, commit).await?;
        let upstream = upstream.filter(|_| *back == 0);
        let (repo, book, tree) = (self.clone(), book.clone(), commit.tree);
        let reading = Reading { repo, book, name, id, commit, tree, source, upstream, live: None };
        match &reading.upstream {
            Some(upstream) if source == Source::Own && upstream.follow == Follow::Live => {
                let live = self.live_view(&reading.book, id, upstream).await?;
                Ok(match live {
                    Some(live) => reading.seen(live),
                    None => reading,
                })
            }
            _ => Ok(reading),
        }
    }
}

impl Reading {
    /// The same with what a live branch shows.
    fn seen(self, Live { plan, repo }: Live) -> Self {
        let source = match plan.status {
            MergeStatus::UpToDate => Source::Own,
            MergeStatus::FastForward => Source::Upstream,
            _ if plan.merged.is_clean() => Source::Merged,
            _ => Source::Conflict,
        };
        let sides = Sides {
            ours: plan.our_tree,
            upstream: plan.theirs,
            theirs: plan.their_tree,
            merged: plan.merged,
        };
        Self { repo, tree: sides.merged.tree, source, live: Some(Arc::new(sides)), ..self }
    }

    /// The commits that what is seen comes from: one, or of a live branch also its upstream's.
    pub fn heads(&self) -> Vec<CommitId> {
        let upstream = self.live.as_ref().map(|sides| sides.upstream);
        [self.id].into_iter().chain(upstream).collect()
    }

    /// Where each of these commits, of the history of what is seen, comes from: from the upstream
    /// if the branch does not have it.
    pub async fn sources_of(&self, commits: &[CommitId]) -> Result<Vec<Source>, RepoError> {
        let Some(sides) = &self.live else {
            return Ok(vec![self.source; commits.len()]);
        };
        let (_, upstream) = self.repo.bases().apart(self.id, sides.upstream, None).await?;
        let source = |id| if upstream.contains(id) { Source::Upstream } else { Source::Own };
        Ok(commits.iter().map(source).collect())
    }

    /// A repository that also sees what `other` shows.
    #[must_use]
    pub fn repo_with(&self, other: &Self) -> Repository {
        match &other.live {
            Some(sides) => self.repo.seeing(&sides.merged, Some(sides.theirs)),
            None => self.repo.clone(),
        }
    }
}
