//! Checkout by the real binary: the folder equals the version, and what the user has there stays.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use cas_tests::cli::{User, snapshot, text};
use serde_json::{Value, json};

pub(super) fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Imports these files, and nothing else, as the next version of `guide`.
pub(super) fn version(user: &User, files: &[(&str, &str)]) -> Value {
    let book = user.path("book");
    let _ = std::fs::remove_dir_all(&book);
    std::fs::create_dir(&book).unwrap();
    for (name, content) in files {
        user.write(&format!("book/{name}"), content);
    }
    user.json(["import", "book", "guide", "--allow-empty"])
}

pub(super) const FIRST: &[(&str, &str)] = &[
    ("README.md", "# Guide\n"),
    ("ch1/lesson.md", "one\n"),
    ("ch1/table.md", "a table\n"),
    ("ch2/lesson.md", "two\n"),
];

/// A user with `guide` of one version, and a checkout of it in `site`.
pub(super) fn with_site() -> User {
    site_of(User::new())
}

/// The same in a folder, for tests that look into the store's own files.
pub(super) fn with_site_in_folder() -> User {
    site_of(User::with_folder())
}

fn site_of(user: User) -> User {
    version(&user, FIRST);
    user.ok(["checkout", "guide", "site"]);
    user
}

fn checkout(user: &User, revision: &str) -> (u64, u64, u64) {
    let report = user.json(["checkout", revision, "site"]);
    let number = |key: &str| report[key].as_u64().unwrap();
    (number("written"), number("removed"), number("kept"))
}

/// Refused as a conflict: every one of `paths` is named, and nothing in the folder is touched.
#[track_caller]
fn refused(user: &User, args: &[&str], paths: &[&str]) -> String {
    let before = snapshot(&user.path("site"));
    let said = user.fails(3, args);
    for path in paths {
        assert!(said.contains(&format!("\n  {path} (")), "{path}: {said}");
    }
    let listed = said.lines().filter(|line| line.starts_with("  ")).count();
    assert_eq!(listed, paths.len(), "{said}");
    assert!(said.contains("hint: ") && said.contains("--force"), "{said}");
    assert_eq!(snapshot(&user.path("site")), before);
    said
}

/// The folder holds `files` and nothing else.
#[track_caller]
fn holds(user: &User, files: &[(&str, &str)]) {
    let expected = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = expected.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    assert_eq!(snapshot(&user.path("site")), snapshot(expected.path()));
}

/// What an interrupted checkout leaves: it says which tree was coming, and not what is there.
fn interrupt(user: &User, tree: &str) {
    let state = user.path("site/.cas");
    std::fs::create_dir_all(&state).unwrap();
    std::fs::write(state.join("pending"), format!("{tree}\n")).unwrap();
}

#[test]
fn only_what_differs_is_written_and_removed_and_the_rest_kept() {
    let user = User::new();
    version(&user, FIRST);
    let second = &[
        ("README.md", "# Guide\n"),
        ("ch1/lesson.md", "one, again\n"),
        ("ch3/lesson.md", "three\n"),
    ];
    version(&user, second);
    assert_eq!(checkout(&user, "guide~1"), (4, 0, 0));
    holds(&user, FIRST);
    assert_eq!(checkout(&user, "guide~1"), (0, 0, 4));
    assert_eq!(checkout(&user, "guide"), (2, 2, 1));
    holds(&user, second);
    assert_eq!(checkout(&user, "guide~1"), (3, 1, 1));
    holds(&user, FIRST);
    assert!(!user.path("site/ch3").exists(), "a folder that became empty is removed");
}

#[test]
fn unchanged_files_keep_their_inodes() {
    use std::os::unix::fs::MetadataExt;
    let user = with_site();
    let stat = |name: &str| user.path(name).metadata().map(|m| (m.ino(), m.ctime_nsec()));
    let before = stat("site/README.md").unwrap();
    version(&user, &[("README.md", "# Guide\n"), ("new.md", "new\n")]);
    checkout(&user, "guide");
    assert_eq!(stat("site/README.md").unwrap(), before);
}

