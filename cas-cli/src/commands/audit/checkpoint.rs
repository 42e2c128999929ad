//! `cas audit checkpoint`

use cas_core::name::BookId;
use cas_core::repo::RepoError;
use cas_core::sign::Note;
use clap::Args;
use serde::Serialize;

use crate::context::Context;
use crate::error::CommandError;

/// Print what all logs of a book are now, signed
///
/// A few lines, one for each branch and tag that ever was, as a C2SP signed note. Kept where nobody
/// who can write to the store can change it, it proves later that no log lost or changed an entry
/// that it held: `cas audit verify BOOK --checkpoint FILE`. It is signed with the key that
/// --signing-key or `CAS_SIGNING_KEY` names, which need not be the one that signs entries.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas --signing-key my.key audit checkpoint guide > guide.checkpoint")]
pub(super) struct Checkpoint {
    /// The book
    book: BookId,
}

#[derive(Debug, Serialize)]
struct View {
    book: String,
    entries: u64,
    root: String,
    refs: Vec<RefView>,
    signer: String,
    note: String,
}

#[derive(Debug, Serialize)]
struct RefView {
    r#ref: String,
    seq: u64,
    id: String,
}

impl Checkpoint {
    pub(super) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let book = self.book;
        let Some(key) = &context.signing_key else {
            return Err(CommandError::Usage(
                "a checkpoint is signed: say --signing-key FILE (`cas audit keygen` makes a key)"
                    .to_owned(),
            ));
        };
        let checkpoint = cas_core::refs::Checkpoint::take(context.repo.store(), &book).await?;
        if checkpoint.positions().is_empty() {
            return Err(RepoError::NoBook { book }.into());
        }
        let note = Note::sign(checkpoint.to_string(), key);
        let note = note.map_err(|source| CommandError::Note { file: book.to_string(), source })?;
        let refs = checkpoint.positions().iter().map(|position| RefView {
            r#ref: position.name.to_string(),
            seq: position.seq,
            id: position.id.to_string(),
        });
        let view = View {
            book: book.to_string(),
            entries: u64::try_from(checkpoint.entries()).unwrap_or(u64::MAX),
            root: checkpoint.root(),
            refs: refs.collect(),
            signer: key.verifier().to_string(),
            note: note.to_string(),
        };
        context.output.answer(&view, |out| write!(out, "{note}"))
    }
}
