//! Small string metadata of commits and ref log entries.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::DecodeError;
use crate::limits;
use crate::name::NameError;

/// String pairs, encoded as an array of `[key, value]` sorted by key, without duplicates.
///
/// Keys are 1 to 64 of `a-z 0-9 - .`; values at most 1,024 bytes; at most 64 pairs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Metadata(BTreeMap<String, String>);

impl Metadata {
    /// No metadata.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Adds or replaces a pair, checking the rules of the type.
    pub fn insert(&mut self, key: &str, value: &str) -> Result<(), NameError> {
        let plain = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
        if key.is_empty() || key.len() > limits::METADATA_KEY_BYTES || !key.bytes().all(plain) {
            let rule = "a metadata key has 1 to 64 of the characters a-z 0-9 - .";
            return Err(NameError::new("metadata key", key, rule));
        }
        if value.len() > limits::METADATA_VALUE_BYTES {
            return Err(NameError::new("metadata value", value, "a value has at most 1024 bytes"));
        }
        if self.0.len() >= limits::METADATA_PAIRS && !self.0.contains_key(key) {
            return Err(NameError::new("metadata key", key, "there are at most 64 metadata pairs"));
        }
        self.0.insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Takes `key` away, and gives what its value was.
    pub fn remove(&mut self, key: &str) -> Option<String> {
        self.0.remove(key)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The pairs in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    pub(crate) fn to_wire(&self) -> MetadataWire {
        MetadataWire(self.0.iter().map(|(k, v)| (k.clone(), v.clone())).collect())
    }
}

/// The encoded form of [`Metadata`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct MetadataWire(Vec<(String, String)>);

impl MetadataWire {
    pub(crate) fn check(self) -> Result<Metadata, DecodeError> {
        if !self.0.is_sorted_by(|a, b| a.0 < b.0) {
            return Err(DecodeError::Rule("metadata keys are not sorted and unique".to_owned()));
        }
        let mut metadata = Metadata::new();
        for (key, value) in &self.0 {
            metadata.insert(key, value)?;
        }
        Ok(metadata)
    }
}
