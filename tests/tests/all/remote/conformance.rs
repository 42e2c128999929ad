//! The suite that every store passes, against a live server.

use std::cell::RefCell;
use std::sync::Arc;

use cas_core::store::{Bucket, LocalStore, Store};
use cas_tests::env::test_env;
use cas_tests::server::TestServer;
use object_store::memory::InMemory;

use super::super::conformance::conforms;
use super::store_at;

/// Runs the suite on stores behind servers of their own.
async fn conforms_behind_a_server(make: impl Fn() -> Bucket) {
    let servers = RefCell::new(Vec::new());
    conforms(|| {
        let env = test_env(0);
        let server = TestServer::start(&Store::in_bucket(&make(), &env), &env);
        let store = store_at(&server);
        servers.borrow_mut().push(server);
        store
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_behind_a_server_conforms() {
    conforms_behind_a_server(|| Bucket::new(Arc::new(InMemory::new()))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn folder_behind_a_server_conforms() {
    let home = tempfile::tempdir().unwrap();
    let next = RefCell::new(0);
    conforms_behind_a_server(|| {
        *next.borrow_mut() += 1;
        let root = home.path().join(next.borrow().to_string());
        Bucket::local(LocalStore::create(&root).unwrap())
    })
    .await;
}
