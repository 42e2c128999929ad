//! The proxy that disturbs what passes between a client and the S3 server.

use std::time::Duration;

use cas_tests::proxy::{Chaos, ChaosCounts, ChaosProxy, Disturbance};
use cas_tests::s3::Server;
use object_store::aws::AmazonS3;
use object_store::path::Path as Key;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, RetryConfig};
use tokio::time::Instant;

fn key() -> Key {
    Key::from("key")
}

/// A server, a proxy in front of it, and a client that goes through it and tries only once.
fn behind(seed: u64, rates: Chaos) -> (Server, ChaosProxy, AmazonS3) {
    let server = Server::start();
    let proxy = ChaosProxy::start(server.address(), seed, rates);
    let retry = RetryConfig { max_retries: 0, ..RetryConfig::default() };
    let client = server.client().with_endpoint(proxy.endpoint()).with_retry(retry);
    let store = client.build().unwrap();
    (server, proxy, store)
}

/// Puts and gets one after the other, and gives which of them succeeded.
async fn run(store: &AmazonS3, rounds: usize) -> Vec<bool> {
    let mut succeeded = Vec::new();
    for round in 0..rounds {
        let put = store.put(&key(), format!("{round:01000}").into()).await;
        succeeded.push(put.is_ok());
        let get = match store.get(&key()).await {
            Ok(result) => result.bytes().await,
            Err(error) => Err(error),
        };
        succeeded.push(get.is_ok());
    }
    succeeded
}

#[tokio::test]
async fn without_chaos_everything_passes() {
    let (server, proxy, store) = behind(1, Chaos::NONE);
    assert_eq!(run(&store, 20).await, [true; 40]);
    let missing = store.get(&Key::from("missing")).await;
    assert!(matches!(missing, Err(Error::NotFound { .. })), "answers pass as they are");
    assert_eq!(proxy.counts(), ChaosCounts { passed: 41, ..ChaosCounts::default() });
    assert_eq!(server.counts().requests(), 41);
}

#[tokio::test]
async fn dropped_requests_do_not_arrive() {
    let (server, proxy, store) = behind(1, Chaos { drop_request: 1000, ..Chaos::NONE });
    store.put(&key(), "x".into()).await.unwrap_err();
    assert_eq!(proxy.counts(), ChaosCounts { dropped_requests: 1, ..ChaosCounts::default() });
    assert_eq!(server.counts().requests(), 0);
}

#[tokio::test]
async fn requests_whose_answers_are_dropped_are_done() {
    let (server, proxy, store) = behind(1, Chaos { drop_answer: 1000, ..Chaos::NONE });
    store.put(&key(), "x".into()).await.unwrap_err();
    assert_eq!(proxy.counts(), ChaosCounts { dropped_answers: 1, ..ChaosCounts::default() });
    assert_eq!(server.snapshot()["key"], "x");
}

#[tokio::test]
async fn delays_are_as_long_as_decided() {
    let rates = Chaos { delay: 1000, max_delay: Duration::from_millis(80), ..Chaos::NONE };
    let (_server, proxy, store) = behind(1, rates);
    for number in 0..4 {
        let Disturbance::Delay(time) = rates.decide(1, number) else {
            panic!("a rate of 1,000 is always")
        };
        let start = Instant::now();
        store.put(&key(), "x".into()).await.unwrap();
        assert!(start.elapsed() >= time && time <= rates.max_delay);
    }
    assert_eq!(proxy.counts(), ChaosCounts { delayed: 4, ..ChaosCounts::default() });
}

#[tokio::test]
async fn a_duplicated_create_is_refused_by_itself() {
    let (server, proxy, store) = behind(1, Chaos { duplicate: 1000, ..Chaos::NONE });
    let created = store.put_opts(&key(), "x".into(), PutMode::Create.into()).await;
    assert!(matches!(created, Err(Error::AlreadyExists { .. })));
    assert_eq!(proxy.counts(), ChaosCounts { duplicated: 1, ..ChaosCounts::default() });
    assert_eq!((server.counts().put, server.counts().put_refused), (2, 1));
}

#[tokio::test]
async fn a_late_duplicate_comes_after_the_answer() {
    let rates = Chaos { late_duplicate: 1000, max_delay: Duration::from_millis(50), ..Chaos::NONE };
    let (server, proxy, store) = behind(1, rates);
    store.put_opts(&key(), "x".into(), PutMode::Create.into()).await.unwrap();
    assert_eq!(proxy.counts(), ChaosCounts { duplicated_late: 1, ..ChaosCounts::default() });
    let start = Instant::now();
    while server.counts().put_refused == 0 {
        assert!(start.elapsed() < Duration::from_secs(10), "the duplicate never came");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!((server.counts().put, server.counts().put_refused), (2, 1));
}

#[tokio::test]
async fn requests_that_are_cut_arrive_but_are_not_done() {
    let (server, proxy, store) = behind(1, Chaos { cut_request: 1000, ..Chaos::NONE });
    store.put(&key(), vec![0_u8; 1_000_000].into()).await.unwrap_err();
    assert_eq!(proxy.counts(), ChaosCounts { cut_requests: 1, ..ChaosCounts::default() });
    assert!(server.snapshot().is_empty());
    assert_eq!((server.counts().put, server.counts().bytes_in), (1, 0));
    assert!(matches!(store.get(&key()).await, Err(Error::NotFound { .. })), "no body to cut");
    assert_eq!(proxy.counts().passed, 1);
}

#[tokio::test]
async fn answers_that_are_cut_break_off() {
    let (server, proxy, store) = behind(1, Chaos { cut_answer: 1000, ..Chaos::NONE });
    server.insert("key", vec![0_u8; 100_000]);
    let result = store.get(&key()).await.unwrap();
    assert_eq!(result.meta.size, 100_000, "all is announced");
    result.bytes().await.unwrap_err();
    assert_eq!(proxy.counts(), ChaosCounts { cut_answers: 1, ..ChaosCounts::default() });
    assert_eq!(store.head(&key()).await.unwrap().size, 100_000, "no body to cut");
    assert_eq!(proxy.counts().passed, 1);
}

#[tokio::test]
async fn the_same_seed_disturbs_the_same_requests() {
    let rates = Chaos { max_delay: Duration::from_millis(2), ..Chaos::default() };
    let mut runs = Vec::new();
    for seed in [11, 11, 12] {
        let (_server, proxy, store) = behind(seed, rates);
        let succeeded = run(&store, 150).await;
        runs.push((succeeded, proxy.counts()));
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0].0, runs[2].0);
    let counts = runs[0].1;
    assert!(counts.kinds().iter().all(|count| *count > 0), "every kind happens: {counts:?}");
    assert_eq!(counts.requests(), 300);
}
