//! What answers show of the things in a store: the JSON shapes that several operations share.

use std::collections::BTreeMap;

use cas_core::name::{BookId, CommitId, TreeId};
use cas_core::object::{Commit, Entry, Metadata, Tree};
use cas_core::refs::{LogEntry, RefEntry, Request};
use cas_core::repo::{EditOutcome, EditReport, EditResult, ListItem, RefSummary, Source};
use serde::Serialize;
use utoipa::ToSchema;

use super::validate::ViolationView;

/// A commit.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Commit)]
pub(crate) struct CommitView {
    /// Its id.
    pub(crate) commit: String,
    /// The id of its tree.
    tree: String,
    /// The ids of the commits that it comes from.
    parents: Vec<String>,
    /// Who made it.
    author: String,
    /// When: RFC 3339.
    time: String,
    /// Why.
    message: String,
    /// Small facts by name.
    metadata: BTreeMap<String, String>,
}

impl CommitView {
    pub(crate) fn new(id: CommitId, commit: &Commit) -> Self {
        Self {
            commit: id.to_string(),
            tree: commit.tree.to_string(),
            parents: commit.parents.iter().map(ToString::to_string).collect(),
            author: commit.author.to_string(),
            time: commit.committed_at.to_string(),
            message: commit.message.clone(),
            metadata: pairs(&commit.metadata),
        }
    }
}

