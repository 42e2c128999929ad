//! Merging a version into a branch, and bringing branches up to their upstream.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use cas_core::access::Verb;
use cas_core::name::{BookId, BookPath, RefName, Revision};
use cas_core::repo::{
    Conflict, MergeReport, MergeRequest, MergeStatus, OnConflict, RefFilter, Side, SyncItem,
    SyncReport, SyncRequest, SyncStatus,
};
use futures::stream;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Json, Path};
use crate::app::App;
use crate::caller::Caller;
use crate::problem::{Problem, ProblemView};
use crate::request_id::Key;

/// How many lines of a sync wait for a client that reads slowly before it goes on.
const LINES: usize = 1_024;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(merge_into)).routes(routes!(sync))
}

/// What is to be merged.
#[derive(Debug, Deserialize, ToSchema)]
struct MergeBody {
    /// A revision of the same book: `main`, `main~2`, `tags/v1`, or the first 8 or more digits of a
    /// commit's id.
    from: String,
    /// What to take where both changed the same: `fail` (the default), `ours`, `theirs` or
    /// `markers`.
    #[serde(default)]
    on_conflict: Option<String>,
    /// Only say what would come of it.
    #[serde(default)]
    dry_run: bool,
    /// Why, for the record.
    message: Option<String>,
}

/// Which branches are to be brought up to their upstream.
#[derive(Debug, Deserialize, ToSchema)]
struct SyncBody {
    /// The branches: `*` stands for a segment or a part of one, `**` for several.
    pattern: String,
    /// What to take where both changed the same: `fail` (the default), `ours`, `theirs` or
    /// `markers`.
    #[serde(default)]
    on_conflict: Option<String>,
    /// Only say what would come of it.
    #[serde(default)]
    dry_run: bool,
    /// With `dry_run`: the revision of the same book that the upstreams are to become.
    against: Option<String>,
    /// With `dry_run`: look at so many branches only.
    sample: Option<usize>,
    /// Why, for the record.
    message: Option<String>,
}

/// What came of a merge, or would.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Merge)]
struct MergeView {
    /// `up-to-date`, `fast-forward`, `merged` or `conflict`.
    status: &'static str,
    /// The commits where both had met: mostly one.
    base: Vec<String>,
    /// Where the branch pointed.
    ours: String,
    /// What was merged.
    theirs: String,
    /// Where the branch points now.
    commit: String,
    /// The merged tree. After `dry_run` it may be nowhere but in this answer.
    tree: String,
    /// How many files hold changes of both sides.
    merged_files: usize,
    /// The position of the log entry that moved the branch.
    seq: Option<u64>,
    /// What was in conflict, and is resolved as asked unless the status is `conflict`.
    conflicts: Vec<ConflictView>,
}

/// A path that could not be merged.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Conflict)]
struct ConflictView {
    /// Where.
    path: String,
    /// The kind, as in `docs/merge.md`.
    kind: &'static str,
    /// The same for people.
    reason: &'static str,
    /// The other path that is concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    other: Option<String>,
    base: Option<SideView>,
    ours: Option<SideView>,
    theirs: Option<SideView>,
}

/// A file on one side.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MergeSide)]
struct SideView {
    /// `file`, `executable` or `symlink`.
    kind: &'static str,
    /// The blob.
    id: String,
    /// Its size in bytes.
    size: u64,
}

/// One branch of a sync.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SyncedBranch)]
struct ItemView {
    /// The branch.
    branch: String,
    /// `up-to-date`, `fast-forward`, `merged`, `conflict`, `skipped` or `failed`.
    status: &'static str,
    /// Why it was skipped or failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    merge: Option<MergeView>,
}

/// The sums of a sync: its last line.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SyncSums)]
struct SumsView {
    /// Always true: by it the last line is known, and that there is one.
    done: bool,
    dry_run: bool,
    /// How many names match, with those of branches that were deleted.
    matching: u64,
    /// How many branches were looked at.
    branches: u64,
    /// How many have each status.
    outcomes: BTreeMap<&'static str, u64>,
    /// How many of them had to be opened to find out.
    opened: u64,
    /// How many have conflicts, be they resolved or not.
    with_conflicts: u64,
    /// How many branches have a conflict at each path.
    conflicts: BTreeMap<String, u64>,
}

