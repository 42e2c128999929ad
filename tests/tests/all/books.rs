//! Real books in successive versions, if there are any beside the workspace or where
//! `CAS_TEST_BOOKS` says: a folder of `.tar.gz` files, in the order of their names.

use std::path::{Path, PathBuf};
use std::process::Command;

use cas_tests::cli::{User, snapshot, workspace};

pub(super) fn archives() -> Vec<PathBuf> {
    let beside = || workspace().parent().map(|above| above.join("shared/books"));
    let Some(folder) = std::env::var_os("CAS_TEST_BOOKS").map(PathBuf::from).or_else(beside) else {
        return Vec::new();
    };
    let entries =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<_> =
        entries.filter(|path| path.to_string_lossy().ends_with(".tar.gz")).collect();
    found.sort_unstable();
    found
}

/// Unpacks every version into a folder of its own.
pub(super) fn unpack(user: &User) -> Vec<String> {
    let mut names = Vec::new();
    for (nth, archive) in archives().iter().enumerate() {
        let name = format!("v{}", nth + 1);
        std::fs::create_dir(user.path(&name)).unwrap();
        let mut tar = Command::new("tar");
        tar.arg("xzf").arg(archive).arg("-C").arg(user.path(&name));
        assert!(tar.status().unwrap().success());
        names.push(name);
    }
    names
}

fn same(left: &Path, right: &Path) {
    // Empty folders are no content: no book holds one.
    let files = |folder| {
        snapshot(folder).into_iter().filter(|(_, what)| what != "folder").collect::<Vec<_>>()
    };
    assert_eq!(files(left), files(right));
}

#[test]
fn invariant_faithful_real_books_come_back_as_they_were() {
    let user = User::new();
    let versions = unpack(&user);
    if versions.len() < 2 {
        cas_tests::skip_loudly(
            "there are no real books beside the workspace; CAS_TEST_BOOKS names a folder of them",
        );
        return;
    }
    let (mut total, mut new) = (0, 0);
    for (nth, version) in versions.iter().enumerate() {
        let report = user.json(["import", version, "book", "-m", version]);
        assert_eq!(report["mode"], if nth == 0 { "created" } else { "updated" });
        total += report["bytes"]["total"].as_u64().unwrap();
        new += report["bytes"]["new"].as_u64().unwrap();
    }
    eprintln!(
        "{} versions: {total} bytes, {new} of them stored, {} shared",
        versions.len(),
        total - new
    );
    assert!(new < total);

    let last = versions.last().unwrap();
    let again = user.json(["import", last, "book"]);
    assert_eq!(
        (again["mode"].as_str(), again["files"]["read"].as_u64()),
        (Some("unchanged"), Some(0))
    );

    for (nth, version) in versions.iter().enumerate() {
        let back = versions.len() - 1 - nth;
        let out = format!("out-{version}");
        user.ok(["checkout", &format!("book~{back}"), &out]);
        same(&user.path(version), &user.path(&out));
    }

    // One folder from the first version to the last and back to the second.
    user.ok(["checkout", &format!("book~{}", versions.len() - 1), "switched"]);
    user.write("switched/mine.txt", "my own\n");
    for (from, to) in [(0, versions.len() - 1), (versions.len() - 1, 1)] {
        let revision = |nth: usize| format!("book~{}", versions.len() - 1 - nth);
        let differ = user.json(["diff", &revision(from), &revision(to)]);
        let statuses =
            differ.as_array().unwrap().iter().map(|change| change["status"].as_str().unwrap());
        let written = statuses.clone().filter(|status| *status != "removed").count() as u64;
        let removed =
            statuses.filter(|status| matches!(*status, "removed" | "renamed")).count() as u64;
        let report = user.json(["checkout", &revision(to), "switched"]);
        assert_eq!(report["written"].as_u64(), Some(written), "just what differs is written");
        assert_eq!(report["removed"].as_u64(), Some(removed), "just what is gone is removed");
        assert_eq!(std::fs::read_to_string(user.path("switched/mine.txt")).unwrap(), "my own\n");
        std::fs::rename(user.path("switched/mine.txt"), user.path("mine.txt")).unwrap();
        same(&user.path(&versions[to]), &user.path("switched"));
        std::fs::rename(user.path("mine.txt"), user.path("switched/mine.txt")).unwrap();
    }
}
