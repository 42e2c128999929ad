//! How two versions differ: every path that was added, changed, removed or renamed, and no other.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use cas_core::name::{BookId, BookPath, CommitId, Hash, RefName, Revision, TreeId};
use cas_core::repo::{Change, ChangeStatus, Reading, Repository, Source};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::changes::{ChangeView, Changes};
use super::choice::tree_of;
use super::content::{Caching, Etag, Head};
use super::extract::{Page, Path, Query, path_of};
use crate::app::App;
use crate::caller::{Caller, Verb};
use crate::problem::{Problem, ProblemView};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(diff_revisions)).routes(routes!(diff_trees))
}

/// Which versions of a book: `from` and `to`, or `upstream`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Revisions {
    /// The version before: `main~1`, `main#3`, `tags/v1`, the first 8 or more digits of a commit's
    /// id; or one of another book, as `guide@main`.
    from: Option<String>,
    /// The version after.
    to: Option<String>,
    /// In place of two versions a branch: what it changed since it met its upstream last.
    #[param(value_type = Option<String>)]
    upstream: Option<RefName>,
}

/// Of what.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Below {
    /// Only what is at this path or below it.
    #[serde(default)]
    path: String,
}

/// How two versions differ.
#[derive(Debug, Serialize, ToSchema)]
struct Diff {
    /// `unchanged`, or `changed`.
    status: &'static str,
    /// The version before.
    from: VersionView,
    /// The version after.
    to: VersionView,
    /// What was compared: this path and what is below it; empty for everything.
    path: String,
    /// How much differs, in all pages together.
    summary: Summary,
    /// The paths that differ, in order: a page of them.
    changes: Vec<ChangeView>,
    /// Whether there are more than this page.
    truncated: bool,
    /// Where to go on; none at the end.
    next: Option<String>,
}

/// One side of a comparison.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = DiffVersion)]
struct VersionView {
    /// The commit's id; none where a tree was named.
    commit: Option<String>,
    /// The tree's id.
    tree: String,
    /// Where it comes from: `own`, or `upstream` where the branch is not there yet; absent where a
    /// tree was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'static str>,
}

/// How many paths differ, and how.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = DiffSummary)]
struct Summary {
    /// Only in the version after.
    added: u64,
    /// In both, with other content or of another kind.
    changed: u64,
    /// Only in the version before.
    removed: u64,
    /// With the same content at another path.
    renamed: u64,
    /// Bytes of the added and changed files: what a copy of the version before needs to become the
    /// version after, at most.
    new_bytes: u64,
}

/// How two versions of a book differ
///
/// A removed and an added file with the same content are one that was renamed. The answer is exact
/// and the same from every server.
#[utoipa::path(
    get, path = "/v1/books/{book}/diff", tag = "diff",
    params(("book" = String, Path, description = "The book"), Revisions, Below, Page),
    responses(
        (status = 200, description = "The differences", body = Diff),
        (status = 304, description = "The client has them"),
        (status = 404, description = "`no_book`, `no_ref`, `ref_deleted`, `no_object`, \
            `no_log_entry`, `too_far_back` or `no_path`", body = ProblemView,
            content_type = "application/problem+json"),
        (status = 409, description = "`no_upstream`: the branch follows nothing; `unrelated`, \
            `wrong_ref`", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn diff_revisions(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Path(book): Path<BookId>,
    Query(named): Query<Revisions>,
    Query(below): Query<Below>,
    Query(page): Query<Page>,
) -> Result<Response, Problem> {
    let path = path_of(&below.path)?;
    let (from, to) = match named {
        Revisions { from: Some(from), to: Some(to), upstream: None } => {
            let from = version(&app, &caller, &book, &from, &path).await?;
            (from, version(&app, &caller, &book, &to, &path).await?)
        }
        Revisions { from: None, to: None, upstream: Some(branch) } => {
            since_fork(&app, &caller, &book, &branch, &path).await?
        }
        _ => {
            let rule = "say from and to, or upstream alone";
            return Err(Problem::bad_request("bad_query", rule));
        }
    };
    Comparison { from, to, path, page }.give(&app, &headers, Caching::Revalidate).await
}

/// How two trees differ
#[utoipa::path(
    get, path = "/v1/trees/{id}/diff/{other}", tag = "diff",
    params(
        ("id" = String, Path, description = "The tree before"),
        ("other" = String, Path, description = "The tree after"),
        Below, Page,
    ),
    responses(
        (status = 200, description = "The differences", body = Diff),
        (status = 304, description = "The client has them"),
        (status = 404, description = "`no_object` or `no_path`", body = ProblemView,
            content_type = "application/problem+json"),
    )
)]
async fn diff_trees(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Path((old, new)): Path<(String, String)>,
    Query(below): Query<Below>,
    Query(page): Query<Page>,
) -> Result<Response, Problem> {
    let from = Version::tree(&app, &caller, &old).await?;
    let to = Version::tree(&app, &caller, &new).await?;
    let caching = Caching::by_id(caller.is_public());
    let path = path_of(&below.path)?;
    Comparison { from, to, path, page }.give(&app, &headers, caching).await
}

/// A version that was named.
#[derive(Debug)]
struct Version {
    repo: Repository,
    /// What was opened; none where a tree was named.
    reading: Option<Reading>,
    commit: Option<String>,
    tree: TreeId,
    source: Option<Source>,
}

