//! `cas branch`

mod create;
mod forget;
mod show;

use cas_core::name::{BookId, RefName};
use cas_core::refs::{Expectation, Follow, LogEntry};
use cas_core::repo::{Following, RepoError, Repository};
use clap::{Args, Subcommand};

use super::view::{EntryView, RefView, write_entry, write_refs, write_refs_long, write_upstream};
use crate::args::RefArg;
use crate::context::Context;
use crate::error::CommandError;

/// List, create, follow, delete, restore and forget branches
///
/// A branch is a name that points at a version. Creating one writes one log entry and copies
/// nothing; deleting one keeps its log, so that it can be restored. A branch may follow another, its
/// upstream.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas branch create guide@users/ada        A reader's own branch, from main
  cas branch create guide@old --from guide@main~5
  cas branch list -l guide 'users/*'       With what each follows
  cas branch follow guide@users/ada live   Shows what is new in its upstream right away
  cas branch show guide@users/ada          How it stands to its upstream
  cas branch delete guide@old
  cas branch restore guide@old
  cas branch forget guide@users/ada        For good: nothing of it is kept")]
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
        /// Also what each follows
        #[arg(short, long)]
        long: bool,
    },
    Create(create::Create),
    Show(show::Show),
    /// Change how a branch follows another, or which
    ///
    /// The branch stays where it points. Following another branch needs some history in common.
    #[command(after_help = "\
Examples:
  cas branch follow guide@users/ada live
  cas branch follow guide@users/ada pinned --upstream draft
  cas branch follow guide@users/ada none")]
    Follow {
        /// The branch
        #[arg(value_name = "BOOK@BRANCH")]
        name: RefArg,
        /// live: it shows what is new in its upstream; pinned: only when it is brought up to it;
        /// none: it follows nothing
        #[arg(value_name = "HOW", value_parser = parse_how)]
        how: How,
        /// The branch that it follows (default: the one that it follows now)
        #[arg(long, value_name = "REF")]
        upstream: Option<RefName>,
    },
    /// Delete a branch; its log stays
    Delete {
        /// The branch
        #[arg(value_name = "BOOK@REF")]
        name: RefArg,
    },
    Forget(forget::Forget),
    /// Bring a deleted branch back to where it pointed last
    Restore {
        /// The branch
        #[arg(value_name = "BOOK@REF")]
        name: RefArg,
    },
}

/// How to follow; nothing to follow nothing.
#[derive(Debug, Clone, Copy)]
struct How(Option<Follow>);

impl Branch {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let (repo, output) = (&context.repo, context.output);
        let entry = match self.action {
            Action::List { book, pattern, long } => {
                let refs = repo.branches(&book, pattern.as_deref()).await?;
                let views: Vec<_> = refs.iter().map(RefView::new).collect();
                return output.answer(&views, |out| {
                    if long { write_refs_long(out, &refs) } else { write_refs(out, &refs) }
                });
            }
            Action::Create(command) => return command.run(context).await,
            Action::Show(command) => return command.run(context).await,
            Action::Follow { name: RefArg { book, name }, how: How(follow), upstream } => {
                let following = match (follow, upstream) {
                    (Some(follow), upstream) => Some(Following { upstream, follow }),
                    (None, None) => None,
                    (None, Some(_)) => {
                        return Err(CommandError::Usage(
                            "what follows nothing has no upstream".to_owned(),
                        ));
                    }
                };
                let how = follow.map_or("none", Follow::as_str);
                let request = repo.ref_request(&book, &name, &format!("follow {how}"));
                let entry = repo.set_upstream(&request, following.as_ref()).await?;
                return output.answer(&EntryView::new(&entry), |out| {
                    write_entry(out, &entry)?;
                    write_upstream(out, &entry)
                });
            }
            Action::Delete { name: RefArg { book, name } } => {
                if name.is_tag() {
                    return Err(CommandError::Usage(format!(
                        "{name} is a tag: `cas tag delete` deletes one"
                    )));
                }
                delete(repo, &book, &name).await?
            }
            Action::Forget(command) => return command.run(context).await,
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

fn parse_how(text: &str) -> Result<How, String> {
    if text == "none" {
        return Ok(How(None));
    }
    let follow = parse_follow(text).map_err(|_| "one of live, pinned and none".to_owned())?;
    Ok(How(Some(follow)))
}

fn parse_follow(text: &str) -> Result<Follow, String> {
    Follow::parse(text).ok_or_else(|| "one of live and pinned".to_owned())
}
