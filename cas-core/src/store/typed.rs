//! The typed store: values in, values out, every byte verified.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::cache::{CachedObjects, RememberedObjects};
use super::gc::GuardedRefs;
use super::objects::whole_limit;
use super::overlay::OverlayObjects;
use super::{
    Bucket, BucketObjects, ByteStream, Cache, MemoryCache, Objects, Prefetch, Refs, Session,
    Spooled, StoreError, Want,
};
use crate::env::Env;
use crate::limits;
use crate::name::{BlobId, CommitId, Hash, HashPrefix, TreeId};
use crate::object::{Commit, DecodeError, Kind, Tree};
use crate::refs::RefLog;
use crate::sign::SigningKey;

/// A store, wherever it is.
#[derive(Debug, Clone)]
pub struct Store {
    objects: Arc<dyn Objects>,
    refs: Arc<dyn Refs>,
}

impl Store {
    /// A store made of any objects and refs.
    pub fn new(objects: Arc<dyn Objects>, refs: Arc<dyn Refs>) -> Self {
        Self { objects, refs }
    }

    /// The store in a bucket.
    pub fn in_bucket(bucket: &Bucket, env: &Env) -> Self {
        Self::guarded(bucket, env, RefLog::new(bucket.clone(), env.clone()))
    }

    /// The store in a bucket, with every new ref log entry signed by `key`.
    pub fn in_bucket_signed(bucket: &Bucket, env: &Env, key: SigningKey) -> Self {
        Self::guarded(bucket, env, RefLog::new(bucket.clone(), env.clone()).signed_by(key))
    }

    /// The store in a bucket, with refs that heed garbage collection.
    fn guarded(bucket: &Bucket, env: &Env, refs: RefLog) -> Self {
        let objects = Arc::new(BucketObjects::new(bucket.clone(), env.clone()));
        let plain = Self::new(objects.clone(), Arc::new(refs.clone()));
        Self::new(objects, Arc::new(GuardedRefs::new(bucket.clone(), refs, plain, env.clone())))
    }

    /// The same store, with objects read from a cache where it has them.
    #[must_use]
    pub fn cached(self, cache: Cache) -> Self {
        Self { objects: Arc::new(CachedObjects::new(self.objects, cache)), ..self }
    }

    /// The same store, with small objects read from memory where they are there.
    #[must_use]
    pub fn cached_in_memory(self, cache: MemoryCache) -> Self {
        Self { objects: Arc::new(RememberedObjects::new(self.objects, cache)), ..self }
    }

    /// The same store, with objects in memory over it that are not written. `nearest` is a tree of
    /// the store that has most of what the trees in memory have.
    #[must_use]
    pub(crate) fn overlaid(
        &self,
        objects: impl IntoIterator<Item = (Kind, Hash, Bytes)>,
        nearest: Option<TreeId>,
    ) -> Self {
        let objects = objects.into_iter().map(|(kind, id, bytes)| ((kind, id), bytes)).collect();
        let objects = OverlayObjects::new(self.objects.clone(), objects, nearest);
        Self { objects: Arc::new(objects), refs: self.refs.clone() }
    }

    /// The refs.
    pub fn refs(&self) -> &dyn Refs {
        self.refs.as_ref()
    }

    /// Whether every call crosses a network.
    pub fn is_remote(&self) -> bool {
        self.objects.is_remote()
    }

    /// Whether a tree is taken only after everything that it names.
    pub(crate) fn takes_in_order(&self) -> bool {
        self.objects.takes_in_order()
    }

    /// The folder of this machine in which a blob, if it is there at all, is a file of its own at
    /// its key. Its bytes are not verified, and nobody may ever write to it.
    pub(crate) fn blob_folder(&self, id: &BlobId) -> Option<&Path> {
        self.objects.folder(Kind::Blob, id.hash())
    }

    /// Begins to write.
    pub async fn session(&self) -> Result<Session, StoreError> {
        Ok(Session::new(self.objects.begin().await?))
    }

    /// The commit with this id, which something names: absence is an error.
    pub async fn get_commit(&self, id: &CommitId) -> Result<Commit, StoreError> {
        let bytes = self.read(Kind::Commit, id.hash()).await?;
        Commit::decode(&bytes).map_err(undecodable(Kind::Commit, id.hash()))
    }

    /// The tree with this id.
    pub async fn get_tree(&self, id: &TreeId) -> Result<Tree, StoreError> {
        let bytes = self.read(Kind::Tree, id.hash()).await?;
        Tree::decode(&bytes).map_err(undecodable(Kind::Tree, id.hash()))
    }

    /// The tree with this id without the entries that break a rule, and those faults.
    pub async fn get_tree_with_faults(
        &self,
        id: &TreeId,
    ) -> Result<(Tree, Vec<DecodeError>), StoreError> {
        let bytes = self.read(Kind::Tree, id.hash()).await?;
        Tree::decode_with_faults(&bytes).map_err(undecodable(Kind::Tree, id.hash()))
    }

