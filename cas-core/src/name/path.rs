//! Paths inside a book.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{EntryName, NameError};
use crate::limits;

/// A path inside a book: entry names joined by `/`; never absolute, never with `..`.
///
/// At most 4,096 bytes and 64 segments. The root is [`BookPath::root`], the only empty path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BookPath(String);

impl BookPath {
    const WHAT: &'static str = "path";

    /// Checks the rules of the type.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let fail = |rule: String| Err(NameError::new(Self::WHAT, text, rule));
        if text.is_empty() {
            return fail("a path is not empty".to_owned());
        }
        if text.starts_with('/') {
            return fail("a path is relative to the book's root: no / at its start".to_owned());
        }
        if text.len() > limits::PATH_BYTES {
            return fail("a path has at most 4096 bytes".to_owned());
        }
        if text.split('/').count() > limits::PATH_SEGMENTS {
            return fail("a path has at most 64 segments".to_owned());
        }
        for segment in text.split('/') {
            if let Err(error) = EntryName::parse(segment) {
                return fail(format!("{} (in segment {:?})", error.rule, error.shown));
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// The root of a book.
    pub const fn root() -> Self {
        Self(String::new())
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The path of the entry `name` in this directory.
    pub fn join(&self, name: &EntryName) -> Result<Self, NameError> {
        if self.is_root() {
            return Ok(Self(name.as_str().to_owned()));
        }
        let joined = format!("{}/{name}", self.0);
        if joined.len() > limits::PATH_BYTES {
            return Err(NameError::new(Self::WHAT, &joined, "a path has at most 4096 bytes"));
        }
        if self.segments().count() >= limits::PATH_SEGMENTS {
            return Err(NameError::new(Self::WHAT, &joined, "a path has at most 64 segments"));
        }
        Ok(Self(joined))
    }

    /// This path below `prefix`: `docs` and `a/b` give `docs/a/b`.
    pub fn below(&self, prefix: &Self) -> Result<Self, NameError> {
        match (prefix.is_root(), self.is_root()) {
            (true, _) => Ok(self.clone()),
            (_, true) => Ok(prefix.clone()),
            _ => Self::parse(&format!("{}/{}", prefix.0, self.0)),
        }
    }

    /// The directory that holds this path; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        match self.0.rfind('/') {
            Some(at) => Some(Self(self.0[..at].to_owned())),
            None if self.is_root() => None,
            None => Some(Self::root()),
        }
    }

    /// The last segment; `None` for the root.
    pub fn name(&self) -> Option<EntryName> {
        let last = self.0.rsplit('/').next().unwrap_or_default();
        EntryName::parse(last).ok()
    }

    /// The names from the root down.
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/').filter(|segment| !segment.is_empty())
    }

    /// Whether this path is `other` or lies below it.
    pub fn starts_with(&self, other: &Self) -> bool {
        other.is_root()
            || self
                .0
                .strip_prefix(other.as_str())
                .is_some_and(|r| r.is_empty() || r.starts_with('/'))
    }
}

super::actor::text_type! { BookPath }

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> BookPath {
        BookPath::parse(text).unwrap()
    }

    #[test]
    fn rejects_paths_that_leave_the_book_or_its_limits() {
        let deep = vec!["d"; 65].join("/");
        let long = vec!["x".repeat(200); 21].join("/");
        let bad = [
            "", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", "a\\b", "a\0", ".git/x", "x/.GIT/y",
            &deep, &long,
        ];
        for bad in bad {
            assert!(BookPath::parse(bad).is_err(), "{bad:?}");
        }
        assert!(BookPath::parse(&vec!["d"; 64].join("/")).is_ok());
    }

    #[test]
    fn joins_and_splits() {
        let docs = path("docs");
        let file = docs.join(&EntryName::parse("a.md").unwrap()).unwrap();
        assert_eq!(file.as_str(), "docs/a.md");
        assert_eq!(file.parent(), Some(docs.clone()));
        assert_eq!(docs.parent(), Some(BookPath::root()));
        assert_eq!(BookPath::root().parent(), None);
        assert_eq!(BookPath::root().name(), None);
        assert_eq!(file.name().unwrap().as_str(), "a.md");
        assert_eq!(file.segments().collect::<Vec<_>>(), ["docs", "a.md"]);
        assert_eq!(BookPath::root().segments().count(), 0);
    }

    #[test]
    fn starts_with_counts_whole_segments() {
        assert!(path("a/b").starts_with(&path("a")));
        assert!(path("a").starts_with(&path("a")));
        assert!(path("a").starts_with(&BookPath::root()));
        assert!(!path("ab").starts_with(&path("a")));
    }
}
