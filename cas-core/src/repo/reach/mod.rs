//! Everything that commits reach: each distinct commit, tree and blob once.
//!
//! The walk goes by rounds. A round settles every shard of a set and opens what is new in it, which
//! adds to the sets; when a round finds nothing new the walk is done. So memory holds a shard and
//! what is being read, however many objects there are, and however many branches share them.

mod ids;

use std::io;

use super::{RepoError, Repository, for_each};
use crate::name::{CommitId, Hash, TreeId};
use crate::object::Kind;
use crate::store::StoreError;

use ids::SHARDS;
pub(crate) use ids::{IdSet, shard_of};

/// How many objects are opened before what they name is taken in.
const TOGETHER: usize = 4_096;

/// The objects that commits reach.
#[derive(Debug)]
pub(crate) struct Reach {
    pub(crate) commits: IdSet,
    pub(crate) trees: IdSet,
    pub(crate) blobs: IdSet,
}

/// What one object names.
type Named = Vec<(Kind, Hash)>;

impl Reach {
    /// Nothing yet. Takes about so many bytes of memory, and beyond that a temporary folder.
    pub(crate) fn new(bytes: usize) -> Self {
        let set = || IdSet::new(bytes / 3);
        Self { commits: set(), trees: set(), blobs: set() }
    }

    /// The set of a kind.
    pub(crate) const fn of(&mut self, kind: Kind) -> &mut IdSet {
        match kind {
            Kind::Commit => &mut self.commits,
            Kind::Tree => &mut self.trees,
            Kind::Blob => &mut self.blobs,
        }
    }

    /// Adds a commit to begin at.
    pub(crate) fn begin_at(&mut self, commit: CommitId) -> Result<(), StoreError> {
        self.commits.add(commit.0).map_err(keeping())
    }

    fn take(&mut self, named: Vec<Named>) -> Result<(), StoreError> {
        for (kind, id) in named.into_iter().flatten() {
            self.of(kind).add(id).map_err(keeping())?;
        }
        Ok(())
    }
}

impl Repository {
    /// Walks from the commits that were added to everything that they reach.
    ///
    /// Any object that is missing or damaged ends the walk: what it would have named is unknown, so
    /// nothing may be concluded from the rest.
    pub(crate) async fn walk_all(&self, reach: &mut Reach) -> Result<(), RepoError> {
        for kind in [Kind::Commit, Kind::Tree] {
            let mut found = true;
            while std::mem::take(&mut found) {
                for shard in 0..SHARDS {
                    let fresh = reach.of(kind).settle(shard).map_err(keeping())?;
                    found |= !fresh.is_empty();
                    for ids in fresh.chunks(TOGETHER) {
                        reach.take(self.named_by(kind, ids).await?)?;
                    }
                }
            }
        }
        for shard in 0..SHARDS {
            reach.blobs.settle(shard).map_err(keeping())?;
        }
        Ok(())
    }

    /// What each of these objects names.
    async fn named_by(&self, kind: Kind, ids: &[Hash]) -> Result<Vec<Named>, RepoError> {
        let store = self.store.clone();
        for_each(ids.to_vec(), self.jobs, move |id| {
            let store = store.clone();
            async move {
                Ok(match kind {
                    Kind::Commit => {
                        let commit = store.get_commit(&CommitId(id)).await?;
                        let parents = commit.parents.iter().map(|parent| (Kind::Commit, parent.0));
                        parents.chain([(Kind::Tree, commit.tree.0)]).collect()
                    }
                    Kind::Tree => {
                        let tree = store.get_tree(&TreeId(id)).await?;
                        let named = tree.entries().iter().map(|entry| {
                            let kind = if entry.kind.is_tree() { Kind::Tree } else { Kind::Blob };
                            (kind, entry.id)
                        });
                        named.collect()
                    }
                    Kind::Blob => Vec::new(),
                })
            }
        })
        .await
    }
}

fn keeping() -> impl FnOnce(io::Error) -> StoreError {
    StoreError::io("keep a list of objects in the temporary folder")
}
