//! Checkpoints: what all logs of a book were at one time, in a few lines that can be signed and kept
//! elsewhere.
//!
//! Whoever keeps a checkpoint out of reach of those who can write to the store can prove later that
//! every log still holds what it held then, whether or not entries are signed.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::{StreamExt, TryStreamExt};

use super::RefError;
use crate::error::ErrorKind;
use crate::name::{BookId, EntryId, Hash, NameError, RefName};
use crate::store::Store;

/// What the first line begins with; the book's name follows.
const ORIGIN: &str = "cas/";

/// How many logs are asked for their newest entry at once.
const READS: usize = 64;

/// What the newest entry of a log was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The ref.
    pub name: RefName,
    /// The position, which is also how many entries the log had.
    pub seq: u64,
    /// The entry's id, which by the chain stands for every entry before it.
    pub id: EntryId,
}

/// The newest entry of every log of a book, of deleted refs too.
///
/// Its text is that of a C2SP `tlog-checkpoint` (<https://c2sp.org/tlog-checkpoint>): the origin
/// `cas/<book>`, how many entries there are, a hash in base64, and a line `<ref> <seq> <id>` for
/// each ref in the order of their names. The hash is BLAKE3 over those lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    book: BookId,
    positions: Vec<Position>,
}

/// Why a text is no checkpoint.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// A line is missing, or not what it should be.
    #[error("line {line} of the checkpoint is wrong: {rule}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// A name or an id is none.
    #[error("line {line} of the checkpoint is wrong")]
    Name {
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        source: NameError,
    },
}

impl CheckpointError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl Checkpoint {
    /// What the logs of a book are now. Not at one instant: each log is asked by itself, and what
    /// is written meanwhile may be in or not.
    pub async fn take(store: &Store, book: &BookId) -> Result<Self, RefError> {
        let names = store.refs().names(book).await?;
        let heads = futures::stream::iter(names)
            .map(|name| async move {
                let head = store.refs().head(book, &name).await?;
                Ok::<_, RefError>(head.map(|head| Position {
                    name,
                    seq: head.entry.seq,
                    id: head.id,
                }))
            })
            .buffered(READS);
        let mut positions: Vec<_> =
            heads.try_filter_map(async |head| Ok(head)).try_collect().await?;
        positions.sort_unstable_by(|a: &Position, b| a.name.cmp(&b.name));
        Ok(Self { book: book.clone(), positions })
    }

    /// Reads the text form, of which nothing is true before its signature is verified.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.lines();
        let mut head = |line, rule| lines.next().ok_or(CheckpointError::Line { line, rule });
        let book = head(1, "it is empty")?.strip_prefix(ORIGIN);
        let origin = "its origin is cas/ and the name of a book";
        let book = book.ok_or(CheckpointError::Line { line: 1, rule: origin })?;
        let book =
            BookId::parse(book).map_err(|source| CheckpointError::Name { line: 1, source })?;
        let entries = head(2, "it says how many entries there are")?;
        let root = head(3, "it says a hash")?;
        let mut positions: Vec<Position> = Vec::new();
        for (nth, text) in lines.enumerate() {
            let position = position(nth + 4, text)?;
            if positions.last().is_some_and(|last| last.name >= position.name) {
                let rule = "refs stand in the order of their names, each once";
                return Err(CheckpointError::Line { line: nth + 4, rule });
            }
            positions.push(position);
        }
        let checkpoint = Self { book, positions };
        if checkpoint.entries().to_string() != entries {
            let rule = "it is not how many entries the lines below say that there are";
            return Err(CheckpointError::Line { line: 2, rule });
        }
        if checkpoint.root() != root {
            let rule = "it is not the hash of the lines below";
            return Err(CheckpointError::Line { line: 3, rule });
        }
        // `lines` forgives what ends a line: one checkpoint has one text, as it has one signature.
        if checkpoint.to_string() != text {
            let rule = "every line ends with a line feed, and with nothing else";
            return Err(CheckpointError::Line { line: 1, rule });
        }
        Ok(checkpoint)
    }

    /// The book.
    pub fn book(&self) -> &BookId {
        &self.book
    }

    /// Every log, in the order of names.
    pub fn positions(&self) -> &[Position] {
        &self.positions
    }

    /// What the log of a ref was; `None` if there was none.
    pub fn position(&self, name: &RefName) -> Option<&Position> {
        let at = self.positions.binary_search_by(|position| position.name.cmp(name)).ok()?;
        self.positions.get(at)
    }

    /// How many entries there were in all logs.
    pub fn entries(&self) -> u128 {
        self.positions.iter().map(|position| u128::from(position.seq)).sum()
    }

    /// The hash of all lines of refs, in base64.
    pub fn root(&self) -> String {
        STANDARD.encode(Hash::of(self.lines().as_bytes()).as_bytes())
    }

    fn lines(&self) -> String {
        let line = |Position { name, seq, id }: &Position| format!("{name} {seq} {id}\n");
        self.positions.iter().map(line).collect()
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { book, .. } = self;
        write!(f, "{ORIGIN}{book}\n{}\n{}\n{}", self.entries(), self.root(), self.lines())
    }
}

