//! Who did what, by which request: the three attributions of every ref movement.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::NameError;
use super::entry::is_ignorable;
use crate::limits;

/// Who did it: a person, an agent or a build. Never empty, never `system`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Actor(String);

impl Actor {
    const WHAT: &'static str = "actor";

    /// Checks the rules: 1 to 255 bytes, no control characters, no space at either end, and not
    /// `system`, because a change that nobody stands behind is not attributed.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let fail = |rule: &str| Err(NameError::new(Self::WHAT, text, rule));
        if text.is_empty() || text.len() > limits::ACTOR_BYTES {
            return fail("an actor has 1 to 255 bytes");
        }
        if text.chars().any(|c| c.is_control() || is_ignorable(c)) {
            return fail("an actor has no control characters and none that cannot be seen");
        }
        if text.trim() != text {
            return fail("an actor does not begin or end with white space");
        }
        if text.eq_ignore_ascii_case("system") {
            return fail("every change has somebody behind it; `system` is nobody");
        }
        Ok(Self(text.to_owned()))
    }
}

/// What was done to a ref: 1 to 32 lower-case letters and hyphens, e.g. `import`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Operation(String);

impl Operation {
    const WHAT: &'static str = "operation";

    /// Checks the rules: 1 to 32 of `a-z` and `-`, beginning with a letter.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let letters = text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'-'));
        if text.is_empty()
            || text.len() > limits::OPERATION_BYTES
            || !letters
            || text.starts_with('-')
        {
            let rule =
                "an operation has 1 to 32 of the characters a-z and -, beginning with a letter";
            return Err(NameError::new(Self::WHAT, text, rule));
        }
        Ok(Self(text.to_owned()))
    }
}

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        impl Operation {
            $($(#[$doc])*
            pub fn $name() -> Self {
                Self($text.to_owned())
            })*
        }
    };
}

operations! {
    /// A folder was imported.
    import = "import";
    /// A file was written.
    put = "put";
    /// Files were removed.
    remove = "remove";
    /// Files were changed in several ways at once.
    edit = "edit";
    /// A file or folder was moved.
    rename = "move";
    /// Files were made what they are elsewhere, as upstream.
    revert = "revert";
    /// A ref was created.
    create = "create";
    /// A branch was deleted.
    delete = "delete";
    /// A branch was deleted, and what its log names is kept no more.
    forget = "forget";
    /// A deleted branch was brought back.
    restore = "restore";
    /// A branch was pointed elsewhere.
    reset = "reset";
    /// What a branch follows was changed.
    follow = "follow";
    /// A branch was brought up to another one by merging.
    merge = "merge";
    /// A branch was brought up to its upstream.
    sync = "sync";
}

/// Names one wish to change a ref, so that a repeated wish is known for the same one.
///
/// Two ids are equal if their texts are. Besides its text an id knows whether it is
/// [fresh](Self::is_fresh): made up a moment ago, so that no log can hold it and none need be
/// searched for it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RequestId {
    text: String,
    fresh: bool,
}

impl RequestId {
    const WHAT: &'static str = "request id";

    /// Checks the rules: 1 to 64 of `A-Z a-z 0-9 - _`. The id may have been used before.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if text.is_empty() || text.len() > limits::REQUEST_ID_BYTES || !plain {
            let rule = "a request id has 1 to 64 of the characters A-Z a-z 0-9 - _";
            return Err(NameError::new(Self::WHAT, text, rule));
        }
        Ok(Self { text: text.to_owned(), fresh: false })
    }

    /// The fresh request id of sixteen random bytes: 32 hex digits.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self { text: format!("{:032x}", u128::from_be_bytes(bytes)), fresh: true }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it was made up for this very wish, so that no earlier try can have used it.
    pub const fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// The same id, of which whoever made it up says that no earlier try can have used it.
    #[must_use]
    pub fn into_fresh(self) -> Self {
        Self { fresh: true, ..self }
    }

    /// The same id for trying again what may have been done already.
    #[must_use]
    pub fn to_repeat(&self) -> Self {
        Self { text: self.text.clone(), fresh: false }
    }
}

impl PartialEq for RequestId {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for RequestId {}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl FromStr for RequestId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for RequestId {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text)
    }
}

impl From<RequestId> for String {
    fn from(id: RequestId) -> Self {
        id.text
    }
}

macro_rules! text_type {
    ($($name:ident)*) => {$(
        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    )*};
}

text_type! { Actor Operation }
pub(super) use text_type;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invariant_attributed_no_actor_is_empty_or_system() {
        for bad in [
            "",
            "system",
            "System",
            " ada",
            "ada ",
            "a\nb",
            "\u{200b}",
            "system\u{200b}",
            &"x".repeat(256),
        ] {
            assert!(Actor::parse(bad).is_err(), "{bad:?}");
        }
        assert!(Actor::parse("Ada Lovelace <ada@example.com>").is_ok());
    }

    #[test]
    fn request_ids_and_operations_are_plain() {
        assert_eq!(RequestId::from_bytes([0xab; 16]).as_str(), "ab".repeat(16));
        for bad in ["", "a b", "é", &"x".repeat(65)] {
            assert!(RequestId::parse(bad).is_err(), "{bad:?}");
        }
        for bad in ["", "-x", "Put", "a1", &"x".repeat(33)] {
            assert!(Operation::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(Operation::rename().as_str(), "move");
    }
}
