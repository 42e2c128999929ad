//! `cas branch`

use cas_core::name::{BookId, RefName, Revision};
use cas_core::refs::{Expectation, LogEntry};
use cas_core::repo::{RepoError, Repository};
use clap::{Args, Subcommand};

use super::view::{EntryView, RefView, write_entry, write_refs};
use crate::args::RefArg;
use crate::context::Context;
use crate::error::CommandError;

/// List, create, delete and restore branches
///
/// A branch is a name that points at a version. Creating one writes one log entry and copies
/// nothing; deleting one keeps its log, so that it can be restored.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas branch create guide@users/ada        A reader's own branch, from main
  cas branch create guide@old --from guide@main~5
  cas branch list guide 'users/*'
  cas branch delete guide@old
  cas branch restore guide@old")]
pub(crate) struct Branch {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the branches of a book
    List {
        /// The book
        book: BookId,
        /// Only names that match: * stands for anything within a segment, ** across segments
        pattern: Option<String>,
    },
    /// Create a branch
    Create {
        /// The new branch
        #[arg(value_name = "BOOK@NEW")]
        name: RefArg,
        /// Where it begins (default: the book's main)
        #[arg(long, value_name = "REV")]
        from: Option<Revision>,
    },
    /// Delete a branch; its log stays
    Delete {
        /// The branch
        #[arg(value_name = "BOOK@REF")]
        name: RefArg,
    },
    /// Bring a deleted branch back to where it pointed last
    Restore {
        /// The branch
        #[arg(value_name = "BOOK@REF")]
        name: RefArg,
    },
}

impl Branch {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let (repo, output) = (&context.repo, context.output);
        let entry = match self.action {
            Action::List { book, pattern } => {
                let refs = repo.branches(&book, pattern.as_deref()).await?;
                let views: Vec<_> = refs.iter().map(RefView::new).collect();
                return output.answer(&views, |out| write_refs(out, &refs));
            }
            Action::Create { name: RefArg { book, name }, from } => {
                if name.is_tag() {
                    return Err(CommandError::Usage(format!(
                        "{name} is a tag: `cas tag create` makes one"
                    )));
                }
                let from = from.unwrap_or_else(|| Revision::head(book.clone(), RefName::main()));
                if from.book != book {
                    return Err(CommandError::Usage(format!(
                        "{from} is of another book than {book}@{name}"
                    )));
                }
                let commit = repo.resolve_id(&from).await?;
                let request = repo.ref_request(&book, &name, &format!("from {from}"));
                repo.create_ref(&request, commit).await?
            }
            Action::Delete { name: RefArg { book, name } } => {
                if name.is_tag() {
                    return Err(CommandError::Usage(format!(
                        "{name} is a tag: `cas tag delete` deletes one"
                    )));
                }
                delete(repo, &book, &name).await?
            }
            Action::Restore { name: RefArg { book, name } } => {
                let message = format!("restore {book}@{name}");
                repo.restore_branch(&repo.ref_request(&book, &name, &message)).await?
            }
        };
        output.answer(&EntryView::new(&entry), |out| write_entry(out, &entry))
    }
}

/// Deletes a ref that must be there.
pub(super) async fn delete(
    repo: &Repository,
    book: &BookId,
    name: &RefName,
) -> Result<LogEntry, CommandError> {
    let request = repo.ref_request(book, name, &format!("delete {book}@{name}"));
    let deleted = repo.delete_ref(&request, Expectation::Any).await?;
    if !deleted.existed {
        return Err(RepoError::Deleted { book: book.clone(), name: name.clone() }.into());
    }
    Ok(deleted.entry)
}
