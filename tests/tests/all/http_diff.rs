//! Differences through a server, against a model that knows only two maps of files.

use std::collections::BTreeMap;

use bytes::Bytes;
use cas_core::name::BlobId;
use cas_core::object::EntryKind;
use cas_tests::cli::{assert_keys, text};
use cas_tests::planted::{Planted, plant};
use cas_tests::web::Client;
use proptest::prelude::*;
use serde_json::Value;

use super::http_archive::{publish, served};

/// What a version holds, by path.
type Files = BTreeMap<String, (EntryKind, Bytes)>;

fn planted(files: &Files) -> Vec<Planted> {
    let one = |(path, (kind, content)): (&String, &(EntryKind, Bytes))| Planted {
        path: path.clone(),
        kind: *kind,
        content: content.clone(),
    };
    files.iter().map(one).collect()
}

/// Every page of a difference, checked for what all pages must say.
async fn pages(client: &Client, path: &str, limit: usize) -> (Value, Vec<Value>) {
    let mut changes = Vec::new();
    let mut cursor = String::new();
    loop {
        let joint = if path.contains('?') { '&' } else { '?' };
        let page = client.get(&format!("{path}{joint}limit={limit}{cursor}")).await.expect(200);
        let page = page.json();
        let shown = page["changes"].as_array().unwrap();
        assert!(shown.len() <= limit);
        changes.extend(shown.iter().cloned());
        assert_eq!(page["truncated"].as_bool().unwrap(), page["next"].is_string());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={}", next.replace('/', "%2F")),
            None => return (page, changes),
        }
    }
}

/// Applies a difference to the first version: what comes out must be the second, byte for byte as
/// far as ids tell.
fn applied(old: &Files, changes: &[Value]) -> BTreeMap<String, (String, String)> {
    let told = |kind: EntryKind, content: &Bytes| {
        (kind.as_str().to_owned(), BlobId::of(content).to_string())
    };
    let mut now: BTreeMap<_, _> =
        old.iter().map(|(path, (kind, content))| (path.clone(), told(*kind, content))).collect();
    let before = now.clone();
    let side = |side: &Value| (text(side, "kind").to_owned(), text(side, "id").to_owned());
    for change in changes {
        assert_keys(change, &["path", "status", "from", "old", "new"]);
        let path = text(change, "path").to_owned();
        let from = change["from"].as_str().map(str::to_owned);
        match text(change, "status") {
            "added" => assert!(!before.contains_key(&path) && change["old"].is_null()),
            "removed" => assert!(change["new"].is_null() && from.is_none()),
            "changed" => assert!(change["old"] != change["new"] && from.is_none()),
            "renamed" => assert!(change["old"] == change["new"] && from.is_some()),
            other => panic!("{other}"),
        }
        if !change["old"].is_null() {
            let was = from.clone().unwrap_or_else(|| path.clone());
            assert_eq!(before.get(&was), Some(&side(&change["old"])), "{change}");
            now.remove(&was);
        }
    }
    for change in changes.iter().filter(|change| !change["new"].is_null()) {
        let path = text(change, "path").to_owned();
        assert!(now.insert(path, side(&change["new"])).is_none(), "{change} is told twice");
    }
    now
}

fn files() -> impl Strategy<Value = Files> {
    let path = prop_oneof!["[a-c]", "[d-f]/[a-b]", "[d-f]/x/[a-c]", "g/[a-b]/y/z"];
    let kind = prop_oneof![
        4 => Just(EntryKind::File), 1 => Just(EntryKind::Executable), 1 => Just(EntryKind::Symlink)
    ];
    let content = "[a-d]{1,2}".prop_map(Bytes::from);
    proptest::collection::btree_map(path, (kind, content), 0..12)
}

