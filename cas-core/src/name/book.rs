//! Book names.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::entry::is_device_name;
use super::{HashPrefix, NameError};
use crate::limits;

/// The name of a book: 1 to 100 of `a-z 0-9 . _ -`, beginning with a letter or digit.
///
/// Lower case only, so that two books never meet on a disk that ignores case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BookId(String);

impl BookId {
    const WHAT: &'static str = "book name";

    /// Checks the rules of the type.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let fail = |rule: &str| Err(NameError::new(Self::WHAT, text, rule));
        if text.is_empty() || text.len() > limits::BOOK_BYTES {
            return fail("a book name has 1 to 100 characters");
        }
        let plain = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
        if !text.bytes().all(plain) {
            return fail("a book name has only the characters a-z 0-9 . _ -");
        }
        if !text.as_bytes()[0].is_ascii_alphanumeric() {
            return fail("a book name begins with a letter or digit");
        }
        if text.ends_with('.') || text.contains("..") {
            return fail("a book name has no two dots in a row and none at the end");
        }
        if HashPrefix::looks_like(text) {
            return fail("a book name of only 8 or more hex digits would be taken for an id");
        }
        if is_device_name(text) {
            return fail("the name is a device on Windows");
        }
        Ok(Self(text.to_owned()))
    }
}

super::actor::text_type! { BookId }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_plain_names() {
        for good in ["b", "rust-book", "book_1.2", "2024", &"x".repeat(100)] {
            assert!(BookId::parse(good).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn rejects_names_that_cannot_be_keys_or_look_like_ids() {
        let long = "x".repeat(101);
        let bad =
            ["", "Book", "-b", ".b", "b.", "a..b", "a/b", "a b", "é", "deadbeef", "con", &long];
        for bad in bad {
            assert!(BookId::parse(bad).is_err(), "{bad:?}");
        }
    }
}
