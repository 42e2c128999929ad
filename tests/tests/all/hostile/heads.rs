//! Heads of requests that are slow, huge, or none.

use cas_server::Limits;
use cas_tests::raw::Raw;

use super::{number, others_are_answered, served, short};

#[tokio::test]
async fn a_head_that_does_not_end_is_hung_up_on() {
    let server = served(short()).await;
    for begun in ["", "GET", "GET /healthz HTTP/1.1\r\nHost: x\r\n", "\r\n\r\n\r\n"] {
        let mut slow = Raw::connect(server.address()).await;
        slow.send(begun.as_bytes()).await;
        others_are_answered(&server).await;
        slow.hung_up().await;
    }
    assert!(number(&server, "cas_dropped_total{reason=\"slow_head\"}").await >= 4.0);
}

#[tokio::test]
async fn the_second_head_of_a_connection_is_timed_as_the_first() {
    let server = served(short()).await;
    let mut client = Raw::connect(server.address()).await;
    client.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(client.answer().await.unwrap().status, 200);
    client.send(b"GET /healthz HTTP/1.1\r\nHo").await;
    client.hung_up().await;
    let mut idle = Raw::connect(server.address()).await;
    idle.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(idle.answer().await.unwrap().status, 200);
    idle.hung_up().await;
}

#[tokio::test]
async fn huge_heads_are_refused() {
    let server = served(Limits { header_bytes: 16 * 1024, ..Limits::default() }).await;
    let long = format!("GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: {}\r\n\r\n", "a".repeat(20_000));
    let many = format!("GET /healthz HTTP/1.1\r\nHost: x\r\n{}\r\n", "X-A: a\r\n".repeat(500));
    let line = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(70_000));
    for head in [long, many, line] {
        let answer = Raw::ask(server.address(), head.as_bytes()).await;
        // Hung up on, if not everything was taken.
        assert!(answer.is_none_or(|answer| [414, 431].contains(&answer.status)));
        others_are_answered(&server).await;
    }
    // One that is within the limit goes through.
    let fits = format!("GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: {}\r\n\r\n", "a".repeat(10_000));
    assert_eq!(Raw::ask(server.address(), fits.as_bytes()).await.unwrap().status, 200);
}

#[tokio::test]
async fn what_is_no_request_is_refused() {
    let server = served(short()).await;
    for bad in [
        "GET\r\n\r\n",
        "GET /healthz\r\n\r\n",
        "GET /healthz HTTP/9.9\r\n\r\n",
        "GET  /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        "G\0T /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /health\x01z HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost x\r\n\r\n",
        "GET /healthz HTTP/1.1\r\n: x\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\nA\0: b\r\n\r\n",
        "\x16\x03\x01\x02\0\x01\0\x01\u{fc}\x03\x03",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "POST /v1/missing HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "POST /v1/missing HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "POST /v1/missing HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: nonsense\r\n\r\n",
        "POST /v1/missing HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ] {
        let answer = Raw::ask(server.address(), bad.as_bytes()).await;
        let refused = answer.as_ref().is_none_or(|answer| (400..500).contains(&answer.status));
        assert!(refused, "{bad:?}: {answer:?}");
        others_are_answered(&server).await;
    }
}

#[tokio::test]
async fn every_answer_says_its_request_id() {
    let server = served(Limits::default()).await;
    let client = server.client();
    let mut seen = std::collections::BTreeSet::new();
    for path in ["/healthz", "/nowhere", "/v1/blobs/x", "/v1/books/none"] {
        let answer = client.get(path).await;
        assert!(seen.insert(answer.header("cas-request-id").to_owned()), "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
    }
    let own = client.request("GET", "/nowhere").header("cas-request-id", "mine-1").send().await;
    assert_eq!(own.header("cas-request-id"), "mine-1");
    let bad = client.request("GET", "/nowhere").header("cas-request-id", "not well formed");
    let bad = bad.send().await;
    assert_eq!(bad.header("cas-request-id").len(), 32);
}
