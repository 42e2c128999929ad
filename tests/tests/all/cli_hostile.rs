//! Checkouts of what should not be in a store: hostile trees and damaged objects.

use std::path::PathBuf;

use cas_core::env::{Env, Timestamp};
use cas_core::name::{Actor, BookId, CommitId, Hash, Operation, RefName, RequestId, TreeId};
use cas_core::object::{Commit, Kind, Metadata, codec};
use cas_core::refs::{Expectation, RefUpdate, UpdateOutcome};
use cas_core::store::{Bucket, LocalStore, Store, layout};
use cas_tests::cli::{User, snapshot};

use super::cli_checkout::{FIRST, set_mode, version, with_site_in_folder};

fn blob_file(user: &User, content: impl AsRef<[u8]>) -> PathBuf {
    object_file(user, Kind::Blob, Hash::of(content.as_ref()))
}

fn object_file(user: &User, kind: Kind, id: Hash) -> PathBuf {
    user.store().join(layout::object(kind, &id).as_ref())
}

/// Stores these bytes under their key, whatever they are.
fn put_raw(user: &User, kind: Kind, bytes: &[u8]) -> Hash {
    let id = Hash::of(bytes);
    let path = object_file(user, kind, id);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
    id
}

/// An entry of a tree as encoded: name, kind, id, size, files.
type RawEntry<'a> = (&'a str, u8, Hash, u64, u64);

