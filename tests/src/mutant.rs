//! Stores with one deliberate flaw each, to prove that the checks of the invariants can fail.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use cas_core::env::Timestamp;
use cas_core::name::{Actor, BookId, EntryId, RefName, RequestId};
use cas_core::refs::{Expectation, LogEntry, RefEntry, RefError, RefUpdate, UpdateOutcome};
use cas_core::store::{Refs, Store};
use futures::TryStreamExt;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path as Key;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// What is wrong with a [`MutantStore`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Put-if-absent overwrites, as several buckets do that do not know the condition.
    IgnoresPutIfAbsent,
    /// Puts below this folder are acknowledged and dropped.
    Drops(&'static str),
    /// With every put below `refs/`, something else is written as well.
    CopiesAlong,
    /// With every put below `refs/`, the entries that are there get another byte.
    TouchesOld,
    /// Objects are kept back until an entry was put, and put then.
    EntryFirst,
    /// That a key is taken is said to be success.
    TakesTakenForDone,
    /// Every entry but a first one names another entry than the one before it.
    ForksLogs,
}

/// An object store with a flaw.
#[derive(Debug)]
pub struct MutantStore {
    inner: Arc<dyn ObjectStore>,
    flaw: Flaw,
    /// What is kept back.
    held: Mutex<BTreeMap<Key, PutPayload>>,
}

impl MutantStore {
    /// `inner` with `flaw`.
    pub fn new(inner: Arc<dyn ObjectStore>, flaw: Flaw) -> Self {
        Self { inner, flaw, held: Mutex::default() }
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<Key, PutPayload>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts what was kept back.
    async fn release(&self) -> Result<()> {
        let held = std::mem::take(&mut *self.held());
        for (key, payload) in held {
            self.inner.put_opts(&key, payload, PutOptions::default()).await?;
        }
        Ok(())
    }

    /// Gives every object below `folder` another byte.
    async fn touch(&self, folder: &str) -> Result<()> {
        let folder = Key::from(folder);
        let keys: Vec<_> = self.inner.list(Some(&folder)).try_collect().await?;
        for meta in keys {
            let found = self.inner.get_opts(&meta.location, GetOptions::default()).await?;
            let bytes = [&found.bytes().await?[..], &[0]].concat();
            self.inner.put_opts(&meta.location, bytes.into(), PutOptions::default()).await?;
        }
        Ok(())
    }
}

/// The entry, naming another one as the one before it.
fn forked(payload: PutPayload) -> PutPayload {
    let bytes = Bytes::from(payload);
    match RefEntry::from_stored(&bytes) {
        Ok(LogEntry { entry, .. }) if entry.previous.is_some() => {
            let previous = Some(EntryId::of(b"another"));
            RefEntry { previous, ..entry }.to_stored().1.into()
        }
        _ => bytes.into(),
    }
}

/// The answer to a put.
fn acknowledged() -> PutResult {
    PutResult { e_tag: None, version: None, extensions: object_store::Extensions::default() }
}

impl fmt::Display for MutantStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mutant {}", self.inner)
    }
}

#[async_trait]
impl ObjectStore for MutantStore {
    async fn put_opts(
        &self,
        key: &Key,
        payload: PutPayload,
        mut options: PutOptions,
    ) -> Result<PutResult> {
        match self.flaw {
            Flaw::IgnoresPutIfAbsent => options.mode = PutMode::Overwrite,
            Flaw::Drops(folder) if key.as_ref().starts_with(folder) => return Ok(acknowledged()),
            Flaw::CopiesAlong if key.as_ref().starts_with("refs/") => {
                let along = Key::from(format!("blobs/{key}"));
                let bytes = Bytes::from(payload.clone());
                self.inner.put_opts(&along, bytes.into(), PutOptions::default()).await?;
            }
            Flaw::TouchesOld if key.as_ref().starts_with("refs/") => self.touch("refs").await?,
            Flaw::EntryFirst if key.as_ref().starts_with("refs/") => {
                let put = self.inner.put_opts(key, payload, options).await;
                self.release().await?;
                return put;
            }
            Flaw::EntryFirst => {
                self.held().insert(key.clone(), payload);
                return Ok(acknowledged());
            }
            Flaw::ForksLogs if key.as_ref().starts_with("refs/") => {
                let payload = forked(payload);
                return self.inner.put_opts(key, payload, options).await;
            }
            Flaw::TakesTakenForDone => {
                return match self.inner.put_opts(key, payload, options).await {
                    Err(Error::AlreadyExists { .. }) => Ok(acknowledged()),
                    other => other,
                };
            }
            Flaw::Drops(_) | Flaw::CopiesAlong | Flaw::TouchesOld | Flaw::ForksLogs => {}
        }
        self.inner.put_opts(key, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        key: &Key,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(key, options).await
    }

    async fn get_opts(&self, key: &Key, options: GetOptions) -> Result<GetResult> {
        let held = self.held().get(key).cloned();
        if let Some(payload) = held {
            let own = InMemory::new();
            own.put_opts(key, payload, PutOptions::default()).await?;
            return own.get_opts(key, options).await;
        }
        self.inner.get_opts(key, options).await
    }

    fn delete_stream(
        &self,
        keys: BoxStream<'static, Result<Key>>,
    ) -> BoxStream<'static, Result<Key>> {
        self.inner.delete_stream(keys)
    }

