//! The ref log in a bucket: one immutable entry for each position, written with put-if-absent.
//!
//! An update reads the newest entry (position n), checks the caller's expectation, and writes
//! entry n + 1 unless that key is taken. Exactly one writer wins each position; the others read
//! again. There is no lock, and no key is ever written twice.
//!
//! What the store says about a put is never taken at its word when it is anything but "done":
//! the answer to a put may be lost, the client library repeats puts by itself, and a bucket may
//! answer racing puts with a refusal although nothing landed. So the writer reads the position:
//! its own request id there is success, another's is a lost race, nothing there means try again
//! at the same position, where at most one of the tries can land.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};

use super::known::Known;
use super::many;
use super::signature::check_unsigned;
use super::upstream::carried;
use super::{Expectation, LogEntry, RefEntry, RefError, RefUpdate, UpdateOutcome};
use crate::env::Env;
use crate::error::ErrorKind;
use crate::limits;
use crate::name::{BookId, NameError, Operation, RefName, RequestId};
use crate::object::{DecodeError, check_message};
use crate::sign::SigningKey;
use crate::store::{Bucket, Put, Refs, StoreError, layout};

/// How often an update is tried against other writers before it gives up.
const ATTEMPTS: u32 = 1_000;

/// How often a position that cannot be read is asked about after a put of unknown fate.
const LOOKS: u32 = 4;

/// How often a put that failed and left nothing is tried again.
const FAILURES: u32 = 3;

/// How many of the newest entries are searched for what an earlier try of a request may have
/// left.
///
/// The search comes before the expectation is looked at: also an expectation that holds may hold
/// again, after somebody undid what the earlier try did.
pub(crate) const REPLAY_ENTRIES: u64 = 64;

/// How many entries are read at once.
const READS: usize = 16;

/// How many positions are looked at one by one before a list is cheaper.
const STEPS: u64 = 4;

/// Refs kept in a bucket.
///
/// The newest entry of a ref that was met before is remembered: entries never change or go, so
/// the newest one now is that one or comes after it.
#[derive(Debug, Clone)]
pub struct RefLog {
    bucket: Bucket,
    env: Env,
    known: Arc<Known>,
    /// Signs every entry that is written.
    key: Option<SigningKey>,
}

/// What an update is to do, as the log is now.
pub(super) enum Plan {
    /// Nothing: this is the answer.
    Answer(UpdateOutcome),
    /// To write this entry.
    Write(RefEntry),
}

/// Where an update begins.
enum Begun {
    /// At its end: an earlier try of it left this entry.
    Made(LogEntry),
    /// Behind this entry, which for a new ref was not looked for.
    At { head: Option<LogEntry>, unseen: bool },
}

/// What became of one attempt to write an entry.
enum Attempt {
    Won(LogEntry),
    Lost(LogEntry),
    /// Nothing is at the position; the error, if the put failed rather than being refused.
    Nothing(Option<StoreError>),
}

impl RefLog {
    /// The refs in `bucket`.
    pub fn new(bucket: Bucket, env: Env) -> Self {
        Self { bucket, env, known: Arc::default(), key: None }
    }

    /// The same refs, with every new entry signed by `key`.
    #[must_use]
    pub fn signed_by(self, key: SigningKey) -> Self {
        Self { key: Some(key), ..self }
    }

    /// The newest entry, by a list of one key.
    ///
    /// An update begins so even where an entry is known: if the bucket was emptied meanwhile, a
    /// list shows it, and the next position being free does not.
    async fn listed_head(
        &self,
        book: &BookId,
        name: &RefName,
    ) -> Result<Option<LogEntry>, RefError> {
        let Some(key) = self.bucket.newest_slot(&layout::log(book, name)).await? else {
            return Ok(None);
        };
        // Listing the log of a bucket lists folders below it as well: only a slot of this very log
        // tells its head.
        let seq = layout::slot_seq(&key).filter(|seq| layout::slot(book, name, *seq) == key);
        let Some(seq) = seq else {
            return Err(RefError::UnknownKey { key: key.to_string() });
        };
        if let Some(known) = self.known.get(book, name).filter(|known| known.entry.seq == seq) {
            return Ok(Some(known));
        }
        let found = self.entry(book, name, seq).await?;
        let gone = || DecodeError::Rule("it is listed but cannot be read".to_owned());
        let found = found.ok_or_else(|| damaged(book, name, seq, gone()))?;
        self.known.set(&found);
        Ok(Some(found))
    }

    /// The refs' bucket.
    pub(super) const fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    /// Remembers an entry that was written.
    pub(super) fn met(&self, entry: &LogEntry) {
        self.known.set(entry);
    }

