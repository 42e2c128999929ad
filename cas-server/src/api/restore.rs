//! Making paths of a branch what they are upstream, or in another version.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use cas_core::name::{BookId, BookPath, NameError, Operation, RefName, Revision, TreeId};
use cas_core::repo::VersionRequest;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::commits::{EDITS, bad_edit, precondition};
use super::extract::{Json, Path, path_of};
use super::view::EditView;
use crate::app::App;
use crate::caller::{Caller, Verb};
use crate::problem::{Problem, ProblemView};
use crate::request_id::Key;

/// What stands for the version that a branch follows.
const UPSTREAM: &str = "upstream";

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(restore_paths))
}

/// What is to be as it is elsewhere.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RestorePaths {
    /// The files and folders.
    paths: Vec<String>,
    /// `upstream` (so if absent), or a revision of the same book: `main~2`, `main#7`, `tags/v1`, or
    /// the first 8 or more digits of a commit's id.
    from: Option<String>,
    /// What is at some of the paths, by path: `absent`, or the id of the file.
    #[serde(default)]
    expect: BTreeMap<String, String>,
    /// Why, for the record.
    message: Option<String>,
}

/// Make files or folders what they are upstream, or in another version
///
/// What that version does not have is removed. All of it is one commit. Who asks may write
/// everything at the paths, and read it in the version that it comes from.
#[utoipa::path(
    post, path = "/v1/books/{book}/refs/{ref}/restore-paths", tag = "files",
    request_body = RestorePaths,
    params(
        ("book" = String, Path, description = "The book"),
        ("ref" = String, Path, description = "The branch, its slashes as %2F"),
        ("idempotency-key" = Option<String>, Header,
            description = "Repeated with the same key, it is done once"),
    ),
    responses(
        (status = 201, description = "The commit was made", body = EditView),
        (status = 200, description = "Everything is so already", body = EditView),
        (status = 400, description = "`bad_edit`, `bad_name`, or `bad_path` for the root",
            body = ProblemView, content_type = "application/problem+json"),
        (status = 404, description = "`no_book`, `no_ref` or `ref_deleted`: the branch or its \
            upstream", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "`no_upstream`: it follows nothing; `wrong_ref`, \
            `not_a_folder`, `is_a_folder`", body = ProblemView,
            content_type = "application/problem+json"),
        (status = 412, description = "`exists` or `not_as_expected`, with `current`",
            body = ProblemView, content_type = "application/problem+json"),
        (status = 422, description = "`schema_violation`, with `violations`; `key_used`",
            body = ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "`fate_unknown`: repeat it with the same key",
            body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn restore_paths(
    State(app): State<App>,
    caller: Caller,
    Key(request_id): Key,
    Path((book, branch)): Path<(BookId, RefName)>,
    Json(RestorePaths { paths, from, expect, message }): Json<RestorePaths>,
) -> Result<Response, Problem> {
    let paths = parsed(&paths)?;
    for path in &paths {
        caller.may_below(Verb::Write, &book, &branch, path)?;
    }
    let mut expected = BTreeMap::new();
    for (path, what) in &expect {
        let path = path_of(path)?;
        if !paths.contains(&path) {
            return Err(bad_edit(&format!("{path} is expected something of, and not restored")));
        }
        expected.insert(path, precondition(Some(what))?);
    }
    let from = from.as_deref().unwrap_or(UPSTREAM);
    let message = message.unwrap_or_else(|| format!("restore from {from}"));
    let request = VersionRequest { book, branch, message, request_id };
    let repo = app.repo(&caller);
    let tree = match repo.restored_before(&request).await? {
        Some(tree) => tree,
        None => source(&app, &caller, &request, from, &paths).await?,
    };
    let mut edits = repo.restoring(tree, &paths).await?;
    for edit in &mut edits {
        // A path that is named twice is as expected only the first time.
        if let Some(precondition) = expected.remove(&edit.path) {
            edit.precondition = precondition;
        }
    }
    let report = app.edit(&caller, request, Operation::revert(), edits).await?;
    let status = if report.changed { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, axum::Json(EditView::new(&report))).into_response())
}

fn parsed(paths: &[String]) -> Result<Vec<BookPath>, Problem> {
    if paths.is_empty() || paths.len() > EDITS {
        return Err(bad_edit(&format!("1 to {EDITS} paths are restored")));
    }
    Ok(paths.iter().map(|path| path_of(path)).collect::<Result<_, NameError>>()?)
}

/// The tree that paths are restored from, of which the caller may read all of them: what is restored
/// comes to where other readers may look.
async fn source(
    app: &App,
    caller: &Caller,
    request: &VersionRequest,
    from: &str,
    paths: &[BookPath],
) -> Result<TreeId, Problem> {
    let VersionRequest { book, branch, .. } = request;
    let repo = app.repo(caller);
    if from == UPSTREAM {
        let branch = repo.follower(book, branch).await?;
        for path in paths {
            caller.may_below(Verb::Read, book, &branch.upstream.name, path)?;
        }
        return Ok(repo.upstream_tree(&branch).await?);
    }
    let revision = Revision::parse(&format!("{book}@{from}"))?;
    for path in paths {
        caller.may_read(&revision, path)?;
    }
    Ok(repo.resolve(&revision).await?.commit.tree)
}
