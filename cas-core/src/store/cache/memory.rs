//! Small objects in memory, for a server that reads the same trees and files again and again.
//!
//! Objects never change, so what was right once is right for ever; what is absent may come, so
//! absence is not kept. What is written is not kept either until somebody reads it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache as QuickCache;

use super::{CacheStats, Counter};
use crate::name::{Hash, HashPrefix};
use crate::object::Kind;
use crate::store::{ByteStream, ObjectWriter, Objects, Prefetch, StoreError, Want};

/// Largest object that is kept, in bytes: pages and trees are, films are not.
const LARGEST_BYTES: usize = 256 * 1024;

/// What an object takes besides its own bytes, about.
const OVERHEAD_BYTES: u64 = 128;

/// About how large objects are, in bytes: only the first guess of how many there will be.
const TYPICAL_BYTES: u64 = 8 * 1024;

/// Verified small objects by id, of a bounded size. Clones share everything.
#[derive(Clone)]
pub struct MemoryCache {
    inner: Arc<Inner>,
}

struct Inner {
    objects: QuickCache<(Kind, Hash), Bytes, ByBytes>,
    asked: Counter,
}

/// An object weighs what it takes.
#[derive(Debug, Clone)]
struct ByBytes;

impl Weighter<(Kind, Hash), Bytes> for ByBytes {
    fn weight(&self, _: &(Kind, Hash), bytes: &Bytes) -> u64 {
        bytes.len() as u64 + OVERHEAD_BYTES
    }
}

impl MemoryCache {
    /// An empty cache that will take at most about `limit` bytes.
    pub fn new(limit: u64) -> Self {
        let objects = usize::try_from(limit / TYPICAL_BYTES).unwrap_or(usize::MAX).max(1);
        let inner = Inner {
            objects: QuickCache::with_weighter(objects, limit, ByBytes),
            asked: Counter::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// How often an object was found and not found.
    pub fn stats(&self) -> CacheStats {
        self.inner.asked.stats()
    }

    /// How many bytes it takes now.
    pub fn bytes(&self) -> u64 {
        self.inner.objects.weight()
    }

    fn get(&self, kind: Kind, id: &Hash) -> Option<Bytes> {
        let found = self.inner.objects.get(&(kind, *id));
        self.inner.asked.count(found.is_some());
        found
    }

    /// Keeps an object, if it is small and what its id says.
    fn keep(&self, kind: Kind, id: &Hash, bytes: &Bytes) {
        if bytes.len() <= LARGEST_BYTES && Hash::of(bytes) == *id {
            // A copy: these bytes may be a small part of a large buffer.
            self.inner.objects.insert((kind, *id), Bytes::copy_from_slice(bytes));
        }
    }
}

impl fmt::Debug for MemoryCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryCache").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

/// Objects, read from memory where they are there.
#[derive(Debug)]
pub(in crate::store) struct RememberedObjects {
    inner: Arc<dyn Objects>,
    cache: MemoryCache,
}

impl RememberedObjects {
    pub(in crate::store) fn new(inner: Arc<dyn Objects>, cache: MemoryCache) -> Self {
        Self { inner, cache }
    }
}

#[async_trait]
impl Objects for RememberedObjects {
    fn is_remote(&self) -> bool {
        self.inner.is_remote()
    }

    async fn read(&self, kind: Kind, id: &Hash, limit: u64) -> Result<Option<Bytes>, StoreError> {
        if let Some(bytes) = self.cache.get(kind, id)
            && bytes.len() as u64 <= limit
        {
            return Ok(Some(bytes));
        }
        let found = self.inner.read(kind, id, limit).await?;
        if let Some(bytes) = &found {
            self.cache.keep(kind, id, bytes);
        }
        Ok(found)
    }

    /// What is read in pieces is large, or is looked at to see how it is in the store.
    async fn stream(&self, kind: Kind, id: &Hash) -> Result<Option<ByteStream>, StoreError> {
        self.inner.stream(kind, id).await
    }

    async fn size(&self, kind: Kind, id: &Hash) -> Result<Option<u64>, StoreError> {
        self.inner.size(kind, id).await
    }

    async fn list(&self, kind: Kind, prefix: &HashPrefix) -> Result<Vec<Hash>, StoreError> {
        self.inner.list(kind, prefix).await
    }

    async fn prefetch(&self, want: Want) -> Result<Prefetch, StoreError> {
        self.inner.prefetch(want).await
    }

    fn takes_in_order(&self) -> bool {
        self.inner.takes_in_order()
    }

    fn folder(&self, kind: Kind, id: &Hash) -> Option<&Path> {
        self.inner.folder(kind, id)
    }

    async fn begin(&self) -> Result<Box<dyn ObjectWriter>, StoreError> {
        self.inner.begin().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::Env;
    use crate::name::BlobId;
    use crate::store::{Bucket, Store, layout};
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;

    fn store(cache: &MemoryCache) -> (Arc<InMemory>, Store) {
        let memory = Arc::new(InMemory::new());
        let store = Store::in_bucket(&Bucket::new(memory.clone()), &Env::system());
        (memory, store.cached_in_memory(cache.clone()))
    }

    async fn put(memory: &InMemory, id: &BlobId, bytes: &[u8]) {
        let key = layout::object(Kind::Blob, id.hash());
        memory.put(&key, bytes.to_vec().into()).await.unwrap();
    }

    #[tokio::test]
    async fn reads_again_what_was_right_and_nothing_else() {
        let cache = MemoryCache::new(1 << 20);
        let (memory, store) = store(&cache);
        let id = BlobId::of(b"a lesson");
        assert!(store.get_blob(&id).await.is_err(), "absent");
        put(&memory, &id, b"b lesson").await;
        assert!(store.get_blob(&id).await.is_err(), "what was absent is asked for again");
        put(&memory, &id, b"a lesson").await;
        assert_eq!(store.get_blob(&id).await.unwrap(), "a lesson", "what was wrong is too");
        assert_eq!(cache.stats().hits, 0);
        memory.delete(&layout::object(Kind::Blob, id.hash())).await.unwrap();
        assert_eq!(store.get_blob(&id).await.unwrap(), "a lesson");
        assert_eq!(cache.stats().hits, 1);
        assert!(cache.stats().misses >= 3);
        assert_eq!(store.size(Kind::Blob, id.hash()).await.unwrap(), None, "the store is asked");
        assert!(store.get_small_blob(&id, 3).await.is_err(), "over the limit");
    }

    #[tokio::test]
    async fn takes_no_more_than_its_limit_and_nothing_large() {
        let cache = MemoryCache::new(1 << 20);
        let (memory, store) = store(&cache);
        for n in 0..1000_u32 {
            let bytes = vec![u8::try_from(n % 251).unwrap(); 4000 + n as usize];
            let id = BlobId::of(&bytes);
            put(&memory, &id, &bytes).await;
            store.get_blob(&id).await.unwrap();
            assert!(cache.bytes() <= 1 << 20);
        }
        assert!(cache.bytes() > 1 << 19, "{} bytes are kept", cache.bytes());
        let large = vec![1; LARGEST_BYTES + 1];
        let id = BlobId::of(&large);
        put(&memory, &id, &large).await;
        let before = cache.stats().hits;
        for _ in 0..3 {
            store.get_blob(&id).await.unwrap();
        }
        assert_eq!(cache.stats().hits, before);
    }
}
