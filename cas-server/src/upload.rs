//! The body of a request on its way in: counted, and not slower than allowed.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use axum::Error;
use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::Notify;

use crate::limits::Limits;
use crate::pace::Pace;

/// What is known about a body on its way in.
#[derive(Debug, Default)]
pub(crate) struct Upload {
    received: AtomicU64,
    over: AtomicBool,
    slow: AtomicBool,
    ended: Notify,
}

impl Upload {
    /// How many bytes came so far.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Whether the client was too slow.
    pub(crate) fn was_slow(&self) -> bool {
        self.slow.load(Ordering::Relaxed)
    }

    /// Waits until nothing more is read: all of it came, it broke off, or nobody wants the rest.
    pub(crate) async fn ended(&self) {
        let ended = self.ended.notified();
        if !self.over.load(Ordering::Acquire) {
            ended.await;
        }
    }

    fn end(&self) {
        self.over.store(true, Ordering::Release);
        self.ended.notify_waiters();
    }
}

/// A body that is watched.
#[derive(Debug)]
pub(crate) struct Watched {
    body: Body,
    upload: Arc<Upload>,
    pace: Pace,
}

impl Watched {
    pub(crate) fn new(body: Body, upload: Arc<Upload>, limits: &Limits) -> Self {
        if body.is_end_stream() {
            upload.end();
        }
        Self { body, upload, pace: Pace::new(limits) }
    }
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) else {
            ready!(this.pace.wait(context));
            this.upload.slow.store(true, Ordering::Relaxed);
            this.upload.end();
            let slow = io::Error::new(io::ErrorKind::TimedOut, "the body comes too slowly");
            return Poll::Ready(Some(Err(Error::new(slow))));
        };
        let bytes = match &frame {
            Some(Ok(frame)) => frame.data_ref().map_or(0, Bytes::len) as u64,
            _ => 0,
        };
        this.pace.moved(bytes);
        this.upload.received.fetch_add(bytes, Ordering::Relaxed);
        if !matches!(frame, Some(Ok(_))) || this.body.is_end_stream() {
            this.upload.end();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.upload.end();
    }
}
