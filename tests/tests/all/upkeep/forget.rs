//! `cas branch forget`: what goes, what stays, and that it went.

use std::collections::BTreeSet;
use std::fs;

use cas_tests::cli::{User, assert_keys, text};
use serde_json::Value;

/// A book with a branch of Ada's own, which has two versions that nobody else has; Bob's, made from
/// the first of them; and a page of `main` that says what a page of Ada's says.
fn readers() -> User {
    let user = User::with_folder();
    user.write("book/docs/a.md", "a lesson");
    user.write("book/docs/b.md", "another");
    user.write("book/c.md", "the end");
    user.ok(["import", "book", "guide", "-m", "first"]);
    user.ok(["branch", "create", "guide@users/ada"]);
    put(&user, "guide@users/ada", "c.md", "Bob knows this");
    user.ok(["branch", "create", "guide@users/bob", "--from", "guide@users/ada"]);
    put(&user, "guide@users/ada", "docs/a.md", "Ada's secret");
    put(&user, "guide@users/ada", "docs/b.md", "said by both");
    put(&user, "guide@main", "docs/n.md", "said by both");
    user
}

fn put(user: &User, branch: &str, path: &str, words: &str) {
    user.write("words", words);
    let was = user.run(["cat", branch, path]);
    let id = cas_core::name::BlobId::of(was.stdout().as_bytes()).to_string();
    let believed = if was.code() == 0 { vec!["--expect", &id] } else { vec!["--create"] };
    user.ok([vec!["put", branch, path, "words", "-m", "words"], believed].concat());
}

/// The keys of the objects that are in the store.
fn objects(user: &User) -> BTreeSet<String> {
    let kinds = ["blobs/", "trees/", "commits/"];
    let keys = user.stored().into_iter().map(|(key, _)| key);
    keys.filter(|key| kinds.iter().any(|kind| key.starts_with(kind))).collect()
}

/// The keys of objects in a report.
fn keys(objects: &Value) -> BTreeSet<String> {
    let key = |object: &Value| {
        let id = text(object, "id");
        format!("{}s/{}/{}", text(object, "kind"), &id[..2], &id[2..])
    };
    objects.as_array().unwrap().iter().map(key).collect()
}

fn key_of(words: &str) -> String {
    let id = cas_core::name::BlobId::of(words.as_bytes()).to_string();
    format!("blobs/{}/{}", &id[..2], &id[2..])
}

#[test]
fn everything_goes_that_only_the_branch_reached_and_nothing_else() {
    let user = readers();
    let before = objects(&user);
    let report = user.json(["branch", "forget", "guide@users/ada", "--report", "ada.json"]);
    assert_keys(
        &report,
        &["dry_run", "branches", "goes", "goes_bytes", "stays", "stays_bytes", "versions_gone"],
    );
    assert_keys(&report["branches"][0], &["book", "ref", "entries", "versions"]);
    assert_keys(&report["goes"][0], &["kind", "id", "size", "path"]);
    // The entries: created, three edits, forgotten.
    assert_eq!(report["branches"][0]["entries"], 5);
    assert_eq!(report["branches"][0]["versions"], 4);
    let (goes, stays) = (keys(&report["goes"]), keys(&report["stays"]));
    assert!(goes.contains(&key_of("Ada's secret")), "{goes:?}");
    assert!(stays.contains(&key_of("said by both")), "main says it as well");
    assert!(stays.contains(&key_of("Bob knows this")), "Bob has that version");
    assert_eq!(goes.intersection(&stays).count(), 0);
    // Two commits, and the root and the folder of each; one blob.
    assert_eq!(goes.len(), 7, "{goes:?}");
    assert_eq!(objects(&user), before, "nothing goes before it is collected");
    let written: Value = serde_json::from_slice(&fs::read(user.path("ada.json")).unwrap()).unwrap();
    assert_eq!(written, report);

    let left = user.run(["branch", "forget", "--check", "ada.json"]);
    assert_eq!(left.code(), 3);
    assert!(left.stdout().contains("waits for collection"), "{}", left.stdout());
    assert!(left.stderr().contains("7 objects are still there"), "{}", left.stderr());

    user.ok(["gc", "--alone"]);
    let removed: BTreeSet<_> = before.difference(&objects(&user)).cloned().collect();
    assert_eq!(removed, goes, "exactly what was said");
    assert_eq!(user.ok(["branch", "forget", "--check", "ada.json"]), "7 of 7 objects gone\n");
    let check = user.json(["branch", "forget", "--check", "ada.json"]);
    assert_keys(&check, &["gone", "waiting", "needed"]);

    // Everybody else has what they had, and the store and its logs are whole.
    user.ok(["fsck"]);
    user.ok(["audit", "verify", "guide"]);
    assert_eq!(user.ok(["cat", "guide@users/bob", "c.md"]), "Bob knows this");
    assert_eq!(user.ok(["cat", "guide@main", "docs/n.md"]), "said by both");
    let log = user.json(["reflog", "guide@users/ada"]);
    assert_eq!(log.as_array().map(Vec::len), Some(5), "the entries stay: {log}");
    let again = user.json(["branch", "forget", "guide@users/ada"]);
    assert_eq!((&again["goes"], &again["versions_gone"]), (&Value::Array(vec![]), &2.into()));
    let log = user.json(["reflog", "guide@users/ada"]);
    assert_eq!(log.as_array().map(Vec::len), Some(5), "and once is enough");
}

