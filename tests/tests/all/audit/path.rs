//! The changes of one path.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cas_tests::cli::{User, assert_keys, snapshot, text};
use serde_json::Value;

use super::lines;
use crate::books::unpack;

/// The ids of the files below a folder, by path.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let id = |what: String| Some(what.strip_prefix("file ")?.split_once(' ')?.1.to_owned());
    snapshot(folder).into_iter().filter_map(|(path, what)| Some((path, id(what)?))).collect()
}

/// What a change says was there and is there: kind and id.
fn sides(line: &Value) -> [Option<(&str, &str)>; 2] {
    assert_keys(&line["change"], &["new", "path", "previous", "status"]);
    ["previous", "new"].map(|side| {
        let side = Some(&line["change"][side]).filter(|side| !side.is_null());
        side.map(|side| (text(side, "kind"), text(side, "id")))
    })
}

#[test]
fn invariant_attributed_each_change_of_a_file_of_a_real_book_is_told() {
    let user = User::new();
    let versions = unpack(&user);
    if versions.len() < 2 {
        cas_tests::skip_loudly(
            "there are no real books beside the workspace; CAS_TEST_BOOKS names a folder of them",
        );
        return;
    }
    let held: Vec<_> = versions.iter().map(|version| files(&user.path(version))).collect();
    for (nth, version) in versions.iter().enumerate() {
        let actor = format!("author-{nth}");
        let mut import = user.command(["import", version, "book", "-m", version]);
        assert!(import.env("CAS_ACTOR", &actor).output().unwrap().status.success());
    }
    // Of all paths that ever were: the one that changed most, one that went, one that came late,
    // and one that stayed as it was.
    let paths: BTreeSet<&String> = held.iter().flat_map(BTreeMap::keys).collect();
    let changes = |path: &str| {
        let states: Vec<_> = held.iter().map(|files| files.get(path)).collect();
        let mut found = Vec::new();
        let mut before = None;
        for (nth, now) in states.into_iter().enumerate() {
            if now != before {
                found.push((nth, before, now));
            }
            before = now;
        }
        found
    };
    let most = paths.iter().max_by_key(|path| changes(path).len());
    let gone = paths
        .iter()
        .find(|path| held[0].contains_key(**path) && !held.last().unwrap().contains_key(**path));
    let late = paths.iter().find(|path| !held[0].contains_key(**path));
    let same = paths.iter().find(|path| changes(path).len() == 1 && held[0].contains_key(**path));
    let chosen: Vec<_> = [most, gone, late, same].into_iter().flatten().collect();
    assert!(chosen.len() >= 2, "a real book has such files");
    assert!(changes(chosen[0]).len() >= 2, "{} changed", chosen[0]);
    for path in chosen {
        let told = lines(&user, &["audit", "book", "--path", path]);
        let mut wanted = changes(path);
        wanted.reverse();
        assert_eq!(told.len(), wanted.len(), "{path}: {told:?}");
        for (line, (nth, before, now)) in told.iter().zip(wanted) {
            let id = |side: Option<(&str, &str)>| side.map(|(_, id)| id.to_owned());
            let [previous, new] = sides(line).map(id);
            assert_eq!(
                (previous.as_ref(), new.as_ref()),
                (before, now),
                "{path} in {}",
                versions[nth]
            );
            assert_eq!(text(line, "actor"), format!("author-{nth}"));
            assert_eq!(text(line, "message"), versions[nth]);
        }
        for pair in told.windows(2) {
            assert_eq!(sides(&pair[0])[0], sides(&pair[1])[1], "{path}: unbroken");
        }
        eprintln!("{path}: {} changes in {} versions", told.len(), versions.len());
    }
}

#[test]
fn tells_additions_changes_and_removals_of_files_and_folders() {
    let user = User::new();
    user.write("book/ch1/a.md", "one");
    user.ok(["import", "book", "guide"]);
    user.write("book/ch1/a.md", "two");
    user.write("book/b.md", "b");
    user.ok(["import", "book", "guide"]);
    user.ok(["rm", "guide", "b.md", "-m", "away"]);
    user.ok(["rm", "guide", "ch1/a.md", "-m", "away"]);
    let statuses = |path: &str| {
        let told = lines(&user, &["audit", "guide", "--path", path]);
        let status = |line: &Value| format!("{} {}", text(&line["change"], "status"), line["seq"]);
        told.iter().map(status).collect::<Vec<_>>()
    };
    assert_eq!(statuses("ch1/a.md"), ["removed 4", "changed 2", "added 1"]);
    assert_eq!(statuses("ch1"), ["removed 4", "changed 2", "added 1"]);
    assert_eq!(statuses("b.md"), ["removed 3", "added 2"]);
    let told = lines(&user, &["audit", "guide", "--path", "ch1"]);
    assert_eq!(sides(&told[1]).map(|side| side.unwrap().0), ["tree", "tree"]);
    let said = user.ok(["audit", "guide", "--path", "b.md", "-n", "1"]);
    let id = blake3::hash(b"b").to_hex();
    assert!(said.contains(&format!("guide@main#3  remove    {} -> -  ", &id[..12])), "{said}");
    // A branch shows what came to it when it was made, and is left alone by others' changes.
    user.ok(["branch", "create", "guide@old", "--from", "guide@main~1"]);
    let old = lines(&user, &["audit", "guide@old", "--path", "ch1/a.md"]);
    assert_eq!((text(&old[0], "operation"), old.len()), ("create", 1));
}
