//! Files at a ref: reading, writing, deleting one at its path, and listing folders.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cas_core::name::{BlobId, BookId, BookPath, Operation, RefName, Revision, TreeId};
use cas_core::object::EntryKind;
use cas_core::repo::{
    Edit, EditOutcome, Found, ListItem, PathEdit, Precondition, Reading, VersionRequest,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::content_of;
use super::content::{Caching, Etag, Head, name_commit, name_version};
use super::extract::{Path, Query, path_of};
use super::precondition::PathPrecondition;
use super::refs::Message;
use super::view::{EditView, ItemView};
use crate::app::App;
use crate::caller::{Caller, Verb};
use crate::problem::{Problem, ProblemView};
use crate::request_id::Key;

/// The header with the kind of a file: `file`, `executable` or `symlink`.
static KIND: HeaderName = HeaderName::from_static("cas-kind");

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get_root)).routes(routes!(
        get_file,
        head_file,
        put_file,
        delete_file
    ))
}

/// How a folder is listed.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Listing {
    /// All files below the folder instead of what is in it.
    #[serde(default)]
    recursive: bool,
}

/// How something is deleted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Delete {
    /// Also a folder, with everything in it.
    #[serde(default)]
    recursive: bool,
    /// Why, for the record.
    message: Option<String>,
}

/// What is in a folder.
#[derive(Debug, Serialize, ToSchema)]
struct Folder {
    /// Its path; empty for the root.
    path: String,
    /// The id of its tree.
    tree: String,
    /// What is in it, in the order of paths.
    entries: Vec<ItemView>,
}

/// What is in the root of a version
#[utoipa::path(
    get, path = "/v1/books/{book}/refs/{ref}/files", tag = "files",
    params(
        ("book" = String, Path, description = "The book"),
        ("ref" = String, Path, description = "The ref, its slashes as %2F"),
        Listing,
    ),
    responses((status = 200, description = "The folder", body = Folder))
)]
async fn get_root(
    app: State<App>,
    caller: Caller,
    headers: HeaderMap,
    Path((book, name)): Path<(BookId, RefName)>,
    listing: Query<Listing>,
) -> Result<Response, Problem> {
    let path = Path((book, name, String::new()));
    get_file(app, caller, Method::GET, headers, path, listing).await
}

/// A file's content, or what is in a folder as JSON
///
/// The ETag of a file is the id of its blob. `Cas-Commit` names the commit it was read from,
/// `Cas-Source` where that comes from (`own`, or `upstream` where a personal branch is not there
/// yet), `Cas-Kind` tells executables and symlinks (whose content is their target).
#[utoipa::path(
    get, path = "/v1/books/{book}/refs/{ref}/files/{*path}", tag = "files",
    params(
        ("book" = String, Path, description = "The book"),
        ("ref" = String, Path, description = "The ref, its slashes as %2F"),
        ("path" = String, Path, description = "The path in the book"),
        Listing,
    ),
    responses(
        (status = 200, description = "The file or folder", content(
            (Vec<u8> = "application/octet-stream"), (Folder = "application/json"))),
        (status = 206, description = "The ranges asked for"),
        (status = 304, description = "The client has it"),
        (status = 404, description = "`no_book`, `no_ref`, `ref_deleted` or `no_path`",
            body = ProblemView, content_type = "application/problem+json"),
        (status = 416, description = "`bad_range`", body = ProblemView,
            content_type = "application/problem+json"),
    )
)]
async fn get_file(
    State(app): State<App>,
    caller: Caller,
    method: Method,
    headers: HeaderMap,
    Path((book, name, path)): Path<(BookId, RefName, String)>,
    Query(listing): Query<Listing>,
) -> Result<Response, Problem> {
    let path = path_of(&path)?;
    caller.may(Verb::Read, &book, &name, &path)?;
    let version = app.repo(&caller).open(&Revision::head(book.clone(), name.clone())).await?;
    let (repo, root) = (&version.repo, version.tree);
    let mut response = match repo.find(root, &path).await? {
        None => return Err(Problem::not_found("no_path", format!("there is no {path}"))),
        Some(Found::Entry(entry)) if !entry.kind.is_tree() => {
            let id = BlobId(entry.id);
            let head = file_head(&id, &path, entry.kind);
            let size = entry.totals.size;
            let mut response = head.blob(&method, &headers, repo.store(), &id, size).await?;
            let kind = HeaderValue::from_static(entry.kind.as_str());
            response.headers_mut().insert(&KIND, kind);
            response
        }
        Some(folder) => {
            let tree = folder.tree_id().unwrap_or(root);
            if listing.recursive {
                caller.may_below(Verb::Read, &book, &name, &path)?;
            }
            let head = folder_head(&version, tree, &path, listing.recursive);
            match head.not_modified(&headers) {
                Some(response) => response,
                None => {
                    let mut items = repo.list(root, &path, listing.recursive).await?;
                    items.retain(|item| caller.sees_path(&book, &name, &item.path));
                    let entries = entries(&version, &items).await?;
                    let folder = Folder { path: path.to_string(), tree: tree.to_string(), entries };
                    let bytes = serde_json::to_vec(&folder).unwrap_or_default();
                    head.answer(StatusCode::OK, Body::from(bytes))
                }
            }
        }
    };
    name_version(&mut response, &version);
    Ok(response)
}