    /// What `update` begins with: by the newest entry, or for a new ref without a look.
    pub(super) async fn plan(&self, update: &RefUpdate) -> Result<Plan, RefError> {
        match self.begin(update).await? {
            Begun::Made(entry) => Ok(Plan::Answer(UpdateOutcome::Moved(entry))),
            Begun::At { head, .. } => self.decide(update, head.as_ref()),
        }
    }

    /// Where in its log an update begins.
    async fn begin(&self, update: &RefUpdate) -> Result<Begun, RefError> {
        check_message(&update.message, limits::ENTRY_MESSAGE_BYTES)?;
        check_unsigned(&update.metadata)?;
        // A new ref is mostly what it is said to be: its first position is tried without looking.
        if update.expect == Expectation::Absent
            && update.target.is_some()
            && update.request_id.is_fresh()
        {
            return Ok(Begun::At { head: None, unseen: true });
        }
        let head = self.listed_head(&update.book, &update.name).await?;
        if let Some(head) = &head
            && let Some(found) = earlier_try(self, head, &update.request_id).await?
        {
            return Ok(Begun::Made(found));
        }
        Ok(Begun::At { head, unseen: false })
    }

    /// What an update is to do if `head` is the newest entry.
    fn decide(&self, update: &RefUpdate, head: Option<&LogEntry>) -> Result<Plan, RefError> {
        if let Some(head) = head.filter(|head| head.entry.made_by(&update.request_id).is_some()) {
            return Ok(Plan::Answer(UpdateOutcome::Moved(head.clone())));
        }
        if !update.expect.holds(head) {
            return Ok(Plan::Answer(UpdateOutcome::Refused(head.cloned())));
        }
        check_tag(update, head)?;
        if update.target.is_none() && Expectation::Absent.holds(head) && !forgets(update, head) {
            return Ok(Plan::Answer(UpdateOutcome::Refused(head.cloned())));
        }
        Ok(Plan::Write(self.next(update, head)?))
    }

    /// The entry that follows `head`.
    fn next(&self, update: &RefUpdate, head: Option<&LogEntry>) -> Result<RefEntry, NameError> {
        let now = self.env.clock.now();
        let entry = RefEntry {
            book: update.book.clone(),
            name: update.name.clone(),
            seq: head.map_or(1, |head| head.entry.seq + 1),
            previous: head.map(|head| head.id),
            target: update.target,
            actor: update.actor.clone(),
            // Clocks differ; a log's times never go back.
            time: head.map_or(now, |head| now.max(head.entry.time)),
            operation: update.operation.clone(),
            message: update.message.clone(),
            request_id: update.request_id.clone(),
            metadata: carried(&update.metadata, head)?,
        };
        // Last: a signature is over everything else.
        match &self.key {
            Some(key) => entry.signed(key),
            None => Ok(entry),
        }
    }

    /// Tries to write `entry` at its position.
    async fn attempt(&self, update: &RefUpdate, entry: RefEntry) -> Result<Attempt, RefError> {
        let key = layout::slot(&entry.book, &entry.name, entry.seq);
        let (id, bytes) = entry.to_stored();
        let put = self.bucket.put_if_absent(&key, bytes.into()).await;
        if matches!(put, Ok(Put::Created)) {
            return Ok(Attempt::Won(LogEntry { id, entry }));
        }
        let mut last = put.err();
        for look in 0..LOOKS {
            match self.entry(&entry.book, &entry.name, entry.seq).await {
                Ok(Some(found)) if found.entry.request_id == entry.request_id => {
                    // On a folder the only failure that leaves the entry in place is that of making
                    // it durable: it is there, but a power cut may take it back.
                    return match (last, self.bucket.as_local()) {
                        (Some(source), Some(_)) => Err(fate_unknown(update, source)),
                        _ => Ok(Attempt::Won(found)),
                    };
                }
                Ok(Some(found)) => return Ok(Attempt::Lost(found)),
                // Nothing there after a refusal: nobody wrote it. Nothing there after an error:
                // the put may still arrive. Trying the same position again is right in both
                // cases, because only one entry can ever land on it.
                Ok(None) => return Ok(Attempt::Nothing(last)),
                // Whatever stands in the way of looking, the entry may be there.
                Err(error) => {
                    last = Some(match error {
                        RefError::Store(error) => error,
                        other => StoreError::io("read the log")(std::io::Error::other(other)),
                    });
                    tokio::time::sleep(self.env.backoff(look)).await;
                }
            }
        }
        let source = last
            .unwrap_or_else(|| StoreError::io("read the log")(std::io::ErrorKind::TimedOut.into()));
        Err(fate_unknown(update, source))
    }

