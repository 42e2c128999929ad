//! How the server is.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::caller::{Caller, Verb};
use crate::problem::{Problem, ProblemView};

/// The text format of OpenMetrics, which Prometheus reads.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(healthz)).routes(routes!(readyz)).routes(routes!(metrics))
}

/// Whether the process runs
#[utoipa::path(
    get, path = "/healthz", tag = "health",
    responses((status = 200, description = "It does", body = String, content_type = "text/plain"))
)]
async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether the store can be reached
#[utoipa::path(
    get, path = "/readyz", tag = "health",
    responses(
        (status = 200, description = "It can", body = String, content_type = "text/plain"),
        (status = 503, description = "`not_ready`: why is in the server's log",
            body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn readyz(State(app): State<App>) -> Result<&'static str, Problem> {
    if app.ready().await {
        return Ok("ok\n");
    }
    let detail = "the store cannot be reached now";
    Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", detail))
}

/// What the server counted since it began
#[utoipa::path(
    get, path = "/metrics", tag = "health",
    responses(
        (status = 200, description = "Numbers for Prometheus", body = String,
            content_type = "application/openmetrics-text"),
        (status = 401, description = "`unauthenticated`", body = ProblemView,
            content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`: it needs a token that may read the whole store",
            body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn metrics(State(app): State<App>, caller: Caller) -> Result<Response, Problem> {
    caller.may_all(Verb::Read)?;
    // Writing numbers into a text does not fail.
    let text = app.metrics().text().unwrap_or_default();
    Ok(([("content-type", OPEN_METRICS), ("cache-control", "no-store")], text).into_response())
}
