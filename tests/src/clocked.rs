//! A store whose time is a test's to set.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use cas_core::env::{Clock, Env, Timestamp};
use chrono::{DateTime, Utc};
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path as Key;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use crate::env::test_env;

/// A clock that goes on by one microsecond each time it is asked, and by as much as a test says.
#[derive(Debug, Clone)]
pub struct HandClock(Arc<AtomicU64>);

impl HandClock {
    /// Some day in 2026.
    pub fn new() -> Self {
        Self(Arc::new(AtomicU64::new(1_767_225_600_000_000)))
    }

    /// At some time.
    pub fn at(now: Timestamp) -> Self {
        Self(Arc::new(AtomicU64::new(now.as_micros())))
    }

    /// The present moment, without going on.
    pub fn read(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed))
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        let micros = u64::try_from(by.as_micros()).unwrap_or(u64::MAX);
        self.0.fetch_add(micros, Ordering::Relaxed);
    }

    /// An environment of its own for each `seed`, with this clock ahead by `skew`.
    pub fn env(&self, seed: u32, skew: Duration) -> Env {
        Env { clock: Arc::new(Skewed { clock: self.clone(), skew }), ..test_env(seed) }
    }
}

impl Default for HandClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// The clock of a machine that is ahead.
#[derive(Debug)]
struct Skewed {
    clock: HandClock,
    skew: Duration,
}

impl Clock for Skewed {
    fn now(&self) -> Timestamp {
        let skew = u64::try_from(self.skew.as_micros()).unwrap_or(u64::MAX);
        Timestamp::from_micros(self.clock.now().as_micros().saturating_add(skew))
    }
}

/// A store that says of every object that it was written when the clock said so.
#[derive(Debug, Clone)]
pub struct ClockedStore {
    inner: Arc<dyn ObjectStore>,
    clock: HandClock,
    written: Arc<Mutex<BTreeMap<Key, Timestamp>>>,
}

impl ClockedStore {
    /// `inner`, whose objects are all as old as time.
    pub fn new(inner: Arc<dyn ObjectStore>, clock: HandClock) -> Self {
        Self { inner, clock, written: Arc::default() }
    }

    /// `inner`, whose objects were written at these times, and the others as long ago as can be.
    pub fn with_times(
        inner: Arc<dyn ObjectStore>,
        clock: HandClock,
        written: BTreeMap<Key, Timestamp>,
    ) -> Self {
        Self { inner, clock, written: Arc::new(Mutex::new(written)) }
    }

    /// When each object was written that is or was there.
    pub fn times(&self) -> BTreeMap<Key, Timestamp> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn dated(&self, meta: ObjectMeta) -> ObjectMeta {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let micros = written.get(&meta.location).map_or(0, |time| time.as_micros());
        let time = DateTime::<Utc>::from_timestamp_micros(i64::try_from(micros).unwrap_or(0));
        ObjectMeta { last_modified: time.unwrap_or_default(), ..meta }
    }

    fn wrote(&self, key: &Key) {
        let now = self.clock.now();
        self.written.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), now);
    }
}

impl fmt::Display for ClockedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "clocked {}", self.inner)
    }
}

#[async_trait]
impl ObjectStore for ClockedStore {
    async fn put_opts(
        &self,
        key: &Key,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let put = self.inner.put_opts(key, payload, options).await?;
        self.wrote(key);
        Ok(put)
    }

    async fn put_multipart_opts(
        &self,
        key: &Key,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.wrote(key);
        self.inner.put_multipart_opts(key, options).await
    }

    async fn get_opts(&self, key: &Key, options: GetOptions) -> Result<GetResult> {
        let found = self.inner.get_opts(key, options).await?;
        Ok(GetResult { meta: self.dated(found.meta), ..found })
    }

    fn delete_stream(
        &self,
        keys: BoxStream<'static, Result<Key>>,
    ) -> BoxStream<'static, Result<Key>> {
        self.inner.delete_stream(keys)
    }

    fn list(&self, prefix: Option<&Key>) -> BoxStream<'static, Result<ObjectMeta>> {
        let this = self.clone();
        self.inner.list(prefix).map(move |meta| meta.map(|meta| this.dated(meta))).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Key>) -> Result<ListResult> {
        let mut found = self.inner.list_with_delimiter(prefix).await?;
        found.objects = found.objects.into_iter().map(|meta| self.dated(meta)).collect();
        Ok(found)
    }

    async fn copy_opts(&self, from: &Key, to: &Key, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await?;
        self.wrote(to);
        Ok(())
    }
}
