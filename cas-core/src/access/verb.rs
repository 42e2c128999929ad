//! What may be done: read, write, administer.

use std::fmt;
use std::str::FromStr;

use crate::name::NameError;

/// What a token allows, each verb with all before it: who may write may read, and who may
/// administer may do both. A change answers with what was there before it, so a right to write
/// without one to read could not be kept anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// See what is there, and every version of it.
    Read,
    /// Change files, create and move branches, create tags. Nothing that is ever gone for good:
    /// each change leaves the version before it.
    Write,
    /// What cannot be taken back: delete a tag, whose name is then spent for ever.
    Admin,
}

impl Verb {
    /// All verbs, each implying those before it.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Admin];

    const WHAT: &'static str = "verb";

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }

    /// The number that stands for it in an encoding.
    pub(super) const fn number(self) -> u64 {
        match self {
            Self::Read => 0,
            Self::Write => 1,
            Self::Admin => 2,
        }
    }

    /// The verb that `number` stands for.
    pub(super) fn from_number(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.number() == number)
    }

    /// Reads verbs with commas between them. The greatest is all that counts.
    pub(super) fn parse_list(text: &str) -> Result<Self, NameError> {
        let verbs: Result<Vec<Self>, _> = text.split(',').map(str::parse).collect();
        // A split has at least one part.
        Ok(verbs?.into_iter().max().unwrap_or(Self::Read))
    }

    /// This verb and all that it implies, with commas between them.
    pub(super) fn list(self) -> String {
        let implied = Self::ALL.into_iter().filter(|verb| *verb <= self);
        implied.map(Self::as_str).collect::<Vec<_>>().join(",")
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Verb {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::ALL
            .into_iter()
            .find(|verb| verb.as_str() == text)
            .ok_or_else(|| NameError::new(Self::WHAT, text, "a verb is read, write or admin"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_verb_implies_those_before_it() {
        assert_eq!(Verb::parse_list("read").unwrap().list(), "read");
        assert_eq!(Verb::parse_list("write").unwrap().list(), "read,write");
        assert_eq!(Verb::parse_list("admin,read").unwrap().list(), "read,write,admin");
        for bad in ["", "read,", "Read", "read write", "delete", ",read"] {
            assert!(Verb::parse_list(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn numbers_read_back() {
        for verb in Verb::ALL {
            assert_eq!(Verb::from_number(verb.number()), Some(verb));
        }
        assert_eq!(Verb::from_number(3), None);
    }
}
