//! How a tool asks: by the operations of the HTTP API, in the same process.
//!
//! A tool has no rules of its own. Who may do what, what is refused and with which code, what a
//! request may take: all of it is said once, by the operations.

use std::fmt::{Display, Write as _};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::Value;
use tower::ServiceExt;
use url::form_urlencoded;

use super::failure::Failure;
use crate::caller::Caller;

/// What a segment of a path keeps as it is: what RFC 3986 calls unreserved.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The operations, and in whose name they are asked for.
#[derive(Debug, Clone)]
pub(super) struct Door {
    operations: Router,
    caller: Caller,
    /// Largest answer that is taken, in bytes.
    limit: usize,
}

/// A request, being put together.
#[derive(Debug)]
pub(super) struct Ask {
    method: Method,
    target: String,
    query: Vec<(&'static str, String)>,
    headers: HeaderMap,
    body: Option<Vec<u8>>,
}

/// What an operation answered, with success.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Door {
    /// A door to `operations` for `caller`, which takes answers of up to `limit` bytes.
    pub(super) fn new(operations: Router, caller: Caller, limit: usize) -> Self {
        Self { operations, caller, limit }
    }

    /// Asks.
    pub(super) async fn ask(&self, ask: Ask) -> Result<Answer, Failure> {
        let mut request = ask.request()?;
        request.extensions_mut().insert(self.caller.clone());
        let Ok(response) = self.operations.clone().oneshot(request).await;
        let (head, body) = response.into_parts();
        let body = match Limited::new(body, self.limit).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                return Err(Failure::too_large(self.limit));
            }
            Err(_) => return Err(Failure::cut_off()),
        };
        if head.status.is_success() {
            return Ok(Answer { headers: head.headers, body });
        }
        Err(Failure::of(head.status, &body))
    }

    /// Asks for JSON.
    pub(super) async fn json(&self, ask: Ask) -> Result<Value, Failure> {
        self.ask(ask).await?.json()
    }
}

impl Ask {
    /// A request for what is below `/v1` at these segments.
    pub(super) fn new(method: Method, segments: &[&str]) -> Self {
        let target = "/v1".to_owned();
        let root =
            Self { method, target, query: Vec::new(), headers: HeaderMap::new(), body: None };
        root.below(segments.iter().copied())
    }

    /// A question.
    pub(super) fn get(segments: &[&str]) -> Self {
        Self::new(Method::GET, segments)
    }

    /// The same, at a path of a book below it.
    pub(super) fn at(self, path: &str) -> Self {
        self.below(path.split('/').filter(|segment| !segment.is_empty()))
    }

    fn below<'a>(mut self, segments: impl Iterator<Item = &'a str>) -> Self {
        for segment in segments {
            let _ = write!(self.target, "/{}", utf8_percent_encode(segment, SEGMENT));
        }
        self
    }

    /// The same with one more parameter.
    pub(super) fn with(mut self, name: &'static str, value: impl Display) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    /// The same with one more parameter, if it is said.
    pub(super) fn with_some<T: Display>(self, name: &'static str, value: Option<T>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The same with a header.
    pub(super) fn header(mut self, name: header::HeaderName, value: &str) -> Result<Self, Failure> {
        let value = header::HeaderValue::from_str(value)
            .map_err(|_| Failure::bad_argument(format!("{value:?} cannot be sent as {name}")))?;
        self.headers.insert(name, value);
        Ok(self)
    }

    /// The same with a body.
    pub(super) fn body(mut self, body: &impl Serialize) -> Result<Self, Failure> {
        self.body = Some(serde_json::to_vec(body).map_err(|error| Failure::unreadable(&error))?);
        Ok(self)
    }

    /// Where the request goes, on the server.
    pub(super) fn target(&self) -> String {
        if self.query.is_empty() {
            return self.target.clone();
        }
        let query =
            form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.query).finish();
        format!("{}?{query}", self.target)
    }

    fn request(self) -> Result<Request<Body>, Failure> {
        let target = self.target();
        let Self { method, mut headers, body, .. } = self;
        if body.is_some() {
            let json = header::HeaderValue::from_static("application/json");
            headers.insert(header::CONTENT_TYPE, json);
        }
        let body = body.map_or_else(Body::empty, Body::from);
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = target
            .parse()
            .map_err(|_| Failure::bad_argument(format!("{target} is too long to ask for")))?;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

impl Answer {
    /// The body, which is JSON.
    pub(super) fn json(&self) -> Result<Value, Failure> {
        serde_json::from_slice(&self.body).map_err(|error| Failure::unreadable(&error))
    }

    /// A header, if it is there and text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The same as a text of its own.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.header(name).map(str::to_owned)
    }

    /// The length of what the answer is about, in bytes, if it is told.
    pub(super) fn size(&self) -> Option<u64> {
        self.header("content-length")?.parse().ok()
    }

    /// The id that the `ETag` names.
    pub(super) fn id(&self) -> Option<&str> {
        self.header("etag").map(|tag| tag.trim_matches('"'))
    }
}
