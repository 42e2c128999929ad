//! Everything that the command line does with a store in a folder, with a store behind a server.

use std::sync::Arc;

use cas_tests::cli::User;
use cas_tests::place::{Place, Served};
use cas_tests::suite;

/// How many tests run at once: each has a server of its own.
const THREADS: usize = 4;

/// What cannot make sense there: stores are made where they are kept, never through a server.
const SKIPPED: [&str; 3] = [
    "a_store_that_was_named_is_never_made_by_accident",
    "init_answers_in_json_and_leaves_a_store_that_is_there_alone",
    "many_processes_make_one_store",
];

#[test]
fn commands_races_and_real_books_are_the_same_over_http() {
    let passed = suite::run_over("http", THREADS, &SKIPPED);
    eprintln!("{passed} tests of the command line passed over HTTP");
    assert!(passed > 100, "only {passed} tests ran");
}

#[test]
fn what_concerns_the_bucket_is_refused_with_where_to_do_it() {
    let user = User::at(Place::Http(Arc::new(Served::start())));
    for args in [vec!["init"], vec!["doctor"], vec!["doctor", "--single-writer"]] {
        let ran = user.run(args);
        assert_eq!(ran.code(), 1);
        assert!(ran.stderr().contains("is a server"), "{}", ran.stderr());
        assert!(ran.stderr().contains("hint: run this on the server's machine"));
    }
}

#[test]
fn a_token_is_told_of_and_never_shown() {
    const TOKEN: &str = "cas_0123456789abcdefghij";
    let user = User::at(Place::Http(Arc::new(Served::start())));
    let shown = |token: &str, args: &[&str]| {
        let output = user.command(args).env("CAS_TOKEN", token).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        assert!(!said.contains(token), "{said}");
        said
    };
    let said = shown(TOKEN, &["config", "show"]);
    assert!(said.contains("…ghij") && said.contains("the variable CAS_TOKEN"), "{said}");
    let said = shown("two words", &["books"]);
    assert!(said.contains("the token in CAS_TOKEN is none"), "{said}");
}

#[test]
fn a_server_that_is_not_there_or_is_something_else_is_told_with_a_hint() {
    let user = User::with_folder();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ran = user.run(["--store", &format!("http://{free}"), "books"]);
    assert_eq!(ran.code(), 1);
    assert!(ran.stderr().contains("cannot be reached"), "{}", ran.stderr());
    assert!(ran.stderr().contains("hint: check the address"), "{}", ran.stderr());
    let s3 = cas_tests::s3::Server::start();
    let ran = user.run(["--store", &s3.endpoint(), "books"]);
    assert_eq!(ran.code(), 1);
    assert!(ran.stderr().contains("no store is served at"), "{}", ran.stderr());
    let ran = user.run(["--store", "https://me:hush@books.example.org", "books"]);
    assert_eq!(ran.code(), 2);
    assert!(!ran.stderr().contains("hush"), "{}", ran.stderr());
}
