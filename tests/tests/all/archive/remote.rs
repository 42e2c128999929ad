//! Archives out of a bucket: read ahead, but never far.

use std::sync::Arc;
use std::time::Duration;

use cas_core::repo::{ArchiveFormat, Repository};
use cas_core::store::{Bucket, Store};
use cas_tests::counting::CountingStore;
use cas_tests::env::test_env;
use cas_tests::planted::{Planted, plant};
use cas_tests::simulated::{Network, SimulatedBucket};
use futures::StreamExt;
use object_store::memory::InMemory;
use object_store::path::Path as Key;

use super::{archive, everything, in_memory, noise, read, repository, whole};

/// The same store, as it is over a network.
fn over_network(
    memory: Arc<InMemory>,
    network: Network,
) -> (CountingStore<SimulatedBucket>, Repository) {
    let bucket = CountingStore::new(Arc::new(SimulatedBucket::over(memory, network)));
    let store = Arc::new(bucket.clone());
    let place = Bucket::remote(store.clone(), store, Key::default());
    (bucket, repository(Store::in_bucket(&place, &test_env(5)), 16))
}

#[tokio::test]
async fn a_bucket_gives_the_same_bytes_as_any_store() {
    let (memory, plain) = in_memory();
    let tree = plant(plain.store(), &everything()).await;
    let (_, remote) = over_network(memory, Network::default());
    for format in ArchiveFormat::ALL {
        assert!(whole(&plain, tree, format).await == whole(&remote, tree, format).await);
    }
}

#[tokio::test(start_paused = true)]
async fn many_small_blobs_do_not_wait_for_one_another() {
    let latency = Duration::from_millis(100);
    let (memory, plain) = in_memory();
    let files: Vec<_> =
        (0..120).map(|n| Planted::file(format!("{n:03}"), noise(1000, n))).collect();
    let tree = plant(plain.store(), &files).await;
    let (bucket, remote) = over_network(memory, Network { latency, ..Network::default() });
    let start = tokio::time::Instant::now();
    whole(&remote, tree, ArchiveFormat::Zip).await;
    let waits = start.elapsed().as_millis() / latency.as_millis();
    assert!(waits <= 6, "{waits} waits for 120 blobs");
    assert_eq!(bucket.take().get, 1 + 120, "the root, and every blob once");
}

#[tokio::test]
async fn no_more_is_read_ahead_than_fits() {
    let (memory, plain) = in_memory();
    let files: Vec<_> =
        (0..40).map(|n| Planted::file(format!("{n:03}"), noise(500_000, n))).collect();
    let tree = plant(plain.store(), &files).await;
    let (bucket, remote) = over_network(memory, Network::default());
    let mut stream = archive(&remote, tree, ArchiveFormat::Tar).await.stream();
    bucket.take();
    stream.next().await.unwrap().unwrap();
    // Whatever is on its way gets through before anything more is asked for.
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    let begun = bucket.take().get;
    assert!((2..=9).contains(&begun), "{begun} blobs of 500 kB were begun for the first piece");
    drop(stream);
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(bucket.take().get, 0, "nobody reads on for a reader who went away");
    let tar = archive(&remote, tree, ArchiveFormat::Tar).await;
    let length = tar.length().unwrap();
    let range = tar.stream_range(length / 2..length).unwrap();
    assert_eq!(read(range).await.unwrap().len() as u64, length - length / 2);
}
