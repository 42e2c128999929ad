//! Books, branches and tags: finding, making, moving and deleting them.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cas_core::name::{BookId, BookPath, RefName, Revision};
use cas_core::refs::{Expectation, Follow, LogEntry};
use cas_core::repo::{RefRequest, RepoError, Repository, UpstreamChoice};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::content::Etag;
use super::extract::{Json, Page, Path, Query};
use super::precondition::RefPrecondition;
use super::view::{BookView, EntryView, RefView};
use crate::app::App;
use crate::caller::{Caller, Verb};
use crate::problem::{Problem, ProblemView};
use crate::request_id::Key;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_books))
        .routes(routes!(get_book, put_book))
        .routes(routes!(list_refs))
        .routes(routes!(get_ref, put_ref, delete_ref))
        .routes(routes!(restore_ref))
}

/// A part of the books.
#[derive(Debug, Serialize, ToSchema)]
struct Books {
    /// The books, in the order of their names.
    books: Vec<BookView>,
    /// Where to go on; none at the end.
    next: Option<String>,
}

/// A part of the refs of a book.
#[derive(Debug, Serialize, ToSchema)]
struct Refs {
    /// The refs, in the order of their names.
    refs: Vec<RefView>,
    /// Where to go on; none at the end.
    next: Option<String>,
}

/// Which refs.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Pattern {
    /// Names that match: `*` within a segment, `**` across.
    pattern: Option<String>,
}

/// Why something is done.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Message {
    /// Why, for the record.
    pub(super) message: Option<String>,
}

/// Where a ref is to point.
#[derive(Debug, Deserialize, ToSchema)]
struct PutRef {
    /// A revision of the same book: `main`, `main~2`, `main#7`, `tags/v1`, or the first 8 or more
    /// digits of a commit's id.
    to: String,
    /// Why, for the record.
    message: Option<String>,
    /// What a new branch follows: a branch of the same book, or `null` for nothing. Where it is not
    /// said, the branch that `to` names.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<String>)]
    upstream: UpstreamChoice,
    /// How it follows it: `live` or `pinned`. Where it is not said, as the book's `[[personal]]`
    /// rules say, else `pinned`.
    #[schema(value_type = Option<String>)]
    follow: Option<Follow>,
}

/// What is said of what a branch is to follow.
#[derive(Debug, Default, PartialEq, Eq)]
struct Follows {
    upstream: UpstreamChoice,
    follow: Option<Follow>,
}

/// Tells a `null` from what is not there.
pub(super) fn said<'de, D: Deserializer<'de>>(value: D) -> Result<UpstreamChoice, D::Error> {
    let named: Option<RefName> = Option::deserialize(value)?;
    Ok(named.map_or(UpstreamChoice::None, UpstreamChoice::Named))
}

/// What became of the wish to delete a ref.
#[derive(Debug, Serialize, ToSchema)]
struct DeletedRef {
    /// Whether it was there.
    existed: bool,
    /// The entry by which it was deleted, now or before.
    entry: EntryView,
}

/// All books that the caller may see
#[utoipa::path(
    get, path = "/v1/books", tag = "refs", params(Page),
    responses((status = 200, description = "A page of them", body = Books))
)]
async fn list_books(
    State(app): State<App>,
    caller: Caller,
    Query(page): Query<Page>,
) -> Result<axum::Json<Books>, Problem> {
    let mut names = app.store().refs().books().await?;
    names.retain(|book| caller.sees_book(book));
    let (names, next) = page.cut(&app, names, BookId::as_str);
    let mut books = Vec::with_capacity(names.len());
    for book in names {
        let head = seen_main(&app, &caller, &book).await?;
        books.push(BookView::new(&book, head.as_ref()));
    }
    Ok(axum::Json(Books { books, next }))
}

/// One book
#[utoipa::path(
    get, path = "/v1/books/{book}", tag = "refs",
    params(("book" = String, Path, description = "The book")),
    responses(
        (status = 200, description = "The book", body = BookView),
        (status = 404, description = "`no_book`", body = ProblemView,
            content_type = "application/problem+json"),
    )
)]
async fn get_book(
    State(app): State<App>,
    caller: Caller,
    Path(book): Path<BookId>,
) -> Result<axum::Json<BookView>, Problem> {
    caller.must_see_book(&book)?;
    if app.store().refs().names(&book).await?.is_empty() {
        return Err(RepoError::NoBook { book }.into());
    }
    let head = seen_main(&app, &caller, &book).await?;
    Ok(axum::Json(BookView::new(&book, head.as_ref())))
}

/// Begin a book: its branch `main`, at a version without files
#[utoipa::path(
    put, path = "/v1/books/{book}", tag = "refs",
    params(("book" = String, Path, description = "The book"), Message),
    responses(
        (status = 201, description = "It is begun", body = EntryView),
        (status = 412, description = "`ref_exists`, with `current`", body = ProblemView,
            content_type = "application/problem+json"),
    )
)]
async fn put_book(
    State(app): State<App>,
    caller: Caller,
    Key(request_id): Key,
    Path(book): Path<BookId>,
    Query(Message { message }): Query<Message>,
) -> Result<Response, Problem> {
    let name = RefName::main();
    caller.may_ref(Verb::Write, &book, &name)?;
    let message = message.unwrap_or_else(|| format!("begin {book}"));
    let request = RefRequest { book, name, message, request_id };
    let entry = app.repo(&caller).create_book(&request).await?;
    Ok((StatusCode::CREATED, axum::Json(EntryView::new(&entry))).into_response())
}

