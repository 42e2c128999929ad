//! The first run: publishing what nothing reaches.

use std::pin::pin;

use bytes::Bytes;
use futures::StreamExt;

use super::super::UpkeepError;
use super::super::inventory::by_shard;
use super::super::records::SHARDS;
use super::{Run, later, step};
use crate::folder::Step;
use crate::limits;
use crate::name::Hash;
use crate::object::Kind;
use crate::store::gc::{CondemnedList, GcEvent, ListState, Part, RECORD_BYTES, record};
use crate::store::layout;

impl Run<'_> {
    /// Publishes a list of everything that nothing reaches and is old enough, if there is any.
    pub(super) async fn condemn(&mut self) -> Result<(), UpkeepError> {
        let mut parts = Vec::new();
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
                if !self.request.dry_run {
                    self.upkeep.bucket.put(&layout::gc_part(&self.id, shard), bytes).await?;
                }
            }
            self.upkeep.progress.advance(1);
        }
        if parts.is_empty() {
            return Ok(());
        }
        self.report.next_due = Some(later(self.now, self.request.grace.duration()));
        if self.request.dry_run {
            return Ok(());
        }
        self.check_duration()?;
        let (run, bytes) = (self.id.clone(), self.report.condemned.bytes);
        let mut open = self.open().to_vec();
        let step = step(GcEvent::Condemned, None, &self.request.actor, &self.id);
        self.append(step, |seq| {
            open.push(CondemnedList { seq, state: ListState::Condemned, run, bytes, parts });
            open
        })
        .await
    }

    /// Refuses a list that took so long that what came since marking began would not be marked when
    /// it is deleted.
    fn check_duration(&self) -> Result<(), UpkeepError> {
        limits::check_duration(self.began, self.upkeep.env.clock.now())
            .map_err(|hours| UpkeepError::SlowList { hours })
    }
}
