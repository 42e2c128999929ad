//! `cas books`

use cas_core::repo::BookSummary;
use clap::Args;
use serde::Serialize;

use crate::context::Context;
use crate::error::CommandError;
use crate::output::{count, short_time};

/// List the books of the store
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas books
  cas books --json | jq -r '.[].book'")]
pub(crate) struct Books {}

#[derive(Debug, Serialize)]
struct View {
    book: String,
    branches: usize,
    tags: usize,
    commit: Option<String>,
    time: Option<String>,
}

impl Books {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let books = context.repo.books().await?;
        let view = |found: &BookSummary| View {
            book: found.book.to_string(),
            branches: found.branches,
            tags: found.tags,
            commit: found.main.as_ref().and_then(|head| head.entry.target).map(|id| id.to_string()),
            time: found.main.as_ref().map(|head| head.entry.time.to_string()),
        };
        if books.is_empty() {
            context.output.say(&format!(
                "no books yet in {}: `cas import DIR BOOK` makes one",
                context.location
            ));
        }
        context.output.answer(&books.iter().map(view).collect::<Vec<_>>(), |out| {
            let width =
                books.iter().map(|found| found.book.as_str().len()).max().unwrap_or_default();
            for BookSummary { book, branches, tags, main } in &books {
                write!(out, "{book:<width$}  ")?;
                match main {
                    Some(head) => write!(out, "{}  ", short_time(head.entry.time))?,
                    None => write!(out, "{:<20}  ", "(no main)")?,
                }
                let branches = count(*branches, "branch", "branches");
                writeln!(out, "{branches}, {}", count(*tags, "tag", "tags"))?;
            }
            Ok(())
        })
    }
}
