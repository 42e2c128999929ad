//! Objects on their way in: hashed before they are published, trees and commits taken only when
//! everything that they name is there.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use cas_core::limits;
use cas_core::name::{BlobId, CommitId, Hash, TreeId};
use cas_core::object::Kind;
use cas_core::repo::{ReceiveError, Receiver};
use cas_core::store::wire::{Decoder, Head, Limits, Part, WireError};
use cas_core::store::{ByteStream, StoreError};
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Json, Path, Query};
use crate::app::App;
use crate::caller::{Caller, Verb};
use crate::problem::{Problem, ProblemView, chain};

/// Most objects of one request.
const OBJECTS: usize = 20_000;

/// Most bytes of all objects of one stream.
const STREAM_BYTES: u64 = 64 * 1024 * 1024;

/// How many bytes of small blobs are held before they are written, several at once.
const HELD_BYTES: usize = 8 * 1024 * 1024;

/// How long a body may stand still.
const STILL_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(missing))
        .routes(routes!(upload))
        .routes(routes!(put_blob))
        .routes(routes!(put_tree))
        .routes(routes!(put_commit))
}

/// An object of some size.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ObjectView {
    /// `blob`, `tree` or `commit`.
    #[schema(value_type = String)]
    kind: Kind,
    /// Its id.
    #[schema(value_type = String)]
    id: Hash,
    /// Its size in bytes.
    size: u64,
}

/// Objects that a client has.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MissingBody {
    objects: Vec<ObjectView>,
}

/// Objects that the store lacks.
#[derive(Debug, Serialize, ToSchema)]
struct MissingView {
    missing: Vec<ObjectView>,
}

/// What became of an object.
#[derive(Debug, Serialize, ToSchema)]
struct TakenView {
    /// `blob`, `tree` or `commit`.
    #[schema(value_type = String)]
    kind: Kind,
    /// Its id.
    #[schema(value_type = String)]
    id: Hash,
    /// Whether the store did not have it.
    new: bool,
}

/// What became of all objects of a stream, in their order.
#[derive(Debug, Serialize, ToSchema)]
struct UploadView {
    objects: Vec<TakenView>,
}

/// How objects are written.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Mode {
    /// Write also what is there, to put right what is damaged.
    #[serde(default)]
    replace: bool,
}

/// Which of these objects the store lacks
///
/// An object that is there with another size is missing. What is not named in the answer may be
/// relied on.
#[utoipa::path(
    post, path = "/v1/missing", tag = "transfer",
    request_body = MissingBody,
    responses(
        (status = 200, description = "Those that are not there", body = MissingView),
        (status = 413, description = "`too_many`", body = ProblemView,
            content_type = "application/problem+json"),
    )
)]
async fn missing(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<MissingBody>,
) -> Result<axum::Json<MissingView>, Problem> {
    // What the store has tells what others wrote.
    caller.may_all(Verb::Read)?;
    if body.objects.len() > OBJECTS {
        let detail = format!("a request names at most {OBJECTS} objects");
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_many", detail));
    }
    let receiver = Arc::new(app.repo(&caller).receive(false).await?);
    let asked = body.objects.into_iter().map(|ObjectView { kind, id, size }| (kind, id, size));
    let missing = receiver.missing(asked.collect()).await?;
    receiver.publish().await?;
    let missing = missing.into_iter().map(|(kind, id, size)| ObjectView { kind, id, size });
    Ok(axum::Json(MissingView { missing: missing.collect() }))
}

/// Many objects in one stream
///
/// Blobs of at most 4 MiB, trees and commits, each after what it names. If one is refused, those
/// before it may stay: nothing names them.
#[utoipa::path(
    post, path = "/v1/objects", tag = "transfer",
    params(Mode),
    request_body(content_type = "application/vnd.cas.objects+zstd",
        description = "The objects: see `docs/wire.md`"),
    responses(
        (status = 200, description = "All are there", body = UploadView),
        (status = 400, description = "`bad_stream`, `wrong_hash`, `bad_encoding`",
            body = ProblemView, content_type = "application/problem+json"),
        (status = 413, description = "`too_large`", body = ProblemView,
            content_type = "application/problem+json"),
        (status = 422, description = "`incomplete`, `wrong_totals`", body = ProblemView,
            content_type = "application/problem+json"),
    )
)]
async fn upload(
    State(app): State<App>,
    caller: Caller,
    Query(Mode { replace }): Query<Mode>,
    body: Body,
) -> Result<axum::Json<UploadView>, Problem> {
    caller.may_all(Verb::Write)?;
    let receiver = Arc::new(app.repo(&caller).receive(replace).await?);
    let limits =
        Limits { blob_bytes: limits::WHOLE_BYTES, objects: OBJECTS as u64, bytes: STREAM_BYTES };
    let mut decoder = Decoder::new(limits)?;
    let mut intake = Intake { receiver, blobs: Vec::new(), held: 0, taken: Vec::new() };
    let mut body = body.into_data_stream();
    let mut current: Option<(Head, Vec<u8>)> = None;
    while let Some(mut piece) = next_piece(&mut body).await? {
        while let Some(part) = decoder.next(&mut piece)? {
            match (part, &mut current) {
                (Part::Begin(head), current) => *current = Some((head, Vec::new())),
                (Part::Bytes(bytes), Some((_, all))) => all.extend_from_slice(&bytes),
                (Part::Verified, current) => {
                    if let Some((head, bytes)) = current.take() {
                        intake.take(head, bytes.into()).await?;
                    }
                }
                // A decoder gives bytes only of what it began.
                (Part::Bytes(_), None) => {}
            }
        }
    }
    decoder.finish()?;
    Ok(axum::Json(UploadView { objects: intake.finish().await? }))
}

