//! Putting right what another store has.
//!
//! Everything that comes from there is verified before it is written: an object against its id, an
//! entry against its neighbours in the log. What was behind a tree that could not be read is looked
//! at when the tree is back.

use std::collections::{BTreeMap, BTreeSet};

use super::super::reach::Opened;
use super::{Fault, FsckReport, Problem, Upkeep, UpkeepError};
use crate::folder::Step;
use crate::name::{BlobId, BookId, CommitId, Hash, RefName};
use crate::object::{Commit, Kind, Tree};
use crate::refs::{LogEntry, LogProof, RefError, check_chain};
use crate::store::{ByteStream, Health, Session, Store, StoreError, layout};

/// The objects of a store that are looked at, and where each fault of one is in the report.
struct Objects<'a> {
    from: &'a Store,
    session: Session,
    faults: BTreeMap<(Kind, Hash), usize>,
    seen: BTreeSet<(Kind, Hash)>,
    waiting: Vec<(Kind, Hash)>,
    written: Vec<(Kind, Hash)>,
}

impl Upkeep {
    /// Takes from another store what is missing or damaged here.
    pub(super) async fn repair(
        &self,
        report: &mut FsckReport,
        from: &Store,
    ) -> Result<(), UpkeepError> {
        let commits = self.repair_logs(report, from).await?;
        self.repair_objects(report, from, commits).await?;
        report.repaired = report.faults.iter().filter(|fault| fault.is_repaired()).count() as u64;
        Ok(())
    }

    async fn repair_objects(
        &self,
        report: &mut FsckReport,
        from: &Store,
        commits: Vec<CommitId>,
    ) -> Result<(), UpkeepError> {
        let faulty = report.faults.iter().enumerate().filter_map(|(at, fault)| match fault {
            Fault::Object { kind, id, problem, .. } if is_curable(problem) => {
                Some(((*kind, *id), at))
            }
            _ => None,
        });
        let faults: BTreeMap<_, _> = faulty.collect();
        self.progress.begin(Step::Repair, faults.len() as u64);
        let mut waiting: Vec<_> = faults.keys().copied().collect();
        waiting.extend(commits.into_iter().map(|commit| (Kind::Commit, *commit.hash())));
        let mut objects = Objects {
            from,
            session: self.store.session().await?,
            faults,
            seen: BTreeSet::new(),
            waiting,
            written: Vec::new(),
        };
        while let Some((kind, id)) = objects.waiting.pop() {
            if objects.seen.insert((kind, id)) {
                self.look(report, &mut objects, kind, id).await?;
            }
        }
        objects.session.publish().await?;
        for (kind, id) in &objects.written {
            let is_right = self.store.check(*kind, id).await? == Health::Intact;
            if let Some(at) = objects.faults.get(&(*kind, *id))
                && let Some(Fault::Object { repaired, .. }) = report.faults.get_mut(*at)
            {
                *repaired = is_right;
            }
        }
        Ok(())
    }

