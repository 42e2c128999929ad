//! Everything that holds of a store in a folder, over the S3 server of this process.

use cas_core::env::Env;
use cas_core::store::{Bucket, Location, Store, connect};
use cas_tests::env::test_env;
use cas_tests::place::Place;
use cas_tests::s3::Server;
use cas_tests::suite;
use std::sync::Arc;

use super::conformance::{conforms, marks};

/// How many tests run at once: each has a server thread's worth of requests to wait for.
const THREADS: usize = 4;

#[test]
fn commands_races_and_real_books_are_the_same_over_s3() {
    let passed = suite::run_over("s3", THREADS, &[]);
    eprintln!("{passed} tests of the command line passed over S3");
    assert!(passed > 100, "only {passed} tests ran");
}

/// The bucket at a place of its own, as the binary finds it.
pub(super) fn bucket_at(place: &Place) -> Bucket {
    let location = Location::parse(&place.url().unwrap()).unwrap();
    connect(&location, true, &place.environment().into_iter().collect()).unwrap().bucket
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_conforms() {
    let server = Arc::new(Server::start());
    // Request ids of two stores never meet, and pauses are real: so is the clock.
    let env: Env = test_env(0);
    conforms(|| Store::in_bucket(&bucket_at(&Place::on(&server)), &env)).await;
    marks(|| bucket_at(&Place::on(&server))).await;
    assert_eq!(server.uploads(), 0);
}
