//! One request to a server, tried again where that is right.
//!
//! Every request here may be repeated: objects are named by their content, and a move of a ref by
//! its request id. So a broken connection, a silent server and one that says "not now" are tried
//! again, with pauses that double and are drawn by lot; a server that never answered anything is
//! given up soon, since its address is most likely wrong.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode, redirect};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::RemoteError;
use crate::env::{Env, Timestamp};
use crate::store::StoreError;
use crate::store::spool::Spooled;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an answer may stand still.
pub(super) const STILL_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the beginning of an answer may take, besides the time for sending the body.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);

/// The slowest line that a body is sent over, in bytes a second.
const SLOWEST: u64 = 64 * 1024;

/// How often a request is tried: with the pauses this is half a minute.
const TRIES: u32 = 12;

/// How often a request is tried while nothing ever answered.
const FIRST_TRIES: u32 = 3;

/// The first pause, in milliseconds.
const PAUSE_MS: u64 = 100;

/// The longest pause, in milliseconds.
const PAUSE_LIMIT_MS: u64 = 5_000;

/// Largest answer of JSON or of one entry, in bytes.
const ANSWER_BYTES: u64 = 32 * 1024 * 1024;

/// Largest answer that says what went wrong, in bytes.
const PROBLEM_BYTES: u64 = 64 * 1024;

/// A client of one server. Clones share their connections.
#[derive(Debug, Clone)]
pub(super) struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    http: reqwest::Client,
    /// Without a slash at its end.
    server: String,
    token: Option<Token>,
    env: Env,
    /// Whether anything ever answered.
    reached: AtomicBool,
}

/// The secret by which the server knows its client; never shown.
pub(super) struct Token(HeaderValue);

impl Token {
    pub(super) fn parse(text: &str) -> Result<Self, StoreError> {
        let bad = || StoreError::Credentials {
            reason: "the token in CAS_TOKEN is none: it has characters that no token has"
                .to_owned(),
        };
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(bad());
        }
        let mut value = HeaderValue::from_str(&format!("Bearer {text}")).map_err(|_| bad())?;
        value.set_sensitive(true);
        Ok(Self(value))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// A request that can be sent again and again.
#[derive(Debug, Clone)]
pub(super) struct Call {
    method: Method,
    /// Begins with a slash, and is escaped.
    path: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Body,
}

#[derive(Debug, Clone)]
enum Body {
    Empty,
    Bytes(Bytes),
    /// A whole object, in memory or in a file.
    Spooled(Arc<Spooled>, u64),
}

impl Call {
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    pub(super) fn head(path: impl Into<String>) -> Self {
        Self::new(Method::HEAD, path)
    }

    pub(super) fn post(path: impl Into<String>, media_type: &'static str, body: Bytes) -> Self {
        let call = Self { body: Body::Bytes(body), ..Self::new(Method::POST, path) };
        call.header(reqwest::header::CONTENT_TYPE, HeaderValue::from_static(media_type))
    }

    pub(super) fn post_json(path: impl Into<String>, body: &impl Serialize) -> Self {
        // Only types of this module's own come here, which JSON can hold.
        let body = serde_json::to_vec(body).unwrap_or_default();
        Self::post(path, "application/json", body.into())
    }

    pub(super) fn put(path: impl Into<String>, body: Arc<Spooled>, size: u64) -> Self {
        let call = Self { body: Body::Spooled(body, size), ..Self::new(Method::PUT, path) };
        let octets = HeaderValue::from_static("application/octet-stream");
        call.header(reqwest::header::CONTENT_TYPE, octets)
    }

    fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), headers: Vec::new(), body: Body::Empty }
    }

    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    fn body_bytes(&self) -> u64 {
        match &self.body {
            Body::Empty => 0,
            Body::Bytes(bytes) => bytes.len() as u64,
            Body::Spooled(_, size) => *size,
        }
    }
}

