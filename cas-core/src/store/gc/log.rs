//! The log of garbage collection in a bucket: written as a ref's log is.

use bytes::Bytes;

use super::{CondemnedList, GcEntry, GcEvent, ListState};
use crate::env::{Env, Timestamp};
use crate::limits;
use crate::name::{Actor, Hash, RequestId};
use crate::object::DecodeError;
use crate::store::{Bucket, Put, StoreError, layout};

/// How often a position is tried that a put left empty.
const ATTEMPTS: u32 = 8;

/// The log of garbage collection.
#[derive(Debug, Clone)]
pub(crate) struct GcLog {
    bucket: Bucket,
    env: Env,
}

/// What is to be done next.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) event: GcEvent,
    /// To which list; for a new one it is its own position.
    pub(crate) list: Option<u64>,
    pub(crate) actor: Actor,
    pub(crate) run: RequestId,
    pub(crate) deleted: u64,
    pub(crate) deleted_bytes: u64,
}

impl GcLog {
    pub(crate) const fn new(bucket: Bucket, env: Env) -> Self {
        Self { bucket, env }
    }

    /// The newest entry and its hash.
    pub(crate) async fn head(&self) -> Result<Option<(Hash, GcEntry)>, StoreError> {
        let Some(key) = self.bucket.newest_slot(&layout::GC_LOG.into()).await? else {
            return Ok(None);
        };
        let seq = layout::slot_seq(&key).filter(|seq| layout::gc_slot(*seq) == key);
        let Some(seq) = seq else {
            return Err(damaged(&key, DecodeError::Rule("it is none of the log's".to_owned())));
        };
        let gone = || damaged(&key, DecodeError::Rule("it is listed and not there".to_owned()));
        self.entry(seq).await?.ok_or_else(gone).map(Some)
    }

    /// The entry at a position.
    pub(crate) async fn entry(&self, seq: u64) -> Result<Option<(Hash, GcEntry)>, StoreError> {
        let key = layout::gc_slot(seq);
        let bytes = match self.bucket.read(&key, limits::GC_ENTRY_BYTES as u64).await? {
            None => return Ok(None),
            Some(Ok(bytes)) => bytes,
            Some(Err(len)) => {
                let len = usize::try_from(len).unwrap_or(usize::MAX);
                let source = DecodeError::TooLong { len, limit: limits::GC_ENTRY_BYTES };
                return Err(damaged(&key, source));
            }
        };
        let found = GcEntry::from_stored(&bytes).map_err(|source| damaged(&key, source))?;
        if found.1.seq != seq {
            let rule = format!("it belongs at position {}", found.1.seq);
            return Err(damaged(&key, DecodeError::Rule(rule)));
        }
        Ok(Some(found))
    }

    /// Writes the entry after `head` with these open lists. `None` if another came first: then
    /// everything is to be decided anew.
    pub(crate) async fn append(
        &self,
        head: Option<&(Hash, GcEntry)>,
        step: Step,
        open: impl FnOnce(u64) -> Vec<CondemnedList>,
    ) -> Result<Option<(Hash, GcEntry)>, StoreError> {
        let seq = head.map_or(1, |(_, head)| head.seq + 1);
        let Step { event, list, actor, run, deleted, deleted_bytes } = step;
        let entry = GcEntry {
            seq,
            previous: head.map(|(hash, _)| *hash),
            event,
            list: list.unwrap_or(seq),
            actor,
            time: self.env.clock.now(),
            run,
            deleted,
            deleted_bytes,
            open: open(seq),
        };
        let (hash, bytes) = entry.to_stored();
        if bytes.len() > limits::GC_ENTRY_BYTES {
            let rule = "too many lists are open: run `cas gc` until some are retired";
            return Err(damaged(&layout::gc_slot(seq), DecodeError::Rule(rule.to_owned())));
        }
        let bytes = Bytes::from(bytes);
        let mut last = None;
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                tokio::time::sleep(self.env.backoff(attempt + 3)).await;
            }
            let put = self.bucket.put_if_absent(&layout::gc_slot(seq), bytes.clone()).await;
            if matches!(put, Ok(Put::Created)) {
                return Ok(Some((hash, entry)));
            }
            last = put.err().or(last);
            // What the store says is never taken at its word: what is there decides.
            match self.entry(seq).await? {
                Some((found, _)) if found == hash => return Ok(Some((hash, entry))),
                Some(_) => return Ok(None),
                None => {}
            }
        }
        let refused =
            || DecodeError::Rule("the bucket refuses it although nothing is there".to_owned());
        Err(last.unwrap_or_else(|| damaged(&layout::gc_slot(seq), refused())))
    }

    /// Whether anything was ever deleted, or was about to be.
    pub(crate) async fn has_deleted(&self) -> Result<bool, StoreError> {
        let mut next = self.head().await?;
        while let Some((_, entry)) = next {
            if entry.deleted > 0 || matches!(entry.event, GcEvent::Deleting | GcEvent::Swept) {
                return Ok(true);
            }
            next = if entry.seq > 1 { self.entry(entry.seq - 1).await? } else { None };
        }
        Ok(false)
    }

    /// Until when, by the store's clock, what is on a list counts as written before the list; what
    /// was written then or later was put again since.
    ///
    /// What a list condemns was older than the grace period, and what a writer puts back is newer
    /// than the list: the middle between the two forgives stores whose clocks differ. What somebody
    /// alone deletes at once may have been written just before it.
    pub(crate) async fn listed_until(&self, list: u64) -> Result<Timestamp, StoreError> {
        let published = self.written_at(list).await?.as_micros();
        let at_once = match self.entry(list).await? {
            Some((_, entry)) => entry.event == GcEvent::Deleting,
            None => return Err(missing(list)),
        };
        let half = u64::try_from(limits::GRACE.as_micros()).unwrap_or(u64::MAX) / 2;
        let until = if at_once { published + 1 } else { published.saturating_sub(half) };
        Ok(Timestamp::from_micros(until))
    }

    /// When the store says that the entry at a position was written.
    pub(crate) async fn written_at(&self, seq: u64) -> Result<Timestamp, StoreError> {
        let found = self.bucket.look(&layout::gc_slot(seq)).await?;
        found.map(|found| found.modified).ok_or_else(|| missing(seq))
    }
}

impl GcEntry {
    /// The open list that is yet to be deleted, or half deleted.
    pub(crate) fn pending(&self) -> Option<&CondemnedList> {
        self.open.iter().find(|list| list.state != ListState::Deleted)
    }
}

/// The error for an entry that an open list names and that is not there.
fn missing(seq: u64) -> StoreError {
    damaged(&layout::gc_slot(seq), DecodeError::Rule("it is missing".to_owned()))
}

/// The error for an entry that is not what it should be.
pub(super) fn damaged(key: &object_store::path::Path, source: DecodeError) -> StoreError {
    StoreError::BadGcLog { key: key.to_string(), source }
}
