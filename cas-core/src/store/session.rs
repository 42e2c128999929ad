//! Writing objects: typed, hashed here, visible and durable only when published.

use bytes::Bytes;

use super::objects::whole_limit;
use super::{ByteStream, ObjectWriter, StoreError};
use crate::limits;
use crate::name::{BlobId, CommitId, Hash, TreeId};
use crate::object::{Commit, Kind, Tree};

/// One write session: objects put now, published together, then named by a ref.
///
/// The order is the promise: blobs, trees, commit, [`publish`](Self::publish), and only then the
/// ref entry.
#[derive(Debug)]
pub struct Session {
    writer: Box<dyn ObjectWriter>,
}

impl Session {
    pub(super) fn new(writer: Box<dyn ObjectWriter>) -> Self {
        Self { writer }
    }

    /// Puts a small blob. Returns its id and whether it was new.
    pub async fn put_blob(&self, bytes: Bytes) -> Result<(BlobId, bool), StoreError> {
        let id = BlobId::of(&bytes);
        let new = self.writer.write(Kind::Blob, id.hash(), bytes).await?;
        Ok((id, new))
    }

    /// Puts a blob of any size, known to have this id. Content that hashes to anything else is
    /// [`StoreError::ContentChanged`], and nothing of it is kept.
    pub async fn put_blob_stream(
        &self,
        id: BlobId,
        stream: ByteStream,
    ) -> Result<bool, StoreError> {
        self.writer.write_stream(Kind::Blob, id.hash(), checked(id, stream)?).await
    }

    /// Writes a blob whatever is there, to put right what is missing or damaged. Content that
    /// hashes to anything else is [`StoreError::ContentChanged`], and what is there stays.
    pub async fn replace_blob(&self, id: BlobId, stream: ByteStream) -> Result<(), StoreError> {
        self.writer.replace(Kind::Blob, id.hash(), checked(id, stream)?).await
    }

    /// Writes a tree whatever is there, to put right what is missing or damaged.
    pub async fn replace_tree(&self, tree: &Tree) -> Result<(), StoreError> {
        let (id, bytes) = tree.encode_with_id();
        self.replace_object(Kind::Tree, id.hash(), ByteStream::from_bytes(bytes.into())).await
    }

    /// Writes an object whatever is there. Its content is known to have this id.
    pub(crate) async fn replace_object(
        &self,
        kind: Kind,
        id: &Hash,
        stream: ByteStream,
    ) -> Result<(), StoreError> {
        self.writer.replace(kind, id, stream).await
    }

    /// Whether the blob is there with this size; if so, it may be relied on once published.
    pub async fn contains_blob(&self, id: BlobId, size: u64) -> Result<bool, StoreError> {
        self.writer.contains(Kind::Blob, id.hash(), size).await
    }

    /// Whether an object is there with this size; if so, it may be relied on once published.
    pub async fn contains(&self, kind: Kind, id: &Hash, size: u64) -> Result<bool, StoreError> {
        self.writer.contains(kind, id, size).await
    }

    /// Puts a tree. Returns its id and whether it was new.
    pub async fn put_tree(&self, tree: &Tree) -> Result<(TreeId, bool), StoreError> {
        let (id, bytes) = tree.encode_with_id();
        let new = self.put_encoded(Kind::Tree, id.hash(), bytes).await?;
        Ok((id, new))
    }

    /// Puts a commit.
    pub async fn put_commit(&self, commit: &Commit) -> Result<CommitId, StoreError> {
        commit.check().map_err(|source| StoreError::Unwritable { kind: Kind::Commit, source })?;
        let bytes = commit.encode();
        let id = CommitId::of(&bytes);
        self.put_encoded(Kind::Commit, id.hash(), bytes).await?;
        Ok(id)
    }

    /// Puts an object whose encoding is at hand, and known to have this id.
    pub(crate) async fn put_object(
        &self,
        kind: Kind,
        id: &Hash,
        bytes: Bytes,
    ) -> Result<bool, StoreError> {
        self.writer.write(kind, id, bytes).await
    }

    /// Makes everything put or found so far visible and durable.
    pub async fn publish(&self) -> Result<(), StoreError> {
        self.writer.publish().await
    }

    /// Limits are checked when writing as well as when reading, so that nothing is written that
    /// could not be read.
    async fn put_encoded(&self, kind: Kind, id: &Hash, bytes: Vec<u8>) -> Result<bool, StoreError> {
        let (size, limit) = (bytes.len() as u64, whole_limit(kind));
        if size > limit {
            return Err(StoreError::TooLarge { kind, id: *id, size, limit });
        }
        self.writer.write(kind, id, bytes.into()).await
    }
}

/// The same content, ending in [`StoreError::ContentChanged`] if it is not what `id` says.
fn checked(id: BlobId, stream: ByteStream) -> Result<ByteStream, StoreError> {
    let (kind, id) = (Kind::Blob, *id.hash());
    let (size, limit) = (stream.size, limits::BLOB_BYTES);
    if size > limit {
        return Err(StoreError::TooLarge { kind, id, size, limit });
    }
    Ok(stream.verified(id, move |_| StoreError::ContentChanged { kind, id }))
}