impl Client {
    /// A client of the server at `url`, which has no slash at its end.
    pub(super) fn new(url: &str, token: Option<Token>, env: Env) -> Result<Self, StoreError> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("cas/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            // A redirect could carry the token to somebody else.
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|error| RemoteError::from_transport(url, error))?;
        let (server, reached) = (url.to_owned(), AtomicBool::new(false));
        Ok(Self { inner: Arc::new(Inner { http, server, token, env, reached }) })
    }

    /// The present moment.
    pub(super) fn now(&self) -> Timestamp {
        self.inner.env.clock.now()
    }

    /// The server, for errors.
    pub(super) fn server(&self) -> &str {
        &self.inner.server
    }

    /// Does something until it succeeds, or fails in a way that stands.
    pub(super) async fn again<T, F>(&self, act: impl Fn() -> F) -> Result<T, RemoteError>
    where
        F: Future<Output = Result<T, Failed>>,
    {
        let mut failures = 0;
        loop {
            let failed = match act().await {
                Ok(done) => return Ok(done),
                Err(failed) => failed,
            };
            failures += 1;
            if !self.may_try_again(failures, &failed.error) {
                return Err(failed.error);
            }
            self.pause(failures, failed.retry_after).await;
        }
    }

    /// The whole answer to a request, as JSON.
    pub(super) async fn json<T: DeserializeOwned>(&self, call: &Call) -> Result<T, RemoteError> {
        self.again(|| async { Ok(self.send_once(call).await?.json().await?) }).await
    }

    /// Whether a request that failed so often in a row is worth trying again.
    pub(super) fn may_try_again(&self, failures: u32, error: &RemoteError) -> bool {
        let reached = self.inner.reached.load(Ordering::Relaxed);
        error.is_passing() && failures < if reached { TRIES } else { FIRST_TRIES }
    }

    /// Waits before a request is tried again.
    pub(super) async fn pause(&self, failures: u32, asked: Option<Duration>) {
        let ceiling = (PAUSE_MS << failures.min(10).saturating_sub(1)).min(PAUSE_LIMIT_MS);
        let lot =
            u64::from_le_bytes(self.inner.env.entropy.bytes()[..8].try_into().unwrap_or_default());
        let pause = Duration::from_millis(ceiling / 2 + lot % (ceiling / 2));
        tokio::time::sleep(asked.map_or(pause, |asked| asked.max(pause))).await;
    }

    /// Sends a request once.
    pub(super) async fn send_once(&self, call: &Call) -> Result<Answer, Failed> {
        let Inner { http, server, token, .. } = &*self.inner;
        let mut request = http.request(call.method.clone(), format!("{server}{}", call.path));
        if let Some(Token(token)) = token {
            request = request.header(AUTHORIZATION, token.clone());
        }
        for (name, value) in &call.headers {
            request = request.header(name, value.clone());
        }
        request = match &call.body {
            Body::Empty => request,
            Body::Bytes(bytes) => request.body(bytes.clone()),
            Body::Spooled(spooled, size) => {
                let stream = spooled.pieces(*size).map_err(|error| RemoteError::Broken {
                    server: server.clone(),
                    reason: error.to_string(),
                })?;
                request
                    .header(reqwest::header::CONTENT_LENGTH, *size)
                    .body(reqwest::Body::wrap_stream(stream.pieces))
            }
        };
        let limit = ANSWER_TIMEOUT + Duration::from_secs(call.body_bytes() / SLOWEST);
        let silent = || RemoteError::Silent { server: server.clone() };
        let sent = tokio::time::timeout(limit, request.send()).await.map_err(|_| silent())?;
        let response = sent.map_err(|error| RemoteError::from_transport(server, error))?;
        self.inner.reached.store(true, Ordering::Relaxed);
        let status = response.status();
        let answer = Answer { client: self.clone(), response };
        if status.is_success() {
            return Ok(answer);
        }
        let retry_after = answer.retry_after();
        if status.is_redirection() {
            let reason = format!("it answers with status {}", status.as_u16());
            return Err(RemoteError::NoServer { server: server.clone(), reason }.into());
        }
        let error = if call.method == Method::HEAD {
            answer.problem_without_body()
        } else {
            // Of what is no problem, any part is enough.
            let body = answer.bytes(PROBLEM_BYTES).await.unwrap_or_default();
            RemoteError::from_answer(server, status.as_u16(), &body)
        };
        Err(Failed { error, retry_after })
    }
}

/// A try that failed.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) error: RemoteError,
    /// How long the server asks to wait.
    pub(super) retry_after: Option<Duration>,
}

impl From<RemoteError> for Failed {
    fn from(error: RemoteError) -> Self {
        Self { error, retry_after: None }
    }
}

/// The beginning of a successful answer.
#[derive(Debug)]
pub(super) struct Answer {
    client: Client,
    response: Response,
}

impl Answer {
    /// The length of the body, if it is announced.
    pub(super) fn announced(&self) -> Option<u64> {
        let length = self.response.headers().get(reqwest::header::CONTENT_LENGTH)?;
        length.to_str().ok()?.parse().ok()
    }

    /// Whether the request made something new.
    pub(super) fn is_created(&self) -> bool {
        self.response.status() == StatusCode::CREATED
    }

    /// A header, as text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// The next piece of the body.
    pub(super) async fn piece(&mut self) -> Result<Option<Bytes>, RemoteError> {
        let server = self.client.server();
        match tokio::time::timeout(STILL_TIMEOUT, self.response.chunk()).await {
            Ok(piece) => piece.map_err(|error| RemoteError::from_transport(server, error)),
            Err(_) => Err(RemoteError::Silent { server: server.to_owned() }),
        }
    }

    /// The whole body, of at most `limit` bytes.
    pub(super) async fn bytes(mut self, limit: u64) -> Result<Bytes, RemoteError> {
        let mut all = BytesMut::new();
        while let Some(piece) = self.piece().await? {
            if all.len() as u64 + piece.len() as u64 > limit {
                let reason = format!("an answer has more than {limit} bytes");
                return Err(RemoteError::lie(self.client.server(), reason));
            }
            if all.is_empty() && self.announced() == Some(piece.len() as u64) {
                return Ok(piece);
            }
            all.extend_from_slice(&piece);
        }
        Ok(all.freeze())
    }

    /// The body as JSON.
    pub(super) async fn json<T: DeserializeOwned>(self) -> Result<T, RemoteError> {
        let client = self.client.clone();
        let body = self.bytes(ANSWER_BYTES).await?;
        serde_json::from_slice(&body).map_err(|error| RemoteError::NoServer {
            server: client.server().to_owned(),
            reason: format!("it does not answer as such a server does: {error}"),
        })
    }

    fn retry_after(&self) -> Option<Duration> {
        let seconds: u64 = self.header(RETRY_AFTER.as_str())?.parse().ok()?;
        Some(Duration::from_secs(seconds).min(Duration::from_millis(2 * PAUSE_LIMIT_MS)))
    }

    /// The error for an answer to `HEAD` that is no success: what went wrong is not said.
    fn problem_without_body(&self) -> RemoteError {
        let status = self.response.status();
        let is_problem =
            self.header("content-type").is_some_and(|kind| kind.contains("problem+json"));
        if !is_problem {
            return RemoteError::from_answer(self.client.server(), status.as_u16(), &[]);
        }
        let code = if status == StatusCode::NOT_FOUND { "no_object" } else { "unsaid" };
        let detail = format!("the server answered with status {}", status.as_u16());
        RemoteError::Refused { status: status.as_u16(), code: code.to_owned(), detail, seq: None }
    }
}
