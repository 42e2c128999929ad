//! The newest entries that were met: where to begin to look for newer ones.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::LogEntry;
use crate::name::{BookId, RefName};

/// The newest entry of refs that were met, some thousands at most.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<BTreeMap<(BookId, RefName), LogEntry>>);

impl Known {
    /// Beyond this all are forgotten: each is worth one list, and a server meets a few thousand
    /// again and again.
    const LIMIT: usize = 8_192;

    pub(super) fn get(&self, book: &BookId, name: &RefName) -> Option<LogEntry> {
        self.lock().get(&(book.clone(), name.clone())).cloned()
    }

    pub(super) fn set(&self, entry: &LogEntry) {
        let mut known = self.lock();
        if known.len() >= Self::LIMIT {
            known.clear();
        }
        let key = (entry.entry.book.clone(), entry.entry.name.clone());
        let newer = |known: &LogEntry| known.entry.seq >= entry.entry.seq;
        if !known.get(&key).is_some_and(newer) {
            known.insert(key, entry.clone());
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(BookId, RefName), LogEntry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
