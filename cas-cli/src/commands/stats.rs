//! `cas stats`

use std::collections::BTreeMap;

use cas_core::upkeep::{BookStats, StoreStats};
use clap::Args;
use serde::Serialize;

use crate::context::Context;
use crate::error::CommandError;
use crate::output::{count, human_bytes};

/// Show how large the store is, and how much is shared
///
/// Logical bytes are those of all branches and tags, each counted as if it had its own files. What
/// is stored is less by as much as they share. Works on the folder or bucket itself.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas stats
  cas stats --top 20 --json")]
pub(crate) struct Stats {
    /// How many of the largest files and the longest logs to show
    #[arg(long, value_name = "N", default_value_t = 5)]
    top: usize,
}

#[derive(Debug, Serialize)]
struct View {
    logical_bytes: u64,
    stored_bytes: u64,
    sharing: Option<f64>,
    objects: BTreeMap<&'static str, ObjectsView>,
    books: Vec<BookView>,
    largest: Vec<LargestView>,
    longest_logs: Vec<LogView>,
}

#[derive(Debug, Serialize)]
struct ObjectsView {
    count: u64,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct BookView {
    book: String,
    branches: u64,
    followers: u64,
    tags: u64,
    deleted: u64,
    entries: u64,
    files: u64,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct LargestView {
    id: String,
    size: u64,
}

#[derive(Debug, Serialize)]
struct LogView {
    book: String,
    r#ref: String,
    entries: u64,
}

impl Stats {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let stats = context.upkeep()?.stats(self.top).await?;
        let view = view(&stats);
        context.output.answer(&view, |out| {
            let (logical, stored) =
                (human_bytes(view.logical_bytes), human_bytes(view.stored_bytes));
            match view.sharing {
                Some(sharing) => writeln!(out, "{logical} in {stored}: {sharing:.1} times")?,
                None => writeln!(out, "{logical} in {stored}")?,
            }
            for (kind, objects) in &view.objects {
                let many = format!("{kind}s");
                let bytes = human_bytes(objects.bytes);
                writeln!(out, "{} ({bytes})", count(objects.count, kind, &many))?;
            }
            for book in &view.books {
                writeln!(
                    out,
                    "{}: {} ({} following), {}, {} deleted, {}, {} ({})",
                    book.book,
                    count(book.branches, "branch", "branches"),
                    book.followers,
                    count(book.tags, "tag", "tags"),
                    book.deleted,
                    count(book.entries, "entry", "entries"),
                    count(book.files, "file", "files"),
                    human_bytes(book.bytes),
                )?;
            }
            for LargestView { id, size } in &view.largest {
                writeln!(out, "blob {id}  {}", human_bytes(*size))?;
            }
            for LogView { book, r#ref, entries } in &view.longest_logs {
                writeln!(
                    out,
                    "{book}@{ref}  {}",
                    count(*entries, "entry", "entries"),
                    r#ref = r#ref
                )?;
            }
            Ok(())
        })
    }
}

fn view(stats: &StoreStats) -> View {
    let (logical, stored) = (stats.logical_bytes(), stats.stored_bytes());
    #[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
    let sharing = (stored > 0).then(|| logical as f64 / stored as f64);
    let objects = stats.objects.iter().map(|(kind, found)| {
        (kind.as_str(), ObjectsView { count: found.count, bytes: found.bytes })
    });
    let book = |(book, stats): (&cas_core::name::BookId, &BookStats)| BookView {
        book: book.to_string(),
        branches: stats.branches,
        followers: stats.followers,
        tags: stats.tags,
        deleted: stats.deleted,
        entries: stats.entries,
        files: stats.files,
        bytes: stats.bytes,
    };
    let largest = stats.largest.iter();
    let longest = stats.longest.iter();
    View {
        logical_bytes: logical,
        stored_bytes: stored,
        sharing,
        objects: objects.collect(),
        books: stats.books.iter().map(book).collect(),
        largest: largest
            .map(|(id, size)| LargestView { id: id.to_string(), size: *size })
            .collect(),
        longest_logs: longest
            .map(|(book, name, entries)| LogView {
                book: book.to_string(),
                r#ref: name.to_string(),
                entries: *entries,
            })
            .collect(),
    }
}
