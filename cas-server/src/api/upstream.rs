//! What a branch follows.

use axum::extract::State;
use cas_core::name::{BookId, RefName};
use cas_core::refs::Follow;
use cas_core::repo::{Following, RefRequest};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Json, Path, Query};
use super::refs::Message;
use super::view::EntryView;
use crate::app::App;
use crate::caller::{Caller, Verb};
use crate::problem::{Problem, ProblemView};
use crate::request_id::Key;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(put_upstream, delete_upstream))
}

/// What a branch is to follow.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PutUpstream {
    /// The branch, of the same book; where none is said, the one that it follows now.
    #[schema(value_type = Option<String>)]
    r#ref: Option<RefName>,
    /// `live` or `pinned`.
    #[schema(value_type = String)]
    follow: Follow,
    /// Why, for the record.
    message: Option<String>,
}

/// Change what a branch follows, or how
///
/// The branch stays where it points; its log gets an entry, unless nothing changes.
#[utoipa::path(
    put, path = "/v1/books/{book}/refs/{ref}/upstream", tag = "refs",
    request_body = PutUpstream,
    params(
        ("book" = String, Path, description = "The book"),
        ("ref" = String, Path, description = "The branch, its slashes as %2F"),
    ),
    responses(
        (status = 200, description = "It follows it", body = EntryView),
        (status = 404, description = "`no_book`, `no_ref` or `ref_deleted`: the branch or its \
            upstream", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "`bad_upstream`: they share no history, or it follows nothing \
            yet and nothing is named; `wrong_ref`", body = ProblemView,
            content_type = "application/problem+json"),
        (status = 412, description = "`ref_moved`, with `current`: repeat it", body = ProblemView,
            content_type = "application/problem+json"),
    )
)]
async fn put_upstream(
    State(app): State<App>,
    caller: Caller,
    Key(request_id): Key,
    Path((book, name)): Path<(BookId, RefName)>,
    Json(PutUpstream { r#ref: upstream, follow, message }): Json<PutUpstream>,
) -> Result<axum::Json<EntryView>, Problem> {
    caller.may_ref(Verb::Write, &book, &name)?;
    // What is followed is shown to whoever may read the branch.
    if let Some(upstream) = &upstream {
        caller.may_ref(Verb::Read, &book, upstream)?;
    }
    let message = message.unwrap_or_else(|| format!("follow {}", follow.as_str()));
    let request = RefRequest { book, name, message, request_id };
    let following = Following { upstream, follow };
    let entry = app.repo(&caller).set_upstream(&request, Some(&following)).await?;
    Ok(axum::Json(EntryView::new(&entry)))
}

/// Let a branch follow nothing
///
/// The branch stays where it points; its log gets an entry, unless it follows nothing already.
#[utoipa::path(
    delete, path = "/v1/books/{book}/refs/{ref}/upstream", tag = "refs",
    params(
        ("book" = String, Path, description = "The book"),
        ("ref" = String, Path, description = "The branch, its slashes as %2F"),
        Message,
    ),
    responses(
        (status = 200, description = "It follows nothing", body = EntryView),
        (status = 404, description = "`no_book`, `no_ref` or `ref_deleted`", body = ProblemView,
            content_type = "application/problem+json"),
    )
)]
async fn delete_upstream(
    State(app): State<App>,
    caller: Caller,
    Key(request_id): Key,
    Path((book, name)): Path<(BookId, RefName)>,
    Query(Message { message }): Query<Message>,
) -> Result<axum::Json<EntryView>, Problem> {
    caller.may_ref(Verb::Write, &book, &name)?;
    let message = message.unwrap_or_else(|| "follow none".to_owned());
    let request = RefRequest { book, name, message, request_id };
    let entry = app.repo(&caller).set_upstream(&request, None).await?;
    Ok(axum::Json(EntryView::new(&entry)))
}
