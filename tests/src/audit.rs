//! Whether what a bucket holds is whole, seen from outside: by its bytes, not by its answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use cas_core::store::{Bucket, Store};
use object_store::memory::InMemory;
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::env::test_env;
use crate::invariants;
use crate::place::block_on;

/// Whatever is wrong with the store at `prefix` in a bucket that holds `snapshot`: an entry that
/// names what is not there or not intact, a log that is no chain, an object that is not what its
/// key says.
///
/// # Panics
///
/// Never: memory takes every key.
pub fn faults(snapshot: &BTreeMap<String, Bytes>, prefix: &str) -> Vec<String> {
    let below = format!("{prefix}/");
    let objects: BTreeMap<Key, Bytes> = snapshot
        .iter()
        .filter_map(|(key, bytes)| Some((Key::from(key.strip_prefix(&below)?), bytes.clone())))
        .collect();
    block_on(async {
        let memory = InMemory::new();
        for (key, bytes) in &objects {
            memory.put(key, bytes.clone().into()).await.expect("memory takes every key");
        }
        let memory: Arc<dyn ObjectStore> = Arc::new(memory);
        let store = Store::in_bucket(&Bucket::new(memory), &test_env(0));
        let mut faults = invariants::linear(&store).await;
        faults.extend(invariants::closed(&store).await);
        faults.extend(invariants::immutable(&BTreeMap::new(), &objects));
        faults
    })
}
