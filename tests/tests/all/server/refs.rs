//! Books, branches, tags and logs.

use serde_json::json;

use super::{FILES, Served, create_file, id_of, quoted};

const REFS: &str = "/v1/books/guide/refs";

#[tokio::test(flavor = "multi_thread")]
async fn branches_are_made_moved_deleted_and_restored() {
    let served = Served::start().await;
    let client = served.client();
    let first = create_file(&client, "a.md", "a").await.header("cas-commit").to_owned();
    let second = create_file(&client, "b.md", "b").await.header("cas-commit").to_owned();
    let url = format!("{REFS}/users%2Fada");
    let put = |to: &str| client.request("PUT", &url).json(&json!({ "to": to, "message": "mine" }));
    let made = put("main~1").header("if-none-match", "*").send().await.expect(201).json();
    assert_eq!((&made["target"], &made["operation"]), (&json!(first), &json!("create")));
    assert_eq!(made["actor"], "ada");
    let found = client.get(&url).await.expect(200);
    assert_eq!((&found.json()["commit"], found.header("etag")), (&json!(first), &*quoted(&first)));
    assert_eq!(
        put("main").header("if-none-match", "*").send().await.expect(412).code(),
        "ref_exists"
    );
    let blind = put("main").send().await.expect(428);
    assert_eq!(blind.json()["current"], first);
    let wrong = put("main").header("if-match", &quoted(&second)).send().await.expect(412);
    assert_eq!((wrong.code().as_str(), &wrong.json()["current"]), ("ref_moved", &json!(first)));
    let moved = put("main").header("if-match", &quoted(&first)).send().await.expect(200).json();
    assert_eq!((&moved["target"], &moved["operation"]), (&json!(second), &json!("reset")));

    let gone = client.delete(&url).await.expect(200).json();
    assert_eq!(gone["existed"], true);
    assert_eq!(client.get(&url).await.expect(404).code(), "ref_deleted");
    assert_eq!(client.delete(&url).await.expect(200).json()["existed"], false);
    let never = client.delete(&format!("{REFS}/never")).await.expect(404);
    assert_eq!(never.code(), "no_ref");
    let back = client.post(&format!("{url}/restore"), &json!({})).await.expect(200).json();
    assert_eq!(back["target"], second);
    let twice = client.post(&format!("{url}/restore"), &json!({})).await.expect(412);
    assert_eq!(twice.code(), "ref_exists");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_is_for_ever() {
    let served = Served::start().await;
    let client = served.client();
    let commit = create_file(&client, "a.md", "a").await.header("cas-commit").to_owned();
    let url = format!("{REFS}/tags%2Fv1");
    let body = json!({ "to": "main" });
    client.request("PUT", &url).json(&body).send().await.expect(201);
    create_file(&client, "b.md", "b").await;
    let moved = client.request("PUT", &url).json(&body).header("if-match", &quoted(&commit));
    assert_eq!(moved.send().await.expect(409).code(), "wrong_ref");
    let write = client.put(&format!("{REFS}/tags%2Fv1/files/c.md"), "c").await.expect(409);
    assert_eq!(write.code(), "wrong_ref");
    let file = client.get(&format!("{REFS}/tags%2Fv1/files/b.md")).await.expect(404);
    assert_eq!(file.code(), "no_path");
    client.delete(&url).await.expect(200);
    assert_eq!(
        client.request("PUT", &url).json(&body).send().await.expect(409).code(),
        "wrong_ref"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_change_of_a_ref_is_answered_as_the_first_time() {
    let served = Served::start().await;
    let client = served.client();
    let commit = create_file(&client, "a.md", "a").await.header("cas-commit").to_owned();
    create_file(&client, "b.md", "b").await;
    let url = format!("{REFS}/next");
    let put = |key: &str, to: &str| {
        client.request("PUT", &url).header("idempotency-key", key).json(&json!({ "to": to }))
    };
    let made = put("k1", "main~1").send().await.expect(201).json();
    let moved = put("k2", "main").header("if-match", &quoted(&commit)).send().await.expect(200);
    let delete = || client.request("DELETE", &url).header("idempotency-key", "k3").send();
    let gone = delete().await.expect(200).json();
    let restore =
        || client.request("POST", &format!("{url}/restore")).header("idempotency-key", "k4").send();
    let back = restore().await.expect(200).json();
    assert_eq!(put("k1", "main~1").send().await.expect(201).json(), made);
    let again = put("k2", "main").header("if-match", &quoted(&commit)).send().await.expect(200);
    assert_eq!(again.json(), moved.json());
    assert_eq!(delete().await.expect(200).json(), gone);
    assert_eq!(restore().await.expect(200).json(), back);
    assert_eq!(put("k3", "main").send().await.expect(422).code(), "key_used");
    let begin =
        || client.request("PUT", "/v1/books/other").header("idempotency-key", "k5").body("").send();
    let begun = begin().await.expect(201).json();
    assert_eq!(begin().await.expect(201).json(), begun);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_come_in_pages() {
    let served = Served::start().await;
    let client = served.client();
    for book in ["alpha", "beta", "gamma"] {
        client.put(&format!("/v1/books/{book}"), "").await.expect(201);
    }
    for n in 0..7 {
        let url = format!("{REFS}/users%2Fu{n}");
        client.request("PUT", &url).json(&json!({ "to": "main" })).send().await.expect(201);
    }
    client.delete(&format!("{REFS}/users%2Fu3")).await.expect(200);
    let pages = async |url: &str, list: &str, name: &str| -> Vec<String> {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = client.get(&format!("{url}limit=3{cursor}")).await.expect(200).json();
            let items = page[list].as_array().unwrap();
            assert!(items.len() <= 3);
            all.extend(items.iter().map(|item| item[name].as_str().unwrap().to_owned()));
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={}", next.replace('/', "%2F")),
                None => return all,
            }
        }
    };
    assert_eq!(pages("/v1/books?", "books", "book").await, ["alpha", "beta", "gamma", "guide"]);
    let refs = pages(&format!("{REFS}?pattern=users/*&"), "refs", "ref").await;
    assert_eq!(refs, ["users/u0", "users/u1", "users/u2", "users/u4", "users/u5", "users/u6"]);
    assert_eq!(pages(&format!("{REFS}?"), "refs", "ref").await.len(), 7);
    let bad = client.get(&format!("{REFS}?pattern=[")).await.expect(400);
    assert_eq!(bad.code(), "bad_pattern");
    let book = client.get("/v1/books/guide").await.expect(200).json();
    assert_eq!(book["actor"], "ada");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_paged_and_filtered_by_time_actor_and_operation() {
    let served = Served::start().await;
    let (ada, bob) = (served.client(), served.server.client().with("cas-actor", "bob"));
    for n in 0..6 {
        let client = if n % 2 == 0 { &ada } else { &bob };
        client.put(&format!("{FILES}/{n}.md"), "x").await.expect(201);
    }
    ada.delete(&format!("{FILES}/0.md")).await.expect(200);
    let log = format!("{REFS}/main/log");
    let seqs = async |query: &str| -> Vec<u64> {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = ada.get(&format!("{log}?limit=2{query}{cursor}")).await.expect(200).json();
            let entries = page["entries"].as_array().unwrap();
            all.extend(entries.iter().map(|entry| entry["seq"].as_u64().unwrap()));
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return all,
            }
        }
    };
    assert_eq!(seqs("").await, [8, 7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(seqs("&actor=bob").await, [7, 5, 3]);
    assert_eq!(seqs("&operation=put&actor=ada").await, [6, 4, 2]);
    assert_eq!(seqs("&operation=remove").await, [8]);
    let all = ada.get(&log).await.json();
    let time = |seq: usize| all["entries"][8 - seq]["time"].as_str().unwrap().to_owned();
    assert_eq!(seqs(&format!("&since={}", time(6))).await, [8, 7, 6]);
    assert_eq!(seqs(&format!("&until={}", time(3))).await, [3, 2, 1]);
    assert_eq!(seqs(&format!("&since={}&until={}", time(3), time(5))).await, [5, 4, 3]);
    assert_eq!(seqs("&until=2001-01-01T00:00:00Z").await, [0; 0]);
    assert_eq!(ada.get(&format!("{log}?since=yesterday")).await.expect(400).code(), "bad_query");
    assert_eq!(ada.get(&format!("{log}?cursor=x")).await.expect(400).code(), "bad_cursor");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_of_a_path_is_what_changed_it() {
    let served = Served::start().await;
    let client = served.client();
    create_file(&client, "a.md", "1").await;
    create_file(&client, "b.md", "x").await;
    for (old, new) in [("1", "2"), ("2", "3")] {
        let put = client.request("PUT", &format!("{FILES}/a.md")).body(new);
        put.header("if-match", &quoted(&id_of(old.as_bytes()))).send().await.expect(200);
    }
    let url = format!("{REFS}/main/history/a.md");
    let first = client.get(&format!("{url}?limit=2")).await.expect(200).json();
    let messages = |page: &serde_json::Value| page["commits"].as_array().unwrap().len();
    assert_eq!(messages(&first), 2);
    // The pages go on where they began, whatever comes after.
    create_file(&client, "c.md", "x").await;
    let next = first["next"].as_str().unwrap();
    let rest = client.get(&format!("{url}?limit=2&cursor={next}")).await.expect(200).json();
    assert_eq!((messages(&rest), rest["next"].is_null()), (1, true));
    let all = client.get(&format!("{REFS}/main/history")).await.json();
    assert_eq!(messages(&all), 6, "begun, 2 created, 2 updated, 1 created");
    assert_eq!(
        client.get(&format!("{REFS}/main/history/z.md")).await.expect(404).code(),
        "no_path"
    );
    let foreign = format!("{url}?cursor={}-1", id_of(b"no commit"));
    assert_eq!(client.get(&foreign).await.expect(400).code(), "bad_cursor");
}
