//! Imports and checkouts through a network that drops, delays, repeats and cuts.
//!
//! What is disturbed is decided by a seed and the number of the request; with several requests at
//! once their order, and so the run, differs a little each time. What must hold holds in each.

use std::sync::Arc;

use cas_core::env::Env;
use cas_core::folder::{CheckoutOptions, ImportMode, ImportOptions, NoProgress};
use cas_core::name::{Actor, BookId, RefName, Revision};
use cas_core::repo::{Repository, VersionRequest};
use cas_core::store::{Location, Store, connect};
use cas_tests::audit;
use cas_tests::cli::{User, snapshot};
use cas_tests::place::Place;
use cas_tests::proxy::{Chaos, ChaosProxy};
use cas_tests::s3::Server;
use std::time::Duration;

/// How many rounds of import and checkout the binary does in all, and how many the library.
const BINARY_ROUNDS: u32 = 24;
const LIBRARY_ROUNDS: u32 = 80;

/// The seeds; each has its own server and proxy, and an equal share of the rounds.
const SEEDS: [u64; 4] = [1, 20, 300, 4_000];

/// How many processes fight over one branch.
const WRITERS: usize = 12;

/// A server behind a bad network, and a user behind it.
struct Storm {
    seed: u64,
    server: Arc<Server>,
    proxy: ChaosProxy,
    user: User,
    prefix: String,
}

impl Storm {
    fn new(seed: u64) -> Self {
        let server = Arc::new(Server::start());
        let rates = Chaos { max_delay: Duration::from_millis(20), ..Chaos::default() };
        let proxy = ChaosProxy::start(server.address(), seed, rates);
        let place = Place::on(&server);
        let Place::Server(_, prefix) = place.clone() else { unreachable!("it is on a server") };
        Self { seed, server, proxy, user: User::at(place), prefix }
    }

    /// The store by way of the proxy.
    fn url(&self) -> String {
        self.server.url_through(&self.proxy.endpoint(), &self.prefix)
    }

    /// The next version of the book, of which a part differs from the one before.
    fn write(&self, round: u32) {
        for n in 0..8 {
            let of = if n % 4 == round % 4 { round } else { 0 };
            let text = format!("# Lesson {n}\n\nversion {of}\n").repeat(30);
            self.user.write(&format!("book/part{}/{n}.md", n % 3), text);
        }
        self.user.write("book/round.md", format!("{round}\n"));
    }

    /// What was acknowledged is there, whole, and so is everything that is named.
    fn audit(&self, what: &str) {
        let faults = audit::faults(&self.server.snapshot(), &self.prefix);
        assert!(faults.is_empty(), "seed {}, {what}: {faults:?}", self.seed);
    }

    /// What a good network says is the newest commit of the branch.
    fn head(&self) -> String {
        let log = self.user.json(["log", "guide", "-n", "1"]);
        log[0]["commit"].as_str().unwrap().to_owned()
    }

    fn assert_same(&self, out: &str, what: &str) {
        let (left, right) = (self.user.path(out), self.user.path("book"));
        assert_eq!(snapshot(&left), snapshot(&right), "seed {}, {what}", self.seed);
    }
}

/// Every kind of disturbance happened in one of the storms. Which in which depends on how many
/// requests there were.
fn assert_stormy(kinds: &[[u64; 8]]) {
    let sums: Vec<u64> = (0..8).map(|at| kinds.iter().map(|kinds| kinds[at]).sum()).collect();
    assert!(sums.iter().all(|count| *count > 0), "seeds {SEEDS:?}: {kinds:?}");
    cas_tests::tell(&format!("disturbances of each kind: {sums:?}"));
}

#[test]
fn invariant_certain_what_the_binary_acknowledges_through_chaos_is_whole() {
    let mut failed = 0;
    let mut kinds = Vec::new();
    for seed in SEEDS {
        let storm = Storm::new(seed);
        let url = storm.url();
        for round in 0..BINARY_ROUNDS / 4 {
            storm.write(round);
            let what = format!("round {round}");
            let ran = storm.user.run(["--store", &url, "import", "book", "guide", "--json"]);
            if ran.code() == 0 {
                let report: serde_json::Value = serde_json::from_str(&ran.stdout()).unwrap();
                assert_eq!(report["commit"], storm.head(), "seed {seed}, {what}");
            } else {
                failed += 1;
                assert!(ran.stderr().starts_with("error: "), "seed {seed}: {}", ran.stderr());
                storm.user.ok(["import", "book", "guide"]);
            }
            storm.audit(&what);
            let ran = storm.user.run(["--store", &url, "checkout", "guide", "out"]);
            if ran.code() != 0 {
                failed += 1;
                assert!(ran.stderr().starts_with("error: "), "seed {seed}: {}", ran.stderr());
                storm.user.ok(["checkout", "guide", "out"]);
            }
            storm.assert_same("out", &what);
        }
        assert_eq!(storm.user.json(["verify-log", "guide@main"])["ok"], true);
        kinds.push(storm.proxy.counts().kinds());
    }
    assert_stormy(&kinds);
    eprintln!("{failed} of {} commands failed aloud", 2 * BINARY_ROUNDS);
}