#[test]
fn an_extra_file_of_the_user_is_left_alone() {
    let user = with_site();
    user.write("site/notes.md", "mine\n");
    user.write("site/ch2/notes.md", "mine\n");
    user.write("site/own/notes.md", "mine\n");
    version(&user, &[("README.md", "# Guide\n")]);
    assert_eq!(checkout(&user, "guide"), (0, 3, 1));
    holds(
        &user,
        &[
            ("README.md", "# Guide\n"),
            ("notes.md", "mine\n"),
            ("ch2/notes.md", "mine\n"),
            ("own/notes.md", "mine\n"),
        ],
    );
}

#[test]
fn every_file_in_the_way_is_listed_and_nothing_is_touched() {
    let user = User::new();
    version(&user, FIRST);
    user.write("site/README.md", "mine\n");
    user.write("site/ch1", "a file where a folder is needed\n");
    user.write("site/ch2/lesson.md/deep/notes.md", "mine\n");
    let paths = ["README.md", "ch1", "ch2/lesson.md/deep/notes.md"];
    refused(&user, &["checkout", "guide", "site"], &paths);
    refused(&user, &["checkout", "guide", "site", "--dry-run"], &paths);
    assert!(!user.path("site/.cas").exists());
    user.ok(["checkout", "guide", "site", "--force"]);
    holds(&user, FIRST);
}

#[test]
fn files_that_are_right_already_are_not_in_the_way() {
    let user = User::new();
    version(&user, FIRST);
    user.write("site/README.md", "# Guide\n");
    assert_eq!(checkout(&user, "guide"), (3, 0, 1));
    holds(&user, FIRST);
}

#[test]
fn a_file_that_the_user_changed_is_refused_until_forced() {
    let user = with_site();
    user.write("site/ch1/lesson.md", "mine\n");
    user.write("site/ch2/lesson.md", "mine\n");
    let args = ["checkout", "guide", "site"];
    refused(&user, &args, &["ch1/lesson.md", "ch2/lesson.md"]);

    // Also when the new version does not have the file.
    version(&user, &[("README.md", "# Guide\n"), ("ch1/lesson.md", "1\n")]);
    let said = refused(&user, &args, &["ch1/lesson.md", "ch2/lesson.md"]);
    assert!(said.contains("not in this version"), "{said}");
    user.ok(["checkout", "guide", "site", "--force"]);
    holds(&user, &[("README.md", "# Guide\n"), ("ch1/lesson.md", "1\n")]);
}

#[test]
fn a_file_that_the_user_brought_to_the_new_content_is_kept() {
    let user = with_site();
    user.write("site/ch1/lesson.md", "one, again\n");
    version(&user, &[("ch1/lesson.md", "one, again\n"), ("ch2/lesson.md", "two\n")]);
    assert_eq!(checkout(&user, "guide"), (0, 2, 2));
}

#[test]
fn an_emptied_file_is_never_taken_for_the_version() {
    let user = with_site();
    user.write("site/ch1/lesson.md", "");
    refused(&user, &["checkout", "guide", "site"], &["ch1/lesson.md"]);
    assert_eq!(
        user.json(["status", "site"])["items"],
        json!([{"path": "ch1/lesson.md", "status": "modified"}])
    );
    let report = user.json(["checkout", "guide", "site", "--force", "--list"]);
    assert_eq!(report["written_paths"], json!(["ch1/lesson.md"]));
    holds(&user, FIRST);
}

#[test]
fn an_edit_that_keeps_the_size_and_puts_the_time_back_is_noticed() {
    let user = with_site();
    let path = user.path("site/ch1/lesson.md");
    let modified = path.metadata().unwrap().modified().unwrap();
    std::fs::write(&path, "uno\n").unwrap();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_times(std::fs::FileTimes::new().set_modified(modified)).unwrap();
    drop(file);
    refused(&user, &["checkout", "guide", "site"], &["ch1/lesson.md"]);
}

