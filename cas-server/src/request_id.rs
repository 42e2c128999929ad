//! The id of every request, and the keys that make writes repeatable.
//!
//! Every answer carries `Cas-Request-Id`. A client may give the id itself; otherwise one is made
//! up. A write may also carry an `Idempotency-Key`: repeated with the same key, by whichever
//! server, it is done once and answered as the first time. The key (or else the client's request
//! id) is the request id of the ref log entry that the write makes, so that whether it happened
//! can always be read from the log.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use cas_core::name::{NameError, RequestId};

use crate::app::App;
use crate::problem::Problem;

/// The header with the id of a request.
pub(crate) static REQUEST_ID: HeaderName = HeaderName::from_static("cas-request-id");

/// The header with a key that makes a write repeatable.
static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The id of a request: the client's own if it is well formed, else a fresh one.
#[derive(Debug, Clone)]
pub(crate) struct Id(pub(crate) RequestId);

/// What the ref log entry of a write is known by: the idempotency key, or else the request's id.
#[derive(Debug, Clone)]
pub(crate) struct Key(pub(crate) RequestId);

/// Gives every request an id and says it in the answer.
pub(crate) async fn identify(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let said = text(request.headers(), &REQUEST_ID).and_then(|text| RequestId::parse(text).ok());
    let id = said.unwrap_or_else(|| app.env().request_id());
    let value = HeaderValue::from_str(id.as_str());
    request.extensions_mut().insert(Id(id));
    let mut response = next.run(request).await;
    if let Ok(value) = value {
        response.headers_mut().insert(&REQUEST_ID, value);
    }
    response
}

impl FromRequestParts<App> for Id {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let id = parts.extensions.get::<Self>().cloned();
        Ok(id.unwrap_or_else(|| Self(app.env().request_id())))
    }
}

impl FromRequestParts<App> for Key {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        if let Some(key) = idempotency_key(&parts.headers) {
            return Ok(Self(key?));
        }
        let Ok(Id(id)) = Id::from_request_parts(parts, app).await;
        Ok(Self(id))
    }
}

/// The key that a client gave, if it gave one.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Option<Result<RequestId, NameError>> {
    headers.contains_key(&IDEMPOTENCY_KEY).then(|| {
        let text = text(headers, &IDEMPOTENCY_KEY).unwrap_or_default();
        // The draft of the header has it in quotes; most clients send it bare.
        let bare = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        RequestId::parse(bare.unwrap_or(text))
    })
}

/// A header's value, if it is there once and is text.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then(|| value.to_str().ok()).flatten()
}
