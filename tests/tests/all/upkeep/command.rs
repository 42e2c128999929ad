//! `cas fsck` as people use it.

use std::fs;
use std::process::Command;

use cas_tests::cli::{User, assert_keys, snapshot};
use serde_json::Value;

/// A user with a book of two files in a folder store.
fn author() -> User {
    let user = User::with_folder();
    user.write("book/docs/a.md", "a lesson");
    user.write("book/b.md", "another");
    user.ok(["import", "book", "guide", "-m", "first"]);
    user
}

fn blob(content: &str) -> (String, String) {
    let id = cas_core::name::BlobId::of(content.as_bytes()).to_string();
    (format!("blobs/{}/{}", &id[..2], &id[2..]), id)
}

/// The lines of an answer in JSON.
fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn says_what_was_checked() {
    let user = author();
    let said = user.ok(["fsck"]);
    assert_eq!(
        said,
        "1 ref with 1 entry, 2 blobs (15 B), 1 commit (60 B), 2 trees (135 B); 2 blobs read: \
         all in order\n"
    );
    let [summary] = &lines(&user.ok(["fsck", "--json", "--sample", "0"]))[..] else {
        panic!("one line");
    };
    assert_eq!(summary["type"], "summary");
    assert_eq!((&summary["ok"], &summary["blobs_read"]), (&true.into(), &0.into()));
}

#[test]
fn names_what_is_wrong_and_where_it_is_and_takes_it_from_a_copy() {
    let user = author();
    let store = user.store();
    let copied = Command::new("cp").arg("-r").arg(&store).arg(user.path("copy")).status();
    assert!(copied.unwrap().success());
    let whole = snapshot(&store);
    let (lost, lost_id) = blob("a lesson");
    let (spoiled, spoiled_id) = blob("another");
    fs::remove_file(store.join(&lost)).unwrap();
    fs::remove_file(store.join(&spoiled)).unwrap();
    fs::write(store.join(&spoiled), "ANOTHER").unwrap();

    let ran = user.run(["fsck"]);
    assert_eq!(ran.code(), 4);
    let missing = format!("blob {lost_id} is missing (guide@main: docs/a.md)\n");
    let damaged = format!(
        "blob {spoiled_id} is damaged: its bytes do not hash to its id (guide@main: b.md)\n"
    );
    assert!(ran.stdout().contains(&missing), "{}", ran.stdout());
    assert!(ran.stdout().contains(&damaged), "{}", ran.stdout());
    assert!(ran.stderr().contains("has 2 faults"), "{}", ran.stderr());
    assert!(ran.stderr().contains("--repair-from"), "{}", ran.stderr());

    let lines = lines(&user.run(["fsck", "--json"]).stdout());
    let [first, second, summary] = &lines[..] else { panic!("{lines:?}") };
    for fault in [first, second] {
        assert_keys(
            fault,
            &["type", "kind", "id", "problem", "reason", "named", "places", "repaired"],
        );
    }
    let keys = [
        "type",
        "ok",
        "refs",
        "entries",
        "objects",
        "collected",
        "blobs_read",
        "unknown_keys",
        "faults",
        "repaired",
    ];
    assert_keys(summary, &keys);
    assert_eq!((&summary["ok"], &summary["faults"]), (&false.into(), &2.into()));

    let said = user.ok(["fsck", "--repair-from", "copy"]);
    assert!(said.contains("(guide@main: docs/a.md): repaired\n"), "{said}");
    assert!(said.ends_with("2 faults, 2 repaired\n"), "{said}");
    assert_eq!(snapshot(&store), whole);
    user.ok(["fsck"]);
}

#[test]
fn tells_damaged_tokens_and_other_peoples_files() {
    let user = author();
    user.ok(["token", "create", "--actor", "ada", "--scope", "read"]);
    let store = user.store();
    let token = fs::read_dir(store.join("tokens")).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(&token).unwrap();
    fs::write(&token, "?").unwrap();
    fs::write(store.join("NOTES"), "mine").unwrap();
    let ran = user.run(["fsck"]);
    assert_eq!(ran.code(), 4);
    assert!(ran.stdout().contains("the record of token "), "{}", ran.stdout());
    assert!(ran.stdout().contains("unknown key NOTES"), "{}", ran.stdout());
    assert_eq!(fs::read_to_string(store.join("NOTES")).unwrap(), "mine");
}

#[test]
fn refuses_a_percentage_that_is_none_and_a_copy_that_is_none() {
    let user = author();
    for bad in ["-1", "101", "nan", "all"] {
        let said = user.fails(2, ["fsck", &format!("--sample={bad}")]);
        assert!(said.contains("a number from 0 to 100"), "{said}");
    }
    let said = user.fails(1, ["fsck", "--repair-from", "nowhere"]);
    assert!(said.contains("there is no store at"), "{said}");
}

