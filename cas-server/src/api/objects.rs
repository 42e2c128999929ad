//! Blobs, trees and commits by id: exactly the stored bytes, and trees and commits as JSON.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::response::Response;
use bytes::Bytes;
use cas_core::name::{BlobId, CommitId, Hash, TreeId};
use cas_core::object::Kind;
use cas_core::store::StoreError;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::content::{Caching, Etag, Head};
use super::extract::Path;
use super::view::{CommitView, TreeView};
use crate::app::App;
use crate::caller::{Caller, Verb};
use crate::problem::{Problem, ProblemView};

/// Stored bytes of a blob: nothing is known of them.
const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// An encoded tree or commit.
const CBOR: HeaderValue = HeaderValue::from_static("application/cbor");

/// A tree or commit for people and programs that know no CBOR.
const JSON: HeaderValue = HeaderValue::from_static("application/json");

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get_blob, head_blob))
        .routes(routes!(get_tree))
        .routes(routes!(get_commit))
}

/// A blob's bytes
#[utoipa::path(
    get, path = "/v1/blobs/{id}", tag = "objects",
    params(("id" = String, Path, description = "The blob's id: 64 lower-case hex digits")),
    responses(
        (status = 200, description = "The bytes", content_type = "application/octet-stream"),
        (status = 206, description = "The ranges asked for"),
        (status = 304, description = "The client has it"),
        (status = 404, description = "`no_object`", body = ProblemView,
            content_type = "application/problem+json"),
        (status = 416, description = "`bad_range`", body = ProblemView,
            content_type = "application/problem+json"),
    )
)]
async fn get_blob(
    State(app): State<App>,
    caller: Caller,
    method: Method,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id: BlobId = id.parse()?;
    caller.may_all(Verb::Read)?;
    let head = Head {
        etag: Etag::of(id.hash()),
        caching: Caching::by_id(caller.is_public()),
        media_type: OCTETS,
    };
    // One in hand is still there: objects never change.
    if let Some(response) = head.not_modified(&headers) {
        return Ok(response);
    }
    if method == Method::HEAD {
        return match app.store().size(Kind::Blob, id.hash()).await? {
            Some(size) => Ok(head.whole(size, Body::empty())),
            None => Err(Problem::no_object(Kind::Blob, id.hash())),
        };
    }
    // Most blobs are small: those are read without a look at their size.
    match bytes_of(&app, Kind::Blob, id.hash()).await? {
        Found::Whole(bytes) => head.bytes(&headers, &bytes),
        Found::Large(size) => head.blob(&method, &headers, app.store(), &id, size).await,
    }
}

/// A blob's size, without its bytes
#[utoipa::path(
    head, path = "/v1/blobs/{id}", tag = "objects",
    params(("id" = String, Path, description = "The blob's id")),
    responses((status = 200, description = "It is there"), (status = 404, description = "It is not"))
)]
async fn head_blob(
    state: State<App>,
    caller: Caller,
    headers: HeaderMap,
    path: Path<String>,
) -> Result<Response, Problem> {
    get_blob(state, caller, Method::HEAD, headers, path).await
}

/// A tree: its encoding, or JSON where `Accept` prefers it
#[utoipa::path(
    get, path = "/v1/trees/{id}", tag = "objects",
    params(("id" = String, Path, description = "The tree's id")),
    responses(
        (status = 200, description = "The tree", content(
            (Vec<u8> = "application/cbor"), (TreeView = "application/json"))),
        (status = 304, description = "The client has it"),
        (status = 404, description = "`no_object`", body = ProblemView,
            content_type = "application/problem+json"),
    )
)]
async fn get_tree(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id: TreeId = id.parse()?;
    caller.may_all(Verb::Read)?;
    let Found::Whole(stored) = bytes_of(&app, Kind::Tree, id.hash()).await? else {
        return Err(Problem::no_object(Kind::Tree, id.hash()));
    };
    let form = Form::of(&headers);
    let bytes = match form {
        Form::Encoded => stored,
        Form::Json => to_json(&TreeView::new(id, &app.store().get_tree(&id).await?)),
    };
    form.head(id.hash(), &caller).bytes(&headers, &bytes)
}

/// A commit: its encoding, or JSON where `Accept` prefers it
#[utoipa::path(
    get, path = "/v1/commits/{id}", tag = "objects",
    params(("id" = String, Path, description = "The commit's id")),
    responses(
        (status = 200, description = "The commit", content(
            (Vec<u8> = "application/cbor"), (CommitView = "application/json"))),
        (status = 304, description = "The client has it"),
        (status = 404, description = "`no_object`", body = ProblemView,
            content_type = "application/problem+json"),
    )
)]
async fn get_commit(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id: CommitId = id.parse()?;
    caller.may_all(Verb::Read)?;
    let Found::Whole(stored) = bytes_of(&app, Kind::Commit, id.hash()).await? else {
        return Err(Problem::no_object(Kind::Commit, id.hash()));
    };
    let form = Form::of(&headers);
    let bytes = match form {
        Form::Encoded => stored,
        Form::Json => to_json(&CommitView::new(id, &app.store().get_commit(&id).await?)),
    };
    form.head(id.hash(), &caller).bytes(&headers, &bytes)
}

/// A stored object.
enum Found {
    /// All of it, verified.
    Whole(Bytes),
    /// A blob that is not held whole, of this size in bytes.
    Large(u64),
}

/// The bytes of an object, if it is there.
async fn bytes_of(app: &App, kind: Kind, id: &Hash) -> Result<Found, Problem> {
    match app.store().get_bytes(kind, id).await {
        Ok(bytes) => Ok(Found::Whole(bytes)),
        Err(StoreError::TooLarge { size, .. }) if kind == Kind::Blob => Ok(Found::Large(size)),
        Err(StoreError::Missing { .. }) => Err(Problem::no_object(kind, id)),
        Err(error) => Err(error.into()),
    }
}

/// In which form a tree or commit is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Encoded,
    Json,
}

impl Form {
    /// JSON if `Accept` names it (or any text) and not the encoding; the stored bytes otherwise.
    fn of(headers: &HeaderMap) -> Self {
        let accept = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        for media_type in accept.flat_map(|value| value.split(',')) {
            match media_type.split(';').next().unwrap_or_default().trim() {
                "application/cbor" | "application/octet-stream" => return Self::Encoded,
                "application/json" | "text/html" => return Self::Json,
                _ => {}
            }
        }
        Self::Encoded
    }

    /// The same object in another form has another validator.
    fn head(self, id: &Hash, caller: &Caller) -> Head {
        let caching = Caching::by_id(caller.is_public());
        match self {
            Self::Encoded => Head { etag: Etag::of(id), caching, media_type: CBOR },
            Self::Json => {
                Head { etag: Etag::derived(&format!("{id}.json")), caching, media_type: JSON }
            }
        }
    }
}

fn to_json(value: &impl serde::Serialize) -> Bytes {
    // Views have text keys and no numbers that JSON lacks.
    serde_json::to_vec(value).unwrap_or_default().into()
}
