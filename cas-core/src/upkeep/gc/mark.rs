//! What is to stay.

use std::collections::BTreeSet;
use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;

use super::super::inventory::{Stored, by_kind};
use super::super::reach::{Reach, keeping};
use super::super::records::{Records, SHARDS};
use super::super::{LISTS_BYTES, Upkeep, UpkeepError};
use super::report::GcReport;
use super::{GcRequest, later};
use crate::env::Timestamp;
use crate::folder::Step;
use crate::name::{BookId, CommitId, Hash, RefName};
use crate::object::Kind;
use crate::refs::{LogEntry, RefError};
use crate::repo::for_each;
use crate::store::StoreError;
use crate::store::gc::GcLog;

/// How many logs are read before what they say is taken in.
const TOGETHER: usize = 4_096;

/// How many entries of a log are read at once.
const READS: usize = 16;

/// Which entries of a ref's log keep the version that they name, besides the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// All.
    All,
    /// So many of the newest.
    Newest(u64),
    /// Those that were the newest at any time since then.
    Since(Duration),
}

/// The commits that a ref keeps.
#[derive(Debug, Default)]
struct Kept {
    /// Those that its newest entry names.
    newest: Vec<CommitId>,
    /// Those of other entries that are retained.
    older: Vec<CommitId>,
}

/// What is to stay.
#[derive(Debug)]
pub(super) struct Marked {
    pub(super) reach: Reach,
    /// What was written after this is too young to be judged.
    pub(super) young: Timestamp,
}

impl Upkeep {
    /// Marks everything that refs reach by the entries that are retained, and everything that is
    /// too young to be judged with all that it names; so is what came after `since`. Older entries
    /// keep no version that is `severed` from its history.
    ///
    /// Any error ends it, and with it the run: what could not be read may name anything.
    pub(super) async fn mark(
        &self,
        request: &GcRequest,
        now: Timestamp,
        since: Option<Timestamp>,
        severed: &BTreeSet<Hash>,
        report: &mut GcReport,
    ) -> Result<Marked, UpkeepError> {
        let grace = u64::try_from(request.grace.duration().as_micros()).unwrap_or(u64::MAX);
        let young = Timestamp::from_micros(now.as_micros().saturating_sub(grace));
        let mut reach = Reach::new(LISTS_BYTES);
        report.note_unknown(self.strangers().await?);
        let folders = self.ref_folders().await?;
        report.note_unknown(folders.unknown);
        report.refs = folders.refs.len() as u64;
        self.mark_refs(&mut reach, &folders.refs, request.retention, severed).await?;
        self.mark_young(&mut reach, since.map_or(young, |since| since.min(young))).await?;
        Ok(Marked { reach, young })
    }

    /// Marks everything that these refs reach by the entries that are retained. Older entries keep
    /// no version that is `severed` from its history.
    pub(in crate::upkeep) async fn mark_refs(
        &self,
        reach: &mut Reach,
        refs: &[(BookId, RefName)],
        retention: Retention,
        severed: &BTreeSet<Hash>,
    ) -> Result<(), UpkeepError> {
        let mut older = Records::<32>::new(LISTS_BYTES / 8);
        self.progress.begin(Step::Logs, refs.len() as u64);
        for refs in refs.chunks(TOGETHER) {
            let this = self.clone();
            let kept = for_each(refs.to_vec(), self.jobs, move |(book, name)| {
                let this = this.clone();
                async move { this.kept(&book, &name, retention).await }
            });
            for kept in kept.await? {
                for commit in kept.newest {
                    reach.begin_at(commit)?;
                }
                for commit in kept.older.iter().filter(|id| !severed.contains(id.hash())) {
                    older.add(*commit.hash().as_bytes()).map_err(keeping())?;
                }
            }
            self.progress.advance(refs.len() as u64);
        }
        self.progress.begin(Step::Follow, 0);
        self.walk(reach, &mut |_, opened| opened.map(|_| ())).await?;
        self.mark_older(reach, &mut older).await
    }

