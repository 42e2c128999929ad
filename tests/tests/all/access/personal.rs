//! A reader's token is for the reader's own branch, whether it is there or not.

use serde_json::json;

use super::Guarded;

const BOOK: &str = "/v1/books/guide";
const ADA: &str = "/v1/books/guide/refs/users%2Fada";

/// A book whose readers follow `main`.
async fn guide() -> Guarded {
    let guarded = Guarded::start().await;
    let open = guarded.stranger();
    open.put(BOOK, "").await.expect(201);
    let rules = "[[personal]]\npattern = \"users/*\"\n";
    for (path, text) in [("book.toml", rules), ("docs/a.md", "a"), ("secret/b.md", "b")] {
        open.put(&format!("{BOOK}/refs/main/files/{path}"), text).await.expect(201);
    }
    guarded
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_sees_what_stands_in_for_the_own_branch_and_nothing_else() {
    let guarded = guide().await;
    let reader = guarded.client(&guarded.token("ada", &["read:guide:users/ada"]).await);
    let answer = reader.get(&format!("{ADA}/files/docs/a.md")).await.expect(200);
    assert_eq!((answer.text().as_str(), answer.header("cas-source")), ("a", "upstream"));
    for elsewhere in ["main", "users%2Fbob"] {
        reader.get(&format!("{BOOK}/refs/{elsewhere}/files/docs/a.md")).await.expect(404);
    }
    reader.put(&format!("{ADA}/files/docs/new.md"), "x").await.expect(403);
    // Of part of the branch, only that part.
    let part = guarded.client(&guarded.token("pia", &["read:guide:users/ada:docs/**"]).await);
    part.get(&format!("{ADA}/files/docs/a.md")).await.expect(200);
    part.get(&format!("{ADA}/files/secret/b.md")).await.expect(403);
    part.get(&format!("{ADA}/archive.tar")).await.expect(403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_of_the_own_branch_forks_without_reading_the_upstream() {
    let guarded = guide().await;
    let writer = guarded.client(&guarded.token("ada", &["write:guide:users/ada"]).await);
    let put = writer.put(&format!("{ADA}/files/docs/new.md"), "x").await.expect(201);
    assert_eq!(put.json()["forked"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_names_an_upstream_may_read_it() {
    let guarded = guide().await;
    let other = json!({ "to": "main", "upstream": null });
    for name in ["other", "users%2Fada"] {
        let path = format!("{BOOK}/refs/{name}");
        guarded.stranger().request("PUT", &path).json(&other).send().await.expect(201);
    }
    let writer = guarded.client(&guarded.token("ada", &["write:guide:users/*"]).await);
    let both = ["write:guide:users/*", "read:guide:other"];
    let reader = guarded.client(&guarded.token("bob", &both).await);
    let body = json!({ "ref": "other", "follow": "live" });
    let follow = |client: &cas_tests::web::Client| {
        client.request("PUT", &format!("{ADA}/upstream")).json(&body).send()
    };
    assert_eq!(follow(&writer).await.expect(404).code(), "no_ref");
    follow(&reader).await.expect(200);
    let body = json!({ "to": "users/ada", "upstream": "other" });
    let create = |client: &cas_tests::web::Client, name: &str| {
        client.request("PUT", &format!("{BOOK}/refs/users%2F{name}")).json(&body).send()
    };
    assert_eq!(create(&writer, "x").await.expect(404).code(), "no_ref");
    create(&reader, "x").await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_raw_update_names_only_upstreams_that_its_sender_may_read() {
    let guarded = guide().await;
    let open = guarded.stranger();
    open.request("PUT", ADA).json(&json!({ "to": "main" })).send().await.expect(201);
    let commit = open.get(ADA).await.expect(200).json()["commit"].as_str().unwrap().to_owned();
    let writer = guarded.client(&guarded.token("ada", &["write:guide:users/*"]).await);
    let body = json!({
        "book": "guide", "ref": "users/ada", "expect": commit, "target": null,
        "operation": "delete", "message": "m", "request_id": "r1",
        "metadata": { "upstream": "main", "upstream.follow": "live", "upstream.base": commit },
    });
    assert_eq!(writer.post("/v1/raw/update", &body).await.expect(404).code(), "no_ref");
    let mut plain = body.clone();
    plain["metadata"] = json!({});
    writer.post("/v1/raw/update", &plain).await.expect(200);
}

/// The same with a branch of Ada's, who changed something in either folder.
async fn with_changes() -> Guarded {
    let guarded = guide().await;
    let open = guarded.stranger();
    for (path, text) in [("docs/mine.md", "mine"), ("secret/mine.md", "mine")] {
        open.put(&format!("{ADA}/files/{path}"), text).await.expect(201);
    }
    guarded
}

#[tokio::test(flavor = "multi_thread")]
async fn how_a_branch_stands_is_for_those_who_may_read_all_of_both() {
    let guarded = with_changes().await;
    for (scopes, standing, part) in [
        (&["read:guide"][..], 200, 200),
        (&["read:guide:users/ada", "read:guide:main"], 200, 200),
        // The upstream is not seen, or only a part of it.
        (&["read:guide:users/ada"], 404, 404),
        (&["read:guide:users/ada", "read:guide:main:docs/**"], 403, 200),
        // Of the branch only a part is seen.
        (&["read:guide:users/ada:docs/**", "read:guide:main"], 403, 200),
        (&["read:guide:users/ada:docs/a.md", "read:guide:main"], 403, 403),
        (&["read:guide:users/bob", "read:guide:main"], 404, 404),
    ] {
        let client = guarded.client(&guarded.token("tom", scopes).await);
        let whole = [format!("{ADA}/standing"), format!("{BOOK}/diff?upstream=users/ada")];
        for path in whole {
            let answer = client.get(&path).await;
            assert_eq!(answer.status, standing, "{scopes:?} {path}: {}", answer.text());
            assert_eq!(answer.text().contains("secret"), standing == 200, "{scopes:?} {path}");
        }
        let path = format!("{BOOK}/diff?upstream=users/ada&path=docs");
        let answer = client.get(&path).await;
        assert_eq!(answer.status, part, "{scopes:?}: {}", answer.text());
        assert!(!answer.text().contains("secret"), "{scopes:?}: {}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_are_restored_by_who_may_write_them_from_what_they_may_read() {
    let guarded = with_changes().await;
    let reader = guarded.client(&guarded.token("ron", &["read"]).await);
    let docs = json!({ "paths": ["docs/mine.md"] });
    let secret = json!({ "paths": ["docs/mine.md", "secret/mine.md"] });
    let past = json!({ "paths": ["docs/mine.md"], "from": "users/ada~1" });
    let before = seq(&reader).await;
    for (scopes, body, status) in [
        (&["read:guide"][..], &docs, 403),
        (&["write:guide:users/bob", "read:guide:main"], &docs, 404),
        (&["write:guide:users/ada:docs/**", "read:guide:main"], &secret, 403),
        // What is restored comes to where others may look: it is also read.
        (&["write:guide:users/ada"], &docs, 404),
        (&["write:guide:users/ada", "read:guide:main:secret/**"], &docs, 403),
        (&["write:guide:users/ada", "read:guide:main:docs/**"], &secret, 403),
        (&["write:guide:users/ada:docs/**", "read:guide:main:docs/**"], &past, 200),
        (&["write:guide:users/ada:docs/**", "read:guide:main:docs/**"], &docs, 201),
    ] {
        let client = guarded.client(&guarded.token("tom", scopes).await);
        let answer = client.post(&format!("{ADA}/restore-paths"), body).await;
        assert_eq!(answer.status, status, "{scopes:?} {body}: {}", answer.text());
        assert_eq!(seq(&reader).await, before + u64::from(status == 201), "{scopes:?} {body}");
    }
}

/// The position of the newest entry of Ada's branch.
async fn seq(client: &cas_tests::web::Client) -> u64 {
    client.get(ADA).await.expect(200).json()["seq"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_branches_are_made_by_who_may_write_every_one() {
    let guarded = guide().await;
    let reader = guarded.client(&guarded.token("ron", &["read"]).await);
    let path = format!("{BOOK}/refs");
    let body = |refs: &[&str]| json!({ "refs": refs, "to": "main" });
    let class = ["users/1", "users/2"];
    let upstream = json!({ "refs": class, "to": "users/ada", "upstream": "main" });
    for (scopes, body, status) in [
        (&["read:guide"][..], body(&class), 403),
        (&["write:guide:users/*"], body(&class), 404),
        (&["write:guide:users/*", "read:guide:main:docs/**"], body(&class), 403),
        (&["write:guide:users/1", "read:guide:main"], body(&class), 404),
        (&["write:guide:users/*:docs/**", "read:guide:main"], body(&class), 403),
        (&["write:guide:users/*", "read:guide:main"], body(&["users/1", "other"]), 404),
        (&["write:other", "read:other"], body(&class), 404),
        (&["write:guide:users/*"], upstream, 404),
    ] {
        let client = guarded.client(&guarded.token("tom", scopes).await);
        let answer = client.post(&path, &body).await;
        assert_eq!(answer.status, status, "{scopes:?} {body}: {}", answer.text());
        let there = reader.get(&path).await.expect(200).json();
        assert_eq!(there["refs"].as_array().unwrap().len(), 1, "{scopes:?} {body}");
    }
    let scopes = ["write:guide:users/*", "read:guide:main"];
    let client = guarded.client(&guarded.token("tina", &scopes).await);
    let made = client.post(&path, &body(&class)).await.expect(200).json();
    assert_eq!(made["created"], 2);
    let log = reader.get(&format!("{BOOK}/refs/users%2F2/log")).await.expect(200).json();
    assert_eq!(log["entries"][0]["actor"], "tina");
}
