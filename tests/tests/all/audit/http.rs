//! The audit over HTTP: the same as the command's, and no more than a token allows.

use std::sync::Arc;

use cas_tests::cli::{User, text};
use cas_tests::place::{Place, Served};
use cas_tests::web::Client;
use serde_json::{Value, json};

use super::lines;
use crate::access::Guarded;

const AUDIT: &str = "/v1/books/guide/audit";

/// All pages of an audit.
async fn pages(client: &Client, query: &str, limit: usize) -> Vec<Value> {
    let (mut entries, mut cursor) = (Vec::new(), String::new());
    loop {
        let answer =
            client.get(&format!("{AUDIT}?{query}&limit={limit}{cursor}")).await.expect(200);
        let page = answer.json();
        let found = page["entries"].as_array().unwrap();
        assert!(found.len() <= limit);
        entries.extend(found.iter().cloned());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return entries,
        }
    }
}

#[test]
fn invariant_attributed_over_http_it_is_the_same() {
    let user = User::at(Place::Http(Arc::new(Served::start())));
    for (nth, branch) in
        ["guide", "guide", "guide@draft", "guide", "guide@draft"].into_iter().enumerate()
    {
        user.write("book/a.md", format!("{nth}"));
        user.write(&format!("book/ch/{}.md", nth / 2), "x");
        let mut import = user.command(["import", "book", branch, "-m", &format!("version {nth}")]);
        assert!(
            import
                .env("CAS_ACTOR", format!("actor-{}", nth % 2))
                .output()
                .unwrap()
                .status
                .success()
        );
    }
    user.ok(["branch", "create", "guide@users/ada"]);
    user.ok(["branch", "delete", "guide@users/ada"]);
    let client = Client::new(&user.location());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let time = text(&lines(&user, &["audit", "guide"])[3], "time").to_owned();
    for (args, query) in [
        (vec![], String::new()),
        (vec!["--path", "a.md"], "path=a.md".to_owned()),
        (vec!["--path", "ch"], "path=ch/".to_owned()),
        (vec!["--actor", "actor-1"], "actor=actor-1".to_owned()),
        (vec!["--op", "delete"], "operation=delete".to_owned()),
        (vec!["--since", &time], format!("since={time}")),
        (vec!["--until", &time], format!("until={time}")),
        (vec!["--until", &time, "--path", "a.md"], format!("until={time}&path=a.md")),
    ] {
        let told = lines(&user, &[&["audit", "guide"], &args[..]].concat());
        for limit in [1, 2, 3, 100] {
            let found = runtime.block_on(pages(&client, &query, limit));
            assert_eq!(found, told, "{query}, {limit} at a time");
        }
    }
    let told = lines(&user, &["audit", "guide@{draft,users/*}"]);
    assert_eq!(told.len(), 4);
    let query = "pattern=%7Bdraft,users/*%7D";
    assert_eq!(runtime.block_on(pages(&client, query, 3)), told);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_stay_what_they_are_while_the_book_goes_on() {
    let guarded = Guarded::start().await;
    let client = guarded.stranger();
    filled(&client).await;
    let all = pages(&client, "", 100).await;
    let first = client.get(&format!("{AUDIT}?limit=2")).await.expect(200).json();
    let next = first["next"].as_str().unwrap();
    put(&client, "main", "docs/new.md").await;
    put(&client, "users%2F2", "docs/new.md").await;
    let rest = client.get(&format!("{AUDIT}?cursor={next}")).await.expect(200).json();
    assert_eq!(rest["entries"].as_array().unwrap()[..], all[2..]);
    for bad in ["x", "1.2.3", "1.2.3.a%20b", "-1.2.3.main"] {
        let answer = client.get(&format!("{AUDIT}?cursor={bad}")).await.expect(400);
        assert_eq!(answer.code(), "bad_cursor");
    }
    for (query, code) in
        [("since=soon", "bad_query"), ("pattern=[a", "bad_pattern"), ("path=../a", "bad_name")]
    {
        let answer = client.get(&format!("{AUDIT}?{query}")).await.expect(400);
        assert_eq!(answer.code(), code, "{query}");
    }
    assert_eq!(client.get("/v1/books/none/audit").await.expect(404).code(), "no_book");
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_attributed_a_token_of_one_branch_sees_that_branch_only() {
    let guarded = Guarded::start().await;
    filled(&guarded.stranger()).await;
    let whole = guarded.client(&guarded.token("ron", &["read"]).await);
    let all = pages(&whole, "", 100).await;
    assert_eq!(all.len(), 6);
    let of = |name: &'static str| {
        all.iter().filter(move |line| line["ref"] == name).cloned().collect::<Vec<_>>()
    };
    let branch = guarded.client(&guarded.token("bert", &["write:guide:users/1"]).await);
    assert_eq!(pages(&branch, "", 1).await, of("users/1"));
    assert_eq!(pages(&branch, "pattern=**", 100).await, of("users/1"));
    assert!(pages(&branch, "pattern=main", 100).await.is_empty());
    let other = guarded.client(&guarded.token("olga", &["read:other"]).await);
    assert_eq!(other.get(AUDIT).await.expect(404).code(), "no_book");
    // Of some paths only the changes of those.
    let folder = guarded.client(&guarded.token("fritz", &["read:guide:main:docs/**"]).await);
    assert!(pages(&folder, "", 100).await.is_empty());
    assert_eq!(
        pages(&folder, "path=docs/a.md", 100).await,
        pages(&whole, "path=docs/a.md&pattern=main", 100).await
    );
    assert_eq!(pages(&folder, "path=docs", 100).await.len(), 2);
    assert!(pages(&folder, "path=static/x.png", 100).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_brings_a_signature_of_their_own() {
    let guarded = Guarded::start().await;
    let client = guarded.stranger();
    filled(&client).await;
    for key in ["signature", "signature.more"] {
        let update = json!({
            "book": "guide", "ref": "users/1", "expect": "any", "target": null,
            "operation": "delete", "message": "m", "request_id": "r1", "metadata": { key: "books AAAA" },
        });
        let answer = client.post("/v1/raw/update", &update).await.expect(400);
        assert_eq!(answer.code(), "bad_metadata");
    }
    // Nor is what logs keep dropped by a request.
    let update = json!({
        "book": "guide", "ref": "users/1", "expect": "any", "target": null,
        "operation": "forget", "message": "m", "request_id": "r1",
    });
    let answer = client.post("/v1/raw/update", &update).await.expect(400);
    assert_eq!(answer.code(), "bad_operation");
}

async fn put(client: &Client, branch: &str, path: &str) {
    let edit = json!({ "op": "put", "path": path, "text": path });
    let body = json!({ "message": format!("write {path}"), "edits": [edit] });
    client.post(&format!("/v1/books/guide/refs/{branch}/commits"), &body).await.expect(201);
}

/// A book with two files and two branches: six movements.
async fn filled(client: &Client) {
    client.put("/v1/books/guide", "").await.expect(201);
    put(client, "main", "docs/a.md").await;
    for branch in ["users%2F1", "users%2F2"] {
        let path = format!("/v1/books/guide/refs/{branch}");
        client.request("PUT", &path).json(&json!({ "to": "main" })).send().await.expect(201);
    }
    put(client, "users%2F1", "docs/b.md").await;
    put(client, "main", "docs/b.md").await;
}
