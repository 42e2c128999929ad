//! Archives: a version, or part of it, as one file, streamed.
//!
//! An archive of a tree never changes, so its `ETag` can be said before it is made. Only the length
//! of a tar is known beforehand, so only a tar has ranges. A blob that turns out to be missing or
//! damaged breaks the connection off, and the log says why.

use std::ops::RangeInclusive;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use cas_core::name::{BookId, RefName, TreeId};
use cas_core::repo::{ArchiveFormat, ArchiveRequest, Pieces, Repository};
use futures::{StreamExt, stream};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::choice::{Choice, ChoiceQuery, tree_of, version_at};
use super::content::{Caching, Etag, Head, Wanted, name_version, wanted};
use super::extract::Path;
use crate::app::App;
use crate::caller::Caller;
use crate::problem::{Problem, ProblemView, chain};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get_tree_archive, head_tree_archive))
        .routes(routes!(get_ref_archive, head_ref_archive))
}

/// A tree as an archive
///
/// The same tree, format and choice always give the same bytes. Files have their full paths in
/// the tree. A tar has a length and can be resumed by ranges; the others cannot.
#[utoipa::path(
    get, path = "/v1/trees/{id}/{archive}", tag = "archives",
    params(
        ("id" = String, Path, description = "The tree's id"),
        ("archive" = String, Path, description = "`archive.tar`, `archive.tar.zst` or `archive.zip`"),
        ChoiceQuery,
    ),
    responses(
        (status = 200, description = "The archive", content(
            (Vec<u8> = "application/x-tar"), (Vec<u8> = "application/zstd"),
            (Vec<u8> = "application/zip"))),
        (status = 206, description = "The range of a tar that was asked for"),
        (status = 304, description = "The client has it"),
        (status = 404, description = "`no_object` or `no_path`", body = ProblemView,
            content_type = "application/problem+json"),
        (status = 416, description = "`bad_range`", body = ProblemView,
            content_type = "application/problem+json"),
        (status = 422, description = "`bad_tree`: no disk can hold it; `too_many_files`",
            body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn get_tree_archive(
    State(app): State<App>,
    caller: Caller,
    method: Method,
    headers: HeaderMap,
    Path((id, archive)): Path<(String, String)>,
    choice: Choice,
) -> Result<Response, Problem> {
    let format = format_of(&archive)?;
    let tree = tree_of(&app, &caller, &id).await?;
    let answer = Answer {
        request: choice.archive(tree, format),
        caching: Caching::by_id(caller.is_public()),
        name: tree.short(),
    };
    answer.give(&app.repo(&caller), &method, &headers).await
}

/// Whether a tree can be had as an archive, and of a tar the length
#[utoipa::path(
    head, path = "/v1/trees/{id}/{archive}", tag = "archives",
    params(
        ("id" = String, Path, description = "The tree's id"),
        ("archive" = String, Path, description = "`archive.tar`, `archive.tar.zst` or `archive.zip`"),
        ChoiceQuery,
    ),
    responses((status = 200, description = "It can"), (status = 404, description = "It is not there"))
)]
async fn head_tree_archive(
    app: State<App>,
    caller: Caller,
    headers: HeaderMap,
    path: Path<(String, String)>,
    choice: Choice,
) -> Result<Response, Problem> {
    get_tree_archive(app, caller, Method::HEAD, headers, path, choice).await
}

