//! Checking objects.

use super::super::inventory::Stored;
use super::super::reach::{Reach, keeping};
use super::super::records::{Records, SHARDS};
use super::claims::{Claims, statements};
use super::{Fault, FsckReport, Problem, Upkeep, UpkeepError};
use crate::error::chain;
use crate::folder::Step;
use crate::name::{CommitId, Hash};
use crate::object::{Kind, Totals};
use crate::repo::for_each;
use crate::store::gc::GcLog;
use crate::store::{Health, StoreError};

/// How many objects are looked at before what was found is taken in.
const TOGETHER: usize = 4_096;

/// A million parts are the whole.
const WHOLE_PPM: u64 = 1_000_000;

impl Upkeep {
    /// Opens every commit and tree that the logs reach.
    pub(super) async fn check_named(
        &self,
        report: &mut FsckReport,
        reach: &mut Reach,
        older: &mut Records<32>,
        claims: &mut Claims,
    ) -> Result<(), UpkeepError> {
        self.progress.begin(Step::Follow, 0);
        let mut faults = Vec::new();
        // What a bucket lost or spoiled on the way may be there all the same; the walk goes on
        // below it, so that nothing is told which is not so.
        self.walk(reach, &mut |id, opened| {
            match opened {
                Ok(opened) => claims.take(id, opened).map_err(keeping())?,
                Err(error) => faults.push(of_error(&error, true)),
            }
            Ok(())
        })
        .await?;
        // Where garbage was collected, the versions of older entries may be gone: whole, because
        // their commits go first.
        let may_be_gone = GcLog::new(self.bucket.clone(), self.env.clone()).has_deleted().await?;
        older.settle_all().map_err(keeping())?;
        for shard in 0..SHARDS {
            for id in older.shard(shard).map_err(keeping())? {
                reach.begin_at(CommitId(Hash::from_bytes(id)))?;
            }
        }
        let mut collected = 0;
        self.walk(reach, &mut |id, opened| {
            match opened {
                Ok(opened) => claims.take(id, opened).map_err(keeping())?,
                Err(StoreError::Missing { kind: Kind::Commit, .. }) if may_be_gone => {
                    collected += 1;
                }
                Err(error) => faults.push(of_error(&error, true)),
            }
            Ok(())
        })
        .await?;
        report.collected = collected;
        claims.settle().map_err(keeping())?;
        report.faults.extend(faults.into_iter().flatten());
        for shard in 0..SHARDS {
            let found = statements(&claims.found, shard).map_err(keeping())?;
            for (id, said) in statements(&claims.trees, shard).map_err(keeping())? {
                // What could not be opened has been told.
                let at = found.binary_search_by_key(&id, |(id, _)| *id);
                let found = at.ok().map(|at| found[at].1);
                if let Some(found) = found.filter(|found| *found != said) {
                    let problem = Problem::Totals { said, found };
                    report.faults.push(Fault::object(Kind::Tree, id, problem, true));
                }
            }
        }
        Ok(())
    }

    /// Counts the commits and trees, and opens those that nothing reaches.
    pub(super) async fn check_unnamed(
        &self,
        report: &mut FsckReport,
        reach: &Reach,
    ) -> Result<(), UpkeepError> {
        let shards = self.shards().await?;
        for (kind, named) in [(Kind::Commit, &reach.commits), (Kind::Tree, &reach.trees)] {
            for shard in 0..SHARDS {
                let (stored, unknown) = self.stored(&shards, kind, shard).await?;
                report.note_unknown(unknown);
                let named = named.shard(shard).map_err(keeping())?;
                let unnamed: Vec<_> = stored
                    .iter()
                    .map(|stored| stored.id)
                    .filter(|id| named.binary_search(id.as_bytes()).is_err())
                    .collect();
                report.count(kind, &stored, unnamed.len());
                for ids in unnamed.chunks(TOGETHER) {
                    for (_, opened) in self.open_all(kind, ids.to_vec()).await? {
                        // What is gone by now was removed.
                        let error = opened.err();
                        let error = error.filter(|e| !matches!(e, StoreError::Missing { .. }));
                        report.faults.extend(error.and_then(|error| of_error(&error, false)));
                    }
                    self.progress.advance(ids.len() as u64);
                }
            }
        }
        Ok(())
    }

    /// Reads blobs, and holds all of them against what trees say of them.
    pub(super) async fn check_blobs(
        &self,
        report: &mut FsckReport,
        sample_ppm: u32,
        claims: &Claims,
    ) -> Result<(), UpkeepError> {
        self.progress.begin(Step::Verify, 0);
        let shards = self.shards().await?;
        let chosen = Sample::new(sample_ppm, &self.env.entropy.bytes());
        for shard in 0..SHARDS {
            let (stored, unknown) = self.stored(&shards, Kind::Blob, shard).await?;
            report.note_unknown(unknown);
            let said = statements(&claims.blobs, shard).map_err(keeping())?;
            let is_named = |id: &Hash| said.binary_search_by_key(id, |(id, _)| *id).is_ok();
            let unnamed = stored.iter().filter(|stored| !is_named(&stored.id)).count();
            report.count(Kind::Blob, &stored, unnamed);
            let mut suspects = self.hold_against(report, &said, &stored).await?;
            suspects.extend(stored.iter().map(|at| at.id).filter(|id| chosen.takes(id)));
            suspects.sort_unstable();
            suspects.dedup();
            for ids in suspects.chunks(TOGETHER) {
                let damaged = self.damaged_blobs(ids.to_vec()).await?;
                report.blobs_read += ids.len() as u64;
                for (id, reason) in damaged {
                    // Bytes that are another's have no length that could be wrong.
                    report.faults.retain(|fault| !is_totals_of(fault, &id));
                    let problem = Problem::Damaged { reason };
                    report.faults.push(Fault::object(Kind::Blob, id, problem, is_named(&id)));
                }
            }
        }
        Ok(())
    }

