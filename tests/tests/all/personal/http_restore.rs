//! Paths of a branch put back to what they are upstream, or in another version.

use cas_tests::cli::assert_keys;
use cas_tests::web::{Answer, Client};
use serde_json::{Value, json};

use super::http::{ADA, BOOK};
use super::http_upstream::{MAIN, apart, overwrite};
use crate::http_archive::served;

/// How many entries the log of a ref has.
async fn entries(client: &Client, name: &str) -> u64 {
    client.get(name).await.expect(200).json()["seq"].as_u64().unwrap()
}

async fn restore(client: &Client, name: &str, body: &Value) -> Answer {
    client.post(&format!("{name}/restore-paths"), body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_are_put_back_to_the_upstream() {
    let (_, _, server) = served();
    let client = server.client();
    apart(&client).await;
    let before = entries(&client, ADA).await;
    let body = json!({ "paths": ["docs/a.md", "docs/mine.md", "news.md", "nowhere"] });
    let made = restore(&client, ADA, &body).await.expect(201).json();
    assert_keys(&made, &["commit", "tree", "changed", "forked", "results", "warnings"]);
    let outcomes: Vec<_> =
        made["results"].as_array().unwrap().iter().map(|result| &result["outcome"]).collect();
    assert_eq!(outcomes, ["updated", "deleted", "created", "absent"]);
    assert_eq!(entries(&client, ADA).await, before + 1, "one commit");
    let log = client.get(&format!("{ADA}/log")).await.expect(200).json();
    let entry = &log["entries"][0];
    assert_eq!(
        (&entry["operation"], &entry["message"]),
        (&json!("revert"), &json!("restore from upstream"))
    );
    let a = client.get(&format!("{ADA}/files/docs/a.md")).await.expect(200);
    assert_eq!(a.text(), "a");
    let diff = client.get(&format!("{BOOK}/diff?from=main&to=users/ada")).await.expect(200);
    assert_eq!(diff.json()["status"], "unchanged");
    // Again there is nothing to do.
    let again = restore(&client, ADA, &body).await.expect(200).json();
    assert_eq!((&again["changed"], &again["commit"]), (&json!(false), &made["commit"]));
    assert_eq!(entries(&client, ADA).await, before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_are_put_back_to_another_version() {
    let (_, _, server) = served();
    let client = server.client();
    let [base, ..] = apart(&client).await;
    overwrite(&client, &format!("{MAIN}/files/docs/a.md"), "corrected").await;
    let a = format!("{MAIN}/files/docs/a.md");
    let restored = |from: &str| json!({ "paths": ["docs/"], "from": from, "message": "back" });
    for (from, text) in [("main~1", "a"), ("users/ada", "hers"), (&base[..12], "a")] {
        restore(&client, MAIN, &restored(from)).await.expect(201);
        assert_eq!(client.get(&a).await.expect(200).text(), text, "{from}");
    }
    // A branch that is called so is meant by another way to write it.
    let called = format!("{BOOK}/refs/upstream");
    client.request("PUT", &called).json(&json!({ "to": "users/ada" })).send().await.expect(201);
    let refused = restore(&client, MAIN, &restored("upstream")).await.expect(409);
    assert_eq!(refused.code(), "no_upstream");
    restore(&client, MAIN, &restored("upstream~0")).await.expect(201);
    assert_eq!(client.get(&a).await.expect(200).text(), "hers");
    // A personal branch that is not there is made by it.
    let bob = format!("{BOOK}/refs/users%2Fbob");
    let forked = restore(&client, &bob, &restored("main~1")).await.expect(201).json();
    assert_eq!(forked["forked"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_is_done_once_for_a_key() {
    let (_, _, server) = served();
    let client = server.client();
    apart(&client).await;
    let ask = |key: &str, body: Value| {
        let request = client.request("POST", &format!("{ADA}/restore-paths"));
        request.header("idempotency-key", key).json(&body).send()
    };
    let body = json!({ "paths": ["docs/a.md"] });
    let first = ask("once", body.clone()).await.expect(201).json();
    let seq = entries(&client, ADA).await;
    // Also when the upstream is another by now, and when the branch is.
    overwrite(&client, &format!("{MAIN}/files/docs/a.md"), "corrected").await;
    client.put(&format!("{ADA}/files/docs/more.md"), "more").await.expect(201);
    assert_eq!(ask("once", body.clone()).await.expect(201).json(), first);
    assert_eq!(entries(&client, ADA).await, seq + 1);
    // A key that made another change is refused.
    let put = client.request("PUT", &format!("{ADA}/files/docs/x.md"));
    put.header("idempotency-key", "edit").body("x").send().await.expect(201);
    for (key, body) in [("once", json!({ "paths": ["docs/mine.md"] })), ("edit", body)] {
        assert_eq!(ask(key, body).await.expect(422).code(), "key_used");
    }
    assert_eq!(entries(&client, ADA).await, seq + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_is_refused_writes_nothing() {
    let (_, _, server) = served();
    let client = server.client();
    apart(&client).await;
    let tag = format!("{BOOK}/refs/tags%2Fv1");
    client.request("PUT", &tag).json(&json!({ "to": "main" })).send().await.expect(201);
    let gone = format!("{BOOK}/refs/users%2Fgone");
    client.request("PUT", &gone).json(&json!({ "to": "main" })).send().await.expect(201);
    client.delete(&gone).await.expect(200);
    let a = json!({ "paths": ["docs/a.md"] });
    for (name, status, code) in [
        ("main", 409, "no_upstream"),
        ("tags%2Fv1", 409, "wrong_ref"),
        ("users%2Fgone", 404, "ref_deleted"),
        ("users%2Fnobody", 404, "no_ref"),
    ] {
        let answer = restore(&client, &format!("{BOOK}/refs/{name}"), &a).await.expect(status);
        assert_eq!(answer.code(), code, "{name}");
    }
    assert_eq!(client.get(&format!("{BOOK}/refs/users%2Fnobody")).await.status, 404);
    let before = entries(&client, ADA).await;
    let many: Vec<_> = (0..10_001).map(|n| format!("docs/{n}.md")).collect();
    let other = "0".repeat(64);
    for (body, status, code) in [
        (json!({ "paths": [] }), 400, "bad_edit"),
        (json!({ "paths": many }), 400, "bad_edit"),
        (json!({ "paths": ["docs/a.md", "../x"] }), 400, "bad_name"),
        (json!({ "paths": ["docs/a.md", ""] }), 400, "bad_path"),
        (json!({ "paths": ["docs/a.md"], "from": "a..b" }), 400, "bad_name"),
        (json!({ "paths": ["docs/a.md"], "from": "nowhere" }), 404, "no_ref"),
        (json!({ "paths": ["docs/a.md"], "from": "main~9" }), 404, "too_far_back"),
        (json!({ "paths": ["docs/a.md"], "expect": { "b.md": "absent" } }), 400, "bad_edit"),
        (json!({ "paths": ["docs/a.md"], "expect": { "docs/a.md": "x" } }), 400, "bad_name"),
        (json!({ "paths": ["docs/a.md"], "expect": { "docs/a.md": "absent" } }), 412, "exists"),
        (
            json!({ "paths": ["news.md", "docs/a.md"], "expect": { "docs/a.md": other } }),
            412,
            "not_as_expected",
        ),
        (json!({ "paths": ["docs/a.md"], "expected": {} }), 422, "bad_body"),
        (json!({ "from": "main" }), 422, "bad_body"),
    ] {
        let answer = restore(&client, ADA, &body).await.expect(status);
        let shown: String = body.to_string().chars().take(200).collect();
        assert_eq!(answer.code(), code, "{shown}");
        assert_eq!(entries(&client, ADA).await, before, "{shown}");
    }
    // What is as expected is restored.
    let id = client.get(&format!("{ADA}/files/docs/a.md")).await.expect(200);
    let id = id.header("etag").trim_matches('"').to_owned();
    let body = json!({ "paths": ["docs/a.md"], "expect": { "docs/a.md": id } });
    restore(&client, ADA, &body).await.expect(201);
    client.delete(MAIN).await.expect(200);
    assert_eq!(restore(&client, ADA, &a).await.expect(404).code(), "ref_deleted");
}
