//! Everything that holds of a store, on S3 servers that we did not write: see
//! `tests/servers/README.md`. They are started by `tests/servers/run`, and named in a variable.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use cas_core::env::Env;
use cas_core::store::Store;
use cas_tests::cli::User;
use cas_tests::place::Place;
use cas_tests::suite;
use tokio::time::Instant;

use super::cli_over_s3::bucket_at;
use super::conformance::{conforms, marks};

/// A line `NAME URL` for each server.
const VARIABLE: &str = "CAS_TEST_STORES";

/// The servers on which racing writers all win: no store may be put on them.
const UNFIT: [&str; 2] = ["garage", "s3s-fs"];

/// The slow servers, and what is left out there. `SeaweedFS` serves racing writes of one key one after
/// the other: tests of many racers. moto is one Python process: real books, of which every version
/// takes thousands of requests.
const SLOW: [(&str, &[&str]); 2] = [
    ("seaweedfs", &["race::many_processes_make_one_store"]),
    ("moto", &["books::", "audit::path::invariant_attributed"]),
];

/// How many tests run at once.
const THREADS: usize = 4;

/// The servers, by name; none if there are none, which is then told.
fn servers(fit: bool) -> Vec<(String, String)> {
    let Ok(lines) = std::env::var(VARIABLE) else {
        cas_tests::skip_loudly(
            "there are no S3 servers: run the tests by tests/servers/run -- cargo test …",
        );
        return Vec::new();
    };
    let pairs = lines.lines().filter_map(|line| line.trim().split_once(' '));
    let all = pairs.map(|(name, url)| (name.to_owned(), url.trim().to_owned()));
    all.filter(|(name, _)| UNFIT.contains(&name.as_str()) != fit).collect()
}

/// What one test at a time holds of a server.
fn turn(name: &str) -> Arc<Mutex<()>> {
    static TURNS: Mutex<BTreeMap<String, Arc<Mutex<()>>>> = Mutex::new(BTreeMap::new());
    let mut turns = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(turns.entry(name.to_owned()).or_default())
}

/// Does something on every server that is fit or unfit, and tells how long it took. On all at once:
/// each server has most of the work itself, and some use one processor only. But on one server one
/// thing after the other: what is measured and proved is not to be that it is overloaded.
fn on_each(fit: bool, what: &str, action: impl Fn(&str, &str) + Sync) {
    std::thread::scope(|scope| {
        for (name, url) in servers(fit) {
            let action = &action;
            scope.spawn(move || {
                let turn = turn(&name);
                let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
                let start = Instant::now();
                action(&name, &url);
                let took = start.elapsed().as_secs_f64();
                cas_tests::tell(&format!("{name}: {what} in {took:.1} s"));
            });
        }
    });
}

#[test]
fn every_server_conforms() {
    on_each(true, "conforms", |_, url| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let env = Env::system();
            let made = std::cell::RefCell::new(Vec::new());
            let make = || {
                let place = Place::below(url);
                made.borrow_mut().push(place.clone());
                bucket_at(&place)
            };
            conforms(|| Store::in_bucket(&make(), &env)).await;
            marks(make).await;
        });
    });
}

/// Commands that only read, and those of personal branches: they ask of a bucket what others do as
/// well, and the server of this process shows what they do. Thousands of branches would take a slow
/// server many minutes.
const LIKE_OTHERS: [&str; 4] = ["cli_archive", "cli_search", "fleet::", "personal::"];

#[test]
fn every_server_holds_stores_for_all_commands_races_and_real_books() {
    on_each(true, "commands, races and books", |name, url| {
        let left_out = SLOW.iter().find(|(slow, _)| *slow == name).map_or(&[][..], |slow| slow.1);
        let left_out = [left_out, &LIKE_OTHERS].concat();
        let passed = suite::run_over(url, THREADS, &left_out);
        cas_tests::tell(&format!("{name}: {passed} tests passed, left out: {left_out:?}"));
    });
}

#[test]
fn doctor_finds_the_fit_servers_fit() {
    on_each(true, "doctor and init", |name, url| {
        let user = User::without_store_at(Place::below(url));
        let report = user.json(["doctor"]);
        assert_eq!((&report["ok"], &report["safe"]), (&true.into(), &true.into()), "{name}");
        cas_tests::tell(&format!("{name}: {}", report["measured"]));
        assert_eq!(user.stored(), [], "{name}: the proof leaves nothing");
        user.ok(["init"]);
        user.write("book/a.md", "a\n");
        user.ok(["import", "book", "guide"]);
        assert_eq!(user.ok(["cat", "guide", "a.md"]), "a\n");
        user.ok(["doctor"]);
    });
}

#[test]
fn doctor_and_init_refuse_the_unfit_servers() {
    on_each(false, "refused", |name, url| {
        let user = User::without_store_at(Place::below(url));
        let ran = user.run(["doctor"]);
        assert_eq!(ran.code(), 1, "{name}: {}{}", ran.stdout(), ran.stderr());
        assert!(ran.stderr().contains("cannot hold a store"), "{name}: {}", ran.stderr());
        cas_tests::tell(&format!("{name}: {}", ran.stderr().trim()));
        let said = user.fails(1, ["init"]);
        assert!(said.contains("cannot hold a store"), "{name}: {said}");
        assert_eq!(user.stored(), [], "{name}: the proof leaves nothing");
    });
}
