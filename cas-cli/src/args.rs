//! Arguments that are more than one name: `BOOK[@BRANCH]`, `BOOK@REF`, `BOOK[@PATTERN]`, folders of a
//! book; times.

use std::str::FromStr;
use std::time::Duration;

use cas_core::env::Timestamp;
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

/// `BOOK[@PATTERN]`: the refs of a book that a pattern matches, or all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RefsArg {
    pub(crate) book: BookId,
    pub(crate) pattern: Option<String>,
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

/// A point in time: as in `2026-01-31T12:00:00Z`, a day as in `2026-01-31` (its beginning, UTC), or
/// how long ago, as in `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    At(Timestamp),
    Ago(Duration),
}

impl Moment {
    /// The time that is meant, if it is `now`.
    pub(crate) fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(time) => time,
            Self::Ago(ago) => {
                let ago = u64::try_from(ago.as_micros()).unwrap_or(u64::MAX);
                Timestamp::from_micros(now.as_micros().saturating_sub(ago))
            }
        }
    }
}

impl FromStr for Moment {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if let Ok(Time(ago)) = text.parse() {
            return Ok(Self::Ago(ago));
        }
        let exact = text.parse::<jiff::Timestamp>();
        let time = exact.or_else(|_| format!("{text}T00:00:00Z").parse());
        let micros = time.ok().and_then(|time| u64::try_from(time.as_microsecond()).ok());
        let rule =
            "a time is written as in 2026-01-31T12:00:00Z, 2026-01-31, or 7d for how long ago";
        let micros = micros.ok_or_else(|| NameError::new("time", text, rule))?;
        Ok(Self::At(Timestamp::from_micros(micros)))
    }
}

impl FromStr for RefsArg {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (book, pattern) = match text.split_once('@') {
            Some((book, pattern)) => (book, Some(pattern.to_owned())),
            None => (text, None),
        };
        Ok(Self { book: BookId::parse(book)?, pattern })
    }
}

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
    fn reads_moments() {
        let now = Timestamp::from_micros(1_800_000_000_000_000);
        for (text, micros) in [
            ("1970-01-02", 86_400_000_000),
            ("1970-01-01T00:00:01.5Z", 1_500_000),
            ("1970-01-01T02:00:00+02:00", 0),
            ("1d", now.as_micros() - 86_400_000_000),
        ] {
            assert_eq!(text.parse::<Moment>().unwrap().at(now).as_micros(), micros, "{text}");
        }
        for bad in ["", "yesterday", "2026-13-01", "1969-12-31", "12:00"] {
            assert!(bad.parse::<Moment>().is_err(), "{bad}");
        }
    }

    #[test]
    fn reads_refs_and_folders() {
        let arg: BranchArg = "b@users/x@y".parse().unwrap();
        assert_eq!((arg.book.as_str(), arg.branch.as_str()), ("b", "users/x@y"));
        assert_eq!("b".parse::<BranchArg>().unwrap().branch, RefName::main());
        assert!("b".parse::<RefArg>().is_err());
        let arg: RefsArg = "b@users/*".parse().unwrap();
        assert_eq!((arg.book.as_str(), arg.pattern.as_deref()), ("b", Some("users/*")));
        assert_eq!("b@v1".parse::<TagArg>().unwrap().name.as_str(), "tags/v1");
        assert!("b@tags/v1".parse::<TagArg>().is_err());
        assert_eq!("a/b/".parse::<FolderArg>().unwrap().0.as_str(), "a/b");
        assert!(".".parse::<FolderArg>().unwrap().0.is_root());
        assert!("/".parse::<FolderArg>().is_err());
    }
}
