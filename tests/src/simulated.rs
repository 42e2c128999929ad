//! A bucket behind a network, in memory: requests take time, and keys are not written twice at
//! once.
//!
//! Time is tokio's. Under a paused clock, waiting takes none: a test reads from the clock how long
//! a client would have waited, to the millisecond and the same in every run. With a running clock
//! it is waited for.
//!
//! What it leaves out: connections and their setting up, a client's repeating of requests by
//! itself, servers that get slower when much is asked of them, and any time of the store's own. A
//! body is handed over when all of it has arrived. Bandwidth is one pipe for both directions and
//! all requests, first come, first served. Lists by pages take neither delimiter nor offset.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryStreamExt};
use object_store::list::{PaginatedListOptions, PaginatedListResult, PaginatedListStore};
use object_store::memory::InMemory;
use object_store::path::Path as Key;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};
use tokio::time::{Instant, sleep, sleep_until};

use crate::counting::PAGE;

/// The network, and what the bucket has against being written to. The default has neither.
#[derive(Debug, Clone, Copy, Default)]
pub struct Network {
    /// How long each request takes, whatever it carries.
    pub latency: Duration,
    /// How many bytes a second all requests carry together; no limit without it.
    pub bytes_per_second: Option<u64>,
    /// Within this time after a write of a key, another write of it is answered as R2 does: with
    /// 429. A write that was refused because the key was taken counts as one.
    pub write_interval: Option<Duration>,
}

/// A bucket in memory behind a [`Network`]. Clones are the same bucket.
#[derive(Debug, Clone)]
pub struct SimulatedBucket {
    memory: Arc<InMemory>,
    line: Line,
}

/// What requests have to pass.
#[derive(Debug, Clone)]
struct Line {
    network: Network,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// When the pipe has carried all that it was given.
    free_at: Option<Instant>,
    /// When each key was written last.
    written: BTreeMap<Key, Instant>,
}

impl SimulatedBucket {
    /// An empty bucket.
    pub fn new(network: Network) -> Self {
        Self::over(Arc::new(InMemory::new()), network)
    }

    /// What is in `memory`, seen through a network.
    pub fn over(memory: Arc<InMemory>, network: Network) -> Self {
        Self { memory, line: Line { network, state: Arc::default() } }
    }
}

impl Line {
    /// A request that carries so many bytes is on its way.
    async fn pass(&self, bytes: u64) {
        if !self.network.latency.is_zero() {
            sleep(self.network.latency).await;
        }
        let Some(rate) = self.network.bytes_per_second.filter(|_| bytes > 0) else {
            return;
        };
        let takes = Duration::from_micros(bytes.saturating_mul(1_000_000) / rate.max(1));
        let done = {
            let (now, mut state) = (Instant::now(), self.lock());
            let done = state.free_at.map_or(now, |at| at.max(now)) + takes;
            state.free_at = Some(done);
            done
        };
        sleep_until(done).await;
    }

    /// Whether `key` may be written now; if so, it counts as written.
    fn admit(&self, key: &Key) -> Result<()> {
        let Some(interval) = self.network.write_interval else {
            return Ok(());
        };
        let (now, mut state) = (Instant::now(), self.lock());
        if state.written.get(key).is_some_and(|last| now < *last + interval) {
            let source = "server returned 429 Too Many Requests: <Error><Code>TooManyRequests\
                </Code><Message>Reduce your concurrent request rate for the same object.\
                </Message></Error>";
            return Err(Error::Generic { store: "S3", source: source.into() });
        }
        state.written.insert(key.clone(), now);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for SimulatedBucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a simulated bucket")
    }
}

