//! Whether the store can be reached, asked about at most once a second.

use std::time::Duration;

use cas_core::name::BlobId;
use cas_core::object::Kind;
use cas_core::store::{Bucket, Store, StoreError};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::problem::chain;

/// How long an answer is good for.
const GOOD_FOR: Duration = Duration::from_secs(1);

/// How long a store may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether the store can be reached.
#[derive(Debug)]
pub(crate) struct Ready {
    store: Store,
    /// What the store is in; a store of another kind is asked about some object.
    bucket: Option<Bucket>,
    last: Mutex<Option<(Instant, bool)>>,
}

impl Ready {
    pub(crate) fn new(store: Store, bucket: Option<Bucket>) -> Self {
        Self { store, bucket, last: Mutex::default() }
    }

    /// Whether it can. Those who ask at once wait for one answer.
    pub(crate) async fn is_ready(&self) -> bool {
        let mut last = self.last.lock().await;
        if let Some((at, ready)) = *last
            && at.elapsed() < GOOD_FOR
        {
            return ready;
        }
        let ready = match timeout(PATIENCE, self.ask()).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::warn!(error = chain(&error), "the store cannot be reached");
                false
            }
            Err(_) => {
                tracing::warn!("the store did not answer within {} s", PATIENCE.as_secs());
                false
            }
        };
        *last = Some((Instant::now(), ready));
        ready
    }

    async fn ask(&self) -> Result<(), StoreError> {
        match &self.bucket {
            Some(bucket) => bucket.check_not_emptied().await,
            None => self.store.size(Kind::Blob, BlobId::of(b"").hash()).await.map(|_| ()),
        }
    }
}
