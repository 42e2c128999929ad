//! `cas mv`

use cas_core::name::{BookPath, Operation};
use cas_core::repo::{Edit, PathEdit, Precondition, VersionRequest};
use clap::Args;

use super::view::{EditView, warn_of, write_edits};
use crate::args::BranchArg;
use crate::context::Context;
use crate::error::CommandError;

/// Move or rename a file or folder of a book
///
/// TO is the whole new path. Nothing may be there.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas mv guide ch1/old.md ch1/new.md
  cas mv guide@draft ch1 part1/ch1 -m 'Parts'")]
pub(crate) struct Mv {
    /// The book, and the branch if it is not main
    #[arg(value_name = "BOOK[@BRANCH]")]
    target: BranchArg,
    /// What to move
    from: BookPath,
    /// Where to
    to: BookPath,
    /// Why: the message of the commit
    #[arg(short, long, value_name = "MSG")]
    message: Option<String>,
}

impl Mv {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let Self { target, from, to, message } = self;
        let request = VersionRequest {
            book: target.book.clone(),
            branch: target.branch.clone(),
            message: message.unwrap_or_else(|| format!("mv {from} {to}")),
            request_id: context.request_id(),
        };
        let edits =
            [PathEdit { path: from, edit: Edit::Move { to }, precondition: Precondition::Unsaid }];
        let report = context.repo.edit(&request, Operation::rename(), &edits).await?;
        warn_of(context.output, &target, &report.warnings);
        context
            .output
            .answer(&EditView::new(&target, &report), |out| write_edits(out, &target, &report))
    }
}
