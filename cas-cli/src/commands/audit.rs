//! `cas audit`

mod checkpoint;
mod keygen;
mod list;
mod verify;

use cas_core::name::{BookId, RefName};
use cas_core::repo::Repository;
use clap::{Args, Subcommand};

use super::Global;
use crate::args::RefsArg;
use crate::context::Context;
use crate::error::CommandError;

/// Show who changed what, in all branches and tags, and prove that nobody changed the record
///
/// Every movement of every ref that matches, newest first: when, where, by what operation, by whom,
/// from which version to which, and why. With --path, each change of one file or folder. With
/// --actor, only what that one did. BOOK@REF#SEQ names the version since then to other commands.
///
/// Each entry names the one before it, so damage shows; whoever can write to the store can rewrite
/// all of them. Signatures (`--signing-key`) and checkpoints that are kept elsewhere show that too.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas audit                                   Everything, in all books
  cas audit guide --since 7d                  One book, its last week
  cas audit 'guide@users/*' --actor ada -n 20
  cas audit guide@main --path ch1/lesson.md   Each change of one file
  cas audit guide --op delete --json          A line of JSON for each
  cas audit keygen books.example.org --out books.key > books.pub
  cas --signing-key books.key import ./book guide
  cas audit verify guide --key books.pub      Is it all true, and all signed?
  cas --signing-key my.key audit checkpoint guide > guide.checkpoint
  cas audit verify guide --checkpoint guide.checkpoint --key my.pub")]
pub(crate) struct Audit {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    list: list::List,
}

#[derive(Debug, Subcommand)]
enum Action {
    Verify(verify::Verify),
    Checkpoint(checkpoint::Checkpoint),
    Keygen(keygen::Keygen),
}

impl Audit {
    /// Whether it is about no store.
    pub(super) const fn needs_no_store(&self) -> bool {
        matches!(self.action, Some(Action::Keygen(_)))
    }

    /// Runs what is about no store.
    pub(super) fn run_alone(self, global: &Global) -> Result<(), CommandError> {
        match self.action {
            Some(Action::Keygen(command)) => command.run(global),
            _ => Ok(()),
        }
    }

    pub(crate) async fn run(self, context: &Context) -> Result<(), CommandError> {
        if self.action.is_some() && !self.list.says_nothing() {
            let text = "say what to verify, or of what to make a checkpoint, behind that word";
            return Err(CommandError::Usage(text.to_owned()));
        }
        match self.action {
            None => self.list.run(context).await,
            Some(Action::Verify(command)) => command.run(context).await,
            Some(Action::Checkpoint(command)) => command.run(context).await,
            Some(Action::Keygen(_)) => Ok(()),
        }
    }
}

/// The refs that are meant, also deleted ones: those that match, or all of a book, or all there are.
async fn places(
    repo: &Repository,
    said: Option<&RefsArg>,
) -> Result<Vec<(BookId, RefName)>, CommandError> {
    let mut places = Vec::new();
    let Some(RefsArg { book, pattern }) = said else {
        for book in repo.store().refs().books().await? {
            let names = repo.store().refs().names(&book).await?;
            places.extend(names.into_iter().map(|name| (book.clone(), name)));
        }
        return Ok(places);
    };
    let names = repo.ref_names(book, pattern.as_deref()).await?;
    if let (true, Some(pattern)) = (names.is_empty(), pattern) {
        return Err(match RefName::parse(pattern) {
            Ok(name) => repo.missing_ref(book, &name).await.into(),
            Err(_) => CommandError::Usage(format!("no ref matches {book}@{pattern}")),
        });
    }
    places.extend(names.into_iter().map(|name| (book.clone(), name)));
    Ok(places)
}
