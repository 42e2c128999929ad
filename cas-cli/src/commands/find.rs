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
        let places: Vec<_> =
            files.iter().map(|file| (&file.path, file.kind, *file.id.hash())).collect();
        let sources = version.sources_at(&places).await?;
        let view = |(Leaf { path, kind, id, size }, source): (&Leaf, Source)| View {
            path: path.to_string(),
            kind: *kind,
            id: id.to_string(),
            size: *size,
            source,
        };
        let views: Vec<_> = files.iter().zip(sources).map(view).collect();
        context
            .output
            .answer(&views, |out| files.iter().try_for_each(|file| writeln!(out, "{}", file.path)))
    }
}
