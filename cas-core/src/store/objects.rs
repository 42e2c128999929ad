//! Objects in a bucket.

use std::io;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;

use super::local::Stage;
use super::{Bucket, ByteStream, ObjectWriter, Objects, StoreError, layout};
use crate::limits;
use crate::name::{Hash, HashPrefix};
use crate::object::Kind;

/// Blobs, trees and commits, one key each.
#[derive(Debug, Clone)]
pub struct BucketObjects {
    bucket: Bucket,
}

impl BucketObjects {
    /// The objects in `bucket`.
    pub const fn new(bucket: Bucket) -> Self {
        Self { bucket }
    }
}

#[async_trait]
impl Objects for BucketObjects {
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

    async fn begin(&self) -> Result<Box<dyn ObjectWriter>, StoreError> {
        Ok(match self.bucket.as_local() {
            Some(local) => Box::new(StagedWriter { stage: local.stage() }),
            None => Box::new(DirectWriter { bucket: self.bucket.clone() }),
        })
    }
}

/// Writes to a bucket where each put is durable by itself.
#[derive(Debug)]
struct DirectWriter {
    bucket: Bucket,
}

#[async_trait]
impl ObjectWriter for DirectWriter {
    async fn write(&self, kind: Kind, id: &Hash, bytes: Bytes) -> Result<bool, StoreError> {
        self.bucket.put_object(&layout::object(kind, id), bytes).await
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
        self.bucket.put_stream(&layout::object(kind, id), stream).await?;
        Ok(true)
    }

    async fn contains(&self, kind: Kind, id: &Hash, size: u64) -> Result<bool, StoreError> {
        Ok(self.bucket.size(&layout::object(kind, id)).await? == Some(size))
    }

    async fn publish(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Writes to a folder, where many files are synced together.
#[derive(Debug)]
struct StagedWriter {
    stage: Stage,
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
        mut stream: ByteStream,
    ) -> Result<bool, StoreError> {
        if self.contains(kind, id, stream.size).await? {
            return Ok(false);
        }
        let failed = || StoreError::io(format!("write {kind} {id}"));
        let mut file = self.stage.file(layout::object(kind, id)).map_err(failed())?;
        while let Some(piece) = stream.pieces.next().await {
            file.write(&piece?).map_err(failed())?;
        }
        Ok(file.finish())
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
