//! `cas tag`

use cas_core::name::{BookId, Revision};
use clap::{Args, Subcommand};

use super::branch::delete;
use super::view::{EntryView, RefView, write_entry, write_refs};
use crate::args::TagArg;
use crate::context::Context;
use crate::error::CommandError;

/// List, create and delete tags
///
/// A tag is a name for one version, for ever: it never moves, and once deleted its name is never
/// used again. The tag NAME is the ref tags/NAME.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas tag create guide@v1 guide            Name the newest version
  cas checkout guide@tags/v1 ./docs
  cas tag list guide")]
pub(crate) struct Tag {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the tags of a book
    List {
        /// The book
        book: BookId,
    },
    /// Name a version
    Create {
        /// The new tag
        #[arg(value_name = "BOOK@NAME")]
        name: TagArg,
        /// The version, e.g. guide or guide@draft~1: see `cas --help`
        #[arg(value_name = "REV")]
        revision: Revision,
    },
    /// Delete a tag, for ever
    Delete {
        /// The tag
        #[arg(value_name = "BOOK@NAME")]
        name: TagArg,
    },
}

impl Tag {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let (repo, output) = (&context.repo, context.output);
        let entry = match self.action {
            Action::List { book } => {
                let refs = repo.tags(&book).await?;
                let views: Vec<_> = refs.iter().map(RefView::new).collect();
                return output.answer(&views, |out| write_refs(out, &refs));
            }
            Action::Create { name: TagArg { book, name }, revision } => {
                if revision.book != book {
                    return Err(CommandError::Usage(format!(
                        "{revision} is of another book than {book}@{name}"
                    )));
                }
                let version = repo.resolve(&revision).await?;
                let request = repo.ref_request(&book, &name, &format!("from {revision}"));
                repo.create_ref(&request, version.id).await?
            }
            Action::Delete { name: TagArg { book, name } } => delete(repo, &book, &name).await?,
        };
        output.answer(&EntryView::new(&entry), |out| write_entry(out, &entry))
    }
}
