//! The S3 server that tests use, when it is told to be bad: each way shows.

use std::time::Duration;

use cas_tests::s3::{Behaviour, Server};
use futures::TryStreamExt;
use object_store::aws::AmazonS3;
use object_store::path::Path as Key;
use object_store::{
    Error, ObjectStore, ObjectStoreExt, PutMode, PutPayload, PutResult, RetryConfig,
};
use tokio::time::Instant;

fn key() -> Key {
    Key::from("key")
}

/// A client that tries only once.
fn impatient(server: &Server) -> AmazonS3 {
    let retry = RetryConfig { max_retries: 0, ..RetryConfig::default() };
    server.client().with_retry(retry).build().unwrap()
}

async fn create(store: &AmazonS3, text: &str) -> Result<PutResult, Error> {
    store.put_opts(&key(), PutPayload::from(text.to_owned()), PutMode::Create.into()).await
}

async fn listed(store: &AmazonS3) -> Vec<String> {
    store.list(None).map_ok(|meta| meta.location.to_string()).try_collect().await.unwrap()
}

/// A good server that holds a long object, and a client that tries only once.
fn with_object() -> (Server, AmazonS3) {
    let server = Server::start();
    server.insert("key", vec![b'x'; 100_000]);
    let store = impatient(&server);
    (server, store)
}

#[tokio::test]
async fn conflicts_leave_nothing_written() {
    let server = Server::start_with(Behaviour { conflicts: 1, ..Behaviour::default() });
    let store = impatient(&server);
    // The client takes this answer for a key that is taken.
    assert!(matches!(create(&store, "x").await, Err(Error::AlreadyExists { .. })));
    assert!(server.snapshot().is_empty());
    assert_eq!(server.counts().put_refused, 1);
    create(&store, "x").await.unwrap();
}

#[tokio::test]
async fn writes_of_one_key_that_follow_too_soon_are_refused() {
    let hour = Some(Duration::from_hours(1));
    let server = Server::start_with(Behaviour { writes_per_key: hour, ..Behaviour::default() });
    let store = impatient(&server);
    store.put(&key(), "1".into()).await.unwrap();
    let error = store.put(&key(), "2".into()).await.unwrap_err();
    assert!(format!("{error:?}").contains("429"), "{error:?}");
    store.put(&Key::from("another"), "1".into()).await.unwrap();
    assert_eq!(server.snapshot()["key"], "1");
}

#[tokio::test]
async fn refused_writes_change_nothing() {
    let (server, store) = with_object();
    server.behave(|behaviour| behaviour.refuse_writes = true);
    let before = server.snapshot();
    let errors = [
        store.put(&key(), "2".into()).await.err(),
        store.delete(&key()).await.err(),
        store.put_multipart(&key()).await.err(),
    ];
    for error in errors {
        assert!(matches!(error, Some(Error::PermissionDenied { .. })), "{error:?}");
    }
    assert_eq!(server.snapshot(), before);
    store.get(&key()).await.unwrap();
}

#[tokio::test]
async fn waiting_takes_the_time_it_says() {
    let (server, store) = with_object();
    let get = || async { store.get(&key()).await.unwrap().bytes().await.unwrap() };
    server.behave(|behaviour| behaviour.latency = Duration::from_millis(50));
    let start = Instant::now();
    get().await;
    assert!(start.elapsed() >= Duration::from_millis(50));
    server.behave(|behaviour| {
        behaviour.latency = Duration::ZERO;
        behaviour.bytes_per_second = Some(1_000_000);
    });
    let start = Instant::now();
    assert_eq!(get().await.len(), 100_000);
    assert!(start.elapsed() >= Duration::from_millis(100));
    let start = Instant::now();
    store.put(&key(), vec![0_u8; 50_000].into()).await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(50));
}