#[test]
fn collects_garbage_and_says_what_it_did() {
    let user = author();
    user.write("book/b.md", "another one");
    user.ok(["import", "book", "guide", "-m", "second"]);
    user.ok(["reset", "guide@main", "guide@main~1"]);
    // Everything is young, so nothing is condemned yet, and nothing is told to be under way.
    let said = user.json(["gc", "--keep-log", "1"]);
    let keys = [
        "dry_run",
        "refs",
        "kept",
        "young",
        "condemned",
        "deleted",
        "rescued",
        "lists_retired",
        "waiting",
        "next_due",
        "unknown_keys",
    ];
    assert_keys(&said, &keys);
    assert_eq!((&said["condemned"]["objects"], &said["refs"]), (&0.into(), &1.into()));
    assert_eq!(user.ok(["gc", "--status"]), "nothing is under way\n");
    assert_eq!(user.ok(["gc", "--cancel"]), "there is nothing to take back\n");
    assert_keys(&user.json(["gc", "--cancel"]), &["cancelled"]);
    assert_keys(&user.json(["gc", "--status"]), &["lists"]);

    let refused = user.fails(2, ["gc", "--grace", "1h"]);
    assert!(refused.contains("at least 24 hours") && refused.contains("--alone"), "{refused}");
    for bad in ["some", "-1", "5 apples"] {
        user.fails(2, ["gc", &format!("--keep-log={bad}")]);
    }

    let before = snapshot(&user.store());
    let would = user.ok(["gc", "--alone", "--keep-log", "1", "--dry-run"]);
    assert!(would.contains("3 objects") && would.contains("would be deleted"), "{would}");
    assert_eq!(snapshot(&user.store()), before);
    let said = user.ok(["gc", "--alone", "--keep-log", "1"]);
    assert!(said.starts_with("kept 2 blobs (15 B), 2 trees (135 B), 1 commit ("), "{said}");
    assert!(said.contains("3 objects") && said.contains("deleted\n"), "{said}");
    let (key, _) = blob("another one");
    assert!(!user.store().join(key).exists());
    let said = user.ok(["verify-log", "guide@main"]);
    assert!(said.contains("all in order"), "{said}");
    let checked = lines(&user.ok(["fsck", "--json"]));
    assert_eq!(checked.last().unwrap()["collected"], 1);
    user.ok(["checkout", "guide", "out"]);
    assert_eq!(fs::read_to_string(user.path("out/b.md")).unwrap(), "another");
}

#[test]
fn collecting_is_done_where_the_store_is() {
    let user = author();
    for command in ["fsck", "gc"] {
        let said = user.fails(2, ["--store", "http://127.0.0.1:9", command]);
        assert!(said.contains("is kept by a server"), "{said}");
    }
}

#[test]
fn copies_a_store_and_measures_both() {
    let user = author();
    user.ok(["branch", "create", "guide@users/ada"]);
    user.ok(["--store", "copy", "init"]);
    let store = user.store().display().to_string();
    let said = user.ok(["copy", &store, "copy"]);
    assert_eq!(said, "2 of 2 refs brought forward by 2 entries; 5 objects (210 B) written\n");
    let said = user.json(["copy", &store, "copy", "guide"]);
    let keys = ["refs", "refs_moved", "entries", "objects", "bytes", "collected", "diverged"];
    assert_keys(&said, &keys);
    assert_eq!((&said["refs"], &said["entries"]), (&2.into(), &0.into()));
    user.ok(["--store", "copy", "fsck"]);
    let (mine, theirs) = (user.json(["stats"]), user.json(["--store", "copy", "stats"]));
    assert_eq!(mine, theirs);
    let keys =
        ["logical_bytes", "stored_bytes", "sharing", "objects", "books", "largest", "longest_logs"];
    assert_keys(&mine, &keys);
    // Two branches of 15 bytes each.
    assert_eq!((&mine["logical_bytes"], &mine["stored_bytes"]), (&30.into(), &210.into()));
    assert_eq!(mine["books"][0]["branches"], 2);
    // The copy goes its own way.
    user.write("new.md", "new");
    user.ok(["--store", "copy", "put", "guide", "new.md", "new.md", "--create"]);
    user.write("other.md", "other");
    user.ok(["put", "guide", "other.md", "other.md", "--create"]);
    let ran = user.run(["copy", &store, "copy"]);
    assert_eq!(ran.code(), 3);
    assert!(ran.stdout().starts_with("guide@main#2 is another entry in the copy\n"));
    assert!(ran.stderr().contains("1 log went another way"), "{}", ran.stderr());
    let said = user.fails(2, ["copy", &store, "http://127.0.0.1:9"]);
    assert!(said.contains("is kept by a server"), "{said}");
}
