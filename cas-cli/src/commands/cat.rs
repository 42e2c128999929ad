//! `cas cat`

use cas_core::name::{BookPath, Revision};
use clap::Args;

use crate::context::Context;
use crate::error::CommandError;

/// Print a file of a version
///
/// The whole file is verified before its first byte is printed. Of a symlink, the target is
/// printed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas cat guide ch1/lesson.md
  cas cat guide@main~3 cover.png > old-cover.png")]
pub(crate) struct Cat {
    /// The version, e.g. guide or guide@draft~1: see `cas --help`
    #[arg(value_name = "REV")]
    revision: Revision,
    /// The file
    path: BookPath,
}

impl Cat {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let version = context.reading(&self.revision).await?;
        let content = version.repo.read_file(version.tree, &self.path).await?;
        context.output.write(|mut out| content.copy_to(&mut out).map(|_| ()))
    }
}
