//! Garbage collection: what goes, what stays, and that no writer is ever hurt.

mod crossings;
mod faults;
mod halves;
mod runs;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cas_core::env::Env;
use cas_core::folder::NoProgress;
use cas_core::name::{CommitId, Operation, RefName};
use cas_core::refs::{Expectation, RefLog};
use cas_core::repo::{Precondition, Repository};
use cas_core::store::{Bucket, BucketObjects, Store};
use cas_core::upkeep::{GcReport, GcRequest, Grace, Retention, Upkeep, UpkeepError};
use cas_tests::clocked::{ClockedStore, HandClock};
use cas_tests::invariants;
use object_store::ObjectStore;
use object_store::memory::InMemory;

use crate::world::{actor, book, is, put, request};

/// The grace period and a bit.
const GRACE: Duration = Duration::from_mins(24 * 60 + 1);

/// A book whose `main` was set back, so that a version is named by its log alone; and what a writer
/// that died left behind.
struct Shelf {
    memory: Arc<InMemory>,
    clock: HandClock,
    store: Arc<dyn ObjectStore>,
    repo: Repository,
    /// The version of `main` before the one that was left.
    base: CommitId,
    /// The version that `main` was set back from.
    left: CommitId,
}

impl Shelf {
    async fn new() -> Self {
        let (memory, clock) = (Arc::new(InMemory::new()), HandClock::new());
        let store: Arc<dyn ObjectStore> =
            Arc::new(ClockedStore::new(memory.clone(), clock.clone()));
        let repo = repository(&store, &clock, 1);
        let main = repo.ref_request(&book(), &RefName::main(), "begin");
        repo.create_book(&main).await.unwrap();
        let edits =
            [put("a.md", b"a", Precondition::Absent), put("d/b.md", b"b", Precondition::Absent)];
        let base = edit(&repo, "one", &edits).await;
        let left = edit(&repo, "two", &[put("d/b.md", b"left", is(b"b"))]).await;
        let asked = repo.ref_request(&book(), &RefName::main(), "back");
        repo.reset_branch(&asked, Expectation::Is(left), base).await.unwrap();
        let session = repo.store().session().await.unwrap();
        session.put_blob(b"orphan"[..].into()).await.unwrap();
        session.publish().await.unwrap();
        Self { memory, clock, store, repo, base, left }
    }

    async fn gc(&self) -> GcReport {
        self.gc_keeping(Retention::Newest(1)).await
    }

    async fn gc_keeping(&self, retention: Retention) -> GcReport {
        collect(&self.store, &self.clock, retention).await.unwrap()
    }

    /// Lets so much time pass that what is old is old, and what is due is due.
    fn wait(&self) {
        self.clock.advance(GRACE);
    }

    /// What any newest entry names is there.
    async fn check(&self, context: &str) {
        let plain = self.plain();
        assert_eq!(invariants::closed_heads(&plain).await, [""; 0], "closed: {context}");
        assert_eq!(invariants::linear(&plain).await, [""; 0], "linear: {context}");
    }

    fn plain(&self) -> Store {
        Store::in_bucket(&Bucket::new(self.store.clone()), &self.clock.env(77, Duration::ZERO))
    }

    async fn has(&self, commit: CommitId) -> bool {
        self.plain().get_commit(&commit).await.is_ok()
    }
}

fn repository(store: &Arc<dyn ObjectStore>, clock: &HandClock, seed: u32) -> Repository {
    let env = clock.env(seed, Duration::ZERO);
    Repository::new(Store::in_bucket(&Bucket::new(store.clone()), &env), env, actor("ada"), 1)
}

/// A writer that does not heed the lists: what the rules are for.
fn heedless(store: &Arc<dyn ObjectStore>, clock: &HandClock, seed: u32) -> Repository {
    let env = clock.env(seed, Duration::ZERO);
    Repository::new(heedless_store(Bucket::new(store.clone()), &env), env, actor("eve"), 1)
}

/// A store whose refs move without a look at the lists.
pub(crate) fn heedless_store(bucket: Bucket, env: &Env) -> Store {
    let objects = Arc::new(BucketObjects::new(bucket.clone(), env.clone()));
    Store::new(objects, Arc::new(RefLog::new(bucket, env.clone())))
}

async fn collect(
    store: &Arc<dyn ObjectStore>,
    clock: &HandClock,
    retention: Retention,
) -> Result<GcReport, UpkeepError> {
    run(store, clock, retention, Grace::Shared(Duration::from_hours(24))).await
}

/// Deletes at once, as somebody who is alone may.
async fn sweep(
    store: &Arc<dyn ObjectStore>,
    clock: &HandClock,
    retention: Retention,
) -> Result<GcReport, UpkeepError> {
    run(store, clock, retention, Grace::Alone(Duration::ZERO)).await
}

async fn run(
    store: &Arc<dyn ObjectStore>,
    clock: &HandClock,
    retention: Retention,
    grace: Grace,
) -> Result<GcReport, UpkeepError> {
    let request = GcRequest { actor: actor("gc"), retention, grace, dry_run: false };
    upkeep(store, clock).gc(&request).await
}

fn upkeep(store: &Arc<dyn ObjectStore>, clock: &HandClock) -> Upkeep {
    /// No two runs have one number.
    static RUNS: AtomicU32 = AtomicU32::new(500);
    // The machine that collects is ahead of the store: only the store's own time counts.
    let env = clock.env(RUNS.fetch_add(1, Ordering::Relaxed), Duration::from_hours(1));
    Upkeep::new(Bucket::new(store.clone()), env, 1, Arc::new(NoProgress))
}

async fn edit(repo: &Repository, id: &str, edits: &[cas_core::repo::PathEdit]) -> CommitId {
    let made = repo.edit(&request(&RefName::main(), id), Operation::put(), edits).await;
    made.unwrap().commit
}
