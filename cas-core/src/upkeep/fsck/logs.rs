//! Checking the logs of all refs.

use super::super::reach::{Reach, keeping};
use super::super::records::Records;
use super::{Fault, FsckReport, Upkeep, UpkeepError};
use crate::folder::Step;
use crate::name::{BookId, CommitId, RefName};
use crate::refs::{LogProof, LogReport, check_chain};
use crate::repo::for_each;
use crate::store::layout;

/// How many logs are read before what they say is taken in.
const TOGETHER: usize = 4_096;

/// What the log of one ref says.
struct Checked {
    key: (BookId, RefName),
    report: LogReport,
    unknown: Vec<String>,
    /// The commits that its newest entry names.
    newest: Vec<CommitId>,
    /// Those that the others name.
    older: Vec<CommitId>,
}

impl Upkeep {
    /// Checks every ref's log. The commits that the newest entries name are added to where the walk
    /// begins, those of the others to `older`.
    pub(super) async fn check_logs(
        &self,
        report: &mut FsckReport,
        reach: &mut Reach,
        older: &mut Records<32>,
    ) -> Result<(), UpkeepError> {
        let folders = self.ref_folders().await?;
        report.note_unknown(folders.unknown);
        report.refs = folders.refs.len() as u64;
        self.progress.begin(Step::Logs, report.refs);
        for refs in folders.refs.chunks(TOGETHER) {
            let this = self.clone();
            let checked = for_each(refs.to_vec(), self.jobs, move |(book, name)| {
                let this = this.clone();
                async move { this.check_log(book, name).await }
            });
            for checked in checked.await? {
                let (book, name) = checked.key;
                report.entries += checked.report.entries;
                report.note_unknown(checked.unknown);
                for commit in checked.newest {
                    reach.begin_at(commit)?;
                }
                for commit in checked.older {
                    older.add(*commit.hash().as_bytes()).map_err(keeping())?;
                }
                report.faults.extend(checked.report.faults.into_iter().map(|fault| Fault::Log {
                    book: book.clone(),
                    name: name.clone(),
                    seq: fault.seq,
                    reason: fault.reason,
                    repaired: false,
                }));
            }
            self.progress.advance(refs.len() as u64);
        }
        Ok(())
    }

    async fn check_log(&self, book: BookId, name: RefName) -> Result<Checked, UpkeepError> {
        let (mut newest, mut unknown) = (0, Vec::new());
        for (key, _) in self.bucket.looks(&layout::log(&book, &name)).await? {
            match layout::slot_seq(&key).filter(|seq| layout::slot(&book, &name, *seq) == key) {
                Some(seq) => newest = newest.max(seq),
                None => unknown.push(key.to_string()),
            }
        }
        let (mut last, mut older) = (Vec::new(), Vec::new());
        let report =
            check_chain(&self.store, &book, &name, newest, &LogProof::default(), &mut |found| {
                older.append(&mut last);
                if found.entry.forgets() {
                    older.clear();
                }
                last.extend(found.entry.target);
                last.extend(found.entry.upstream().map(|upstream| upstream.base));
            })
            .await?;
        Ok(Checked { key: (book, name), report, unknown, newest: last, older })
    }
}