    fn list(&self, prefix: Option<&Key>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Key>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Key, to: &Key, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// What is wrong with [`MutantRefs`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefFlaw {
    /// Moves a ref whatever its caller believes to be there.
    ForgetsExpectations,
    /// Moves `main` along with any other ref.
    MovesMainToo,
    /// Takes every repeated request for a new one.
    ForgetsRequests,
    /// Writes every entry in the name of nobody in particular.
    ForgetsActors,
    /// Takes every update for one whose work has just begun.
    ForgetsWhenItBegan,
}

/// Refs with a flaw.
#[derive(Debug)]
pub struct MutantRefs {
    inner: Arc<dyn Refs>,
    flaw: RefFlaw,
    /// Feeds ids for requests that are taken for new ones.
    env: cas_core::env::Env,
}

impl MutantRefs {
    /// `inner` with `flaw`.
    pub fn new(inner: Arc<dyn Refs>, flaw: RefFlaw, env: cas_core::env::Env) -> Self {
        Self { inner, flaw, env }
    }

    fn fresh(&self) -> RequestId {
        self.env.request_id()
    }
}

#[async_trait]
impl Refs for MutantRefs {
    async fn head(&self, book: &BookId, name: &RefName) -> Result<Option<LogEntry>, RefError> {
        self.inner.head(book, name).await
    }

    async fn entry(
        &self,
        book: &BookId,
        name: &RefName,
        seq: u64,
    ) -> Result<Option<LogEntry>, RefError> {
        self.inner.entry(book, name, seq).await
    }

    async fn update(&self, update: &RefUpdate) -> Result<UpdateOutcome, RefError> {
        let mut update = update.clone();
        match self.flaw {
            RefFlaw::ForgetsExpectations => update.expect = Expectation::Any,
            RefFlaw::ForgetsRequests => update.request_id = self.fresh(),
            RefFlaw::ForgetsWhenItBegan => update.began = Timestamp::from_micros(u64::MAX),
            RefFlaw::ForgetsActors => {
                update.actor = Actor::parse("somebody").unwrap_or(update.actor);
            }
            RefFlaw::MovesMainToo => {
                let main = RefUpdate {
                    name: RefName::main(),
                    expect: Expectation::Any,
                    request_id: self.fresh(),
                    ..update.clone()
                };
                self.inner.update(&main).await?;
            }
        }
        self.inner.update(&update).await
    }

    async fn may_be_collected(&self) -> Result<bool, RefError> {
        self.inner.may_be_collected().await
    }

    async fn names(&self, book: &BookId) -> Result<Vec<RefName>, RefError> {
        self.inner.names(book).await
    }

    async fn books(&self) -> Result<Vec<BookId>, RefError> {
        self.inner.books().await
    }
}

/// The refs of a store.
#[derive(Debug)]
pub struct RefsOf(pub Store);

#[async_trait]
impl Refs for RefsOf {
    async fn head(&self, book: &BookId, name: &RefName) -> Result<Option<LogEntry>, RefError> {
        self.0.refs().head(book, name).await
    }

    async fn entry(
        &self,
        book: &BookId,
        name: &RefName,
        seq: u64,
    ) -> Result<Option<LogEntry>, RefError> {
        self.0.refs().entry(book, name, seq).await
    }

    async fn update(&self, update: &RefUpdate) -> Result<UpdateOutcome, RefError> {
        self.0.refs().update(update).await
    }

    async fn may_be_collected(&self) -> Result<bool, RefError> {
        self.0.refs().may_be_collected().await
    }

    async fn names(&self, book: &BookId) -> Result<Vec<RefName>, RefError> {
        self.0.refs().names(book).await
    }

    async fn books(&self) -> Result<Vec<BookId>, RefError> {
        self.0.refs().books().await
    }
}