#[tokio::test]
async fn throttled_requests_are_refused_and_then_no_more() {
    let server = Server::start_with(Behaviour { throttled: 3, ..Behaviour::default() });
    let error = impatient(&server).put(&key(), "x".into()).await.unwrap_err();
    assert!(format!("{error:?}").contains("503"), "{error:?}");
    server.object_store().put(&key(), "x".into()).await.unwrap();
    assert_eq!(server.counts().put, 4, "refused ones are counted as well");
}

#[tokio::test]
async fn credentials_expire_after_so_many_requests() {
    let (server, store) = with_object();
    server.behave(|behaviour| behaviour.expire_after = Some(2));
    store.get(&key()).await.unwrap();
    store.get(&key()).await.unwrap();
    for _ in 0..2 {
        let error = store.get(&key()).await.unwrap_err();
        assert!(format!("{error:?}").contains("ExpiredToken"), "{error:?}");
    }
    server.behave(|behaviour| behaviour.expire_after = None);
    store.get(&key()).await.unwrap();
}

#[tokio::test]
async fn a_skewed_clock_is_refused() {
    let (server, store) = with_object();
    server.behave(|behaviour| behaviour.clock_skew = true);
    let error = store.get(&key()).await.unwrap_err();
    assert!(format!("{error:?}").contains("RequestTimeTooSkewed"), "{error:?}");
}

#[tokio::test]
async fn puts_whose_answers_are_lost_are_done() {
    let server = Server::start_with(Behaviour { lose_answers: 1, ..Behaviour::default() });
    let error = create(&impatient(&server), "x").await.unwrap_err();
    assert!(!matches!(error, Error::AlreadyExists { .. }), "{error}");
    assert_eq!(server.snapshot()["key"], "x");
    assert_eq!(server.counts().put, 1);
}

#[tokio::test]
async fn what_a_client_replays_is_refused_though_it_was_done() {
    let server = Server::start();
    let store = server.object_store();
    server.behave(|behaviour| behaviour.lose_answers = 1);
    assert!(matches!(create(&store, "x").await, Err(Error::AlreadyExists { .. })));
    assert_eq!((server.counts().put, server.counts().put_refused), (2, 1));
    server.behave(|behaviour| behaviour.lose_completions = 1);
    let mut upload = store.put_multipart(&key()).await.unwrap();
    upload.put_part("y".into()).await.unwrap();
    assert!(matches!(upload.complete().await, Err(Error::NotFound { .. })));
    assert_eq!(server.snapshot()["key"], "y");
}

#[tokio::test]
async fn completions_whose_answers_are_lost_are_done() {
    let server = Server::start_with(Behaviour { lose_completions: 1, ..Behaviour::default() });
    let store = impatient(&server);
    let mut upload = store.put_multipart(&key()).await.unwrap();
    upload.put_part("x".into()).await.unwrap();
    upload.complete().await.unwrap_err();
    assert_eq!(server.snapshot()["key"], "x");
    assert_eq!(server.uploads(), 0);
}

#[tokio::test]
async fn cut_bodies_break_off_half_way() {
    let (server, store) = with_object();
    server.behave(|behaviour| behaviour.cut_bodies = 1);
    let result = store.get(&key()).await.unwrap();
    assert_eq!(result.meta.size, 100_000, "all is announced");
    let mut pieces = result.into_stream();
    let mut got = 0;
    let error = loop {
        match pieces.try_next().await {
            Ok(Some(piece)) => got += piece.len(),
            Ok(None) => panic!("a body that was cut ended well"),
            Err(error) => break error,
        }
    };
    assert_eq!(got, 50_000, "{error}");
    assert_eq!(server.counts().bytes_out, 50_000);
    assert_eq!(store.get(&key()).await.unwrap().bytes().await.unwrap().len(), 100_000);
}

#[tokio::test]
async fn a_client_asks_for_the_rest_of_a_cut_body() {
    let (server, _) = with_object();
    server.behave(|behaviour| behaviour.cut_bodies = 1);
    let bytes = server.object_store().get(&key()).await.unwrap().bytes().await.unwrap();
    assert_eq!(bytes.len(), 100_000);
    assert_eq!((server.counts().get, server.counts().bytes_out), (2, 100_000));
}

