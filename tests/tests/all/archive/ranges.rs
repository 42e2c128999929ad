//! Any range of a tar is the same slice of the whole, and costs no more than it must.

use cas_core::repo::ArchiveFormat;
use cas_tests::counting::CountingStore;
use cas_tests::planted::{Planted, plant};
use proptest::prelude::*;

use super::{archive, everything, in_memory, noise, read, repository, whole};

#[test]
fn every_range_of_a_tar_is_a_slice_of_it() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (_, repo) = in_memory();
    let (tree, all) = runtime.block_on(async {
        let tree = plant(repo.store(), &everything()).await;
        (tree, whole(&repo, tree, ArchiveFormat::Tar).await)
    });
    let length = all.len();
    let check = |start: usize, end: usize| {
        let found = runtime.block_on(async {
            let tar = archive(&repo, tree, ArchiveFormat::Tar).await;
            let range = tar.stream_range(start as u64..end as u64).unwrap();
            read(range).await.unwrap()
        });
        let (start, end) = (start.min(length), end.min(length));
        assert!(found == all[start..end.max(start)], "{start}..{end}");
    };
    // Around every block in which something begins or ends, and the ends of the whole.
    for edge in [0, 1, 511, 512, 513, 1024, length - 1025, length - 1024, length - 1, length] {
        check(edge, length);
        check(edge, edge);
        check(edge, edge + 1);
        check(edge, edge + 700);
        check(0, edge);
    }
    check(0, usize::MAX);
    check(length + 5, length + 10);
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) };
    proptest!(config, |(start in 0..length, size in prop_oneof![0_usize..2000, 0..length])| {
        check(start, start + size);
    });
}

#[tokio::test]
async fn a_range_reads_only_the_blobs_that_it_touches() {
    let (memory, plain) = in_memory();
    let files: Vec<_> = (0..20).map(|n| Planted::file(format!("{n:02}"), noise(1000, n))).collect();
    let tree = plant(plain.store(), &files).await;
    let counting = std::sync::Arc::new(CountingStore::new(memory));
    let env = cas_tests::env::test_env(9);
    let repo = repository(super::store_of(counting.clone(), &env), 1);
    let entry = 512 + 1024;
    let tar = archive(&repo, tree, ArchiveFormat::Tar).await;
    counting.take();
    let range = tar.stream_range(entry * 10 + 600..entry * 11 + 600).unwrap();
    assert_eq!(read(range).await.unwrap().len() as u64, entry);
    assert_eq!(counting.take().get, 2, "the tenth and the eleventh");
}

#[tokio::test]
async fn only_a_tar_has_ranges() {
    let (_, repo) = in_memory();
    let tree = plant(repo.store(), &everything()).await;
    for format in [ArchiveFormat::TarZst, ArchiveFormat::Zip] {
        assert!(archive(&repo, tree, format).await.stream_range(0..10).is_none());
    }
}
