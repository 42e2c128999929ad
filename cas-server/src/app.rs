//! What every handler works with.

use std::sync::Arc;

use cas_core::access::Tokens;
use cas_core::env::Env;
use cas_core::name::Operation;
use cas_core::repo::{
    EditQueue, EditReport, EditedPaths, MergeMemo, PathEdit, RepoError, Repository, VersionRequest,
};
use cas_core::store::{Bucket, Store};
use tokio::sync::Semaphore;

use crate::access::Access;
use crate::caches::Caches;
use crate::caller::Caller;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::problem::Problem;
use crate::ready::Ready;

/// About how many bytes of what branches changed are remembered.
const EDITED_BYTES: u64 = 64 << 20;

/// What may be configured, with defaults that suit a small machine.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How many objects one request moves at once.
    pub jobs: usize,
    /// Largest content of one file in a request, in bytes.
    pub blob_limit: u64,
    /// Largest body that is held in memory (JSON, trees, commits), in bytes.
    pub body_limit: usize,
    /// Most entries of one page of a list.
    pub page_limit: usize,
    /// What clients may take of the server.
    pub limits: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            jobs: 16,
            blob_limit: 1024 * 1024 * 1024,
            body_limit: 32 * 1024 * 1024,
            page_limit: 1000,
            limits: Limits::default(),
        }
    }
}

/// A store being served. Clones share everything.
#[derive(Debug, Clone)]
pub struct App {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    env: Env,
    settings: Settings,
    edits: EditQueue,
    access: Access,
    /// One for each request that is answered at once.
    places: Arc<Semaphore>,
    metrics: Metrics,
    ready: Ready,
    /// What merges remember.
    merges: Arc<MergeMemo>,
    /// What previews of syncs remember.
    edited: Arc<EditedPaths>,
}

impl App {
    /// Serves `store` to everybody.
    pub fn new(store: Store, env: Env, settings: Settings) -> Self {
        Self::made(store, None, env, settings, Caches::default())
    }

    /// Serves `store`, which is in `bucket`, to those who show a token of it; to everybody while
    /// there is none. `caches` are those that the store is read through.
    pub fn in_bucket(
        bucket: &Bucket,
        store: Store,
        env: Env,
        settings: Settings,
        caches: Caches,
    ) -> Self {
        Self::made(store, Some(bucket.clone()), env, settings, caches)
    }

    fn made(
        store: Store,
        bucket: Option<Bucket>,
        env: Env,
        settings: Settings,
        caches: Caches,
    ) -> Self {
        let tokens = bucket.clone().map(|bucket| Tokens::new(bucket, env.clone()));
        let access = Access::new(tokens, env.clone(), &settings.limits);
        let places = Arc::new(Semaphore::new(settings.limits.requests));
        let metrics = Metrics::new(caches);
        let ready = Ready::new(store.clone(), bucket);
        let edits = EditQueue::default();
        let merges = Arc::default();
        let edited = Arc::new(EditedPaths::new(EDITED_BYTES));
        let inner =
            Inner { store, env, settings, edits, access, places, metrics, ready, merges, edited };
        Self { inner: Arc::new(inner) }
    }

    /// The store.
    pub(crate) fn store(&self) -> &Store {
        &self.inner.store
    }

    /// The clock and the source of randomness.
    pub(crate) fn env(&self) -> &Env {
        &self.inner.env
    }

    /// The settings.
    pub(crate) fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// Does edits in `caller`'s name, together with what else arrives for the same branch.
    pub(crate) async fn edit(
        &self,
        caller: &Caller,
        request: VersionRequest,
        operation: Operation,
        edits: Vec<PathEdit>,
    ) -> Result<EditReport, Problem> {
        let key = request.request_id.to_string();
        let (book, branch) = (request.book.clone(), request.branch.clone());
        let shown = |violations| caller.shown(&book, &branch, violations);
        match self.inner.edits.edit(&self.repo(caller), request, operation, edits).await {
            Ok(report) => Ok(EditReport { warnings: shown(report.warnings), ..report }),
            Err(RepoError::Schema { violations }) => {
                let error = RepoError::Schema { violations: shown(violations) };
                Err(Problem::from(error).of_request(&key))
            }
            Err(error) => Err(Problem::from(error).of_request(&key)),
        }
    }

    /// Who may do what.
    pub(crate) fn access(&self) -> &Access {
        &self.inner.access
    }

    /// The places for requests that are answered at once.
    pub(crate) fn places(&self) -> &Arc<Semaphore> {
        &self.inner.places
    }

    /// What is counted.
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    /// Which paths branches changed, as far as previews of syncs found out.
    pub(crate) fn edited(&self) -> &Arc<EditedPaths> {
        &self.inner.edited
    }

    /// Whether the store can be reached.
    pub(crate) async fn ready(&self) -> bool {
        self.inner.ready.is_ready().await
    }

    /// The repository as `caller` sees it: what is written is written in their name.
    pub(crate) fn repo(&self, caller: &Caller) -> Repository {
        let Inner { store, env, settings, merges, .. } = &*self.inner;
        Repository::new(store.clone(), env.clone(), caller.actor().clone(), settings.jobs)
            .with_merges(merges.clone())
    }
}
