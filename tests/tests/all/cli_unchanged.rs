//! A folder that was imported before is not even listed while all statuses are the same: whatever
//! is done to it must show in one of them.

use std::fs;
use std::path::Path;

use cas_tests::cli::{User, text};
use serde_json::Value;

use super::cli_checkout::set_mode;

/// The clock that stamps files must go on before a status is worth anything.
fn settle() {
    std::thread::sleep(std::time::Duration::from_millis(60));
}

fn write(folder: &Path, name: &str, content: &str) {
    fs::write(folder.join(name), content).unwrap();
}

/// A user who imported `book` and found it unchanged, so that its index proves all of it.
fn with_book(files: &[(&str, &str)], exclude: &[&str]) -> User {
    let user = User::new();
    for (name, content) in files {
        user.write(&format!("book/{name}"), content);
    }
    fs::create_dir_all(user.path("book/empty/deep")).unwrap();
    settle();
    for mode in ["created", "unchanged", "unchanged"] {
        let report = import(&user, exclude);
        assert_eq!(text(&report, "mode"), mode);
        settle();
    }
    user
}

fn import(user: &User, exclude: &[&str]) -> Value {
    let exclude = exclude.iter().flat_map(|pattern| ["--exclude", pattern]);
    user.json(["import", "book", "guide"].into_iter().chain(exclude))
}

/// The tree that somebody gets who never saw the folder.
fn fresh(user: &User, exclude: &[&str]) -> String {
    let other = User::new();
    let folder = user.path("book").display().to_string();
    let exclude = exclude.iter().flat_map(|pattern| ["--exclude", pattern]);
    let report = other.json(["import", &folder, "guide"].into_iter().chain(exclude));
    text(&report, "tree").to_owned()
}

const FILES: &[(&str, &str)] = &[
    ("a.md", "a\n"),
    ("b.md", "b\n"),
    ("part/one.md", "one\n"),
    ("part/two.md", "two\n"),
    ("other/one.md", "another one\n"),
    ("kept/.casignore", "*.tmp\n"),
    ("kept/page.md", "page\n"),
    ("kept/notes.tmp", "notes\n"),
];

#[test]
fn everything_that_is_done_to_a_folder_is_noticed() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 14] = [
        ("a new file", |book| write(book, "new.md", "new\n")),
        ("a new file below", |book| write(book, "part/new.md", "new\n")),
        ("a file in a folder that was empty", |book| write(book, "empty/deep/new.md", "new\n")),
        ("a new folder", |book| {
            fs::create_dir(book.join("more")).unwrap();
            write(book, "more/new.md", "new\n");
        }),
        ("a file that went", |book| fs::remove_file(book.join("part/one.md")).unwrap()),
        ("a folder that went", |book| fs::remove_dir_all(book.join("other")).unwrap()),
        ("a file of another name", |book| {
            fs::rename(book.join("part/one.md"), book.join("part/three.md")).unwrap();
        }),
        ("two files that changed places", |book| {
            fs::rename(book.join("a.md"), book.join("c")).unwrap();
            fs::rename(book.join("b.md"), book.join("a.md")).unwrap();
            fs::rename(book.join("c"), book.join("b.md")).unwrap();
        }),
        ("two folders that changed places", |book| {
            fs::rename(book.join("part"), book.join("c")).unwrap();
            fs::rename(book.join("other"), book.join("part")).unwrap();
            fs::rename(book.join("c"), book.join("other")).unwrap();
        }),
        ("other content", |book| write(book, "part/two.md", "2wo\n")),
        ("another mode", |book| set_mode(&book.join("a.md"), 0o755)),
        ("another rule", |book| write(book, "kept/.casignore", "*.md\n")),
        ("a new rule", |book| write(book, ".casignore", "part\n")),
        ("a file in place of a folder", |book| {
            fs::remove_dir_all(book.join("other")).unwrap();
            write(book, "other", "a file\n");
        }),
    ];
    for (what, change) in changes {
        let user = with_book(FILES, &[]);
        change(&user.path("book"));
        let report = import(&user, &[]);
        assert_eq!(text(&report, "mode"), "updated", "{what}");
        assert_eq!(text(&report, "tree"), fresh(&user, &[]), "{what}");
    }
}

#[test]
fn what_is_left_out_may_change() {
    let user = with_book(FILES, &[]);
    write(&user.path("book"), "kept/notes.tmp", "other notes\n");
    write(&user.path("book"), "kept/more.tmp", "more\n");
    assert_eq!(text(&import(&user, &[]), "mode"), "unchanged");
}

#[test]
fn a_rule_that_leaves_itself_out_is_read_each_time() {
    let user =
        with_book(&[(".casignore", ".casignore\n*.tmp\n"), ("a.tmp", "a\n"), ("b", "b\n")], &[]);
    write(&user.path("book"), ".casignore", ".casignore\n");
    let report = import(&user, &[]);
    assert_eq!((text(&report, "mode"), &report["files"]["total"]), ("updated", &2.into()));
}

#[test]
fn other_patterns_take_other_files() {
    let user = with_book(FILES, &["part"]);
    let report = import(&user, &[]);
    assert_eq!((text(&report, "mode"), text(&report, "tree")), ("updated", &*fresh(&user, &[])));
    let report = import(&user, &["other"]);
    assert_eq!(text(&report, "mode"), "updated");
    assert_eq!(text(&report, "tree"), fresh(&user, &["other"]));
}

#[test]
fn a_branch_that_moved_gets_the_folder_again() {
    let user = with_book(FILES, &[]);
    user.ok(["rm", "guide", "a.md"]);
    let report = import(&user, &[]);
    assert_eq!(text(&report, "mode"), "updated");
    assert_eq!(text(&report, "tree"), fresh(&user, &[]));
}
