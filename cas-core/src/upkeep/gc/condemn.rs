//! The first run: publishing what nothing reaches.

use std::pin::pin;

use bytes::Bytes;
use futures::StreamExt;
use object_store::path::Path as Key;

use super::super::UpkeepError;
use super::super::inventory::by_shard;
use super::super::records::SHARDS;
use super::{Run, later, step};
use crate::folder::Step;
use crate::limits;
use crate::name::Hash;
use crate::object::Kind;
use crate::repo::for_each;
use crate::store::gc::{CondemnedList, GcEvent, ListState, Part, RECORD_BYTES, record};
use crate::store::layout;

/// How many parts of a list are written at once. A store of ten million objects has parts of some
/// 1.3 MB.
const PARTS_AT_ONCE: usize = 16;

impl Run<'_> {
    /// Publishes a list of everything that nothing reaches and is old enough, if there is any.
    pub(super) async fn condemn(&mut self) -> Result<(), UpkeepError> {
        let parts = self.write_parts().await?;
        if parts.is_empty() {
            return Ok(());
        }
        self.report.next_due = Some(later(self.now, self.request.grace.duration()));
        if self.request.dry_run {
            return Ok(());
        }
        self.check_duration()?;
        let (bytes, open) = (self.report.condemned.bytes, self.open().to_vec());
        let (event, state) = (GcEvent::Condemned, ListState::Condemned);
        self.publish(event, state, parts, bytes, open).await.map(|_| ())
    }

    /// Writes the parts of a list of everything that nothing reaches and is old enough, and counts it
    /// as condemned.
    pub(super) async fn write_parts(&mut self) -> Result<Vec<Part>, UpkeepError> {
        let (mut parts, mut unwritten) = (Vec::new(), Vec::new());
        self.upkeep.progress.begin(Step::Collect, SHARDS as u64);
        let mut lists = pin!(self.upkeep.listed(by_shard()).await?);
        for shard in 0..=u8::MAX {
            let mut records: Vec<[u8; RECORD_BYTES]> = Vec::new();
            for kind in Kind::ALL {
                let Some(listed) = lists.next().await.transpose()? else { break };
                for stored in self.survey(listed)? {
                    self.report.condemned.add(stored.size);
                    records.push(record(kind, &stored.id));
                }
            }
            if !records.is_empty() {
                let bytes = Bytes::from(records.as_flattened().to_vec());
                let (count, hash) = (records.len() as u64, Hash::of(&bytes));
                parts.push(Part { shard, count, hash });
                unwritten.push((layout::gc_part(&self.id, shard), bytes));
            }
            if unwritten.len() == PARTS_AT_ONCE || shard == u8::MAX {
                self.put_parts(std::mem::take(&mut unwritten)).await?;
            }
            self.upkeep.progress.advance(1);
        }
        Ok(parts)
    }

    async fn put_parts(&self, parts: Vec<(Key, Bytes)>) -> Result<(), UpkeepError> {
        if self.request.dry_run {
            return Ok(());
        }
        let bucket = self.upkeep.bucket.clone();
        for_each(parts, self.upkeep.jobs, move |(key, bytes)| {
            let bucket = bucket.clone();
            async move { bucket.put(&key, bytes).await }
        })
        .await?;
        Ok(())
    }

    /// Publishes a list of what is condemned, besides those that stay open.
    pub(super) async fn publish(
        &mut self,
        event: GcEvent,
        state: ListState,
        parts: Vec<Part>,
        bytes: u64,
        mut open: Vec<CondemnedList>,
    ) -> Result<CondemnedList, UpkeepError> {
        let run = self.id.clone();
        let mut list = CondemnedList { seq: 0, state, run, bytes, parts };
        let step = step(event, None, &self.request.actor, &self.id);
        self.append(step, |seq| {
            list.seq = seq;
            open.push(list.clone());
            open
        })
        .await?;
        Ok(list)
    }

    /// Refuses a list that took so long that what came since marking began would not be marked when
    /// it is deleted.
    fn check_duration(&self) -> Result<(), UpkeepError> {
        limits::check_duration(self.began, self.upkeep.env.clock.now())
            .map_err(|hours| UpkeepError::SlowList { hours })
    }
}