/// What a ref points at now, as an archive
///
/// As by the tree's id; `Cas-Commit` names the commit. Ask with `If-None-Match` each time.
#[utoipa::path(
    get, path = "/v1/books/{book}/refs/{ref}/{archive}", tag = "archives",
    params(
        ("book" = String, Path, description = "The book"),
        ("ref" = String, Path, description = "The ref, its slashes as %2F"),
        ("archive" = String, Path, description = "`archive.tar`, `archive.tar.zst` or `archive.zip`"),
        ChoiceQuery,
    ),
    responses(
        (status = 200, description = "The archive", content(
            (Vec<u8> = "application/x-tar"), (Vec<u8> = "application/zstd"),
            (Vec<u8> = "application/zip"))),
        (status = 206, description = "The range of a tar that was asked for"),
        (status = 304, description = "The client has it"),
        (status = 404, description = "`no_book`, `no_ref`, `ref_deleted` or `no_path`",
            body = ProblemView, content_type = "application/problem+json"),
        (status = 416, description = "`bad_range`", body = ProblemView,
            content_type = "application/problem+json"),
        (status = 422, description = "`bad_tree`: no disk can hold it; `too_many_files`",
            body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn get_ref_archive(
    State(app): State<App>,
    caller: Caller,
    method: Method,
    headers: HeaderMap,
    Path((book, name, archive)): Path<(BookId, RefName, String)>,
    choice: Choice,
) -> Result<Response, Problem> {
    let format = format_of(&archive)?;
    let file = book.to_string();
    let version = version_at(&app, &caller, book, name, &choice.path).await?;
    let answer = Answer {
        request: choice.archive(version.tree, format),
        caching: Caching::Revalidate,
        name: format!("{file}-{}", version.id.short()),
    };
    let mut response = answer.give(&version.repo, &method, &headers).await?;
    name_version(&mut response, &version);
    Ok(response)
}

/// Whether what a ref points at can be had as an archive, and of a tar the length
#[utoipa::path(
    head, path = "/v1/books/{book}/refs/{ref}/{archive}", tag = "archives",
    params(
        ("book" = String, Path, description = "The book"),
        ("ref" = String, Path, description = "The ref, its slashes as %2F"),
        ("archive" = String, Path, description = "`archive.tar`, `archive.tar.zst` or `archive.zip`"),
        ChoiceQuery,
    ),
    responses((status = 200, description = "It can"), (status = 404, description = "It is not there"))
)]
async fn head_ref_archive(
    app: State<App>,
    caller: Caller,
    headers: HeaderMap,
    path: Path<(BookId, RefName, String)>,
    choice: Choice,
) -> Result<Response, Problem> {
    get_ref_archive(app, caller, Method::HEAD, headers, path, choice).await
}

/// The format in the last segment of a URL.
fn format_of(segment: &str) -> Result<ArchiveFormat, Problem> {
    let format = segment.strip_prefix("archive.").and_then(|format| format.parse().ok());
    format.ok_or_else(|| Problem::not_found("no_route", format!("there is nothing at {segment:?}")))
}

impl Choice {
    fn archive(self, tree: TreeId, format: ArchiveFormat) -> ArchiveRequest {
        ArchiveRequest { tree, format, path: self.path, globs: self.globs }
    }
}

/// An archive and how it is handed out.
struct Answer {
    request: ArchiveRequest,
    caching: Caching,
    /// What a browser is to call it, without the ending.
    name: String,
}

impl Answer {
    async fn give(
        self,
        repo: &Repository,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<Response, Problem> {
        let format = self.request.format;
        let head = Head {
            etag: Etag::derived(&self.request.tag()),
            caching: self.caching,
            media_type: HeaderValue::from_static(format.media_type()),
        };
        if let Some(response) = head.not_modified(headers) {
            return Ok(response);
        }
        let archive = repo.archive(&self.request).await?;
        let is_head = method == Method::HEAD;
        let mut response = match archive.length() {
            Some(length) if is_head => head.whole(length, Body::empty()),
            Some(length) => match range(headers, &head.etag, length)? {
                None => head.whole(length, body(archive.stream()).await?),
                Some(range) => {
                    let pieces = archive.stream_range(*range.start()..range.end() + 1);
                    let pieces = pieces.unwrap_or_else(|| stream::empty().boxed());
                    head.part(&range, length, body(pieces).await?)
                }
            },
            None => {
                // An empty body would say that the archive has no bytes.
                let pieces = if is_head { stream::empty().boxed() } else { archive.stream() };
                let body = body(pieces).await?;
                let mut response = head.answer(StatusCode::OK, body);
                let none = HeaderValue::from_static("none");
                response.headers_mut().insert(header::ACCEPT_RANGES, none);
                response
            }
        };
        let name = format!("attachment; filename=\"{}.{}\"", self.name, format.extension());
        if let Ok(value) = HeaderValue::from_str(&name) {
            response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
        }
        Ok(response)
    }
}

/// The one range that is asked for. Several at once are answered with everything, as RFC 9110
/// section 14.2 allows: nobody resumes in two places.
fn range(
    headers: &HeaderMap,
    etag: &Etag,
    length: u64,
) -> Result<Option<RangeInclusive<u64>>, Problem> {
    Ok(match wanted(headers, etag, length)? {
        Wanted::Ranges(ranges) => match ranges.as_slice() {
            [range] => Some(range.clone()),
            _ => None,
        },
        Wanted::All => None,
    })
}

/// The body, when its first piece is there: what fails until then is answered properly. What fails
/// later breaks the connection off, and is logged.
async fn body(mut pieces: Pieces) -> Result<Body, Problem> {
    let first = pieces.next().await.transpose()?;
    let span = tracing::Span::current();
    let rest = pieces.inspect(move |piece| {
        if let Err(error) = piece {
            span.in_scope(|| {
                tracing::error!(error = chain(error), "an archive was broken off");
            });
        }
    });
    Ok(Body::from_stream(stream::iter(first.map(Ok)).chain(rest)))
}
