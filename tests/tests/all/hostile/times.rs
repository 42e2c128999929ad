//! Requests that take too long, and too many at once.

use std::sync::Arc;
use std::time::Duration;

use cas_server::{Limits, Settings};
use cas_tests::faulty::FaultyStore;
use cas_tests::raw::Raw;
use cas_tests::server::TestServer;
use object_store::memory::InMemory;
use tokio::sync::oneshot;

use super::{FILES, app, fill, number, others_are_answered, put_large, served, short};

#[tokio::test]
async fn a_reader_that_does_not_read_is_dropped() {
    let server = served(short()).await;
    let path = put_large(&server, 32 << 20).await;
    let mut lazy = Raw::connect(server.address()).await;
    lazy.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await;
    let dropped = "cas_dropped_total{reason=\"slow_reader\"}";
    let seen = tokio::time::timeout(Duration::from_secs(20), async {
        while number(&server, dropped).await < 1.0 {
            tokio::task::yield_now().await;
        }
    });
    seen.await.expect("the reader is dropped");
    // What is left in the buffers is not the whole file.
    assert_eq!(lazy.answer().await, None);
    others_are_answered(&server).await;
}

#[tokio::test]
async fn too_many_requests_are_refused_at_once_and_health_is_not() {
    let limits = Limits { requests: 2, ..Limits::default() };
    let server = served(limits).await;
    let mut busy = Vec::new();
    for name in ["one", "two"] {
        let mut raw = Raw::connect(server.address()).await;
        let head = format!(
            "PUT {FILES}/{name}.md HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
        );
        raw.send(head.as_bytes()).await;
        // It is being answered: its body is asked for.
        assert_eq!(raw.answer().await.unwrap().status, 100);
        busy.push(raw);
    }
    let client = server.client();
    let refused = client.get("/v1/books").await.expect(503);
    assert_eq!(refused.code(), "overloaded");
    assert!(!refused.header("retry-after").is_empty());
    client.get("/healthz").await.expect(200);
    client.get("/readyz").await.expect(200);
    for raw in &mut busy {
        raw.send(b"bytes").await;
        assert_eq!(raw.answer().await.unwrap().status, 201);
    }
    drop(busy);
    client.get("/v1/books").await.expect(200);
}

/// A server over a store whose `n`-th call from now on takes until it is let go.
async fn stuck(n: u64) -> (TestServer, oneshot::Sender<()>) {
    let faulty = FaultyStore::new(Arc::new(InMemory::new()));
    let limits = Limits { request_timeout: Duration::from_millis(300), ..Limits::default() };
    let settings = Settings { limits, ..Settings::default() };
    let server = TestServer::start_app(app(Arc::new(faulty.clone()), settings).await);
    fill(&server).await;
    let (let_go, gone) = oneshot::channel();
    let _ = faulty.with_hook(n, || async {
        let _ = gone.await;
    });
    (server, let_go)
}

#[tokio::test]
async fn a_question_that_takes_too_long_may_be_asked_again() {
    let (server, _stuck) = stuck(1).await;
    let path = format!("/v1/blobs/{}", "0".repeat(64));
    let client = server.client();
    assert_eq!(client.get(&path).await.expect(503).code(), "timed_out");
    client.get(&path).await.expect(404);
    others_are_answered(&server).await;
}

#[tokio::test]
async fn of_a_change_that_takes_too_long_the_fate_is_unknown() {
    let mut fates = 0;
    for n in 1..=4 {
        let (server, let_go) = stuck(n).await;
        let path = format!("{FILES}/large.bin");
        let put = || {
            let request = server.client().request("PUT", &path).header("idempotency-key", "key-1");
            request.body("content").send()
        };
        let first = put().await;
        if first.status == 503 {
            assert_eq!(first.code(), "fate_unknown");
            assert_eq!(first.json()["request_id"], "key-1");
            fates += 1;
        }
        // Once the store answers again: repeated with the same key, it is done, and once.
        drop(let_go);
        put().await.expect(201);
        let log = server.client().get("/v1/books/guide/refs/main/log").await.expect(200).json();
        let entries = log["entries"].as_array().unwrap();
        let of_key = entries.iter().filter(|entry| entry["request_id"] == "key-1").count();
        assert_eq!(of_key, 1, "{log}");
    }
    assert!(fates > 0, "no call of the store was met");
}