    /// Whether a put that failed and left nothing is over. On a folder it is; on a bucket it may
    /// still arrive, unless the bucket refused it for good.
    fn is_over(&self, error: &StoreError) -> bool {
        self.bucket.as_local().is_some() || error.kind() != ErrorKind::Unavailable
    }
}

#[async_trait]
impl Refs for RefLog {
    async fn head(&self, book: &BookId, name: &RefName) -> Result<Option<LogEntry>, RefError> {
        let Some(mut newest) = self.known.get(book, name) else {
            return self.listed_head(book, name).await;
        };
        for _ in 0..STEPS {
            match self.entry(book, name, newest.entry.seq + 1).await? {
                Some(next) => newest = next,
                None => {
                    self.known.set(&newest);
                    return Ok(Some(newest));
                }
            }
        }
        self.listed_head(book, name).await
    }

    async fn entry(
        &self,
        book: &BookId,
        name: &RefName,
        seq: u64,
    ) -> Result<Option<LogEntry>, RefError> {
        let key = layout::slot(book, name, seq);
        let Some(read) = self.bucket.read(&key, limits::ENTRY_BYTES as u64).await? else {
            return Ok(None);
        };
        match read {
            Ok(bytes) => entry_at(book, name, Some(seq), &bytes).map(Some),
            Err(size) => {
                let len = usize::try_from(size).unwrap_or(usize::MAX);
                let source = DecodeError::TooLong { len, limit: limits::ENTRY_BYTES };
                Err(damaged(book, name, seq, source))
            }
        }
    }

    async fn update(&self, update: &RefUpdate) -> Result<UpdateOutcome, RefError> {
        let (mut head, mut unseen) = match self.begin(update).await? {
            Begun::Made(entry) => return Ok(UpdateOutcome::Moved(entry)),
            Begun::At { head, unseen } => (head, unseen),
        };
        let mut failures = 0;
        // What the store said about a put at the position in question that may still arrive.
        let mut pending = None;
        for attempt in 0..ATTEMPTS {
            let entry = match self.decide(update, head.as_ref())? {
                Plan::Answer(outcome) => return Ok(outcome),
                Plan::Write(entry) => entry,
            };
            match self.attempt(update, entry).await? {
                Attempt::Won(entry) => {
                    self.known.set(&entry);
                    return Ok(UpdateOutcome::Moved(entry));
                }
                Attempt::Lost(winner) => {
                    // The position is another's: none of our puts can land there any more.
                    pending = None;
                    head = if std::mem::take(&mut unseen) {
                        self.listed_head(&update.book, &update.name).await?
                    } else {
                        self.newest_from(winner, &update.request_id).await?
                    };
                }
                Attempt::Nothing(error) => {
                    if let Some(source) = error {
                        failures += 1;
                        let over = self.is_over(&source);
                        if over && pending.is_none() {
                            return Err(source.into());
                        }
                        if over || failures >= FAILURES {
                            return Err(fate_unknown(update, source));
                        }
                        pending = Some(source);
                    }
                    tokio::time::sleep(self.env.backoff(attempt)).await;
                }
            }
        }
        if let Some(source) = pending {
            return Err(fate_unknown(update, source));
        }
        let (book, name) = (update.book.clone(), update.name.clone());
        Err(RefError::Contended { book, name, attempts: ATTEMPTS })
    }

    async fn update_all(&self, updates: &[RefUpdate]) -> Vec<Result<UpdateOutcome, RefError>> {
        if self.bucket.as_local().is_some() {
            many::in_folder(self, updates).await
        } else {
            many::one_by_one(self, updates).await
        }
    }

    async fn adopt(&self, adopted: &LogEntry) -> Result<(), RefError> {
        let RefEntry { book, name, seq, previous, .. } = &adopted.entry;
        let diverged = || RefError::Diverged { book: book.clone(), name: name.clone(), seq: *seq };
        if let Some(before) = seq.checked_sub(1).filter(|before| *before > 0) {
            let found = self.entry(book, name, before).await?;
            if found.map(|found| found.id) != *previous {
                return Err(diverged());
            }
        }
        let key = layout::slot(book, name, *seq);
        let bytes = Bytes::from(adopted.entry.to_stored().1);
        for attempt in 0..FAILURES {
            if attempt > 0 {
                tokio::time::sleep(self.env.backoff(attempt)).await;
            }
            let put = self.bucket.put_if_absent(&key, bytes.clone()).await;
            // What the store says is never taken at its word when it is anything but "done".
            if matches!(put, Ok(Put::Created)) {
                return Ok(());
            }
            match self.entry(book, name, *seq).await? {
                Some(found) if found.id == adopted.id => return Ok(()),
                Some(_) => return Err(diverged()),
                None => put.map(|_| ())?,
            }
        }
        Err(RefError::Contended { book: book.clone(), name: name.clone(), attempts: FAILURES })
    }

