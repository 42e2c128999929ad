//! The HTTP server through real sockets.

mod commits;
mod files;
mod grouping;
mod objects;
mod openapi;
mod races;
mod refs;
mod walkthrough;

use std::path::Path;

use cas_core::env::Env;
use cas_core::name::{Actor, BookId, RefName};
use cas_core::repo::Repository;
use cas_core::store::{Location, Store, Writers, connect, create};
use cas_tests::server::TestServer;
use cas_tests::web::{Answer, Client};
use serde_json::json;
use tempfile::TempDir;

/// Where the files of the test book are.
const FILES: &str = "/v1/books/guide/refs/main/files";

/// A store in a folder.
async fn store_at(folder: &Path) -> Store {
    let location = Location::Folder(folder.to_owned());
    let bucket = connect(&location, true, &std::collections::BTreeMap::new()).unwrap().bucket;
    create(&bucket, "a test's store", Writers::Any, &Env::system()).await.unwrap();
    Store::in_bucket(&bucket, &Env::system())
}

/// A server over a store in a folder, and a book in it.
struct Served {
    folder: TempDir,
    store: Store,
    server: TestServer,
}

impl Served {
    /// The book `guide`, without a file.
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = store_at(folder.path()).await;
        let server = TestServer::start(&store, &Env::system());
        let served = Self { folder, store, server };
        served.client().put("/v1/books/guide", "").await.expect(201);
        served
    }

    /// Another server over the same store, as another machine has it.
    async fn another(&self) -> TestServer {
        TestServer::start(&store_at(self.folder.path()).await, &Env::system())
    }

    /// A client that calls itself ada.
    fn client(&self) -> Client {
        self.server.client().with("cas-actor", "ada")
    }

    fn repo(&self) -> Repository {
        Repository::new(self.store.clone(), Env::system(), Actor::parse("test").unwrap(), 4)
    }
}

fn guide() -> (BookId, RefName) {
    (BookId::parse("guide").unwrap(), RefName::main())
}

/// The id of `bytes` as a blob.
fn id_of(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// An id as `If-Match` has it.
fn quoted(id: &str) -> String {
    format!("\"{id}\"")
}

/// Writes a file that is not there.
async fn create_file(client: &Client, path: &str, content: &'static str) -> Answer {
    client.put(&format!("{FILES}/{path}"), content).await.expect(201)
}

/// The body of a commit that puts these files.
fn puts(message: &str, files: &[(&str, &str)]) -> serde_json::Value {
    let edits: Vec<_> = files
        .iter()
        .map(|(path, text)| json!({ "op": "put", "path": path, "text": text }))
        .collect();
    json!({ "message": message, "edits": edits })
}
