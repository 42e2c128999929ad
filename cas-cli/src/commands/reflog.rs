//! `cas reflog`

use clap::Args;

use super::view::{EntryView, write_entry};
use crate::args::RefArg;
use crate::context::Context;
use crate::error::CommandError;

/// Show every value that a ref ever had, newest first
///
/// Also of a deleted ref. Each line has the commit, the position (for BOOK@REF#SEQ), the time,
/// the operation, who did it and why.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas reflog guide@main
  cas reflog guide@users/ada -n 5 --json")]
pub(crate) struct Reflog {
    /// The ref
    #[arg(value_name = "BOOK@REF")]
    name: RefArg,
    /// At most so many
    #[arg(short = 'n', long, value_name = "N")]
    number: Option<usize>,
}

impl Reflog {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let RefArg { book, name } = self.name;
        let entries = context.repo.ref_log(&book, &name, self.number.unwrap_or(usize::MAX)).await?;
        let views: Vec<_> = entries.iter().map(EntryView::new).collect();
        context
            .output
            .answer(&views, |out| entries.iter().try_for_each(|entry| write_entry(out, entry)))
    }
}
