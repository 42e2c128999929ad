//! Several edits as one commit.

use serde_json::json;

use super::{FILES, Served, create_file, id_of, puts};

const COMMITS: &str = "/v1/books/guide/refs/main/commits";

#[tokio::test(flavor = "multi_thread")]
async fn edits_are_done_all_or_none() {
    let served = Served::start().await;
    let client = served.client();
    create_file(&client, "old.md", "old").await;
    let body = json!({
        "message": "Rework",
        "edits": [
            { "op": "put", "path": "a.md", "text": "a" },
            { "op": "put", "path": "b.bin", "base64": "AAEC" },
            { "op": "put", "path": "c.md", "blob": id_of(b"old"), "expect": "absent" },
            { "op": "move", "path": "old.md", "to": "new/old.md", "expect": id_of(b"old") },
            { "op": "delete", "path": "gone.md" },
        ]
    });
    let done = client.post(COMMITS, &body).await.expect(201).json();
    let outcomes: Vec<_> =
        done["results"].as_array().unwrap().iter().map(|result| &result["outcome"]).collect();
    assert_eq!(outcomes, ["created", "created", "created", "moved", "absent"]);
    assert_eq!(client.get(&format!("{FILES}/b.bin")).await.body, [0, 1, 2].as_slice());
    assert_eq!(client.get(&format!("{FILES}/new/old.md")).await.body, "old");
    let history = client.get("/v1/books/guide/refs/main/history").await.json();
    assert_eq!(history["commits"][0]["message"], "Rework");

    let body = json!({
        "message": "Half",
        "edits": [
            { "op": "put", "path": "d.md", "text": "d" },
            { "op": "put", "path": "a.md", "text": "x", "expect": id_of(b"other") },
        ]
    });
    let refused = client.post(COMMITS, &body).await.expect(412);
    assert_eq!(refused.json()["current"], id_of(b"a"));
    assert_eq!(client.get(&format!("{FILES}/d.md")).await.expect(404).code(), "no_path");
    let blind = client.post(COMMITS, &puts("Blind", &[("a.md", "x")])).await.expect(428);
    assert_eq!(blind.code(), "precondition_required");
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_that_cannot_be_meant_are_refused() {
    let served = Served::start().await;
    let client = served.client();
    let edit = |edit: serde_json::Value| json!({ "message": "m", "edits": [edit] });
    for (body, code) in [
        (json!({ "message": "m", "edits": [] }), "bad_edit"),
        (edit(json!({ "op": "put", "path": "a" })), "bad_edit"),
        (edit(json!({ "op": "put", "path": "a", "text": "x", "base64": "" })), "bad_edit"),
        (edit(json!({ "op": "put", "path": "a", "base64": "?" })), "bad_edit"),
        (edit(json!({ "op": "put", "path": "../a", "text": "x" })), "bad_name"),
        (edit(json!({ "op": "put", "path": "a", "text": "x", "expect": "?" })), "bad_name"),
        (edit(json!({ "op": "burn", "path": "a" })), "bad_body"),
        (edit(json!({ "op": "put", "path": "a", "text": "x", "typo": 1 })), "bad_body"),
        (json!({ "edits": [] }), "bad_body"),
    ] {
        let answer = client.post(COMMITS, &body).await;
        assert!(matches!(answer.status, 400 | 422), "{body}: {}", answer.text());
        assert_eq!(answer.code(), code, "{body}");
    }
    let absent = edit(json!({ "op": "put", "path": "a", "blob": id_of(b"absent") }));
    assert_eq!(client.post(COMMITS, &absent).await.expect(404).code(), "no_object");
    let plain = client.request("POST", COMMITS).body("{}").send().await.expect(415);
    assert_eq!(plain.code(), "bad_body");
}