    /// Tells what trees say of blobs that are not there or have another length. Those of another
    /// length are given back: if they hash to their id, it is the tree that is wrong.
    async fn hold_against(
        &self,
        report: &mut FsckReport,
        said: &[(Hash, Totals)],
        stored: &[Stored],
    ) -> Result<Vec<Hash>, StoreError> {
        let mut suspects = Vec::new();
        for (id, said) in said {
            let at = stored.binary_search_by_key(id, |stored| stored.id);
            let size = match at.ok().map(|at| stored[at].size) {
                // It may have been written after the list was made.
                None => self.store.size(Kind::Blob, id).await?,
                size => size,
            };
            let problem = match size {
                None => Problem::Missing,
                Some(size) if size == said.size => continue,
                Some(size) => {
                    suspects.push(*id);
                    Problem::Totals { said: *said, found: Totals::file(size) }
                }
            };
            let missing = matches!(problem, Problem::Missing);
            let told = |fault: &Fault| matches!(fault, Fault::Object { kind: Kind::Blob, id: other, problem: Problem::Missing, .. } if other == id);
            if !(missing && report.faults.last().is_some_and(told)) {
                report.faults.push(Fault::object(Kind::Blob, *id, problem, true));
            }
        }
        Ok(suspects)
    }

    /// Reads these blobs, and gives those whose bytes are not what their ids say.
    async fn damaged_blobs(&self, ids: Vec<Hash>) -> Result<Vec<(Hash, String)>, StoreError> {
        let (store, progress) = (self.store.clone(), self.progress.clone());
        let checked = for_each(ids, self.jobs, move |id| {
            let (store, progress) = (store.clone(), progress.clone());
            async move {
                let mut health = store.check(Kind::Blob, &id).await?;
                if health == Health::Damaged {
                    // They may have been spoiled on the way.
                    health = store.check(Kind::Blob, &id).await?;
                }
                progress.advance(1);
                Ok::<_, StoreError>((id, health))
            }
        });
        let damaged = checked.await?.into_iter().filter(|(_, health)| *health == Health::Damaged);
        let reason = "its bytes do not hash to its id";
        Ok(damaged.map(|(id, _)| (id, reason.to_owned())).collect())
    }
}

impl FsckReport {
    fn count(&mut self, kind: Kind, stored: &[Stored], unnamed: usize) {
        let count = self.objects.entry(kind).or_default();
        count.count += stored.len() as u64;
        count.bytes += stored.iter().map(|stored| stored.size).sum::<u64>();
        count.unnamed += unnamed as u64;
    }
}

/// The fault that an error of one object tells.
pub(super) fn of_error(error: &StoreError, named: bool) -> Option<Fault> {
    let (kind, id, problem) = match error {
        StoreError::Missing { kind, id } => (kind, id, Problem::Missing),
        StoreError::Damaged { kind, id, reason } => {
            (kind, id, Problem::Damaged { reason: reason.clone() })
        }
        StoreError::TooLarge { kind, id, size, limit } => {
            let reason = format!("it has {size} bytes, over the limit of {limit}");
            (kind, id, Problem::Damaged { reason })
        }
        StoreError::Undecodable { kind, id, source } => {
            (kind, id, Problem::Invalid { reason: chain(source) })
        }
        _ => return None,
    };
    Some(Fault::object(*kind, *id, problem, named))
}

fn is_totals_of(fault: &Fault, blob: &Hash) -> bool {
    matches!(
        fault,
        Fault::Object { kind: Kind::Blob, id, problem: Problem::Totals { .. }, .. } if id == blob
    )
}

/// A part of all ids, another one each time.
struct Sample {
    turn: u64,
    below: Option<u64>,
}

impl Sample {
    fn new(ppm: u32, random: &[u8; 16]) -> Self {
        let (turn, _) = random.split_at(8);
        let turn = turn.try_into().map_or(0, u64::from_be_bytes);
        let ppm = u64::from(ppm);
        // A number of 64 bits, however large the part.
        Self { turn, below: (ppm < WHOLE_PPM).then(|| u64::MAX / WHOLE_PPM * ppm) }
    }

    fn takes(&self, id: &Hash) -> bool {
        let bytes = id.as_bytes();
        let number = bytes[24..].try_into().map_or(0, u64::from_be_bytes);
        self.below.is_none_or(|below| number.wrapping_add(self.turn) < below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_as_large_as_was_said_and_another_each_time() {
        let ids: Vec<_> = (0..100_000_u32).map(|n| Hash::of(&n.to_be_bytes())).collect();
        let taken = |ppm, seed| {
            let sample = Sample::new(ppm, &[seed; 16]);
            ids.iter().filter(|id| sample.takes(id)).copied().collect::<Vec<_>>()
        };
        assert_eq!(taken(1_000_000, 1).len(), ids.len());
        assert_eq!(taken(0, 1).len(), 0);
        let (one, other) = (taken(100_000, 1), taken(100_000, 100));
        assert!((9_000..11_000).contains(&one.len()), "{}", one.len());
        assert!(one != other);
    }
}
