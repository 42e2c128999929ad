//! HTTP on 127.0.0.1, served by a thread of its own so that synchronous tests can use it.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// The body of an answer; its error closes the connection.
pub(crate) type Body = UnsyncBoxBody<Bytes, Closed>;

/// Instead of an answer or of the rest of one: the connection is closed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection is closed on purpose")
    }
}

impl Error for Closed {}

/// A server on a port of its own. Dropping it stops it and closes every connection.
#[derive(Debug)]
pub(crate) struct Loopback {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Loopback {
    /// Serves `answer` on `port`, or on a free port if that is 0.
    pub(crate) fn serve<F, A>(port: u16, answer: F) -> io::Result<Self>
    where
        F: Fn(Request<Incoming>) -> A + Clone + Send + 'static,
        A: Future<Output = Result<Response<Body>, Closed>> + Send + 'static,
    {
        let listener = StdListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        // Two threads, so that requests do race.
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(listener)?
        };
        let (stop, stopped) = oneshot::channel();
        let serve = move || runtime.block_on(accept(&listener, &answer, stopped));
        let thread = std::thread::Builder::new().name("loopback".to_owned()).spawn(serve)?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        // It ends when the sender is gone.
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Takes connections until `stopped`.
async fn accept<F, A>(listener: &TcpListener, answer: &F, mut stopped: oneshot::Receiver<()>)
where
    F: Fn(Request<Incoming>) -> A + Clone + Send + 'static,
    A: Future<Output = Result<Response<Body>, Closed>> + Send + 'static,
{
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut stopped => return,
        };
        let Ok((stream, _)) = accepted else { continue };
        let _ = stream.set_nodelay(true);
        let answer = answer.clone();
        tokio::spawn(async move {
            let connection = http1::Builder::new();
            // A connection that ends badly is for the client to notice.
            let _ = connection.serve_connection(TokioIo::new(stream), service_fn(answer)).await;
        });
    }
}

/// Sends a request by a connection of its own, so that none is disturbed by another.
pub(crate) async fn send(
    upstream: SocketAddr,
    request: Request<Body>,
) -> Result<Response<Bytes>, Closed> {
    let stream = TcpStream::connect(upstream).await.map_err(|_| Closed)?;
    let _ = stream.set_nodelay(true);
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|_| Closed)?;
    tokio::spawn(connection);
    let (head, body) = sender.send_request(request).await.map_err(|_| Closed)?.into_parts();
    let body = body.collect().await.map_err(|_| Closed)?.to_bytes();
    Ok(Response::from_parts(head, body))
}

/// All of `bytes` at once.
pub(crate) fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never: Infallible| match never {}).boxed_unsync()
}

/// `bytes`, and then the connection is closed though more was announced.
pub(crate) fn cut(bytes: Bytes) -> Body {
    let pieces = stream::unfold(Some(bytes), |bytes| async {
        match bytes {
            Some(bytes) => Some((Ok(Frame::data(bytes)), None)),
            None => {
                // What was sent before is flushed only if the body is not ready with the error.
                tokio::time::sleep(Duration::from_millis(2)).await;
                Some((Err(Closed), None))
            }
        }
    });
    StreamBody::new(pieces).boxed_unsync()
}

/// `bytes`, and then nothing, without an end.
pub(crate) fn stalled(bytes: Bytes) -> Body {
    let first = stream::iter([Ok(Frame::data(bytes))]);
    StreamBody::new(first.chain(stream::pending())).boxed_unsync()
}

/// `bytes` at no more than so many a second.
pub(crate) fn paced(bytes: Bytes, bytes_per_second: u64) -> Body {
    const PIECE_BYTES: usize = 16 * 1024;
    let pieces = stream::unfold(bytes, move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        let piece = rest.split_to(rest.len().min(PIECE_BYTES));
        tokio::time::sleep(transfer(piece.len(), bytes_per_second)).await;
        Some((Ok(Frame::data(piece)), rest))
    });
    StreamBody::new(pieces).boxed_unsync()
}

/// How long so many bytes are on their way.
pub(crate) fn transfer(bytes: usize, bytes_per_second: u64) -> Duration {
    let micros = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(1_000_000);
    Duration::from_micros(micros / bytes_per_second.max(1))
}

/// How many bytes to keep of what is cut: half, and never all.
pub(crate) fn half(bytes: &Bytes) -> Bytes {
    bytes.slice(..bytes.len() / 2)
}