#[test]
fn a_mode_that_the_user_changed_is_put_right() {
    let user = with_site();
    set_mode(&user.path("site/README.md"), 0o755);
    set_mode(&user.path("site/ch1/lesson.md"), 0o600);
    assert_eq!(
        user.json(["status", "site"])["items"],
        json!([{"path": "README.md", "status": "modified"}])
    );
    assert_eq!(checkout(&user, "guide"), (1, 0, 3));
    holds(&user, FIRST);
}

#[test]
fn what_the_user_deleted_comes_back() {
    let user = with_site();
    std::fs::remove_file(user.path("site/README.md")).unwrap();
    assert_eq!(checkout(&user, "guide"), (1, 0, 3));
    std::fs::remove_dir_all(user.path("site/ch1")).unwrap();
    assert_eq!(checkout(&user, "guide"), (2, 0, 2));
    for name in ["README.md", "ch1", "ch2"] {
        let path = user.path("site").join(name);
        let _ = std::fs::remove_dir_all(&path);
        let _ = std::fs::remove_file(&path);
    }
    assert_eq!(snapshot(&user.path("site")), [], "only the index is left");
    assert_eq!(checkout(&user, "guide"), (4, 0, 0));
    holds(&user, FIRST);
}

#[test]
fn a_dry_run_tells_what_a_checkout_then_does_and_touches_nothing() {
    let user = User::new();
    version(&user, FIRST);
    let dry = user.json(["checkout", "guide", "site", "--dry-run"]);
    assert_eq!(dry["written"], 4);
    assert!(!user.path("site").exists());
    checkout(&user, "guide");
    version(&user, &[("README.md", "# New\n"), ("new.md", "new\n")]);
    let before = snapshot(&user.path("site"));
    let index = std::fs::read(user.path("site/.cas/index")).unwrap();
    let dry = user.json(["checkout", "guide", "site", "--dry-run"]);
    assert_eq!(snapshot(&user.path("site")), before);
    assert_eq!(std::fs::read(user.path("site/.cas/index")).unwrap(), index);
    let mut done = user.json(["checkout", "guide", "site", "--list"]);
    done["dry_run"] = json!(true);
    assert_eq!(done, dry);
    let said = user.ok(["checkout", "guide~1", "site", "--dry-run"]);
    assert!(said.starts_with("write  README.md\n"), "{said}");
    assert!(said.contains("remove new.md\n"), "{said}");
    assert!(said.contains("would become"), "{said}");
}

#[test]
fn one_folder_of_a_book_becomes_the_folder() {
    let user = User::new();
    version(&user, FIRST);
    user.ok(["checkout", "guide", "site", "--path", "ch1"]);
    let chapter = &[("lesson.md", "one\n"), ("table.md", "a table\n")];
    holds(&user, chapter);
    user.ok(["checkout", "guide", "site"]);
    holds(&user, FIRST);
    user.ok(["checkout", "guide", "site", "--path", "ch1/"]);
    holds(&user, chapter);
    let said = user.fails(1, ["checkout", "guide", "site", "--path", "README.md"]);
    assert!(said.contains("README.md is a file"), "{said}");
    let said = user.fails(1, ["checkout", "guide", "site", "--path", "ch9"]);
    assert!(said.contains("ch9"), "{said}");
    holds(&user, chapter);
}

#[test]
fn a_link_that_leaves_the_folder_checked_out_is_refused_although_it_stays_in_the_book() {
    let user = User::new();
    user.write("book/README.md", "# Guide\n");
    user.write("book/ch1/lesson.md", "one\n");
    symlink("../README.md", user.path("book/ch1/start")).unwrap();
    user.ok(["import", "book", "guide"]);
    user.ok(["checkout", "guide", "whole"]);
    let said = user.fails(1, ["checkout", "guide", "site", "--path", "ch1"]);
    assert!(said.contains("start") && said.contains("leaves"), "{said}");
    assert!(!user.path("site").exists());
}