impl Version {
    async fn tree(app: &App, caller: &Caller, id: &str) -> Result<Self, Problem> {
        let tree = tree_of(app, caller, id).await?;
        Ok(Self { repo: app.repo(caller), reading: None, commit: None, tree, source: None })
    }

    /// A commit of a branch's own history.
    async fn commit(repo: &Repository, id: CommitId) -> Result<Self, Problem> {
        let tree = repo.store().get_commit(&id).await?.tree;
        let (commit, source) = (Some(id.to_string()), Some(Source::Own));
        Ok(Self { repo: repo.clone(), reading: None, commit, tree, source })
    }
}

/// Where a branch met its upstream last, and its own version: of a live one not what is seen.
async fn since_fork(
    app: &App,
    caller: &Caller,
    book: &BookId,
    name: &RefName,
    path: &BookPath,
) -> Result<(Version, Version), Problem> {
    caller.may_below(Verb::Read, book, name, path)?;
    let repo = app.repo(caller);
    let branch = repo.follower(book, name).await?;
    caller.may_below(Verb::Read, book, &branch.upstream.name, path)?;
    let base = repo.fork_point(&branch).await?;
    Ok((Version::commit(&repo, base).await?, Version::commit(&repo, branch.commit).await?))
}

/// The version that `text` names: one of `book`, or with a book's name and `@` of that one.
async fn version(
    app: &App,
    caller: &Caller,
    book: &BookId,
    text: &str,
    path: &BookPath,
) -> Result<Version, Problem> {
    let names_book = text.split_once('@').is_some_and(|(book, _)| BookId::parse(book).is_ok());
    let revision = if names_book {
        Revision::parse(text)?
    } else {
        Revision::parse(&format!("{book}@{text}"))?
    };
    caller.may_read(&revision, path)?;
    let reading = app.repo(caller).open(&revision).await?;
    Ok(Version {
        repo: reading.repo.clone(),
        commit: Some(reading.id.to_string()),
        tree: reading.tree,
        source: Some(reading.source),
        reading: Some(reading),
    })
}

/// What is to be compared, and which part of the result is wanted.
struct Comparison {
    from: Version,
    to: Version,
    path: BookPath,
    page: Page,
}

impl Comparison {
    async fn give(
        self,
        app: &App,
        headers: &HeaderMap,
        caching: Caching,
    ) -> Result<Response, Problem> {
        let head = Head {
            etag: self.etag(app),
            caching,
            media_type: HeaderValue::from_static("application/json"),
        };
        if let Some(response) = head.not_modified(headers) {
            return Ok(response);
        }
        let (old, new) = (self.from.tree, self.to.tree);
        // Of live branches either side may be nowhere but in memory.
        let repo = match (&self.from.reading, &self.to.reading) {
            (Some(from), Some(to)) => to.repo_with(from),
            _ => self.to.repo.clone(),
        };
        let changes = repo.diff(old, new, &self.path).await?;
        let diff = self.page_of(app, &changes)?;
        Ok(head.answer(StatusCode::OK, Body::from(serde_json::to_vec(&diff).unwrap_or_default())))
    }

    /// The answer is all in the two versions and what is wanted of them.
    fn etag(&self, app: &App) -> Etag {
        let Self { from, to, path, page } = self;
        let cursor = page.cursor.as_deref().unwrap_or_default();
        let commits = [&from.commit, &to.commit].map(|id| id.as_deref().unwrap_or_default());
        let sources = [from.source, to.source].map(|source| source.map_or("", Source::as_str));
        let wanted = [path.as_str(), cursor, commits[0], commits[1], sources[0], sources[1]];
        let wanted = wanted.join("\0");
        let wanted = Hash::of(format!("{wanted}\0{}", page.size(app)).as_bytes()).to_hex();
        Etag::derived(&format!("{}.{}.{}.diff1", from.tree, to.tree, &wanted[..16]))
    }

    fn page_of(self, app: &App, changes: &[Change]) -> Result<Diff, Problem> {
        let page = Changes::page(changes, &self.page, app)?;
        let view = |version: Version| VersionView {
            commit: version.commit,
            tree: version.tree.to_string(),
            source: version.source.map(Source::as_str),
        };
        Ok(Diff {
            status: if changes.is_empty() { "unchanged" } else { "changed" },
            from: view(self.from),
            to: view(self.to),
            path: self.path.to_string(),
            summary: Summary::of(changes),
            changes: page.shown,
            truncated: page.next.is_some(),
            next: page.next,
        })
    }
}

impl Summary {
    fn of(changes: &[Change]) -> Self {
        let mut summary = Self::default();
        for change in changes {
            let count = match change.status {
                ChangeStatus::Added => &mut summary.added,
                ChangeStatus::Changed => &mut summary.changed,
                ChangeStatus::Removed => &mut summary.removed,
                ChangeStatus::Renamed => &mut summary.renamed,
            };
            *count += 1;
            if matches!(change.status, ChangeStatus::Added | ChangeStatus::Changed) {
                let size = change.new.map_or(0, |new| new.size);
                summary.new_bytes = summary.new_bytes.saturating_add(size);
            }
        }
        summary
    }
}
