//! How a branch stands to what it follows.

use axum::extract::State;
use cas_core::name::{BookId, RefName};
use cas_core::repo::Standing;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::changes::{ChangeView, Changes};
use super::extract::{Page, Path, Query};
use crate::app::App;
use crate::caller::{Caller, Verb};
use crate::problem::{Problem, ProblemView};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get_standing))
}

/// How a branch stands to its upstream, as JSON: here, and on the command line.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Standing)]
pub struct StandingView {
    /// The book.
    book: String,
    /// The branch.
    r#ref: String,
    /// The commit that it points at.
    commit: String,
    /// The branch that it follows.
    upstream: String,
    /// `live` or `pinned`.
    follow: &'static str,
    /// The commit that the upstream points at; none if it is not there.
    upstream_commit: Option<String>,
    /// The commits where the two met last: mostly one.
    fork_point: Vec<String>,
    /// How many commits the branch has that the upstream has not.
    ahead: u64,
    /// How many commits the upstream has that the branch has not.
    behind: u64,
    /// What the branch changed since they met, in the order of paths: a page of it.
    changes: Vec<ChangeView>,
    /// Whether there are more than this page.
    truncated: bool,
    /// Where to go on; none at the end.
    next: Option<String>,
    /// How many files the branch has.
    files: u64,
    /// Bytes of its files that are new on it.
    own_bytes: u64,
    /// Bytes of the others.
    shared_bytes: u64,
}

impl StandingView {
    /// How a branch stands, with everything that it changed.
    pub fn new(standing: &Standing) -> Self {
        Self::with(standing, Changes::all(&standing.changes))
    }

    fn with(standing: &Standing, changes: Changes) -> Self {
        let Standing { branch, upstream_commit, bases, totals, own_bytes, .. } = standing;
        let entry = &branch.head.entry;
        Self {
            book: entry.book.to_string(),
            r#ref: entry.name.to_string(),
            commit: branch.commit.to_string(),
            upstream: branch.upstream.name.to_string(),
            follow: branch.upstream.follow.as_str(),
            upstream_commit: upstream_commit.map(|id| id.to_string()),
            fork_point: bases.iter().map(ToString::to_string).collect(),
            ahead: standing.ahead,
            behind: standing.behind,
            changes: changes.shown,
            truncated: changes.next.is_some(),
            next: changes.next,
            files: totals.files,
            own_bytes: *own_bytes,
            shared_bytes: standing.shared_bytes(),
        }
    }
}

/// How a branch stands to what it follows
///
/// Where the two met last, how many commits each has that the other has not, what the branch changed
/// since, and how much of it is its own. Who asks may read all of both.
#[utoipa::path(
    get, path = "/v1/books/{book}/refs/{ref}/standing", tag = "refs",
    params(
        ("book" = String, Path, description = "The book"),
        ("ref" = String, Path, description = "The branch, its slashes as %2F"),
        Page,
    ),
    responses(
        (status = 200, description = "How it stands, with a page of its changes",
            body = StandingView),
        (status = 404, description = "`no_book`, `no_ref` or `ref_deleted`", body = ProblemView,
            content_type = "application/problem+json"),
        (status = 409, description = "`no_upstream`: it follows nothing; `wrong_ref`",
            body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn get_standing(
    State(app): State<App>,
    caller: Caller,
    Path((book, name)): Path<(BookId, RefName)>,
    Query(page): Query<Page>,
) -> Result<axum::Json<StandingView>, Problem> {
    caller.may_ref(Verb::Read, &book, &name)?;
    let repo = app.repo(&caller);
    let branch = repo.follower(&book, &name).await?;
    caller.may_ref(Verb::Read, &book, &branch.upstream.name)?;
    let standing = repo.standing(branch).await?;
    let changes = Changes::page(&standing.changes, &page, &app)?;
    Ok(axum::Json(StandingView::with(&standing, changes)))
}
