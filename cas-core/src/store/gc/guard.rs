//! Refs that never come to name what garbage collection is about to delete.
//!
//! Before a ref moves, everything that its new target reaches and its old one does not is held
//! against the lists of condemned objects that are open. What is on one counts as absent: it is put
//! again, and is looked at when no deletion that may have been under way can take effect any more.
//! Only a move that meets such an object waits; while no list is open nobody pays anything but one
//! look at the log of garbage collection every ten minutes.
//!
//! Why that is enough: a list that is published after that look is deleted a whole grace period
//! later, by a run that marks again and sees this ref. A list that was retired before the look was
//! deleted a whole grace period earlier, before this writer began, since no session lasts half as
//! long. All other lists are open.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::again::{Condemned, Objects, gone};
use super::{GcLog, Open};
use crate::env::{Env, Timestamp};
use crate::name::{BookId, CommitId, Hash, RefName, TreeId};
use crate::object::{Entry, Kind, Tree};
use crate::refs::{Expectation, LogEntry, RefError, RefLog, RefUpdate, UpdateOutcome, Upstream};
use crate::store::{Bucket, Refs, Store, StoreError};

/// How long what was read of the log of garbage collection is good for.
const GOOD_FOR: Duration = Duration::from_mins(10);

/// How many trees and commits are remembered to reach nothing that is condemned.
const REMEMBERED: usize = 1 << 20;

/// The refs of a bucket, guarded.
#[derive(Debug)]
pub(crate) struct GuardedRefs(Arc<Guard>);

#[derive(Debug)]
pub(super) struct Guard {
    pub(super) inner: RefLog,
    pub(super) objects: Objects,
    log: GcLog,
    seen: Mutex<Option<Seen>>,
    /// Held by whoever looks, so that others wait for what it sees.
    looking: tokio::sync::Mutex<()>,
}

/// What was seen of the log of garbage collection.
#[derive(Debug, Clone)]
struct Seen {
    at: Timestamp,
    /// The newest entry: while it is the same the lists are.
    head: Option<Hash>,
    open: Arc<Open>,
    /// What reaches nothing that is condemned, or nothing any more. By kind: a file may hold the
    /// very bytes of a tree.
    clean: Arc<Mutex<BTreeSet<(Kind, Hash)>>>,
}

/// What a walk has met.
#[derive(Debug, Default)]
pub(super) struct Walk {
    pub(super) waiting: Vec<Waiting>,
    pub(super) seen: BTreeSet<(Kind, Hash)>,
    condemned: Vec<Condemned>,
}

/// What is to be looked into.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) kind: Kind,
    pub(super) id: Hash,
    /// The tree at the same place that is known to be safe.
    beside: Option<TreeId>,
    /// Whether what names it is condemned, so that it may be gone although it is on no list.
    doubtful: bool,
}

impl Seen {
    /// Whether an object is known to reach nothing that is condemned.
    fn is_clean(&self, kind: Kind, id: Hash) -> bool {
        self.clean.lock().unwrap_or_else(PoisonError::into_inner).contains(&(kind, id))
    }
}

impl GuardedRefs {
    /// `refs` of `bucket`, and the `store` in it, read through no cache.
    pub(crate) fn new(bucket: Bucket, refs: RefLog, store: Store, env: Env) -> Self {
        Self(Arc::new(Guard {
            inner: refs,
            log: GcLog::new(bucket.clone(), env.clone()),
            objects: Objects { bucket, store, env },
            seen: Mutex::default(),
            looking: tokio::sync::Mutex::default(),
        }))
    }
}

impl Guard {
    /// Makes sure that what an update names is there to stay.
    async fn prepare(&self, update: &RefUpdate) -> Result<(), RefError> {
        self.check_duration(update)?;
        let Some(target) = update.target else {
            return Ok(());
        };
        // What the ref points at until it moves is safe until then, and needs no look.
        let before = match update.expect {
            Expectation::Is(commit) => Some(commit),
            Expectation::Absent | Expectation::Any => None,
        };
        self.secure(target, before, Upstream::base_of(&update.metadata)).await?;
        Ok(self.check_duration(update)?)
    }

