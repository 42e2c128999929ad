//! What every handler works with.

use std::sync::Arc;

use cas_core::env::Env;
use cas_core::repo::Repository;
use cas_core::store::Store;

use crate::caller::Caller;

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
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            jobs: 16,
            blob_limit: 1024 * 1024 * 1024,
            body_limit: 32 * 1024 * 1024,
            page_limit: 1000,
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
}

impl App {
    /// Serves `store`.
    pub fn new(store: Store, env: Env, settings: Settings) -> Self {
        Self { inner: Arc::new(Inner { store, env, settings }) }
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

    /// The repository as `caller` sees it: what is written is written in their name.
    pub(crate) fn repo(&self, caller: &Caller) -> Repository {
        let Inner { store, env, settings } = &*self.inner;
        Repository::new(store.clone(), env.clone(), caller.actor().clone(), settings.jobs)
    }
}