/// Merge a version into a branch
///
/// Nothing is written where there is a conflict, unless `on_conflict` says what to take.
#[utoipa::path(
    post, path = "/v1/books/{book}/refs/{ref}/merge", tag = "refs",
    request_body = MergeBody,
    params(
        ("book" = String, Path, description = "The book"),
        ("ref" = String, Path, description = "The branch, its slashes as %2F"),
    ),
    responses(
        (status = 200, description = "It was merged, or would be", body = MergeView),
        (status = 404, description = "`no_book`, `no_ref` or `ref_deleted`", body = ProblemView,
            content_type = "application/problem+json"),
        (status = 409, description = "`merge_conflict`, with `merge`; or `unrelated`, `wrong_ref`",
            body = ProblemView, content_type = "application/problem+json"),
        (status = 422, description = "`schema_violation`, with `violations`", body = ProblemView,
            content_type = "application/problem+json"),
    )
)]
async fn merge_into(
    State(app): State<App>,
    caller: Caller,
    Key(request_id): Key,
    Path((book, name)): Path<(BookId, RefName)>,
    Json(body): Json<MergeBody>,
) -> Result<Response, Problem> {
    let verb = if body.dry_run { Verb::Read } else { Verb::Write };
    caller.may_ref(verb, &book, &name)?;
    let repo = app.repo(&caller);
    let revision = Revision::parse(&format!("{book}@{}", body.from))?;
    caller.may_read(&revision, &BookPath::root())?;
    let request = MergeRequest {
        from: repo.resolve_id(&revision).await?,
        book,
        into: name,
        from_ref: revision.head_ref().cloned(),
        on_conflict: policy(body.on_conflict.as_deref())?,
        message: body.message,
        request_id,
    };
    let report = repo.merge(&request, body.dry_run).await?;
    if report.status == MergeStatus::Conflict && !body.dry_run {
        let detail =
            format!("{} paths are in conflict: nothing was written", report.conflicts.len());
        let problem = Problem::new(StatusCode::CONFLICT, "merge_conflict", detail);
        return Err(problem.with("merge", MergeView::new(&report)));
    }
    Ok(axum::Json(MergeView::new(&report)).into_response())
}

/// Bring branches up to their upstream
///
/// Every branch that matches, that the caller may write to (for a dry run, read) and whose upstream
/// they may read. The answer is one line of JSON for each, as it is done, and a last line with the
/// sums. If the last line is missing the sync was cut off: asking again does the rest.
#[utoipa::path(
    post, path = "/v1/books/{book}/sync", tag = "refs",
    request_body = SyncBody,
    params(("book" = String, Path, description = "The book")),
    responses(
        (status = 200, description = "A line for each branch, then the sums", body = SumsView,
            content_type = "application/x-ndjson"),
        (status = 404, description = "`no_book`", body = ProblemView,
            content_type = "application/problem+json"),
    )
)]
async fn sync(
    State(app): State<App>,
    caller: Caller,
    Path(book): Path<BookId>,
    Json(body): Json<SyncBody>,
) -> Result<Response, Problem> {
    caller.must_see_book(&book)?;
    if !body.dry_run && (body.against.is_some() || body.sample.is_some()) {
        let detail = "against and sample are for a dry run";
        return Err(Problem::bad_request("bad_sync", detail));
    }
    let repo = app.repo(&caller);
    let against = match &body.against {
        Some(text) => {
            let revision = Revision::parse(&format!("{book}@{text}"))?;
            caller.may_read(&revision, &BookPath::root())?;
            Some(repo.resolve_id(&revision).await?)
        }
        None => None,
    };
    let request = SyncRequest {
        on_conflict: policy(body.on_conflict.as_deref())?,
        dry_run: body.dry_run,
        against,
        sample: body.sample,
        message: body.message,
        branches: filter(&caller, &book, if body.dry_run { Verb::Read } else { Verb::Write }),
        upstreams: filter(&caller, &book, Verb::Read),
        edited: Some(app.edited().clone()),
        ..SyncRequest::new(book, body.pattern)
    };
    // What is wrong with the whole is an answer of its own.
    repo.ref_names(&request.book, Some(&request.pattern)).await?;
    let (lines, received) = mpsc::channel::<Bytes>(LINES);
    let work = AbortOnDropHandle::new(tokio::spawn(async move {
        let told = lines.clone();
        let report = repo
            .sync(&request, &mut |item, _| {
                let line = line(&ItemView::new(&item));
                let told = told.clone();
                Box::pin(async move {
                    // Nobody listens any more: the handle that is dropped then ends the work.
                    let _ = told.send(line).await;
                })
            })
            .await;
        // Without the sums the client knows that it was cut off.
        match report {
            Ok(report) => {
                let _ = lines.send(line(&SumsView::new(&report, request.dry_run))).await;
            }
            Err(error) => {
                let problem = Problem::from(&error);
                let _ = lines.send(line(&serde_json::json!({ "error": problem.code() }))).await;
            }
        }
    }));
    let stream = stream::unfold((received, work), |(mut received, work)| async move {
        let line = received.recv().await?;
        Some((Ok::<_, std::convert::Infallible>(line), (received, work)))
    });
    let headers = [(header::CONTENT_TYPE, "application/x-ndjson")];
    Ok((headers, Body::from_stream(stream)).into_response())
}

