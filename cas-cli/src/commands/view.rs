//! What answers show of the things in a store: the JSON shapes that several commands share.

use std::collections::BTreeMap;
use std::io::{self, Write};

use cas_core::name::{BookId, CommitId, RefName};
use cas_core::object::{Commit, Metadata};
use cas_core::refs::{LogEntry, Upstream};
use cas_core::repo::{EditOutcome, EditReport, EditResult, RefSummary, Source, one_line};
use cas_core::schema::Violation;
use serde::Serialize;

use crate::args::BranchArg;
use crate::output::{Output, short, short_time};

/// How many warnings people are told of one version.
const WARNINGS: usize = 5;

/// A commit.
#[derive(Debug, Serialize)]
pub(super) struct CommitView {
    commit: String,
    tree: String,
    parents: Vec<String>,
    author: String,
    time: String,
    message: String,
    metadata: BTreeMap<String, String>,
    /// Of a version that was named: where it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Source>,
}

impl CommitView {
    pub(super) fn new(id: CommitId, commit: &Commit, source: Option<Source>) -> Self {
        Self {
            commit: id.to_string(),
            tree: commit.tree.to_string(),
            parents: commit.parents.iter().map(ToString::to_string).collect(),
            author: commit.author.to_string(),
            time: commit.committed_at.to_string(),
            message: commit.message.clone(),
            metadata: pairs(&commit.metadata),
            source,
        }
    }
}

fn pairs(metadata: &Metadata) -> BTreeMap<String, String> {
    metadata.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// Writes a commit as people read it.
pub(super) fn write_commit(out: &mut dyn Write, id: CommitId, commit: &Commit) -> io::Result<()> {
    writeln!(out, "commit {id}")?;
    writeln!(out, "tree   {}", commit.tree)?;
    for parent in &commit.parents {
        writeln!(out, "parent {parent}")?;
    }
    writeln!(out, "author {}", commit.author)?;
    writeln!(out, "time   {}", short_time(commit.committed_at))?;
    for (key, value) in commit.metadata.iter() {
        writeln!(out, "{key}: {value}")?;
    }
    writeln!(out)?;
    for line in commit.message.lines() {
        writeln!(out, "    {line}")?;
    }
    Ok(())
}

/// One movement of a ref.
#[derive(Debug, Serialize)]
pub(super) struct EntryView {
    book: String,
    r#ref: String,
    seq: u64,
    id: String,
    previous: Option<String>,
    target: Option<String>,
    actor: String,
    time: String,
    operation: String,
    message: String,
    request_id: String,
    metadata: BTreeMap<String, String>,
}

impl EntryView {
    pub(super) fn new(found: &LogEntry) -> Self {
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
            metadata: pairs(&entry.metadata),
        }
    }
}

/// Writes a movement of a ref in one line.
pub(super) fn write_entry(out: &mut dyn Write, found: &LogEntry) -> io::Result<()> {
    let entry = &found.entry;
    let target = entry.target.map_or_else(|| "(deleted)   ".to_owned(), short);
    let time = short_time(entry.time);
    writeln!(
        out,
        "{target}  #{:<4} {time}  {:<8} {}  {}",
        entry.seq, entry.operation, entry.actor, entry.message
    )
}

/// A branch or tag that is there.
#[derive(Debug, Serialize)]
pub(super) struct RefView {
    book: String,
    r#ref: String,
    commit: String,
    seq: u64,
    actor: String,
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream: Option<Upstream>,
}

impl RefView {
    pub(super) fn new(found: &RefSummary) -> Self {
        let entry = &found.head.entry;
        Self {
            book: entry.book.to_string(),
            r#ref: found.name.to_string(),
            commit: found.commit.to_string(),
            seq: entry.seq,
            actor: entry.actor.to_string(),
            time: entry.time.to_string(),
            upstream: entry.upstream(),
        }
    }
}

/// Writes refs in a table.
pub(super) fn write_refs(out: &mut dyn Write, refs: &[RefSummary]) -> io::Result<()> {
    let width = refs.iter().map(|found| found.name.as_str().len()).max().unwrap_or_default();
    for found in refs {
        let entry = &found.head.entry;
        let (name, commit, time) = (&found.name, found.commit.short(), short_time(entry.time));
        writeln!(out, "{name:<width$}  {commit}  #{:<4} {time}  {}", entry.seq, entry.actor)?;
    }
    Ok(())
}

