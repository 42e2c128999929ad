//! What a store has lost or damaged, put right by importing the same folder again.

use cas_core::name::Hash;
use cas_core::object::Kind;
use cas_core::store::layout;
use cas_tests::cli::{User, snapshot, text};
use serde_json::Value;

use super::{Cloud, write_book};

/// What happens to an object behind the client's back.
type Harm<'a> = &'a dyn Fn(&str, bool);

/// Damages and loses objects of every kind, and has each put right.
fn repairs(user: &User, harm: Harm<'_>) {
    write_book(user, 12, "first");
    user.ok(["import", "book", "guide"]);
    let verify = ["import", "book", "guide", "--verify-existing"];
    assert_eq!(user.json(verify)["repaired"], 0, "a good store needs nothing");
    let blob = file_id(user, "part0/lesson0.md");
    let tree = text(&user.json(["log", "guide"])[0], "tree").to_owned();
    let folder = text(&user.json(["ls", "guide"])[2], "id").to_owned();
    let cases: [&[(Kind, &str)]; 4] = [
        &[(Kind::Blob, &blob)],
        &[(Kind::Tree, &tree)],
        &[(Kind::Tree, &folder)],
        &[(Kind::Blob, &blob), (Kind::Tree, &tree), (Kind::Tree, &folder)],
    ];
    for (nth, objects) in cases.iter().enumerate() {
        for removed in [false, true] {
            for (kind, id) in *objects {
                harm(&key(*kind, id), removed);
            }
            let said = format!("{objects:?}, removed: {removed}");
            let plain = user.json(["import", "book", "guide"]);
            assert_eq!(plain["mode"], "unchanged", "{said}");
            let out = format!("out-{nth}-{removed}");
            assert_eq!(user.run(["checkout", "guide", &out]).code(), 4, "{said}");
            let dry = user.json([&verify[..], &["--dry-run"]].concat());
            assert_eq!(dry["repaired"], objects.len(), "{said}: a dry run counts: {dry}");
            assert_eq!(user.json(verify)["repaired"], objects.len(), "{said}");
            assert_whole(user, &out);
            assert_eq!(user.json(verify)["repaired"], 0, "{said}: nothing is left to do");
        }
    }
}

/// Without its head's commit a branch cannot be read; importing makes a new version after it.
fn replaces_the_commit(user: &User, harm: Harm<'_>) {
    for removed in [false, true] {
        let commit = text(&user.json(["reflog", "guide@main"])[0], "target").to_owned();
        harm(&key(Kind::Commit, &commit), removed);
        assert_eq!(user.run(["import", "book", "guide"]).code(), 4, "a lost commit is told");
        let report = user.json(["import", "book", "guide", "--verify-existing"]);
        assert_eq!(report["mode"], "updated", "{report}");
        assert_whole(user, &format!("commit-{removed}"));
    }
}

fn assert_whole(user: &User, out: &str) {
    user.ok(["checkout", "guide", out]);
    assert_eq!(snapshot(&user.path(out)), snapshot(&user.path("book")));
}

fn file_id(user: &User, path: &str) -> String {
    let found: Value = user.json(["ls", "guide", path]);
    text(&found[0], "id").to_owned()
}

fn key(kind: Kind, id: &str) -> String {
    layout::object(kind, &Hash::parse("id", id).unwrap()).to_string()
}

/// Flips a bit in the middle: the length says nothing.
fn flipped(mut bytes: Vec<u8>) -> Vec<u8> {
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    bytes
}

#[test]
fn objects_lost_or_damaged_in_a_bucket_are_put_right() {
    let cloud = Cloud::new();
    let harm = |key: &str, removed: bool| {
        let key = cloud.key(key);
        let bytes = cloud.server.remove(&key).unwrap();
        if !removed {
            cloud.server.insert(&key, flipped(bytes.to_vec()));
        }
    };
    repairs(&cloud.user, &harm);
    cloud.audit();
    replaces_the_commit(&cloud.user, &harm);
}

#[test]
fn objects_lost_or_damaged_in_a_folder_are_put_right() {
    let user = User::with_folder();
    let harm = |key: &str, removed: bool| {
        let path = user.store().join(key);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        if !removed {
            std::fs::write(&path, flipped(bytes)).unwrap();
        }
    };
    repairs(&user, &harm);
    replaces_the_commit(&user, &harm);
}
