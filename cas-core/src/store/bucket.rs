//! The few primitives that everything is made of, over any object store.

use std::io::Read;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path as Key;
use object_store::{
    Error, GetResult, GetResultPayload, ObjectStore, ObjectStoreExt, PutMode, PutOptions,
    PutPayload,
};

use super::{ByteStream, LocalStore, StoreError};

/// How often a put-if-absent that was refused although nothing is there is tried again.
const PUT_ATTEMPTS: usize = 8;

/// An object store, with the shortcuts that a folder offers.
#[derive(Debug, Clone)]
pub struct Bucket {
    store: Arc<dyn ObjectStore>,
    local: Option<LocalStore>,
}

/// What became of a put-if-absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Put {
    /// The store says that it wrote the object.
    Created,
    /// The store says that the key was taken. By whom is for the caller to find out: the store
    /// may mean our own write, repeated after its answer was lost.
    Refused,
}

impl Bucket {
    /// A bucket of any kind; each put is durable by itself.
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self { store, local: None }
    }

    /// A folder, where many puts are made durable together.
    pub fn local(store: LocalStore) -> Self {
        Self { store: Arc::new(store.clone()), local: Some(store) }
    }

    /// The folder, if this is one.
    pub(crate) fn as_local(&self) -> Option<&LocalStore> {
        self.local.as_ref()
    }

    /// Whether nothing at all is there.
    pub(crate) async fn is_empty(&self) -> Result<bool, StoreError> {
        if let Some(local) = &self.local {
            return local.is_empty().map_err(StoreError::io("list the store's folder"));
        }
        let first = self.store.list(None).next().await;
        Ok(first.transpose().map_err(StoreError::backend("list", "the bucket"))?.is_none())
    }

    /// The whole object at `key` of at most `limit` bytes, or its size if it has more.
    pub(crate) async fn read(
        &self,
        key: &Key,
        limit: u64,
    ) -> Result<Option<Result<Bytes, u64>>, StoreError> {
        let Some(result) = self.get(key).await? else {
            return Ok(None);
        };
        let size = result.meta.size;
        if size > limit {
            return Ok(Some(Err(size)));
        }
        let bytes = match result.payload {
            // Read here and now: a hop to another thread costs several times the read.
            GetResultPayload::File(file, _) => {
                let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default() + 1);
                let read = file.take(limit.saturating_add(1)).read_to_end(&mut bytes);
                read.map_err(StoreError::io(format!("read {key}")))?;
                bytes.into()
            }
            GetResultPayload::Stream(pieces) => {
                let pieces = pieces.map_err(|error| StoreError::backend("read", key)(error));
                let collect = pieces.try_fold(Vec::new(), |mut all, piece: Bytes| async move {
                    // Never more than announced, whatever is sent.
                    if all.len() as u64 <= limit {
                        all.extend_from_slice(&piece);
                    }
                    Ok(all)
                });
                collect.await?.into()
            }
        };
        Ok(Some(Ok(bytes)))
    }

    /// The object at `key` in pieces.
    pub(crate) async fn stream(&self, key: &Key) -> Result<Option<ByteStream>, StoreError> {
        let Some(result) = self.get(key).await? else {
            return Ok(None);
        };
        let size = result.meta.size;
        let pieces = match result.payload {
            GetResultPayload::File(file, _) => {
                return Ok(Some(ByteStream::from_file(file, size, key.as_ref())));
            }
            GetResultPayload::Stream(pieces) => {
                let key = key.clone();
                pieces.map(move |piece| piece.map_err(StoreError::backend("read", &key))).boxed()
            }
        };
        Ok(Some(ByteStream { size, pieces }))
    }

    /// The size in bytes of the object at `key`.
    pub(crate) async fn size(&self, key: &Key) -> Result<Option<u64>, StoreError> {
        match self.store.head(key).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(StoreError::backend("look at", key)(error)),
        }
    }

    /// Writes the object unless the key is taken.
    pub(crate) async fn put_if_absent(&self, key: &Key, bytes: Bytes) -> Result<Put, StoreError> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.store.put_opts(key, PutPayload::from_bytes(bytes), options).await {
            Ok(_) => Ok(Put::Created),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(Put::Refused),
            Err(error) => Err(StoreError::backend("write", key)(error)),
        }
    }

    /// Writes an object named by its content, and makes sure that it is there. Returns whether
    /// it was new.
    pub(crate) async fn put_object(&self, key: &Key, bytes: Bytes) -> Result<bool, StoreError> {
        for _ in 0..PUT_ATTEMPTS {
            if self.put_if_absent(key, bytes.clone()).await? == Put::Created {
                return Ok(true);
            }
            match self.size(key).await? {
                Some(size) if size == bytes.len() as u64 => return Ok(false),
                Some(_) => {
                    // What is there cannot be what the key says. Putting it right is safe.
                    let put = self.store.put(key, PutPayload::from_bytes(bytes)).await;
                    put.map_err(StoreError::backend("write", key))?;
                    return Ok(true);
                }
                // Refused, and yet nothing there: racing puts were told to try again.
                None => {}
            }
        }
        let source =
            Error::AlreadyExists { path: key.to_string(), source: "but it is not there".into() };
        Err(StoreError::backend("write", key)(source))
    }

    /// Writes a large object in equal parts, as R2 demands. Nothing is kept if the stream fails.
    pub(crate) async fn put_stream(
        &self,
        key: &Key,
        mut stream: ByteStream,
    ) -> Result<(), StoreError> {
        /// At least 5 MiB each, and at most 10,000 of them.
        const PART_BYTES: u64 = 8 * 1024 * 1024;
        let part = PART_BYTES.max(stream.size.div_ceil(9_000).next_multiple_of(1 << 20));
        let part = usize::try_from(part).unwrap_or(usize::MAX);
        let mut upload =
            self.store.put_multipart(key).await.map_err(StoreError::backend("write", key))?;
        let mut buffer = Vec::with_capacity(part);
        let sent: Result<(), StoreError> = async {
            while let Some(piece) = stream.pieces.next().await {
                let mut piece = piece?;
                while !piece.is_empty() {
                    let take = piece.len().min(part - buffer.len());
                    buffer.extend_from_slice(&piece.split_to(take));
                    if buffer.len() == part {
                        let full = std::mem::replace(&mut buffer, Vec::with_capacity(part));
                        upload
                            .put_part(full.into())
                            .await
                            .map_err(StoreError::backend("write", key))?;
                    }
                }
            }
            if !buffer.is_empty() {
                let rest = std::mem::take(&mut buffer);
                upload.put_part(rest.into()).await.map_err(StoreError::backend("write", key))?;
            }
            upload.complete().await.map_err(StoreError::backend("write", key))?;
            Ok(())
        }
        .await;
        if sent.is_err() {
            // The first error tells more than what aborting may add.
            let _ = upload.abort().await;
        }
        sent
    }

    /// The first key right below `folder`, in order.
    pub(crate) async fn first_below(&self, folder: &Key) -> Result<Option<Key>, StoreError> {
        if let Some(local) = &self.local {
            let name =
                local.first_below(folder).map_err(StoreError::io(format!("list {folder}")))?;
            return Ok(name.map(|name| folder.parts().chain([name.into()]).collect()));
        }
        let mut keys = self.store.list(Some(folder));
        match keys.next().await {
            None => Ok(None),
            Some(meta) => Ok(Some(meta.map_err(StoreError::backend("list", folder))?.location)),
        }
    }

    /// The names of the folders right below `folder`, in order.
    pub(crate) async fn folders(&self, folder: &Key) -> Result<Vec<String>, StoreError> {
        let list = self.store.list_with_delimiter(Some(folder)).await;
        let list = list.map_err(StoreError::backend("list", folder))?;
        let name = |key: &Key| key.filename().map(str::to_owned);
        let mut names: Vec<_> = list.common_prefixes.iter().filter_map(name).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// All keys below `folder`, in order.
    pub(crate) async fn keys(&self, folder: &Key) -> Result<Vec<Key>, StoreError> {
        let list = self.store.list(Some(folder)).map_ok(|meta| meta.location);
        let mut keys: Vec<_> =
            list.try_collect().await.map_err(StoreError::backend("list", folder))?;
        keys.sort_unstable();
        Ok(keys)
    }

    async fn get(&self, key: &Key) -> Result<Option<GetResult>, StoreError> {
        match self.store.get(key).await {
            Ok(result) => Ok(Some(result)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(StoreError::backend("read", key)(error)),
        }
    }
}
