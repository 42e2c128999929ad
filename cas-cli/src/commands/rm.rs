//! `cas rm`

use cas_core::name::{BookPath, HashPrefix, Operation};
use cas_core::repo::{Edit, PathEdit, Precondition, VersionRequest};
use clap::Args;

use super::view::{EditView, warn_of, write_edits};
use crate::args::BranchArg;
use crate::context::Context;
use crate::error::CommandError;

/// Remove files of a book
///
/// What is not there counts as removed: running the command twice is no error. All paths go in
/// one commit, or none.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas rm guide ch1/old.md ch1/older.md
  cas rm guide ch1/old.md --expect 7a61b36e   Only if it is still what you saw
  cas rm guide ch1 --recursive                A folder with everything in it")]
pub(crate) struct Rm {
    /// The book, and the branch if it is not main
    #[arg(value_name = "BOOK[@BRANCH]")]
    target: BranchArg,
    /// The files
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<BookPath>,
    /// The file has this id, or one beginning with these 8 or more digits
    #[arg(long, value_name = "ID")]
    expect: Option<HashPrefix>,
    /// Also folders, with everything in them
    #[arg(short, long)]
    recursive: bool,
    /// Why: the message of the commit
    #[arg(short, long, value_name = "MSG")]
    message: Option<String>,
}

impl Rm {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let Self { target, paths, expect, recursive, message } = self;
        if expect.is_some() && paths.len() > 1 {
            return Err(CommandError::Usage(
                "--expect says what one file is: name just one path".to_owned(),
            ));
        }
        let named: Vec<_> = paths.iter().map(BookPath::as_str).collect();
        let request = VersionRequest {
            book: target.book.clone(),
            branch: target.branch.clone(),
            message: message.unwrap_or_else(|| format!("rm {}", named.join(" "))),
            request_id: context.request_id(),
        };
        let precondition = expect.map_or(Precondition::Unsaid, Precondition::Is);
        let edits: Vec<_> = paths
            .into_iter()
            .map(|path| PathEdit {
                path,
                edit: Edit::Remove { recursive },
                precondition: precondition.clone(),
            })
            .collect();
        let report = context.repo.edit(&request, Operation::remove(), &edits).await?;
        warn_of(context.output, &target, &report.warnings);
        context
            .output
            .answer(&EditView::new(&target, &report), |out| write_edits(out, &target, &report))
    }
}
