//! Objects in memory over a store: what was computed and is written nowhere.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::{ByteStream, ObjectWriter, Objects, Prefetch, StoreError, Want};
use crate::name::{Hash, HashPrefix, TreeId};
use crate::object::Kind;

/// Reads find the objects in memory first; writes go to the store below, which does not see them.
#[derive(Debug)]
pub(super) struct OverlayObjects {
    below: Arc<dyn Objects>,
    objects: BTreeMap<(Kind, Hash), Bytes>,
    /// A tree of the store below that has most of what the trees in memory have.
    nearest: Option<TreeId>,
}

impl OverlayObjects {
    pub(super) fn new(
        below: Arc<dyn Objects>,
        objects: BTreeMap<(Kind, Hash), Bytes>,
        nearest: Option<TreeId>,
    ) -> Self {
        Self { below, objects, nearest }
    }

    fn get(&self, kind: Kind, id: &Hash) -> Option<&Bytes> {
        self.objects.get(&(kind, *id))
    }
}

#[async_trait]
impl Objects for OverlayObjects {
    fn is_remote(&self) -> bool {
        self.below.is_remote()
    }

    async fn read(&self, kind: Kind, id: &Hash, limit: u64) -> Result<Option<Bytes>, StoreError> {
        match self.get(kind, id) {
            Some(bytes) if bytes.len() as u64 > limit => {
                let size = bytes.len() as u64;
                Err(StoreError::TooLarge { kind, id: *id, size, limit })
            }
            Some(bytes) => Ok(Some(bytes.clone())),
            None => self.below.read(kind, id, limit).await,
        }
    }

    async fn stream(&self, kind: Kind, id: &Hash) -> Result<Option<ByteStream>, StoreError> {
        match self.get(kind, id) {
            Some(bytes) => Ok(Some(ByteStream::from_bytes(bytes.clone()))),
            None => self.below.stream(kind, id).await,
        }
    }

    async fn size(&self, kind: Kind, id: &Hash) -> Result<Option<u64>, StoreError> {
        match self.get(kind, id) {
            Some(bytes) => Ok(Some(bytes.len() as u64)),
            None => self.below.size(kind, id).await,
        }
    }

    async fn list(&self, kind: Kind, prefix: &HashPrefix) -> Result<Vec<Hash>, StoreError> {
        self.below.list(kind, prefix).await
    }

    /// The store below does not know what only memory has: it is told what comes nearest.
    async fn prefetch(&self, want: Want) -> Result<Prefetch, StoreError> {
        let in_memory = |kind, id: &Hash| self.get(kind, id).is_some();
        match want {
            Want::Tree { tree, have, contents } if in_memory(Kind::Tree, tree.hash()) => {
                let Some(tree) = self.nearest else {
                    return Ok(Prefetch::nothing());
                };
                self.below.prefetch(Want::Tree { tree, have, contents }).await
            }
            Want::Blobs(mut blobs) => {
                blobs.retain(|(id, _)| !in_memory(Kind::Blob, id.hash()));
                self.below.prefetch(Want::Blobs(blobs)).await
            }
            want @ Want::Tree { .. } => self.below.prefetch(want).await,
        }
    }

    fn takes_in_order(&self) -> bool {
        self.below.takes_in_order()
    }

    fn folder(&self, kind: Kind, id: &Hash) -> Option<&Path> {
        if self.get(kind, id).is_some() { None } else { self.below.folder(kind, id) }
    }

    async fn begin(&self) -> Result<Box<dyn ObjectWriter>, StoreError> {
        self.below.begin().await
    }
}