#[test]
fn without_an_index_only_the_book_is_left() {
    let user = User::new();
    version(&user, FIRST);
    user.ok(["checkout", "guide", "site", "--no-index"]);
    assert!(!user.path("site/.cas").exists());
    holds(&user, FIRST);
    let said = user.fails(1, ["status", "site"]);
    assert!(said.contains("site is not a checkout"), "{said}");
    assert!(said.contains("hint: "), "{said}");

    // It equals the version, so nothing is in the way of another run.
    user.ok(["checkout", "guide", "site", "--no-index"]);
    assert!(!user.path("site/.cas").exists());
    user.ok(["checkout", "guide", "site"]);
    assert!(user.path("site/.cas/index").exists());
    user.ok(["checkout", "guide", "site", "--no-index"]);
    assert!(!user.path("site/.cas").exists());
    holds(&user, FIRST);
}

#[test]
fn a_file_becomes_a_folder_and_a_folder_a_file() {
    let user = User::new();
    let as_file = &[("x", "a file\n"), ("y/deep/a.md", "a\n"), ("y/b.md", "b\n")];
    let as_folder = &[("x/deep/a.md", "a\n"), ("x/b.md", "b\n"), ("y", "a file\n")];
    version(&user, as_file);
    version(&user, as_folder);
    for (revision, files) in [("guide~1", as_file), ("guide", as_folder), ("guide~1", as_file)] {
        checkout(&user, revision);
        holds(&user, files);
    }
}

#[test]
fn files_of_the_user_stand_in_the_way_of_a_folder_becoming_a_file() {
    let user = User::new();
    version(&user, &[("x/a.md", "a\n"), ("x/deep/b.md", "b\n")]);
    version(&user, &[("x", "a file\n")]);
    checkout(&user, "guide~1");
    user.write("site/x/notes.md", "mine\n");
    user.write("site/x/deep/notes.md", "mine\n");
    user.write("site/x/a.md", "changed\n");
    let args = ["checkout", "guide", "site"];
    refused(&user, &args, &["x/a.md", "x/deep/notes.md", "x/notes.md"]);
    user.ok(["checkout", "guide", "site", "--force"]);
    holds(&user, &[("x", "a file\n")]);
}

#[test]
fn an_empty_folder_is_not_in_the_way_of_a_file() {
    let user = User::new();
    version(&user, &[("x/a.md", "a\n")]);
    version(&user, &[("x", "a file\n")]);
    checkout(&user, "guide~1");
    std::fs::create_dir_all(user.path("site/x/empty/deeper")).unwrap();
    checkout(&user, "guide");
    holds(&user, &[("x", "a file\n")]);
}

#[test]
fn a_file_of_the_user_stands_in_the_way_of_a_file_becoming_a_folder() {
    let user = User::new();
    version(&user, &[("x", "a file\n")]);
    version(&user, &[("x/a.md", "a\n"), ("x/b.md", "b\n")]);
    checkout(&user, "guide~1");
    user.write("site/x", "changed\n");
    refused(&user, &["checkout", "guide", "site"], &["x"]);
    user.ok(["checkout", "guide", "site", "--force"]);
    holds(&user, &[("x/a.md", "a\n"), ("x/b.md", "b\n")]);
}

#[test]
fn a_folder_that_the_user_put_where_a_file_was_is_left_when_the_file_goes() {
    let user = User::new();
    version(&user, &[("x", "a file\n"), ("y", "y\n")]);
    version(&user, &[("y", "y\n")]);
    checkout(&user, "guide~1");
    std::fs::remove_file(user.path("site/x")).unwrap();
    user.write("site/x/notes.md", "mine\n");
    assert_eq!(checkout(&user, "guide"), (0, 0, 1));
    holds(&user, &[("x/notes.md", "mine\n"), ("y", "y\n")]);
}

