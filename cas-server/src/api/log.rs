//! The log of a ref, and the history of a version or of one path.

use axum::extract::State;
use cas_core::env::Timestamp;
use cas_core::name::{Actor, BookId, BookPath, CommitId, Operation, RefName, Revision};
use cas_core::repo::{LogFilter, Repository};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Page, Path, Query};
use super::view::{CommitView, EntryView};
use crate::app::App;
use crate::caller::{Caller, Verb};
use crate::problem::{Problem, ProblemView};

/// How far back the pages of a history go, in commits.
const HISTORY: usize = 100_000;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get_log))
        .routes(routes!(get_history))
        .routes(routes!(get_path_history))
}

/// Which entries of a log.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Not before this time (RFC 3339).
    since: Option<String>,
    /// Not after this time (RFC 3339).
    until: Option<String>,
    /// Changed by this actor.
    #[param(value_type = Option<String>)]
    actor: Option<Actor>,
    /// Changed by this operation.
    #[param(value_type = Option<String>)]
    operation: Option<Operation>,
}

impl Filter {
    /// Which entries that is.
    pub(super) fn entries(self) -> Result<LogFilter, Problem> {
        Ok(LogFilter {
            since: time("since", self.since.as_deref())?,
            until: time("until", self.until.as_deref())?,
            actor: self.actor,
            operation: self.operation,
        })
    }
}

/// A part of a ref's log.
#[derive(Debug, Serialize, ToSchema)]
struct Log {
    /// The entries, newest first.
    entries: Vec<EntryView>,
    /// Where to go on; none at the end. A page may be empty and not the last.
    next: Option<String>,
}

/// A part of a history.
#[derive(Debug, Serialize, ToSchema)]
struct History {
    /// The commits, newest first.
    commits: Vec<CommitView>,
    /// Where the version comes from: `own`, or `upstream` where the branch is not there yet.
    source: &'static str,
    /// Where to go on; none at the end.
    next: Option<String>,
}

/// Every value that a ref ever had, newest first
#[utoipa::path(
    get, path = "/v1/books/{book}/refs/{ref}/log", tag = "refs",
    params(
        ("book" = String, Path, description = "The book"),
        ("ref" = String, Path, description = "The ref, its slashes as %2F"),
        Filter, Page,
    ),
    responses(
        (status = 200, description = "A page of it", body = Log),
        (status = 404, description = "`no_book` or `no_ref`", body = ProblemView,
            content_type = "application/problem+json"),
    )
)]
async fn get_log(
    State(app): State<App>,
    caller: Caller,
    Path((book, name)): Path<(BookId, RefName)>,
    Query(filter): Query<Filter>,
    Query(page): Query<Page>,
) -> Result<axum::Json<Log>, Problem> {
    caller.may_ref(Verb::Read, &book, &name)?;
    let from = match &page.cursor {
        None => None,
        Some(cursor) => Some(cursor.parse().map_err(|_| Page::bad_cursor())?),
    };
    let filter = filter.entries()?;
    let repo = app.repo(&caller);
    let found = repo.ref_log_page(&book, &name, &filter, from, page.size(&app)).await?;
    let entries = found.entries.iter().map(EntryView::new).collect();
    Ok(axum::Json(Log { entries, next: found.next.map(|seq| seq.to_string()) }))
}

/// The commits of a version, newest first
#[utoipa::path(
    get, path = "/v1/books/{book}/refs/{ref}/history", tag = "refs",
    params(
        ("book" = String, Path, description = "The book"),
        ("ref" = String, Path, description = "The ref, its slashes as %2F"),
        Page,
    ),
    responses((status = 200, description = "A page of them", body = History))
)]
async fn get_history(
    app: State<App>,
    caller: Caller,
    Path((book, name)): Path<(BookId, RefName)>,
    page: Query<Page>,
) -> Result<axum::Json<History>, Problem> {
    caller.may_ref(Verb::Read, &book, &name)?;
    history(&app, &caller, book, name, &BookPath::root(), &page.0).await
}

/// The commits that changed one path, newest first
#[utoipa::path(
    get, path = "/v1/books/{book}/refs/{ref}/history/{*path}", tag = "refs",
    params(
        ("book" = String, Path, description = "The book"),
        ("ref" = String, Path, description = "The ref, its slashes as %2F"),
        ("path" = String, Path, description = "The path of a file or folder"),
        Page,
    ),
    responses(
        (status = 200, description = "A page of them", body = History),
        (status = 404, description = "`no_path`: nothing ever was there", body = ProblemView,
            content_type = "application/problem+json"),
    )
)]
async fn get_path_history(
    app: State<App>,
    caller: Caller,
    Path((book, name, path)): Path<(BookId, RefName, BookPath)>,
    page: Query<Page>,
) -> Result<axum::Json<History>, Problem> {
    caller.may_below(Verb::Read, &book, &name, &path)?;
    history(&app, &caller, book, name, &path, &page.0).await
}

async fn descends_from_any(
    repo: &Repository,
    heads: &[CommitId],
    commit: CommitId,
) -> Result<bool, Problem> {
    for head in heads {
        if repo.descends(*head, commit).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A cursor is the commits where the first page began, and how many commits came since: a page is
/// the same whatever happens to the ref meanwhile.
async fn history(
    app: &App,
    caller: &Caller,
    book: BookId,
    name: RefName,
    path: &BookPath,
    page: &Page,
) -> Result<axum::Json<History>, Problem> {
    let repo = app.repo(caller);
    let reading = repo.open(&Revision::head(book, name)).await?;
    let (heads, source) = (reading.heads(), reading.source);
    let (start, skip) = match page.cursor.as_deref().map(|cursor| cursor.split_once('-')) {
        None => (heads, 0),
        Some(Some((start, skip))) => {
            let ids = start.split('.').take(heads.len()).map(str::parse);
            let start: Vec<CommitId> =
                ids.collect::<Result<_, _>>().map_err(|_| Page::bad_cursor())?;
            let skip = skip.parse().ok().filter(|skip| *skip <= HISTORY);
            let skip = skip.ok_or_else(Page::bad_cursor)?;
            // A commit that is not in this ref's history is not shown for being named.
            for commit in &start {
                if !descends_from_any(&repo, &heads, *commit).await? {
                    return Err(Page::bad_cursor());
                }
            }
            (start, skip)
        }
        Some(None) => return Err(Page::bad_cursor()),
    };
    let size = page.size(app);
    let found = repo.history(&start, path, skip + size + 1).await?;
    let more = found.len() > skip + size;
    let commits = found.iter().skip(skip).take(size);
    let commits = commits.map(|item| CommitView::new(item.id, &item.commit)).collect();
    let start: Vec<_> = start.iter().map(ToString::to_string).collect();
    let next = more.then(|| format!("{}-{}", start.join("."), skip + size));
    Ok(axum::Json(History { commits, source: source.as_str(), next }))
}

fn time(name: &str, text: Option<&str>) -> Result<Option<Timestamp>, Problem> {
    let Some(text) = text else {
        return Ok(None);
    };
    let bad = || {
        let detail = format!("{name} is a time as in 2026-01-31T12:00:00Z");
        Problem::bad_request("bad_query", detail)
    };
    let time: jiff::Timestamp = text.parse().map_err(|_| bad())?;
    let micros = u64::try_from(time.as_microsecond()).map_err(|_| bad())?;
    Ok(Some(Timestamp::from_micros(micros)))
}
