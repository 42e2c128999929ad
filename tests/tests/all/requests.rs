//! How many requests each operation makes, and how often it waits for the network.
//!
//! The numbers are exact, and those of `docs/costs.md`: whoever changes one of them changes the
//! other. Each repository here is one process that knows nothing of what others did.

mod binary;
mod checkouts;
mod edits;
mod imports;
mod personal;
mod refs;
mod simulation;
mod syncs;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cas_core::folder::{CheckoutOptions, CheckoutReport, ImportOptions, ImportReport, NoProgress};
use cas_core::name::{Actor, BookId, RefName, Revision};
use cas_core::repo::{Repository, VersionRequest};
use cas_core::store::{Bucket, Cache, Store};
use cas_tests::counting::{CountingStore, Counts};
use cas_tests::env::test_env;
use cas_tests::shape::Shape;
use cas_tests::simulated::{Network, SimulatedBucket};
use object_store::path::Path as Key;
use tempfile::TempDir;
use tokio::time::Instant;

/// Small, and yet of all the levels that a book has.
const BOOK: Shape = Shape { files: 30, folders: 10 };

/// A wave of requests takes this long. What else takes time, such as waiting for the next tick of
/// the file system's clock, takes less.
const LATENCY: Duration = Duration::from_secs(1);

/// A ref whose position is not known: a list of one key for the newest entry, and that entry.
const REF: Counts = counts(0, 1, 1);

/// The first move of a ref in a process, or in ten minutes: a list of one key, to see whether
/// garbage is being collected.
const LOOK: Counts = counts(0, 0, 1);

/// What a new version of a branch that is there costs beside its objects: its commit, a list for
/// the newest entry again, the next entry, and the look at garbage collection.
const NEXT: Counts = counts(2, 0, 1 + 1);

/// So many puts, gets and lists, and nothing else.
const fn counts(put: u64, get: u64, list: u64) -> Counts {
    Counts {
        put,
        put_refused: 0,
        get,
        get_missing: 0,
        head: 0,
        list,
        delete: 0,
        multipart: 0,
        other: 0,
        bytes_in: 0,
        bytes_out: 0,
    }
}

/// Puts, gets and lists of several steps together.
fn sum<const N: usize>(steps: [Counts; N]) -> Counts {
    let add = |all: Counts, step: Counts| {
        counts(all.put + step.put, all.get + step.get, all.list + step.list)
    };
    steps.into_iter().fold(Counts::default(), add)
}

/// A bucket and a user's disk.
struct Place {
    bucket: CountingStore<SimulatedBucket>,
    disk: TempDir,
    processes: AtomicU32,
}

impl Place {
    fn new() -> Self {
        Self::behind(Network::default())
    }

    /// Each request takes [`LATENCY`].
    fn slow() -> Self {
        Self::behind(Network { latency: LATENCY, ..Network::default() })
    }

    fn behind(network: Network) -> Self {
        Self {
            bucket: CountingStore::new(Arc::new(SimulatedBucket::new(network))),
            disk: tempfile::tempdir().unwrap(),
            processes: AtomicU32::new(0),
        }
    }

    /// A process that has just begun, and does as much at once as it likes.
    fn process(&self) -> Repository {
        self.process_with(None)
    }

    fn process_with(&self, cache: Option<Cache>) -> Repository {
        let env = test_env(self.processes.fetch_add(1, Ordering::Relaxed));
        let store = Arc::new(self.bucket.clone());
        let bucket = Bucket::remote(store.clone(), store, Key::from("shelf"));
        let mut store = Store::in_bucket(&bucket, &env);
        if let Some(cache) = cache {
            store = store.cached(cache);
        }
        Repository::new(store, env, Actor::parse("ada").unwrap(), usize::MAX)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.disk.path().join(name)
    }

    /// A folder with a book in it.
    fn book(&self, shape: Shape) -> PathBuf {
        let path = self.path("book");
        shape.write(&path).unwrap();
        path
    }

    /// The requests since the last call.
    fn take(&self) -> Counts {
        self.bucket.take().without_bytes()
    }

    /// The book, imported before anything is counted.
    async fn imported(&self, shape: Shape) -> PathBuf {
        let path = self.book(shape);
        import(&self.process(), &path, "main", &self.with_index()).await;
        self.take();
        path
    }

    /// The index that imports of the book keep.
    fn with_index(&self) -> ImportOptions {
        ImportOptions { index: Some(self.path("index")), ..ImportOptions::default() }
    }

    /// Imports the book once more and gives what that did and cost.
    async fn import_again(&self, options: &ImportOptions) -> (ImportReport, Counts) {
        self.take();
        let report = import(&self.process(), &self.path("book"), "main", options).await;
        (report, self.take())
    }

    /// Checks `main` out and gives what that did and cost.
    async fn checkout(&self, name: &str) -> (CheckoutReport, Counts) {
        self.take();
        let report = checkout(&self.process(), &self.path(name)).await;
        (report, self.take())
    }
}

/// How often the longest chain of requests waits, with nothing that holds any back.
async fn waves<T>(action: impl Future<Output = T>) -> (T, u64) {
    let start = Instant::now();
    let done = action.await;
    (done, start.elapsed().as_secs())
}

/// A wish that nobody had before.
fn request(branch: &str) -> VersionRequest {
    static WISHES: AtomicU32 = AtomicU32::new(1 << 31);
    let wish = WISHES.fetch_add(1, Ordering::Relaxed);
    VersionRequest {
        book: book(),
        branch: RefName::parse(branch).unwrap(),
        // No two commits are equal.
        message: format!("change {wish}"),
        request_id: test_env(wish).request_id(),
    }
}

async fn import(
    repo: &Repository,
    path: &Path,
    branch: &str,
    options: &ImportOptions,
) -> ImportReport {
    repo.import(path, &request(branch), options, Arc::new(NoProgress)).await.unwrap()
}

async fn checkout(repo: &Repository, path: &Path) -> CheckoutReport {
    let version = repo.open(&Revision::head(book(), RefName::main())).await.unwrap();
    let options = CheckoutOptions::default();
    repo.checkout(&version, path, &options, Arc::new(NoProgress)).await.unwrap()
}

fn book() -> BookId {
    BookId::parse("guide").unwrap()
}
