//! Where a part of an audit ends and the next one begins.

use std::fmt;
use std::str::FromStr;

use crate::env::Timestamp;
use crate::name::{NameError, RefName};

/// The entry to go on with, of which some may be told already.
///
/// It names the entry by ref and position, and its time, by which the place in every other log of
/// the book is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditCursor {
    pub(super) time: Timestamp,
    pub(super) seq: u64,
    /// How many changes of the entry are told.
    pub(super) told: usize,
    pub(super) name: RefName,
}

impl AuditCursor {
    pub(super) fn is_at(&self, other: &Self) -> bool {
        (self.time, self.seq, &self.name) == (other.time, other.seq, &other.name)
    }

    pub(super) fn having_told(self, told: usize) -> Self {
        Self { told, ..self }
    }
}

impl fmt::Display for AuditCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { time, seq, told, name } = self;
        write!(f, "{}.{seq}.{told}.{name}", time.as_micros())
    }
}

impl FromStr for AuditCursor {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let bad = || NameError::new("cursor", text, "a cursor is what an answer gave as such");
        let mut parts = text.splitn(4, '.');
        let mut part = || parts.next().ok_or_else(bad);
        let (time, seq, told, name) = (part()?, part()?, part()?, part()?);
        Ok(Self {
            time: Timestamp::from_micros(time.parse().map_err(|_| bad())?),
            seq: seq.parse().map_err(|_| bad())?,
            told: told.parse().map_err(|_| bad())?,
            name: RefName::parse(name).map_err(|_| bad())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_it_writes_and_nothing_else() {
        let name = RefName::parse("users/a.b").unwrap();
        let cursor = AuditCursor { time: Timestamp::from_micros(7), seq: 3, told: 1, name };
        assert_eq!(cursor.to_string(), "7.3.1.users/a.b");
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for bad in ["", "7.3.1", "x.3.1.main", "7.-3.1.main", "7.3.1.", "7.3.1.a b"] {
            assert!(bad.parse::<AuditCursor>().is_err(), "{bad}");
        }
    }
}
