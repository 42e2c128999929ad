//! What a fleet sync does to each branch, and what it says.

use super::{book, cat, lesson, put};
use cas_tests::cli::User;
use serde_json::Value;

/// Four branches: untouched, with an edit elsewhere, with one in the same file, in conflict.
fn fleet() -> User {
    let user = book(4, "pinned");
    put(&user, "guide@users/1", "part1/lesson1.md", &lesson(&[(3, "mine")]));
    put(&user, "guide@users/2", "part0/lesson0.md", &lesson(&[(15, "mine")]));
    put(&user, "guide@users/3", "part0/lesson0.md", &lesson(&[(2, "mine")]));
    put(&user, "guide", "part0/lesson0.md", &lesson(&[(2, "fixed")]));
    user
}

/// The lines of an answer in JSON; the last has the sums.
fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn statuses(lines: &[Value]) -> Vec<&str> {
    lines[..lines.len() - 1].iter().map(|line| line["status"].as_str().unwrap()).collect()
}

fn seq(user: &User, branch: &str) -> u64 {
    user.json(["reflog", branch])[0]["seq"].as_u64().unwrap()
}

#[test]
fn a_sync_brings_each_branch_what_it_lacks() {
    let user = fleet();
    let ran = user.run(["sync", "guide@users/*", "--json"]);
    assert_eq!(ran.code(), 3, "{}", ran.stderr());
    let told = lines(&ran.stdout());
    assert_eq!(statuses(&told), ["fast-forward", "merged", "merged", "conflict"]);
    let conflict = &told[3]["merge"]["conflicts"][0];
    assert_eq!(
        (conflict["path"].as_str(), conflict["kind"].as_str()),
        (Some("part0/lesson0.md"), Some("content"))
    );
    let sums = &told[4];
    assert_eq!(sums["branches"], 4);
    assert_eq!(sums["outcomes"]["merged"], 2);
    assert_eq!(sums["conflicts"]["part0/lesson0.md"]["named"][0], "users/3");

    let fixed = lesson(&[(2, "fixed")]);
    assert_eq!(cat(&user, "guide@users/0", "part0/lesson0.md"), fixed);
    assert_eq!(cat(&user, "guide@users/1", "part0/lesson0.md"), fixed);
    assert_eq!(cat(&user, "guide@users/1", "part1/lesson1.md"), lesson(&[(3, "mine")]));
    let both = lesson(&[(2, "fixed"), (15, "mine")]);
    assert_eq!(cat(&user, "guide@users/2", "part0/lesson0.md"), both);
    assert_eq!(cat(&user, "guide@users/3", "part0/lesson0.md"), lesson(&[(2, "mine")]));

    // Once more: nothing is left to do but the conflict, which is resolved as asked.
    let before = [seq(&user, "guide@users/0"), seq(&user, "guide@users/1")];
    let ran = user.run(["sync", "guide@users/*", "--json", "--on-conflict", "ours"]);
    assert_eq!(ran.code(), 0, "{}", ran.stderr());
    let told = lines(&ran.stdout());
    assert_eq!(statuses(&told), ["up-to-date", "up-to-date", "up-to-date", "merged"]);
    assert_eq!([seq(&user, "guide@users/0"), seq(&user, "guide@users/1")], before);
    assert_eq!(cat(&user, "guide@users/3", "part0/lesson0.md"), lesson(&[(2, "mine")]));
    let ran = user.run(["sync", "guide@users/*", "--json"]);
    assert_eq!(statuses(&lines(&ran.stdout())), ["up-to-date"; 4]);
}

#[test]
fn a_preview_says_the_same_and_writes_nothing() {
    let user = fleet();
    let before = user.stored();
    let told = lines(&user.ok(["sync", "guide@users/*", "--json", "--dry-run"]));
    assert_eq!(statuses(&told), ["fast-forward", "merged", "merged", "conflict"]);
    let text = user.ok(["sync", "guide@users/*", "--dry-run"]);
    assert!(text.contains("part0/lesson0.md: 1 branch"), "{text}");
    assert!(text.contains("1 fast-forward, 2 merged, 1 conflict"), "{text}");
    let told = lines(&user.ok(["sync", "guide@users/*", "--json", "--dry-run", "--sample", "2"]));
    assert_eq!((told.len(), &told[2]["matching"]), (3, &Value::from(4)));
    assert_eq!(user.stored(), before);
}