    /// Makes sure that what these commits reach, and `before` does not, is there to stay.
    pub(super) async fn secure(
        &self,
        target: CommitId,
        before: Option<CommitId>,
        also: Option<CommitId>,
    ) -> Result<(), StoreError> {
        let mut seen = self.look().await?;
        while !seen.open.is_empty() {
            let error = match self.rescue(&seen, target, before, also).await {
                Err(error @ StoreError::BadGcLog { .. }) => error,
                done => return done,
            };
            // What is to be read of a list is removed when it is over, which may have been since.
            let head = seen.head;
            seen = self.look_anew().await?;
            if seen.head == head {
                return Err(error);
            }
        }
        Ok(())
    }

    pub(super) fn check_duration(&self, update: &RefUpdate) -> Result<(), StoreError> {
        update.check_duration(self.objects.env.clock.now())
    }

    /// What is open, as it was at most ten minutes ago.
    async fn look(&self) -> Result<Seen, StoreError> {
        let _looking = self.looking.lock().await;
        let known = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let now = self.objects.env.clock.now();
        let is_good = |seen: &Seen| {
            // A clock that was set back says nothing about how long it was.
            now.as_micros()
                .checked_sub(seen.at.as_micros())
                .is_some_and(|passed| u128::from(passed) < GOOD_FOR.as_micros())
        };
        match known.as_ref().filter(|seen| is_good(seen)) {
            Some(seen) => Ok(seen.clone()),
            None => self.read(known, now).await,
        }
    }

    /// What is open now.
    async fn look_anew(&self) -> Result<Seen, StoreError> {
        let _looking = self.looking.lock().await;
        let known = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.read(known, self.objects.env.clock.now()).await
    }

    /// What is open, read at `now`; what is known of it already is kept.
    async fn read(&self, known: Option<Seen>, now: Timestamp) -> Result<Seen, StoreError> {
        let head = self.log.head().await?;
        let hash = head.as_ref().map(|(hash, _)| *hash);
        let seen = match known.filter(|seen| seen.head == hash) {
            Some(seen) => Seen { at: now, ..seen },
            None => {
                let entry = head.as_ref().map(|(_, entry)| entry);
                let open = Open::read(&self.objects.bucket, &self.log, entry).await?;
                Seen { at: now, head: hash, open: Arc::new(open), clean: Arc::default() }
            }
        };
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen.clone());
        Ok(seen)
    }

    /// Puts again whatever is condemned of what `target` and `also` reach and `before` does not.
    async fn rescue(
        &self,
        seen: &Seen,
        target: CommitId,
        before: Option<CommitId>,
        also: Option<CommitId>,
    ) -> Result<(), StoreError> {
        let mut walk = Walk::default();
        for commit in [Some(target), also].into_iter().flatten() {
            walk.push(Kind::Commit, *commit.hash(), None, false);
        }
        let beside = match before {
            None => None,
            Some(before) => {
                readable(self.objects.store.get_commit(&before).await)?.map(|before| before.tree)
            }
        };
        while let Some(next) = walk.waiting.pop() {
            let Waiting { kind, id, .. } = next;
            if Some(CommitId(id)) == before && kind == Kind::Commit {
                continue;
            }
            if seen.is_clean(kind, id) || !walk.seen.insert((kind, id)) {
                continue;
            }
            let condemned = seen.open.condemned(kind, &id).await?;
            walk.condemned.extend(condemned.map(|since| (kind, id, since)));
            let doubtful = next.doubtful || condemned.is_some();
            match kind {
                Kind::Blob if next.doubtful && condemned.is_none() => {
                    self.objects.must_be_there(kind, id).await?;
                }
                Kind::Blob => {}
                Kind::Commit => {
                    let commit =
                        self.objects.store.get_commit(&CommitId(id)).await.map_err(gone)?;
                    for parent in &commit.parents {
                        walk.push(Kind::Commit, *parent.hash(), None, doubtful);
                    }
                    let beside = beside.filter(|_| id == *target.hash());
                    walk.push(Kind::Tree, *commit.tree.hash(), beside, doubtful);
                }
                Kind::Tree => self.look_into(&mut walk, next, doubtful).await?,
            }
        }
        let Walk { seen: met, condemned, .. } = walk;
        self.objects.put_again(condemned).await?;
        if before.is_none() {
            let mut clean = seen.clean.lock().unwrap_or_else(PoisonError::into_inner);
            if clean.len() > REMEMBERED {
                clean.clear();
            }
            clean.extend(met.into_iter().filter(|(kind, _)| *kind != Kind::Blob));
        }
        Ok(())
    }

    pub(super) async fn look_into(
        &self,
        walk: &mut Walk,
        next: Waiting,
        doubtful: bool,
    ) -> Result<(), StoreError> {
        if next.beside.is_some_and(|beside| *beside.hash() == next.id) {
            return Ok(());
        }
        let tree = self.objects.store.get_tree(&TreeId(next.id)).await.map_err(gone)?;
        let beside = match next.beside {
            None => Tree::default(),
            Some(beside) => {
                readable(self.objects.store.get_tree(&beside).await)?.unwrap_or_default()
            }
        };
        for entry in tree.entries() {
            let other = beside.get(entry.name.as_str());
            if other.is_some_and(|other| other.id == entry.id && other.kind == entry.kind) {
                continue;
            }
            let kind = if entry.kind.is_tree() { Kind::Tree } else { Kind::Blob };
            walk.push(kind, entry.id, other.and_then(Entry::tree_id), doubtful);
        }
        Ok(())
    }
}