/// One blob of any size
#[utoipa::path(
    put, path = "/v1/blobs/{id}", tag = "objects",
    params(("id" = String, Path, description = "The blob's id"), Mode),
    request_body(content_type = "application/octet-stream", description = "Its bytes"),
    responses(
        (status = 200, description = "It was there already", body = TakenView),
        (status = 201, description = "It is new", body = TakenView),
        (status = 400, description = "`wrong_hash`", body = ProblemView,
            content_type = "application/problem+json"),
        (status = 411, description = "`length_required`", body = ProblemView,
            content_type = "application/problem+json"),
        (status = 413, description = "`too_large`", body = ProblemView,
            content_type = "application/problem+json"),
    )
)]
async fn put_blob(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(Mode { replace }): Query<Mode>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let id: BlobId = id.parse()?;
    caller.may_all(Verb::Write)?;
    let Some(size) = content_length(&headers) else {
        let detail = "say how long the blob is, in Content-Length";
        return Err(Problem::new(StatusCode::LENGTH_REQUIRED, "length_required", detail));
    };
    let limit = app.settings().blob_limit;
    if size > limit {
        return Err(Problem::too_large(format!("a blob has at most {limit} bytes here")));
    }
    let receiver = app.repo(&caller).receive(replace).await?;
    let pieces = futures::stream::unfold(Some(body.into_data_stream()), |body| async {
        let mut body = body?;
        match next_piece(&mut body).await {
            Ok(Some(piece)) => Some((Ok(piece), Some(body))),
            Ok(None) => None,
            // Only the store's own errors fit into a stream; whoever sent this is gone.
            Err(_) => Some((Err(StoreError::GivenUp), None)),
        }
    });
    let new = receiver.blob(id, ByteStream { size, pieces: pieces.boxed() }).await?;
    receiver.publish().await?;
    Ok(taken(Kind::Blob, id.0, new))
}

/// One tree, whose entries are there already
#[utoipa::path(
    put, path = "/v1/trees/{id}", tag = "objects",
    params(("id" = String, Path, description = "The tree's id"), Mode),
    request_body(content_type = "application/cbor", description = "Its encoding"),
    responses(
        (status = 200, description = "It was there already", body = TakenView),
        (status = 201, description = "It is new", body = TakenView),
        (status = 400, description = "`wrong_hash`, `bad_encoding`", body = ProblemView,
            content_type = "application/problem+json"),
        (status = 422, description = "`incomplete`, `wrong_totals`", body = ProblemView,
            content_type = "application/problem+json"),
    )
)]
async fn put_tree(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(Mode { replace }): Query<Mode>,
    body: Body,
) -> Result<Response, Problem> {
    let id: TreeId = id.parse()?;
    caller.may_all(Verb::Write)?;
    let bytes = whole(body, limits::TREE_BYTES).await?;
    let receiver = Arc::new(app.repo(&caller).receive(replace).await?);
    let new = receiver.tree(id, &bytes).await?;
    receiver.publish().await?;
    Ok(taken(Kind::Tree, id.0, new))
}

/// One commit, whose tree and parents are there already
#[utoipa::path(
    put, path = "/v1/commits/{id}", tag = "objects",
    params(("id" = String, Path, description = "The commit's id")),
    request_body(content_type = "application/cbor", description = "Its encoding"),
    responses(
        (status = 200, description = "It was there already", body = TakenView),
        (status = 201, description = "It is new", body = TakenView),
        (status = 400, description = "`wrong_hash`, `bad_encoding`", body = ProblemView,
            content_type = "application/problem+json"),
        (status = 422, description = "`incomplete`", body = ProblemView,
            content_type = "application/problem+json"),
    )
)]
async fn put_commit(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    body: Body,
) -> Result<Response, Problem> {
    let id: CommitId = id.parse()?;
    caller.may_all(Verb::Write)?;
    let bytes = whole(body, limits::COMMIT_BYTES).await?;
    let receiver = app.repo(&caller).receive(false).await?;
    let new = receiver.commit(id, &bytes).await?;
    receiver.publish().await?;
    Ok(taken(Kind::Commit, id.0, new))
}