    /// Marks what older entries keep. A version that an earlier collection took, which kept fewer
    /// entries, is gone for good: its commit went first. Nothing else may be missing.
    async fn mark_older(
        &self,
        reach: &mut Reach,
        older: &mut Records<32>,
    ) -> Result<(), UpkeepError> {
        older.settle_all().map_err(keeping())?;
        for shard in 0..SHARDS {
            for id in older.shard(shard).map_err(keeping())? {
                reach.begin_at(CommitId(Hash::from_bytes(id)))?;
            }
        }
        let may_be_gone = GcLog::new(self.bucket.clone(), self.env.clone()).has_deleted().await?;
        let is_older = |id: &Hash| -> Result<bool, StoreError> {
            let shard = older.shard(usize::from(id.as_bytes()[0])).map_err(keeping())?;
            Ok(is_among(&shard, id))
        };
        self.walk(reach, &mut |id, opened| match opened {
            Ok(_) => Ok(()),
            Err(StoreError::Missing { kind: Kind::Commit, .. }) if may_be_gone && is_older(id)? => {
                Ok(())
            }
            Err(error) => Err(error),
        })
        .await?;
        Ok(())
    }

    /// The commits that a ref keeps.
    async fn kept(
        &self,
        book: &BookId,
        name: &RefName,
        retention: Retention,
    ) -> Result<Kept, UpkeepError> {
        let Some(head) = self.store.refs().head(book, name).await? else {
            // Its folder has no entry: a writer is about to make the first.
            return Ok(Kept::default());
        };
        let mut kept = Kept { newest: named_by(&head), older: Vec::new() };
        if head.entry.forgets() {
            return Ok(kept);
        }
        let (newest, now) = (head.entry.seq, self.env.clock.now());
        // What an entry names was there until the next one came.
        let mut until = head.entry.time;
        let keeps = |seq: u64, until: Timestamp| match retention {
            Retention::All => true,
            Retention::Newest(many) => seq.saturating_add(many) > newest,
            Retention::Since(window) => later(until, window) >= now,
        };
        let entries = futures::stream::iter((1..newest).rev())
            .take_while(|seq| std::future::ready(keeps(*seq, Timestamp::from_micros(u64::MAX))))
            .map(|seq| async move { (seq, self.store.refs().entry(book, name, seq).await) })
            .buffered(READS);
        let mut entries = pin!(entries);
        while let Some((seq, entry)) = entries.next().await {
            if !keeps(seq, until) {
                break;
            }
            let entry = entry?.ok_or_else(|| RefError::gap(book, name, seq))?;
            if entry.entry.forgets() {
                break;
            }
            kept.older.extend(named_by(&entry));
            until = entry.entry.time;
        }
        Ok(kept)
    }

    /// Marks what is young and nothing reaches, with all that it names: whoever wrote it may be
    /// about to name it. It may be all that is left of a writer that died, so that what it names
    /// was never there.
    async fn mark_young(&self, reach: &mut Reach, young: Timestamp) -> Result<(), UpkeepError> {
        let mut lists = pin!(self.listed(by_kind(&[Kind::Commit, Kind::Tree])).await?);
        while let Some(listed) = lists.next().await {
            let listed = listed?;
            for Stored { id, .. } in listed.stored.iter().filter(|at| at.modified > young) {
                reach.of(listed.kind).add(*id.as_bytes()).map_err(keeping())?;
            }
        }
        self.walk(reach, &mut |_, opened| match opened {
            Ok(_) | Err(StoreError::Missing { .. }) => Ok(()),
            Err(error) => Err(error),
        })
        .await?;
        Ok(())
    }
}

/// What an entry names.
fn named_by(entry: &LogEntry) -> Vec<CommitId> {
    let base = entry.entry.upstream().map(|upstream| upstream.base);
    entry.entry.target.into_iter().chain(base).collect()
}

impl Marked {
    /// The objects of a shard that stay, sorted.
    pub(super) fn reached(
        &mut self,
        kind: Kind,
        shard: usize,
    ) -> Result<Vec<[u8; 32]>, StoreError> {
        self.reach.of(kind).shard(shard).map_err(keeping())
    }
}

/// Whether an id is among those that are sorted.
pub(super) fn is_among(ids: &[[u8; 32]], id: &Hash) -> bool {
    ids.binary_search(id.as_bytes()).is_ok()
}
