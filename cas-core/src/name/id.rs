//! Ids: BLAKE3-256 hashes, typed by what they name so that no tree id is taken for a blob's.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::NameError;
use crate::limits;

/// A BLAKE3-256 hash: 32 bytes in CBOR, 64 lower-case hex digits as text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// The hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// The hash with exactly these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The raw 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// 64 lower-case hex digits.
    pub fn to_hex(self) -> String {
        blake3::Hash::from_bytes(self.0).to_hex().to_string()
    }

    /// Reads 64 lower-case hex digits.
    pub fn parse(what: &'static str, text: &str) -> Result<Self, NameError> {
        let fail = |rule: &str| Err(NameError::new(what, text, rule));
        if text.len() != 64 {
            return fail("an id is exactly 64 hex digits");
        }
        if !text.bytes().all(is_lower_hex) {
            return fail("an id is written in the digits 0-9 and a-f, lower case");
        }
        match blake3::Hash::from_hex(text) {
            Ok(hash) => Ok(Self(*hash.as_bytes())),
            Err(_) => fail("an id is exactly 64 hex digits"),
        }
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.to_hex())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex()[..12])
    }
}

/// Hex for people, bytes for CBOR.
impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(&self.to_hex())
        } else {
            serializer.serialize_bytes(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Hash;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("32 bytes")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Hash, E> {
                let bytes = bytes.try_into().map_err(|_| E::invalid_length(bytes.len(), &self))?;
                Ok(Hash(bytes))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Hash, E> {
                Hash::parse("id", text).map_err(E::custom)
            }
        }

        if deserializer.is_human_readable() {
            deserializer.deserialize_str(Visitor)
        } else {
            deserializer.deserialize_bytes(Visitor)
        }
    }
}

/// The first digits of an id: at least [`limits::PREFIX_DIGITS`], at most all 64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashPrefix(String);

impl HashPrefix {
    /// Whether `text` looks like the beginning of an id: 8 to 64 lower-case hex digits.
    pub fn looks_like(text: &str) -> bool {
        (limits::PREFIX_DIGITS..=64).contains(&text.len()) && text.bytes().all(is_lower_hex)
    }

    /// Reads 8 to 64 lower-case hex digits.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if Self::looks_like(text) {
            Ok(Self(text.to_owned()))
        } else {
            let rule = "an id, or its first 8 or more digits, in 0-9 and a-f, lower case";
            Err(NameError::new("id", text, rule))
        }
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `hash` begins with these digits.
    pub fn matches(&self, hash: &Hash) -> bool {
        hash.to_hex().starts_with(&self.0)
    }
}

impl fmt::Display for HashPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for HashPrefix {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

fn is_lower_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub super::id::Hash);

        impl $name {
            /// The id of `bytes`.
            pub fn of(bytes: &[u8]) -> Self {
                Self(super::id::Hash::of(bytes))
            }

            /// The hash.
            pub const fn hash(&self) -> &super::id::Hash {
                &self.0
            }

            /// The first twelve digits, for people.
            pub fn short(&self) -> String {
                self.0.to_hex()[..12].to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($what, ":{:?}"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                super::id::Hash::parse(concat!($what, " id"), text).map(Self)
            }
        }
    };
}

id_type!(
    /// The id of a blob: what `b3sum` prints for the file.
    BlobId,
    "blob"
);
id_type!(
    /// The id of a tree: the hash of its encoding.
    TreeId,
    "tree"
);
id_type!(
    /// The id of a commit: the hash of its encoding.
    CommitId,
    "commit"
);
id_type!(
    /// The id of a ref log entry: the hash of its encoding.
    EntryId,
    "entry"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blob_id_is_what_b3sum_prints() {
        let id = BlobId::of(b"");
        assert_eq!(
            id.to_string(),
            "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
        );
        assert_eq!(id.to_string().parse::<BlobId>().unwrap(), id);
    }

    #[test]
    fn rejects_ids_that_are_short_long_upper_case_or_not_hex() {
        let good = BlobId::of(b"x").to_string();
        for bad in [&good[..63], &format!("{good}0"), &good.to_uppercase(), "", &"g".repeat(64)] {
            let error = bad.parse::<BlobId>().unwrap_err();
            assert_eq!(error.what, "blob id");
        }
    }

    #[test]
    fn prefix_needs_eight_digits() {
        assert!(HashPrefix::parse("abcdef0").is_err());
        assert!(HashPrefix::parse("ABCDEF01").is_err());
        assert!(HashPrefix::parse(&"a".repeat(65)).is_err());
        let id = BlobId::of(b"x");
        let prefix = HashPrefix::parse(&id.to_string()[..8]).unwrap();
        assert!(prefix.matches(id.hash()));
        assert!(!prefix.matches(BlobId::of(b"y").hash()));
    }
}