    /// A blob of at most [`limits::WHOLE_BYTES`].
    pub async fn get_blob(&self, id: &BlobId) -> Result<Bytes, StoreError> {
        self.read(Kind::Blob, id.hash()).await
    }

    /// A blob of at most `limit` bytes, and of at most [`limits::WHOLE_BYTES`]: what is said to be
    /// small is not read when it is not.
    pub async fn get_small_blob(&self, id: &BlobId, limit: u64) -> Result<Bytes, StoreError> {
        self.read_at_most(Kind::Blob, id.hash(), limit.min(limits::WHOLE_BYTES)).await
    }

    /// A blob of any size in pieces. The last piece comes only when all bytes are verified; until
    /// then whatever came may be wrong.
    pub async fn stream_blob(&self, id: &BlobId) -> Result<ByteStream, StoreError> {
        let (kind, id) = (Kind::Blob, *id.hash());
        self.verified(kind, id).await?.ok_or(StoreError::Missing { kind, id })
    }

    /// A blob of any size, verified as a whole before it is handed over.
    pub async fn spool_blob(&self, id: &BlobId) -> Result<Spooled, StoreError> {
        let stream = self.stream_blob(id).await?;
        if stream.size > limits::WHOLE_BYTES {
            return Spooled::from_stream(stream).await;
        }
        let size = stream.size;
        Ok(Spooled::Memory(stream.collect(size).await?))
    }

    /// The exact bytes of an object that is held whole.
    pub async fn get_bytes(&self, kind: Kind, id: &Hash) -> Result<Bytes, StoreError> {
        self.read(kind, id).await
    }

    /// Says what will be read soon: see [`Objects::prefetch`].
    pub async fn prefetch(&self, want: Want) -> Result<Prefetch, StoreError> {
        self.objects.prefetch(want).await
    }

    /// The size in bytes of an object; `None` if absent.
    pub async fn size(&self, kind: Kind, id: &Hash) -> Result<Option<u64>, StoreError> {
        self.objects.size(kind, id).await
    }

    /// All ids of `kind` that begin with `prefix`, in order.
    pub async fn list(&self, kind: Kind, prefix: &HashPrefix) -> Result<Vec<Hash>, StoreError> {
        self.objects.list(kind, prefix).await
    }

    /// Whether an object is there and intact: all of it is read.
    pub async fn check(&self, kind: Kind, id: &Hash) -> Result<Health, StoreError> {
        let Some(mut stream) = self.verified(kind, *id).await? else {
            return Ok(Health::Missing);
        };
        while let Some(piece) = stream.next().await {
            match piece {
                Ok(_) => {}
                Err(StoreError::Damaged { .. }) => return Ok(Health::Damaged),
                Err(error) => return Err(error),
            }
        }
        Ok(Health::Intact)
    }

    /// An object in pieces, verified as they pass; `None` if it is absent.
    async fn verified(&self, kind: Kind, id: Hash) -> Result<Option<ByteStream>, StoreError> {
        let stream = self.objects.stream(kind, &id).await?;
        let damaged = move |reason| StoreError::Damaged { kind, id, reason };
        Ok(stream.map(|stream| stream.verified(id, damaged)))
    }

    /// The bytes of an object, after verifying them. Wrong ones are asked for once more: they may
    /// have been spoiled on the way.
    async fn read(&self, kind: Kind, id: &Hash) -> Result<Bytes, StoreError> {
        self.read_at_most(kind, id, whole_limit(kind)).await
    }

    async fn read_at_most(&self, kind: Kind, id: &Hash, limit: u64) -> Result<Bytes, StoreError> {
        let mut found = self.read_once(kind, id, limit).await;
        if matches!(found, Err(StoreError::Damaged { .. })) {
            found = self.read_once(kind, id, limit).await;
        }
        found
    }

    async fn read_once(&self, kind: Kind, id: &Hash, limit: u64) -> Result<Bytes, StoreError> {
        let Some(bytes) = self.objects.read(kind, id, limit).await? else {
            return Err(StoreError::Missing { kind, id: *id });
        };
        let found = Hash::of(&bytes);
        if found != *id {
            let reason = format!("its {} bytes hash to {found}", bytes.len());
            return Err(StoreError::Damaged { kind, id: *id, reason });
        }
        Ok(bytes)
    }
}

/// How an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// There, and what its id says.
    Intact,
    /// Not there.
    Missing,
    /// There, and something else.
    Damaged,
}

fn undecodable(kind: Kind, id: &Hash) -> impl FnOnce(DecodeError) -> StoreError {
    let id = *id;
    move |source| StoreError::Undecodable { kind, id, source }
}
