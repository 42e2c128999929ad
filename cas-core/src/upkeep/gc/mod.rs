//! Garbage collection: in two runs, without locks, whoever writes meanwhile.
//!
//! A run marks everything that is to stay ([`mark`]), deletes what an earlier run condemned long
//! enough ago, condemns what is left over and old, and retires lists that nobody can depend on any
//! more ([`store::gc`](crate::store) says what writers do about the lists). Any error while
//! marking ends the run before anything is deleted. Whatever ends it, the next run goes on.

mod condemn;
mod delete;
mod mark;
mod report;
mod severed;
mod sweep;

pub use mark::Retention;
pub use report::{GcReport, GcStatus, OpenList, Tally};

use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use mark::{Marked, is_among};

use super::inventory::{Listed, Stored, by_shard};
use super::records::SHARDS;
use super::{Upkeep, UpkeepError};
use crate::env::Timestamp;
use crate::folder::Step as Progress;
use crate::limits;
use crate::name::{Actor, Hash, RequestId};
use crate::object::Kind;
use crate::store::gc::{CondemnedList, GcEntry, GcEvent, GcLog, ListState, Step};
use crate::store::{StoreError, layout};

/// How often a run begins anew because another one wrote to the log.
const ATTEMPTS: u32 = 16;

/// What is wanted of a collection.
#[derive(Debug, Clone)]
pub struct GcRequest {
    /// Who collects.
    pub actor: Actor,
    /// Which versions stay although no branch or tag has them in its history any more.
    pub retention: Retention,
    /// How old what nothing reaches must be, and how long it is condemned before it is deleted.
    pub grace: Grace,
    /// Whether to say only what would be done. Nothing is written.
    pub dry_run: bool,
}

/// How long things are left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grace {
    /// At least [`limits::GRACE`], so that writers are safe.
    Shared(Duration),
    /// As short as you like: somebody promises that nobody else writes to the store meanwhile.
    /// What nothing reaches and is older is deleted at once.
    Alone(Duration),
}

impl Grace {
    const fn duration(self) -> Duration {
        match self {
            Self::Shared(grace) | Self::Alone(grace) => grace,
        }
    }
}

/// A run.
struct Run<'a> {
    upkeep: &'a Upkeep,
    request: &'a GcRequest,
    log: GcLog,
    /// What it is known by.
    id: RequestId,
    /// When it began, by the clock of this machine.
    began: Timestamp,
    /// When it began, by the store's clock.
    now: Timestamp,
    /// The newest entry of the log, with its hash.
    head: Option<(Hash, GcEntry)>,
    marked: Marked,
    report: GcReport,
}

impl Upkeep {
    /// Does whatever of a collection is due: see [`GcReport`].
    pub async fn gc(&self, request: &GcRequest) -> Result<GcReport, UpkeepError> {
        if let Grace::Shared(grace) = request.grace
            && grace < limits::GRACE
        {
            return Err(UpkeepError::ShortGrace { hours: limits::GRACE.as_secs() / 3600 });
        }
        let id = self.env.request_id();
        let log = GcLog::new(self.bucket.clone(), self.env.clone());
        let began = self.env.clock.now();
        let now = self.store_time(&id, request.dry_run).await?;
        // Read before marking: what is deleted by this mark was condemned long before it.
        let head = log.head().await?;
        let pending = head.as_ref().and_then(|(_, entry)| entry.pending());
        let severed = self.severed(pending).await?;
        // What came while that list was made is on no list, though what it names may be on it.
        let since = match pending {
            Some(list) => Some(log.listed_until(list.seq).await?),
            None => None,
        };
        let mut report = GcReport::default();
        let marked = self.mark(request, now, since, &severed, &mut report).await?;
        let mut run = Run { upkeep: self, request, log, id, began, now, head, marked, report };
        let done = run.act().await;
        self.progress.end();
        done.map(|()| run.report)
    }

    /// Takes back the list that is published and of which nothing was deleted yet. Whether there
    /// was one.
    pub async fn gc_cancel(&self, actor: &Actor) -> Result<bool, UpkeepError> {
        let log = GcLog::new(self.bucket.clone(), self.env.clone());
        let run = self.env.request_id();
        for _ in 0..ATTEMPTS {
            let head = log.head().await?;
            let Some(entry) = head.as_ref().map(|(_, entry)| entry) else {
                return Ok(false);
            };
            let Some(list) = entry.pending().filter(|list| list.state == ListState::Condemned)
            else {
                return Ok(false);
            };
            let step = step(GcEvent::Cancelled, Some(list.seq), actor, &run);
            let open = without(&entry.open, list.seq);
            if log.append(head.as_ref(), step, |_| open).await?.is_some() {
                self.remove_parts(list).await?;
                return Ok(true);
            }
        }
        Err(UpkeepError::OtherCollection)
    }

    /// What collections did and what is under way, without marking.
    pub async fn gc_status(&self) -> Result<GcStatus, UpkeepError> {
        let log = GcLog::new(self.bucket.clone(), self.env.clone());
        let Some((_, head)) = log.head().await? else {
            return Ok(GcStatus::default());
        };
        let mut status = GcStatus::default();
        for list in &head.open {
            let published = log.written_at(list.seq).await?;
            status.lists.push(OpenList::of(list, published));
        }
        Ok(status)
    }

