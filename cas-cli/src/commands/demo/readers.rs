//! Two readers of the demo's book: one has a note of her own, the other changed nothing, and the
//! book is corrected.

use cas_core::ErrorKind;
use cas_core::name::{BookId, BookPath, RefName, Revision};
use cas_core::store::Location;

use super::{BOOK, Stage};
use crate::commands::Global;
use crate::context::Context;
use crate::error::CommandError;

/// The sentence of the book that is corrected, and what it becomes.
const BEFORE: &[u8] = b"A book that is still alive changes every week.";
const AFTER: &[u8] = b"A book that is alive changes every week.";
/// What the reader wrote.
const NOTE: &[u8] = b"Ada's note";

/// What a branch has.
struct Row {
    name: &'static str,
    follows: String,
    corrected: bool,
    note: bool,
}

impl Stage<'_> {
    /// The base moves, and both readers follow.
    pub(super) fn readers(&self) -> Result<(), CommandError> {
        self.title("The book is corrected, and its readers follow: their own edits stay")?;
        self.cas(&["branch", "create", "guide@users/bob"])?;
        let readme =
            BOOK.iter().find(|file| file.path == "README.md").map_or(&[][..], |file| file.content);
        let corrected = replaced(readme);
        std::fs::write("corrected.md", corrected)
            .map_err(CommandError::io("write corrected.md"))?;
        let seen = cas_core::name::BlobId::of(readme).to_string();
        let put = ["put", "guide", "README.md", "corrected.md", "--expect", &seen, "-m", "Correct"];
        self.cas(&put)?;
        self.cas(&["sync", "guide@users/*", "--dry-run"])?;
        self.cas(&["sync", "guide@users/*"])?;
        let rows = self.rows()?;
        self.say("\nbranch     follows  correction  own note")?;
        let yes = |has: bool| if has { "yes" } else { "-" };
        for Row { name, follows, corrected, note } in &rows {
            self.say(&format!("{name:<10} {follows:<8} {:<11} {}", yes(*corrected), yes(*note)))?;
        }
        if rows.iter().all(|row| row.corrected && row.note == (row.name == "users/ada")) {
            return Ok(());
        }
        let message = "a reader's book is not what it should be".to_owned();
        Err(CommandError::found(message, ErrorKind::Internal))
    }

    /// What each branch has, as its readers see it.
    fn rows(&self) -> Result<Vec<Row>, CommandError> {
        let mut global: Global = self.global.clone();
        global.store = Some(Location::Folder("store".into()).to_string());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(CommandError::io("start"))?;
        runtime.block_on(async {
            let context = Context::open(&global).await?;
            let mut rows = Vec::new();
            for name in ["main", "users/ada", "users/bob"] {
                rows.push(row(&context, name).await?);
            }
            context.close().await;
            Ok(rows)
        })
    }
}

async fn row(context: &Context, name: &'static str) -> Result<Row, CommandError> {
    let book = BookId::parse("guide")?;
    let branch = RefName::parse(name)?;
    let reading = context.repo.open(&Revision::head(book, branch)).await?;
    let (_, id, _) = reading.repo.file(reading.tree, &BookPath::parse("README.md")?).await?;
    let text = reading.repo.store().get_blob(&id).await?;
    let has = |part: &[u8]| text.windows(part.len()).any(|window| window == part);
    Ok(Row {
        name,
        follows: reading.upstream.map_or_else(|| "-".to_owned(), |to| to.name.to_string()),
        corrected: has(AFTER),
        note: has(NOTE),
    })
}

/// The text with the sentence corrected.
fn replaced(text: &[u8]) -> Vec<u8> {
    let Some(at) = text.windows(BEFORE.len()).position(|window| window == BEFORE) else {
        return text.to_vec();
    };
    [&text[..at], AFTER, &text[at + BEFORE.len()..]].concat()
}
