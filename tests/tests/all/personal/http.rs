//! Personal branches over HTTP.

use cas_tests::web::Client;
use serde_json::{Value, json};

use crate::http_archive::served;

pub(super) const BOOK: &str = "/v1/books/guide";
pub(super) const ADA: &str = "/v1/books/guide/refs/users%2Fada";

pub(super) async fn fill(client: &Client) -> String {
    client.put(BOOK, "").await.expect(201);
    let main = format!("{BOOK}/refs/main/files");
    client.put(&format!("{main}/book.toml"), super::RULES).await.expect(201);
    let put = client.put(&format!("{main}/docs/a.md"), "a").await.expect(201);
    put.json()["commit"].as_str().unwrap().to_owned()
}

async fn put_json(client: &Client, path: &str, body: &Value) -> cas_tests::web::Answer {
    client.request("PUT", path).json(body).send().await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_read_of_an_absent_branch_is_marked() {
    let (_, _, server) = served();
    let client = server.client();
    let commit = fill(&client).await;
    for path in ["files", "files/docs/a.md", "files/docs?recursive=true", "archive.tar"] {
        for (name, source) in [("users%2Fada", "upstream"), ("main", "own")] {
            let answer = client.get(&format!("{BOOK}/refs/{name}/{path}")).await.expect(200);
            assert_eq!(answer.header("cas-source"), source, "{name} {path}");
            assert_eq!(answer.header("cas-commit"), commit, "{name} {path}");
        }
    }
    for path in ["glob?pattern=**", "grep?pattern=a", "validate", "history", "history/docs/a.md"] {
        for (name, source) in [("users%2Fada", "upstream"), ("main", "own")] {
            let answer = client.get(&format!("{BOOK}/refs/{name}/{path}")).await.expect(200);
            assert_eq!(answer.json()["source"], source, "{name} {path}");
        }
    }
    let diff = client.get(&format!("{BOOK}/diff?from=main&to=users/ada")).await.expect(200).json();
    assert_eq!(
        (&diff["from"]["source"], &diff["to"]["source"]),
        (&json!("own"), &json!("upstream"))
    );
    assert_eq!(diff["status"], "unchanged");
    // The ref itself is not there, and has no log.
    for path in [ADA.to_owned(), format!("{ADA}/log")] {
        assert_eq!(client.get(&path).await.expect(404).code(), "no_ref");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_reader_has_is_stale_when_the_upstream_moves() {
    let (_, _, server) = served();
    let client = server.client();
    fill(&client).await;
    for path in ["files", "files/docs/a.md", "archive.tar"] {
        let path = format!("{ADA}/{path}");
        let etag = client.get(&path).await.expect(200).header("etag").to_owned();
        let ask = || client.request("GET", &path).header("if-none-match", &etag).send();
        assert_eq!(ask().await.expect(304).header("cas-source"), "upstream");
        let file = format!("{BOOK}/refs/main/files/docs/a.md");
        let id = client.get(&file).await.expect(200).header("etag").to_owned();
        let new = format!("after {path}");
        client.request("PUT", &file).header("if-match", &id).body(new).send().await.expect(200);
        assert_ne!(ask().await.expect(200).header("etag"), etag);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_write_forks() {
    let (_, _, server) = served();
    let client = server.client();
    let commit = fill(&client).await;
    let put = client.put(&format!("{ADA}/files/docs/mine.md"), "mine").await.expect(201).json();
    assert_eq!((&put["forked"], &put["changed"]), (&json!(true), &json!(true)));
    let found = client.get(ADA).await.expect(200).json();
    let upstream = json!({ "ref": "main", "follow": "live", "base": commit });
    assert_eq!((&found["upstream"], &found["commit"]), (&upstream, &put["commit"]));
    let listed = client.get(&format!("{BOOK}/refs?pattern=users/*")).await.expect(200).json();
    assert_eq!(listed["refs"][0]["upstream"], upstream);
    let own = client.get(&format!("{ADA}/files/docs/mine.md")).await.expect(200);
    assert_eq!((own.header("cas-source"), own.text().as_str()), ("own", "mine"));
    let edits = json!({ "message": "m", "edits": [
        { "op": "put", "path": "docs/more.md", "text": "x", "expect": "absent" } ] });
    let bob = format!("{BOOK}/refs/users%2Fbob/commits");
    assert_eq!(client.post(&bob, &edits).await.expect(201).json()["forked"], true);
    assert_eq!(client.get(&format!("{BOOK}/refs/main/files/docs/mine.md")).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn branches_are_made_and_changed_with_what_they_follow() {
    let (_, _, server) = served();
    let client = server.client();
    let commit = fill(&client).await;
    let made = put_json(&client, ADA, &json!({ "to": "main" })).await.expect(201).json();
    let upstream = json!({ "ref": "main", "follow": "live", "base": commit });
    assert_eq!(made["upstream"], upstream);
    let bob = format!("{BOOK}/refs/users%2Fbob");
    let body = json!({ "to": "main~1", "upstream": "main", "follow": "pinned" });
    let made = put_json(&client, &bob, &body).await.expect(201).json();
    assert_eq!(
        made["upstream"],
        json!({ "ref": "main", "follow": "pinned", "base": made["target"] })
    );
    let eve = format!("{BOOK}/refs/users%2Feve");
    let body = json!({ "to": "main", "upstream": null });
    let made = put_json(&client, &eve, &body).await.expect(201).json();
    assert_eq!(made.get("upstream"), None);

    let at = |name: &str| format!("{name}/upstream");
    let nothing = put_json(&client, &at(&eve), &json!({ "follow": "live" })).await.expect(409);
    assert_eq!(nothing.code(), "bad_upstream");
    let body = json!({ "ref": "main", "follow": "live" });
    let entry = put_json(&client, &at(&eve), &body).await.expect(200).json();
    assert_eq!((&entry["upstream"], &entry["operation"]), (&upstream, &json!("follow")));
    let entry = put_json(&client, &at(&eve), &json!({ "follow": "pinned" })).await.expect(200);
    assert_eq!(entry.json()["upstream"]["follow"], "pinned");
    let entry = client.delete(&at(&eve)).await.expect(200).json();
    assert_eq!((entry.get("upstream"), &entry["target"]), (None, &json!(commit)));
    // A move says nothing of it.
    let moved = client.request("PUT", ADA).header("if-match", &format!("\"{commit}\""));
    let moved = moved.json(&json!({ "to": "main~1", "follow": "live" })).send().await;
    assert_eq!(moved.expect(400).code(), "bad_upstream");
}
