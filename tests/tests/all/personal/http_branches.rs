//! Many branches made by one request.

use cas_tests::cli::assert_keys;
use cas_tests::web::{Answer, Client};
use serde_json::{Value, json};

use super::http::{ADA, BOOK, fill};
use crate::http_archive::served;

const REFS: &str = "/v1/books/guide/refs";

async fn names(client: &Client) -> Vec<String> {
    let listed = client.get(&format!("{REFS}?pattern=**&limit=1000")).await.expect(200).json();
    let refs = listed["refs"].as_array().unwrap().iter();
    refs.map(|found| found["ref"].as_str().unwrap().to_owned()).collect()
}

fn outcomes(answer: &Answer) -> Vec<Value> {
    let answer = answer.json();
    let refs = answer["refs"].as_array().unwrap().iter();
    refs.map(|made| made["outcome"].clone()).collect()
}

fn sums(answer: &Answer) -> [u64; 4] {
    ["created", "existing", "in_the_way", "failed"].map(|key| answer.json()[key].as_u64().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn many_branches_are_made_and_again_without_harm() {
    let (_, _, server) = served();
    let client = server.client();
    let commit = fill(&client).await;
    let readers: Vec<_> = (0..1_024).map(|n| format!("users/{n}")).collect();
    let made = client.post(REFS, &json!({ "refs": readers, "to": "main" })).await.expect(200);
    assert_eq!(sums(&made), [1_024, 0, 0, 0]);
    let first = &made.json()["refs"][7];
    assert_keys(first, &["ref", "outcome", "commit", "seq"]);
    assert_eq!(
        *first,
        json!({ "ref": "users/7", "outcome": "created", "commit": commit, "seq": 1 })
    );
    let found = client.get(&format!("{REFS}/users%2F7")).await.expect(200).json();
    // As the book says for the name.
    assert_eq!(found["upstream"], json!({ "ref": "main", "follow": "live", "base": commit }));

    // One was written to, one deleted, and one is another branch; and the base moved on.
    client.put(&format!("{REFS}/users%2F0/files/mine.md"), "mine").await.expect(201);
    client.delete(&format!("{REFS}/users%2F1")).await.expect(200);
    let other = json!({ "to": "main~1", "upstream": null });
    client.request("PUT", ADA).json(&other).send().await.expect(201);
    client.put(&format!("{REFS}/main/files/docs/new.md"), "new").await.expect(201);
    let again = json!({
        "refs": ["users/0", "users/1", "users/2", "users/ada", "users/new"], "to": "main",
        "follow": "pinned", "message": "a class",
    });
    let made = client.post(REFS, &again).await.expect(200);
    assert_eq!(outcomes(&made), ["existing", "created", "existing", "in the way", "created"]);
    assert_eq!(sums(&made), [2, 2, 1, 0]);
    assert_eq!(made.json()["refs"][0]["seq"], 2);
    let log = client.get(&format!("{REFS}/users%2Fnew/log")).await.expect(200).json();
    let entry = &log["entries"][0];
    assert_eq!((&entry["message"], &entry["operation"]), (&json!("a class"), &json!("create")));
    assert_eq!(entry["upstream"]["follow"], "pinned");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_key_is_answered_as_the_first_time() {
    let (_, _, server) = served();
    let client = server.client();
    let commit = fill(&client).await;
    let body = json!({ "refs": ["users/1", "users/2"], "to": "main" });
    let ask = |body: &Value| {
        client.request("POST", REFS).header("idempotency-key", "class").json(body).send()
    };
    let first = ask(&body).await.expect(200);
    assert_eq!(outcomes(&first), ["created", "created"]);
    client.put(&format!("{REFS}/main/files/docs/new.md"), "new").await.expect(201);
    client.put(&format!("{REFS}/users%2F1/files/mine.md"), "mine").await.expect(201);
    assert_eq!(ask(&body).await.expect(200).json(), first.json());
    for name in ["users%2F1", "users%2F2"] {
        let log = client.get(&format!("{REFS}/{name}/log")).await.expect(200).json();
        assert_eq!(log["entries"].as_array().unwrap().last().unwrap()["target"], commit);
    }
    // A key that made another change of one of them is told for that one.
    let put = client.request("PUT", &format!("{REFS}/users%2F2/files/x.md"));
    put.header("idempotency-key", "edit").body("x").send().await.expect(201);
    let used = client.request("POST", REFS).header("idempotency-key", "edit");
    let used = used.json(&json!({ "refs": ["users/2", "users/3"], "to": "main" })).send().await;
    let used = used.expect(200);
    assert_eq!(
        (outcomes(&used), sums(&used)),
        (vec!["failed".into(), "created".into()], [1, 0, 0, 1])
    );
    assert_eq!(used.json()["refs"][0]["code"], "key_used");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_makes_nothing() {
    let (_, _, server) = served();
    let client = server.client();
    fill(&client).await;
    let many: Vec<_> = (0..1_025).map(|n| format!("users/{n}")).collect();
    for (body, status, code) in [
        (json!({ "refs": [], "to": "main" }), 400, "bad_names"),
        (json!({ "refs": many, "to": "main" }), 400, "bad_names"),
        (json!({ "refs": ["users/1", "a..b"], "to": "main" }), 400, "bad_name"),
        (json!({ "refs": ["users/1", "tags/v1"], "to": "main" }), 400, "bad_name"),
        (json!({ "refs": ["users/1", "users/1"], "to": "main" }), 400, "bad_name"),
        (json!({ "refs": ["users/1"], "to": "a..b" }), 400, "bad_name"),
        (json!({ "refs": ["users/1"], "to": "nowhere" }), 404, "no_ref"),
        (json!({ "refs": ["users/1"], "to": "main~9" }), 404, "too_far_back"),
        (json!({ "refs": ["users/1"], "to": "main", "upstream": "nowhere" }), 404, "no_ref"),
        (json!({ "refs": ["users/1"], "to": "main~1", "follow": "live" }), 409, "bad_upstream"),
        (json!({ "refs": ["users/1"] }), 422, "bad_body"),
        (json!({ "refs": ["users/1"], "to": "main", "form": "x" }), 422, "bad_body"),
    ] {
        let answer = client.post(REFS, &body).await.expect(status);
        assert_eq!(answer.code(), code, "{body}");
        assert_eq!(names(&client).await, ["main"], "{body}");
    }
    let bad = json!({ "refs": ["users/1", "a..b", "tags/v1", "users/1"], "to": "main" });
    let told = client.post(REFS, &bad).await.expect(400).json()["names"].clone();
    let told: Vec<_> = told.as_array().unwrap().iter().map(|bad| bad["ref"].clone()).collect();
    assert_eq!(told, ["a..b", "tags/v1", "users/1"]);
    let elsewhere = json!({ "refs": ["users/1"], "to": "main" });
    let answer = client.post("/v1/books/nothing/refs", &elsewhere).await.expect(404);
    assert_eq!(answer.code(), "no_book");
    client.get(BOOK).await.expect(200);
}
