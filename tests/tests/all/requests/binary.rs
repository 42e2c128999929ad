//! The same counts of HTTP requests, made by the real binary: each command reads the store's
//! marker as well.

use std::process::Stdio;

use cas_tests::cli::User;
use cas_tests::counting::Counts;
use cas_tests::s3::Server;
use cas_tests::shape::edit;

use super::{BOOK, LOOK, NEXT, REF, counts, sum};

/// What every command begins with.
const MARKER: Counts = counts(0, 1, 0);

/// The commit that a branch points at.
const COMMIT: Counts = counts(0, 1, 0);

/// Before a branch that is new gets its first entry, many objects later, the marker is looked for
/// once more.
const STILL_THERE: Counts = counts(0, 1, 0);

/// Runs a command against the server, and gives the requests that arrived.
fn requests(user: &User, server: &Server, args: &[&str]) -> Counts {
    server.reset_counts();
    let mut command = user.command(args);
    command.env("CAS_STORE", server.url("shelf")).envs(server.environment());
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    server.counts().without_bytes()
}

#[test]
fn the_binary_makes_the_requests_that_are_promised_and_reads_the_marker() {
    let (server, user) = (Server::start(), User::without_store());
    requests(&user, &server, &["init"]);
    std::fs::create_dir(user.path("book")).unwrap();
    BOOK.write(&user.path("book")).unwrap();
    let run = |args: &[&str]| requests(&user, &server, args);

    let import = ["import", "book", "guide"];
    assert_eq!(run(&import), sum([MARKER, counts(30 + 10 + 2, 0, 1), LOOK, STILL_THERE]));
    assert_eq!(run(&import), sum([MARKER, REF, COMMIT]));

    let checkout = ["checkout", "guide", "out"];
    assert_eq!(run(&checkout), sum([MARKER, REF, COMMIT, counts(0, 30 + 10, 0)]));
    assert_eq!(run(&checkout), sum([MARKER, REF, COMMIT]));

    edit(&user.path("book"), &["part-01/chapter-01/page-001.md".to_owned()], 2).unwrap();
    assert_eq!(run(&import), sum([MARKER, REF, COMMIT, counts(1 + 3, 3, 0), NEXT]));
    assert_eq!(run(&checkout), sum([MARKER, REF, COMMIT, counts(0, 1 + 3, 0)]));

    assert_eq!(run(&["branch", "create", "guide@users/ada"]), sum([MARKER, counts(1, 3, 1), LOOK]));
}
