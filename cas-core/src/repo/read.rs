//! Looking at one version: entries, listings, file contents.

use super::{RepoError, Repository};
use crate::name::{BlobId, BookPath, Hash, TreeId};
use crate::object::{Entry, EntryKind, Totals};
use crate::store::Spooled;

/// One line of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListItem {
    /// Where it is.
    pub path: BookPath,
    /// What it is.
    pub kind: EntryKind,
    /// The id of the blob or tree.
    pub id: Hash,
    /// Its size and count.
    pub totals: Totals,
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The book's root.
    Root(TreeId),
    /// An entry.
    Entry(Entry),
}

impl Found {
    /// The id of the folder, if it is one.
    pub fn tree_id(&self) -> Option<TreeId> {
        match self {
            Self::Root(id) => Some(*id),
            Self::Entry(entry) => entry.tree_id(),
        }
    }
}

impl Repository {
    /// What is at `path` below `root`; `None` if nothing is.
    pub async fn find(&self, root: TreeId, path: &BookPath) -> Result<Option<Found>, RepoError> {
        let mut found = Found::Root(root);
        for segment in path.segments() {
            let Some(id) = found.tree_id() else {
                return Ok(None);
            };
            let tree = self.store.get_tree(&id).await?;
            match tree.get(segment) {
                Some(entry) => found = Found::Entry(entry.clone()),
                None => return Ok(None),
            }
        }
        Ok(Some(found))
    }

    /// The tree at `path`, which must be a folder.
    pub async fn folder(&self, root: TreeId, path: &BookPath) -> Result<TreeId, RepoError> {
        match self.find(root, path).await? {
            None => Err(RepoError::NoPath { path: path.clone() }),
            Some(found) => {
                found.tree_id().ok_or_else(|| RepoError::NotAFolder { path: path.clone() })
            }
        }
    }

    /// The file at `path`: its kind, id and size.
    pub async fn file(
        &self,
        root: TreeId,
        path: &BookPath,
    ) -> Result<(EntryKind, BlobId, u64), RepoError> {
        match self.find(root, path).await? {
            None => Err(RepoError::NoPath { path: path.clone() }),
            Some(Found::Entry(Entry { kind, id, totals, .. })) if !kind.is_tree() => {
                Ok((kind, BlobId(id), totals.size))
            }
            Some(_) => Err(RepoError::IsAFolder { path: path.clone() }),
        }
    }

    /// The content of the file at `path`, verified as a whole.
    pub async fn read_file(&self, root: TreeId, path: &BookPath) -> Result<Spooled, RepoError> {
        let (_, id, _) = self.file(root, path).await?;
        Ok(self.store.spool_blob(&id).await?)
    }

    /// What is at `path`: a file itself, or the entries of a folder; with `recursive`, everything
    /// below, files only.
    pub async fn list(
        &self,
        root: TreeId,
        path: &BookPath,
        recursive: bool,
    ) -> Result<Vec<ListItem>, RepoError> {
        let item = |path: BookPath, entry: &Entry| ListItem {
            path,
            kind: entry.kind,
            id: entry.id,
            totals: entry.totals,
        };
        let found = self.find(root, path).await?;
        let Some(found) = found else {
            return Err(RepoError::NoPath { path: path.clone() });
        };
        let tree = match (&found, found.tree_id()) {
            (Found::Entry(entry), None) => return Ok(vec![item(path.clone(), entry)]),
            (_, Some(tree)) => tree,
            (Found::Root(tree), None) => *tree,
        };
        if recursive {
            let listing = self.list_all(path, tree).await?;
            if !listing.faults.is_empty() {
                return Err(RepoError::BadTree { faults: listing.faults });
            }
            let leaves = listing.leaves.into_iter().map(|leaf| ListItem {
                path: leaf.path,
                kind: leaf.kind,
                id: leaf.id.0,
                totals: Totals::file(leaf.size),
            });
            return Ok(leaves.collect());
        }
        let tree = self.store.get_tree(&tree).await?;
        tree.entries().iter().map(|entry| Ok(item(path.join(&entry.name)?, entry))).collect()
    }
}
