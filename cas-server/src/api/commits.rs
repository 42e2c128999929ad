//! Several edits as one commit: all of them, or none.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cas_core::name::{BlobId, BookId, BookPath, HashPrefix, Operation, RefName};
use cas_core::object::Kind;
use cas_core::repo::{Content, Edit, PathEdit, Precondition, VersionRequest};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Json, Path};
use super::view::EditView;
use crate::app::App;
use crate::caller::{Caller, Verb};
use crate::problem::{Problem, ProblemView};
use crate::request_id::Key;

/// Most edits of one commit.
pub(super) const EDITS: usize = 10_000;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(post_commit))
}

/// Several edits.
#[derive(Debug, Deserialize, ToSchema)]
struct NewCommit {
    /// Why, for the record.
    message: String,
    /// What is to be done, in this order.
    edits: Vec<NewEdit>,
}

/// One edit.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "op", rename_all = "lowercase", deny_unknown_fields)]
enum NewEdit {
    /// Write a file. Its content is given in one of three ways.
    Put {
        /// Where.
        path: BookPathText,
        /// The content, as text.
        text: Option<String>,
        /// The content, in base64.
        base64: Option<String>,
        /// The content, by the id of a blob that is in the store.
        blob: Option<String>,
        /// What is there: `absent`, or the id of the file. To overwrite a file it must be said.
        expect: Option<String>,
    },
    /// Delete what is there.
    Delete {
        /// Where.
        path: BookPathText,
        /// Also a folder, with everything in it.
        #[serde(default)]
        recursive: bool,
        /// The id of the file that is there.
        expect: Option<String>,
    },
    /// Move a file or folder to where nothing is.
    Move {
        /// From where.
        path: BookPathText,
        /// Where to.
        to: BookPathText,
        /// The id of the file that is there.
        expect: Option<String>,
    },
}

/// A path in a book.
type BookPathText = String;

/// Do several edits as one commit
///
/// All of them are done or none. Each may say what it believes to be at its path.
#[utoipa::path(
    post, path = "/v1/books/{book}/refs/{ref}/commits", tag = "files",
    request_body = NewCommit,
    params(
        ("book" = String, Path, description = "The book"),
        ("ref" = String, Path, description = "The branch, its slashes as %2F"),
        ("idempotency-key" = Option<String>, Header,
            description = "Repeated with the same key, it is done once"),
    ),
    responses(
        (status = 201, description = "The commit was made", body = EditView),
        (status = 200, description = "Everything is so already", body = EditView),
        (status = 400, description = "`bad_edit` or `bad_name`", body = ProblemView,
            content_type = "application/problem+json"),
        (status = 409, description = "`not_a_folder`, `is_a_folder` or `move_into_itself`",
            body = ProblemView, content_type = "application/problem+json"),
        (status = 412, description = "`exists` or `not_as_expected`, with `current`",
            body = ProblemView, content_type = "application/problem+json"),
        (status = 422, description = "`schema_violation`, with `violations`", body = ProblemView,
            content_type = "application/problem+json"),
        (status = 428, description = "`precondition_required`, with `current`",
            body = ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "`fate_unknown`: repeat it with the same key",
            body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn post_commit(
    State(app): State<App>,
    caller: Caller,
    Key(request_id): Key,
    Path((book, branch)): Path<(BookId, RefName)>,
    Json(NewCommit { message, edits }): Json<NewCommit>,
) -> Result<Response, Problem> {
    if edits.is_empty() || edits.len() > EDITS {
        return Err(bad_edit(&format!("a commit has 1 to {EDITS} edits")));
    }
    let mut operations = Vec::new();
    let mut wanted = Vec::with_capacity(edits.len());
    for edit in edits {
        let (operation, edit) = edit.checked(&app, &caller, &book, &branch).await?;
        operations.push(operation);
        wanted.push(edit);
    }
    operations.dedup();
    let operation = match operations.as_slice() {
        [one] => one.clone(),
        _ => Operation::edit(),
    };
    let request = VersionRequest { book, branch, message, request_id };
    let report = app.edit(&caller, request, operation, wanted).await?;
    let status = if report.changed { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, axum::Json(EditView::new(&report))).into_response())
}

impl NewEdit {
    /// The edit as the core knows it, if it breaks no rule and the caller may do it.
    async fn checked(
        self,
        app: &App,
        caller: &Caller,
        book: &BookId,
        branch: &RefName,
    ) -> Result<(Operation, PathEdit), Problem> {
        match self {
            Self::Put { path, text, base64, blob, expect } => {
                let path = BookPath::parse(&path)?;
                caller.may(Verb::Write, book, branch, &path)?;
                let content = match (text, base64, blob) {
                    (Some(text), None, None) => Content::from_bytes(text.into()),
                    (None, Some(text), None) => {
                        let bytes = STANDARD.decode(text).map_err(|error| {
                            bad_edit(&format!("the base64 for {path} is none: {error}"))
                        })?;
                        Content::from_bytes(bytes.into())
                    }
                    (None, None, Some(id)) => stored(app, caller, &id).await?,
                    _ => {
                        let rule = format!("{path} has one of text, base64 and blob");
                        return Err(bad_edit(&rule));
                    }
                };
                let precondition = precondition(expect.as_deref())?;
                Ok((Operation::put(), PathEdit { path, edit: Edit::Put(content), precondition }))
            }
            Self::Delete { path, recursive, expect } => {
                let path = BookPath::parse(&path)?;
                if recursive {
                    caller.may_below(Verb::Write, book, branch, &path)?;
                } else {
                    caller.may(Verb::Write, book, branch, &path)?;
                }
                let precondition = precondition(expect.as_deref())?;
                let edit = Edit::Remove { recursive };
                Ok((Operation::remove(), PathEdit { path, edit, precondition }))
            }
            Self::Move { path, to, expect } => {
                let (path, to) = (BookPath::parse(&path)?, BookPath::parse(&to)?);
                // What is moved is also read: it may come to where its reader may look.
                caller.may_below(Verb::Read, book, branch, &path)?;
                caller.may_below(Verb::Write, book, branch, &path)?;
                caller.may_below(Verb::Write, book, branch, &to)?;
                let precondition = precondition(expect.as_deref())?;
                Ok((Operation::rename(), PathEdit { path, edit: Edit::Move { to }, precondition }))
            }
        }
    }
}

/// Content that is in the store already. Naming it makes it readable at a path, so only those who
/// may read everything may do so: knowing an id opens nothing.
async fn stored(app: &App, caller: &Caller, id: &str) -> Result<Content, Problem> {
    let id: BlobId = id.parse()?;
    caller.may_all(Verb::Read)?;
    match Content::stored(app.store(), id).await? {
        Some(content) => Ok(content),
        None => Err(Problem::no_object(Kind::Blob, id.hash())),
    }
}

pub(super) fn precondition(expect: Option<&str>) -> Result<Precondition, Problem> {
    Ok(match expect {
        None => Precondition::Unsaid,
        Some("absent") => Precondition::Absent,
        Some(id) => Precondition::Is(HashPrefix::parse(id)?),
    })
}

pub(super) fn bad_edit(rule: &str) -> Problem {
    Problem::bad_request("bad_edit", rule)
}