fn policy(text: Option<&str>) -> Result<OnConflict, Problem> {
    Ok(text.map(str::parse).transpose()?.unwrap_or_default())
}

/// The refs to which the caller may do `verb`.
fn filter(caller: &Caller, book: &BookId, verb: Verb) -> RefFilter {
    let (caller, book) = (caller.clone(), book.clone());
    RefFilter::new(move |name| caller.may_ref(verb, &book, name).is_ok())
}

fn line(value: &impl Serialize) -> Bytes {
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line.into()
}

impl MergeView {
    fn new(report: &MergeReport) -> Self {
        Self {
            status: report.status.as_str(),
            base: report.bases.iter().map(ToString::to_string).collect(),
            ours: report.ours.to_string(),
            theirs: report.theirs.to_string(),
            commit: report.commit.to_string(),
            tree: report.tree.to_string(),
            merged_files: report.merged_files,
            seq: report.entry.as_ref().map(|entry| entry.entry.seq),
            conflicts: report.conflicts.iter().map(ConflictView::new).collect(),
        }
    }
}

impl ConflictView {
    fn new(conflict: &Conflict) -> Self {
        let side = |side: Option<Side>| {
            side.map(|Side { kind, id, size }| SideView {
                kind: kind.as_str(),
                id: id.to_string(),
                size,
            })
        };
        Self {
            path: conflict.path.to_string(),
            kind: conflict.kind.as_str(),
            reason: conflict.kind.reason(),
            other: conflict.other.as_ref().map(ToString::to_string),
            base: side(conflict.base),
            ours: side(conflict.ours),
            theirs: side(conflict.theirs),
        }
    }
}

impl ItemView {
    fn new(item: &SyncItem) -> Self {
        let error = item.error.as_ref().map(|error| Problem::from(error).code().to_owned());
        Self {
            branch: item.name.to_string(),
            status: item.status.as_str(),
            reason: item.reason.map(str::to_owned).or(error),
            merge: item.report.as_ref().map(MergeView::new),
        }
    }
}

impl SumsView {
    fn new(report: &SyncReport, dry_run: bool) -> Self {
        let counted = |status: SyncStatus| (status.as_str(), report.count(status));
        let conflicts = report.conflicts.iter();
        Self {
            done: true,
            dry_run,
            matching: report.matching,
            branches: report.branches,
            outcomes: SyncStatus::ALL.into_iter().map(counted).collect(),
            opened: report.opened,
            with_conflicts: report.with_conflicts,
            conflicts: conflicts.map(|(path, found)| (path.to_string(), found.branches)).collect(),
        }
    }
}
