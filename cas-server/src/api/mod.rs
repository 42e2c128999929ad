//! The operations, one file for each group, and the router made of them.

mod archive;
mod audit;
mod body;
mod branches;
mod changes;
mod choice;
mod commits;
mod content;
mod diff;
pub(crate) mod extract;
mod fetch;
mod files;
mod health;
mod log;
mod merge;
mod objects;
mod precondition;
mod raw;
mod refs;
mod restore;
mod search;
mod standing;
mod upload;
mod upstream;
mod validate;
mod view;

pub use standing::StandingView;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{Method, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::get;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Description;
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::caller::authenticate;
use crate::gate::gate;
use crate::mcp;
use crate::observe::observe;
use crate::problem::{Problem, ProblemView};
use crate::request_id::identify;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "cas",
        description = "A content-addressed store for books. `docs/http-api.md` is normative.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    components(schemas(ProblemView)),
    tags(
        (name = "objects", description = "Blobs, trees and commits by id"),
        (name = "transfer", description = "Many objects at once, in and out"),
        (name = "raw", description = "Refs as they are stored, for clients that verify them"),
        (name = "refs", description = "Books, branches and tags, with their logs"),
        (name = "files", description = "Files at a ref, by path"),
        (name = "archives", description = "A version, or part of it, as one file"),
        (name = "diff", description = "How two versions differ"),
        (name = "search", description = "Files by path, lines by text"),
        (name = "health", description = "How the server is"),
    )
)]
struct Base;

/// Every route with its description.
fn routes() -> OpenApiRouter<App> {
    let groups = vec![
        archive::router(),
        audit::router(),
        branches::router(),
        commits::router(),
        diff::router(),
        fetch::router(),
        files::router(),
        health::router(),
        log::router(),
        merge::router(),
        objects::router(),
        raw::router(),
        refs::router(),
        restore::router(),
        search::router(),
        standing::router(),
        upload::router(),
        upstream::router(),
        validate::router(),
    ];
    let base = OpenApiRouter::with_openapi(Base::openapi());
    groups.into_iter().fold(base, OpenApiRouter::merge)
}

/// The operations alone, for whoever has found out who is asking.
pub(crate) fn operations(app: &App) -> Router {
    inside(routes().split_for_parts().0, app)
}

/// Operations as they are asked for in the same process.
fn inside(operations: Router<App>, app: &App) -> Router {
    operations
        .layer(DefaultBodyLimit::max(app.settings().body_limit))
        .layer(from_fn_with_state(app.clone(), identify))
        .with_state(app.clone())
}

/// All routes of a store being served.
pub fn router(app: App) -> Router {
    let (router, description) = routes().split_for_parts();
    let document = published(description).to_json().unwrap_or_default();
    let agents = mcp::service(&app, inside(router.clone(), &app));
    router
        .route("/openapi.json", get(|| async move { json(document) }))
        .route_service("/mcp", agents)
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        // The last is the first that a request meets.
        .layer(DefaultBodyLimit::max(app.settings().body_limit))
        .layer(from_fn_with_state(app.clone(), authenticate))
        .layer(from_fn_with_state(app.clone(), gate))
        .layer(from_fn_with_state(app.clone(), observe))
        .layer(from_fn_with_state(app.clone(), identify))
        .with_state(app)
}

/// The description of all routes, OpenAPI 3.1.
pub fn openapi() -> Description {
    published(routes().into_openapi())
}

/// A description as others read it.
fn published(mut description: Description) -> Description {
    // A path that takes all the rest is `{*path}` for the router and `{path}` in a description.
    let paths = std::mem::take(&mut description.paths.paths);
    description.paths.paths =
        paths.into_iter().map(|(path, item)| (path.replace("{*", "{"), item)).collect();
    description
}

fn json(document: String) -> impl IntoResponse {
    ([("content-type", "application/json"), ("cache-control", "no-cache")], document)
}

async fn no_route(request: Request) -> Problem {
    Problem::not_found("no_route", format!("there is nothing at {}", request.uri().path()))
}

async fn no_method(method: Method, request: Request) -> Problem {
    let detail = format!("{} has no {method}", request.uri().path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "no_method", detail)
}
