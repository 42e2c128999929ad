//! `cas log`

use cas_core::name::Revision;
use clap::Args;

use super::view::{CommitView, write_commit};
use crate::args::FolderArg;
use crate::context::Context;
use crate::error::CommandError;

/// Show the versions that a version comes from
///
/// With PATH, only those in which that file or folder changed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas log guide                 Every version, newest first
  cas log guide ch1/lesson.md   Those in which one lesson changed
  cas log guide@main -n 1 --json")]
pub(crate) struct Log {
    /// The version to begin with, e.g. guide or guide@draft~1: see `cas --help`
    #[arg(value_name = "REV")]
    revision: Revision,
    /// A file or folder
    #[arg(default_value = ".", hide_default_value = true)]
    path: FolderArg,
    /// At most so many
    #[arg(short = 'n', long, value_name = "N")]
    number: Option<usize>,
}

impl Log {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let version = context.reading(&self.revision).await?;
        let items = context
            .repo
            .history(&version.heads(), &self.path.0, self.number.unwrap_or(usize::MAX))
            .await?;
        let ids: Vec<_> = items.iter().map(|item| item.id).collect();
        let sources = version.sources_of(&ids).await?;
        let view: Vec<_> = items
            .iter()
            .zip(&sources)
            .map(|(item, source)| CommitView::new(item.id, &item.commit, Some(*source)))
            .collect();
        context.output.answer(&view, |out| {
            for (nth, (item, source)) in items.iter().zip(&sources).enumerate() {
                if nth > 0 {
                    writeln!(out)?;
                }
                if version.live.is_some() {
                    writeln!(out, "source {}", source.as_str())?;
                }
                write_commit(out, item.id, &item.commit)?;
            }
            Ok(())
        })
    }
}
