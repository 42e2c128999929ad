//! `cas ls`

use cas_core::name::Revision;
use cas_core::object::EntryKind;
use cas_core::repo::{ListItem, Source};
use clap::Args;
use serde::Serialize;

use crate::args::FolderArg;
use crate::context::Context;
use crate::error::CommandError;
use crate::output::count;

/// List files and folders of a version
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas ls guide                  The root of the newest version
  cas ls guide@main~1 ch1 -l    A folder of the one before, with ids and sizes
  cas ls guide -R --json        Every file, for a program")]
pub(crate) struct Ls {
    /// The version, e.g. guide or guide@draft~1: see `cas --help`
    #[arg(value_name = "REV")]
    revision: Revision,
    /// The folder or file
    #[arg(default_value = ".", hide_default_value = true)]
    path: FolderArg,
    /// Everything below, files only
    #[arg(short = 'R', long)]
    recursive: bool,
    /// Also kinds, ids and sizes; of a folder the sum and the number of files below it
    #[arg(short, long)]
    long: bool,
}

#[derive(Debug, Serialize)]
struct View {
    path: String,
    kind: EntryKind,
    id: String,
    size: u64,
    files: u64,
    /// Which side of a live branch it comes from.
    source: Source,
}

impl Ls {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let version = context.reading(&self.revision).await?;
        let items = version.repo.list(version.tree, &self.path.0, self.recursive).await?;
        let sources = version.sources(&items).await?;
        let view = |(item, source): (&ListItem, Source)| View {
            path: item.path.to_string(),
            kind: item.kind,
            id: item.id.to_string(),
            size: item.totals.size,
            files: item.totals.files,
            source,
        };
        let views: Vec<_> = items.iter().zip(sources).map(view).collect();
        context.output.answer(&views, |out| {
            for (ListItem { path, kind, id, totals }, view) in items.iter().zip(&views) {
                let slash = if kind.is_tree() { "/" } else { "" };
                if self.long {
                    let files = if kind.is_tree() {
                        format!("  ({})", count(totals.files, "file", "files"))
                    } else {
                        String::new()
                    };
                    let source = match version.live {
                        Some(_) => format!("{:<9}", view.source.as_str()),
                        None => String::new(),
                    };
                    writeln!(
                        out,
                        "{:<10} {id} {:>12}  {source}{path}{slash}{files}",
                        kind.as_str(),
                        totals.size
                    )?;
                } else {
                    writeln!(out, "{path}{slash}")?;
                }
            }
            Ok(())
        })
    }
}
