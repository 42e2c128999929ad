//! The two traits between a repository and whatever keeps its data.

use std::fmt::Debug;
use std::path::Path;

use async_trait::async_trait;
use bytes::Bytes;

use super::{ByteStream, Prefetch, StoreError, Want};
use crate::name::{BookId, Hash, HashPrefix, RefName};
use crate::object::Kind;
use crate::refs::{LogEntry, RefError, RefUpdate, UpdateOutcome, one_by_one};

/// Immutable objects by id.
///
/// Implementations move bytes; they need not verify them. [`Store`](super::Store) does, on every
/// read, and hashes what it writes.
#[async_trait]
pub trait Objects: Debug + Send + Sync {
    /// Whether every call crosses a network, so that many at once are worth their while.
    fn is_remote(&self) -> bool;

    /// The whole object; `None` if absent. One over `limit` bytes is [`StoreError::TooLarge`] and
    /// is not read.
    async fn read(&self, kind: Kind, id: &Hash, limit: u64) -> Result<Option<Bytes>, StoreError>;

    /// The object in pieces; `None` if absent.
    async fn stream(&self, kind: Kind, id: &Hash) -> Result<Option<ByteStream>, StoreError>;

    /// The object's size in bytes; `None` if absent.
    async fn size(&self, kind: Kind, id: &Hash) -> Result<Option<u64>, StoreError>;

    /// All ids of `kind` that begin with `prefix`, in order.
    async fn list(&self, kind: Kind, prefix: &HashPrefix) -> Result<Vec<Hash>, StoreError>;

    /// Says what will be read soon, so that a store that is asked over a network can bring it in
    /// one answer. Until the returned value is dropped, reads of what was announced are answered
    /// from that; whatever it lacks is read as if nothing had been said.
    ///
    /// A hint, and no promise on either side: announcing nothing changes no result.
    async fn prefetch(&self, want: Want) -> Result<Prefetch, StoreError> {
        let _ = want;
        Ok(Prefetch::nothing())
    }

    /// Whether a tree is taken only after everything that it names, as a server does, which cannot
    /// trust its clients. Elsewhere nothing names them yet, so their order is no matter.
    fn takes_in_order(&self) -> bool {
        false
    }

    /// The folder of this machine in which the object, if it is there at all, is a file of its own
    /// at its [key](super::layout::object). Objects elsewhere, or only in memory, have none.
    fn folder(&self, kind: Kind, id: &Hash) -> Option<&Path> {
        let _ = (kind, id);
        None
    }

    /// Begins to write objects.
    async fn begin(&self) -> Result<Box<dyn ObjectWriter>, StoreError>;
}

/// Objects on their way into a store.
///
/// Nothing may name an object before [`publish`](Self::publish) has returned. Dropping a writer
/// without publishing leaves no reader a trace of what was not yet visible.
///
/// What an object names is written or found before it: a store may refuse a tree or a commit that
/// is not complete.
#[async_trait]
pub trait ObjectWriter: Debug + Send + Sync {
    /// Writes a whole object whose bytes hash to `id`. Returns whether it was new.
    async fn write(&self, kind: Kind, id: &Hash, bytes: Bytes) -> Result<bool, StoreError>;

    /// Writes an object in pieces. If the stream ends in an error nothing is kept. Returns
    /// whether it was new; if not, the stream may not have been read.
    async fn write_stream(
        &self,
        kind: Kind,
        id: &Hash,
        stream: ByteStream,
    ) -> Result<bool, StoreError>;

    /// Writes an object whatever is there, to put right what is damaged. If the stream ends in an
    /// error what was there stays.
    async fn replace(&self, kind: Kind, id: &Hash, stream: ByteStream) -> Result<(), StoreError>;

    /// Whether the object is there with this size, and may be relied on once this writer has
    /// published.
    async fn contains(&self, kind: Kind, id: &Hash, size: u64) -> Result<bool, StoreError>;

    /// Makes everything written or found so far visible and durable.
    async fn publish(&self) -> Result<(), StoreError>;
}

/// Refs, each with its log.
#[async_trait]
pub trait Refs: Debug + Send + Sync {
    /// The newest entry of a ref's log; `None` if the ref never existed.
    async fn head(&self, book: &BookId, name: &RefName) -> Result<Option<LogEntry>, RefError>;

    /// The entry at position `seq`; `None` if there is none.
    async fn entry(
        &self,
        book: &BookId,
        name: &RefName,
        seq: u64,
    ) -> Result<Option<LogEntry>, RefError>;

    /// Moves a ref if the caller's expectation holds: see [`RefUpdate`].
    ///
    /// Exactly once: an update whose request id is already in the log is answered with the entry
    /// that it made then. A lost race is [`UpdateOutcome::Refused`] with what is there now.
    async fn update(&self, update: &RefUpdate) -> Result<UpdateOutcome, RefError>;

    /// Moves many refs, each as [`update`](Self::update) does and with its promises, and answers in
    /// their order.
    ///
    /// Not one change but many: each is made or not by itself, in no particular order, and what
    /// becomes of one is nothing to the others. No two of a call should name the same ref; if they
    /// do, they are made one after the other, in their order.
    async fn update_all(&self, updates: &[RefUpdate]) -> Vec<Result<UpdateOutcome, RefError>> {
        one_by_one(self, updates).await
    }

    /// Says that an update is being prepared, so that what it needs to know of the store can be
    /// asked meanwhile. A hint, which changes no result.
    fn will_update(&self) {}

    /// How many updates are best made by one call: enough to be worth it, and not so many that
    /// nothing is told for long.
    fn updates_together(&self) -> usize {
        512
    }

    /// Writes an entry of another store's log at its own position, after the one that it names.
    /// What it names is there. An entry that is there already is fine; another one is
    /// [`RefError::Diverged`].
    async fn adopt(&self, entry: &LogEntry) -> Result<(), RefError> {
        Err(RefError::Store(StoreError::NoBucket { location: entry.entry.book.to_string() }))
    }

    /// Whether garbage was ever collected here, so that a version that only older entries name may
    /// be gone. Strict where it cannot be known.
    async fn may_be_collected(&self) -> Result<bool, RefError> {
        Ok(false)
    }

    /// The names of all refs of a book that ever existed, in order.
    async fn names(&self, book: &BookId) -> Result<Vec<RefName>, RefError>;

    /// All books with at least one ref, in order.
    async fn books(&self) -> Result<Vec<BookId>, RefError>;
}