#[async_trait]
impl ObjectStore for SimulatedBucket {
    async fn put_opts(
        &self,
        key: &Key,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.line.pass(payload.content_length() as u64).await;
        self.line.admit(key)?;
        self.memory.put_opts(key, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        key: &Key,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.line.pass(0).await;
        let inner = self.memory.put_multipart_opts(key, options).await?;
        Ok(Box::new(SimulatedUpload { key: key.clone(), inner, line: self.line.clone() }))
    }

    async fn get_opts(&self, key: &Key, options: GetOptions) -> Result<GetResult> {
        let head = options.head;
        let answer = self.memory.get_opts(key, options).await;
        let bytes = answer.as_ref().map_or(0, |found| found.range.end - found.range.start);
        self.line.pass(if head { 0 } else { bytes }).await;
        answer
    }

    fn delete_stream(
        &self,
        keys: BoxStream<'static, Result<Key>>,
    ) -> BoxStream<'static, Result<Key>> {
        let line = self.line.clone();
        let passed = keys.and_then(move |key| {
            let line = line.clone();
            async move {
                line.pass(0).await;
                Ok(key)
            }
        });
        self.memory.delete_stream(passed.boxed())
    }

    fn list(&self, prefix: Option<&Key>) -> BoxStream<'static, Result<ObjectMeta>> {
        let line = self.line.clone();
        let pages = self.memory.list(prefix).chunks(PAGE).then(move |page| {
            let line = line.clone();
            async move {
                line.pass(0).await;
                futures::stream::iter(page)
            }
        });
        pages.flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Key>) -> Result<ListResult> {
        let listed = self.memory.list_with_delimiter(prefix).await?;
        let items = listed.objects.len() + listed.common_prefixes.len();
        for _ in 0..items.div_ceil(PAGE).max(1) {
            self.line.pass(0).await;
        }
        Ok(listed)
    }

    async fn copy_opts(&self, from: &Key, to: &Key, options: CopyOptions) -> Result<()> {
        self.line.pass(0).await;
        self.line.admit(to)?;
        self.memory.copy_opts(from, to, options).await
    }
}

#[async_trait]
impl PaginatedListStore for SimulatedBucket {
    async fn list_paginated(
        &self,
        prefix: Option<&str>,
        options: PaginatedListOptions,
    ) -> Result<PaginatedListResult> {
        if options.delimiter.is_some() || options.offset.is_some() {
            let source = "a simulated bucket lists neither by delimiter nor from an offset".into();
            return Err(Error::NotSupported { source });
        }
        self.line.pass(0).await;
        let prefix = prefix.unwrap_or_default();
        let folder = prefix.rsplit_once('/').and_then(|(folder, _)| Key::parse(folder).ok());
        let keys = self.memory.list(folder.as_ref()).try_collect::<Vec<_>>().await?;
        let after = options.page_token.unwrap_or_default();
        let mut objects: Vec<_> = keys
            .into_iter()
            .filter(|meta| meta.location.as_ref().starts_with(prefix))
            .filter(|meta| meta.location.as_ref() > after.as_str())
            .collect();
        objects.sort_unstable_by(|a, b| a.location.cmp(&b.location));
        let max = options.max_keys.unwrap_or(PAGE).min(PAGE);
        let more = objects.len() > max;
        objects.truncate(max);
        let page_token =
            objects.last().filter(|_| more).map(|last| last.location.as_ref().to_owned());
        let extensions = object_store::Extensions::default();
        let result = ListResult { objects, common_prefixes: Vec::new(), extensions };
        Ok(PaginatedListResult { result, page_token })
    }
}

/// An upload whose parts pass the line.
#[derive(Debug)]
struct SimulatedUpload {
    key: Key,
    inner: Box<dyn MultipartUpload>,
    line: Line,
}

#[async_trait]
impl MultipartUpload for SimulatedUpload {
    fn put_part(&mut self, payload: PutPayload) -> UploadPart {
        let (line, size) = (self.line.clone(), payload.content_length() as u64);
        let part = self.inner.put_part(payload);
        async move {
            line.pass(size).await;
            part.await
        }
        .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.line.pass(0).await;
        self.line.admit(&self.key)?;
        self.inner.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        self.line.pass(0).await;
        self.inner.abort().await
    }
}
