//! What a bucket holds, in memory, and the conditions on changing it.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use s3s::dto::{ETag, ETagCondition, Timestamp};
use s3s::{S3Result, s3_error};
use tokio::time::Instant;

use super::upload::Upload;

/// An object as it is stored.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) bytes: Bytes,
    pub(super) tag: String,
    pub(super) modified: Timestamp,
    /// When a client wrote it; not set if it was put there behind the clients' backs.
    pub(super) written: Option<Instant>,
}

impl Object {
    pub(super) fn new(bytes: Bytes, written: Option<Instant>) -> Self {
        Self { tag: tag_of(&bytes), bytes, modified: now(), written }
    }
}

/// The objects and the unfinished uploads of a bucket.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    pub(super) objects: BTreeMap<String, Object>,
    pub(super) uploads: BTreeMap<String, Upload>,
    /// How many uploads were ever begun.
    begun: u64,
    /// When each key was last written to, or tried to be.
    attempts: BTreeMap<String, Instant>,
}

impl Bucket {
    /// Whether what is at `key` is as `condition` wants it.
    pub(super) fn check(&self, key: &str, condition: &Condition) -> S3Result<()> {
        match (condition, self.objects.get(key)) {
            (Condition::None, _) | (Condition::Absent, None) => Ok(()),
            (Condition::Tag(tag), Some(object)) if *tag == object.tag => Ok(()),
            (Condition::Tag(_), None) => Err(s3_error!(NoSuchKey)),
            (Condition::Absent | Condition::Tag(_), Some(_)) => {
                Err(s3_error!(PreconditionFailed, "a condition of the request does not hold"))
            }
        }
    }

    /// Stores `bytes` at `key` and gives their tag.
    pub(super) fn put(&mut self, key: &str, bytes: Bytes) -> String {
        let object = Object::new(bytes, Some(Instant::now()));
        let tag = object.tag.clone();
        self.objects.insert(key.to_owned(), object);
        tag
    }

    /// Notes a write of `key`, unless there was one within `time`: then it is false.
    pub(super) fn may_write(&mut self, key: &str, time: Duration) -> bool {
        let now = Instant::now();
        let soon = self.attempts.get(key).is_some_and(|last| now.duration_since(*last) < time);
        if !soon {
            self.attempts.insert(key.to_owned(), now);
        }
        !soon
    }

    /// Begins an upload to `key` and gives its id.
    pub(super) fn begin(&mut self, key: &str) -> String {
        self.begun += 1;
        let id = format!("upload-{}", self.begun);
        self.uploads.insert(id.clone(), Upload::new(key));
        id
    }

    /// The unfinished upload `id` to `key`.
    pub(super) fn upload(&mut self, id: &str, key: &str) -> S3Result<&mut Upload> {
        let upload = self.uploads.get_mut(id).filter(|upload| upload.key == key);
        upload.ok_or_else(|| s3_error!(NoSuchUpload))
    }
}

/// What a write wants to find at its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    /// Whatever is there.
    None,
    /// Nothing.
    Absent,
    /// An object of this tag.
    Tag(String),
}

impl Condition {
    /// The condition in the headers of a write.
    pub(super) fn of(
        if_match: Option<ETagCondition>,
        if_none_match: Option<ETagCondition>,
    ) -> S3Result<Self> {
        match (if_match, if_none_match) {
            (None, None) => Ok(Self::None),
            (None, Some(ETagCondition::Any)) => Ok(Self::Absent),
            (Some(ETagCondition::ETag(tag)), None) => Ok(Self::Tag(tag.into_value())),
            _ => Err(s3_error!(NotImplemented, "these conditions are not supported")),
        }
    }
}

/// The tag of `bytes`: not their MD5, as tags are opaque.
pub(super) fn tag_of(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex()[..32].to_owned()
}

/// A tag as an answer gives it.
pub(super) fn strong(tag: &str) -> ETag {
    ETag::Strong(tag.to_owned())
}

/// The wall clock in whole seconds, as HTTP shows when an object was last modified.
#[expect(clippy::disallowed_methods, reason = "an S3 server tells the time")]
fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (UNIX_EPOCH + Duration::from_secs(since_epoch.as_secs())).into()
}