#[tokio::test]
async fn wrong_bytes_differ_in_one_bit() {
    let (server, store) = with_object();
    server.behave(|behaviour| behaviour.wrong_bytes = 1);
    let stored = &server.snapshot()["key"];
    let given = store.get(&key()).await.unwrap().bytes().await.unwrap();
    let differences = given.iter().zip(stored).map(|(a, b)| (a ^ b).count_ones());
    assert_eq!(differences.sum::<u32>(), 1);
    assert_eq!(store.get(&key()).await.unwrap().bytes().await.unwrap(), stored);
}

#[tokio::test]
async fn short_bodies_look_whole() {
    let (server, store) = with_object();
    server.behave(|behaviour| behaviour.short_bodies = 1);
    let result = store.get(&key()).await.unwrap();
    assert_eq!(result.meta.size, 50_000);
    assert_eq!(result.bytes().await.unwrap().len(), 50_000);
    assert_eq!(store.get(&key()).await.unwrap().meta.size, 100_000);
}

#[tokio::test]
async fn missing_keys_can_be_hidden() {
    let server = Server::start_with(Behaviour { hide_missing: true, ..Behaviour::default() });
    let store = impatient(&server);
    for error in [store.get(&key()).await.err(), store.head(&key()).await.err()] {
        assert!(matches!(error, Some(Error::PermissionDenied { .. })), "{error:?}");
    }
}

#[tokio::test]
async fn late_lists_do_not_show_what_was_just_written() {
    let (server, store) = with_object();
    server.behave(|behaviour| behaviour.late_lists = true);
    store.put(&Key::from("new"), "x".into()).await.unwrap();
    assert_eq!(listed(&store).await, ["key"]);
    store.get(&Key::from("new")).await.unwrap();
    server.behave(|behaviour| behaviour.late_lists = false);
    assert_eq!(listed(&store).await, ["key", "new"]);
}

#[tokio::test]
async fn reversed_lists_are_complete_over_pages() {
    let server = Server::start_with(Behaviour { reversed_lists: true, ..Behaviour::default() });
    let keys: Vec<_> = (0..1_100).map(|number| format!("{number:04}")).collect();
    for key in &keys {
        server.insert(key, "x");
    }
    let reversed: Vec<_> = keys.into_iter().rev().collect();
    assert_eq!(listed(&impatient(&server)).await, reversed);
    assert_eq!(server.counts().list, 2);
}

#[tokio::test]
async fn pages_end_after_so_many_items() {
    let server = Server::start();
    for n in 0..5 {
        server.insert(&format!("key{n}"), "x");
    }
    let store = server.object_store();
    for items in 1..=6 {
        server.behave(|behaviour| behaviour.items_per_page = Some(items));
        server.reset_counts();
        assert_eq!(listed(&store).await, ["key0", "key1", "key2", "key3", "key4"]);
        assert_eq!(server.counts().list, 5_usize.div_ceil(items) as u64, "{items} a page");
    }
}

#[tokio::test]
async fn repeated_items_come_twice() {
    let server = Server::start();
    for n in 0..3 {
        server.insert(&format!("key{n}"), "x");
    }
    server.behave(|behaviour| {
        (behaviour.items_per_page, behaviour.repeated_items) = (Some(1), true);
    });
    assert_eq!(listed(&server.object_store()).await, ["key0", "key0", "key1", "key1", "key2"]);
}

#[tokio::test]
async fn an_error_after_so_many_answers_is_200() {
    let (server, store) = with_object();
    server.behave(|behaviour| behaviour.error_after = Some(0));
    let bytes = store.get(&key()).await.unwrap().bytes().await.unwrap();
    assert!(bytes.starts_with(b"<?xml"), "{bytes:?}");
    assert_eq!(store.get(&key()).await.unwrap().bytes().await.unwrap().len(), 100_000);
    // What this client makes of one in place of a list: that nothing is there.
    server.behave(|behaviour| behaviour.error_after = Some(0));
    assert_eq!(listed(&store).await, [""; 0]);
}
