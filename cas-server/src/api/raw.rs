//! Refs as they are stored, for clients that verify everything themselves.
//!
//! Entries travel byte for byte, with the hash behind them. A move of a ref is asked for with the
//! expectation, and the answer is the entry that it made, or the one that stood in its way. Who
//! moved it is known from the caller and never from what the caller says.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cas_core::env::Timestamp;
use cas_core::name::{BookId, CommitId, Hash, HashPrefix, Operation, RefName, RequestId};
use cas_core::object::{Kind, Metadata};
use cas_core::refs::{
    Expectation, LogEntry, RefError, RefUpdate, UpdateOutcome, Upstream, is_reserved,
    upstream_update_fault,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Json, Page, Query};
use crate::app::App;
use crate::caller::{Caller, Verb};
use crate::problem::{Problem, ProblemView, chain};

/// A stored ref log entry.
const ENTRY: HeaderValue = HeaderValue::from_static("application/vnd.cas.ref-entry");

/// A ref is read anew each time.
const NO_CACHE: HeaderValue = HeaderValue::from_static("private, no-cache");

/// The header that says what became of an update.
static OUTCOME: HeaderName = HeaderName::from_static("cas-outcome");

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(entry))
        .routes(routes!(update))
        .routes(routes!(books))
        .routes(routes!(refs))
        .routes(routes!(ids))
}

/// Which entry.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct EntryQuery {
    /// The book.
    #[param(value_type = String)]
    book: BookId,
    /// The ref.
    #[param(value_type = String)]
    r#ref: RefName,
    /// The position in its log; the newest where none is said.
    seq: Option<u64>,
}

/// An entry of a ref's log, as it is stored
#[utoipa::path(
    get, path = "/v1/raw/entry", tag = "raw",
    params(EntryQuery),
    responses(
        (status = 200, description = "The stored bytes",
            content_type = "application/vnd.cas.ref-entry"),
        (status = 404, description = "`no_entry`", body = ProblemView,
            content_type = "application/problem+json"),
        (status = 500, description = "`entry_damaged`, with its position as `seq`",
            body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn entry(
    State(app): State<App>,
    caller: Caller,
    Query(EntryQuery { book, r#ref: name, seq }): Query<EntryQuery>,
) -> Result<Response, Problem> {
    caller.may_ref(Verb::Read, &book, &name)?;
    let refs = app.store().refs();
    let found = match seq {
        None => refs.head(&book, &name).await,
        Some(seq) => refs.entry(&book, &name, seq).await,
    };
    match found.map_err(named)? {
        Some(entry) => Ok(stored(&entry).into_response()),
        None => Err(Problem::not_found("no_entry", format!("{book}@{name} has no such entry"))),
    }
}

/// A wish to move a ref.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UpdateBody {
    /// The book.
    #[schema(value_type = String)]
    book: BookId,
    /// The ref.
    #[schema(value_type = String)]
    r#ref: RefName,
    /// What the client believes to be there: a commit's id, `absent` (never created, or deleted) or
    /// `any`.
    expect: String,
    /// The commit that the ref is to point at; none to delete it.
    #[schema(value_type = Option<String>)]
    target: Option<CommitId>,
    /// By what operation.
    #[schema(value_type = String)]
    operation: Operation,
    /// Why.
    message: String,
    /// Names this wish: repeating it never does it twice.
    #[schema(value_type = String)]
    request_id: RequestId,
    /// Whether the id was made up for this wish, which was never sent before.
    #[serde(default)]
    fresh: bool,
    /// Small facts by name.
    #[serde(default)]
    metadata: BTreeMap<String, String>,
}

/// Moves a ref, if it is what the client believes
///
/// The answer is the stored bytes of an entry, with the header `Cas-Outcome`: `moved` with the
/// entry that was made, or `refused` with the newest entry, or nothing if there never was one.
#[utoipa::path(
    post, path = "/v1/raw/update", tag = "raw",
    request_body = UpdateBody,
    responses(
        (status = 200, description = "What became of it",
            content_type = "application/vnd.cas.ref-entry"),
        (status = 409, description = "`tag_moves`", body = ProblemView,
            content_type = "application/problem+json"),
        (status = 422, description = "`incomplete`: the commit is not here; `schema_violation`",
            body = ProblemView,
            content_type = "application/problem+json"),
        (status = 503, description = "`fate_unknown`: repeat it, not `fresh`", body = ProblemView,
            content_type = "application/problem+json"),
    )
)]
async fn update(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<UpdateBody>,
) -> Result<Response, Problem> {
    let update = wish(&caller, body, app.env().clock.now())?;
    match update.target {
        Some(_) => caller.may_ref(Verb::Write, &update.book, &update.name)?,
        None => caller.may_delete(&update.book, &update.name)?,
    }
    // What a branch follows may be shown to whoever reads the branch.
    if let Some(upstream) = Upstream::of(&update.metadata) {
        caller.may_ref(Verb::Read, &update.book, &upstream.name)?;
    }
    if let Some(target) = update.target {
        // A ref opens what it points at to whoever may read the ref, so only who may read it anyway
        // may point it anywhere.
        caller.may_all(Verb::Read)?;
        check_target(&app, target).await?;
        let (book, name) = (&update.book, &update.name);
        app.repo(&caller).check_target(book, name, target).await?;
    }
    let (outcome, entry) = match app.store().refs().update(&update).await.map_err(named)? {
        UpdateOutcome::Moved(entry) => ("moved", Some(entry)),
        UpdateOutcome::Refused(entry) => ("refused", entry),
    };
    let outcome = (OUTCOME.clone(), HeaderValue::from_static(outcome));
    Ok(match entry {
        Some(entry) => ([outcome], stored(&entry)).into_response(),
        None => ([outcome], [(header::CONTENT_TYPE, ENTRY)]).into_response(),
    })
}

fn wish(caller: &Caller, body: UpdateBody, began: Timestamp) -> Result<RefUpdate, Problem> {
    let mut metadata = Metadata::new();
    for (key, value) in &body.metadata {
        if is_reserved(key) {
            let rule = format!("{key}: only the server says which requests an entry answers");
            return Err(Problem::bad_request("bad_metadata", rule));
        }
        metadata.insert(key, value)?;
    }
    if body.operation == Operation::forget() {
        let rule = "a branch is forgotten where the store is, with `cas branch forget`";
        return Err(Problem::bad_request("bad_operation", rule));
    }
    if let Some(fault) = upstream_update_fault(&metadata) {
        return Err(Problem::bad_request("bad_metadata", fault));
    }
    Ok(RefUpdate {
        book: body.book,
        name: body.r#ref,
        expect: match body.expect.as_str() {
            "any" => Expectation::Any,
            "absent" => Expectation::Absent,
            commit => Expectation::Is(commit.parse()?),
        },
        target: body.target,
        actor: caller.actor().clone(),
        operation: body.operation,
        message: body.message,
        request_id: if body.fresh { body.request_id.into_fresh() } else { body.request_id },
        metadata,
        began,
    })
}

/// Nothing is named that is not there. A commit is taken in only when it is complete, so that it is
/// there says everything.
async fn check_target(app: &App, target: CommitId) -> Result<(), Problem> {
    if app.store().size(Kind::Commit, target.hash()).await?.is_some() {
        return Ok(());
    }
    let detail = format!("there is no commit {target} to point at");
    Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "incomplete", detail))
}