/// The repository behind the storm, as the binary would open it.
fn repository(storm: &Storm, env: &Env) -> Repository {
    let location = Location::parse(&storm.url()).unwrap();
    let variables = storm.server.environment().into_iter().collect();
    let bucket = connect(&location, false, &variables).unwrap().bucket;
    let actor = Actor::parse("tester").unwrap();
    Repository::new(Store::in_bucket(&bucket, env), env.clone(), actor, 8)
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_closed_what_the_library_acknowledges_through_chaos_is_whole() {
    let mut failed = 0;
    let mut kinds = Vec::new();
    for seed in SEEDS {
        let storm = Storm::new(seed + 1);
        let env = Env::system();
        let repo = repository(&storm, &env);
        let mut made = 0;
        for round in 0..LIBRARY_ROUNDS / 4 {
            storm.write(round);
            let what = format!("round {round}");
            let request = || VersionRequest {
                book: BookId::parse("guide").unwrap(),
                branch: RefName::main(),
                message: what.clone(),
                request_id: env.request_id(),
            };
            let book = storm.user.path("book");
            let options = ImportOptions::default();
            let import =
                || async { repo.import(&book, &request(), &options, Arc::new(NoProgress)).await };
            let report = loop {
                match import().await {
                    Ok(report) => break report,
                    Err(error) => {
                        failed += 1;
                        assert!(failed < LIBRARY_ROUNDS, "seed {seed}, {what}: {error}");
                    }
                }
            };
            made += u32::from(report.mode != ImportMode::Unchanged);
            storm.audit(&what);

            let out = storm.user.path("out");
            let revision: Revision = "guide".parse().unwrap();
            loop {
                let done = async {
                    let version = repo.open(&revision).await.map_err(|error| error.to_string())?;
                    let options = CheckoutOptions { index: true, ..CheckoutOptions::default() };
                    let done = repo.checkout(&version, &out, &options, Arc::new(NoProgress)).await;
                    done.map_err(|error| error.to_string())
                };
                match done.await {
                    Ok(report) => {
                        assert_eq!(report.commit.to_string(), storm.head(), "seed {seed}");
                        break;
                    }
                    Err(error) => {
                        failed += 1;
                        assert!(failed < LIBRARY_ROUNDS, "seed {seed}, {what}: {error}");
                    }
                }
            }
            storm.assert_same("out", &what);
        }
        eprintln!("seed {seed}: {made} versions");
        kinds.push(storm.proxy.counts().kinds());
    }
    assert_stormy(&kinds);
    eprintln!("{failed} of {} operations failed aloud and were done again", 2 * LIBRARY_ROUNDS);
}

#[test]
fn invariant_no_lost_update_of_processes_that_fight_through_chaos() {
    let storm = Storm::new(77);
    storm.user.write("book/shared.md", "as it was\n");
    storm.user.ok(["import", "book", "guide"]);
    let listed = storm.user.json(["ls", "guide", "shared.md"]);
    let seen = listed[0]["id"].as_str().unwrap().to_owned();
    let url = storm.url();
    let children: Vec<_> = (0..WRITERS)
        .map(|n| {
            let file = storm.user.write(&format!("new-{n}.md"), format!("written by {n}\n"));
            let own = format!("own/{n}.md");
            let file = file.to_str().unwrap().to_owned();
            let mut args = vec!["--store", &url, "put", "guide"];
            if n % 2 == 0 {
                args.extend(["shared.md", &file, "--expect", &seen]);
            } else {
                args.extend([own.as_str(), &file, "--create"]);
            }
            let mut command = storm.user.command(args);
            command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
            command.spawn().unwrap()
        })
        .collect();
    let ended: Vec<_> = children
        .into_iter()
        .map(|child| storm.user.ran(child.wait_with_output().unwrap()))
        .collect();
    let won: Vec<_> = (0..WRITERS).filter(|n| n % 2 == 0 && ended[*n].code() == 0).collect();
    assert!(won.len() <= 1, "two writers that expect the same both won: {ended:?}");
    let shared = storm.user.ok(["cat", "guide", "shared.md"]);
    for winner in won {
        assert_eq!(shared, format!("written by {winner}\n"), "seed {}", storm.seed);
    }
    for n in (1..WRITERS).step_by(2).filter(|n| ended[*n].code() == 0) {
        let own = storm.user.ok(["cat", "guide", &format!("own/{n}.md")]);
        assert_eq!(own, format!("written by {n}\n"));
    }
    assert!(ended.iter().all(|ran| matches!(ran.code(), 0 | 1 | 3)), "{ended:?}");
    assert!(ended.iter().any(|ran| ran.code() == 0), "{ended:?}");
    storm.audit("after the fight");
}