/// Writes refs in a table, with what each follows.
pub(super) fn write_refs_long(out: &mut dyn Write, refs: &[RefSummary]) -> io::Result<()> {
    let width = refs.iter().map(|found| found.name.as_str().len()).max().unwrap_or_default();
    for found in refs {
        let entry = &found.head.entry;
        let (name, commit, time) = (&found.name, found.commit.short(), short_time(entry.time));
        let upstream = entry.upstream().map(|upstream| format!("  {}", said(&upstream)));
        let upstream = upstream.unwrap_or_default();
        writeln!(
            out,
            "{name:<width$}  {commit}  #{:<4} {time}  {}{upstream}",
            entry.seq, entry.actor
        )?;
    }
    Ok(())
}

/// Writes what a branch follows from an entry on, if it follows anything.
pub(super) fn write_upstream(out: &mut dyn Write, found: &LogEntry) -> io::Result<()> {
    match found.entry.upstream() {
        Some(upstream) => writeln!(out, "{}", said(&upstream)),
        None => Ok(()),
    }
}

fn said(Upstream { name, follow, base }: &Upstream) -> String {
    format!("follows {name} ({}) since {}", follow.as_str(), base.short())
}

/// What edits did.
#[derive(Debug, Serialize)]
pub(super) struct EditView {
    book: BookId,
    r#ref: RefName,
    commit: String,
    tree: String,
    changed: bool,
    forked: bool,
    results: Vec<ResultView>,
    warnings: Vec<Violation>,
}

#[derive(Debug, Serialize)]
struct ResultView {
    path: String,
    outcome: EditOutcome,
    existed: bool,
    old: Option<String>,
    new: Option<String>,
    to: Option<String>,
}

impl EditView {
    pub(super) fn new(target: &BranchArg, report: &EditReport) -> Self {
        let result = |result: &EditResult| ResultView {
            path: result.path.to_string(),
            outcome: result.outcome,
            existed: !matches!(result.outcome, EditOutcome::Created | EditOutcome::Absent),
            old: result.old.map(|id| id.to_string()),
            new: result.new.map(|id| id.to_string()),
            to: result.to.as_ref().map(ToString::to_string),
        };
        Self {
            book: target.book.clone(),
            r#ref: target.branch.clone(),
            commit: report.commit.to_string(),
            tree: report.tree.to_string(),
            changed: report.changed,
            forked: report.forked,
            results: report.results.iter().map(result).collect(),
            warnings: report.warnings.clone(),
        }
    }
}

/// Warns of what a new version has against its book's rules.
pub(super) fn warn_of(output: Output, target: &BranchArg, warnings: &[Violation]) {
    for warning in warnings.iter().take(WARNINGS) {
        output.warn(&one_line(&warning.to_string()));
    }
    if let Some(more) = warnings.len().checked_sub(WARNINGS).filter(|more| *more > 0) {
        let BranchArg { book, branch } = target;
        output.warn(&format!("... and {more} more: `cas validate {book}@{branch}` tells them all"));
    }
}

/// Writes what edits did, a line each.
pub(super) fn write_edits(
    out: &mut dyn Write,
    target: &BranchArg,
    report: &EditReport,
) -> io::Result<()> {
    for EditResult { path, outcome, old, new, to } in &report.results {
        let what = match outcome {
            EditOutcome::Created => "created",
            EditOutcome::Updated => "updated",
            EditOutcome::Unchanged => "unchanged",
            EditOutcome::Deleted => "deleted",
            EditOutcome::Moved => "moved",
            EditOutcome::Absent => {
                writeln!(out, "{path} was not there")?;
                continue;
            }
        };
        if let Some(to) = to {
            writeln!(out, "{what} {path} to {to}")?;
            continue;
        }
        match (old, new) {
            (Some(old), Some(new)) if old != new => writeln!(out, "{what} {path}: {old} -> {new}")?,
            (_, Some(id)) | (Some(id), None) => writeln!(out, "{what} {path}: {id}")?,
            (None, None) => writeln!(out, "{what} {path}")?,
        }
    }
    let (book, branch, commit) = (&target.book, &target.branch, report.commit.short());
    if report.forked {
        writeln!(out, "{book}@{branch} was made by this: it follows its upstream")?;
    }
    if report.changed {
        writeln!(out, "{book}@{branch} is now at {commit}")
    } else {
        writeln!(out, "{book}@{branch} stays at {commit}: nothing changed")
    }
}