/// One page of books.
#[derive(Debug, Serialize, ToSchema)]
struct BooksView {
    /// Their names, in order.
    #[schema(value_type = Vec<String>)]
    books: Vec<BookId>,
    /// Where the next page begins; none after the last.
    next: Option<String>,
}

/// All books with at least one ref
#[utoipa::path(
    get, path = "/v1/raw/books", tag = "raw",
    params(Page),
    responses((status = 200, description = "One page of them", body = BooksView))
)]
async fn books(
    State(app): State<App>,
    caller: Caller,
    Query(page): Query<Page>,
) -> Result<axum::Json<BooksView>, Problem> {
    let mut books = app.store().refs().books().await.map_err(named)?;
    books.retain(|book| caller.sees_book(book));
    let (books, next) = page.cut(&app, books, BookId::as_str);
    Ok(axum::Json(BooksView { books, next }))
}

/// Which book.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct RefsQuery {
    /// The book.
    #[param(value_type = String)]
    book: BookId,
}

/// One page of refs.
#[derive(Debug, Serialize, ToSchema)]
struct RefsView {
    /// Their names, in order.
    #[schema(value_type = Vec<String>)]
    refs: Vec<RefName>,
    /// Where the next page begins; none after the last.
    next: Option<String>,
}

/// All refs that a book ever had
#[utoipa::path(
    get, path = "/v1/raw/refs", tag = "raw",
    params(RefsQuery, Page),
    responses((status = 200, description = "One page of them", body = RefsView))
)]
async fn refs(
    State(app): State<App>,
    caller: Caller,
    Query(RefsQuery { book }): Query<RefsQuery>,
    Query(page): Query<Page>,
) -> Result<axum::Json<RefsView>, Problem> {
    let mut refs = app.store().refs().names(&book).await.map_err(named)?;
    refs.retain(|name| caller.sees_ref(&book, name));
    let (refs, next) = page.cut(&app, refs, RefName::as_str);
    Ok(axum::Json(RefsView { refs, next }))
}

/// Which ids.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct IdsQuery {
    /// `blob`, `tree` or `commit`.
    #[param(value_type = String)]
    kind: Kind,
    /// The first digits, at least 8.
    prefix: String,
}

/// Ids that begin so.
#[derive(Debug, Serialize, ToSchema)]
struct IdsView {
    /// In order.
    #[schema(value_type = Vec<String>)]
    ids: Vec<Hash>,
}

/// All ids that begin with some digits
#[utoipa::path(
    get, path = "/v1/raw/ids", tag = "raw",
    params(IdsQuery),
    responses((status = 200, description = "The ids", body = IdsView))
)]
async fn ids(
    State(app): State<App>,
    caller: Caller,
    Query(IdsQuery { kind, prefix }): Query<IdsQuery>,
) -> Result<axum::Json<IdsView>, Problem> {
    caller.may_all(Verb::Read)?;
    let prefix = HashPrefix::parse(&prefix)?;
    let ids = app.store().list(kind, &prefix).await?;
    Ok(axum::Json(IdsView { ids }))
}

/// An entry as it is stored.
fn stored(entry: &LogEntry) -> impl IntoResponse + use<> {
    let (_, bytes) = entry.entry.to_stored();
    ([(header::CONTENT_TYPE, ENTRY), (header::CACHE_CONTROL, NO_CACHE)], bytes)
}

/// A problem that says which entry is damaged: whoever verifies a log goes on after it.
fn named(error: RefError) -> Problem {
    match &error {
        RefError::Damaged { seq, source, .. } => {
            let (seq, detail) = (*seq, source.to_string());
            tracing::error!(error = chain(&error), "a ref log entry is damaged");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "entry_damaged", detail)
                .with("seq", seq)
        }
        _ => error.into(),
    }
}
