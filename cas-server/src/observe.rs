//! One line in the log and some numbers for every request.
//!
//! Logged are the method, the path without what follows its `?`, the status, how much went in and
//! out, how long it took and in whose name it was done; never a header.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Error;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use cas_core::name::{Actor, RequestId};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Instant;
use tracing::Instrument;

use crate::app::App;
use crate::caller::LoggedActor;
use crate::gate::Place;
use crate::metrics::{Counted, Metrics};
use crate::problem::Code;
use crate::request_id::Id;
use crate::serve::InRequest;
use crate::upload::{Upload, Watched};

/// How much of a path is logged, in bytes.
const LOGGED_PATH_BYTES: usize = 512;

/// The route of what matches none.
const NO_ROUTE: &str = "none";

/// Watches a request from its head to the last byte of its answer.
pub(crate) async fn observe(State(app): State<App>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let mut request = Request::from_parts(parts, Body::empty());
    let upload = Arc::new(Upload::default());
    *request.body_mut() = Body::new(Watched::new(body, upload.clone(), &app.settings().limits));
    request.extensions_mut().insert(upload.clone());
    let extensions = request.extensions();
    let route = extensions.get::<MatchedPath>().map_or(NO_ROUTE, MatchedPath::as_str).into();
    let id = extensions.get::<Id>().map(|Id(id)| id.clone());
    let record = Record {
        started,
        in_request: extensions.get::<InRequest>().cloned(),
        _in_flight: app.metrics().request(),
        metrics: app.metrics().clone(),
        method: method(request.method()),
        route,
        path: shortened(request.uri().path()),
        id,
        upload,
        actor: None,
        place: None,
        status: None,
        sent: 0,
        whole: false,
    };
    let shown = record.id.as_ref().map_or("", RequestId::as_str);
    let span = tracing::info_span!(
        "request",
        id = shown,
        method = record.method,
        path = record.path.as_str()
    );
    let response = next.run(request).instrument(span).await;
    record.answered(response)
}

/// What is known about a request so far. When it goes, whatever the reason, it is logged.
#[derive(Debug)]
struct Record {
    started: Instant,
    in_request: Option<InRequest>,
    _in_flight: Counted,
    metrics: Metrics,
    method: &'static str,
    route: Arc<str>,
    path: String,
    id: Option<RequestId>,
    upload: Arc<Upload>,
    actor: Option<Actor>,
    place: Option<Place>,
    status: Option<StatusCode>,
    sent: u64,
    /// Whether all of the answer was taken off our hands.
    whole: bool,
}

impl Record {
    /// The answer, watched until its end.
    fn answered(mut self, mut response: Response) -> Response {
        let status = response.status();
        let extensions = response.extensions_mut();
        self.actor = extensions.remove::<LoggedActor>().map(|LoggedActor(actor)| actor);
        self.place = extensions.remove::<Place>();
        let code = extensions.remove::<Code>().map(|Code(code)| code);
        self.status = Some(status);
        let took = self.started.elapsed();
        self.metrics.answered(self.method, self.route.clone(), status.as_u16(), code, took);
        let headers = response.headers_mut();
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response.map(|body| {
            self.whole = body.is_end_stream() || self.method == "HEAD";
            Body::new(Answer { body, record: self })
        })
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let received = self.upload.received();
        self.metrics.moved(received, self.sent);
        drop(self.in_request.take());
        let ms = duration_ms(self.started.elapsed());
        let id = self.id.as_ref().map_or("", RequestId::as_str);
        let actor = self.actor.as_ref().map(Actor::as_str);
        let (method, path, sent) = (self.method, self.path.as_str(), self.sent);
        match self.status.map(|status| status.as_u16()) {
            Some(status) if self.whole => {
                tracing::info!(id, method, path, status, received, sent, ms, actor, "answered");
            }
            Some(status) => {
                self.metrics.dropped("answer_broken_off");
                tracing::info!(id, method, path, status, received, sent, ms, actor, "broken off");
            }
            None => {
                self.metrics.dropped("client_went_away");
                tracing::info!(id, method, path, received, sent, ms, actor, "client went away");
            }
        }
    }
}

/// The body of an answer, counted.
#[derive(Debug)]
struct Answer {
    body: Body,
    record: Record,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        let frame = Pin::new(&mut this.body).poll_frame(context);
        match &frame {
            Poll::Ready(None) => this.record.whole = true,
            Poll::Ready(Some(Ok(frame))) => {
                this.record.sent += frame.data_ref().map_or(0, Bytes::len) as u64;
                this.record.whole = this.body.is_end_stream();
            }
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The method, if it is one that is known: anything else would be a label that clients choose.
fn method(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}

/// At most so much of a path as is logged.
fn shortened(path: &str) -> String {
    let mut end = path.len().min(LOGGED_PATH_BYTES);
    while !path.is_char_boundary(end) {
        end -= 1;
    }
    if end == path.len() { path.to_owned() } else { format!("{}…", &path[..end]) }
}

fn duration_ms(time: Duration) -> f64 {
    // To the microsecond: more digits say nothing.
    (time.as_secs_f64() * 1e6).round() / 1e3
}
