//! Multipart uploads, with R2's rules for parts.

use std::collections::BTreeMap;

use bytes::Bytes;
use s3s::dto::CompletedPart;
use s3s::{S3Result, s3_error};

use super::bucket::tag_of;

/// The least size of every part but the last.
const MIN_PART_BYTES: usize = 5 * 1024 * 1024;

/// An upload that is neither completed nor aborted.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) key: String,
    parts: BTreeMap<i32, Bytes>,
}

impl Upload {
    pub(super) fn new(key: &str) -> Self {
        Self { key: key.to_owned(), parts: BTreeMap::new() }
    }

    /// Stores a part, over another of the same number, and gives its tag.
    pub(super) fn put(&mut self, number: i32, bytes: Bytes) -> S3Result<String> {
        if !(1..=10_000).contains(&number) {
            return Err(s3_error!(InvalidArgument, "part numbers are from 1 to 10000"));
        }
        let tag = tag_of(&bytes);
        self.parts.insert(number, bytes);
        Ok(tag)
    }

    /// The bytes of the object that `listed` parts make. All but the last have the same size, of
    /// at least 5 MiB, and the last is not larger.
    pub(super) fn assemble(&self, listed: &[CompletedPart]) -> S3Result<Bytes> {
        let mut parts: Vec<&[u8]> = Vec::new();
        let mut last_number = 0;
        for part in listed {
            let number = part.part_number.unwrap_or(0);
            if number <= last_number {
                return Err(s3_error!(InvalidPartOrder));
            }
            last_number = number;
            let tag = part.e_tag.as_ref().map(s3s::dto::ETag::value);
            match self.parts.get(&number) {
                Some(bytes) if tag == Some(tag_of(bytes).as_str()) => parts.push(bytes),
                _ => return Err(s3_error!(InvalidPart, "part {number} was not uploaded")),
            }
        }
        let Some((last, others)) = parts.split_last() else {
            return Err(s3_error!(MalformedXML, "an upload has at least one part"));
        };
        if let Some(first) = others.first() {
            if first.len() < MIN_PART_BYTES {
                return Err(s3_error!(EntityTooSmall, "a part is smaller than 5 MiB"));
            }
            if others.iter().any(|part| part.len() != first.len()) || last.len() > first.len() {
                let why = "all parts but the last must have the same size";
                return Err(s3_error!(InvalidPart, "{why}"));
            }
        }
        Ok(parts.concat().into())
    }
}
