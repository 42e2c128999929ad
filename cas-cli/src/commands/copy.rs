//! `cas copy`

use cas_core::ErrorKind;
use cas_core::env::Env;
use cas_core::name::BookId;
use cas_core::store::Location;
use cas_core::upkeep::{CopyReport, Upkeep};
use clap::Args;
use serde::Serialize;

use crate::commands::Global;
use crate::context::{default_jobs, open_store};
use crate::error::CommandError;
use crate::output::{Output, count, human_bytes};
use crate::progress::progress;

/// Copy books from one store into another
///
/// Branches, tags and their whole logs, and everything that these name: the copy is as good as the
/// original. Run it again to bring the copy up: what is there is not sent twice. Everything is
/// verified on the way, and entries come last, so that what the copy names is always complete.
///
/// A log that went another way in the copy is told and left alone (exit code 3). Tokens are not
/// copied.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas copy ./store s3://backup/books            Everything
  cas copy r2://acc/books ./mirror guide        One book, into a folder
  cas copy https://books.example ./mirror       From a server")]
pub(crate) struct Copy {
    /// The store to copy from: a folder, a bucket or a server
    #[arg(value_name = "FROM", value_parser = Location::parse)]
    from: Location,
    /// The store to copy to: a folder or a bucket, made with `cas init`
    #[arg(value_name = "TO", value_parser = Location::parse)]
    to: Location,
    /// The books; all of them, if none is said
    #[arg(value_name = "BOOK")]
    books: Vec<BookId>,
}

#[derive(Debug, Serialize)]
struct View {
    refs: u64,
    refs_moved: u64,
    entries: u64,
    objects: u64,
    bytes: u64,
    collected: u64,
    diverged: Vec<Diverged>,
}

#[derive(Debug, Serialize)]
struct Diverged {
    book: String,
    r#ref: String,
    seq: u64,
}

impl Copy {
    pub(crate) async fn run(self, global: &Global) -> Result<(), CommandError> {
        let (env, output) = (Env::system(), Output::new(global));
        let (from, from_bucket) = open_store(&self.from, &env).await?;
        let (_, to_bucket) = open_store(&self.to, &env).await?;
        let Some(to_bucket) = to_bucket else {
            return Err(CommandError::Usage(format!(
                "{} is kept by a server: a copy is made where it is kept; name its folder or bucket",
                self.to
            )));
        };
        let jobs =
            global.jobs.unwrap_or_else(|| default_jobs(&self.from).max(default_jobs(&self.to)));
        let upkeep = Upkeep::new(to_bucket.clone(), env, jobs, progress(global.quiet));
        let report = upkeep.copy_from(&from, &self.books).await;
        to_bucket.finish().await;
        if let Some(bucket) = from_bucket {
            bucket.finish().await;
        }
        let report = report?;
        let view = view(&report);
        output.answer(&view, |out| {
            for Diverged { book, r#ref, seq } in &view.diverged {
                writeln!(out, "{book}@{ref}#{seq} is another entry in the copy", r#ref = r#ref)?;
            }
            writeln!(
                out,
                "{} of {} brought forward by {}; {} ({}) written",
                view.refs_moved,
                count(view.refs, "ref", "refs"),
                count(view.entries, "entry", "entries"),
                count(view.objects, "object", "objects"),
                human_bytes(view.bytes),
            )
        })?;
        if view.diverged.is_empty() {
            return Ok(());
        }
        let many = count(view.diverged.len() as u64, "log went", "logs went");
        let message = format!("{many} another way in {}, and were left alone", self.to);
        Err(CommandError::found(message, ErrorKind::Conflict))
    }
}

fn view(report: &CopyReport) -> View {
    let diverged = report.diverged.iter().map(|(book, name, seq)| Diverged {
        book: book.to_string(),
        r#ref: name.to_string(),
        seq: *seq,
    });
    View {
        refs: report.refs,
        refs_moved: report.refs_moved,
        entries: report.entries,
        objects: report.objects,
        bytes: report.bytes,
        collected: report.collected,
        diverged: diverged.collect(),
    }
}