/// Invariant 14: the difference names every path that differs and no other, is the same every
/// time, and applied to the first version gives the second.
#[test]
fn delta_exact_over_http() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (_, repo, server) = served();
    let client = server.client();
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) };
    proptest!(config, |(old in files(), new in files(), limit in 1_usize..6)| {
        runtime.block_on(async {
            let trees = [plant(repo.store(), &planted(&old)).await, plant(repo.store(), &planted(&new)).await];
            let at = format!("/v1/trees/{}/diff/{}", trees[0], trees[1]);
            let (last, changes) = pages(&client, &at, limit).await;
            let (_, again) = pages(&client, &at, 100).await;
            assert_eq!(changes, again, "pages are cut from one whole");
            assert_eq!(last["status"], if trees[0] == trees[1] { "unchanged" } else { "changed" });
            assert_eq!(changes.is_empty(), old == new);
            let wanted = applied(&new, &[]);
            assert_eq!(applied(&old, &changes), wanted);
            // Each is told once, in order, and counted.
            let paths: Vec<_> = changes.iter().map(|change| text(change, "path")).collect();
            assert!(paths.is_sorted_by(|a, b| a < b), "{paths:?}");
            for status in ["added", "changed", "removed", "renamed"] {
                let count = changes.iter().filter(|change| change["status"] == status).count();
                assert_eq!(last["summary"][status], count);
            }
        });
    });
}

#[tokio::test]
async fn revisions_of_books_are_compared() {
    let (_, repo, server) = served();
    let client = server.client();
    let one = plant(repo.store(), &[Planted::file("a", "1"), Planted::file("ch1/b", "2")]).await;
    let two = plant(repo.store(), &[Planted::file("a", "1"), Planted::file("ch1/b", "20")]).await;
    let first = publish(&repo, "guide", "main", one).await;
    let second = publish(&repo, "guide", "main", two).await;
    publish(&repo, "other", "users/x@y", one).await;
    let diff = async |query: &str| client.get(&format!("/v1/books/guide/diff?{query}")).await;
    for (from, to) in [
        ("main~1", "main"),
        ("main%231", "main%232"),
        (&first[..8], &second[..12]),
        ("guide@main~1", "guide@main"),
        ("other@users%2Fx@y", "main"),
    ] {
        let found = diff(&format!("from={from}&to={to}")).await.expect(200).json();
        assert_eq!(found["status"], "changed", "{from} {to}");
        assert_eq!(found["to"]["commit"], second.as_str());
        assert_eq!(found["to"]["tree"], two.to_string());
        assert_eq!(found["summary"]["changed"], 1);
        assert_eq!(found["summary"]["new_bytes"], 2);
        assert_eq!(found["changes"][0]["path"], "ch1/b");
    }
    let same = diff("from=main&to=main").await.expect(200).json();
    assert_eq!(
        (&same["status"], same["changes"].as_array().unwrap().len()),
        (&"unchanged".into(), 0)
    );
    let elsewhere = diff("from=main~1&to=main&path=a").await.expect(200).json();
    assert_eq!(elsewhere["status"], "unchanged");
    for (query, status, code) in [
        ("from=main", 400, "bad_query"),
        ("from=main~9&to=main", 404, "too_far_back"),
        ("from=main%239&to=main", 404, "no_log_entry"),
        ("from=nowhere&to=main", 404, "no_ref"),
        ("from=nothing@main&to=main", 404, "no_book"),
        ("from=0123456789&to=main", 404, "no_object"),
        ("from=main~1&to=main&path=x", 404, "no_path"),
        ("from=a..b&to=main", 400, "bad_name"),
    ] {
        assert_eq!(diff(query).await.expect(status).code(), code, "{query}");
    }
}

#[tokio::test]
async fn a_difference_in_hand_is_not_sent_again() {
    let (_, repo, server) = served();
    let client = server.client();
    let one = plant(repo.store(), &[Planted::file("a", "1")]).await;
    let two = plant(repo.store(), &[Planted::file("a", "2")]).await;
    publish(&repo, "guide", "main", one).await;
    publish(&repo, "guide", "main", two).await;
    for (at, caching) in [
        (format!("/v1/trees/{one}/diff/{two}"), "immutable"),
        ("/v1/books/guide/diff?from=main~1&to=main".to_owned(), "no-cache"),
    ] {
        let found = client.get(&at).await.expect(200);
        assert!(found.header("cache-control").ends_with(caching), "{at}");
        let again = client.request("GET", &at).header("if-none-match", found.header("etag"));
        again.send().await.expect(304);
    }
    publish(&repo, "guide", "main", one).await;
    let back = client.get("/v1/books/guide/diff?from=main~1&to=main").await.expect(200).json();
    assert_eq!(back["from"]["tree"], two.to_string());
    let nobody = "0".repeat(64);
    let missing = client.get(&format!("/v1/trees/{one}/diff/{nobody}")).await.expect(404);
    assert_eq!(missing.code(), "no_object");
}
