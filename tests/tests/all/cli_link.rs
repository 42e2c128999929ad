//! `checkout --link` by the real binary: files that are the store's own, and never written to.

use std::fs::Metadata;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::PathBuf;
use std::sync::Arc;

use cas_tests::cli::{User, snapshot, text};
use cas_tests::place::{Place, Served};
use serde_json::json;

use super::cli_checkout::{FIRST, set_mode, version};

fn linked(user: &User, revision: &str) -> serde_json::Value {
    user.json(["checkout", "--link", revision, "site"])
}

fn meta(user: &User, name: &str) -> Metadata {
    std::fs::symlink_metadata(user.path(name)).unwrap()
}

/// The file of the object with this content.
fn object(user: &User, content: &str) -> PathBuf {
    let id = blake3::hash(content.as_bytes()).to_hex();
    user.store().join(format!("blobs/{}/{}", &id[..2], &id[2..]))
}

#[test]
fn files_are_the_stores_own_and_read_only() {
    let user = User::with_folder();
    version(&user, FIRST);
    let report = linked(&user, "guide");
    assert_eq!((&report["written"], &report["linked"]), (&json!(4), &json!(4)));
    assert_eq!(snapshot(&user.path("site")), snapshot(&user.path("book")));
    for (name, content) in FIRST {
        let (found, own) = (meta(&user, &format!("site/{name}")), object(&user, content));
        assert_eq!(found.ino(), std::fs::metadata(&own).unwrap().ino(), "{name}");
        assert_eq!(found.mode() & 0o222, 0, "{name}");
    }
    let report = linked(&user, "guide");
    assert_eq!((&report["written"], &report["kept"]), (&json!(0), &json!(4)));
    let said = user.ok(["checkout", "--link", "guide", "other"]);
    assert!(said.contains("4 linked"), "{said}");
}

#[test]
fn programs_and_symlinks_are_copied() {
    let user = User::with_folder();
    std::fs::create_dir(user.path("book")).unwrap();
    set_mode(&user.write("book/run.sh", "#!/bin/sh\n"), 0o755);
    user.write("book/page.md", "a page\n");
    symlink("page.md", user.path("book/link.md")).unwrap();
    user.ok(["import", "book", "guide"]);
    let report = linked(&user, "guide");
    assert_eq!((&report["written"], &report["linked"]), (&json!(3), &json!(1)));
    assert_eq!(snapshot(&user.path("site")), snapshot(&user.path("book")));
    assert_eq!(meta(&user, "site/run.sh").nlink(), 1);
}

#[test]
fn another_version_replaces_names_and_leaves_the_objects() {
    let user = User::with_folder();
    version(&user, FIRST);
    linked(&user, "guide");
    version(&user, &[("README.md", "# Other\n"), ("ch1/lesson.md", "one\n")]);
    let report = linked(&user, "guide");
    assert_eq!((&report["written"], &report["removed"]), (&json!(1), &json!(2)));
    assert_eq!(snapshot(&user.path("site")), snapshot(&user.path("book")));
    assert_eq!(std::fs::read_to_string(object(&user, "# Guide\n")).unwrap(), "# Guide\n");
    user.ok(["checkout", "guide~1", "site"]);
    assert_eq!(meta(&user, "site/README.md").nlink(), 1, "without --link it is a copy");
    user.ok(["fsck"]);
}

#[test]
fn one_content_in_two_places_is_settled_at_once() {
    let user = User::with_folder();
    version(&user, &[("a.md", "same\n"), ("b.md", "same\n"), ("c.md", "other\n")]);
    linked(&user, "guide");
    let before = meta(&user, "site/.cas/index");
    linked(&user, "guide");
    let after = meta(&user, "site/.cas/index");
    assert_eq!((after.ino(), after.mtime_nsec()), (before.ino(), before.mtime_nsec()));
}

#[test]
fn a_damaged_object_is_not_linked() {
    let user = User::with_folder();
    version(&user, FIRST);
    let own = object(&user, "one\n");
    set_mode(&own, 0o644);
    std::fs::write(&own, "0ne\n").unwrap();
    set_mode(&own, 0o444);
    let said = user.fails(4, ["checkout", "--link", "guide", "site"]);
    assert!(said.contains("ch1/lesson.md"), "{said}");
    assert!(!user.path("site/ch1/lesson.md").exists());
}

#[test]
fn an_object_that_can_be_written_to_is_copied() {
    let user = User::with_folder();
    version(&user, FIRST);
    linked(&user, "guide");
    // The mode is the object's as well.
    set_mode(&user.path("site/ch1/lesson.md"), 0o755);
    let report = linked(&user, "guide");
    assert_eq!((&report["written"], &report["linked"]), (&json!(1), &json!(0)));
    assert_eq!(snapshot(&user.path("site")), snapshot(&user.path("book")));
    assert_eq!(meta(&user, "site/ch1/lesson.md").nlink(), 1);
    assert_eq!(meta(&user, "site/ch1/table.md").nlink(), 2);
}

#[test]
fn a_store_elsewhere_has_no_files_to_link() {
    let user = User::at(Place::Http(Arc::new(Served::start())));
    version(&user, FIRST);
    let said = user.fails(1, ["checkout", "--link", "guide", "site"]);
    assert!(said.contains("hint: without --link"), "{said}");
    assert!(!user.path("site").exists());
}

#[test]
fn a_folder_on_another_file_system_is_refused() {
    let Ok(elsewhere) = tempfile::tempdir_in("/dev/shm") else {
        cas_tests::tell("skipped: there is no other file system to write to");
        return;
    };
    let user = User::with_folder();
    version(&user, FIRST);
    let target = elsewhere.path().join("site");
    let device = |path: &std::path::Path| std::fs::metadata(path).unwrap().dev();
    if device(elsewhere.path()) == device(&user.store()) {
        cas_tests::tell("skipped: the temporary folder is on the same file system");
        return;
    }
    let target = target.to_str().unwrap();
    let said = user.fails(1, ["checkout", "--link", "guide", target]);
    assert!(said.contains("another file system"), "{said}");
    let report = user.json(["checkout", "guide", target]);
    assert_eq!(text(&report, "book"), "guide");
}
