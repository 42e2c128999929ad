//! Bringing branches forward over HTTP.

use cas_tests::web::Client;
use serde_json::{Value, json};

use crate::http_archive::served;

const BOOK: &str = "/v1/books/guide";

/// Ten lines, one of them as said.
fn lesson(changed: Option<(usize, &str)>) -> String {
    let line = |n| changed.filter(|(at, _)| *at == n).map_or("same", |(_, text)| text);
    (0..10).map(|n| format!("{}\n", line(n))).collect()
}

async fn put(client: &Client, branch: &str, path: &str, text: impl AsRef<[u8]>, create: bool) {
    let url = format!("{BOOK}/refs/{}/files/{path}", branch.replace('/', "%2F"));
    let request = client.request("PUT", &url);
    let request = if create {
        request.header("if-none-match", "*")
    } else {
        let there = client.get(&url).await.expect(200);
        request.header("if-match", there.header("etag"))
    };
    let answer = request.body(text.as_ref().to_vec()).send().await;
    assert!(answer.status < 300, "{}", answer.text());
}

/// A book with two lessons; `users/1` changed the second, `users/2` and `users/3` the first, and
/// then the base changed that too: the same line as `users/3`.
async fn fleet(client: &Client) {
    client.put(BOOK, "").await.expect(201);
    put(client, "main", "book.toml", super::RULES, true).await;
    for path in ["docs/a.md", "docs/b.md"] {
        put(client, "main", path, lesson(None), true).await;
    }
    put(client, "users/1", "docs/b.md", lesson(Some((1, "mine"))), false).await;
    put(client, "users/2", "docs/a.md", lesson(Some((1, "mine"))), false).await;
    put(client, "users/3", "docs/a.md", lesson(Some((8, "mine"))), false).await;
    put(client, "main", "docs/a.md", lesson(Some((8, "fixed"))), false).await;
}

/// The lines of a sync's answer: each branch with its status, and the sums.
async fn sync(client: &Client, body: &Value) -> (Vec<(String, String)>, Value) {
    let answer = client.request("POST", &format!("{BOOK}/sync")).json(body).send().await;
    let text = answer.expect(200).text();
    let mut lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let sums = lines.pop().unwrap();
    assert_eq!(sums["done"], true);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (lines.iter().map(|line| (text(&line["branch"]), text(&line["status"]))).collect(), sums)
}

fn statuses(told: &[(String, String)]) -> Vec<&str> {
    told.iter().map(|(_, status)| status.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_remembers_what_branches_changed_and_a_sync_does_what_it_said() {
    let (_, _, server) = served();
    let client = server.client();
    fleet(&client).await;
    let preview = json!({ "pattern": "users/*", "dry_run": true });
    let (first, sums) = sync(&client, &preview).await;
    assert_eq!(statuses(&first), ["merged", "merged", "conflict"]);
    assert_eq!((&sums["dry_run"], &sums["opened"]), (&json!(true), &json!(3)));
    assert_eq!(sums["conflicts"], json!({ "docs/a.md": 1 }));
    let (second, sums) = sync(&client, &preview).await;
    assert_eq!(second, first);
    assert_eq!(sums["opened"], 2, "users/1 changed another lesson");

    let (done, sums) = sync(&client, &json!({ "pattern": "users/*" })).await;
    assert_eq!(done, first);
    assert_eq!(
        (&sums["outcomes"]["merged"], &sums["outcomes"]["conflict"]),
        (&json!(2), &json!(1))
    );
    let both = lesson(Some((8, "fixed"))).replacen("same\nsame", "same\nmine", 1);
    let file = |branch: &str| format!("{BOOK}/refs/users%2F{branch}/files/docs/a.md");
    assert_eq!(client.get(&file("2")).await.expect(200).text(), both);
    assert_eq!(client.get(&file("3")).await.expect(200).text(), lesson(Some((8, "mine"))));
    let (again, _) = sync(&client, &json!({ "pattern": "users/*", "on_conflict": "theirs" })).await;
    assert_eq!(statuses(&again), ["up-to-date", "up-to-date", "merged"]);
    assert_eq!(client.get(&file("3")).await.expect(200).text(), lesson(Some((8, "fixed"))));

    for wrong in [
        json!({ "pattern": "users/*", "against": "main" }),
        json!({ "pattern": "users/*", "on_conflict": "mine" }),
        json!({ "pattern": "users/[" , "dry_run": true }),
    ] {
        let answer = client.request("POST", &format!("{BOOK}/sync")).json(&wrong).send().await;
        assert_eq!(answer.status, 400, "{wrong}: {}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_in_conflict_writes_nothing_and_says_where() {
    let (_, _, server) = served();
    let client = server.client();
    fleet(&client).await;
    let merge = |branch: &str, body: Value| {
        let url = format!("{BOOK}/refs/users%2F{branch}/merge");
        let request = client.request("POST", &url).json(&body);
        async move { request.send().await }
    };
    let head = |branch: &str| {
        let url = format!("{BOOK}/refs/users%2F{branch}");
        let client = &client;
        async move { client.get(&url).await.expect(200).json() }
    };
    let before = head("3").await;
    let refused = merge("3", json!({ "from": "main" })).await.expect(409);
    assert_eq!(refused.code(), "merge_conflict");
    let conflict = &refused.json()["merge"]["conflicts"][0];
    assert_eq!((&conflict["path"], &conflict["kind"]), (&json!("docs/a.md"), &json!("content")));
    let told = merge("2", json!({ "from": "main", "dry_run": true })).await.expect(200).json();
    assert_eq!(told["status"], "merged");
    assert_eq!(head("3").await, before);
    let done = merge("2", json!({ "from": "main" })).await.expect(200).json();
    assert_eq!((&done["status"], &done["tree"]), (&json!("merged"), &told["tree"]));
    // The branch says that it met its upstream there.
    let (main, ref_now) = (client.get(&format!("{BOOK}/refs/main")).await.json(), head("2").await);
    assert_eq!(ref_now["commit"], done["commit"]);
    assert_eq!(ref_now["upstream"]["base"], main["commit"], "{ref_now}");
    assert_eq!(merge("2", json!({ "from": "main" })).await.json()["status"], "up-to-date");
}
