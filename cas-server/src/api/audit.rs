//! What happened to a book: the logs of all its refs as one, or the changes of one path.

use axum::extract::State;
use cas_core::name::{BookId, BookPath};
use cas_core::repo::{AuditFilter, AuditItem, ChangeStatus, PathChange, PathState};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Page, Path, Query, path_of};
use super::log::Filter;
use super::view::RequestView;
use crate::app::App;
use crate::caller::Caller;
use crate::problem::{Problem, ProblemView};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get_audit))
}

/// Of which refs and of which path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Where {
    /// Refs that match: `*` within a segment, `**` across; all where it is not said.
    pattern: Option<String>,
    /// Only changes of this file or folder.
    path: Option<String>,
}

/// A part of what happened to a book.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Audit)]
struct AuditView {
    /// What happened, newest first.
    entries: Vec<ItemView>,
    /// Where to go on; none at the end. A page may be empty and not the last.
    next: Option<String>,
}

/// One movement of a ref; where a path was named, one change of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEntry)]
struct ItemView {
    /// The book.
    book: String,
    /// The ref.
    r#ref: String,
    /// The position in its log.
    seq: u64,
    /// The id of the log entry.
    id: String,
    /// When: RFC 3339.
    time: String,
    /// Who did it; of several that moved the ref together the last, and of a change of a path
    /// whoever made it.
    actor: String,
    /// By what operation.
    operation: String,
    /// Why.
    message: String,
    /// By which request.
    request_id: String,
    /// The commit that the ref pointed at before; none if at none.
    previous: Option<String>,
    /// The commit that it points at since; none if it was deleted.
    new: Option<String>,
    /// Every request that moved the ref with this entry, in order.
    requests: Vec<RequestView>,
    /// What became of the path; absent if none was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<ChangeView>,
}

/// What became of a path.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PathChange)]
struct ChangeView {
    /// The path.
    path: String,
    /// `added`, `changed` or `removed`.
    #[schema(value_type = String)]
    status: ChangeStatus,
    /// What was there; none if nothing was.
    previous: Option<StateView>,
    /// What is there since.
    new: Option<StateView>,
}

/// What is at a path.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PathState)]
struct StateView {
    /// `file`, `executable`, `symlink` or `tree`.
    kind: &'static str,
    /// The id of the blob or tree.
    id: String,
}

/// What happened to the refs of a book, newest first
///
/// Of refs that the caller may not read, with all of their paths or all that is at `path`, nothing
/// is told.
#[utoipa::path(
    get, path = "/v1/books/{book}/audit", tag = "refs",
    params(("book" = String, Path, description = "The book"), Where, Filter, Page),
    responses(
        (status = 200, description = "A page of it", body = AuditView),
        (status = 404, description = "`no_book`", body = ProblemView,
            content_type = "application/problem+json"),
    )
)]
async fn get_audit(
    State(app): State<App>,
    caller: Caller,
    Path(book): Path<BookId>,
    Query(Where { pattern, path }): Query<Where>,
    Query(filter): Query<Filter>,
    Query(page): Query<Page>,
) -> Result<axum::Json<AuditView>, Problem> {
    caller.must_see_book(&book)?;
    let path = path_of(path.as_deref().unwrap_or_default())?;
    let after = page.cursor.as_deref().map(str::parse).transpose();
    let after = after.map_err(|_| Page::bad_cursor())?;
    let repo = app.repo(&caller);
    let mut names = repo.ref_names(&book, pattern.as_deref()).await?;
    names.retain(|name| caller.reads_below(&book, name, &path));
    let filter = AuditFilter { entries: filter.entries()?, path: path.clone() };
    let found = repo.audit_page(&book, names, filter, after.as_ref(), page.size(&app)).await?;
    let entries = found.items.iter().map(|item| ItemView::new(item, &path)).collect();
    Ok(axum::Json(AuditView { entries, next: found.next.map(|cursor| cursor.to_string()) }))
}

impl ItemView {
    fn new(item: &AuditItem, path: &BookPath) -> Self {
        let AuditItem { entry: found, request, message, previous, new, change } = item;
        let entry = &found.entry;
        Self {
            book: entry.book.to_string(),
            r#ref: entry.name.to_string(),
            seq: entry.seq,
            id: found.id.to_string(),
            time: entry.time.to_string(),
            actor: request.actor.to_string(),
            operation: request.operation.to_string(),
            message: message.clone(),
            request_id: request.request_id.to_string(),
            previous: previous.map(|commit| commit.to_string()),
            new: new.map(|commit| commit.to_string()),
            requests: entry.requests().iter().map(RequestView::new).collect(),
            change: change.as_ref().map(|change| ChangeView::new(change, path)),
        }
    }
}

impl ChangeView {
    fn new(change: &PathChange, path: &BookPath) -> Self {
        let state = |PathState { kind, id }: PathState| StateView {
            kind: kind.as_str(),
            id: id.to_string(),
        };
        Self {
            path: path.to_string(),
            status: change.status(),
            previous: change.previous.map(state),
            new: change.new.map(state),
        }
    }
}