    fn updates_together(&self) -> usize {
        if self.bucket.as_local().is_some() { many::CHUNK } else { 512 }
    }

    async fn names(&self, book: &BookId) -> Result<Vec<RefName>, RefError> {
        let folders = self.bucket.folders(&layout::book(book)).await?;
        let mut names: Vec<_> =
            folders.iter().filter_map(|folder| RefName::from_escaped(folder)).collect();
        names.sort_unstable();
        Ok(names)
    }

    async fn books(&self) -> Result<Vec<BookId>, RefError> {
        let folders = self.bucket.folders(&layout::REFS.into()).await?;
        Ok(folders.iter().filter_map(|folder| BookId::parse(folder).ok()).collect())
    }
}

impl RefLog {
    /// The newest entry, or that of `request` if it comes before, knowing that `known` is an
    /// entry: the positions after it are read one by one, which for a writer that just lost a
    /// race is cheaper than a list.
    async fn newest_from(
        &self,
        known: LogEntry,
        request: &RequestId,
    ) -> Result<Option<LogEntry>, RefError> {
        let mut newest = known;
        while newest.entry.made_by(request).is_none()
            && let Some(next) =
                self.entry(&newest.entry.book, &newest.entry.name, newest.entry.seq + 1).await?
        {
            newest = next;
        }
        Ok(Some(newest))
    }
}

/// The entry that an earlier try of `request` left, if it is among the newest up to `head`. A
/// fresh request has no earlier try, and nothing is read.
///
/// An entry that cannot be read is an error: it may be the one.
pub(crate) async fn earlier_try(
    refs: &(impl Refs + ?Sized),
    head: &LogEntry,
    request: &RequestId,
) -> Result<Option<LogEntry>, RefError> {
    let RefEntry { book, name, seq, .. } = &head.entry;
    if request.is_fresh() {
        return Ok(None);
    }
    if head.entry.made_by(request).is_some() {
        return Ok(Some(head.clone()));
    }
    let oldest = seq.saturating_sub(REPLAY_ENTRIES).max(1);
    let entries = futures::stream::iter((oldest..*seq).rev())
        .map(|seq| refs.entry(book, name, seq))
        .buffered(READS);
    let mut found = std::pin::pin!(entries.try_filter_map(|entry| async move {
        Ok(entry.filter(|entry| entry.entry.made_by(request).is_some()))
    }));
    found.try_next().await
}

/// The entry that was kept or sent as the one at `seq` of a ref, or as its newest, if it is one.
pub(crate) fn entry_at(
    book: &BookId,
    name: &RefName,
    seq: Option<u64>,
    bytes: &[u8],
) -> Result<LogEntry, RefError> {
    let found = RefEntry::from_stored(bytes)
        .map_err(|source| damaged(book, name, seq.unwrap_or_default(), source))?;
    let entry = &found.entry;
    if entry.book != *book || entry.name != *name || seq.is_some_and(|seq| entry.seq != seq) {
        let place = format!("{}@{}#{}", entry.book, entry.name, entry.seq);
        let source = DecodeError::Rule(format!("it belongs at {place}"));
        return Err(damaged(book, name, seq.unwrap_or(entry.seq), source));
    }
    Ok(found)
}

fn damaged(book: &BookId, name: &RefName, seq: u64, source: DecodeError) -> RefError {
    RefError::Damaged { book: book.clone(), name: name.clone(), seq, source }
}

/// The error after a put that may have landed or may still.
pub(super) fn fate_unknown(update: &RefUpdate, source: StoreError) -> RefError {
    RefError::FateUnknown {
        book: update.book.clone(),
        name: update.name.clone(),
        request_id: update.request_id.to_repeat(),
        source,
    }
}

/// Whether a ref is to be forgotten that was only deleted.
fn forgets(update: &RefUpdate, head: Option<&LogEntry>) -> bool {
    update.operation == Operation::forget() && head.is_some_and(|head| !head.entry.forgets())
}

/// Tags are created once and can be deleted, and that is all.
fn check_tag(update: &RefUpdate, head: Option<&LogEntry>) -> Result<(), RefError> {
    let allowed = match head {
        None => true,
        Some(head) => head.entry.target.is_some() && update.target.is_none(),
    };
    if update.name.is_tag() && !allowed {
        return Err(RefError::TagMoves { book: update.book.clone(), name: update.name.clone() });
    }
    Ok(())
}