#[test]
fn a_forgotten_branch_is_not_brought_back_and_its_name_may_be_used_again() {
    let user = readers();
    // Deleting it before changes nothing about that.
    user.ok(["branch", "delete", "guide@users/ada"]);
    user.ok(["branch", "forget", "guide@users/ada"]);
    let said = user.fails(1, ["branch", "restore", "guide@users/ada"]);
    assert!(said.contains("is forgotten"), "{said}");
    user.ok(["branch", "create", "guide@users/ada"]);
    put(&user, "guide@users/ada", "new.md", "a new beginning");
    user.ok(["gc", "--alone"]);
    assert!(!objects(&user).contains(&key_of("Ada's secret")));
    assert!(objects(&user).contains(&key_of("a new beginning")));
    user.ok(["fsck"]);
    // What came after is deleted, restored and forgotten by itself.
    user.ok(["branch", "delete", "guide@users/ada"]);
    user.ok(["branch", "restore", "guide@users/ada"]);
    user.ok(["branch", "forget", "guide@users/ada"]);
    user.ok(["gc", "--alone"]);
    assert!(!objects(&user).contains(&key_of("a new beginning")));
}

#[test]
fn a_dry_run_tells_the_same_and_changes_nothing() {
    let user = readers();
    let before = user.stored();
    let told = user.json(["branch", "forget", "guide@users/ada", "--dry-run"]);
    assert_eq!(user.stored(), before);
    let text = user.ok(["branch", "forget", "guide@users/ada", "-n", "--long"]);
    assert!(text.starts_with("guide@users/ada would be forgotten: 4 entries"), "{text}");
    assert!(text.contains("goes:  2 commits, 4 trees, 1 blob"), "{text}");
    assert!(text.contains(" docs/a.md\n"), "{text}");
    let done = user.json(["branch", "forget", "guide@users/ada"]);
    assert_eq!((&told["goes"], &told["stays"]), (&done["goes"], &done["stays"]));
}

#[test]
fn what_is_written_again_is_told_as_needed_and_stays() {
    let user = readers();
    user.ok(["branch", "forget", "guide@users/ada", "--report", "ada.json"]);
    put(&user, "guide@main", "secret.md", "Ada's secret");
    user.ok(["gc", "--alone"]);
    let said = user.ok(["branch", "forget", "--check", "ada.json"]);
    assert!(said.contains("is there again"), "{said}");
    assert!(said.ends_with("6 of 7 objects gone\n"), "{said}");
    assert_eq!(user.ok(["cat", "guide@main", "secret.md"]), "Ada's secret");
}

#[test]
fn several_branches_are_forgotten_together_and_what_only_they_share_goes() {
    let user = readers();
    let one = user.json(["branch", "forget", "guide@users/ada", "-n"]);
    assert!(!keys(&one["goes"]).contains(&key_of("Bob knows this")));
    let both = user.json(["branch", "forget", "guide@users/ada", "guide@users/bob"]);
    assert!(keys(&both["goes"]).contains(&key_of("Bob knows this")));
    let before = objects(&user);
    user.ok(["gc", "--alone"]);
    let removed: BTreeSet<_> = before.difference(&objects(&user)).cloned().collect();
    assert_eq!(removed, keys(&both["goes"]));
}

#[test]
fn a_copy_never_takes_what_was_forgotten() {
    let user = readers();
    user.ok(["branch", "forget", "guide@users/ada"]);
    let (from, to) = (user.location(), user.path("mirror").display().to_string());
    user.ok(["--store", &to, "init"]);
    let copied = user.json(["copy", &from, &to]);
    assert_eq!(copied["collected"], 4);
    let mirror = ["--store", to.as_str()];
    user.ok([&mirror[..], &["fsck"]].concat());
    user.ok([&mirror[..], &["audit", "verify", "guide"]].concat());
    let (folder, name) = (&key_of("Ada's secret")[..8], &key_of("Ada's secret")[9..]);
    assert!(!user.path("mirror").join(folder).join(name).exists());
    user.ok([&mirror[..], &["gc", "--alone"]].concat());
    user.ok([&mirror[..], &["fsck"]].concat());
}

#[test]
fn only_branches_of_ones_own_are_forgotten_and_bad_input_changes_nothing() {
    let user = readers();
    user.ok(["tag", "create", "guide@one", "guide"]);
    let before = user.stored();
    for (code, args, what) in [
        (1, &["guide@main"][..], "main"),
        (1, &["guide@tags/one"], "a tag"),
        (1, &["guide@users/nobody"], "there is no ref"),
        (1, &["guide@users/ada", "guide@users/nobody"], "there is no ref"),
        (2, &["--check", "words"], "no report"),
        (2, &[], "required"),
    ] {
        let said = user.fails(code, [&["branch", "forget"], args].concat());
        assert!(said.contains(what), "{args:?}: {said}");
    }
    user.write("there.json", "mine");
    user.fails(1, ["branch", "forget", "guide@users/ada", "--report", "there.json"]);
    assert_eq!(fs::read(user.path("there.json")).unwrap(), b"mine");
    assert_eq!(user.stored(), before);
}