/// The branches and tags of a book that the caller may see
#[utoipa::path(
    get, path = "/v1/books/{book}/refs", tag = "refs",
    params(("book" = String, Path, description = "The book"), Pattern, Page),
    responses(
        (status = 200, description = "A page of them; those deleted are left out", body = Refs),
        (status = 404, description = "`no_book`", body = ProblemView,
            content_type = "application/problem+json"),
    )
)]
async fn list_refs(
    State(app): State<App>,
    caller: Caller,
    Path(book): Path<BookId>,
    Query(Pattern { pattern }): Query<Pattern>,
    Query(page): Query<Page>,
) -> Result<axum::Json<Refs>, Problem> {
    caller.must_see_book(&book)?;
    let repo = app.repo(&caller);
    let mut names = repo.ref_names(&book, pattern.as_deref()).await?;
    names.retain(|name| caller.sees_ref(&book, name));
    // Heads are read for one page only: a book may have a million branches.
    let (names, next) = page.cut(&app, names, RefName::as_str);
    let refs = repo.live_refs(&book, names).await?;
    Ok(axum::Json(Refs {
        refs: refs.iter().map(|found| RefView::new(&book, found)).collect(),
        next,
    }))
}

/// Where a branch or tag points
#[utoipa::path(
    get, path = "/v1/books/{book}/refs/{ref}", tag = "refs",
    params(
        ("book" = String, Path, description = "The book"),
        ("ref" = String, Path, description = "The ref, its slashes as %2F"),
    ),
    responses(
        (status = 200, description = "Where; the ETag is the commit's id", body = RefView),
        (status = 304, description = "Where the client knows"),
        (status = 404, description = "`no_book`, `no_ref` or `ref_deleted`", body = ProblemView,
            content_type = "application/problem+json"),
    )
)]
async fn get_ref(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Path((book, name)): Path<(BookId, RefName)>,
) -> Result<Response, Problem> {
    caller.must_see(&book, &name)?;
    let found = app.repo(&caller).find_ref(&book, &name).await?;
    let etag = Etag::of(found.commit.hash());
    let mut response = if etag.is_known(&headers) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        axum::Json(RefView::new(&book, &found)).into_response()
    };
    response.headers_mut().insert(header::ETAG, etag.header());
    Ok(response)
}

