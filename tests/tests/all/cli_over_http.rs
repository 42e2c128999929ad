//! Everything that the command line does with a store in a folder, with a store behind a server.

use cas_tests::suite;

/// How many tests run at once: each has a server of its own.
const THREADS: usize = 4;

/// What cannot make sense there.
const SKIPPED: [&str; 0] = [];

#[test]
fn commands_races_and_real_books_are_the_same_over_http() {
    let passed = suite::run_over("http", THREADS, &SKIPPED);
    eprintln!("{passed} tests of the command line passed over HTTP");
    assert!(passed > 100, "only {passed} tests ran");
}