#[test]
fn invariant_faithful_nothing_is_written_outside_through_a_link_where_a_folder_is_needed() {
    let user = User::new();
    version(&user, FIRST);
    user.write("outside/lesson.md", "theirs\n");
    std::fs::create_dir(user.path("site")).unwrap();
    symlink("../outside", user.path("site/ch1")).unwrap();
    symlink("../outside/lesson.md", user.path("site/README.md")).unwrap();
    let outside = snapshot(&user.path("outside"));
    let args = ["checkout", "guide", "site"];
    refused(&user, &args, &["README.md", "ch1"]);
    user.ok(["checkout", "guide", "site", "--force"]);
    holds(&user, FIRST);
    assert_eq!(snapshot(&user.path("outside")), outside);
}

#[test]
fn invariant_faithful_nothing_outside_is_touched_when_a_folder_became_a_link() {
    let user = with_site();
    std::fs::rename(user.path("site/ch1"), user.path("outside")).unwrap();
    symlink("../outside", user.path("site/ch1")).unwrap();
    let outside = snapshot(&user.path("outside"));
    // The files behind the link are exactly those of the version, and yet not in the folder.
    refused(&user, &["checkout", "guide", "site"], &["ch1"]);
    version(&user, &[("README.md", "# Guide\n")]);
    checkout(&user, "guide");
    assert_eq!(snapshot(&user.path("outside")), outside);
    version(&user, FIRST);
    refused(&user, &["checkout", "guide", "site"], &["ch1"]);
    user.ok(["checkout", "guide", "site", "--force"]);
    holds(&user, FIRST);
    assert_eq!(snapshot(&user.path("outside")), outside);
}

#[test]
fn invariant_faithful_nothing_is_written_outside_through_a_link_of_an_earlier_version() {
    let user = User::new();
    user.write("book/real/a.md", "a\n");
    symlink("real", user.path("book/x")).unwrap();
    user.ok(["import", "book", "guide"]);
    let next = &[("real/a.md", "a\n"), ("x/a.md", "other\n")];
    version(&user, next);
    checkout(&user, "guide~1");
    assert!(user.path("site/x").is_symlink());
    checkout(&user, "guide");
    holds(&user, next);
    checkout(&user, "guide~1");
    assert!(user.path("site/x").is_symlink());
}

#[test]
fn invariant_faithful_nothing_is_written_outside_through_a_link_in_place_of_the_state() {
    let user = with_site();
    user.write("outside/index", "theirs\n");
    user.write("outside/tmp/file", "theirs\n");
    let outside = snapshot(&user.path("outside"));
    std::fs::remove_dir_all(user.path("site/.cas")).unwrap();
    symlink("../outside", user.path("site/.cas")).unwrap();
    std::fs::remove_file(user.path("site/README.md")).unwrap();
    for force in [None, Some("--force")] {
        let said = user.fails(1, ["checkout", "guide", "site"].into_iter().chain(force));
        assert!(said.contains(".cas"), "{said}");
        assert_eq!(snapshot(&user.path("outside")), outside);
    }
}

#[test]
fn a_lost_or_damaged_index_costs_reading_and_nothing_else() {
    let user = with_site();
    let index = user.path("site/.cas/index");
    std::fs::remove_file(&index).unwrap();
    assert_eq!(checkout(&user, "guide"), (0, 0, 4));
    let bytes = std::fs::read(&index).unwrap();
    let mut flipped = bytes.clone();
    flipped[20] ^= 1;
    for bad in [&bytes[..bytes.len() / 2], b"", &flipped] {
        std::fs::write(&index, bad).unwrap();
        let said = user.fails(1, ["status", "site"]);
        assert!(said.contains("not a checkout"), "{said}");
        assert_eq!(checkout(&user, "guide"), (0, 0, 4));
        assert_eq!(user.json(["status", "site"])["clean"], true);
    }
    // Without an index nobody knows whose an old file is.
    std::fs::remove_file(&index).unwrap();
    version(&user, &[("README.md", "# New\n")]);
    refused(&user, &["checkout", "guide", "site"], &["README.md"]);
}