    /// Looks at one object, writes it if it is not right here, and goes on to what it names.
    async fn look(
        &self,
        report: &mut FsckReport,
        objects: &mut Objects<'_>,
        kind: Kind,
        id: Hash,
    ) -> Result<(), UpkeepError> {
        let is_told = objects.faults.contains_key(&(kind, id));
        if !is_told {
            let opened = match kind {
                Kind::Blob if self.store.size(kind, &id).await?.is_some() => return Ok(()),
                Kind::Blob => Err(StoreError::Missing { kind, id }),
                _ => self.open_all(kind, vec![id]).await?.remove(0).1,
            };
            match opened {
                Ok(opened) => {
                    objects.waiting.extend(named_by(&opened));
                    return Ok(());
                }
                Err(error) => {
                    let Some(fault) = super::objects::of_error(&error, true) else {
                        return Ok(());
                    };
                    objects.faults.insert((kind, id), report.faults.len());
                    report.faults.push(fault);
                }
            }
        }
        let taken = objects.take(kind, id).await;
        match taken {
            Ok(opened) => {
                objects.written.push((kind, id));
                objects.waiting.extend(opened.iter().flat_map(named_by));
                self.progress.advance(1);
                Ok(())
            }
            // The other store does not have it either.
            Err(error) if error.is_of_object() => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Puts right the logs that have faults. Returns the commits that the entries name which were
    /// written.
    async fn repair_logs(
        &self,
        report: &mut FsckReport,
        from: &Store,
    ) -> Result<Vec<CommitId>, UpkeepError> {
        let faulty = report.faults.iter().filter_map(|fault| match fault {
            Fault::Log { book, name, seq, .. } => Some(((book.clone(), name.clone()), *seq)),
            _ => None,
        });
        let mut logs: BTreeMap<(BookId, RefName), BTreeSet<u64>> = BTreeMap::new();
        for (key, seq) in faulty {
            logs.entry(key).or_default().insert(seq);
        }
        let mut commits = Vec::new();
        for ((book, name), seqs) in logs {
            let mut written = Vec::new();
            for seq in &seqs {
                // Where two do not fit together, either may be the one that was changed.
                for seq in [*seq, seq.saturating_sub(1)] {
                    if let Some(entry) = self.missing_link(from, &book, &name, seq).await? {
                        commits.extend(entry.entry.target);
                        written.push(seq);
                        break;
                    }
                }
            }
            if !written.is_empty() {
                self.check_again(report, &book, &name).await?;
            }
        }
        Ok(commits)
    }

    /// Writes the entry at `seq` as the other store has it, if it fits between its neighbours here
    /// and the one that is here does not.
    async fn missing_link(
        &self,
        from: &Store,
        book: &BookId,
        name: &RefName,
        seq: u64,
    ) -> Result<Option<LogEntry>, UpkeepError> {
        if seq == 0 {
            return Ok(None);
        }
        let Some(there) = readable(from, book, name, seq).await? else {
            return Ok(None);
        };
        let before =
            if seq == 1 { None } else { readable(&self.store, book, name, seq - 1).await? };
        let here = readable(&self.store, book, name, seq).await?;
        let after = readable(&self.store, book, name, seq + 1).await?;
        let fits = |entry: &LogEntry| {
            before.as_ref().is_none_or(|before| entry.entry.previous == Some(before.id))
                && after.as_ref().is_none_or(|after| after.entry.previous == Some(entry.id))
        };
        if !fits(&there) || here.as_ref().is_some_and(fits) {
            return Ok(None);
        }
        let key = layout::slot(book, name, seq);
        let (_, bytes) = there.entry.to_stored();
        self.bucket.put(&key, bytes.into()).await?;
        Ok(Some(there))
    }

    /// Checks a log again after it was changed, and notes which of its faults are gone.
    async fn check_again(
        &self,
        report: &mut FsckReport,
        book: &BookId,
        name: &RefName,
    ) -> Result<(), UpkeepError> {
        let newest = report.faults.iter().filter_map(|fault| match fault {
            Fault::Log { book: b, name: n, seq, .. } if b == book && n == name => Some(*seq),
            _ => None,
        });
        let newest = newest.max().unwrap_or_default();
        let again =
            check_chain(&self.store, book, name, newest, &LogProof::default(), &mut |_| {}).await?;
        let left: BTreeSet<_> = again.faults.into_iter().map(|f| (f.seq, f.reason)).collect();
        for fault in &mut report.faults {
            if let Fault::Log { book: b, name: n, seq, reason, repaired } = fault
                && b == book
                && n == name
            {
                *repaired = !left.contains(&(*seq, reason.clone()));
            }
        }
        Ok(())
    }
}

impl Objects<'_> {
    /// Writes an object as the other store has it. Returns it if it names others.
    async fn take(&self, kind: Kind, id: Hash) -> Result<Option<Opened>, StoreError> {
        if kind == Kind::Blob {
            let id = BlobId(id);
            let stream = self.from.stream_blob(&id).await?;
            return match self.session.replace_blob(id, stream).await {
                // What came from there was not what it should be.
                Err(StoreError::Damaged { .. } | StoreError::ContentChanged { .. }) => {
                    let reason = "its bytes do not hash to its id".to_owned();
                    Err(StoreError::Damaged { kind, id: *id.hash(), reason })
                }
                other => other.map(|()| None),
            };
        }
        let bytes = self.from.get_bytes(kind, &id).await?;
        let undecodable = |source| StoreError::Undecodable { kind, id, source };
        let opened = match kind {
            Kind::Commit => Opened::Commit(Commit::decode(&bytes).map_err(undecodable)?),
            _ => Opened::Tree(Tree::decode(&bytes).map_err(undecodable)?),
        };
        self.session.replace_object(kind, &id, ByteStream::from_bytes(bytes)).await?;
        Ok(Some(opened))
    }
}

const fn is_curable(problem: &Problem) -> bool {
    matches!(problem, Problem::Missing | Problem::Damaged { .. })
}

/// What an object names.
fn named_by(opened: &Opened) -> Vec<(Kind, Hash)> {
    let mut named = Vec::new();
    opened.names(&mut |kind, id| named.push((kind, *id)));
    named
}

/// The entry at a position, if it is there and intact.
async fn readable(
    store: &Store,
    book: &BookId,
    name: &RefName,
    seq: u64,
) -> Result<Option<LogEntry>, RefError> {
    match store.refs().entry(book, name, seq).await {
        Err(RefError::Damaged { .. }) => Ok(None),
        other => other,
    }
}
