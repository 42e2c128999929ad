//! Real books through a server: the same files, and no more on the wire than what differs.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use cas_tests::tamper::TamperProxy;

use super::super::books::archives;
use super::{Place, checkout, files, import, repo_of};

/// How many bytes a file has under the compression of the wire.
fn compressed(path: &Path) -> u64 {
    zstd::bulk::compress(&std::fs::read(path).unwrap(), 3).unwrap().len() as u64
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_faithful_real_books_travel_and_only_what_differs_does() {
    let archives = archives();
    if archives.len() < 2 {
        cas_tests::skip_loudly(
            "there are no real books beside the workspace; CAS_TEST_BOOKS names a folder of them",
        );
        return;
    }
    let place = Place::new();
    let proxy = TamperProxy::watch(place.server.url());
    let repo = repo_of(&proxy.url(), 2);
    let mut versions = Vec::new();
    for (nth, archive) in archives.iter().enumerate() {
        let folder = place.path(&format!("v{}", nth + 1));
        std::fs::create_dir(&folder).unwrap();
        let mut tar = Command::new("tar");
        tar.arg("xzf").arg(archive).arg("-C").arg(&folder);
        assert!(tar.status().unwrap().success());
        import(&repo, &folder, "main").await.unwrap();
        versions.push(folder);
    }
    let back = |nth: usize| format!("book~{}", versions.len() - 1 - nth);
    let mut cold = Vec::new();
    for (nth, version) in versions.iter().enumerate() {
        proxy.take();
        let out = place.path(&format!("out{nth}"));
        checkout(&repo, &back(nth), &out).await.unwrap();
        assert_eq!(files(version), files(&out));
        cold.push(proxy.take().len());
    }
    // Going back from the branch to a version reads one commit after the other.
    let deepest = versions.len() - 1;
    let expected: Vec<_> = (0..versions.len()).map(|nth| 3 + deepest - nth).collect();
    assert_eq!(cold, expected);

    let (old, new) = (&versions[deepest - 1], &versions[deepest]);
    let before: BTreeMap<_, _> = files(old).into_iter().map(|(path, what)| (what, path)).collect();
    let changed = files(new).into_iter().filter(|(_, what)| !before.contains_key(what));
    let expected: u64 = changed.map(|(path, _)| compressed(&new.join(path))).sum();
    let out = place.path("switched");
    checkout(&repo, &back(deepest - 1), &out).await.unwrap();
    proxy.take();
    checkout(&repo, "book", &out).await.unwrap();
    assert_eq!(files(new), files(&out));
    let passed = proxy.take();
    let bytes: u64 = passed.iter().map(|passed| passed.answer_bytes).sum();
    cas_tests::tell(&format!(
        "switching a real book: {} requests, {bytes} bytes for changes of {expected} compressed",
        passed.len()
    ));
    assert!(passed.len() <= 4, "{} requests", passed.len());
    assert!(bytes <= expected + expected / 10 + 64 * 1024, "{bytes} bytes instead of {expected}");
}
