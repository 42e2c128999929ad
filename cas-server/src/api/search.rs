//! Search in a version: files by patterns of their paths, lines by regular expressions.

use axum::extract::State;
use cas_core::name::{BookId, CommitId, RefName, TreeId};
use cas_core::repo::{
    Globs, Leaf, LineMatch, LinePattern, PatternOptions, Reading, Repository, SearchReport,
    SearchRequest, Source,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::choice::{Choice, ChoiceQuery, tree_of, version_at};
use super::extract::{Page, Path, Query, path_of};
use crate::app::App;
use crate::caller::Caller;
use crate::problem::{Problem, ProblemView};

/// Most bytes of files that one request searches.
const SEARCHED_BYTES: u64 = 512 * 1024 * 1024;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(glob_ref))
        .routes(routes!(glob_tree))
        .routes(routes!(grep_ref))
        .routes(routes!(grep_tree))
}

/// Which files.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct FilePattern {
    /// A pattern of whole paths: `*` within a segment, `**` across segments, `{a,b}` either.
    pattern: String,
    /// Only what is at this path or below it.
    #[serde(default)]
    path: String,
}

/// Which lines.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct TextPattern {
    /// A regular expression, in the syntax of the Rust crate `regex`.
    pattern: String,
    /// Letters match in either case.
    #[serde(default)]
    ignore_case: bool,
    /// The pattern is the very text.
    #[serde(default)]
    literal: bool,
    /// Most lines to answer with.
    limit: Option<usize>,
}

/// Files whose paths match.
#[derive(Debug, Serialize, ToSchema)]
struct FoundFiles {
    /// The commit that was searched; none where a tree was named.
    commit: Option<String>,
    /// Where it comes from: `own`, or `upstream` where the branch is not there yet; absent where a
    /// tree was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'static str>,
    /// Its tree.
    tree: String,
    /// The files, in the order of their paths: a page of them.
    files: Vec<FileView>,
    /// Whether there are more than this page.
    truncated: bool,
    /// Where to go on; none at the end.
    next: Option<String>,
}

/// A file that was found.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FoundFile)]
struct FileView {
    /// Its path.
    path: String,
    /// `file`, `executable` or `symlink`.
    kind: &'static str,
    /// Its blob's id.
    id: String,
    /// Its size in bytes.
    size: u64,
}

/// Lines that match.
#[derive(Debug, Serialize, ToSchema)]
struct FoundLines {
    /// The commit that was searched; none where a tree was named.
    commit: Option<String>,
    /// Where it comes from: `own`, or `upstream` where the branch is not there yet; absent where a
    /// tree was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'static str>,
    /// Its tree.
    tree: String,
    /// The lines, in the order of paths and lines.
    lines: Vec<LineView>,
    /// Whether there may be more: ask for fewer files or more lines.
    truncated: bool,
    /// How many files were searched.
    files: u64,
    /// How many bytes they have.
    bytes: u64,
    /// How many files hold a zero byte, and were not searched.
    skipped_binary: u64,
    /// How many files are too large to be searched.
    skipped_large: u64,
}

/// A line that was found.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FoundLine)]
struct LineView {
    /// The file.
    path: String,
    /// Its blob's id.
    id: String,
    /// The line's number, from 1.
    line: u64,
    /// Where in it the first match begins: in characters, from 1.
    column: u64,
    /// The line, or of a long one what is around the match.
    text: String,
    /// Whether the line is longer than `text`.
    cut: bool,
}

/// Files of a version by a pattern of their paths
#[utoipa::path(
    get, path = "/v1/books/{book}/refs/{ref}/glob", tag = "search",
    params(
        ("book" = String, Path, description = "The book"),
        ("ref" = String, Path, description = "The ref, its slashes as %2F"),
        FilePattern, Page,
    ),
    responses(
        (status = 200, description = "A page of the files", body = FoundFiles),
        (status = 400, description = "`bad_pattern`", body = ProblemView,
            content_type = "application/problem+json"),
        (status = 404, description = "`no_book`, `no_ref`, `ref_deleted` or `no_path`",
            body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn glob_ref(
    State(app): State<App>,
    caller: Caller,
    Path((book, name)): Path<(BookId, RefName)>,
    Query(pattern): Query<FilePattern>,
    Query(page): Query<Page>,
) -> Result<axum::Json<FoundFiles>, Problem> {
    let path = path_of(&pattern.path)?;
    let version = version_at(&app, &caller, book, name, &path).await?;
    find(&app, &Searched::version(version), &pattern, &page).await
}

/// Files of a tree by a pattern of their paths
#[utoipa::path(
    get, path = "/v1/trees/{id}/glob", tag = "search",
    params(("id" = String, Path, description = "The tree's id"), FilePattern, Page),
    responses(
        (status = 200, description = "A page of the files", body = FoundFiles),
        (status = 400, description = "`bad_pattern`", body = ProblemView,
            content_type = "application/problem+json"),
    )
)]
async fn glob_tree(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(pattern): Query<FilePattern>,
    Query(page): Query<Page>,
) -> Result<axum::Json<FoundFiles>, Problem> {
    let tree = tree_of(&app, &caller, &id).await?;
    find(&app, &Searched::tree(app.repo(&caller), tree), &pattern, &page).await
}

