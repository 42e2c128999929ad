//! Listings of a live branch say which side each path comes from.

use std::collections::BTreeMap;

use cas_tests::cli::text;
use cas_tests::web::Client;
use serde_json::{Value, json};

use super::http::{ADA, BOOK, fill};
use super::http_upstream::{MAIN, overwrite};
use crate::http_archive::served;

/// A few lines, one of which is as said.
fn lines(changed: &[(usize, &str)]) -> String {
    let line = |n| match changed.iter().find(|(at, _)| *at == n) {
        Some((_, text)) => format!("{text}\n"),
        None => format!("line {n}\n"),
    };
    (0..20).map(line).collect()
}

/// A live branch of which each path comes from another side.
async fn seen(client: &Client) {
    fill(client).await;
    for path in ["docs/both.md", "docs/same.md", "own/a.md", "theirs/a.md"] {
        client.put(&format!("{MAIN}/files/{path}"), lines(&[])).await.expect(201);
    }
    client.put(&format!("{ADA}/files/docs/mine.md"), "mine").await.expect(201);
    let ours = [
        ("docs/both.md", lines(&[(2, "ours")])),
        ("docs/same.md", lines(&[(2, "ours")])),
        ("own/a.md", lines(&[(2, "ours")])),
    ];
    let theirs = [
        ("docs/both.md", lines(&[(15, "theirs")])),
        ("docs/same.md", lines(&[(2, "theirs")])),
        ("theirs/a.md", lines(&[(2, "theirs")])),
    ];
    for (branch, files) in [(ADA, ours), (MAIN, theirs)] {
        for (path, text) in files {
            overwrite(client, &format!("{branch}/files/{path}"), text).await;
        }
    }
    client.put(&format!("{MAIN}/files/new/news.md"), "new").await.expect(201);
}

/// What a listing says of each path.
async fn sources(client: &Client, path: &str) -> BTreeMap<String, Value> {
    let listed = client.get(path).await.expect(200).json();
    let entries = listed["entries"].as_array().unwrap().iter();
    entries.map(|entry| (text(entry, "path").to_owned(), entry["source"].clone())).collect()
}

fn told<const N: usize>(sources: [(&str, &str); N]) -> BTreeMap<String, Value> {
    sources.into_iter().map(|(path, source)| (path.to_owned(), json!(source))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_path_of_a_live_branch_says_where_it_comes_from() {
    let (_, _, server) = served();
    let client = server.client();
    seen(&client).await;
    let root = [
        ("book.toml", "upstream"),
        ("docs", "conflict"),
        ("new", "upstream"),
        ("own", "own"),
        ("theirs", "upstream"),
    ];
    assert_eq!(sources(&client, &format!("{ADA}/files")).await, told(root));
    let docs = [
        ("docs/a.md", "upstream"),
        ("docs/both.md", "merged"),
        ("docs/mine.md", "own"),
        ("docs/same.md", "conflict"),
    ];
    assert_eq!(sources(&client, &format!("{ADA}/files/docs")).await, told(docs));
    let all: BTreeMap<_, _> = told(docs)
        .into_iter()
        .chain(told([
            ("book.toml", "upstream"),
            ("new/news.md", "upstream"),
            ("own/a.md", "own"),
            ("theirs/a.md", "upstream"),
        ]))
        .collect();
    let listed = client.get(&format!("{ADA}/files?recursive=true")).await.expect(200);
    assert_eq!(listed.header("cas-source"), "conflict");
    assert_eq!(sources(&client, &format!("{ADA}/files?recursive=true")).await, all);
    // With the conflict resolved, a folder of both is merged.
    let theirs = json!({ "paths": ["docs/same.md"] });
    client.post(&format!("{ADA}/restore-paths"), &theirs).await.expect(201);
    assert_eq!(sources(&client, &format!("{ADA}/files")).await["docs"], "merged");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_in_hand_is_stale_when_a_path_comes_from_another_side() {
    let (_, _, server) = served();
    let client = server.client();
    seen(&client).await;
    let path = format!("{ADA}/files/docs");
    let listed = client.get(&path).await.expect(200);
    let ask = || client.request("GET", &path).header("if-none-match", listed.header("etag")).send();
    ask().await.expect(304);
    // Upstream comes to have the very file that was the branch's own: the same tree is seen.
    client.put(&format!("{MAIN}/files/docs/mine.md"), "mine").await.expect(201);
    let again = ask().await.expect(200);
    assert_eq!(again.json()["tree"], listed.json()["tree"]);
    assert_eq!(sources(&client, &path).await["docs/mine.md"], "upstream");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_live_has_sides() {
    let (_, _, server) = served();
    let client = server.client();
    seen(&client).await;
    let body = json!({ "to": "users/ada", "upstream": "main", "follow": "pinned" });
    let pinned = format!("{BOOK}/refs/pinned");
    client.request("PUT", &pinned).json(&body).send().await.expect(201);
    for name in ["main", "pinned", "users%2Fnobody"] {
        for path in ["files", "files/docs?recursive=true"] {
            let listed = client.get(&format!("{BOOK}/refs/{name}/{path}")).await.expect(200).json();
            for entry in listed["entries"].as_array().unwrap() {
                assert_eq!(entry.get("source"), None, "{name} {path}");
            }
        }
    }
}