    /// The present moment by the store's clock; that of this machine where nothing may be written.
    async fn store_time(&self, run: &RequestId, dry_run: bool) -> Result<Timestamp, UpkeepError> {
        if dry_run {
            return Ok(self.env.clock.now());
        }
        let key = layout::gc_clock(run);
        self.bucket.put(&key, bytes::Bytes::from_static(b"cas")).await?;
        let found = self.bucket.look(&key).await?;
        self.bucket.delete(&key).await?;
        let modified = found.map(|found| found.modified);
        Ok(modified.ok_or_else(|| StoreError::Lost { key: key.to_string() })?)
    }

    /// Removes the parts of a list that is over.
    async fn remove_parts(&self, list: &CondemnedList) -> Result<(), StoreError> {
        for part in &list.parts {
            self.bucket.delete(&layout::gc_part(&list.run, part.shard)).await?;
        }
        Ok(())
    }
}

impl Run<'_> {
    async fn act(&mut self) -> Result<(), UpkeepError> {
        if matches!(self.request.grace, Grace::Alone(_)) {
            return self.sweep().await;
        }
        let grace = self.request.grace.duration();
        if let Some(list) = self.pending() {
            let published = self.log.written_at(list.seq).await?;
            let due = later(published, grace);
            if self.now >= due {
                self.delete(&list).await?;
            } else {
                self.report.waiting = Some(OpenList::of(&list, published));
                self.report.next_due = Some(due);
            }
        }
        // One list at a time: what is left over is condemned when that one is gone.
        if self.pending().is_some() {
            self.count().await?;
        } else {
            self.condemn().await?;
        }
        self.retire().await
    }

    /// Counts what stays.
    async fn count(&mut self) -> Result<(), UpkeepError> {
        self.upkeep.progress.begin(Progress::Collect, SHARDS as u64);
        let mut lists = pin!(self.upkeep.listed(by_shard()).await?);
        while let Some(listed) = lists.next().await {
            let listed = listed?;
            let is_last = listed.kind == Kind::ALL[Kind::ALL.len() - 1];
            self.survey(listed)?;
            self.upkeep.progress.advance(u64::from(is_last));
        }
        Ok(())
    }

    /// What of a shard nothing reaches and is old enough, in the order of ids; counts the rest.
    fn survey(&mut self, listed: Listed) -> Result<Vec<Stored>, UpkeepError> {
        let Listed { kind, shard, mut stored, unknown } = listed;
        self.report.note_unknown(unknown);
        let reached = self.marked.reached(kind, shard)?;
        stored.retain(|stored| {
            if is_among(&reached, &stored.id) {
                self.report.kept.entry(kind).or_default().add(stored.size);
                false
            } else if stored.modified > self.marked.young {
                self.report.young.add(stored.size);
                false
            } else {
                true
            }
        });
        Ok(stored)
    }

    /// Retires the lists that were deleted so long ago that no writer can have seen what was on
    /// them.
    ///
    /// After condemning: a tree that was left behind while what it names was deleted is then on
    /// the next list, or named by something.
    async fn retire(&mut self) -> Result<(), UpkeepError> {
        let mut seq = self.head.as_ref().map_or(0, |(_, entry)| entry.seq);
        while seq > 0 && !self.open().is_empty() {
            let Some((_, entry)) = self.log.entry(seq).await? else {
                break;
            };
            let deleted =
                |list: &&CondemnedList| list.seq == entry.list && list.state == ListState::Deleted;
            let list = self.open().iter().find(deleted).cloned();
            if let Some(list) = list.filter(|_| entry.event == GcEvent::Deleted) {
                let since = self.log.written_at(seq).await?;
                if self.now >= later(since, self.request.grace.duration()) {
                    self.close(&list).await?;
                }
            }
            seq -= 1;
        }
        Ok(())
    }

    async fn close(&mut self, list: &CondemnedList) -> Result<(), UpkeepError> {
        self.report.retired += 1;
        if self.request.dry_run {
            return Ok(());
        }
        let left = without(self.open(), list.seq);
        let step = step(GcEvent::Retired, Some(list.seq), &self.request.actor, &self.id);
        self.append(step, |_| left).await?;
        Ok(self.upkeep.remove_parts(list).await?)
    }

    /// The lists that are open.
    fn open(&self) -> &[CondemnedList] {
        self.head.as_ref().map_or(&[], |(_, entry)| &entry.open)
    }

    /// The open list that is yet to be deleted, or half deleted.
    fn pending(&self) -> Option<CondemnedList> {
        self.head.as_ref().and_then(|(_, entry)| entry.pending()).cloned()
    }

    /// Writes the next entry of the log.
    async fn append(
        &mut self,
        step: Step,
        open: impl FnOnce(u64) -> Vec<CondemnedList>,
    ) -> Result<(), UpkeepError> {
        let next = self.log.append(self.head.as_ref(), step, open).await?;
        self.head = Some(next.ok_or(UpkeepError::OtherCollection)?);
        Ok(())
    }
}

/// A step of a collection that deleted nothing.
fn step(event: GcEvent, list: Option<u64>, actor: &Actor, run: &RequestId) -> Step {
    let (actor, run) = (actor.clone(), run.clone());
    Step { event, list, actor, run, deleted: 0, deleted_bytes: 0 }
}

/// The lists that are open after one is over.
fn without(open: &[CondemnedList], list: u64) -> Vec<CondemnedList> {
    open.iter().filter(|other| other.seq != list).cloned().collect()
}

/// A time so much later.
fn later(time: Timestamp, by: Duration) -> Timestamp {
    let by = u64::try_from(by.as_micros()).unwrap_or(u64::MAX);
    Timestamp::from_micros(time.as_micros().saturating_add(by))
}
