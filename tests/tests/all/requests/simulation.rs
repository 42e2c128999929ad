//! The bucket that the counts are taken from: it counts, waits and refuses as it says.

use std::sync::Arc;
use std::time::Duration;

use cas_tests::counting::{CountingStore, Counts};
use cas_tests::simulated::{Network, SimulatedBucket};
use futures::StreamExt;
use futures::future::join_all;
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::path::Path as Key;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutMode, PutPayload};
use tokio::time::Instant;

fn bucket(network: Network) -> CountingStore<SimulatedBucket> {
    CountingStore::new(Arc::new(SimulatedBucket::new(network)))
}

#[tokio::test]
async fn every_request_is_counted_by_its_kind() {
    let store = bucket(Network::default());
    let (key, missing) = (Key::from("key"), Key::from("missing"));
    store.put(&key, "12345".into()).await.unwrap();
    store.put_opts(&key, "123".into(), PutMode::Create.into()).await.unwrap_err();
    store.get(&key).await.unwrap().bytes().await.unwrap();
    store.get(&missing).await.unwrap_err();
    store.head(&key).await.unwrap();
    store.list(None).collect::<Vec<_>>().await;
    store.list_with_delimiter(None).await.unwrap();
    let mut upload = store.put_multipart(&Key::from("large")).await.unwrap();
    upload.put_part(PutPayload::from_static(b"1234567")).await.unwrap();
    upload.complete().await.unwrap();
    store.delete(&key).await.unwrap();
    let expected = Counts {
        put: 2,
        put_refused: 1,
        get: 2,
        get_missing: 1,
        head: 1,
        list: 2,
        delete: 1,
        multipart: 3,
        other: 0,
        bytes_in: 5 + 3 + 7,
        bytes_out: 5,
    };
    assert_eq!(store.peak(), 1);
    assert_eq!(store.take(), expected);
    assert_eq!(store.take(), Counts::default());
}

#[tokio::test]
async fn a_list_is_billed_by_the_page() {
    let store = bucket(Network::default());
    for number in 0..1_001 {
        store.put(&Key::from(format!("keys/{number:04}")), "x".into()).await.unwrap();
    }
    for (prefix, keys, pages) in [("keys", 1_001, 2), ("none", 0, 1)] {
        store.take();
        assert_eq!(store.list(Some(&Key::from(prefix))).collect::<Vec<_>>().await.len(), keys);
        assert_eq!(store.take().list, pages);
        store.list_with_delimiter(Some(&Key::from(prefix))).await.unwrap();
        assert_eq!(store.take().list, pages);
    }
    let (mut token, mut seen) = (None, Vec::new());
    loop {
        let options = PaginatedListOptions {
            max_keys: Some(400),
            page_token: token,
            ..PaginatedListOptions::default()
        };
        let page = store.list_paginated(Some("keys/0"), options).await.unwrap();
        seen.extend(page.result.objects.into_iter().map(|meta| meta.location));
        token = page.page_token;
        if token.is_none() {
            break;
        }
    }
    assert!(seen.is_sorted());
    assert_eq!((seen.len(), store.take().list), (1_000, 3));
}

#[tokio::test(start_paused = true)]
async fn requests_wait_beside_each_other_and_share_the_line() {
    let latency = Duration::from_millis(100);
    let network = Network { latency, bytes_per_second: Some(1_000_000), ..Network::default() };
    let store = bucket(network);
    let puts = (0..10).map(|number| {
        let (store, key) = (store.clone(), Key::from(format!("{number}")));
        async move { store.put(&key, vec![0_u8; 100_000].into()).await.unwrap() }
    });
    let start = Instant::now();
    join_all(puts).await;
    assert_eq!(start.elapsed(), latency + Duration::from_secs(1));
    assert_eq!(store.peak(), 10);
    let start = Instant::now();
    store.get(&Key::from("0")).await.unwrap().bytes().await.unwrap();
    assert_eq!(start.elapsed(), latency + Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn a_key_takes_one_write_a_second() {
    let network = Network { write_interval: Some(Duration::from_secs(1)), ..Network::default() };
    let (store, key) = (bucket(network), Key::from("key"));
    store.put(&key, "first".into()).await.unwrap();
    let error = store.put(&key, "second".into()).await.unwrap_err();
    assert!(error.to_string().contains("429"), "{error}");
    store.put(&Key::from("other"), "first".into()).await.unwrap();
    tokio::time::advance(Duration::from_secs(1)).await;
    store.put(&key, "second".into()).await.unwrap();
}
