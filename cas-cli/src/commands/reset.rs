//! `cas reset`

use cas_core::name::Revision;
use cas_core::refs::Expectation;
use clap::Args;

use super::view::{EntryView, write_entry};
use crate::args::RefArg;
use crate::context::Context;
use crate::error::CommandError;

/// Point a branch at another version
///
/// Back or anywhere: nothing is lost, since the branch's log keeps every value that it had. It is
/// one more log entry.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas reset guide@main guide@main~1    Take the last version back
  cas reset guide@main guide@main#7    As it was at position 7 of its log")]
pub(crate) struct Reset {
    /// The branch
    #[arg(value_name = "BOOK@BRANCH")]
    name: RefArg,
    /// The version, e.g. guide or guide@draft~1: see `cas --help`
    #[arg(value_name = "REV")]
    revision: Revision,
}

impl Reset {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let RefArg { book, name } = self.name;
        if self.revision.book != book {
            return Err(CommandError::Usage(format!(
                "{} is of another book than {book}@{name}",
                self.revision
            )));
        }
        let version = context.repo.resolve(&self.revision).await?;
        let repo = &context.repo;
        let request = repo.ref_request(&book, &name, &format!("reset to {}", self.revision));
        let entry = repo.reset_branch(&request, Expectation::Any, version.id).await?;
        context.output.answer(&EntryView::new(&entry), |out| write_entry(out, &entry))
    }
}
