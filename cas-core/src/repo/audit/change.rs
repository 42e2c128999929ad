//! What a movement of a ref did to one path.

use std::collections::BTreeMap;

use crate::name::{BookPath, CommitId, Hash};
use crate::object::EntryKind;
use crate::repo::{ChangeStatus, RepoError, Repository, for_each};

/// How many versions are remembered: refs have many of them in common.
const REMEMBERED: usize = 8_192;

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathState {
    /// A file, an executable, a symlink or a folder.
    pub kind: EntryKind,
    /// The id of the blob or tree.
    pub id: Hash,
}

/// What a movement of a ref did to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathChange {
    /// What was there; none if nothing was, or the ref itself was not there.
    pub previous: Option<PathState>,
    /// What is there since.
    pub new: Option<PathState>,
}

impl PathChange {
    /// Whether it was added, changed or removed.
    pub const fn status(&self) -> ChangeStatus {
        match self {
            Self { previous: None, .. } => ChangeStatus::Added,
            Self { new: None, .. } => ChangeStatus::Removed,
            _ => ChangeStatus::Changed,
        }
    }
}

/// What is at a path in versions that were looked at.
#[derive(Debug, Default)]
pub(super) struct States(BTreeMap<CommitId, Option<PathState>>);

impl States {
    /// Looks at many versions at once, so that [`of`](Self::of) finds them.
    pub(super) async fn look(
        &mut self,
        repo: &Repository,
        path: &BookPath,
        mut commits: Vec<CommitId>,
    ) -> Result<(), RepoError> {
        commits.sort_unstable();
        commits.dedup();
        commits.retain(|commit| !self.0.contains_key(commit));
        if self.0.len() + commits.len() > REMEMBERED {
            self.0.clear();
        }
        let (repo, jobs, path) = (repo.clone(), repo.jobs, path.clone());
        let found = for_each(commits, jobs, move |commit| {
            let (repo, path) = (repo.clone(), path.clone());
            async move { Ok::<_, RepoError>((commit, state(&repo, &path, commit).await?)) }
        });
        self.0.extend(found.await?);
        Ok(())
    }

    /// What is at a path in a version.
    pub(super) async fn of(
        &mut self,
        repo: &Repository,
        path: &BookPath,
        commit: Option<CommitId>,
    ) -> Result<Option<PathState>, RepoError> {
        let Some(commit) = commit else {
            return Ok(None);
        };
        if let Some(known) = self.0.get(&commit) {
            return Ok(*known);
        }
        let found = state(repo, path, commit).await?;
        self.0.insert(commit, found);
        Ok(found)
    }
}

async fn state(
    repo: &Repository,
    path: &BookPath,
    commit: CommitId,
) -> Result<Option<PathState>, RepoError> {
    let commit = repo.store.get_commit(&commit).await?;
    let found = repo.fingerprint(&commit, path).await?;
    Ok(found.map(|(kind, id)| PathState { kind, id }))
}
