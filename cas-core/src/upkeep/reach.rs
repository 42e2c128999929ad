//! Everything that commits reach: each distinct commit, tree and blob once.
//!
//! The walk goes by rounds. A round settles every shard of a set and opens what is new in it, which
//! adds to the sets; when a round finds nothing new the walk is done. So memory holds a shard and
//! what is being read, however many objects there are, and however many branches share them.

use std::io;

use super::Upkeep;
use super::records::{Records, SHARDS};
use crate::name::{CommitId, Hash, TreeId};
use crate::object::{Commit, Kind, Tree};
use crate::repo::for_each;
use crate::store::StoreError;

/// How many objects are opened before what they name is taken in.
const TOGETHER: usize = 512;

/// The objects that commits reach.
#[derive(Debug)]
pub(crate) struct Reach {
    pub(crate) commits: Records<32>,
    pub(crate) trees: Records<32>,
    pub(crate) blobs: Records<32>,
}

/// An object that names others.
#[derive(Debug)]
pub(crate) enum Opened {
    Commit(Commit),
    Tree(Tree),
}

/// Who is shown each object that was to be opened, and what came of it.
pub(crate) type Meet<'a> =
    dyn FnMut(&Hash, Result<&Opened, StoreError>) -> Result<(), StoreError> + Send + 'a;

impl Reach {
    /// Nothing yet. Takes about so many bytes of memory, and beyond that a temporary folder.
    pub(crate) fn new(bytes: usize) -> Self {
        let part = bytes / 3;
        Self { commits: Records::new(part), trees: Records::new(part), blobs: Records::new(part) }
    }

    /// The set of a kind.
    pub(crate) const fn of(&mut self, kind: Kind) -> &mut Records<32> {
        match kind {
            Kind::Commit => &mut self.commits,
            Kind::Tree => &mut self.trees,
            Kind::Blob => &mut self.blobs,
        }
    }

    /// Adds a commit to begin at.
    pub(crate) fn begin_at(&mut self, commit: CommitId) -> Result<(), StoreError> {
        self.add(Kind::Commit, commit.hash())
    }

    fn add(&mut self, kind: Kind, id: &Hash) -> Result<(), StoreError> {
        self.of(kind).add(*id.as_bytes()).map_err(keeping())
    }

    /// Adds what an object names.
    fn take(&mut self, opened: &Opened) -> Result<(), StoreError> {
        let mut added = Ok(());
        opened.names(&mut |kind, id| {
            if added.is_ok() {
                added = self.add(kind, id);
            }
        });
        added
    }
}

impl Opened {
    /// Tells everything that the object names.
    pub(crate) fn names(&self, tell: &mut dyn FnMut(Kind, &Hash)) {
        match self {
            Self::Commit(commit) => {
                commit.parents.iter().for_each(|parent| tell(Kind::Commit, parent.hash()));
                tell(Kind::Tree, commit.tree.hash());
            }
            Self::Tree(tree) => tree.entries().iter().for_each(|entry| {
                tell(if entry.kind.is_tree() { Kind::Tree } else { Kind::Blob }, &entry.id);
            }),
        }
    }
}

impl Upkeep {
    /// Walks from the commits that were added to everything that they reach, and shows each commit
    /// and tree to `meet` when it was opened.
    ///
    /// An object that is missing or not what it should be is shown as that error: who wants to
    /// conclude anything from the rest gives it back, which ends the walk, because what that object
    /// would have named is unknown. Any other error ends it by itself.
    pub(crate) async fn walk(
        &self,
        reach: &mut Reach,
        meet: &mut Meet<'_>,
    ) -> Result<(), StoreError> {
        for kind in [Kind::Commit, Kind::Tree] {
            let mut found = true;
            while std::mem::take(&mut found) {
                for shard in 0..SHARDS {
                    let fresh = reach.of(kind).settle(shard).map_err(keeping())?;
                    found |= !fresh.is_empty();
                    for ids in fresh.chunks(TOGETHER) {
                        let ids: Vec<_> = ids.iter().map(|id| Hash::from_bytes(*id)).collect();
                        let many = ids.len() as u64;
                        for (id, opened) in self.open_all(kind, ids).await? {
                            match opened {
                                Ok(opened) => {
                                    meet(&id, Ok(&opened))?;
                                    reach.take(&opened)?;
                                }
                                Err(error) => meet(&id, Err(error))?,
                            }
                        }
                        self.progress.advance(many);
                    }
                }
            }
        }
        reach.blobs.settle_all().map_err(keeping())
    }

    /// Opens these objects.
    pub(crate) async fn open_all(
        &self,
        kind: Kind,
        ids: Vec<Hash>,
    ) -> Result<Vec<(Hash, Result<Opened, StoreError>)>, StoreError> {
        let store = self.store.clone();
        for_each(ids, self.jobs, move |id| {
            let store = store.clone();
            async move {
                let opened = match kind {
                    Kind::Commit => store.get_commit(&CommitId(id)).await.map(Opened::Commit),
                    _ => store.get_tree(&TreeId(id)).await.map(Opened::Tree),
                };
                match opened {
                    Err(error) if !error.is_of_object() => Err(error),
                    opened => Ok((id, opened)),
                }
            }
        })
        .await
    }
}

pub(super) fn keeping() -> impl FnOnce(io::Error) -> StoreError {
    StoreError::io("keep a list of objects in the temporary folder")
}
