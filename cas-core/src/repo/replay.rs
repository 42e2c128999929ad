//! Which of the newest entries of a log were made by which requests.
//!
//! A repeated request must be found among the newest entries before it is done again. Whoever does
//! many edits of one branch in a row remembers what was read: entries never change.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt};

use super::RepoError;
use crate::name::RequestId;
use crate::refs::{LogEntry, REPLAY_ENTRIES, RefError};
use crate::store::Store;

/// How many entries are read at once.
const READS: usize = 16;

/// The newest entries of one branch's log that were read.
#[derive(Debug, Default)]
pub(super) struct Replay {
    /// By position, without a gap.
    entries: BTreeMap<u64, LogEntry>,
}

impl Replay {
    /// The entry among the newest up to `head` that `request` made. A fresh request made none, and
    /// nothing is read.
    ///
    /// An entry that cannot be read is an error: it may be the one.
    pub(super) async fn find(
        &mut self,
        store: &Store,
        head: &LogEntry,
        request: &RequestId,
    ) -> Result<Option<LogEntry>, RepoError> {
        if request.is_fresh() {
            return Ok(None);
        }
        self.read_up_to(store, head).await?;
        let made = |entry: &&LogEntry| entry.entry.made_by(request).is_some();
        Ok(self.entries.values().rev().find(made).cloned())
    }

    async fn read_up_to(&mut self, store: &Store, head: &LogEntry) -> Result<(), RepoError> {
        let (book, name, newest) = (&head.entry.book, &head.entry.name, head.entry.seq);
        let oldest = newest.saturating_sub(REPLAY_ENTRIES).max(1);
        self.entries.retain(|seq, _| (oldest..=newest).contains(seq));
        let missing: Vec<u64> =
            (oldest..newest).filter(|seq| !self.entries.contains_key(seq)).collect();
        let read = futures::stream::iter(missing)
            .map(|seq| async move {
                let entry = store.refs().entry(book, name, seq).await?;
                entry.map(|entry| (seq, entry)).ok_or_else(|| RefError::gap(book, name, seq))
            })
            .buffered(READS)
            .try_collect::<Vec<_>>()
            .await?;
        self.entries.extend(read);
        self.entries.insert(newest, head.clone());
        Ok(())
    }
}