/// A file's size and id, without its content
#[utoipa::path(
    head, path = "/v1/books/{book}/refs/{ref}/files/{*path}", tag = "files",
    params(
        ("book" = String, Path, description = "The book"),
        ("ref" = String, Path, description = "The ref, its slashes as %2F"),
        ("path" = String, Path, description = "The path in the book"),
    ),
    responses((status = 200, description = "It is there"), (status = 404, description = "It is not"))
)]
async fn head_file(
    app: State<App>,
    caller: Caller,
    headers: HeaderMap,
    path: Path<(BookId, RefName, String)>,
    listing: Query<Listing>,
) -> Result<Response, Problem> {
    get_file(app, caller, Method::HEAD, headers, path, listing).await
}

/// Create or update a file
///
/// `If-None-Match: *` creates (201). `If-Match: "<id>"` updates the file that the caller saw (200).
/// With neither, a file that is not there is created; one that is there is not overwritten (428).
/// The body is the content, byte for byte.
#[utoipa::path(
    put, path = "/v1/books/{book}/refs/{ref}/files/{*path}", tag = "files",
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    params(
        ("book" = String, Path, description = "The book"),
        ("ref" = String, Path, description = "The branch, its slashes as %2F"),
        ("path" = String, Path, description = "The path in the book"),
        ("if-match" = Option<String>, Header, description = "The id of the file that is there"),
        ("if-none-match" = Option<String>, Header, description = "`*`: nothing is there"),
        ("idempotency-key" = Option<String>, Header,
            description = "Repeated with the same key, it is done once"),
        Message,
    ),
    responses(
        (status = 200, description = "It is as wanted: `updated` or `unchanged`", body = EditView),
        (status = 201, description = "It was created", body = EditView),
        (status = 404, description = "`no_book`, `no_ref` or `ref_deleted`", body = ProblemView,
            content_type = "application/problem+json"),
        (status = 409, description = "`not_a_folder`, `is_a_folder` or `wrong_ref`",
            body = ProblemView, content_type = "application/problem+json"),
        (status = 412, description = "`exists` or `not_as_expected`, with `current`",
            body = ProblemView, content_type = "application/problem+json"),
        (status = 413, description = "`too_large`", body = ProblemView,
            content_type = "application/problem+json"),
        (status = 422, description = "`key_used`: the key was another change's",
            body = ProblemView, content_type = "application/problem+json"),
        (status = 422, description = "`schema_violation`, with `violations`", body = ProblemView,
            content_type = "application/problem+json"),
        (status = 428, description = "`precondition_required`, with `current`",
            body = ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "`fate_unknown`: repeat it with the same key",
            body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn put_file(
    State(app): State<App>,
    caller: Caller,
    Key(request_id): Key,
    PathPrecondition(precondition): PathPrecondition,
    Path((book, branch, path)): Path<(BookId, RefName, BookPath)>,
    Query(Message { message }): Query<Message>,
    body: Body,
) -> Result<Response, Problem> {
    caller.may(Verb::Write, &book, &branch, &path)?;
    let content = content_of(body, app.settings().blob_limit).await?;
    let message = message.unwrap_or_else(|| format!("put {path}"));
    let request = VersionRequest { book, branch, message, request_id };
    let edits = vec![PathEdit { path, edit: Edit::Put(content), precondition }];
    edit_one(&app, &caller, request, Operation::put(), edits).await
}

/// Delete a file, or with `recursive` a folder
///
/// What is not there is as wanted: `existed` is false then.
#[utoipa::path(
    delete, path = "/v1/books/{book}/refs/{ref}/files/{*path}", tag = "files",
    params(
        ("book" = String, Path, description = "The book"),
        ("ref" = String, Path, description = "The branch, its slashes as %2F"),
        ("path" = String, Path, description = "The path in the book"),
        ("if-match" = Option<String>, Header, description = "The id of the file that is there"),
        ("idempotency-key" = Option<String>, Header,
            description = "Repeated with the same key, it is done once"),
        Delete,
    ),
    responses(
        (status = 200, description = "It is gone: `deleted` or `absent`", body = EditView),
        (status = 409, description = "`is_a_folder`: say `recursive=true`", body = ProblemView,
            content_type = "application/problem+json"),
        (status = 412, description = "`not_as_expected`, with `current`", body = ProblemView,
            content_type = "application/problem+json"),
    )
)]
async fn delete_file(
    State(app): State<App>,
    caller: Caller,
    Key(request_id): Key,
    PathPrecondition(precondition): PathPrecondition,
    Path((book, branch, path)): Path<(BookId, RefName, String)>,
    Query(Delete { recursive, message }): Query<Delete>,
) -> Result<Response, Problem> {
    let path = path_of(&path)?;
    if recursive {
        caller.may_below(Verb::Write, &book, &branch, &path)?;
    } else {
        caller.may(Verb::Write, &book, &branch, &path)?;
    }
    if precondition == Precondition::Absent {
        let rule = "a deletion is of what is there: If-Match or nothing";
        return Err(Problem::bad_request("bad_precondition", rule));
    }
    let message = message.unwrap_or_else(|| format!("remove {path}"));
    let request = VersionRequest { book, branch, message, request_id };
    let edits = vec![PathEdit { path, edit: Edit::Remove { recursive }, precondition }];
    edit_one(&app, &caller, request, Operation::remove(), edits).await
}

