//! Care for a store as a whole: checking, repairing, measuring and copying it.
//!
//! Where [`repo`](crate::repo) works on a book, this goes through everything that is stored, so it
//! works on the bucket itself and not through caches or a server. Memory stays bounded however
//! large the store is: what does not fit is kept in a temporary folder (`records`).

mod copy;
mod error;
mod forget;
mod fsck;
mod gc;
mod inventory;
mod reach;
mod records;
mod stats;

pub use copy::CopyReport;
pub use error::UpkeepError;
pub use forget::{Forgetting, Forgotten, ForgottenBranch, ForgottenObject};
pub use fsck::{Fault, FsckReport, FsckRequest, ObjectCount, Problem};
pub use gc::{GcReport, GcRequest, GcStatus, Grace, OpenList, Retention, Tally};
pub use stats::{BookStats, StoreStats};

use std::sync::Arc;

use crate::env::Env;
use crate::folder::Progress;
use crate::store::{Bucket, Store};

/// How many bytes of memory the lists of objects take before they move to a temporary folder.
const LISTS_BYTES: usize = 192 * 1024 * 1024;

/// A store as a whole.
#[derive(Debug, Clone)]
pub struct Upkeep {
    bucket: Bucket,
    /// The store in it, read through no cache.
    store: Store,
    env: Env,
    jobs: usize,
    progress: Arc<dyn Progress>,
}

impl Upkeep {
    /// The store in `bucket`. `jobs` is how many objects are read at once, at least 1.
    pub fn new(bucket: Bucket, env: Env, jobs: usize, progress: Arc<dyn Progress>) -> Self {
        let store = Store::in_bucket(&bucket, &env);
        Self { bucket, store, env, jobs: jobs.max(1), progress }
    }
}