/// Reads the line of one ref.
fn position(line: usize, text: &str) -> Result<Position, CheckpointError> {
    let rule = "a ref has its name, a position and the id of an entry, with a space between them";
    let wrong = || CheckpointError::Line { line, rule };
    let mut parts = text.splitn(3, ' ');
    let mut part = || parts.next().ok_or_else(wrong);
    let (name, seq, id) = (part()?, part()?, part()?);
    let named = |source| CheckpointError::Name { line, source };
    let number: u64 = seq.parse().map_err(|_| wrong())?;
    if number == 0 || number.to_string() != seq {
        return Err(wrong());
    }
    Ok(Position {
        name: RefName::parse(name).map_err(named)?,
        seq: number,
        id: id.parse().map_err(named)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint() -> Checkpoint {
        let position = |name: &str, seq| {
            let name = RefName::parse(name).unwrap();
            Position { id: EntryId::of(name.as_str().as_bytes()), name, seq }
        };
        let positions = vec![position("main", 3), position("tags/v1", 1), position("users/Ada", 2)];
        Checkpoint { book: BookId::parse("guide").unwrap(), positions }
    }

    #[test]
    fn reads_back_what_it_writes() {
        let text = checkpoint().to_string();
        assert!(text.starts_with("cas/guide\n6\n") && text.ends_with('\n'), "{text}");
        assert_eq!(Checkpoint::parse(&text).unwrap(), checkpoint());
        let empty = Checkpoint { positions: Vec::new(), ..checkpoint() };
        assert_eq!(Checkpoint::parse(&empty.to_string()).unwrap(), empty);
        let name = RefName::parse("tags/v1").unwrap();
        assert_eq!(checkpoint().position(&name).unwrap().seq, 1);
        assert_eq!(checkpoint().position(&RefName::parse("x").unwrap()), None);
    }

    #[test]
    fn refuses_a_text_that_contradicts_itself() {
        let text = checkpoint().to_string();
        let lines: Vec<_> = text.lines().collect();
        let swapped = [&lines[..3], &[lines[4], lines[3], lines[5]]].concat().join("\n");
        for bad in [
            String::new(),
            text.replace("cas/", "cat/"),
            text.replace("cas/guide", "cas/Guide"),
            text.replacen("\n6\n", "\n7\n", 1),
            text.replacen("\n6\n", "\n06\n", 1),
            text.replace("main 3", "main 03"),
            text.replace("main 3", "main 4"),
            text.replace("main 3", "main"),
            text.replace("users/Ada 2", "users/Ada 0"),
            text.replace("users/Ada", "users/Bob"),
            lines[..5].join("\n"),
            swapped,
            text.replace('\n', "\r\n"),
            text.trim_end().to_owned(),
        ] {
            assert!(Checkpoint::parse(&bad).is_err(), "{bad}");
        }
    }
}
