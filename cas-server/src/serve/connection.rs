//! One connection, watched: a client must begin, go on and take its answers at a decent speed.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::pace::Pace;

/// How many requests of a connection are under way: none, or one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Requests(Arc<AtomicUsize>);

/// A request is under way while any clone of this lives.
#[derive(Debug, Clone)]
pub(crate) struct InRequest(#[expect(dead_code, reason = "held, not looked at")] Arc<Under>);

#[derive(Debug)]
struct Under(Requests);

impl Requests {
    /// A request begins.
    pub(super) fn begin(&self) -> InRequest {
        self.0.fetch_add(1, Ordering::Relaxed);
        InRequest(Arc::new(Under(self.clone())))
    }

    fn any(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

impl Drop for Under {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The socket of a connection.
///
/// What the HTTP library does not look after is done here: the head of a request must be complete
/// within its time from its first byte on, and what is sent must be taken at the least rate. How
/// long a connection may be silent between requests is the library's.
#[derive(Debug)]
pub(super) struct Guarded<S> {
    stream: S,
    requests: Requests,
    metrics: Metrics,
    header_timeout: Duration,
    /// When the head that is being read must be complete.
    head: Option<Pin<Box<Sleep>>>,
    sending: Pace,
}

impl<S> Guarded<S> {
    /// Watches `stream`, whose first request must be there by `first`.
    pub(super) fn new(
        stream: S,
        requests: Requests,
        metrics: Metrics,
        limits: &Limits,
        first: Instant,
    ) -> Self {
        Self {
            stream,
            requests,
            metrics,
            header_timeout: limits.header_timeout,
            head: Some(Box::pin(sleep_until(first))),
            sending: Pace::new(limits),
        }
    }

    fn dropped(&self, reason: &'static str) -> io::Error {
        self.metrics.dropped(reason);
        io::Error::new(io::ErrorKind::TimedOut, reason)
    }

    /// What became of an attempt to send: `sent` bytes, or the client is not taking any.
    fn sent<T>(
        &mut self,
        context: &mut Context<'_>,
        attempt: Poll<io::Result<T>>,
        bytes: impl Fn(&T) -> usize,
    ) -> Poll<io::Result<T>> {
        match attempt {
            Poll::Ready(Ok(done)) => {
                self.sending.moved(bytes(&done) as u64);
                Poll::Ready(Ok(done))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => match self.sending.wait(context) {
                Poll::Ready(()) => Poll::Ready(Err(self.dropped("slow_reader"))),
                Poll::Pending => Poll::Pending,
            },
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        if this.requests.any() {
            this.head = None;
        } else if buffer.filled().len() > before {
            let timeout = this.header_timeout;
            this.head.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + timeout)));
        }
        if read.is_pending()
            && let Some(head) = &mut this.head
            && head.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Err(this.dropped("slow_head")));
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let attempt = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.sent(context, attempt, |sent| *sent)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let attempt = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.sent(context, attempt, |sent| *sent)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let attempt = Pin::new(&mut self.stream).poll_flush(context);
        self.sent(context, attempt, |()| 0)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let attempt = Pin::new(&mut self.stream).poll_shutdown(context);
        self.sent(context, attempt, |()| 0)
    }
}