#[test]
fn a_folder_goes_on_where_it_was_moved_to() {
    let user = with_site();
    std::fs::rename(user.path("site"), user.path("elsewhere")).unwrap();
    let report = user.json(["checkout", "guide", "elsewhere"]);
    assert_eq!((&report["written"], &report["kept"]), (&json!(0), &json!(4)));
    assert_eq!(user.json(["status", "elsewhere"])["clean"], true);
}

#[test]
fn an_interrupted_first_checkout_is_gone_on_with() {
    let user = User::new();
    let tree = version(&user, FIRST)["tree"].clone();
    checkout(&user, "guide");
    std::fs::remove_file(user.path("site/.cas/index")).unwrap();
    interrupt(&user, tree.as_str().unwrap());
    user.write("site/README.md", "# Gu");
    user.write("site/ch1/lesson.md", "");
    std::fs::remove_file(user.path("site/ch2/lesson.md")).unwrap();
    let said = user.fails(1, ["status", "site"]);
    assert!(said.contains("interrupted"), "{said}");
    assert_eq!(checkout(&user, "guide"), (3, 0, 1));
    holds(&user, FIRST);
    assert_eq!(user.json(["status", "site"])["interrupted"], false);
}

#[test]
fn what_is_not_the_beginning_of_what_was_being_written_is_the_users() {
    let user = User::new();
    let tree = version(&user, FIRST)["tree"].clone();
    interrupt(&user, tree.as_str().unwrap());
    user.write("site/README.md", "# G!");
    user.write("site/ch1/lesson.md", "one\nand more\n");
    refused(&user, &["checkout", "guide", "site"], &["README.md", "ch1/lesson.md"]);
}

/// A checkout of `from` that was interrupted on its way to `to`, when everything of `to` was
/// written already but the index was not.
fn interrupted_between(user: &User, from: &str, to: &str) {
    user.ok(["checkout", from, "site"]);
    let index = std::fs::read(user.path("site/.cas/index")).unwrap();
    let report = user.json(["checkout", to, "site"]);
    std::fs::write(user.path("site/.cas/index"), index).unwrap();
    interrupt(user, text(&report, "tree"));
}

#[test]
fn an_interrupted_checkout_is_gone_on_with_whatever_version_comes_next() {
    let first = &[("a", "1\n"), ("b", "b\n"), ("gone", "gone\n")];
    let second = &[("a", "2\n"), ("b", "b\n"), ("new", "new\n"), ("n/ew", "n\n")];
    let third = &[("b", "b\n"), ("new/below", "a folder now\n"), ("n", "a file now\n")];
    let user = User::new();
    version(&user, first);
    version(&user, second);
    version(&user, third);
    for (next, files) in [("guide~1", &second[..]), ("guide~2", &first[..]), ("guide", &third[..])]
    {
        interrupted_between(&user, "guide~2", "guide~1");
        assert_eq!(user.json(["status", "site"])["interrupted"], true);
        user.ok(["checkout", next, "site"]);
        holds(&user, files);
        let status = user.json(["status", "site"]);
        assert_eq!(status["clean"], true, "{next}: {status}");
    }
}

#[test]
fn a_file_of_the_user_where_an_interrupted_checkout_was_to_write_stays() {
    let user = User::new();
    version(&user, &[("a", "1\n")]);
    version(&user, &[("a", "1\n"), ("new", "new\n"), ("x", "x\n")]);
    version(&user, &[("a", "1\n"), ("x/y", "y\n")]);
    interrupted_between(&user, "guide~2", "guide~1");
    user.write("site/new", "mine\n");
    user.ok(["checkout", "guide~2", "site"]);
    holds(&user, &[("a", "1\n"), ("new", "mine\n")]);

    std::fs::remove_file(user.path("site/new")).unwrap();
    interrupted_between(&user, "guide~2", "guide~1");
    user.write("site/x", "mine\n");
    refused(&user, &["checkout", "guide", "site"], &["x"]);
}

