//! A branch and its upstream over HTTP: how they stand, and how they differ.

use bytes::Bytes;
use cas_tests::cli::{assert_keys, text};
use cas_tests::web::Client;
use serde_json::{Value, json};

use super::http::{ADA, BOOK, fill};
use crate::http_archive::served;

pub(super) const MAIN: &str = "/v1/books/guide/refs/main";

/// Overwrites a file, whatever it is.
pub(super) async fn overwrite(client: &Client, path: &str, text: impl Into<Bytes>) -> String {
    let id = client.get(path).await.expect(200).header("etag").to_owned();
    let put = client.request("PUT", path).header("if-match", &id).body(text).send().await;
    put.expect(200).json()["commit"].as_str().unwrap().to_owned()
}

/// A branch with two commits of its own, whose upstream has one that it has not. Where they met,
/// where the branch is, and where the upstream is.
pub(super) async fn apart(client: &Client) -> [String; 3] {
    let base = fill(client).await;
    client.put(&format!("{ADA}/files/docs/mine.md"), "mine").await.expect(201);
    let own = overwrite(client, &format!("{ADA}/files/docs/a.md"), "hers").await;
    let newest = client.put(&format!("{MAIN}/files/news.md"), "new").await.expect(201);
    [base, own, newest.json()["commit"].as_str().unwrap().to_owned()]
}

fn paths(changes: &Value) -> Vec<(&str, &str)> {
    let changes = changes.as_array().unwrap().iter();
    changes.map(|change| (text(change, "path"), text(change, "status"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_says_how_it_stands() {
    let (_, _, server) = served();
    let client = server.client();
    let [base, own, newest] = apart(&client).await;
    let answer = client.get(&format!("{ADA}/standing")).await.expect(200).json();
    assert_keys(
        &answer,
        &[
            "book",
            "ref",
            "commit",
            "upstream",
            "follow",
            "upstream_commit",
            "fork_point",
            "ahead",
            "behind",
            "changes",
            "truncated",
            "next",
            "files",
            "own_bytes",
            "shared_bytes",
        ],
    );
    assert_eq!((&answer["commit"], &answer["upstream_commit"]), (&json!(own), &json!(newest)));
    assert_eq!((&answer["upstream"], &answer["follow"]), (&json!("main"), &json!("live")));
    assert_eq!(answer["fork_point"], json!([base]));
    assert_eq!((&answer["ahead"], &answer["behind"]), (&json!(2), &json!(1)));
    let changed = [("docs/a.md", "changed"), ("docs/mine.md", "added")];
    assert_eq!(paths(&answer["changes"]), changed);
    assert_keys(&answer["changes"][0], &["path", "status", "from", "old", "new"]);
    let rules = super::RULES.len();
    assert_eq!((&answer["files"], &answer["own_bytes"]), (&json!(3), &json!(8)));
    assert_eq!(answer["shared_bytes"], rules);
    // In pages.
    let page = client.get(&format!("{ADA}/standing?limit=1")).await.expect(200).json();
    assert_eq!(paths(&page["changes"]), changed[..1]);
    assert_eq!((&page["truncated"], &page["next"]), (&json!(true), &json!("docs/a.md")));
    let rest = client.get(&format!("{ADA}/standing?limit=1&cursor=docs%2Fa.md")).await;
    let rest = rest.expect(200).json();
    assert_eq!(paths(&rest["changes"]), changed[1..]);
    assert_eq!((&rest["truncated"], &rest["next"]), (&json!(false), &json!(null)));
    assert_eq!(rest["own_bytes"], 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_nothing_stands_to_nothing() {
    let (_, _, server) = served();
    let client = server.client();
    apart(&client).await;
    let tag = format!("{BOOK}/refs/tags%2Fv1");
    client.request("PUT", &tag).json(&json!({ "to": "main" })).send().await.expect(201);
    let gone = format!("{BOOK}/refs/users%2Fgone");
    client.request("PUT", &gone).json(&json!({ "to": "main" })).send().await.expect(201);
    client.delete(&gone).await.expect(200);
    for (name, status, code) in [
        ("main", 409, "no_upstream"),
        ("tags%2Fv1", 409, "wrong_ref"),
        ("users%2Fgone", 404, "ref_deleted"),
        ("users%2Fnobody", 404, "no_ref"),
        ("a..b", 400, "bad_name"),
    ] {
        let answer = client.get(&format!("{BOOK}/refs/{name}/standing")).await.expect(status);
        assert_eq!(answer.code(), code, "{name}");
        let answer = client.get(&format!("{BOOK}/diff?upstream={name}")).await.expect(status);
        // In a query a name that is none is a bad query.
        let code = if name == "a..b" { "bad_query" } else { code };
        assert_eq!(answer.code(), code, "{name}");
    }
    // An upstream that is gone is told, and what they shared stays.
    client.delete(MAIN).await.expect(200);
    let answer = client.get(&format!("{ADA}/standing")).await.expect(200).json();
    assert_eq!(answer["upstream_commit"], Value::Null);
    assert_eq!((&answer["ahead"], &answer["behind"]), (&json!(2), &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_difference_to_the_upstream_is_what_the_branch_changed() {
    let (_, _, server) = served();
    let client = server.client();
    let [base, own, _] = apart(&client).await;
    let ask = async |query: &str| client.get(&format!("{BOOK}/diff?{query}")).await;
    let answer = ask("upstream=users/ada").await.expect(200);
    let diff = answer.json();
    assert_eq!((&diff["from"]["commit"], &diff["to"]["commit"]), (&json!(base), &json!(own)));
    assert_eq!(paths(&diff["changes"]), [("docs/a.md", "changed"), ("docs/mine.md", "added")]);
    assert_eq!(diff["summary"]["new_bytes"], 8);
    let same = ask(&format!("from={base}&to={own}")).await.expect(200).json();
    assert_eq!(same, diff);
    let part = ask("upstream=users/ada&path=docs/a.md").await.expect(200).json();
    assert_eq!(paths(&part["changes"]), [("docs/a.md", "changed")]);
    let known = client.request("GET", &format!("{BOOK}/diff?upstream=users/ada"));
    known.header("if-none-match", answer.header("etag")).send().await.expect(304);
    for query in [
        "",
        "upstream=users/ada&from=main",
        "upstream=users/ada&to=main",
        "upstream=users/ada&from=main&to=main",
        "to=main",
    ] {
        assert_eq!(ask(query).await.expect(400).code(), "bad_query", "{query}");
    }
    assert_eq!(ask("upstream=users/ada&path=nowhere").await.expect(404).code(), "no_path");
}