/// Create or move a branch, or create a tag
///
/// `If-None-Match: *` creates; `If-Match: "<commit>"` moves a branch that points there; neither
/// creates a ref that is not there. A branch that is moved goes on following what it follows; see
/// `PUT …/upstream`.
#[utoipa::path(
    put, path = "/v1/books/{book}/refs/{ref}", tag = "refs",
    request_body = PutRef,
    params(
        ("book" = String, Path, description = "The book"),
        ("ref" = String, Path, description = "The ref, its slashes as %2F"),
        ("if-match" = Option<String>, Header, description = "The commit that it points at"),
        ("if-none-match" = Option<String>, Header, description = "`*`: it is not there"),
    ),
    responses(
        (status = 201, description = "It was created", body = EntryView),
        (status = 200, description = "It was moved, or is there already", body = EntryView),
        (status = 409, description = "`wrong_ref` or `tag_moves`: a tag is for ever; \
            `bad_upstream`: it cannot follow that",
            body = ProblemView, content_type = "application/problem+json"),
        (status = 412, description = "`ref_exists` or `ref_moved`, with `current`",
            body = ProblemView, content_type = "application/problem+json"),
        (status = 422, description = "`schema_violation`, with `violations`", body = ProblemView,
            content_type = "application/problem+json"),
        (status = 428, description = "`precondition_required`, with `current`",
            body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn put_ref(
    State(app): State<App>,
    caller: Caller,
    Key(request_id): Key,
    precondition: RefPrecondition,
    Path((book, name)): Path<(BookId, RefName)>,
    Json(PutRef { to, message, upstream, follow }): Json<PutRef>,
) -> Result<Response, Problem> {
    caller.may_ref(Verb::Write, &book, &name)?;
    let repo = app.repo(&caller);
    // A ref opens what it points at to whoever may read the ref: knowing an id opens nothing.
    let from = Revision::parse(&format!("{book}@{to}"))?;
    caller.may_read(&from, &BookPath::root())?;
    if let UpstreamChoice::Named(upstream) = &upstream {
        caller.may_ref(Verb::Read, &book, upstream)?;
    }
    let follows = Follows { upstream, follow };
    let message = message.unwrap_or_else(|| format!("to {to}"));
    let request = RefRequest { book, name, message, request_id };
    let (status, entry) = match precondition {
        RefPrecondition::Is(expected) => {
            if follows != Follows::default() {
                let rule = "a branch that is moved follows what it did: see its upstream";
                return Err(Problem::bad_request("bad_upstream", rule));
            }
            let (expect, commit) = (Expectation::Is(expected), repo.resolve_id(&from).await?);
            (StatusCode::OK, repo.reset_branch(&request, expect, commit).await?)
        }
        RefPrecondition::Absent => {
            (StatusCode::CREATED, create(&repo, &request, &from, &follows).await?)
        }
        RefPrecondition::Unsaid => match create(&repo, &request, &from, &follows).await {
            Ok(entry) => (StatusCode::CREATED, entry),
            Err(RepoError::RefExists { commit, .. }) => {
                let detail = format!(
                    "{}@{} exists: say what you believe it to point at with If-Match",
                    request.book, request.name
                );
                let status = StatusCode::PRECONDITION_REQUIRED;
                let problem = Problem::new(status, "precondition_required", detail);
                return Err(problem.with("current", commit.to_string()));
            }
            Err(error) => return Err(error.into()),
        },
    };
    Ok((status, axum::Json(EntryView::new(&entry))).into_response())
}

/// Delete a branch or tag; its log stays
#[utoipa::path(
    delete, path = "/v1/books/{book}/refs/{ref}", tag = "refs",
    params(
        ("book" = String, Path, description = "The book"),
        ("ref" = String, Path, description = "The ref, its slashes as %2F"),
        ("if-match" = Option<String>, Header, description = "The commit that it points at"),
        Message,
    ),
    responses(
        (status = 200, description = "It is gone, now or since before", body = DeletedRef),
        (status = 404, description = "`no_book` or `no_ref`: there never was one",
            body = ProblemView, content_type = "application/problem+json"),
        (status = 412, description = "`ref_moved`, with `current`", body = ProblemView,
            content_type = "application/problem+json"),
    )
)]
async fn delete_ref(
    State(app): State<App>,
    caller: Caller,
    Key(request_id): Key,
    precondition: RefPrecondition,
    Path((book, name)): Path<(BookId, RefName)>,
    Query(Message { message }): Query<Message>,
) -> Result<axum::Json<DeletedRef>, Problem> {
    caller.may_delete(&book, &name)?;
    let expect = match precondition {
        RefPrecondition::Is(commit) => Expectation::Is(commit),
        RefPrecondition::Absent | RefPrecondition::Unsaid => Expectation::Any,
    };
    let message = message.unwrap_or_else(|| format!("delete {book}@{name}"));
    let request = RefRequest { book, name, message, request_id };
    let deleted = app.repo(&caller).delete_ref(&request, expect).await?;
    let entry = EntryView::new(&deleted.entry);
    Ok(axum::Json(DeletedRef { existed: deleted.existed, entry }))
}

/// Bring a deleted branch back to where it pointed last
#[utoipa::path(
    post, path = "/v1/books/{book}/refs/{ref}/restore", tag = "refs",
    params(
        ("book" = String, Path, description = "The book"),
        ("ref" = String, Path, description = "The branch, its slashes as %2F"),
        Message,
    ),
    responses(
        (status = 200, description = "It is back", body = EntryView),
        (status = 404, description = "`no_book`, `no_ref`, or `ref_forgotten`: it was deleted for \
            good", body = ProblemView, content_type = "application/problem+json"),
        (status = 412, description = "`ref_exists`: it is not deleted", body = ProblemView,
            content_type = "application/problem+json"),
    )
)]
async fn restore_ref(
    State(app): State<App>,
    caller: Caller,
    Key(request_id): Key,
    Path((book, name)): Path<(BookId, RefName)>,
    Query(Message { message }): Query<Message>,
) -> Result<axum::Json<EntryView>, Problem> {
    caller.may_ref(Verb::Write, &book, &name)?;
    let message = message.unwrap_or_else(|| format!("restore {book}@{name}"));
    let request = RefRequest { book, name, message, request_id };
    let entry = app.repo(&caller).restore_branch(&request).await?;
    Ok(axum::Json(EntryView::new(&entry)))
}

/// The newest entry of a book's `main`, if it has one and the caller may know of it.
async fn seen_main(app: &App, caller: &Caller, book: &BookId) -> Result<Option<LogEntry>, Problem> {
    let main = RefName::main();
    if !caller.sees_ref(book, &main) {
        return Ok(None);
    }
    Ok(app.store().refs().head(book, &main).await?)
}

/// Makes a branch that follows what is said, or a tag.
async fn create(
    repo: &Repository,
    request: &RefRequest,
    from: &Revision,
    follows: &Follows,
) -> Result<LogEntry, RepoError> {
    if request.name.is_tag() {
        if *follows != Follows::default() {
            let rule = "a tag follows nothing".to_owned();
            return Err(RepoError::Upstream { rule });
        }
        return repo.create_ref(request, repo.resolve_id(from).await?).await;
    }
    let start = repo.branch_start(from, &follows.upstream, follows.follow).await?;
    repo.create_branch(request, &start).await
}
