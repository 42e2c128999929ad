//! `cas audit` itself: what happened, newest first.

use std::io::{self, Write};

use cas_core::name::{BookPath, CommitId, Operation};
use cas_core::refs::Request;
use cas_core::repo::{
    AuditFilter, AuditItem, ChangeStatus, LogFilter, PathChange, PathState, one_line,
};
use clap::Args;
use serde::Serialize;

use super::places;
use crate::args::{FolderArg, Moment, RefsArg};
use crate::context::{Context, flag_was_given};
use crate::error::CommandError;
use crate::output::{short, short_time};

/// What is wanted of what happened.
#[derive(Debug, Args)]
pub(super) struct List {
    /// The book, and of it the refs that match: `*` stands for a segment or part of one, `**` for
    /// several (default: all books, all refs)
    #[arg(value_name = "BOOK[@PATTERN]")]
    refs: Option<RefsArg>,
    /// Only what changed this file or folder
    #[arg(long, value_name = "PATH", default_value = ".", hide_default_value = true)]
    path: FolderArg,
    /// Only by this operation, as `put`, `import`, `merge` or `delete`
    #[arg(long, value_name = "OPERATION")]
    op: Option<Operation>,
    /// Not before this time: 2026-01-31T12:00:00Z, 2026-01-31, or 7d for how long ago
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
    /// Not after this time
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
    /// At most so many
    #[arg(short = 'n', long, value_name = "N")]
    number: Option<usize>,
}

/// One movement of a ref; with a path, one change of it.
#[derive(Debug, Serialize)]
struct View<'a> {
    book: &'a str,
    r#ref: &'a str,
    seq: u64,
    id: String,
    time: String,
    actor: String,
    operation: String,
    message: &'a str,
    request_id: String,
    previous: Option<CommitId>,
    new: Option<CommitId>,
    requests: Vec<RequestView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<ChangeView<'a>>,
}

#[derive(Debug, Serialize)]
struct RequestView {
    request_id: String,
    actor: String,
    operation: String,
    commit: Option<CommitId>,
}

#[derive(Debug, Serialize)]
struct ChangeView<'a> {
    path: &'a str,
    status: ChangeStatus,
    previous: Option<StateView>,
    new: Option<StateView>,
}

#[derive(Debug, Serialize)]
struct StateView {
    kind: &'static str,
    id: String,
}

impl List {
    /// Whether nothing was said of what is wanted.
    pub(super) fn says_nothing(&self) -> bool {
        let Self { refs, path, op, since, until, number } = self;
        let times = since.is_some() || until.is_some();
        refs.is_none() && path.0.is_root() && op.is_none() && !times && number.is_none()
    }

    pub(super) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let now = context.now();
        let path = self.path.0;
        let entries = LogFilter {
            since: self.since.map(|moment| moment.at(now)),
            until: self.until.map(|moment| moment.at(now)),
            // Nothing is written here, so whoever is named is whom to look for; but not by a
            // variable, which says who this is.
            actor: flag_was_given("--actor").then(|| context.actor.clone()),
            operation: self.op,
        };
        let places = places(&context.repo, self.refs.as_ref()).await?;
        let filter = AuditFilter { entries, path: path.clone() };
        let mut audit = context.repo.audit(places, filter).await?;
        for _ in 0..self.number.unwrap_or(usize::MAX) {
            let Some(item) = audit.next().await? else {
                break;
            };
            // A line each also in JSON: a book's history need not fit into memory.
            let view = View::new(&item, &path);
            context.output.line(&view, |out| write_item(out, &item))?;
        }
        Ok(())
    }
}

impl<'a> View<'a> {
    fn new(item: &'a AuditItem, path: &'a BookPath) -> Self {
        let entry = &item.entry.entry;
        Self {
            book: entry.book.as_str(),
            r#ref: entry.name.as_str(),
            seq: entry.seq,
            id: item.entry.id.to_string(),
            time: entry.time.to_string(),
            actor: item.request.actor.to_string(),
            operation: item.request.operation.to_string(),
            message: &item.message,
            request_id: item.request.request_id.to_string(),
            previous: item.previous,
            new: item.new,
            requests: entry.requests().iter().map(RequestView::new).collect(),
            change: item.change.map(|change| ChangeView::new(change, path)),
        }
    }
}

impl RequestView {
    fn new(request: &Request) -> Self {
        Self {
            request_id: request.request_id.to_string(),
            actor: request.actor.to_string(),
            operation: request.operation.to_string(),
            commit: request.commit,
        }
    }
}

impl<'a> ChangeView<'a> {
    fn new(change: PathChange, path: &'a BookPath) -> Self {
        let state = |PathState { kind, id }: PathState| StateView {
            kind: kind.as_str(),
            id: id.to_string(),
        };
        Self {
            path: path.as_str(),
            status: change.status(),
            previous: change.previous.map(state),
            new: change.new.map(state),
        }
    }
}

/// Writes one line: when, where, what, by whom, from what to what, why.
fn write_item(out: &mut dyn Write, item: &AuditItem) -> io::Result<()> {
    let entry = &item.entry.entry;
    let (book, name, seq) = (&entry.book, &entry.name, entry.seq);
    write!(out, "{}  {book}@{name}#{seq}  ", short_time(entry.time))?;
    let id = |id: Option<String>| id.map_or_else(|| format!("{:<12}", "-"), short);
    let (from, to) = match item.change {
        Some(PathChange { previous, new }) => {
            let state = |state: Option<PathState>| id(state.map(|state| state.id.to_string()));
            (state(previous), state(new))
        }
        None => {
            let commit = |commit: Option<CommitId>| id(commit.map(|commit| commit.to_string()));
            (commit(item.previous), commit(item.new))
        }
    };
    let (operation, why) = (item.request.operation.to_string(), one_line(&item.message));
    writeln!(out, "{operation:<8}  {from} -> {to}  {}  {why}", actors(item))
}

/// Whoever did it: of a movement by several, each once.
fn actors(item: &AuditItem) -> String {
    if item.change.is_some() {
        return item.request.actor.to_string();
    }
    let mut actors: Vec<String> = Vec::new();
    for request in item.entry.entry.requests() {
        let actor = request.actor.to_string();
        if !actors.contains(&actor) {
            actors.push(actor);
        }
    }
    actors.join(", ")
}
