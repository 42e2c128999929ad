//! Large objects over a network: in parts, several at once, in bounded memory.
//!
//! An upload runs as a task of its own, so that whoever asked for it may go away, by an error
//! elsewhere or because the user pressed Ctrl-C: the upload is then aborted, and its parts are
//! neither kept nor billed. [`Transfers::finish`] waits for that.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use object_store::path::Path as Key;
use object_store::{GetOptions, MultipartUpload, ObjectStore, ObjectStoreExt, UploadPart};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Bucket, ByteStream, StoreError};

/// Size of one part, in bytes. S3 and R2 ask for at least 5 MiB in all but the last, and R2 for
/// equal ones.
pub(super) const PART_BYTES: u64 = 8 * 1024 * 1024;

/// Most parts of one upload; S3 and R2 take 10,000.
const PARTS: u64 = 9_000;

/// How many parts of one object are on their way at once.
const PARTS_AT_ONCE: usize = 4;

/// How many large objects are on their way at once. With [`PARTS_AT_ONCE`] and [`PART_BYTES`] it
/// bounds the memory that they take.
const LARGE_AT_ONCE: usize = 4;

/// How long [`Transfers::finish`] waits.
const FINISH_TIMEOUT: Duration = Duration::from_secs(15);

/// What is on its way.
#[derive(Debug)]
pub(super) struct Transfers {
    large: Arc<Semaphore>,
    uploads: TaskTracker,
}

impl Default for Transfers {
    fn default() -> Self {
        Self { large: Arc::new(Semaphore::new(LARGE_AT_ONCE)), uploads: TaskTracker::new() }
    }
}

impl Transfers {
    /// Waits until no upload is running any more, aborted ones included; not for ever.
    pub(super) async fn finish(&self) {
        self.uploads.close();
        // What is left then is left to the bucket's own rule for unfinished uploads.
        let _ = tokio::time::timeout(FINISH_TIMEOUT, self.uploads.wait()).await;
        self.uploads.reopen();
    }

    /// Writes `stream` to `key` in equal parts, or nothing if the stream or a part fails, or the
    /// caller goes away.
    pub(super) async fn upload(
        &self,
        store: &Arc<dyn ObjectStore>,
        key: Key,
        stream: ByteStream,
    ) -> Result<(), StoreError> {
        let permit = self.permit().await;
        let given_up = CancellationToken::new();
        let guard = given_up.clone().drop_guard();
        let store = store.clone();
        let upload = self.uploads.spawn(async move {
            let _permit = permit;
            let mut upload =
                store.put_multipart(&key).await.map_err(StoreError::backend("write", &key))?;
            let sent = tokio::select! {
                sent = send(upload.as_mut(), &key, stream) => sent,
                () = given_up.cancelled() => Err(StoreError::GivenUp),
            };
            if sent.is_err() {
                // The first error tells more than what aborting may add.
                let _ = upload.abort().await;
            }
            sent
        });
        let sent = match upload.await {
            Ok(sent) => sent,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Err(StoreError::GivenUp),
        };
        drop(guard.disarm());
        sent
    }

    async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        // Never closed.
        self.large.clone().acquire_owned().await.ok()
    }
}

/// Sends everything, a few parts at once, and completes the upload.
async fn send(
    upload: &mut dyn MultipartUpload,
    key: &Key,
    mut stream: ByteStream,
) -> Result<(), StoreError> {
    let part = PART_BYTES.max(stream.size.div_ceil(PARTS).next_multiple_of(1 << 20));
    let part = usize::try_from(part).unwrap_or(usize::MAX);
    let mut buffer = Vec::with_capacity(part);
    let mut running: FuturesUnordered<UploadPart> = FuturesUnordered::new();
    let failed = || StoreError::backend("write", key);
    while let Some(piece) = stream.pieces.next().await {
        let mut piece = piece?;
        while !piece.is_empty() {
            let take = piece.len().min(part - buffer.len());
            buffer.extend_from_slice(&piece.split_to(take));
            if buffer.len() == part {
                if running.len() >= PARTS_AT_ONCE
                    && let Some(done) = running.next().await
                {
                    done.map_err(failed())?;
                }
                let full = std::mem::replace(&mut buffer, Vec::with_capacity(part));
                running.push(upload.put_part(full.into()));
            }
        }
    }
    if !buffer.is_empty() {
        running.push(upload.put_part(buffer.into()));
    }
    while let Some(done) = running.next().await {
        done.map_err(failed())?;
    }
    upload.complete().await.map_err(failed())?;
    Ok(())
}

impl Bucket {
    /// The object at `key` in parts of [`PART_BYTES`], several requested at once, handed over in
    /// order.
    pub(super) async fn stream_parts(&self, key: &Key) -> Result<Option<ByteStream>, StoreError> {
        let options = GetOptions::default().with_range(Some(0..PART_BYTES));
        let first = match self.get(key, options).await {
            Ok(first) => first,
            // An empty object has no range, and servers say so in different ways.
            Err(_) => self.get(key, GetOptions::default()).await?,
        };
        let Some(first) = first else {
            return Ok(None);
        };
        let (size, end) = (first.meta.size, first.range.end);
        let head = {
            let key = key.clone();
            first.into_stream().map(move |piece| piece.map_err(StoreError::backend("read", &key)))
        };
        if end >= size {
            return Ok(Some(ByteStream { size, pieces: head.boxed() }));
        }
        let permit = Arc::new(self.transfers.permit().await);
        let (bucket, key) = (self.clone(), key.clone());
        let starts = (0..).map(move |nth| end + nth * PART_BYTES).take_while(move |at| *at < size);
        let parts = futures::stream::iter(starts).map(move |start| {
            let (bucket, key, permit) = (bucket.clone(), key.clone(), permit.clone());
            async move {
                let _permit = permit;
                bucket.part(&key, start..(start + PART_BYTES).min(size)).await
            }
        });
        let pieces = head.chain(parts.buffered(PARTS_AT_ONCE)).boxed();
        Ok(Some(ByteStream { size, pieces }))
    }

    async fn part(&self, key: &Key, range: std::ops::Range<u64>) -> Result<Bytes, StoreError> {
        let gone = || {
            let source = "it was there a moment ago".into();
            let source = object_store::Error::NotFound { path: key.to_string(), source };
            StoreError::backend("read", key)(source)
        };
        self.range(key, range).await?.ok_or_else(gone)
    }
}
