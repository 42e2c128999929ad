//! An object store that counts its requests, as a bucket would bill them.
//!
//! A list counts once for each page of [`PAGE`] keys, a stream of deletions once for each key, an
//! upload in parts once for each of its steps. A request is in flight until its answer is there,
//! and a get until its body is read or dropped.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use hyper::StatusCode;
use object_store::list::{PaginatedListOptions, PaginatedListResult, PaginatedListStore};
use object_store::path::Path as Key;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
    UploadPart,
};

pub use crate::s3::Counts;
use crate::s3::counts::Kind;

/// The most keys in one page of a list.
pub const PAGE: usize = 1_000;

/// A store that counts. Clones share the counts, so that one of them may be kept as the handle.
#[derive(Debug)]
pub struct CountingStore<S: ?Sized> {
    inner: Arc<S>,
    tally: Tally,
}

/// What is shared.
#[derive(Debug, Clone, Default)]
struct Tally(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    counts: Counts,
    in_flight: usize,
    peak: usize,
}

impl<S: ?Sized> CountingStore<S> {
    /// `inner`, counted from zero.
    pub fn new(inner: Arc<S>) -> Self {
        Self { inner, tally: Tally::default() }
    }

    /// What was counted since the last call, which is forgotten then, as is the peak.
    pub fn take(&self) -> Counts {
        let mut state = self.tally.lock();
        state.peak = state.in_flight;
        std::mem::take(&mut state.counts)
    }

    /// The most requests that were in flight at once since the last [`take`](Self::take).
    pub fn peak(&self) -> usize {
        self.tally.lock().peak
    }
}

impl<S: ?Sized> Clone for CountingStore<S> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), tally: self.tally.clone() }
    }
}

impl Tally {
    /// A request begins; it is in flight until what this gives is dropped.
    fn begin(&self, kind: Kind) -> InFlight {
        let mut state = self.lock();
        state.counts.arrived(kind);
        state.in_flight += 1;
        state.peak = state.peak.max(state.in_flight);
        InFlight(self.clone())
    }

    /// So many more pages than the one that was counted at first.
    fn more_pages(&self, items: usize) {
        self.lock().counts.list += items.div_ceil(PAGE).max(1) as u64 - 1;
    }

    fn answered<T>(&self, kind: Kind, answer: &Result<T>) {
        let status = match answer {
            Ok(_) => StatusCode::OK,
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => {
                StatusCode::PRECONDITION_FAILED
            }
            Err(Error::NotFound { .. }) => StatusCode::NOT_FOUND,
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        self.lock().counts.answered(kind, status);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request on its way.
struct InFlight(Tally);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.lock().in_flight -= 1;
    }
}

impl<S: fmt::Display + ?Sized> fmt::Display for CountingStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "counted {}", &*self.inner)
    }
}

#[async_trait]
impl<S: ObjectStore + ?Sized> ObjectStore for CountingStore<S> {
    async fn put_opts(
        &self,
        key: &Key,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let _flight = self.tally.begin(Kind::Put);
        let size = payload.content_length() as u64;
        let answer = self.inner.put_opts(key, payload, options).await;
        self.tally.answered(Kind::Put, &answer);
        self.tally.lock().counts.bytes_in += size;
        answer
    }

    async fn put_multipart_opts(
        &self,
        key: &Key,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let _flight = self.tally.begin(Kind::Upload);
        let inner = self.inner.put_multipart_opts(key, options).await?;
        Ok(Box::new(CountingUpload { inner, tally: self.tally.clone() }))
    }

    async fn get_opts(&self, key: &Key, options: GetOptions) -> Result<GetResult> {
        let kind = if options.head { Kind::Head } else { Kind::Get };
        let flight = self.tally.begin(kind);
        let answer = self.inner.get_opts(key, options).await;
        self.tally.answered(kind, &answer);
        let mut result = answer?;
        if kind == Kind::Get {
            self.tally.lock().counts.bytes_out += result.range.end - result.range.start;
        }
        result.payload = match result.payload {
            GetResultPayload::Stream(pieces) if kind == Kind::Get => {
                let read = pieces.inspect(move |_| {
                    let _until_it_is_read = &flight;
                });
                GetResultPayload::Stream(read.boxed())
            }
            other => other,
        };
        Ok(result)
    }

    fn delete_stream(
        &self,
        keys: BoxStream<'static, Result<Key>>,
    ) -> BoxStream<'static, Result<Key>> {
        let tally = self.tally.clone();
        let counted = keys.inspect(move |key| {
            if key.is_ok() {
                drop(tally.begin(Kind::Delete));
            }
        });
        self.inner.delete_stream(counted.boxed())
    }

    fn list(&self, prefix: Option<&Key>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (tally, mut seen) = (self.tally.clone(), 0);
        let flight = tally.begin(Kind::List);
        let counted = self.inner.list(prefix).inspect(move |_| {
            let _until_it_is_read = &flight;
            seen += 1;
            if seen > PAGE && seen % PAGE == 1 {
                tally.lock().counts.list += 1;
            }
        });
        counted.boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Key>) -> Result<ListResult> {
        let _flight = self.tally.begin(Kind::List);
        let listed = self.inner.list_with_delimiter(prefix).await?;
        self.tally.more_pages(listed.objects.len() + listed.common_prefixes.len());
        Ok(listed)
    }

    async fn copy_opts(&self, from: &Key, to: &Key, options: CopyOptions) -> Result<()> {
        let _flight = self.tally.begin(Kind::Put);
        let answer = self.inner.copy_opts(from, to, options).await;
        self.tally.answered(Kind::Put, &answer);
        answer
    }
}

#[async_trait]
impl<S: PaginatedListStore + ?Sized> PaginatedListStore for CountingStore<S> {
    async fn list_paginated(
        &self,
        prefix: Option<&str>,
        options: PaginatedListOptions,
    ) -> Result<PaginatedListResult> {
        let _flight = self.tally.begin(Kind::List);
        self.inner.list_paginated(prefix, options).await
    }
}

/// An upload whose steps are counted.
#[derive(Debug)]
struct CountingUpload {
    inner: Box<dyn MultipartUpload>,
    tally: Tally,
}

#[async_trait]
impl MultipartUpload for CountingUpload {
    fn put_part(&mut self, payload: PutPayload) -> UploadPart {
        let (tally, size) = (self.tally.clone(), payload.content_length() as u64);
        let part: BoxFuture<'static, Result<()>> = self.inner.put_part(payload);
        async move {
            let _flight = tally.begin(Kind::Part);
            let sent = part.await;
            tally.lock().counts.bytes_in += size;
            sent
        }
        .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let _flight = self.tally.begin(Kind::Completion);
        self.inner.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        let _flight = self.tally.begin(Kind::Upload);
        self.inner.abort().await
    }
}
