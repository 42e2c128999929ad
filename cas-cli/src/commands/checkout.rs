//! `cas checkout`

use std::path::PathBuf;

use cas_core::folder::{CheckoutOptions, CheckoutReport};
use cas_core::name::Revision;
use cas_core::repo::Source;
use clap::Args;
use serde::Serialize;

use crate::args::FolderArg;
use crate::context::Context;
use crate::error::CommandError;
use crate::output::{count, human_bytes};

/// Make a folder equal a version of a book
///
/// Only what differs is written, and what the version does not have is removed, as far as an
/// earlier checkout wrote it. Files that no checkout wrote, or that changed since, are never
/// overwritten or deleted without --force: if any stands in the way, all are listed and nothing
/// is touched. An interrupted checkout is gone on with by the next. The index of the folder is in
/// its subfolder `.cas`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas checkout guide ./docs                  The newest version
  cas checkout guide@main~1 ./docs           The one before
  cas checkout guide ./static --path static  One folder of it
  cas checkout guide ./docs --dry-run        Only see what would be done
  cas checkout guide ./export --no-index     Leave nothing but the book's files
  cas checkout guide ./build --link          Without room of its own, for reading only")]
pub(crate) struct Checkout {
    /// The version, e.g. guide or guide@draft~1: see `cas --help`
    #[arg(value_name = "REV")]
    revision: Revision,
    /// The folder; made if it does not exist
    dir: PathBuf,
    /// Only this folder of the book, whose content becomes the content of DIR
    #[arg(long, value_name = "SUBTREE", default_value = ".", hide_default_value = true)]
    path: FolderArg,
    /// Overwrite and delete what stands in the way
    #[arg(long)]
    force: bool,
    /// Only tell what would be done
    #[arg(long)]
    dry_run: bool,
    /// Leave no `.cas` folder behind; the next checkout then has to read what is there
    #[arg(long)]
    no_index: bool,
    /// Make files hard links to the store's own, read-only files in place of copies: never write to
    /// them, by no means
    ///
    /// Takes hardly any room, and each file is verified all the same. The folder has to be on the
    /// file system of a store that is a folder. Executable files and files that are there already
    /// are not linked. Whoever writes to a linked file writes to the store, which then finds it
    /// damaged.
    #[arg(long)]
    link: bool,
    /// Also list the files written and removed
    #[arg(long)]
    list: bool,
}

#[derive(Debug, Serialize)]
struct View {
    book: String,
    r#ref: Option<String>,
    commit: String,
    source: Source,
    tree: String,
    dry_run: bool,
    written: usize,
    removed: usize,
    kept: u64,
    bytes: u64,
    linked: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    written_paths: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    removed_paths: Option<Vec<String>>,
}

impl Checkout {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let version = context.reading(&self.revision).await?;
        let options = CheckoutOptions {
            path: self.path.0.clone(),
            force: self.force,
            dry_run: self.dry_run,
            index: !self.no_index,
            link: self.link,
            store_folder: context.location.as_folder().map(Into::into),
        };
        let report =
            version.repo.checkout(&version, &self.dir, &options, context.progress.clone()).await;
        context.progress.end();
        let report = report?;
        let list = self.list || self.dry_run;
        let view = View {
            book: version.book.to_string(),
            r#ref: version.name.as_ref().map(ToString::to_string),
            commit: report.commit.to_string(),
            source: version.source,
            tree: report.tree.to_string(),
            dry_run: self.dry_run,
            written: report.written.len(),
            removed: report.removed.len(),
            kept: report.kept,
            bytes: report.bytes,
            linked: report.linked,
            written_paths: list.then(|| report.written.clone()),
            removed_paths: list.then(|| report.removed.clone()),
        };
        context.output.answer(&view, |out| {
            let CheckoutReport { commit, written, removed, kept, bytes, linked, .. } = &report;
            if list {
                written.iter().try_for_each(|path| writeln!(out, "write  {path}"))?;
                removed.iter().try_for_each(|path| writeln!(out, "remove {path}"))?;
            }
            let (dir, commit) = (self.dir.display(), commit.short());
            let is = if self.dry_run { "would become" } else { "is now" };
            writeln!(out, "{dir} {is} {} at {commit}", self.revision)?;
            let (written, removed) = (count(written.len(), "file", "files"), removed.len());
            let linked = if *linked > 0 { format!(", {linked} linked") } else { String::new() };
            writeln!(
                out,
                "{written} written ({}{linked}), {removed} removed, {kept} kept",
                human_bytes(*bytes)
            )
        })
    }
}
