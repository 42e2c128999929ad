//! The HTTP in front of the operations: counting, waiting, refusing, losing and cutting answers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Request, Response};
use s3s::service::S3Service;
use s3s::{S3Error, s3_error};

use super::behaviour::{Behaviour, take};
use super::counts::{Counts, Kind};
use super::store::Buckets;
use crate::loopback::{self, Body, Closed};

/// An error of S3, as it is told when the status was sent already.
const ERROR: &[u8] =
    b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>InternalError</Code>\
    <Message>We encountered an internal error. Please try again.</Message></Error>";

/// What stands between the connections and the S3 service. Clones share all they have.
#[derive(Debug, Clone)]
pub(super) struct Front {
    pub(super) buckets: Buckets,
    pub(super) counts: Arc<Mutex<Counts>>,
    pub(super) service: S3Service,
}

/// What becomes of an answer that is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Given,
    Lost,
    Cut,
}

impl Front {
    /// Answers one request. One that has arrived whole is carried out to its end even if the
    /// client is gone by then.
    pub(super) async fn answer(self, request: Request<Incoming>) -> Result<Response<Body>, Closed> {
        let kind = Kind::of(request.method(), request.uri());
        self.counts().arrived(kind);
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Closed)?.to_bytes();
        self.counts().received(kind, body.len());
        let request = Request::from_parts(head, body);
        tokio::spawn(self.carry_out(kind, request)).await.map_err(|_| Closed)?
    }

    async fn carry_out(
        self,
        kind: Kind,
        request: Request<Bytes>,
    ) -> Result<Response<Body>, Closed> {
        let (latency, bytes_per_second, refusal) = {
            let mut behaviour = self.buckets.behaviour();
            (behaviour.latency, behaviour.bytes_per_second, refusal(&mut behaviour))
        };
        let on_its_way =
            bytes_per_second.map(|rate| loopback::transfer(request.body().len(), rate));
        let wait = latency + on_its_way.unwrap_or_default();
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        let response = match refusal {
            Some(error) => error.to_http_response().map_err(|_| Closed)?,
            None => self.service.call(request.map(s3s::Body::from)).await.map_err(|_| Closed)?,
        };
        let (mut head, body) = response.into_parts();
        let mut bytes = body.collect().await.map_err(|_| Closed)?.to_bytes();
        if head.status.is_success() && self.is_spoiled(kind) {
            bytes = Bytes::from_static(ERROR);
            head.headers.remove(hyper::header::CONTENT_LENGTH);
        }
        let fate = self.fate(kind, head.status.is_success(), &bytes);
        if fate == Fate::Cut {
            bytes = loopback::half(&bytes);
        }
        {
            let mut counts = self.counts();
            counts.answered(kind, head.status);
            if kind == Kind::Get && head.status.is_success() {
                counts.bytes_out += bytes.len() as u64;
            }
        }
        let body = match (fate, bytes_per_second) {
            (Fate::Lost, _) => return Err(Closed),
            (Fate::Cut, _) => loopback::cut(bytes),
            (Fate::Given, Some(rate)) => loopback::paced(bytes, rate),
            (Fate::Given, None) => loopback::whole(bytes),
        };
        Ok(Response::from_parts(head, body))
    }

    /// Whether an answer that succeeds is to hold an error.
    fn is_spoiled(&self, kind: Kind) -> bool {
        if !matches!(kind, Kind::Get | Kind::List) {
            return false;
        }
        let after = &mut self.buckets.behaviour().error_after;
        let is_now = *after == Some(0);
        *after = after.and_then(|left| left.checked_sub(1));
        is_now
    }

    fn fate(&self, kind: Kind, success: bool, bytes: &Bytes) -> Fate {
        let mut behaviour = self.buckets.behaviour();
        match kind {
            Kind::Put if success && take(&mut behaviour.lose_answers) => Fate::Lost,
            Kind::Completion if success && take(&mut behaviour.lose_completions) => Fate::Lost,
            Kind::Get if success && bytes.len() > 1 && take(&mut behaviour.cut_bodies) => Fate::Cut,
            _ => Fate::Given,
        }
    }

    pub(super) fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The error that answers the next request whatever it is, if it is to be one.
fn refusal(behaviour: &mut Behaviour) -> Option<S3Error> {
    if let Some(left) = &mut behaviour.expire_after
        && !take(left)
    {
        return Some(s3_error!(ExpiredToken, "the provided token has expired"));
    }
    if behaviour.clock_skew {
        let why = "the difference between the request time and the current time is too large";
        return Some(s3_error!(RequestTimeTooSkewed, "{why}"));
    }
    take(&mut behaviour.throttled).then(|| s3_error!(SlowDown, "reduce your request rate"))
}
