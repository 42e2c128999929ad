//! Ref names: branches and tags.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::entry::is_device_name;
use super::{HashPrefix, NameError};
use crate::limits;

/// The name of a ref: segments joined by `/`, each of `A-Z a-z 0-9 . _ - + = @`.
///
/// `tags/…` are tags; every other name is a branch. Each segment begins with a letter, a digit
/// or `_`, and does not end with a dot. A name of only 8 or more hex digits is refused, because
/// `BOOK@deadbeef` means a commit id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RefName(String);

impl RefName {
    const WHAT: &'static str = "ref name";
    const TAGS: &'static str = "tags/";

    /// Checks the rules of the type.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let fail = |rule: &str| Err(NameError::new(Self::WHAT, text, rule));
        if text.is_empty() || text.len() > limits::REF_BYTES {
            return fail("a ref name has 1 to 200 characters");
        }
        let plain = |b: u8| {
            b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'+' | b'=' | b'@' | b'/')
        };
        if !text.bytes().all(plain) {
            return fail("a ref name has only the characters A-Z a-z 0-9 . _ - + = @ and /");
        }
        for segment in text.split('/') {
            let Some(first) = segment.bytes().next() else {
                return fail("a ref name has no empty segment, and no / at either end");
            };
            if !(first.is_ascii_alphanumeric() || first == b'_') {
                return fail("each segment of a ref name begins with a letter, a digit or _");
            }
            if segment.ends_with('.') || segment.contains("..") {
                return fail("a segment has no two dots in a row and none at the end");
            }
        }
        if text == "tags" {
            return fail("`tags` alone names no tag");
        }
        if HashPrefix::looks_like(text) {
            return fail("a ref name of only 8 or more hex digits would be taken for an id");
        }
        if is_device_name(text) {
            return fail("the name is a device on Windows");
        }
        let name = Self(text.to_owned());
        if name.escaped().len() > limits::REF_KEY_BYTES {
            return fail(
                "a ref name has at most 255 characters when / and capitals count three each",
            );
        }
        Ok(name)
    }

    /// The ref that a book has from its first version on: `main`.
    pub fn main() -> Self {
        Self("main".to_owned())
    }

    /// The tag called `name`, that is the ref `tags/<name>`.
    pub fn tag(name: &str) -> Result<Self, NameError> {
        if name.starts_with(Self::TAGS) {
            return Err(NameError::new("tag name", name, "a tag is named without its `tags/`"));
        }
        Self::parse(&format!("{}{name}", Self::TAGS))
    }

    /// Whether this is a tag, which never moves.
    pub fn is_tag(&self) -> bool {
        self.0.starts_with(Self::TAGS)
    }

    /// One path segment for the key: `/` and capitals as `%` and two lower-case hex digits.
    ///
    /// Names can so neither nest into one another nor meet on a disk that ignores case.
    pub fn escaped(&self) -> String {
        let mut escaped = String::with_capacity(self.0.len());
        for byte in self.0.bytes() {
            if byte == b'/' || byte.is_ascii_uppercase() {
                escaped.push_str(&format!("%{byte:02x}"));
            } else {
                escaped.push(char::from(byte));
            }
        }
        escaped
    }

    /// The name whose [`escaped`](Self::escaped) form is `segment`; `None` if there is none.
    pub fn from_escaped(segment: &str) -> Option<Self> {
        let mut text = String::with_capacity(segment.len());
        let mut rest = segment;
        while let Some(at) = rest.find('%') {
            text.push_str(&rest[..at]);
            let digits = rest.get(at + 1..at + 3)?;
            text.push(char::from(u8::from_str_radix(digits, 16).ok()?));
            rest = &rest[at + 3..];
        }
        text.push_str(rest);
        let name = Self::parse(&text).ok()?;
        (name.escaped() == segment).then_some(name)
    }
}

super::actor::text_type! { RefName }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_branches_tags_and_readers() {
        for good in [
            "main",
            "users/42",
            "users/Jane.Doe@example.com",
            "tags/v1.0",
            "a/b/c",
            "_x",
            "abcdef1",
        ] {
            assert!(RefName::parse(good).is_ok(), "{good:?}");
        }
        assert!(RefName::tag("v1").unwrap().is_tag());
        assert!(!RefName::main().is_tag());
    }

    #[test]
    fn rejects_names_that_nest_hide_or_look_like_ids() {
        let long = "x".repeat(201);
        let wide = "X".repeat(90);
        let bad = [
            "", "/a", "a/", "a//b", ".a", "a/.b", "-a", "a.", "a..b", "a b", "a~1", "a#2", "a%2f",
            "é", "deadbeef", "tags", "nul", &long, &wide,
        ];
        for bad in bad {
            assert!(RefName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn escapes_into_one_segment_without_capitals_and_back() {
        let name = RefName::parse("users/Ada").unwrap();
        assert_eq!(name.escaped(), "users%2f%41da");
        assert_eq!(RefName::from_escaped("users%2f%41da"), Some(name));
        for bad in ["users%2F%41da", "%61", "a%", "a%2", "a%zz", "users/x", "%"] {
            assert_eq!(RefName::from_escaped(bad), None, "{bad:?}");
        }
    }
}
