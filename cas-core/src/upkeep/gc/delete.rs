//! The second run: deleting what was condemned and is still reached by nothing.
//!
//! Commits go first, then trees, then blobs, so that a run that is broken off leaves no version
//! whose content is gone; one whose history is gone goes when the deletion is finished
//! ([`severed`](super::severed)).

use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};

use super::super::{Upkeep, UpkeepError};
use super::mark::is_among;
use super::report::Tally;
use super::{Run, step};
use crate::env::Timestamp;
use crate::folder::Step as Progress;
use crate::name::Hash;
use crate::object::Kind;
use crate::repo::for_each;
use crate::store::gc::{CondemnedList, GcEvent, ListState, RECORD_BYTES, Step, read_part, record};
use crate::store::{StoreError, layout};

/// How long a look at an object is good for. The rest of the deadline is for the request.
const LOOK_IS_GOOD_FOR: Duration = Duration::from_secs(30);

/// What names others goes before what it names.
const ORDER: [Kind; 3] = [Kind::Commit, Kind::Tree, Kind::Blob];

/// What became of one object.
enum Fate {
    Deleted(u64),
    /// It was put again.
    Rewritten(u64),
    /// It was gone already.
    Gone,
}

impl Run<'_> {
    /// Deletes what is on a list and still reached by nothing.
    pub(super) async fn delete(&mut self, list: &CondemnedList) -> Result<(), UpkeepError> {
        if list.state == ListState::Condemned && !self.request.dry_run {
            // From here on it cannot be taken back.
            let step = step(GcEvent::Deleting, Some(list.seq), &self.request.actor, &self.id);
            self.change(list, ListState::Deleting, step).await?;
        }
        let until = self.log.listed_until(list.seq).await?;
        self.delete_listed(list, until).await?;
        if self.request.dry_run {
            return Ok(());
        }
        let step = self.deleted(GcEvent::Deleted, Some(list.seq));
        self.change(list, ListState::Deleted, step).await
    }

    /// Deletes what is on a list, is still reached by nothing, and was written before `until`.
    pub(super) async fn delete_listed(
        &mut self,
        list: &CondemnedList,
        until: Timestamp,
    ) -> Result<(), UpkeepError> {
        self.upkeep.progress.begin(Progress::Collect, list.objects());
        for kind in ORDER {
            for part in &list.parts {
                let records = read_part(&self.upkeep.bucket, list, part.shard).await?;
                let reached = self.marked.reached(kind, usize::from(part.shard))?;
                let of_kind = records.iter().filter_map(|found| id_of(kind, found));
                let (stays, goes): (Vec<_>, Vec<_>) =
                    of_kind.partition(|id| is_among(&reached, id));
                for id in stays {
                    let found = self.upkeep.bucket.look(&layout::object(kind, &id)).await?;
                    self.report.rescued.add(found.map_or(0, |found| found.size));
                }
                self.delete_all(kind, goes, until).await?;
            }
            self.settle()?;
        }
        Ok(())
    }

    /// What was deleted stays deleted, before what it names follows.
    fn settle(&self) -> Result<(), UpkeepError> {
        let deletes = !self.request.dry_run && self.report.deleted.objects > 0;
        if deletes {
            self.upkeep.bucket.settle_deletions()?;
        }
        Ok(())
    }

    /// The step that says how much was deleted.
    pub(super) fn deleted(&self, event: GcEvent, list: Option<u64>) -> Step {
        let Tally { objects: deleted, bytes: deleted_bytes } = self.report.deleted;
        Step { deleted, deleted_bytes, ..step(event, list, &self.request.actor, &self.id) }
    }

    /// Notes in the log what became of a list.
    async fn change(
        &mut self,
        list: &CondemnedList,
        state: ListState,
        step: Step,
    ) -> Result<(), UpkeepError> {
        let mut open = self.open().to_vec();
        for other in open.iter_mut().filter(|other| other.seq == list.seq) {
            other.state = state;
        }
        self.append(step, |_| open).await
    }

    /// Deletes these objects, each after one more look at it: what was written at `until` or later
    /// stays.
    async fn delete_all(
        &mut self,
        kind: Kind,
        ids: Vec<Hash>,
        until: Timestamp,
    ) -> Result<(), UpkeepError> {
        let (many, dry_run) = (ids.len() as u64, self.request.dry_run);
        let this = self.upkeep.clone();
        let fates = for_each(ids, self.upkeep.jobs, move |id| {
            let this = this.clone();
            async move { this.delete_one(kind, id, until, dry_run).await }
        });
        for fate in fates.await? {
            match fate {
                Fate::Deleted(bytes) => self.report.deleted.add(bytes),
                Fate::Rewritten(bytes) => self.report.rescued.add(bytes),
                Fate::Gone => {}
            }
        }
        self.upkeep.progress.advance(many);
        Ok(())
    }
}

impl Upkeep {
    async fn delete_one(
        &self,
        kind: Kind,
        id: Hash,
        until: Timestamp,
        dry_run: bool,
    ) -> Result<Fate, StoreError> {
        let key = layout::object(kind, &id);
        loop {
            let began = self.env.clock.now();
            let Some(found) = self.bucket.look(&key).await? else {
                return Ok(Fate::Gone);
            };
            if found.modified >= until {
                return Ok(Fate::Rewritten(found.size));
            }
            if dry_run {
                return Ok(Fate::Deleted(found.size));
            }
            // This process may have been asleep since.
            let passed = self.env.clock.now().as_micros().abs_diff(began.as_micros());
            if u128::from(passed) > LOOK_IS_GOOD_FOR.as_micros() {
                continue;
            }
            let deletion = pin!(self.bucket.delete(&key));
            return match select(deletion, self.env.clock.sleep(LOOK_IS_GOOD_FOR)).await {
                Either::Left((deleted, _)) => deleted.map(|()| Fate::Deleted(found.size)),
                Either::Right(_) => {
                    let late = std::io::Error::from(std::io::ErrorKind::TimedOut);
                    Err(StoreError::io(format!("delete {key}"))(late))
                }
            };
        }
    }
}

/// The id in a record of a list, if it is of this kind.
pub(super) fn id_of(kind: Kind, found: &[u8; RECORD_BYTES]) -> Option<Hash> {
    let id = Hash::from_bytes(*found.last_chunk::<32>()?);
    (record(kind, &id) == *found).then_some(id)
}
