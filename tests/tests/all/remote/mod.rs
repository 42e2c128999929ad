//! A store behind a server, through a real socket: what every store does, and what only such a
//! store has to.

mod conformance;

use cas_core::store::{Store, Variables, connect_server};
use cas_tests::env::test_env;
use cas_tests::server::TestServer;

/// The store of a server, as the command line finds it.
pub(super) fn store_of(url: &str) -> Store {
    connect_server(url, &Variables::new(), &test_env(9)).unwrap().store
}

/// The store of `server`.
pub(super) fn store_at(server: &TestServer) -> Store {
    store_of(server.url())
}
