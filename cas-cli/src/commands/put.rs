//! `cas put`

use std::path::PathBuf;

use cas_core::name::{BookPath, HashPrefix, Operation};
use cas_core::repo::{Content, Edit, PathEdit, Precondition, VersionRequest};
use clap::Args;

use super::view::{EditView, warn_of, write_edits};
use crate::args::BranchArg;
use crate::context::Context;
use crate::error::CommandError;

/// Write one file of a book
///
/// Say what you believe to be there: nothing (--create), or a file with this id (--expect). If
/// something else is there nothing is written, the exit code is 3, and the error names the id
/// that is there now. Changes of other files meanwhile do no harm.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas put guide ch1/new.md draft.md --create
  cas put guide ch1/old.md draft.md --expect 7a61b36e -m 'Fix a typo'
  generate | cas put guide ch1/table.md - --create")]
#[command(group(clap::ArgGroup::new("believed").required(true).args(["create", "expect"])))]
pub(crate) struct Put {
    /// The book, and the branch if it is not main
    #[arg(value_name = "BOOK[@BRANCH]")]
    target: BranchArg,
    /// Where the file goes in the book
    path: BookPath,
    /// The file to read (default: -, standard input)
    #[arg(default_value = "-", hide_default_value = true)]
    file: PathBuf,
    /// Nothing is at PATH
    #[arg(long)]
    create: bool,
    /// The file at PATH has this id, or one beginning with these 8 or more digits
    #[arg(long, value_name = "ID")]
    expect: Option<HashPrefix>,
    /// Why: the message of the commit
    #[arg(short, long, value_name = "MSG")]
    message: Option<String>,
}

impl Put {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let Self { target, path, file, create: _, expect, message } = self;
        let content = read(&file)?;
        let request = VersionRequest {
            book: target.book.clone(),
            branch: target.branch.clone(),
            message: message.unwrap_or_else(|| format!("put {path}")),
            request_id: context.request_id(),
        };
        let precondition = expect.map_or(Precondition::Absent, Precondition::Is);
        let edits = [PathEdit { path, edit: Edit::Put(content), precondition }];
        let report = context.repo.edit(&request, Operation::put(), &edits).await?;
        warn_of(context.output, &target, &report.warnings);
        context
            .output
            .answer(&EditView::new(&target, &report), |out| write_edits(out, &target, &report))
    }
}

fn read(file: &std::path::Path) -> Result<Content, CommandError> {
    if file.as_os_str() == "-" {
        return Ok(Content::read(&mut std::io::stdin().lock(), "standard input")?);
    }
    let name = file.display().to_string();
    let mut opened = std::fs::File::open(file).map_err(CommandError::io(format!("open {name}")))?;
    Ok(Content::read(&mut opened, &name)?)
}