/// Metadata as JSON has it.
pub(crate) fn pairs(metadata: &Metadata) -> BTreeMap<String, String> {
    metadata.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// A tree: one directory.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Tree)]
pub(crate) struct TreeView {
    /// Its id.
    pub(crate) tree: String,
    /// Bytes of all files below it.
    size: u64,
    /// How many files there are below it.
    files: u64,
    /// What is in it, in the order of names.
    entries: Vec<TreeEntryView>,
}

/// One entry of a tree.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TreeEntry)]
pub(crate) struct TreeEntryView {
    /// Its name.
    name: String,
    /// `file`, `executable`, `symlink` or `tree`.
    kind: &'static str,
    /// The id of the blob or tree.
    id: String,
    /// Its size in bytes; for a tree, of everything below it.
    size: u64,
    /// How many files there are: 1, or what is below a tree.
    files: u64,
}

impl TreeView {
    pub(crate) fn new(id: TreeId, tree: &Tree) -> Self {
        let totals = tree.totals();
        Self {
            tree: id.to_string(),
            size: totals.size,
            files: totals.files,
            entries: tree.entries().iter().map(TreeEntryView::new).collect(),
        }
    }
}

impl TreeEntryView {
    fn new(entry: &Entry) -> Self {
        Self {
            name: entry.name.to_string(),
            kind: entry.kind.as_str(),
            id: entry.id.to_string(),
            size: entry.totals.size,
            files: entry.totals.files,
        }
    }
}

/// A book.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Book)]
pub(crate) struct BookView {
    /// Its name.
    book: String,
    /// The commit that its branch `main` points at; none if there is no such branch.
    main: Option<String>,
    /// Who moved `main` last.
    actor: Option<String>,
    /// When: RFC 3339.
    time: Option<String>,
}

impl BookView {
    pub(crate) fn new(book: &BookId, main: Option<&LogEntry>) -> Self {
        let entry = main.map(|head| &head.entry);
        Self {
            book: book.to_string(),
            main: entry.and_then(|entry| entry.target).map(|commit| commit.to_string()),
            actor: entry.map(|entry| entry.actor.to_string()),
            time: entry.map(|entry| entry.time.to_string()),
        }
    }
}

/// A branch or tag that is there.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Ref)]
pub(crate) struct RefView {
    /// The book.
    book: String,
    /// Its name.
    r#ref: String,
    /// The commit that it points at.
    commit: String,
    /// The position of the newest entry of its log.
    seq: u64,
    /// Who moved it last.
    actor: String,
    /// When: RFC 3339.
    time: String,
    /// What it follows; absent if it follows nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream: Option<UpstreamView>,
}

/// What a branch follows.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Upstream)]
struct UpstreamView {
    /// The branch, of the same book.
    r#ref: String,
    /// `live` or `pinned`.
    follow: &'static str,
    /// The commit of it that the branch last met.
    base: String,
}

impl UpstreamView {
    fn of(entry: &RefEntry) -> Option<Self> {
        entry.upstream().map(|upstream| Self {
            r#ref: upstream.name.to_string(),
            follow: upstream.follow.as_str(),
            base: upstream.base.to_string(),
        })
    }
}

impl RefView {
    pub(crate) fn new(book: &BookId, found: &RefSummary) -> Self {
        let entry = &found.head.entry;
        Self {
            book: book.to_string(),
            r#ref: found.name.to_string(),
            commit: found.commit.to_string(),
            seq: entry.seq,
            actor: entry.actor.to_string(),
            time: entry.time.to_string(),
            upstream: UpstreamView::of(entry),
        }
    }
}

/// One movement of a ref.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LogEntry)]
pub(crate) struct EntryView {
    /// The book.
    book: String,
    /// The ref.
    r#ref: String,
    /// Its position in the log, from 1.
    seq: u64,
    /// Its id.
    id: String,
    /// The id of the entry before it; none for the first.
    previous: Option<String>,
    /// The commit that the ref points at since; none if it was deleted.
    target: Option<String>,
    /// Who moved it; of several, the last.
    actor: String,
    /// When: RFC 3339.
    time: String,
    /// By what operation.
    operation: String,
    /// Why.
    message: String,
    /// By which request; of several, the last.
    request_id: String,
    /// Every request that made this movement, in order: one, or several that arrived together.
    requests: Vec<RequestView>,
    /// What the branch follows since; absent if it follows nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream: Option<UpstreamView>,
}

/// One request that moved a ref, alone or with others.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LogRequest)]
pub(crate) struct RequestView {
    /// Which request.
    request_id: String,
    /// Who made it.
    actor: String,
    /// By what operation.
    operation: String,
    /// The commit that it made; none for a deletion.
    commit: Option<String>,
}

impl EntryView {
    pub(crate) fn new(found: &LogEntry) -> Self {
        let entry = &found.entry;
        Self {
            book: entry.book.to_string(),
            r#ref: entry.name.to_string(),
            seq: entry.seq,
            id: found.id.to_string(),
            previous: entry.previous.map(|id| id.to_string()),
            target: entry.target.map(|id| id.to_string()),
            actor: entry.actor.to_string(),
            time: entry.time.to_string(),
            operation: entry.operation.to_string(),
            message: entry.message.clone(),
            request_id: entry.request_id.to_string(),
            requests: entry.requests().iter().map(RequestView::new).collect(),
            upstream: UpstreamView::of(entry),
        }
    }
}

impl RequestView {
    pub(crate) fn new(request: &Request) -> Self {
        Self {
            request_id: request.request_id.to_string(),
            actor: request.actor.to_string(),
            operation: request.operation.to_string(),
            commit: request.commit.map(|commit| commit.to_string()),
        }
    }
}

/// What edits did.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EditReport)]
pub(crate) struct EditView {
    /// The commit that the branch points at now.
    pub(crate) commit: String,
    /// Its tree.
    tree: String,
    /// Whether a commit was made; it is not when nothing changed.
    changed: bool,
    /// Whether the branch was made by this: it had not been there, and its upstream was edited.
    forked: bool,
    /// What happened to each path, in the order of the edits.
    results: Vec<ResultView>,
    /// What is new in this version and against the book's rules, though not so that it is refused;
    /// not told again when a request is repeated.
    warnings: Vec<ViolationView>,
}

/// What happened to one path.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EditResult)]
pub(crate) struct ResultView {
    /// The path.
    path: String,
    /// `created`, `updated`, `unchanged`, `deleted`, `absent` or `moved`.
    #[schema(value_type = String)]
    outcome: EditOutcome,
    /// Whether something was there before.
    existed: bool,
    /// The file's id before; none if nothing or a folder was there.
    old: Option<String>,
    /// The file's id after; none if nothing or a folder is there.
    new: Option<String>,
    /// Where it is now, if it was moved.
    to: Option<String>,
}

impl EditView {
    pub(crate) fn new(report: &EditReport) -> Self {
        Self {
            commit: report.commit.to_string(),
            tree: report.tree.to_string(),
            changed: report.changed,
            forked: report.forked,
            results: report.results.iter().map(ResultView::new).collect(),
            warnings: report.warnings.iter().cloned().map(ViolationView::from).collect(),
        }
    }
}

impl ResultView {
    fn new(result: &EditResult) -> Self {
        Self {
            path: result.path.to_string(),
            outcome: result.outcome,
            existed: !matches!(result.outcome, EditOutcome::Created | EditOutcome::Absent),
            old: result.old.map(|id| id.to_string()),
            new: result.new.map(|id| id.to_string()),
            to: result.to.as_ref().map(ToString::to_string),
        }
    }
}

/// One line of a listing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ListItem)]
pub(crate) struct ItemView {
    /// Its path in the book.
    path: String,
    /// `file`, `executable`, `symlink` or `tree`.
    kind: &'static str,
    /// The id of the blob or tree.
    id: String,
    /// Its size in bytes; for a tree, of everything below it.
    size: u64,
    /// How many files there are: 1, or what is below a tree.
    files: u64,
    /// Which side of a live branch it comes from: `own`, `upstream`, `merged` or `conflict`; absent
    /// of any other version.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'static str>,
}

impl ItemView {
    pub(crate) fn new(item: &ListItem, source: Option<Source>) -> Self {
        Self {
            path: item.path.to_string(),
            kind: item.kind.as_str(),
            id: item.id.to_string(),
            size: item.totals.size,
            files: item.totals.files,
            source: source.map(Source::as_str),
        }
    }
}
