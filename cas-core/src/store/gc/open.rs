//! The open lists, as far as a process has read them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::log::damaged;
use super::{CondemnedList, GcEntry, GcLog, RECORD_BYTES, record};
use crate::env::Timestamp;
use crate::name::Hash;
use crate::object::{DecodeError, Kind};
use crate::store::{Bucket, StoreError, layout};

/// The records of one part.
type Records = Arc<Vec<[u8; RECORD_BYTES]>>;

/// The lists that were open when they were looked for.
#[derive(Debug)]
pub(crate) struct Open {
    bucket: Bucket,
    lists: Vec<OpenList>,
    /// The parts that were read, by list and shard.
    parts: Mutex<BTreeMap<(u64, u8), Records>>,
}

/// An open list, and until when what is on it counts as written before it ([`GcLog::listed_until`]).
#[derive(Debug)]
struct OpenList {
    list: CondemnedList,
    until: Timestamp,
}

impl Open {
    /// The lists that are open after `head`.
    pub(crate) async fn read(
        bucket: &Bucket,
        log: &GcLog,
        head: Option<&GcEntry>,
    ) -> Result<Self, StoreError> {
        let mut lists = Vec::new();
        for list in head.iter().flat_map(|head| &head.open) {
            let until = log.listed_until(list.seq).await?;
            lists.push(OpenList { list: list.clone(), until });
        }
        Ok(Self { bucket: bucket.clone(), lists, parts: Mutex::default() })
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.lists.is_empty()
    }

    /// Up to which time of the store an object counts as written before the list that it is on was
    /// published; `None` if it is on none. On several it is the newest that counts.
    pub(crate) async fn condemned(
        &self,
        kind: Kind,
        id: &Hash,
    ) -> Result<Option<Timestamp>, StoreError> {
        let wanted = record(kind, id);
        for OpenList { list, until } in self.lists.iter().rev() {
            let shard = id.as_bytes()[0];
            if self.part(list, shard).await?.binary_search(&wanted).is_ok() {
                return Ok(Some(*until));
            }
        }
        Ok(None)
    }

    /// The records of a list whose ids begin with this byte, sorted.
    async fn part(&self, list: &CondemnedList, shard: u8) -> Result<Records, StoreError> {
        let at = (list.seq, shard);
        let known = || self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known().get(&at).cloned();
        if let Some(part) = found {
            return Ok(part);
        }
        let part = Arc::new(read_part(&self.bucket, list, shard).await?);
        Ok(known().entry(at).or_insert(part).clone())
    }
}

/// The records of a list whose ids begin with this byte, sorted.
pub(crate) async fn read_part(
    bucket: &Bucket,
    list: &CondemnedList,
    shard: u8,
) -> Result<Vec<[u8; RECORD_BYTES]>, StoreError> {
    let Ok(at) = list.parts.binary_search_by_key(&shard, |part| part.shard) else {
        return Ok(Vec::new());
    };
    let part = &list.parts[at];
    let key = layout::gc_part(&list.run, shard);
    let bytes = match bucket.read(&key, u64::MAX).await? {
        Some(Ok(bytes)) if Hash::of(&bytes) == part.hash => bytes,
        Some(_) => {
            let rule = "it is not the part of the list that its entry names".to_owned();
            return Err(damaged(&key, DecodeError::Rule(rule)));
        }
        None => return Err(damaged(&key, DecodeError::Rule("it is missing".to_owned()))),
    };
    records(&bytes, part.count).map_err(|error| damaged(&key, error))
}

/// The records of a part that is to have `count` of them.
pub(crate) fn records(bytes: &[u8], count: u64) -> Result<Vec<[u8; RECORD_BYTES]>, DecodeError> {
    let (records, rest) = bytes.as_chunks::<RECORD_BYTES>();
    if !rest.is_empty() || records.len() as u64 != count {
        let rule = "it has not as many records as its entry says".to_owned();
        return Err(DecodeError::Rule(rule));
    }
    Ok(records.to_vec())
}
