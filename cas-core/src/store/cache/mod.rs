//! Caches of objects: in a folder, for stores behind a network, and in memory.
//!
//! An object in the cache is believed only after it was hashed again, so a folder that somebody
//! wrote to, or a disk that lies, costs a request and no more. Any number of processes may share
//! one cache: files appear whole, by renaming, and disappear when the cache has grown too large,
//! those first that were not used for longest.
//!
//! What the cache has says nothing about what the store has: only reads are answered from it,
//! never whether something needs to be written.

mod folder;
mod memory;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;

use super::{ByteStream, ObjectWriter, Objects, Prefetch, StoreError, Want};
use crate::name::{Hash, HashPrefix};
use crate::object::Kind;

pub use folder::Cache;
pub use memory::MemoryCache;
pub(super) use memory::RememberedObjects;

use folder::Filling;

/// How often a cache was asked since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// How often it had what was asked for.
    pub hits: u64,
    /// How often it had not.
    pub misses: u64,
}

/// Counts how often a cache was asked.
#[derive(Debug, Default)]
struct Counter {
    hits: AtomicU64,
    misses: AtomicU64,
}

impl Counter {
    fn count(&self, hit: bool) {
        let count = if hit { &self.hits } else { &self.misses };
        count.fetch_add(1, Ordering::Relaxed);
    }

    fn stats(&self) -> CacheStats {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        CacheStats { hits: read(&self.hits), misses: read(&self.misses) }
    }
}

/// Objects, read from a cache where it has them.
#[derive(Debug)]
pub(super) struct CachedObjects {
    inner: Arc<dyn Objects>,
    cache: Cache,
}

impl CachedObjects {
    pub(super) fn new(inner: Arc<dyn Objects>, cache: Cache) -> Self {
        Self { inner, cache }
    }
}

#[async_trait]
impl Objects for CachedObjects {
    fn is_remote(&self) -> bool {
        self.inner.is_remote()
    }

    async fn read(&self, kind: Kind, id: &Hash, limit: u64) -> Result<Option<Bytes>, StoreError> {
        let kept = self.cache.read(kind, id, limit);
        self.cache.count(kept.is_some());
        if let Some(bytes) = kept {
            return Ok(Some(bytes));
        }
        let found = self.inner.read(kind, id, limit).await?;
        if let Some(bytes) = found.as_ref().filter(|bytes| Hash::of(bytes) == *id) {
            self.cache.write(kind, id, bytes);
        }
        Ok(found)
    }

    async fn stream(&self, kind: Kind, id: &Hash) -> Result<Option<ByteStream>, StoreError> {
        let kept = self.cache.stream(kind, id);
        self.cache.count(kept.is_some());
        if let Some(stream) = kept {
            return Ok(Some(stream));
        }
        let Some(stream) = self.inner.stream(kind, id).await? else {
            return Ok(None);
        };
        Ok(Some(match self.cache.fill(kind, id, stream.size) {
            Some(filling) => filled(stream, filling),
            None => stream,
        }))
    }

    async fn size(&self, kind: Kind, id: &Hash) -> Result<Option<u64>, StoreError> {
        self.inner.size(kind, id).await
    }

    async fn list(&self, kind: Kind, prefix: &HashPrefix) -> Result<Vec<Hash>, StoreError> {
        self.inner.list(kind, prefix).await
    }

    async fn prefetch(&self, want: Want) -> Result<Prefetch, StoreError> {
        let want = match want {
            // Which files the cache has is known when the trees are: the reader then says which it
            // needs.
            Want::Tree { tree, have, .. } => Want::Tree { tree, have, contents: false },
            Want::Blobs(mut blobs) => {
                blobs.retain(|(id, _)| !self.cache.has(Kind::Blob, id.hash()));
                Want::Blobs(blobs)
            }
        };
        self.inner.prefetch(want).await
    }

    fn takes_in_order(&self) -> bool {
        self.inner.takes_in_order()
    }

    async fn begin(&self) -> Result<Box<dyn ObjectWriter>, StoreError> {
        self.inner.begin().await
    }
}

/// The same stream; what passes is kept if it ends as it should.
fn filled(stream: ByteStream, filling: Filling) -> ByteStream {
    let size = stream.size;
    let state = (stream.pieces, Some(filling));
    let pieces = futures::stream::unfold(state, |(mut pieces, mut filling)| async move {
        let piece = pieces.next().await;
        match &piece {
            Some(Ok(bytes)) => {
                // A cache that cannot be written to is no error.
                filling = filling.and_then(|filling| filling.write(bytes));
            }
            Some(Err(_)) => filling = None,
            None => {
                if let Some(filling) = filling.take() {
                    filling.finish();
                }
            }
        }
        piece.map(|piece| (piece, (pieces, filling)))
    });
    ByteStream { size, pieces: pieces.boxed() }
}
