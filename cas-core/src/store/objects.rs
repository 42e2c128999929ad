//! Objects in a bucket.

use std::io;
use std::path::Path;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use object_store::path::Path as Key;

use super::local::{LocalStore, Stage};
use super::once::Once;
use super::{Bucket, ByteStream, ObjectWriter, Objects, StoreError, layout};
use crate::env::Env;
use crate::limits;
use crate::name::{Hash, HashPrefix};
use crate::object::Kind;

/// From how many objects on a session asks whether the bucket was emptied while it wrote. One of
/// few is over in the time that the question takes.
const LONG_SESSION: usize = 16;

/// Blobs, trees and commits, one key each.
#[derive(Debug, Clone)]
pub struct BucketObjects {
    bucket: Bucket,
    env: Env,
}

impl BucketObjects {
    /// The objects in `bucket`.
    pub const fn new(bucket: Bucket, env: Env) -> Self {
        Self { bucket, env }
    }
}

#[async_trait]
impl Objects for BucketObjects {
    fn is_remote(&self) -> bool {
        self.bucket.is_remote()
    }

    async fn read(&self, kind: Kind, id: &Hash, limit: u64) -> Result<Option<Bytes>, StoreError> {
        match self.bucket.read(&layout::object(kind, id), limit).await? {
            None => Ok(None),
            Some(Ok(bytes)) => Ok(Some(bytes)),
            Some(Err(size)) => Err(StoreError::TooLarge { kind, id: *id, size, limit }),
        }
    }

    async fn stream(&self, kind: Kind, id: &Hash) -> Result<Option<ByteStream>, StoreError> {
        self.bucket.stream(&layout::object(kind, id)).await
    }

    async fn size(&self, kind: Kind, id: &Hash) -> Result<Option<u64>, StoreError> {
        self.bucket.size(&layout::object(kind, id)).await
    }

    async fn list(&self, kind: Kind, prefix: &HashPrefix) -> Result<Vec<Hash>, StoreError> {
        let folder = layout::shard(kind, &prefix.as_str()[..2]);
        let keys = self.bucket.keys(&folder).await?;
        let ids = keys.iter().filter_map(|key| layout::object_id(kind, key));
        Ok(ids.filter(|id| prefix.matches(id)).collect())
    }

    fn folder(&self, _: Kind, _: &Hash) -> Option<&Path> {
        self.bucket.as_local().map(LocalStore::root)
    }

    async fn begin(&self) -> Result<Box<dyn ObjectWriter>, StoreError> {
        Ok(match self.bucket.as_local() {
            Some(local) => {
                let stage = local.stage().map_err(StoreError::io("open the store's folder"))?;
                Box::new(StagedWriter { stage })
            }
            None => Box::new(DirectWriter {
                bucket: self.bucket.clone(),
                env: self.env.clone(),
                puts: Once::default(),
            }),
        })
    }
}

/// Writes to a bucket where each put is durable by itself.
///
/// Equal content comes more than once in most books. Each key is put once: whoever comes second
/// waits for the first, because some buckets refuse a second write of a key within a second.
#[derive(Debug)]
struct DirectWriter {
    bucket: Bucket,
    env: Env,
    puts: Once<Key>,
}

#[async_trait]
impl ObjectWriter for DirectWriter {
    async fn write(&self, kind: Kind, id: &Hash, bytes: Bytes) -> Result<bool, StoreError> {
        let key = layout::object(kind, id);
        self.puts.run(&key, self.bucket.put_object(&key, bytes, &self.env)).await
    }

    async fn write_stream(
        &self,
        kind: Kind,
        id: &Hash,
        stream: ByteStream,
    ) -> Result<bool, StoreError> {
        let key = layout::object(kind, id);
        let size = stream.size;
        let put = async {
            if !Bucket::is_large(size) {
                let bytes = stream.collect(size).await?;
                return self.bucket.put_object(&key, bytes, &self.env).await;
            }
            // An upload in parts cannot be made conditional, and looking costs less than sending.
            if self.bucket.size(&key).await? == Some(size) {
                return Ok(false);
            }
            self.bucket.put_stream(&key, stream).await?;
            Ok(true)
        };
        self.puts.run(&key, put).await
    }

    async fn replace(&self, kind: Kind, id: &Hash, stream: ByteStream) -> Result<(), StoreError> {
        let key = layout::object(kind, id);
        if Bucket::is_large(stream.size) {
            return self.bucket.put_stream(&key, stream).await;
        }
        let size = stream.size;
        let bytes = stream.collect(size).await?;
        self.bucket.put(&key, bytes).await
    }

    async fn contains(&self, kind: Kind, id: &Hash, size: u64) -> Result<bool, StoreError> {
        Ok(self.bucket.size(&layout::object(kind, id)).await? == Some(size))
    }

    async fn publish(&self) -> Result<(), StoreError> {
        // A branch that is new is written to without a look, so nothing else would show it.
        if self.puts.len() >= LONG_SESSION { self.bucket.check_not_emptied().await } else { Ok(()) }
    }
}

/// Writes to a folder, where many files are synced together.
#[derive(Debug)]
struct StagedWriter {
    stage: Stage,
}

impl StagedWriter {
    /// Writes an object into the batch, which will replace what is at its key.
    async fn stage_stream(
        &self,
        kind: Kind,
        id: &Hash,
        mut stream: ByteStream,
    ) -> Result<bool, StoreError> {
        let failed = || StoreError::io(format!("write {kind} {id}"));
        let mut file = self.stage.file(layout::object(kind, id)).map_err(failed())?;
        while let Some(piece) = stream.pieces.next().await {
            file.write(&piece?).map_err(failed())?;
        }
        Ok(file.finish())
    }
}

#[async_trait]
impl ObjectWriter for StagedWriter {
    async fn write(&self, kind: Kind, id: &Hash, bytes: Bytes) -> Result<bool, StoreError> {
        let key = layout::object(kind, id);
        let write = || -> io::Result<bool> {
            if self.stage.contains(&key, bytes.len() as u64)? {
                return Ok(false);
            }
            let mut file = self.stage.file(key.clone())?;
            file.write(&bytes)?;
            Ok(file.finish())
        };
        write().map_err(StoreError::io(format!("write {kind} {id}")))
    }

    async fn write_stream(
        &self,
        kind: Kind,
        id: &Hash,
        stream: ByteStream,
    ) -> Result<bool, StoreError> {
        if self.contains(kind, id, stream.size).await? {
            return Ok(false);
        }
        self.stage_stream(kind, id, stream).await
    }

    async fn replace(&self, kind: Kind, id: &Hash, stream: ByteStream) -> Result<(), StoreError> {
        self.stage_stream(kind, id, stream).await.map(|_| ())
    }

    async fn contains(&self, kind: Kind, id: &Hash, size: u64) -> Result<bool, StoreError> {
        let key = layout::object(kind, id);
        self.stage.contains(&key, size).map_err(StoreError::io(format!("look at {kind} {id}")))
    }

    async fn publish(&self) -> Result<(), StoreError> {
        self.stage.publish().map_err(StoreError::io("make what was written durable"))
    }
}

/// The most bytes that an object of `kind` held whole may have.
pub(super) const fn whole_limit(kind: Kind) -> u64 {
    match kind {
        Kind::Blob => limits::WHOLE_BYTES,
        Kind::Tree => limits::TREE_BYTES as u64,
        Kind::Commit => limits::COMMIT_BYTES as u64,
    }
}
