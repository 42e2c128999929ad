//! Arguments that are more than one name: `BOOK[@BRANCH]`, `BOOK@REF`, folders of a book; times.

use std::str::FromStr;
use std::time::Duration;

use cas_core::name::{BookId, BookPath, NameError, RefName};
use jiff::{Span, SpanRelativeTo, Unit};

/// `BOOK[@BRANCH]`; the branch defaults to `main`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BranchArg {
    pub(crate) book: BookId,
    pub(crate) branch: RefName,
}

/// `BOOK@REF`; the ref must be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RefArg {
    pub(crate) book: BookId,
    pub(crate) name: RefName,
}

/// `BOOK@NAME` of a tag, without its `tags/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TagArg {
    pub(crate) book: BookId,
    pub(crate) name: RefName,
}

/// A folder of a book: a path, perhaps with a `/` at its end; `.` or nothing for the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FolderArg(pub(crate) BookPath);

/// How long: `90s`, `1h 30m`, `90d`, `2w`. A day has 24 hours; months have no length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Time(pub(crate) Duration);

impl FromStr for BranchArg {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.split_once('@') {
            None => Ok(Self { book: BookId::parse(text)?, branch: RefName::main() }),
            Some((book, branch)) => {
                Ok(Self { book: BookId::parse(book)?, branch: RefName::parse(branch)? })
            }
        }
    }
}

impl FromStr for RefArg {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let Some((book, name)) = text.split_once('@') else {
            return Err(NameError::new("ref", text, "a ref is written BOOK@REF, as in guide@main"));
        };
        Ok(Self { book: BookId::parse(book)?, name: RefName::parse(name)? })
    }
}

impl FromStr for TagArg {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let Some((book, name)) = text.split_once('@') else {
            return Err(NameError::new("tag", text, "a tag is written BOOK@NAME, as in guide@v1"));
        };
        Ok(Self { book: BookId::parse(book)?, name: RefName::tag(name)? })
    }
}

impl FromStr for FolderArg {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.strip_suffix('/').filter(|rest| !rest.is_empty()).unwrap_or(text) {
            "" | "." => Ok(Self(BookPath::root())),
            path => Ok(Self(BookPath::parse(path)?)),
        }
    }
}

impl FromStr for Time {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let bad =
            || NameError::new("duration", text, "a duration is written as in 90s, 12h or 30d");
        let span: Span = text.parse().map_err(|_| bad())?;
        let whole = span.total((Unit::Millisecond, SpanRelativeTo::days_are_24_hours()));
        let seconds = whole.map_err(|_| bad())? / 1000.0;
        Duration::try_from_secs_f64(seconds).map(Self).map_err(|_| bad())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_durations() {
        for (text, seconds) in [("90s", 90), ("1h 30m", 5400), ("2d", 172_800), ("1w", 604_800)] {
            assert_eq!(text.parse::<Time>().unwrap().0.as_secs(), seconds, "{text}");
        }
        assert_eq!("50ms".parse::<Time>().unwrap().0.as_millis(), 50);
        for bad in ["", "5", "-5s", "1mo", "soon", "1y"] {
            assert!(bad.parse::<Time>().is_err(), "{bad}");
        }
    }

    #[test]
    fn reads_refs_and_folders() {
        let arg: BranchArg = "b@users/x@y".parse().unwrap();
        assert_eq!((arg.book.as_str(), arg.branch.as_str()), ("b", "users/x@y"));
        assert_eq!("b".parse::<BranchArg>().unwrap().branch, RefName::main());
        assert!("b".parse::<RefArg>().is_err());
        assert_eq!("b@v1".parse::<TagArg>().unwrap().name.as_str(), "tags/v1");
        assert!("b@tags/v1".parse::<TagArg>().is_err());
        assert_eq!("a/b/".parse::<FolderArg>().unwrap().0.as_str(), "a/b");
        assert!(".".parse::<FolderArg>().unwrap().0.is_root());
        assert!("/".parse::<FolderArg>().is_err());
    }
}
