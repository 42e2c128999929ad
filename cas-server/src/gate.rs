//! What keeps a server up: few enough requests at once, and none that takes for ever.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use cas_core::name::RequestId;
use tokio::sync::OwnedSemaphorePermit;

use crate::app::App;
use crate::caller::is_public;
use crate::problem::{FATE_UNKNOWN, Problem};
use crate::request_id::{Id, idempotency_key};
use crate::upload::Upload;

/// The place that a request takes among those that are answered at once, until the last byte of
/// its answer is sent.
#[derive(Debug, Clone)]
pub(crate) struct Place(
    #[expect(dead_code, reason = "held, not looked at")] Arc<OwnedSemaphorePermit>,
);

/// Lets a request through if there is room, and ends it when it takes too long.
pub(crate) async fn gate(State(app): State<App>, request: Request, next: Next) -> Response {
    // How the server is, is never a question too many.
    if is_public(request.uri().path()) {
        return next.run(request).await;
    }
    let Ok(permit) = app.places().clone().try_acquire_owned() else {
        let detail = "too many requests at once: wait, and try again";
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", detail).into_response();
    };
    let place = Place(Arc::new(permit));
    let upload = request.extensions().get::<Arc<Upload>>().cloned().unwrap_or_default();
    let changes = !is_question(request.method(), request.uri().path());
    let own = request.extensions().get().map(|Id(id)| id.clone());
    let key = idempotency_key(request.headers()).and_then(Result::ok).or(own);
    // Not counting the time in which the body comes: a large one takes as long as it takes.
    let too_long = async {
        upload.ended().await;
        tokio::time::sleep(app.settings().limits.request_timeout).await;
    };
    let mut response = tokio::select! {
        biased;
        response = next.run(request) => response,
        () = too_long => timed_out(changes, key.as_ref()).into_response(),
    };
    if upload.was_slow() {
        app.metrics().dropped("slow_body");
        let detail = "the body came too slowly";
        response = Problem::new(StatusCode::REQUEST_TIMEOUT, "slow_body", detail).into_response();
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response.extensions_mut().insert(place);
    response
}

/// Whether a request changes nothing, whatever becomes of it.
fn is_question(method: &Method, path: &str) -> bool {
    // Asked with a body, because the question is long.
    method.is_safe() || matches!(path, "/v1/fetch" | "/v1/missing")
}

/// What was asked took too long. A change may have been made all the same.
fn timed_out(changes: bool, key: Option<&RequestId>) -> Problem {
    if !changes {
        let detail = "this took too long: try again, or ask for less at once";
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "timed_out", detail);
    }
    let detail = "this took too long, and it is not known whether it was done: repeat it with the \
                  same key, or look for the request id in the ref's log";
    let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, FATE_UNKNOWN, detail);
    match key {
        Some(key) => problem.of_request(key.as_str()),
        None => problem,
    }
}