/// Does one edit and tells what became of the file.
async fn edit_one(
    app: &App,
    caller: &Caller,
    request: VersionRequest,
    operation: Operation,
    edits: Vec<PathEdit>,
) -> Result<Response, Problem> {
    let report = app.edit(caller, request, operation, edits).await?;
    let result = report.results.first();
    let status = match result.map(|result| result.outcome) {
        Some(EditOutcome::Created) => StatusCode::CREATED,
        _ => StatusCode::OK,
    };
    let mut response = (status, axum::Json(EditView::new(&report))).into_response();
    if let Some(id) = result.and_then(|result| result.new) {
        response.headers_mut().insert(header::ETAG, Etag::of(id.hash()).header());
    }
    name_commit(&mut response, &report.commit);
    Ok(response)
}

fn file_head(id: &BlobId, path: &BookPath, kind: EntryKind) -> Head {
    let octets = HeaderValue::from_static("application/octet-stream");
    let media_type = match kind {
        EntryKind::Symlink => HeaderValue::from_static("text/plain; charset=utf-8"),
        _ => media_type(path.as_str()).and_then(|text| text.parse().ok()).unwrap_or(octets),
    };
    Head { etag: Etag::of(id.hash()), caching: Caching::Revalidate, media_type }
}

/// The media type by a path's ending; text is UTF-8 in a book.
fn media_type(path: &str) -> Option<String> {
    let guess = mime_guess::from_path(path).first()?;
    let text = guess.type_() == "text" && guess.get_param("charset").is_none();
    Some(if text { format!("{guess}; charset=utf-8") } else { guess.to_string() })
}

/// The lines of a listing: those of a live branch say where each comes from.
async fn entries(version: &Reading, items: &[ListItem]) -> Result<Vec<ItemView>, Problem> {
    if version.live.is_none() {
        return Ok(items.iter().map(|item| ItemView::new(item, None)).collect());
    }
    let sources = version.sources(items).await?.into_iter();
    Ok(items.iter().zip(sources).map(|(item, source)| ItemView::new(item, Some(source))).collect())
}

fn folder_head(version: &Reading, tree: TreeId, path: &BookPath, recursive: bool) -> Head {
    // The same tree elsewhere has other paths in its listing, and on a live branch other sources.
    let mut at = path.to_string();
    if let (Some(_), Some(upstream)) = (&version.live, &version.upstream) {
        for commit in version.heads().iter().chain([&upstream.base]) {
            at.push_str(&format!("\0{commit}"));
        }
    }
    let at = cas_core::name::Hash::of(at.as_bytes());
    let form = if recursive { "all" } else { "list" };
    Head {
        etag: Etag::derived(&format!("{tree}.{}.{form}", &at.to_hex()[..16])),
        caching: Caching::Revalidate,
        media_type: HeaderValue::from_static("application/json"),
    }
}
