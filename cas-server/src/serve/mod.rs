//! Connections: taking them, and letting them end in order.

mod connection;
mod tls;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};
use tower::Service;

use crate::api::router;
use crate::app::App;
use crate::caller::Peer;
use crate::limits::Limits;
pub(crate) use connection::InRequest;
use connection::{Guarded, Requests};
pub use tls::{Tls, TlsError};

/// The most that the HTTP library buffers for one connection in each direction, in bytes.
const BUFFER_BYTES: usize = 128 * 1024;

/// How long to wait when the machine has no room for one more connection.
const NO_ROOM: Duration = Duration::from_millis(100);

/// A store being served at a listener.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    app: App,
    tls: Option<Tls>,
}

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Every request was answered.
    Drained,
    /// Some requests took longer than a server that is told to stop waits for them.
    CutOff {
        /// How many connections were cut off.
        connections: usize,
    },
}

/// What one connection is served with.
#[derive(Debug, Clone)]
struct Front {
    app: App,
    router: Router,
    tls: Option<Tls>,
}

/// Serves `app` at `listener`: see [`Server::run`].
pub async fn serve(
    listener: TcpListener,
    app: App,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    Server::new(listener, app).run(stop).await;
    Ok(())
}

impl Server {
    /// A server that answers whoever connects to `listener`.
    pub const fn new(listener: TcpListener, app: App) -> Self {
        Self { listener, app, tls: None }
    }

    /// The same server, speaking nothing but TLS.
    #[must_use]
    pub fn with_tls(self, tls: Tls) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// Answers until `stop` ends; then takes no more connections, closes those that are idle, and
    /// waits for the requests under way, for [`Limits::drain_timeout`] at most.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Ended {
        let Self { listener, app, tls } = self;
        let limits = app.settings().limits.clone();
        let front = Front { router: router(app.clone()), app, tls };
        let slots = Arc::new(Semaphore::new(limits.connections));
        let graceful = GracefulShutdown::new();
        let mut connections = JoinSet::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                Some(_ended) = connections.join_next() => {}
                (stream, peer, slot) = accept(&listener, &slots) => {
                    let connection = front.clone().connection(stream, peer, graceful.watcher());
                    connections.spawn(async move {
                        connection.await;
                        drop(slot);
                    });
                }
            }
        }
        drop(listener);
        tokio::select! {
            () = graceful.shutdown() => Ended::Drained,
            () = sleep(limits.drain_timeout) => {
                while connections.try_join_next().is_some() {}
                let left = connections.len();
                connections.shutdown().await;
                if left == 0 { Ended::Drained } else { Ended::CutOff { connections: left } }
            }
        }
    }
}

/// The next connection, once there is room for it.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, Option<OwnedSemaphorePermit>) {
    // Never closed, so there is always a slot in the end.
    let slot = slots.clone().acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, slot),
            Err(error) if is_the_clients(&error) => {}
            // Out of files or memory: others will end and give some back.
            Err(error) => {
                tracing::warn!(%error, "cannot take a connection");
                sleep(NO_ROOM).await;
            }
        }
    }
}

/// Whether a client went away before it was taken.
fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

impl Front {
    /// Serves one client until it or the server has enough.
    async fn connection(self, stream: TcpStream, peer: SocketAddr, watcher: Watcher) {
        let _open = self.app.metrics().connection();
        let limits = &self.app.settings().limits;
        let first = Instant::now() + limits.header_timeout;
        // Answers are sent when they are there, not when more of them are.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        let ended = match &self.tls {
            None => self.talk(stream, peer, watcher, first).await,
            Some(tls) => match timeout_at(first, tls.acceptor().accept(stream)).await {
                Ok(Ok(stream)) => self.talk(stream, peer, watcher, first).await,
                Ok(Err(error)) => {
                    tracing::debug!(%peer, %error, "no TLS");
                    return;
                }
                Err(_) => {
                    self.app.metrics().dropped("slow_head");
                    return;
                }
            },
        };
        if let Err(error) = ended {
            tracing::debug!(%peer, error = crate::problem::chain(&error), "connection ended");
        }
    }

    /// Speaks HTTP/1.1.
    async fn talk<S>(
        &self,
        stream: S,
        peer: SocketAddr,
        watcher: Watcher,
        first: Instant,
    ) -> hyper::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let limits = &self.app.settings().limits;
        let requests = Requests::default();
        let metrics = self.app.metrics().clone();
        let io = Guarded::new(stream, requests.clone(), metrics, limits, first);
        let service = service_fn(|request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(Peer(peer));
            request.extensions_mut().insert(requests.begin());
            answer(self.router.clone(), request)
        });
        let connection = protocol(limits).serve_connection(TokioIo::new(io), service);
        watcher.watch(connection).await
    }
}

async fn answer(mut router: Router, request: Request<Body>) -> Result<Response, Infallible> {
    router.call(request).await
}

/// HTTP/1.1 with these limits.
fn protocol(limits: &Limits) -> http1::Builder {
    let mut protocol = http1::Builder::new();
    protocol
        .timer(TokioTimer::new())
        // From the end of one request to the end of the next one's head: see `Guarded` for more.
        .header_read_timeout(limits.idle_timeout.saturating_add(limits.header_timeout))
        .max_header_size(limits.header_bytes)
        .max_buf_size(BUFFER_BYTES.max(limits.header_bytes));
    protocol
}