/// Objects of one stream, as they are taken in.
struct Intake {
    receiver: Arc<Receiver>,
    /// Small blobs that are written together.
    blobs: Vec<(BlobId, Bytes)>,
    held: usize,
    taken: Vec<TakenView>,
}

impl Intake {
    /// Takes in an object whose bytes hash to its id.
    async fn take(&mut self, head: Head, bytes: Bytes) -> Result<(), Problem> {
        let Head { kind, id, .. } = head;
        let new = match kind {
            Kind::Blob => {
                self.held += bytes.len();
                self.blobs.push((BlobId(id), bytes));
                if self.held >= HELD_BYTES {
                    self.write_blobs().await?;
                }
                return Ok(());
            }
            Kind::Tree => {
                self.write_blobs().await?;
                self.receiver.tree(TreeId(id), &bytes).await?
            }
            Kind::Commit => {
                self.write_blobs().await?;
                self.receiver.commit(CommitId(id), &bytes).await?
            }
        };
        self.taken.push(TakenView { kind, id, new });
        Ok(())
    }

    async fn write_blobs(&mut self) -> Result<(), Problem> {
        let blobs = std::mem::take(&mut self.blobs);
        self.held = 0;
        let ids: Vec<_> = blobs.iter().map(|(id, _)| id.0).collect();
        let new = self.receiver.blobs(blobs).await?;
        let taken = ids.into_iter().zip(new);
        self.taken.extend(taken.map(|(id, new)| TakenView { kind: Kind::Blob, id, new }));
        Ok(())
    }

    async fn finish(mut self) -> Result<Vec<TakenView>, Problem> {
        self.write_blobs().await?;
        self.receiver.publish().await?;
        Ok(self.taken)
    }
}

/// The next piece of a body, which may not stand still.
async fn next_piece(body: &mut BodyDataStream) -> Result<Option<Bytes>, Problem> {
    match tokio::time::timeout(STILL_TIMEOUT, body.next()).await {
        Ok(None) => Ok(None),
        Ok(Some(Ok(piece))) => Ok(Some(piece)),
        Ok(Some(Err(error))) => {
            Err(Problem::bad_request("cut_off", format!("the body is cut off: {error}")))
        }
        Err(_) => {
            let detail = "no more of the body came";
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "too_slow", detail))
        }
    }
}

/// A whole body of at most `limit` bytes.
async fn whole(body: Body, limit: usize) -> Result<Bytes, Problem> {
    let mut body = body.into_data_stream();
    let mut all = Vec::new();
    while let Some(piece) = next_piece(&mut body).await? {
        if all.len() + piece.len() > limit {
            return Err(Problem::too_large(format!("at most {limit} bytes are taken here")));
        }
        all.extend_from_slice(&piece);
    }
    Ok(all.into())
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn taken(kind: Kind, id: Hash, new: bool) -> Response {
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    (status, axum::Json(TakenView { kind, id, new })).into_response()
}

impl From<WireError> for Problem {
    fn from(error: WireError) -> Self {
        match error {
            WireError::TooLarge { .. } | WireError::TooMuch { .. } => {
                Self::too_large(error.to_string())
            }
            WireError::Wrong { .. } => Self::bad_request("wrong_hash", error.to_string()),
            _ => Self::bad_request("bad_stream", chain(&error)),
        }
    }
}

impl From<ReceiveError> for Problem {
    fn from(error: ReceiveError) -> Self {
        let said = chain(&error);
        let unprocessable = |code| Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, said.clone());
        match error {
            ReceiveError::Store(error) => error.into(),
            ReceiveError::WrongHash { .. } => Self::bad_request("wrong_hash", said),
            ReceiveError::Undecodable { .. } => Self::bad_request("bad_encoding", said),
            ReceiveError::Incomplete { ref missing, count, .. } => {
                let named = |(kind, id): &(Kind, Hash)| Named { kind: *kind, id: *id };
                unprocessable("incomplete")
                    .with("missing", missing.iter().map(named).collect::<Vec<_>>())
                    .with("count", count)
            }
            _ => unprocessable("wrong_totals"),
        }
    }
}

/// An object in a problem.
#[derive(Debug, Serialize)]
struct Named {
    kind: Kind,
    id: Hash,
}
