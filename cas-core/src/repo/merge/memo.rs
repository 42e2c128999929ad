//! What merges remember: decoded trees, the shape of history, and results.
//!
//! Everything here is derived from immutable objects, so it is never wrong, and may be forgotten
//! at any time. Each part is bounded in bytes.

use std::sync::{Arc, OnceLock};

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::{Merged, OnConflict};
use crate::name::{CommitId, TreeId};
use crate::object::Tree;
use crate::repo::RepoError;
use crate::store::{Store, StoreError};

/// About how many bytes of trees are remembered.
const TREE_BYTES: u64 = 48 << 20;
/// About how many bytes of results.
const RESULT_BYTES: u64 = 64 << 20;
/// About how many bytes of commits.
const COMMIT_BYTES: u64 = 16 << 20;

/// What a result depends on: base, ours, theirs, policy.
pub(super) type Key = (TreeId, TreeId, TreeId, OnConflict);

/// What of a commit matters for merging.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) tree: TreeId,
    pub(crate) parents: Box<[CommitId]>,
}

/// What merges remember. Share one for all work on a store.
#[derive(Debug, Default)]
pub struct MergeMemo(OnceLock<Caches>);

#[derive(Debug)]
struct Caches {
    trees: Cache<TreeId, Arc<Tree>, Weigh>,
    steps: Cache<CommitId, Arc<Step>, Weigh>,
    results: Cache<Key, Arc<Merged>, Weigh>,
    bases: Cache<(CommitId, CommitId), Arc<Vec<CommitId>>, Weigh>,
}

impl Default for Caches {
    fn default() -> Self {
        Self {
            trees: Cache::with_weighter(4_096, TREE_BYTES, Weigh),
            steps: Cache::with_weighter(16_384, COMMIT_BYTES, Weigh),
            results: Cache::with_weighter(16_384, RESULT_BYTES, Weigh),
            bases: Cache::with_weighter(16_384, COMMIT_BYTES, Weigh),
        }
    }
}

impl MergeMemo {
    /// Made when first used: most repositories merge nothing.
    fn caches(&self) -> &Caches {
        self.0.get_or_init(Caches::default)
    }

    /// The tree with this id.
    pub(crate) async fn tree(&self, store: &Store, id: TreeId) -> Result<Arc<Tree>, StoreError> {
        if let Some(tree) = self.caches().trees.get(&id) {
            return Ok(tree);
        }
        let tree = Arc::new(store.get_tree(&id).await?);
        self.caches().trees.insert(id, tree.clone());
        Ok(tree)
    }

    /// Remembers a tree that was made.
    pub(super) fn keep_tree(&self, id: TreeId, tree: Tree) {
        self.caches().trees.insert(id, Arc::new(tree));
    }

    /// The shape of the commit with this id.
    pub(crate) async fn step(&self, store: &Store, id: CommitId) -> Result<Arc<Step>, StoreError> {
        if let Some(step) = self.caches().steps.get(&id) {
            return Ok(step);
        }
        let commit = store.get_commit(&id).await?;
        let step = Arc::new(Step { tree: commit.tree, parents: commit.parents.into() });
        self.caches().steps.insert(id, step.clone());
        Ok(step)
    }

    /// The best common ancestors of two commits, if they were found before.
    pub(super) fn bases(&self, ours: CommitId, theirs: CommitId) -> Option<Arc<Vec<CommitId>>> {
        self.caches().bases.get(&(ours, theirs))
    }

    /// Remembers them.
    pub(super) fn set_bases(&self, ours: CommitId, theirs: CommitId, bases: &Arc<Vec<CommitId>>) {
        self.caches().bases.insert((ours, theirs), bases.clone());
    }

    /// The result of a merge: the remembered one, or that of `merge`.
    pub(super) async fn result(
        &self,
        key: Key,
        merge: impl Future<Output = Result<Merged, RepoError>>,
    ) -> Result<Arc<Merged>, RepoError> {
        if let Some(found) = self.caches().results.get(&key) {
            return Ok(found);
        }
        let merged = Arc::new(merge.await?);
        self.caches().results.insert(key, merged.clone());
        Ok(merged)
    }
}

/// About how many bytes a value takes.
#[derive(Debug, Clone, Copy)]
struct Weigh;

impl Weighter<TreeId, Arc<Tree>> for Weigh {
    fn weight(&self, _: &TreeId, tree: &Arc<Tree>) -> u64 {
        128 + 96 * tree.entries().len() as u64
    }
}

impl Weighter<CommitId, Arc<Step>> for Weigh {
    fn weight(&self, _: &CommitId, step: &Arc<Step>) -> u64 {
        128 + 32 * step.parents.len() as u64
    }
}

impl Weighter<(CommitId, CommitId), Arc<Vec<CommitId>>> for Weigh {
    fn weight(&self, _: &(CommitId, CommitId), bases: &Arc<Vec<CommitId>>) -> u64 {
        160 + 32 * bases.len() as u64
    }
}

impl Weighter<Key, Arc<Merged>> for Weigh {
    fn weight(&self, _: &Key, merged: &Arc<Merged>) -> u64 {
        let objects: usize = merged.objects.iter().map(|object| 128 + object.bytes.len()).sum();
        (256 + objects + 512 * merged.conflicts.len()) as u64
    }
}