/// What a ref points at until it moves, unless it is missing or damaged: it only spares work, and a
/// ref is to be moved away from such a version.
fn readable<T>(object: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match object {
        Ok(object) => Ok(Some(object)),
        Err(error) if error.is_of_object() => Ok(None),
        Err(error) => Err(error),
    }
}

impl Walk {
    pub(super) fn push(&mut self, kind: Kind, id: Hash, beside: Option<TreeId>, doubtful: bool) {
        self.waiting.push(Waiting { kind, id, beside, doubtful });
    }
}

#[async_trait]
impl Refs for GuardedRefs {
    async fn head(&self, book: &BookId, name: &RefName) -> Result<Option<LogEntry>, RefError> {
        self.0.inner.head(book, name).await
    }

    async fn entry(
        &self,
        book: &BookId,
        name: &RefName,
        seq: u64,
    ) -> Result<Option<LogEntry>, RefError> {
        self.0.inner.entry(book, name, seq).await
    }

    async fn update(&self, update: &RefUpdate) -> Result<UpdateOutcome, RefError> {
        self.0.prepare(update).await?;
        let outcome = self.0.inner.update(update).await?;
        self.0.check_late(update, &outcome).await?;
        Ok(outcome)
    }

    async fn update_all(&self, updates: &[RefUpdate]) -> Vec<Result<UpdateOutcome, RefError>> {
        let mut refused = Vec::new();
        let mut ready = Vec::with_capacity(updates.len());
        for (at, update) in updates.iter().enumerate() {
            match self.0.prepare(update).await {
                Ok(()) => ready.push(update.clone()),
                Err(error) => refused.push((at, error)),
            }
        }
        let mut answers = self.0.inner.update_all(&ready).await;
        for (update, answer) in ready.iter().zip(&mut answers) {
            if let Ok(outcome) = answer
                && let Err(error) = self.0.check_late(update, outcome).await
            {
                *answer = Err(error);
            }
        }
        for (at, error) in refused {
            answers.insert(at, Err(error));
        }
        answers
    }

    fn will_update(&self) {
        // Where looking takes a round trip, it is made while the rest is prepared.
        if self.0.objects.bucket.is_over_network() {
            let guard = self.0.clone();
            tokio::spawn(async move { guard.look().await.map(|_| ()) });
        }
    }

    fn updates_together(&self) -> usize {
        self.0.inner.updates_together()
    }

    async fn adopt(&self, entry: &LogEntry) -> Result<(), RefError> {
        if let Some(target) = entry.entry.target {
            let base = entry.entry.upstream().map(|upstream| upstream.base);
            self.0.secure(target, None, base).await?;
        }
        self.0.inner.adopt(entry).await
    }

    async fn may_be_collected(&self) -> Result<bool, RefError> {
        Ok(self.0.log.has_deleted().await?)
    }

    async fn names(&self, book: &BookId) -> Result<Vec<RefName>, RefError> {
        self.0.inner.names(book).await
    }

    async fn books(&self) -> Result<Vec<BookId>, RefError> {
        self.0.inner.books().await
    }
}
