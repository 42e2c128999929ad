//! `cas status`

use std::path::PathBuf;

use cas_core::folder::{FolderState, FolderStatus, status};
use cas_core::repo::one_line;
use clap::Args;
use serde::Serialize;

use crate::commands::Global;
use crate::error::CommandError;
use crate::output::Output;

/// Show how a folder differs from what was checked out into it
///
/// Files that `.casignore` files leave out are not listed as untracked.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas status ./docs
  cas status ./docs --json | jq .clean")]
pub(crate) struct Status {
    /// The folder of a checkout
    dir: PathBuf,
}

#[derive(Debug, Serialize)]
struct View<'a> {
    book: &'a str,
    r#ref: Option<&'a str>,
    commit: &'a str,
    tree: &'a str,
    path: &'a str,
    interrupted: bool,
    clean: bool,
    items: Vec<Item<'a>>,
}

#[derive(Debug, Serialize)]
struct Item<'a> {
    path: &'a str,
    status: FolderState,
}

impl Status {
    pub(crate) fn run(self, global: &Global) -> Result<(), CommandError> {
        let found = status(&self.dir)?;
        let FolderStatus { book, name, commit, tree, path, interrupted, items } = &found;
        let view = View {
            book,
            r#ref: name.as_deref(),
            commit,
            tree,
            path,
            interrupted: *interrupted,
            clean: items.is_empty() && !interrupted,
            items: items.iter().map(|item| Item { path: &item.path, status: item.state }).collect(),
        };
        Output::new(global).answer(&view, |out| {
            let at = name.as_ref().map(|name| format!("@{name}")).unwrap_or_default();
            let below = if path.is_empty() { String::new() } else { format!(", folder {path}") };
            writeln!(out, "{book}{at} at {}{below}", &commit[..12.min(commit.len())])?;
            if *interrupted {
                writeln!(out, "a later checkout was interrupted: run it again")?;
            }
            if items.is_empty() {
                return writeln!(out, "nothing differs");
            }
            for item in items {
                let state = match item.state {
                    FolderState::Modified => "modified  ",
                    FolderState::Removed => "removed   ",
                    FolderState::Untracked => "untracked ",
                    FolderState::Unreadable => "unreadable",
                };
                writeln!(out, "{state}  {}", one_line(&item.path))?;
            }
            Ok(())
        })
    }
}