fn put_tree(user: &User, entries: &[RawEntry<'_>]) -> Hash {
    let mut entries = entries.to_vec();
    entries.sort_unstable();
    put_raw(user, Kind::Tree, &codec::encode(&(1_u64, entries)))
}

/// Makes `tree` a version of the new book `hostile`, as a program that checks nothing would.
fn publish(user: &User, tree: Hash) {
    let commit = Commit {
        tree: TreeId(tree),
        parents: Vec::new(),
        author: Actor::parse("mallory").unwrap(),
        committed_at: Timestamp::from_micros(1),
        message: String::new(),
        metadata: Metadata::new(),
    };
    let commit = CommitId(put_raw(user, Kind::Commit, &commit.encode()));
    let update = RefUpdate {
        book: BookId::parse("hostile").unwrap(),
        name: RefName::main(),
        expect: Expectation::Absent,
        target: Some(commit),
        actor: Actor::parse("mallory").unwrap(),
        operation: Operation::import(),
        message: String::new(),
        request_id: RequestId::from_bytes([7; 16]),
        metadata: Metadata::new(),
        began: Timestamp::from_micros(u64::MAX),
    };
    let bucket = Bucket::local(LocalStore::open(&user.store()).unwrap());
    let store = Store::in_bucket(&bucket, &Env::system());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let outcome = runtime.block_on(store.refs().update(&update)).unwrap();
    assert!(matches!(outcome, UpdateOutcome::Moved(_)));
}

#[test]
fn a_hostile_tree_is_refused_with_every_fault_and_nothing_is_written() {
    let user = User::with_folder();
    version(&user, FIRST);
    let good = put_raw(&user, Kind::Blob, b"bad\n");
    let link = |target: &str| {
        let id = put_raw(&user, Kind::Blob, target.as_bytes());
        (id, target.len() as u64)
    };
    let file = |name| (name, 0, good, 4, 1);
    let empty = put_tree(&user, &[]);
    let inner = put_tree(&user, &[file("../../escape"), file("lpt1.txt")]);
    let deep = put_tree(&user, &[("inner", 3, inner, 8, 2)]);
    let (up, absolute, middle) = (link("../up.md"), link("/etc/passwd"), link("fine/../../up.md"));
    let tree = put_tree(
        &user,
        &[
            file(".."),
            file("."),
            file(""),
            file("a/b"),
            file("a\\b"),
            file("/etc/abs"),
            (".git", 3, empty, 0, 0),
            file(".GIT"),
            file("git~1"),
            file(".g\u{200c}it"),
            (".cas", 3, empty, 0, 0),
            file("con"),
            file("nul.txt"),
            file("nul\0byte"),
            file("new\nline"),
            file("trailing."),
            file("e\u{301}.md"),
            file("README"),
            file("readme"),
            file("fine.md"),
            ("deep", 3, deep, 8, 2),
            ("link-up", 2, up.0, up.1, 1),
            ("link-absolute", 2, absolute.0, absolute.1, 1),
            ("link-middle", 2, middle.0, middle.1, 1),
        ],
    );
    publish(&user, tree);
    user.write("site/mine.md", "mine\n");
    let before = snapshot(&user.path(""));
    for force in [None, Some("--force"), Some("--dry-run")] {
        let said = user.fails(1, ["checkout", "hostile", "site"].into_iter().chain(force));
        for fault in [
            "\"..\"",
            "\".\"",
            "\"\"",
            "\"a/b\"",
            "\"a\\\\b\"",
            "\"/etc/abs\"",
            "\".git\"",
            "\".GIT\"",
            "\"git~1\"",
            "\".g\\u{200c}it\"",
            "\".cas\"",
            "\"con\"",
            "\"nul.txt\"",
            "\"nul\\0byte\"",
            "\"new\\nline\"",
            "\"trailing.\"",
            "normal form C",
            "\"README\" and \"readme\"",
            "deep/inner: invalid name \"../../escape\"",
            "deep/inner: invalid name \"lpt1.txt\"",
            "link-up: it points to \"../up.md\"",
            "link-absolute: it points to \"/etc/passwd\"",
            "link-middle: it points to \"fine/../../up.md\"",
        ] {
            assert!(said.contains(fault), "{fault} is not in {said}");
        }
        assert!(!said.contains("fine.md"), "{said}");
        assert!(said.contains("because of 23 paths"), "{said}");
        assert_eq!(snapshot(&user.path("")), before);
        assert!(!user.path("site/.cas").exists());
    }
    // The rest of the book can be looked at.
    let said = user.fails(4, ["ls", "hostile"]);
    assert!(said.contains(&tree.to_hex()), "{said}");
}

#[test]
fn a_tree_that_is_not_canonical_is_damaged_data() {
    let user = User::with_folder();
    let id = Hash::of(b"x");
    let unsorted = [("b", 0_u8, id, 1_u64, 1_u64), ("a", 0, id, 1, 1)];
    let tree = put_raw(&user, Kind::Tree, &codec::encode(&(1_u64, unsorted.to_vec())));
    publish(&user, tree);
    let said = user.fails(4, ["checkout", "hostile", "site"]);
    assert!(said.contains(&tree.to_hex()), "{said}");
    assert!(said.contains("not sorted"), "{said}");
    assert!(!user.path("site").exists());
}

#[test]
fn a_tree_that_lies_about_a_size_is_damaged_data() {
    let user = User::with_folder();
    let id = put_raw(&user, Kind::Blob, b"four");
    let tree = put_tree(&user, &[("a.md", 0, id, 3, 1)]);
    publish(&user, tree);
    let said = user.fails(4, ["checkout", "hostile", "site"]);
    assert!(said.contains("a.md") && said.contains(&id.to_hex()), "{said}");
    assert!(!user.path("site/a.md").exists());
}

/// What can happen to a stored file.
fn damages(good: &[u8]) -> Vec<(&'static str, Option<Vec<u8>>)> {
    let mut flipped = good.to_vec();
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    let mut longer = good.to_vec();
    longer.push(b'x');
    vec![
        ("missing", None),
        ("truncated", Some(good[..good.len() / 2].to_vec())),
        ("emptied", Some(Vec::new())),
        ("flipped", Some(flipped)),
        ("longer", Some(longer)),
        ("much longer", Some([good, &[0; 5_000_000]].concat())),
    ]
}

#[test]
fn a_damaged_blob_is_named_never_laid_out_and_no_hindrance_once_it_is_repaired() {
    let large = "0123456789abcdef".repeat(300_000);
    for content in ["the content of a small file\n", &large] {
        let user = User::with_folder();
        user.write("book/a.md", "a\n");
        user.write("book/bad/b.md", content);
        user.write("book/c.md", "c\n");
        user.ok(["import", "book", "guide"]);
        let (file, id) = (blob_file(&user, content), Hash::of(content.as_bytes()));
        set_mode(&file, 0o644);
        for (damage, bytes) in damages(content.as_bytes()) {
            let _ = std::fs::remove_dir_all(user.path("site"));
            match &bytes {
                None => std::fs::remove_file(&file).unwrap(),
                Some(bytes) => std::fs::write(&file, bytes).unwrap(),
            }
            let said = user.fails(4, ["checkout", "guide", "site"]);
            assert!(said.contains("bad/b.md"), "{damage}: {said}");
            assert!(said.contains(&id.to_hex()), "{damage}: {said}");
            assert!(said.contains("hint: "), "{damage}: {said}");
            assert!(!user.path("site/bad/b.md").exists(), "{damage}");
            let cat = user.fails(4, ["cat", "guide", "bad/b.md"]);
            assert!(cat.contains(&id.to_hex()), "{damage}: {cat}");
            let code = if bytes.is_none() { 1 } else { 4 };
            user.fails(code, ["show", &id.to_hex()]);

            let said = user.fails(1, ["status", "site"]);
            assert!(said.contains("interrupted"), "{damage}: {said}");
            std::fs::write(&file, content).unwrap();
            user.ok(["checkout", "guide", "site"]);
            assert_eq!(snapshot(&user.path("site")), snapshot(&user.path("book")), "{damage}");
            assert_eq!(user.json(["status", "site"])["clean"], true, "{damage}");
        }
    }
}

#[test]
fn a_damaged_blob_leaves_the_file_that_it_was_to_replace() {
    let user = with_site_in_folder();
    version(&user, &[("README.md", "# New\n"), ("ch1/lesson.md", "1\n")]);
    let file = blob_file(&user, "# New\n");
    std::fs::remove_file(&file).unwrap();
    let said = user.fails(4, ["checkout", "guide", "site"]);
    assert!(said.contains("README.md"), "{said}");
    assert_eq!(std::fs::read_to_string(user.path("site/README.md")).unwrap(), "# Guide\n");
    let status = user.json(["status", "site"]);
    assert_eq!(status["interrupted"], true);
    assert_eq!(status["clean"], false);
    assert!(user.ok(["status", "site"]).contains("interrupted"));
    std::fs::write(&file, "# New\n").unwrap();
    user.ok(["checkout", "guide", "site"]);
    assert_eq!(user.json(["status", "site"])["clean"], true);
}
