//! Many logs read as one, newest first.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use super::change::States;
use super::{AuditCursor, AuditFilter, AuditItem, PathChange};
use crate::env::Timestamp;
use crate::name::{BookId, CommitId, RefName};
use crate::refs::{LogEntry, Request, subject_of};
use crate::repo::{RepoError, Repository, for_each};

/// How many entries are read ahead in all logs together: a few megabytes.
const AHEAD: usize = 8_192;

/// Most entries of one log that are read at once, and fewest: an entry and the one before it.
const BATCH: (usize, usize) = (2, 64);

/// How many logs are begun together. Of each only the time is kept, so that a million are no
/// matter of memory.
const BEGUN: usize = 1_024;

/// Where one log is read next. Those of the same time are told in the order of their names.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Next {
    time: Timestamp,
    place: Reverse<usize>,
    seq: u64,
}

/// What happened to refs, newest first, told as it is asked for.
#[derive(Debug)]
pub struct Audit {
    repo: Repository,
    filter: AuditFilter,
    places: Vec<(BookId, RefName)>,
    next: BinaryHeap<Next>,
    /// Entries that were read ahead, by the log's place; newest first.
    ahead: BTreeMap<usize, VecDeque<LogEntry>>,
    ahead_entries: usize,
    states: States,
    /// What is found and not told yet.
    found: VecDeque<AuditItem>,
}

impl Audit {
    pub(super) async fn begin(
        repo: Repository,
        mut places: Vec<(BookId, RefName)>,
        filter: AuditFilter,
        after: Option<&AuditCursor>,
    ) -> Result<Self, RepoError> {
        places.sort_unstable();
        places.dedup();
        let mut next = BinaryHeap::new();
        let mut begun = 0;
        for some in places.chunks(BEGUN) {
            let (from, jobs) = ((repo.clone(), filter.clone(), after.cloned()), repo.jobs);
            let newest = for_each(some.to_vec(), jobs, move |(book, name)| {
                let (repo, filter, after) = from.clone();
                async move { repo.newest_wanted(&book, &name, &filter, after.as_ref()).await }
            });
            for (nth, newest) in newest.await?.into_iter().enumerate() {
                let place = Reverse(begun + nth);
                next.extend(newest.map(|(time, seq)| Next { time, place, seq }));
            }
            begun += some.len();
        }
        let (ahead, states, found) = (BTreeMap::new(), States::default(), VecDeque::new());
        Ok(Self { repo, filter, places, next, ahead, ahead_entries: 0, states, found })
    }

