//! The blobs of an archive in order, announced and read a little ahead where reading crosses a
//! network.

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use tokio_util::task::AbortOnDropHandle;

use crate::name::BlobId;
use crate::object::Kind;
use crate::repo::{Leaf, RepoError};
use crate::store::{ByteStream, Prefetch, Store, StoreError, Want};

/// How many bytes are read ahead over a network, at most. What one archive keeps in memory is
/// about this much.
const AHEAD_BYTES: u64 = 4 * 1024 * 1024;

/// How many blobs are read ahead at most, however small they are.
const AHEAD_BLOBS: usize = 64;

/// Largest blob that is read whole, and ahead, over a network; a larger one is opened when its
/// turn comes, and its waiting is small against its own length.
const WHOLE_REMOTE_BYTES: u64 = 1024 * 1024;

/// Largest blob that is read whole from a disk, where every other comes in pieces.
const WHOLE_LOCAL_BYTES: u64 = 64 * 1024;

/// Reads blobs in order.
#[derive(Debug)]
pub(super) struct Contents {
    store: Store,
    whole: u64,
    /// Those whose reading was not begun, the next one first.
    waiting: VecDeque<Leaf>,
    /// Those that are being read, the next one first.
    ahead: VecDeque<(Leaf, AbortOnDropHandle<Result<Bytes, StoreError>>)>,
    ahead_bytes: u64,
    /// What was said to be read, once the first is.
    announced: Option<Prefetch>,
}

impl Contents {
    /// The contents of `leaves`.
    pub(super) fn new(store: Store, leaves: Vec<Leaf>) -> Self {
        let whole = if store.is_remote() { WHOLE_REMOTE_BYTES } else { WHOLE_LOCAL_BYTES };
        Self {
            store,
            whole,
            waiting: leaves.into(),
            ahead: VecDeque::new(),
            ahead_bytes: 0,
            announced: None,
        }
    }

    /// The next leaf and its content, verified; `None` after the last.
    pub(super) async fn next(&mut self) -> Result<Option<(Leaf, ByteStream)>, RepoError> {
        if self.store.is_remote() {
            if self.announced.is_none() {
                let mut met = BTreeSet::new();
                let first = |leaf: &&Leaf| met.insert(leaf.id);
                let order = self.waiting.iter().filter(first).map(|leaf| (leaf.id, leaf.size));
                self.announced = Some(self.store.prefetch(Want::Blobs(order.collect())).await?);
            }
            self.read_ahead();
        }
        let (leaf, content) = match self.ahead.pop_front() {
            Some((leaf, reading)) => {
                self.ahead_bytes -= leaf.size;
                let bytes = reading.await.map_err(|error| RepoError::Internal(error.to_string()));
                (leaf, ByteStream::from_bytes(bytes??))
            }
            None => {
                let Some(leaf) = self.waiting.pop_front() else {
                    return Ok(None);
                };
                let content = if leaf.size <= self.whole {
                    ByteStream::from_bytes(self.store.get_small_blob(&leaf.id, leaf.size).await?)
                } else {
                    self.store.stream_blob(&leaf.id).await?
                };
                (leaf, content)
            }
        };
        if content.size != leaf.size {
            let Leaf { path, id, size, .. } = &leaf;
            let reason = format!("{} bytes instead of the {size} of {path}", content.size);
            return Err(StoreError::Damaged { kind: Kind::Blob, id: *id.hash(), reason }.into());
        }
        Ok(Some((leaf, content)))
    }

    /// Begins to read what fits, as tasks of their own: an answer is taken in when it comes, not
    /// when the archive's reader asks for more.
    fn read_ahead(&mut self) {
        while let Some(leaf) = self.waiting.front() {
            let fits = self.ahead_bytes + leaf.size <= AHEAD_BYTES;
            if leaf.size > self.whole || !fits || self.ahead.len() >= AHEAD_BLOBS {
                return;
            }
            if let Some(leaf) = self.waiting.pop_front() {
                self.ahead_bytes += leaf.size;
                let reading = tokio::spawn(read(self.store.clone(), leaf.id, leaf.size));
                self.ahead.push_back((leaf, AbortOnDropHandle::new(reading)));
            }
        }
    }
}

async fn read(store: Store, id: BlobId, size: u64) -> Result<Bytes, StoreError> {
    store.get_small_blob(&id, size).await
}
