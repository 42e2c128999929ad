//! Everything that one tree has and another has not, in one streamed answer.

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use cas_core::name::{BlobId, TreeId};
use cas_core::object::Kind;
use cas_core::repo::{FetchRequest, OutgoingStream};
use cas_core::store::wire::{MEDIA_TYPE, encode};
use futures::TryStreamExt;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::Json;
use crate::app::App;
use crate::caller::{Caller, Verb};
use crate::problem::{Problem, ProblemView, chain};

/// Most trees that a client may say it has: each is walked through.
const HAVE: usize = 16;

/// Most blobs that one request may ask for by their ids.
const BLOBS: usize = 20_000;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(fetch))
}

/// What a client wants: either a tree, or blobs.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FetchBody {
    /// A tree, and everything below it.
    #[schema(value_type = Option<String>)]
    want: Option<TreeId>,
    /// Trees of which the client has everything. Those that are not here say nothing.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    have: Vec<TreeId>,
    /// Whether files are wanted, and not only trees.
    #[serde(default = "yes")]
    contents: bool,
    /// Blobs, in the order in which they are to come.
    #[schema(value_type = Option<Vec<String>>)]
    blobs: Option<Vec<BlobId>>,
    /// How many objects of the same answer came before, whole.
    #[serde(default)]
    skip: u64,
}

const fn yes() -> bool {
    true
}

/// Objects in one stream: what a tree reaches and others do not, or a list of blobs
///
/// The order is always the same. An object that is missing or damaged breaks the connection.
#[utoipa::path(
    post, path = "/v1/fetch", tag = "transfer",
    request_body = FetchBody,
    responses(
        (status = 200, description = "The objects: see `docs/wire.md`",
            content_type = "application/vnd.cas.objects+zstd"),
        (status = 400, description = "`bad_body`", body = ProblemView,
            content_type = "application/problem+json"),
        (status = 404, description = "`no_object`: the tree is not here", body = ProblemView,
            content_type = "application/problem+json"),
    )
)]
async fn fetch(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<FetchBody>,
) -> Result<Response, Problem> {
    caller.may_all(Verb::Read)?;
    let objects = objects(&app, &caller, body).await?;
    let pieces = encode(objects).inspect_err(|error| {
        tracing::error!(error = chain(error), "a stream of objects was broken off");
    });
    let headers = [(header::CONTENT_TYPE, MEDIA_TYPE), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

async fn objects(app: &App, caller: &Caller, body: FetchBody) -> Result<OutgoingStream, Problem> {
    let repo = app.repo(caller);
    let bad = |detail: &str| Err(Problem::bad_request("bad_body", detail));
    match body {
        FetchBody { want: Some(want), have, contents, blobs: None, skip } => {
            if have.len() > HAVE {
                return bad("more trees are said to be there than a request may name");
            }
            if app.store().size(Kind::Tree, want.hash()).await?.is_none() {
                return Err(Problem::no_object(Kind::Tree, want.hash()));
            }
            Ok(repo.fetch(FetchRequest { want, have, contents, skip }).await?)
        }
        FetchBody { want: None, blobs: Some(blobs), skip, .. } => {
            if blobs.len() > BLOBS {
                return bad("more blobs are asked for than a request may name");
            }
            Ok(repo.fetch_blobs(blobs, skip))
        }
        FetchBody { .. } => bad("say either want or blobs"),
    }
}
