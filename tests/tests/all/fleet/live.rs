//! What readers of a live branch see.

use cas_tests::cli::User;
use serde_json::Value;

use super::{book, cat, lesson, put};

/// How many log entries each reader's branch has.
fn entries(user: &User) -> Vec<u64> {
    let listed = user.json(["branch", "list", "guide", "users/*"]);
    listed.as_array().unwrap().iter().map(|branch| branch["seq"].as_u64().unwrap()).collect()
}

/// The newest commit of a log with this source.
fn log_of(log: &Value, source: &str) -> Value {
    let items = log.as_array().unwrap();
    items.iter().find(|item| item["source"] == source).unwrap()["commit"].clone()
}

#[test]
fn a_live_branch_shows_its_own_on_top_of_upstreams_newest() {
    let user = book(3, "live");
    put(&user, "guide@users/0", "part0/lesson0.md", &lesson(&[(15, "mine")]));
    put(&user, "guide@users/1", "part0/lesson0.md", &lesson(&[(2, "mine")]));
    let before = entries(&user);
    put(&user, "guide", "part0/lesson0.md", &lesson(&[(2, "fixed")]));
    put(&user, "guide", "part0/new.md", "new\n");

    let both = lesson(&[(2, "fixed"), (15, "mine")]);
    assert_eq!(cat(&user, "guide@users/0", "part0/lesson0.md"), both);
    assert_eq!(cat(&user, "guide@users/0", "part0/new.md"), "new\n");
    // In a conflict the branch's own is shown, and marked.
    assert_eq!(cat(&user, "guide@users/1", "part0/lesson0.md"), lesson(&[(2, "mine")]));
    assert_eq!(cat(&user, "guide@users/1", "part0/new.md"), "new\n");
    assert_eq!(cat(&user, "guide@users/2", "part0/lesson0.md"), lesson(&[(2, "fixed")]));
    user.ok(["checkout", "guide@users/0", "out"]);
    assert_eq!(std::fs::read_to_string(user.path("out/part0/lesson0.md")).unwrap(), both);

    let listed = user.json(["ls", "--recursive", "guide@users/0"]);
    let source = |path: &str| {
        let items = listed.as_array().unwrap();
        items.iter().find(|item| item["path"] == path).unwrap()["source"].clone()
    };
    assert_eq!(source("part0/lesson0.md"), "merged");
    assert_eq!(source("part0/new.md"), "upstream");
    let listed = user.json(["ls", "guide@users/1", "part0/lesson0.md"]);
    assert_eq!(listed[0]["source"], "conflict");

    let found = user.json(["find", "**", "guide@users/0"]);
    let paths = |source: &str| -> Vec<_> {
        let items = found.as_array().unwrap().iter().filter(|item| item["source"] == source);
        items.map(|item| item["path"].as_str().unwrap()).collect()
    };
    assert_eq!(paths("merged"), ["part0/lesson0.md"]);
    assert!(paths("upstream").contains(&"part0/new.md") && paths("own").is_empty());
    let changed = user.json(["diff", "guide", "guide@users/0"]);
    assert_eq!(changed.as_array().unwrap().len(), 1);
    assert_eq!(changed[0]["path"], "part0/lesson0.md");
    assert_eq!(
        (&changed[0]["old"]["source"], &changed[0]["new"]["source"]),
        (&"own".into(), &"merged".into(),)
    );
    // The branch's edit, the two of its upstream, and where they began.
    let log = user.json(["log", "guide@users/0"]);
    let mut sources: Vec<_> =
        log.as_array().unwrap().iter().map(|item| item["source"].as_str().unwrap()).collect();
    sources.sort_unstable();
    assert_eq!(sources, ["own", "own", "upstream", "upstream"]);
    assert!(user.ok(["log", "guide@users/0"]).contains("source upstream\ncommit "));
    let shown = user.json(["show", "guide@users/0"]);
    assert_eq!((&shown["source"], &shown["commit"]), (&"own".into(), &log_of(&log, "own")));

    // Reading wrote nothing, and a sync makes the same tree a commit.
    assert_eq!(entries(&user), before);
    let seen = user.json(["checkout", "guide@users/0", "out"]);
    assert_eq!(seen["source"], "merged");
    user.ok(["sync", "guide@users/0"]);
    let synced = user.json(["checkout", "guide@users/0", "out"]);
    assert_eq!((&synced["tree"], &synced["source"]), (&seen["tree"], &"own".into()));
    let commit = user.json(["show", "guide@users/0"]);
    assert_eq!(commit["tree"], seen["tree"]);
}

#[test]
fn following_may_change_later() {
    let user = book(1, "pinned");
    put(&user, "guide@users/0", "part1/lesson1.md", &lesson(&[(1, "mine")]));
    put(&user, "guide", "part0/lesson0.md", &lesson(&[(2, "fixed")]));
    assert_eq!(cat(&user, "guide@users/0", "part0/lesson0.md"), lesson(&[]));
    user.ok(["branch", "follow", "guide@users/0", "live"]);
    assert_eq!(cat(&user, "guide@users/0", "part0/lesson0.md"), lesson(&[(2, "fixed")]));
    user.ok(["branch", "follow", "guide@users/0", "pinned"]);
    assert_eq!(cat(&user, "guide@users/0", "part0/lesson0.md"), lesson(&[]));
}

#[test]
fn a_deleted_branch_comes_back_as_it_was() {
    let user = book(1, "live");
    put(&user, "guide@users/0", "part1/lesson1.md", &lesson(&[(1, "mine")]));
    user.ok(["branch", "delete", "guide@users/0"]);
    user.ok(["branch", "restore", "guide@users/0"]);
    put(&user, "guide", "part0/lesson0.md", &lesson(&[(2, "fixed")]));
    assert_eq!(cat(&user, "guide@users/0", "part1/lesson1.md"), lesson(&[(1, "mine")]));
    assert_eq!(cat(&user, "guide@users/0", "part0/lesson0.md"), lesson(&[(2, "fixed")]));
}
