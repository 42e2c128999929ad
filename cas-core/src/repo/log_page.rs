//! A ref's log in pages, filtered.

use super::{RepoError, Repository, for_each};
use crate::env::Timestamp;
use crate::name::{Actor, BookId, Operation, RefName};
use crate::refs::{LogEntry, RefError, Request};

/// How many entries are read at once while looking for those that are wanted.
const BATCH: u64 = 64;

/// How many entries one page looks at, at most: a filter that fits nothing must end.
const LOOKED_AT: u64 = 10_000;

/// Which entries of a log are wanted.
#[derive(Debug, Clone, Default)]
pub struct LogFilter {
    /// Not before this.
    pub since: Option<Timestamp>,
    /// Not after this.
    pub until: Option<Timestamp>,
    /// With a request by this actor.
    pub actor: Option<Actor>,
    /// With a request of this operation.
    pub operation: Option<Operation>,
}

/// A part of a log, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPage {
    /// The entries that are wanted.
    pub entries: Vec<LogEntry>,
    /// The position from which to go on; none at the end. There may be one although no entry of
    /// this page was wanted.
    pub next: Option<u64>,
}

impl LogFilter {
    pub(super) fn wants(&self, entry: &LogEntry) -> bool {
        let requests = || entry.entry.requests().into_iter();
        let by = |actor: &Actor| requests().any(|request| request.actor == *actor);
        let of = |operation: &Operation| requests().any(|request| request.operation == *operation);
        self.actor.as_ref().is_none_or(by)
            && self.operation.as_ref().is_none_or(of)
            && self.until.is_none_or(|until| entry.entry.time <= until)
            && !self.is_over(entry)
    }

    /// Whether a request is one of those that are wanted.
    pub(super) fn fits(&self, request: &Request) -> bool {
        self.actor.as_ref().is_none_or(|actor| request.actor == *actor)
            && self.operation.as_ref().is_none_or(|operation| request.operation == *operation)
    }

    /// Whether this entry and all before it are too old.
    pub(super) fn is_over(&self, entry: &LogEntry) -> bool {
        self.since.is_some_and(|since| entry.entry.time < since)
    }
}

impl Repository {
    /// Entries of a ref's log, newest first, from position `from` or the newest on.
    ///
    /// Times never go back in a log, so `until` is searched for and `since` ends the search.
    pub async fn ref_log_page(
        &self,
        book: &BookId,
        name: &RefName,
        filter: &LogFilter,
        from: Option<u64>,
        limit: usize,
    ) -> Result<LogPage, RepoError> {
        let Some(head) = self.store.refs().head(book, name).await? else {
            return Err(self.no_ref(book, name).await?);
        };
        let mut next = from.unwrap_or(head.entry.seq).min(head.entry.seq);
        if let Some(until) = filter.until {
            next = self.newest_until(book, name, next, until).await?;
        }
        let mut entries = Vec::new();
        let last = next.saturating_sub(LOOKED_AT);
        while next > last {
            let batch: Vec<u64> = (next.saturating_sub(BATCH).max(last) + 1..=next).rev().collect();
            for entry in self.entries(book, name, batch).await? {
                if filter.is_over(&entry) {
                    return Ok(LogPage { entries, next: None });
                }
                if entries.len() >= limit {
                    return Ok(LogPage { entries, next: Some(entry.entry.seq) });
                }
                next = entry.entry.seq - 1;
                if filter.wants(&entry) {
                    entries.push(entry);
                }
            }
        }
        Ok(LogPage { entries, next: Some(next).filter(|next| *next > 0) })
    }

    /// The highest position up to `newest` whose time is not after `until`; 0 if there is none.
    pub(super) async fn newest_until(
        &self,
        book: &BookId,
        name: &RefName,
        newest: u64,
        until: Timestamp,
    ) -> Result<u64, RepoError> {
        let (mut within, mut after) = (0, newest + 1);
        while after - within > 1 {
            let middle = within.midpoint(after);
            let found = self.entries(book, name, vec![middle]).await?;
            if found.iter().all(|entry| entry.entry.time <= until) {
                within = middle;
            } else {
                after = middle;
            }
        }
        Ok(within)
    }

    /// The entries at these positions, which must be there.
    pub(super) async fn entries(
        &self,
        book: &BookId,
        name: &RefName,
        seqs: Vec<u64>,
    ) -> Result<Vec<LogEntry>, RepoError> {
        let (store, key) = (self.store.clone(), (book.clone(), name.clone()));
        for_each(seqs, self.jobs, move |seq| {
            let (store, (book, name)) = (store.clone(), key.clone());
            async move {
                match store.refs().entry(&book, &name, seq).await? {
                    Some(entry) => Ok(entry),
                    None => Err(RefError::gap(&book, &name, seq).into()),
                }
            }
        })
        .await
    }
}
