//! Clients that break every rule, through real sockets: the server stays up and answers others.

mod bodies;
mod crowds;
mod heads;
mod paths;
mod stopping;
mod times;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cas_core::env::Env;
use cas_core::store::{Bucket, Store, Writers, create};
use cas_server::{App, Limits, Settings};
use cas_tests::server::TestServer;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use serde_json::json;

/// Where the files of the book are.
const FILES: &str = "/v1/books/guide/refs/main/files";

/// Limits that clients in a hurry meet soon.
fn short() -> Limits {
    Limits {
        header_timeout: Duration::from_millis(300),
        idle_timeout: Duration::from_millis(600),
        least_rate: 100_000,
        rate_window: Duration::from_millis(300),
        ..Limits::default()
    }
}

/// A server over a book with one file.
async fn served(limits: Limits) -> TestServer {
    served_with(Settings { limits, ..Settings::default() }).await
}

async fn served_with(settings: Settings) -> TestServer {
    let server = TestServer::start_app(app(Arc::new(InMemory::new()), settings).await);
    fill(&server).await;
    server
}

async fn app(store: Arc<dyn ObjectStore>, settings: Settings) -> App {
    let bucket = Bucket::new(store);
    create(&bucket, "a test's store", Writers::Any, &Env::system()).await.unwrap();
    App::new(Store::in_bucket(&bucket, &Env::system()), Env::system(), settings)
}

async fn fill(server: &TestServer) {
    let client = server.client();
    client.put("/v1/books/guide", "").await.expect(201);
    client.put(&format!("{FILES}/a.md"), "text").await.expect(201);
}

/// Puts a file of so many bytes, and gives its path.
async fn put_large(server: &TestServer, bytes: usize) -> String {
    let content = Bytes::from((0..=250).cycle().take(bytes).collect::<Vec<u8>>());
    let path = format!("{FILES}/large.bin");
    server.client().put(&path, content).await.expect(201);
    path
}

/// Fails unless others are answered, and the book is what it was.
async fn others_are_answered(server: &TestServer) {
    let client = server.client();
    assert_eq!(client.get("/healthz").await.expect(200).text(), "ok\n");
    assert_eq!(client.get(&format!("{FILES}/a.md")).await.expect(200).text(), "text");
    let listed = client.get(&format!("{FILES}?recursive=true")).await.expect(200).json();
    let paths: Vec<_> = listed["entries"].as_array().unwrap().iter().map(|e| &e["path"]).collect();
    let known = [json!("a.md"), json!("large.bin")];
    assert!(paths.iter().all(|path| known.contains(path)), "{paths:?}");
}

/// What `/metrics` says of a number.
async fn number(server: &TestServer, name: &str) -> f64 {
    let text = server.client().get("/metrics").await.expect(200).text();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok()).unwrap_or(0.0)
}
