//! The buckets, and reading and changing them as well or as badly as [`Behaviour`] says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use s3s::dto::{ETagCondition, Timestamp};
use s3s::{S3Result, s3_error};

use super::behaviour::{Behaviour, take};
use super::bucket::{Bucket, Condition, Object};
use super::list::{Page, Query, page};
use crate::loopback::half;

/// How long a racy server waits between its check and its write.
const RACE_WINDOW: Duration = Duration::from_millis(30);

/// How long a server whose lists are late does not list a key.
const LIST_DELAY: Duration = Duration::from_secs(2);

/// All buckets of a server. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Buckets {
    buckets: Arc<Mutex<BTreeMap<String, Bucket>>>,
    behaviour: Arc<Mutex<Behaviour>>,
}

impl Buckets {
    pub(super) fn new(behaviour: Arc<Mutex<Behaviour>>) -> Self {
        Self { buckets: Arc::default(), behaviour }
    }

    /// How the server behaves from now on.
    pub(super) fn behaviour(&self) -> MutexGuard<'_, Behaviour> {
        self.behaviour.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a bucket.
    pub(super) fn create(&self, name: &str) -> S3Result<()> {
        let mut buckets = self.lock();
        if buckets.contains_key(name) {
            return Err(s3_error!(BucketAlreadyOwnedByYou));
        }
        buckets.insert(name.to_owned(), Bucket::default());
        Ok(())
    }

    /// Does something with a bucket, alone.
    pub(super) fn with<T>(
        &self,
        name: &str,
        action: impl FnOnce(&mut Bucket) -> S3Result<T>,
    ) -> S3Result<T> {
        match self.lock().get_mut(name) {
            Some(bucket) => action(bucket),
            None => Err(s3_error!(NoSuchBucket)),
        }
    }

    /// The same as a change, which may be refused.
    pub(super) fn change<T>(
        &self,
        name: &str,
        action: impl FnOnce(&mut Bucket) -> S3Result<T>,
    ) -> S3Result<T> {
        if self.behaviour().refuse_writes {
            return Err(s3_error!(AccessDenied));
        }
        self.with(name, action)
    }

    /// Writes to `key` by `action` if the condition holds; checking and writing are one step.
    pub(super) async fn write<T>(
        &self,
        name: &str,
        key: &str,
        mut condition: Condition,
        action: impl FnOnce(&mut Bucket) -> S3Result<T>,
    ) -> S3Result<T> {
        let (time_per_key, racy, conflict) = {
            let mut behaviour = self.behaviour();
            let conflict = condition != Condition::None && take(&mut behaviour.conflicts);
            if behaviour.ignore_conditions {
                condition = Condition::None;
            }
            (behaviour.writes_per_key, behaviour.racy_conditions, conflict)
        };
        if let Some(time) = time_per_key {
            let may = self.change(name, |bucket| Ok(bucket.may_write(key, time)))?;
            if !may {
                let mut error = s3_error!(SlowDown, "reduce your rate of writes to this key");
                error.set_status_code(StatusCode::TOO_MANY_REQUESTS);
                return Err(error);
            }
        }
        if conflict {
            return Err(s3_error!(ConditionalRequestConflict));
        }
        if racy {
            self.change(name, |bucket| bucket.check(key, &condition))?;
            tokio::time::sleep(RACE_WINDOW).await;
            condition = Condition::None;
        }
        self.change(name, |bucket| {
            bucket.check(key, &condition)?;
            action(bucket)
        })
    }

    /// The object at `key`, if it is as wanted.
    pub(super) fn read(&self, name: &str, key: &str, wanted: &Wanted) -> S3Result<Object> {
        match self.with(name, |bucket| Ok(bucket.objects.get(key).cloned()))? {
            Some(object) => wanted.check(&object).map(|()| object),
            None if self.behaviour().hide_missing => Err(s3_error!(AccessDenied)),
            None => Err(s3_error!(NoSuchKey)),
        }
    }

    /// The bytes to give in answer to a get that is to be given `bytes`.
    pub(super) fn spoil(&self, bytes: Bytes) -> Bytes {
        // A range of one byte cannot be cut and stay a range.
        if bytes.len() < 2 {
            return bytes;
        }
        let mut behaviour = self.behaviour();
        if take(&mut behaviour.short_bodies) {
            return half(&bytes);
        }
        if take(&mut behaviour.wrong_bytes) {
            let mut wrong = bytes.to_vec();
            let middle = wrong.len() / 2;
            wrong[middle] ^= 1;
            return wrong.into();
        }
        bytes
    }

    /// A page of the list of a bucket, made an answer by `answer`.
    pub(super) fn list<T>(
        &self,
        name: &str,
        query: &Query<'_>,
        answer: impl FnOnce(&Page<'_>) -> T,
    ) -> S3Result<T> {
        let Behaviour {
            late_lists: late,
            reversed_lists: reversed,
            items_per_page,
            repeated_items,
            ..
        } = *self.behaviour();
        let max_items = query.max_items.min(items_per_page.unwrap_or(usize::MAX));
        let query = &Query { max_items, ..*query };
        let visible = |object: &Object| {
            !late || object.written.is_none_or(|written| written.elapsed() >= LIST_DELAY)
        };
        self.with(name, |bucket| {
            let mut page = page(&bucket.objects, query, reversed, visible);
            let again = query.resume.filter(|_| repeated_items);
            if let Some((key, object)) = again.and_then(|key| bucket.objects.get_key_value(key)) {
                page.objects.insert(0, (key, object));
            }
            Ok(answer(&page))
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Bucket>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The conditions on a read (RFC 9110, section 13).
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) tag: Option<ETagCondition>,
    pub(super) other_tag: Option<ETagCondition>,
    pub(super) changed_since: Option<Timestamp>,
    pub(super) unchanged_since: Option<Timestamp>,
}

impl Wanted {
    fn check(&self, object: &Object) -> S3Result<()> {
        let has = |condition: &ETagCondition| match condition {
            ETagCondition::Any => true,
            ETagCondition::ETag(tag) => tag.value() == object.tag,
        };
        // A condition on the tag takes the place of one on the time.
        let stale = match (&self.tag, &self.unchanged_since) {
            (Some(tag), _) => !has(tag),
            (None, Some(time)) => object.modified > *time,
            (None, None) => false,
        };
        if stale {
            return Err(s3_error!(PreconditionFailed));
        }
        let known = match (&self.other_tag, &self.changed_since) {
            (Some(tag), _) => has(tag),
            (None, Some(time)) => object.modified <= *time,
            (None, None) => false,
        };
        if known { Err(s3_error!(NotModified)) } else { Ok(()) }
    }
}
