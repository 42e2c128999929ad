//! How often a server is asked, and for how much.

use cas_core::folder::CheckoutOptions;
use cas_core::store::Cache;
use cas_tests::tamper::{Passed, TamperProxy};

use super::{Place, checkout, checkout_as, files, import, lessons, repo_of, store_of};

fn paths(passed: &[Passed]) -> Vec<String> {
    let name = |passed: &Passed| {
        let path = passed.asked.path.split('?').next().unwrap_or_default();
        let kind = path.trim_start_matches("/v1/").split('/').next().unwrap_or_default();
        format!("{} {kind}", passed.asked.method)
    };
    passed.iter().map(name).collect()
}

/// The newest entry, its commit, and everything else.
const COLD: [&str; 3] = ["GET raw", "GET commits", "POST fetch"];

#[tokio::test(flavor = "multi_thread")]
async fn a_cold_checkout_takes_three_requests_whatever_the_book() {
    for count in [2, 13] {
        let place = Place::new();
        let folder = place.folder("book", &lessons("first")[..count]);
        import(&place.direct(), &folder, "main").await.unwrap();
        let proxy = TamperProxy::watch(place.server.url());
        checkout(&repo_of(&proxy.url(), 2), "book", &place.path("out")).await.unwrap();
        assert_eq!(paths(&proxy.take()), COLD, "{count} files");
        assert_eq!(files(&folder), files(&place.path("out")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn switching_takes_as_many_and_brings_only_what_differs() {
    let place = Place::new();
    let mut next = lessons("first");
    import(&place.direct(), &place.folder("v1", &next), "main").await.unwrap();
    next[3].1 = b"changed".to_vec();
    // Moved, so that the folder has it though not where it is to be.
    let large = next.pop().unwrap();
    next.push(("images/moved.bin", large.1));
    import(&place.direct(), &place.folder("v2", &next), "main").await.unwrap();
    let proxy = TamperProxy::watch(place.server.url());
    let repo = repo_of(&proxy.url(), 2);
    checkout(&repo, "book~1", &place.path("out")).await.unwrap();
    proxy.take();
    let report = checkout(&repo, "book", &place.path("out")).await.unwrap();
    assert_eq!((report.written.len(), report.removed.len()), (2, 1));
    assert_eq!(files(&place.path("v2")), files(&place.path("out")));
    let passed = proxy.take();
    // What the folder has is asked for once more where it has to be written elsewhere.
    let expected: Vec<_> = COLD.into_iter().chain(["POST fetch"]).collect();
    assert_eq!(paths(&passed), expected);
    assert!(passed[2].answer_bytes < 2_000, "{} bytes", passed[2].answer_bytes);
    // And when nothing differs, nothing but trees could come, and none does. The folder is found to
    // be right by then or before it is asked for them.
    checkout(&repo, "book", &place.path("out")).await.unwrap();
    let passed = proxy.take();
    assert!(COLD.map(str::to_owned).starts_with(&paths(&passed)), "{:?}", paths(&passed));
    if let Some(answer) = passed.get(2) {
        assert!(answer.answer_bytes < 100, "{} bytes", answer.answer_bytes);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_were_deleted_come_in_one_answer() {
    let place = Place::new();
    let folder = place.folder("book", &lessons("first"));
    import(&place.direct(), &folder, "main").await.unwrap();
    let proxy = TamperProxy::watch(place.server.url());
    let repo = repo_of(&proxy.url(), 2);
    let out = place.path("out");
    checkout(&repo, "book", &out).await.unwrap();
    std::fs::remove_dir_all(out.join("a")).unwrap();
    proxy.take();
    let force = CheckoutOptions { force: true, ..CheckoutOptions::default() };
    checkout_as(&repo, "book", &out, &force).await.unwrap();
    assert_eq!(files(&folder), files(&out));
    assert_eq!(paths(&proxy.take()), ["GET raw", "GET commits", "POST fetch", "POST fetch"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_and_a_folder_with_files_bring_no_file_that_is_not_written() {
    let place = Place::new();
    let folder = place.folder("book", &lessons("first"));
    import(&place.direct(), &folder, "main").await.unwrap();
    let proxy = TamperProxy::watch(place.server.url());
    let repo = repo_of(&proxy.url(), 2);
    let dry = CheckoutOptions { dry_run: true, ..CheckoutOptions::default() };
    checkout_as(&repo, "book", &place.path("out"), &dry).await.unwrap();
    let passed = proxy.take();
    assert_eq!(paths(&passed), COLD);
    assert!(passed[2].answer_bytes < 4_000, "{} bytes", passed[2].answer_bytes);
    // A copy without an index: every file is right already but for one.
    let out = place.folder("copy", &lessons("first"));
    std::fs::remove_file(out.join("z.md")).unwrap();
    checkout(&repo, "book", &out).await.unwrap();
    assert_eq!(files(&folder), files(&out));
    let bytes: u64 = proxy.take().iter().map(|passed| passed.answer_bytes).sum();
    assert!(bytes < 8_000, "{bytes} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_cache_has_does_not_travel_again() {
    let place = Place::new();
    let folder = place.folder("book", &lessons("first"));
    import(&place.direct(), &folder, "main").await.unwrap();
    let proxy = TamperProxy::watch(place.server.url());
    let cached = |seed| {
        let cache = Cache::open(&place.path("cache"), 1 << 30).unwrap();
        let (store, env) = (store_of(&proxy.url()).cached(cache), cas_tests::env::test_env(seed));
        cas_core::repo::Repository::new(store, env, super::actor(), super::JOBS)
    };
    checkout(&cached(2), "book", &place.path("one")).await.unwrap();
    let first: u64 = proxy.take().iter().map(|passed| passed.answer_bytes).sum();
    assert!(first > 6 << 20, "{first} bytes");
    checkout(&cached(3), "book", &place.path("two")).await.unwrap();
    let again: u64 = proxy.take().iter().map(|passed| passed.answer_bytes).sum();
    assert!(again < 4_000, "{again} bytes");
    assert_eq!(files(&folder), files(&place.path("two")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_sends_only_what_the_server_lacks() {
    let place = Place::new();
    let proxy = TamperProxy::watch(place.server.url());
    let mut next = lessons("first");
    let folder = place.folder("book", &next);
    let report = import(&repo_of(&proxy.url(), 2), &folder, "main").await.unwrap();
    assert_eq!(report.bytes_new, report.totals.size);
    let sent = |passed: Vec<Passed>| {
        let bodies = passed.iter().filter(|passed| passed.asked.path != "/v1/missing");
        bodies.map(|passed| passed.asked.body.len() as u64).sum::<u64>()
    };
    assert!(sent(proxy.take()) > 6 << 20);
    next[3].1 = b"changed".to_vec();
    let changed = place.folder("changed", &next);
    let report = import(&repo_of(&proxy.url(), 3), &changed, "main").await.unwrap();
    assert_eq!((report.changed, report.bytes_new), (1, 7));
    let bytes = sent(proxy.take());
    assert!(bytes < 4_000, "{bytes} bytes");
    // On a branch that is new nothing is known to be there: it is asked about.
    let other = place.folder("other", &next);
    let report = import(&repo_of(&proxy.url(), 4), &other, "draft").await.unwrap();
    assert_eq!(report.bytes_new, 0);
    let bytes = sent(proxy.take());
    assert!(bytes < 70_000, "{bytes} bytes");
}
