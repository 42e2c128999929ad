//! `cas import`

use std::path::PathBuf;

use cas_core::folder::{ImportMode, ImportOptions, ImportReport};
use cas_core::repo::VersionRequest;
use cas_core::schema::Violation;
use clap::Args;
use serde::Serialize;

use super::view::warn_of;
use crate::args::BranchArg;
use crate::context::Context;
use crate::error::CommandError;
use crate::output::{count, human_bytes};

/// Make a folder the next version of a book
///
/// Files are stored as they are, byte by byte, with their executable bits; symlinks that stay
/// inside the book are kept; empty folders, `.git` and `.cas` are left out, and what `.casignore`
/// files say, in the syntax of .gitignore. Files that have not changed since the last import of
/// the same folder are not read again. If nothing changed, nothing is written.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas import ./book guide                       The next version of guide@main
  cas import ./book guide@draft -m 'Chapter 2'  ... of the branch draft
  cas import ./book guide --exclude '*.tmp'     Leave files out
  cas import ./book guide --dry-run             Only see what would change
  cas import ./book guide --verify-existing     Put right what the store has lost of it")]
pub(crate) struct Import {
    /// The folder to import
    dir: PathBuf,
    /// The book, and the branch if it is not main
    #[arg(value_name = "BOOK[@BRANCH]")]
    target: BranchArg,
    /// Why: the message of the commit (default: import DIR)
    #[arg(short, long, value_name = "MSG")]
    message: Option<String>,
    /// Only tell what would change
    #[arg(long)]
    dry_run: bool,
    /// Leave out what matches, in the syntax of .gitignore; may be repeated
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// Let a folder without files empty the branch
    #[arg(long)]
    allow_empty: bool,
    /// Read what the store has of this folder, and write again what it has lost or damaged
    #[arg(long)]
    verify_existing: bool,
}

#[derive(Debug, Serialize)]
struct View {
    book: String,
    r#ref: String,
    commit: Option<String>,
    tree: String,
    mode: ImportMode,
    forked: bool,
    dry_run: bool,
    files: Files,
    bytes: Bytes,
    #[serde(skip_serializing_if = "Option::is_none")]
    repaired: Option<u64>,
    warnings: Vec<Violation>,
}

#[derive(Debug, Serialize)]
struct Files {
    total: u64,
    added: u64,
    changed: u64,
    removed: u64,
    read: u64,
}

#[derive(Debug, Serialize)]
struct Bytes {
    total: u64,
    new: u64,
    shared: u64,
}

impl Import {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let Self { dir, target, message, dry_run, exclude, allow_empty, verify_existing } = self;
        let BranchArg { book, branch } = target.clone();
        let request = VersionRequest {
            message: message.unwrap_or_else(|| format!("import {}", dir.display())),
            request_id: context.request_id(),
            book,
            branch,
        };
        let options = ImportOptions {
            exclude,
            dry_run,
            allow_empty,
            index: Context::import_index(&dir, &context.location),
            verify_existing,
            store_folder: context.location.as_folder().map(Into::into),
        };
        let report = context.repo.import(&dir, &request, &options, context.progress.clone()).await;
        context.progress.end();
        let report = report?;
        warn_of(context.output, &target, &report.warnings);
        // What the store held already, of this version or any other.
        let shared = report.totals.size.saturating_sub(report.bytes_new);
        let view = View {
            book: request.book.to_string(),
            r#ref: request.branch.to_string(),
            commit: report.commit.map(|id| id.to_string()),
            tree: report.tree.to_string(),
            mode: report.mode,
            forked: report.forked,
            dry_run,
            files: Files {
                total: report.totals.files,
                added: report.added,
                changed: report.changed,
                removed: report.removed,
                read: report.read,
            },
            bytes: Bytes { total: report.totals.size, new: report.bytes_new, shared },
            repaired: verify_existing.then_some(report.repaired),
            warnings: report.warnings.clone(),
        };
        context.output.answer(&view, |out| {
            writeln!(out, "{}@{} {}", request.book, request.branch, headline(&report, dry_run))?;
            let ImportReport { totals, added, changed, removed, .. } = report;
            let files = count(totals.files, "file", "files");
            writeln!(out, "{files}: {added} added, {changed} changed, {removed} removed")?;
            let (size, new) = (human_bytes(totals.size), human_bytes(report.bytes_new));
            writeln!(
                out,
                "{size}: {new} new, {} shared with what the store had",
                human_bytes(shared)
            )?;
            if verify_existing {
                let verb = if dry_run { "damaged" } else { "repaired" };
                writeln!(out, "{} {verb}", count(report.repaired, "object", "objects"))?;
            }
            Ok(())
        })
    }
}

fn headline(report: &ImportReport, dry_run: bool) -> String {
    let at = report.commit.map(|id| format!(" at {}", id.short())).unwrap_or_default();
    match (report.mode, dry_run) {
        (ImportMode::Created, false) => format!("created{at}"),
        (ImportMode::Updated, false) => format!("updated, now{at}"),
        (ImportMode::Unchanged, _) => format!("unchanged{at}"),
        (ImportMode::Created, true) => "would be created".to_owned(),
        (ImportMode::Updated, true) => "would be updated".to_owned(),
    }
}
