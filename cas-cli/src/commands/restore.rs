//! `cas restore`

use cas_core::name::{BookPath, Revision};
use cas_core::repo::VersionRequest;
use clap::Args;

use super::view::{EditView, warn_of, write_edits};
use crate::args::BranchArg;
use crate::context::Context;
use crate::error::CommandError;

/// Make files or folders of a branch what they are in its upstream, or in another version
///
/// What that version does not have is removed. One commit; the branch's own versions stay in its
/// log.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas restore guide@users/7 ch1.md                         As upstream has it
  cas restore guide@users/7 ch1.md img --from upstream     The same, for a file and a folder
  cas restore guide ch1.md --from guide~3                  As it was three commits ago")]
pub(crate) struct Restore {
    /// The branch
    #[arg(value_name = "BOOK@BRANCH")]
    branch: BranchArg,
    /// The files or folders
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<BookPath>,
    /// `upstream`, or a version of the same book
    #[arg(long, value_name = "upstream|REV", default_value = "upstream")]
    from: String,
    /// Why
    #[arg(long, short, value_name = "TEXT")]
    message: Option<String>,
}

impl Restore {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let BranchArg { book, branch } = &self.branch;
        let repo = &context.repo;
        let tree = if self.from == "upstream" {
            repo.upstream_tree(&repo.follower(book, branch).await?).await?
        } else {
            let revision: Revision = self.from.parse()?;
            if revision.book != *book {
                let text = format!("{revision} is of another book than {book}@{branch}");
                return Err(CommandError::Usage(text));
            }
            repo.resolve(&revision).await?.commit.tree
        };
        let said = || format!("restore from {}", self.from);
        let request = VersionRequest {
            book: book.clone(),
            branch: branch.clone(),
            message: self.message.clone().unwrap_or_else(said),
            request_id: context.request_id(),
        };
        let report = repo.restore_paths(&request, tree, &self.paths).await?;
        warn_of(context.output, &self.branch, &report.warnings);
        context.output.answer(&EditView::new(&self.branch, &report), |out| {
            write_edits(out, &self.branch, &report)
        })
    }
}
