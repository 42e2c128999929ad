//! `cas show`

use cas_core::name::{BlobId, CommitId, HashPrefix, NameError, Revision, TreeId};
use cas_core::object::{Kind, Tree};
use cas_core::repo::{FoundObject, Source};
use clap::Args;
use serde::Serialize;

use super::view::{CommitView, write_commit};
use crate::context::Context;
use crate::error::CommandError;

/// Show a version, or any object by its id
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas show guide@main~1     A version: its commit
  cas show 7a61b36e1c02     Whatever has an id that begins so")]
pub(crate) struct Show {
    /// A revision, or the first 8 or more digits of an id
    #[arg(value_name = "REV|ID")]
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    Revision(Revision),
    Id(HashPrefix),
}

impl std::str::FromStr for What {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        // No book has a name that looks like an id.
        if HashPrefix::looks_like(text) {
            HashPrefix::parse(text).map(Self::Id)
        } else {
            text.parse().map(Self::Revision)
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum View {
    Commit(CommitView),
    Tree { tree: String, size: u64, files: u64, entries: Vec<EntryView> },
    Blob { blob: String, size: u64 },
}

#[derive(Debug, Serialize)]
struct EntryView {
    name: String,
    kind: cas_core::object::EntryKind,
    id: String,
    size: u64,
    files: u64,
}

impl Show {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let (found, source) = match &self.what {
            What::Revision(revision) => {
                let version = context.reading(revision).await?;
                let source = version.sources_of(&[version.id]).await?.pop();
                (FoundObject { kind: Kind::Commit, id: version.id.0 }, source)
            }
            What::Id(prefix) => (context.repo.find_object(prefix).await?, None),
        };
        match found.kind {
            Kind::Commit => show_commit(context, CommitId(found.id), source).await,
            Kind::Tree => show_tree(context, TreeId(found.id)).await,
            Kind::Blob => show_blob(context, BlobId(found.id)).await,
        }
    }
}

async fn show_commit(
    context: &Context,
    id: CommitId,
    source: Option<Source>,
) -> Result<(), CommandError> {
    let commit = context.repo.store().get_commit(&id).await?;
    let view = View::Commit(CommitView::new(id, &commit, source));
    context.output.answer(&view, |out| write_commit(out, id, &commit))
}

async fn show_tree(context: &Context, id: TreeId) -> Result<(), CommandError> {
    let tree: Tree = context.repo.store().get_tree(&id).await?;
    let entries = tree.entries().iter().map(|entry| EntryView {
        name: entry.name.to_string(),
        kind: entry.kind,
        id: entry.id.to_string(),
        size: entry.totals.size,
        files: entry.totals.files,
    });
    let totals = tree.totals();
    let view = View::Tree {
        tree: id.to_string(),
        size: totals.size,
        files: totals.files,
        entries: entries.collect(),
    };
    context.output.answer(&view, |out| {
        writeln!(out, "tree   {id}\nfiles  {}\nsize   {}\n", totals.files, totals.size)?;
        for entry in tree.entries() {
            writeln!(
                out,
                "{:<10} {} {:>12}  {}",
                entry.kind.as_str(),
                entry.id,
                entry.totals.size,
                entry.name
            )?;
        }
        Ok(())
    })
}

async fn show_blob(context: &Context, id: BlobId) -> Result<(), CommandError> {
    // Reading it all shows that it is whole.
    let mut size = 0;
    let mut stream = context.repo.store().stream_blob(&id).await?;
    while let Some(piece) = stream.next().await {
        size += piece?.len() as u64;
    }
    let view = View::Blob { blob: id.to_string(), size };
    context.output.answer(&view, |out| writeln!(out, "blob   {id}\nsize   {size}"))
}