#[test]
fn a_preview_looks_at_what_is_not_published_yet() {
    let user = book(2, "pinned");
    put(&user, "guide@users/1", "part0/lesson0.md", &lesson(&[(2, "mine")]));
    user.ok(["branch", "create", "guide@draft"]);
    put(&user, "guide@draft", "part0/lesson0.md", &lesson(&[(2, "planned")]));
    let args = ["sync", "guide@users/*", "--dry-run", "--json", "--against", "guide@draft"];
    assert_eq!(statuses(&lines(&user.ok(args))), ["fast-forward", "conflict"]);
    let told = lines(&user.ok(["sync", "guide@users/*", "--dry-run", "--json"]));
    assert_eq!(statuses(&told), ["up-to-date", "up-to-date"]);
}

#[test]
fn many_syncs_find_the_right_base() {
    let user = book(1, "pinned");
    let mut mine = Vec::new();
    let mut theirs = Vec::new();
    let words: Vec<String> = (0..5).map(|n| format!("word {n}")).collect();
    for (n, word) in words.iter().enumerate() {
        mine.push((2 * n, word.as_str()));
        theirs.push((10 + 2 * n, word.as_str()));
        let own: Vec<_> = mine.iter().chain(&theirs[..n]).copied().collect();
        put(&user, "guide@users/0", "part0/lesson0.md", &lesson(&own));
        put(&user, "guide", "part0/lesson0.md", &lesson(&theirs));
        user.ok(["sync", "guide@users/0"]);
        let both: Vec<_> = mine.iter().chain(&theirs).copied().collect();
        assert_eq!(cat(&user, "guide@users/0", "part0/lesson0.md"), lesson(&both));
    }
}

#[test]
fn a_path_is_put_back_to_upstream() {
    let user = fleet();
    user.ok(["restore", "guide@users/3", "part0/lesson0.md", "--from", "upstream"]);
    assert_eq!(cat(&user, "guide@users/3", "part0/lesson0.md"), lesson(&[(2, "fixed")]));
    let ran = user.run(["sync", "guide@users/3", "--json"]);
    assert_eq!(statuses(&lines(&ran.stdout())), ["merged"]);
    let both = ["restore", "guide@users/1", "part1", "part0/lesson0.md"];
    user.ok(both);
    assert_eq!(cat(&user, "guide@users/1", "part1/lesson1.md"), lesson(&[]));
    assert_eq!(user.json(both)["changed"], false);
}

#[test]
fn what_cannot_be_meant_is_told() {
    let user = fleet();
    user.fails(2, ["sync", "guide"]);
    user.fails(2, ["sync", "guide@users/*", "--against", "guide@main"]);
    assert!(user.fails(2, ["sync", "guide@nobody/*"]).contains("no branch matches"));
    let ran = user.run(["merge", "guide@main", "--into", "guide@users/3"]);
    assert_eq!(ran.code(), 3);
    assert!(ran.stdout().contains("both changed the same lines"), "{}", ran.stdout());
    assert!(ran.stderr().contains("--on-conflict"), "{}", ran.stderr());
    assert!(user.fails(3, ["restore", "guide", "part0"]).contains("has no upstream"));
}

/// The second preview knows which branches changed what the base changes.
#[test]
fn a_preview_opens_only_branches_that_changed_the_same_paths() {
    let user = fleet();
    let preview = || lines(&user.ok(["sync", "guide@users/*", "--json", "--dry-run"]));
    let first = preview();
    let second = preview();
    assert_eq!(statuses(&first), statuses(&second));
    assert_eq!(first[4]["opened"], 3, "{}", first[4]);
    assert_eq!(second[4]["opened"], 2, "users/1 changed another lesson: {}", second[4]);
    // What it knows counts only for the commits that it was made of.
    put(&user, "guide@users/1", "part0/lesson0.md", &lesson(&[(2, "mine too")]));
    let third = preview();
    assert_eq!(statuses(&third), ["fast-forward", "conflict", "merged", "conflict"]);
    assert_eq!(third[4]["opened"], 3);
    // … and a base that moved on is compared anew.
    put(&user, "guide@users/1", "part0/lesson0.md", &lesson(&[]));
    preview();
    put(&user, "guide", "part1/lesson1.md", &lesson(&[(3, "theirs")]));
    assert_eq!(statuses(&preview()), ["fast-forward", "conflict", "merged", "conflict"]);
}