    /// What happened before what was told last; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<AuditItem>, RepoError> {
        while self.found.is_empty() {
            match self.step().await? {
                Some(found) => self.found.extend(found),
                None => return Ok(None),
            }
        }
        Ok(self.found.pop_front())
    }

    /// The entry that is looked at next; `None` at the end.
    pub(super) fn cursor(&self) -> Option<AuditCursor> {
        let Next { time, place: Reverse(place), seq } = self.next.peek()?;
        let (_, name) = &self.places[*place];
        Some(AuditCursor { time: *time, seq: *seq, told: 0, name: name.clone() })
    }

    /// Looks at the next entry, and tells what is wanted of it; `None` at the end.
    pub(super) async fn step(&mut self) -> Result<Option<Vec<AuditItem>>, RepoError> {
        let Some(Next { place: Reverse(place), seq, .. }) = self.next.pop() else {
            return Ok(None);
        };
        let (entry, before) = self.read(place, seq).await?;
        if let Some((time, _)) = before
            && self.filter.entries.since.is_none_or(|since| time >= since)
        {
            self.next.push(Next { time, place: Reverse(place), seq: seq - 1 });
        }
        let previous = before.and_then(|(_, target)| target);
        if !self.filter.entries.wants(&entry) {
            return Ok(Some(Vec::new()));
        }
        if self.filter.path.is_root() {
            return Ok(Some(vec![movement(entry, previous)]));
        }
        self.changes(&entry, previous).await.map(Some)
    }

    /// The entry at a position, and of the one before it the time and the target.
    async fn read(
        &mut self,
        place: usize,
        seq: u64,
    ) -> Result<(LogEntry, Option<(Timestamp, Option<CommitId>)>), RepoError> {
        let mut ahead = self.ahead.remove(&place).unwrap_or_default();
        self.ahead_entries -= ahead.len();
        let known = ahead.len() as u64;
        if known < 2 && known < seq {
            let (book, name) = &self.places[place];
            let batch = (AHEAD / self.places.len()).clamp(BATCH.0, BATCH.1) as u64;
            let newest = seq - known;
            let seqs: Vec<u64> = (newest.saturating_sub(batch) + 1..=newest).rev().collect();
            let entries = self.repo.entries(book, name, seqs).await?;
            if !self.filter.path.is_root() {
                let commits = entries.iter().flat_map(|entry| entry.entry.requests());
                let commits = commits.filter_map(|request| request.commit).collect();
                self.states.look(&self.repo, &self.filter.path, commits).await?;
            }
            ahead.extend(entries);
        }
        let entry = ahead.pop_front().filter(|entry| entry.entry.seq == seq);
        let entry = entry.expect("what is read ahead begins with the entry to be told next");
        let before = ahead.front().map(|before| (before.entry.time, before.entry.target));
        if self.ahead_entries + ahead.len() <= AHEAD {
            self.ahead_entries += ahead.len();
            self.ahead.insert(place, ahead);
        }
        Ok((entry, before))
    }

    /// What each request of an entry did to the path.
    async fn changes(
        &mut self,
        entry: &LogEntry,
        mut previous: Option<CommitId>,
    ) -> Result<Vec<AuditItem>, RepoError> {
        let requests = entry.entry.requests();
        let is_group = requests.len() > 1;
        let (repo, path) = (self.repo.clone(), self.filter.path.clone());
        let mut items = Vec::new();
        for request in requests {
            let new = request.commit;
            let change = PathChange {
                previous: self.states.of(&repo, &path, previous).await?,
                new: self.states.of(&repo, &path, new).await?,
            };
            if change.previous != change.new && self.filter.entries.fits(&request) {
                let message = match new {
                    Some(commit) if is_group => {
                        subject_of(&repo.store.get_commit(&commit).await?.message)
                    }
                    _ => entry.entry.message.clone(),
                };
                let (entry, change) = (entry.clone(), Some(change));
                items.push(AuditItem { entry, request, message, previous, new, change });
            }
            previous = new;
        }
        // The last request did what is newest.
        items.reverse();
        Ok(items)
    }
}

/// A movement as a whole.
fn movement(entry: LogEntry, previous: Option<CommitId>) -> AuditItem {
    let (message, new) = (entry.entry.message.clone(), entry.entry.target);
    let request = Request {
        request_id: entry.entry.request_id.clone(),
        operation: entry.entry.operation.clone(),
        actor: entry.entry.actor.clone(),
        commit: new,
    };
    AuditItem { entry, request, message, previous, new, change: None }
}

impl Repository {
    /// The time and position of the newest entry of a log that is within the filter's times and
    /// not before the cursor in the order of an audit.
    async fn newest_wanted(
        &self,
        book: &BookId,
        name: &RefName,
        filter: &AuditFilter,
        after: Option<&AuditCursor>,
    ) -> Result<Option<(Timestamp, u64)>, RepoError> {
        let Some(mut newest) = self.store.refs().head(book, name).await? else {
            return Ok(None);
        };
        let mut until = filter.entries.until;
        let mut seq = newest.entry.seq;
        match after {
            Some(after) if after.name == *name => seq = seq.min(after.seq),
            Some(after) => {
                // Of entries of one time, those of names further on are still to come.
                let bound = if *name > after.name {
                    Some(after.time)
                } else {
                    after.time.as_micros().checked_sub(1).map(Timestamp::from_micros)
                };
                let Some(bound) = bound else { return Ok(None) };
                until = Some(until.map_or(bound, |until| until.min(bound)));
            }
            None => {}
        }
        if let Some(until) = until
            && newest.entry.time > until
        {
            seq = seq.min(self.newest_until(book, name, newest.entry.seq, until).await?);
        }
        if seq != newest.entry.seq {
            match self.entries(book, name, Vec::from_iter((seq > 0).then_some(seq))).await?.pop() {
                Some(entry) => newest = entry,
                None => return Ok(None),
            }
        }
        let is_over = filter.entries.is_over(&newest);
        Ok((!is_over).then_some((newest.entry.time, newest.entry.seq)))
    }
}
