//! `cas find`

use cas_core::name::Revision;
use cas_core::object::EntryKind;
use cas_core::repo::{Globs, Leaf, Source};
use clap::Args;
use serde::Serialize;

use crate::args::FolderArg;
use crate::context::Context;
use crate::error::CommandError;

/// List the files of a version whose paths match a pattern
///
/// `*` matches within a folder's or file's name, `**` across folders, `{a,b}` either. The pattern
/// is of the whole path in the book.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas find '**/*.png' guide          Every picture
  cas find '*/README.md' guide@v1    ... one folder down, in another version
  cas find '**/img/**' guide ch1     ... only below ch1")]
pub(crate) struct Find {
    /// What paths look like
    #[arg(value_name = "PATTERN")]
    pattern: String,
    /// The version, e.g. guide or guide@draft~1: see `cas --help`
    #[arg(value_name = "REV")]
    revision: Revision,
    /// Only this folder
    #[arg(default_value = ".", hide_default_value = true)]
    path: FolderArg,
}

#[derive(Debug, Serialize)]
struct View {
    path: String,
    kind: EntryKind,
    id: String,
    size: u64,
    /// Which side of a live branch it comes from.
    source: Source,
}

impl Find {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let globs = Globs::parse([self.pattern])?;
        let version = context.reading(&self.revision).await?;
        let (repo, tree) = (&version.repo, version.tree);
        let found = repo.find_files(tree, &self.path.0, &globs, None, usize::MAX).await?;
        let files = found.0;
        let mut views = Vec::with_capacity(files.len());
        for Leaf { path, kind, id, size, .. } in &files {
            let source = version.source_at(path, *kind, *id.hash()).await?;
            let (path, id) = (path.to_string(), id.to_string());
            views.push(View { path, kind: *kind, id, size: *size, source });
        }
        context
            .output
            .answer(&views, |out| files.iter().try_for_each(|file| writeln!(out, "{}", file.path)))
    }
}
