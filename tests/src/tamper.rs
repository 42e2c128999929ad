//! A reverse proxy that notes what passes, and lets a test change the answers.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use hyper::{Request, Response, StatusCode};

use crate::loopback::{self, Body, Closed, Loopback};

/// A request that passed.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Its method.
    pub method: String,
    /// Its path and query.
    pub path: String,
    /// Its body.
    pub body: Bytes,
}

/// An answer on its way back.
#[derive(Debug, Clone)]
pub struct Told {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: Bytes,
    /// How it ends.
    pub end: End,
}

/// How an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// As it should.
    Whole,
    /// The connection is closed although more was announced.
    Cut,
    /// Nothing more comes, and the connection stays open.
    Stalled,
    /// The connection is closed without an answer.
    Lost,
}

/// What passed.
#[derive(Debug, Clone)]
pub struct Passed {
    /// The request.
    pub asked: Asked,
    /// How many bytes the body of the answer had.
    pub answer_bytes: u64,
}

type Change = dyn Fn(u64, &Asked, Told) -> Told + Send + Sync;

/// A running proxy. Dropping it stops it.
#[derive(Debug)]
pub struct TamperProxy {
    passed: Arc<Mutex<Vec<Passed>>>,
    loopback: Loopback,
}

impl TamperProxy {
    /// A proxy before the server at `upstream`, as `http://HOST:PORT`. `change` is given the number
    /// of each request, counted from 0, the request, and the answer, and says what is answered.
    ///
    /// # Panics
    ///
    /// If `upstream` is no address, or there is no port to be had.
    pub fn start(
        upstream: &str,
        change: impl Fn(u64, &Asked, Told) -> Told + Send + Sync + 'static,
    ) -> Self {
        let address = upstream.trim_start_matches("http://");
        let upstream: SocketAddr = address.parse().expect("a server on this machine");
        let passed: Arc<Mutex<Vec<Passed>>> = Arc::default();
        let (noted, change): (_, Arc<Change>) = (passed.clone(), Arc::new(change));
        let answer = move |request| forward(upstream, request, noted.clone(), change.clone());
        let loopback = Loopback::serve(0, answer).expect("a free port is to be had");
        Self { passed, loopback }
    }

    /// A proxy that changes nothing.
    pub fn watch(upstream: &str) -> Self {
        Self::start(upstream, |_, _, told| told)
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.loopback.address())
    }

    /// What passed since this was asked last.
    pub fn take(&self) -> Vec<Passed> {
        std::mem::take(&mut *lock(&self.passed))
    }
}

async fn forward(
    upstream: SocketAddr,
    request: Request<Incoming>,
    passed: Arc<Mutex<Vec<Passed>>>,
    change: Arc<Change>,
) -> Result<Response<Body>, Closed> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Closed)?.to_bytes();
    let path = head.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let asked = Asked { method: head.method.to_string(), path, body: body.clone() };
    let nth = {
        let mut passed = lock(&passed);
        passed.push(Passed { asked: asked.clone(), answer_bytes: 0 });
        passed.len() - 1
    };
    let request = Request::from_parts(head, loopback::whole(body));
    let (mut head, body) = loopback::send(upstream, request).await?.into_parts();
    let told = Told { status: head.status.as_u16(), body: body.clone(), end: End::Whole };
    let told = change(nth as u64, &asked, told);
    if let Some(noted) = lock(&passed).get_mut(nth) {
        noted.answer_bytes = told.body.len() as u64;
    }
    head.status = StatusCode::from_u16(told.status).unwrap_or_default();
    if told.body != body {
        head.headers.remove(TRANSFER_ENCODING);
        head.headers.insert(CONTENT_LENGTH, told.body.len().into());
    }
    if matches!(told.end, End::Cut | End::Stalled) {
        head.headers.remove(CONTENT_LENGTH);
    }
    let body = match told.end {
        End::Whole => loopback::whole(told.body),
        End::Cut => loopback::cut(told.body),
        End::Stalled => loopback::stalled(told.body),
        End::Lost => return Err(Closed),
    };
    Ok(Response::from_parts(head, body))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