#[test]
fn status_tells_what_differs_without_a_store() {
    let user = with_site_in_folder();
    std::fs::remove_dir_all(user.store()).unwrap();
    user.write("site/README.md", "# Guide!\n");
    user.write("site/new.md", "new\n");
    user.write("site/.casignore", "*.html\n");
    user.write("site/out.html", "built\n");
    std::fs::remove_file(user.path("site/ch1/table.md")).unwrap();
    std::fs::remove_file(user.path("site/ch2/lesson.md")).unwrap();
    symlink("../README.md", user.path("site/ch2/lesson.md")).unwrap();
    make_fifo(&user.path("site/pipe"));
    let status = user.json(["status", "site"]);
    assert_eq!(
        status["items"],
        json!([
            {"path": ".casignore", "status": "untracked"},
            {"path": "README.md", "status": "modified"},
            {"path": "ch1/table.md", "status": "removed"},
            {"path": "ch2/lesson.md", "status": "modified"},
            {"path": "new.md", "status": "untracked"},
            {"path": "pipe", "status": "unreadable"},
        ])
    );
    assert_eq!(status["clean"], false);
    assert_eq!(status["interrupted"], false);
}

/// A FIFO, which a program that opens it without care waits at for ever.
fn make_fifo(path: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
}

#[test]
fn a_fifo_in_the_way_is_refused_and_never_waited_for() {
    let user = User::new();
    version(&user, FIRST);
    user.write("site/mine.md", "mine\n");
    make_fifo(&user.path("site/README.md"));
    make_fifo(&user.path("site/ch1"));
    let said = user.fails(3, ["checkout", "guide", "site"]);
    assert!(said.contains("\n  README.md (") && said.contains("\n  ch1 ("), "{said}");
    user.ok(["checkout", "guide", "site", "--force"]);
    std::fs::remove_file(user.path("site/mine.md")).unwrap();
    holds(&user, FIRST);
}

#[test]
fn an_empty_version_empties_what_was_checked_out() {
    let user = with_site();
    user.write("site/mine.md", "mine\n");
    version(&user, &[]);
    assert_eq!(checkout(&user, "guide"), (0, 4, 0));
    holds(&user, &[("mine.md", "mine\n")]);
}

#[test]
fn a_place_that_cannot_be_a_checkout_is_named() {
    let user = User::with_folder();
    version(&user, FIRST);
    user.write("file", "x\n");
    let said = user.fails(1, ["checkout", "guide", "file"]);
    assert!(said.contains("check out into file"), "{said}");
    let said = user.fails(1, ["checkout", "guide", "file/below"]);
    assert!(said.contains("file/below"), "{said}");
    let before = user.stored();
    let said = user.fails(1, ["checkout", "guide", "store", "--force"]);
    assert!(said.contains("the store itself"), "{said}");
    assert_eq!(user.stored(), before);
    user.ok(["checkout", "guide", "new/deep/folder"]);
}

#[test]
fn names_with_control_characters_are_shown_on_one_line() {
    let user = User::new();
    version(&user, &[("x", "a file\n")]);
    user.write("site/x/new\nline", "mine\n");
    let args = ["checkout", "guide", "site"];
    refused(&user, &args, &["x/new\\nline"]);
    user.ok(["checkout", "guide", "site", "--force"]);
    user.write("site/es\u{1b}cape", "mine\n");
    let said = user.ok(["status", "site"]);
    assert!(said.ends_with("unreadable  es\\u{1b}cape\n"), "{said:?}");
    assert_eq!(
        user.json(["status", "site"])["items"][0]["path"],
        "es\u{1b}cape",
        "programs get the name itself"
    );
}