/// Lines of a version's text files that match
///
/// Files with a zero byte and large ones are not searched. Of each line the first match is told.
#[utoipa::path(
    get, path = "/v1/books/{book}/refs/{ref}/grep", tag = "search",
    params(
        ("book" = String, Path, description = "The book"),
        ("ref" = String, Path, description = "The ref, its slashes as %2F"),
        TextPattern, ChoiceQuery,
    ),
    responses(
        (status = 200, description = "The lines", body = FoundLines),
        (status = 400, description = "`bad_pattern`", body = ProblemView,
            content_type = "application/problem+json"),
        (status = 404, description = "`no_book`, `no_ref`, `ref_deleted` or `no_path`",
            body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn grep_ref(
    State(app): State<App>,
    caller: Caller,
    Path((book, name)): Path<(BookId, RefName)>,
    Query(pattern): Query<TextPattern>,
    choice: Choice,
) -> Result<axum::Json<FoundLines>, Problem> {
    let version = version_at(&app, &caller, book, name, &choice.path).await?;
    search(&app, &Searched::version(version), &pattern, choice).await
}

/// Lines of a tree's text files that match
#[utoipa::path(
    get, path = "/v1/trees/{id}/grep", tag = "search",
    params(("id" = String, Path, description = "The tree's id"), TextPattern, ChoiceQuery),
    responses(
        (status = 200, description = "The lines", body = FoundLines),
        (status = 400, description = "`bad_pattern`", body = ProblemView,
            content_type = "application/problem+json"),
    )
)]
async fn grep_tree(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(pattern): Query<TextPattern>,
    choice: Choice,
) -> Result<axum::Json<FoundLines>, Problem> {
    let tree = tree_of(&app, &caller, &id).await?;
    search(&app, &Searched::tree(app.repo(&caller), tree), &pattern, choice).await
}

/// What is searched.
struct Searched {
    repo: Repository,
    tree: TreeId,
    commit: Option<CommitId>,
    source: Option<Source>,
}

impl Searched {
    fn version(version: Reading) -> Self {
        let Reading { repo, tree, id, source, .. } = version;
        Self { repo, tree, commit: Some(id), source: Some(source) }
    }

    fn tree(repo: Repository, tree: TreeId) -> Self {
        Self { repo, tree, commit: None, source: None }
    }
}

async fn find(
    app: &App,
    searched: &Searched,
    pattern: &FilePattern,
    page: &Page,
) -> Result<axum::Json<FoundFiles>, Problem> {
    let path = path_of(&pattern.path)?;
    let globs = Globs::parse([pattern.pattern.as_str()])?;
    let after = page.cursor.as_deref().map(path_of).transpose()?;
    let Searched { repo, tree, commit, source } = searched;
    let found = repo.find_files(*tree, &path, &globs, after.as_ref(), page.size(app)).await?;
    let (files, truncated) = found;
    Ok(axum::Json(FoundFiles {
        commit: commit.map(|id| id.to_string()),
        source: source.map(Source::as_str),
        tree: tree.to_string(),
        next: files.last().filter(|_| truncated).map(|file| file.path.to_string()),
        files: files.iter().map(FileView::new).collect(),
        truncated,
    }))
}

async fn search(
    app: &App,
    searched: &Searched,
    pattern: &TextPattern,
    choice: Choice,
) -> Result<axum::Json<FoundLines>, Problem> {
    let TextPattern { ignore_case, literal, limit, .. } = *pattern;
    let request = SearchRequest {
        tree: searched.tree,
        path: choice.path,
        globs: choice.globs,
        pattern: LinePattern::parse(&pattern.pattern, PatternOptions { ignore_case, literal })?,
        lines: limit.unwrap_or(100).clamp(1, app.settings().page_limit),
        bytes: SEARCHED_BYTES,
    };
    let report = searched.repo.search(&request).await?;
    Ok(axum::Json(FoundLines::new(searched, &report)))
}

impl FileView {
    fn new(file: &Leaf) -> Self {
        Self {
            path: file.path.to_string(),
            kind: file.kind.as_str(),
            id: file.id.to_string(),
            size: file.size,
        }
    }
}

impl FoundLines {
    fn new(searched: &Searched, report: &SearchReport) -> Self {
        Self {
            commit: searched.commit.map(|id| id.to_string()),
            source: searched.source.map(Source::as_str),
            tree: searched.tree.to_string(),
            lines: report.lines.iter().map(LineView::new).collect(),
            truncated: report.truncated,
            files: report.files,
            bytes: report.bytes,
            skipped_binary: report.skipped.binary,
            skipped_large: report.skipped.large,
        }
    }
}

impl LineView {
    fn new(found: &LineMatch) -> Self {
        Self {
            path: found.path.to_string(),
            id: found.id.to_string(),
            line: found.line,
            column: found.column,
            text: found.text.clone(),
            cut: found.cut,
        }
    }
}
