//! Revisions: how people name a version of a book.

use std::fmt;
use std::str::FromStr;

use super::{BookId, HashPrefix, NameError, RefName};

/// `BOOK`, `BOOK@REF`, `BOOK@HEX`, each optionally with `#SEQ` (refs only) and `~N`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// The book.
    pub book: BookId,
    /// What is named in it.
    pub base: Base,
    /// The position in the ref's log, if not its head.
    pub seq: Option<u64>,
    /// How many commits back, along first parents.
    pub back: u64,
}

/// What a revision starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// A branch or tag.
    Ref(RefName),
    /// A commit, by the first digits of its id.
    Commit(HashPrefix),
}

impl Revision {
    const WHAT: &'static str = "revision";

    /// The head of a ref.
    pub fn head(book: BookId, name: RefName) -> Self {
        Self { book, base: Base::Ref(name), seq: None, back: 0 }
    }

    /// The ref, if this is the head of one: no older commit and no position of its log.
    pub fn head_ref(&self) -> Option<&RefName> {
        match &self.base {
            Base::Ref(name) if self.seq.is_none() && self.back == 0 => Some(name),
            Base::Ref(_) | Base::Commit(_) => None,
        }
    }

    /// Reads a revision; the ref defaults to `main`.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let fail = |rule: &str| NameError::new(Self::WHAT, text, rule);
        let (rest, back) = match text.split_once('~') {
            None => (text, 0),
            Some((rest, digits)) => (
                rest,
                number(digits).ok_or_else(|| {
                    fail("~ is followed by a number of commits, as in BOOK@REF~3")
                })?,
            ),
        };
        let (rest, seq) = match rest.split_once('#') {
            None => (rest, None),
            Some((rest, digits)) => {
                let seq = number(digits).filter(|seq| *seq > 0);
                (
                    rest,
                    Some(seq.ok_or_else(|| {
                        fail("# is followed by a log position from 1, as in BOOK@REF#12")
                    })?),
                )
            }
        };
        let (book, base) = match rest.split_once('@') {
            None => (BookId::parse(rest)?, Base::Ref(RefName::main())),
            Some((book, name)) if HashPrefix::looks_like(name) => {
                (BookId::parse(book)?, Base::Commit(HashPrefix::parse(name)?))
            }
            Some((book, name)) => (BookId::parse(book)?, Base::Ref(RefName::parse(name)?)),
        };
        if seq.is_some() && matches!(base, Base::Commit(_)) {
            return Err(fail("#SEQ is a position in a ref's log; a commit id has none"));
        }
        Ok(Self { book, base, seq, back })
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.base {
            Base::Ref(name) => write!(f, "{}@{name}", self.book)?,
            Base::Commit(prefix) => write!(f, "{}@{prefix}", self.book)?,
        }
        if let Some(seq) = self.seq {
            write!(f, "#{seq}")?;
        }
        if self.back > 0 {
            write!(f, "~{}", self.back)?;
        }
        Ok(())
    }
}

impl FromStr for Revision {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

/// Decimal digits only: no sign, no space.
fn number(digits: &str) -> Option<u64> {
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form_and_prints_it_back() {
        for (text, printed) in [
            ("book", "book@main"),
            ("book~2", "book@main~2"),
            ("book@users/a@b.c", "book@users/a@b.c"),
            ("book@main~3", "book@main~3"),
            ("book@main#7", "book@main#7"),
            ("book@main#7~1", "book@main#7~1"),
            ("book@deadbeef", "book@deadbeef"),
            ("book@deadbeef~1", "book@deadbeef~1"),
            ("book@tags/v1", "book@tags/v1"),
        ] {
            assert_eq!(Revision::parse(text).unwrap().to_string(), printed);
        }
        assert!(matches!(Revision::parse("book@deadbeef").unwrap().base, Base::Commit(_)));
        assert!(matches!(Revision::parse("book@deadbee").unwrap().base, Base::Ref(_)));
    }

    #[test]
    fn rejects_malformed_revisions() {
        for bad in [
            "",
            "@main",
            "book@",
            "book~",
            "book~x",
            "book~+1",
            "book#0",
            "book#",
            "book@deadbeef#1",
            "b~1~2",
            "B",
        ] {
            assert!(Revision::parse(bad).is_err(), "{bad:?}");
        }
    }
}
