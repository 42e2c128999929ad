//! Files at a ref: what writes answer, and that no change is lost.

use serde_json::json;

use super::{FILES, Served, create_file, id_of, quoted};

#[tokio::test(flavor = "multi_thread")]
async fn invariant_certain_a_write_says_what_it_did() {
    let served = Served::start().await;
    let client = served.client();
    let url = format!("{FILES}/ch1/a.md");
    let put = |body: &'static str| client.request("PUT", &url).body(body);
    let create = put("one").header("if-none-match", "*").send().await.expect(201);
    let result = &create.json()["results"][0];
    assert_eq!((&result["outcome"], &result["existed"]), (&json!("created"), &json!(false)));
    assert_eq!(create.header("etag"), quoted(&id_of(b"one")));
    assert!(!create.header("cas-commit").is_empty());

    let again = put("two").header("if-none-match", "*").send().await.expect(412);
    assert_eq!(
        (again.code().as_str(), &again.json()["current"]),
        ("exists", &json!(id_of(b"one")))
    );
    let blind = put("two").send().await.expect(428);
    assert_eq!(blind.code(), "precondition_required");
    assert_eq!(blind.json()["current"], id_of(b"one"));
    let wrong = put("two").header("if-match", &quoted(&id_of(b"other"))).send().await.expect(412);
    assert_eq!(wrong.code(), "not_as_expected");
    assert_eq!(wrong.json()["current"], id_of(b"one"));
    let any = put("two").header("if-match", "*").send().await.expect(400);
    assert_eq!(any.code(), "bad_precondition", "nothing is overwritten unseen");
    assert_eq!(client.get(&url).await.body, "one");

    let right = put("two").header("if-match", &quoted(&id_of(b"one"))).send().await.expect(200);
    let result = &right.json()["results"][0];
    assert_eq!((&result["outcome"], &result["old"]), (&json!("updated"), &json!(id_of(b"one"))));
    let same = put("two").header("if-match", &quoted(&id_of(b"two"))).send().await.expect(200);
    assert_eq!(same.json()["results"][0]["outcome"], "unchanged");
    assert_eq!(same.json()["changed"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_read_with_its_type_its_id_and_its_commit() {
    let served = Served::start().await;
    let client = served.client();
    let made = create_file(&client, "ch1/a.md", "# A").await;
    let file = client.get(&format!("{FILES}/ch1/a.md")).await.expect(200);
    assert_eq!(file.body, "# A");
    assert_eq!(file.header("content-type"), "text/markdown; charset=utf-8");
    assert_eq!(file.header("cas-commit"), made.header("cas-commit"));
    assert_eq!(file.header("cas-kind"), "file");
    assert_eq!(file.header("cache-control"), "private, no-cache");
    let url = format!("{FILES}/ch1/a.md");
    let known = client.request("GET", &url).header("if-none-match", file.header("etag"));
    known.send().await.expect(304);
    let head = client.request("HEAD", &url).send().await.expect(200);
    assert_eq!((head.header("content-length"), head.body.len()), ("3", 0));
    assert_eq!(head.header("etag"), file.header("etag"));
    let part = client.request("GET", &url).header("range", "bytes=2-").send().await.expect(206);
    assert_eq!(part.body, "A");
    let page = create_file(&client, "x.html", "<script>1</script>").await;
    assert!(page.json()["changed"].as_bool().unwrap());
    let page = client.get(&format!("{FILES}/x.html")).await;
    assert_eq!(page.header("content-security-policy"), "sandbox");
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    assert_eq!(client.get(&format!("{FILES}/none.md")).await.expect(404).code(), "no_path");
    let other = client.get("/v1/books/guide/refs/other/files/a.md").await.expect(404);
    assert_eq!(other.code(), "no_ref");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_listed_as_json() {
    let served = Served::start().await;
    let client = served.client();
    create_file(&client, "ch1/a.md", "a").await;
    create_file(&client, "ch1/deep/b.md", "bb").await;
    create_file(&client, "top.md", "ccc").await;
    let root = client.get(FILES).await.expect(200);
    let paths = |answer: &cas_tests::web::Answer| -> Vec<String> {
        let entries = answer.json()["entries"].as_array().unwrap().clone();
        entries.iter().map(|entry| entry["path"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(paths(&root), ["ch1", "top.md"]);
    assert_eq!(root.json()["entries"][0]["size"], 3);
    let folder = client.get(&format!("{FILES}/ch1/")).await.expect(200);
    assert_eq!(paths(&folder), ["ch1/a.md", "ch1/deep"]);
    let all = client.get(&format!("{FILES}?recursive=true")).await.expect(200);
    assert_eq!(paths(&all), ["ch1/a.md", "ch1/deep/b.md", "top.md"]);
    let known = client.request("GET", FILES).header("if-none-match", root.header("etag"));
    known.send().await.expect(304);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_idempotent_delete_over_http() {
    let served = Served::start().await;
    let client = served.client();
    create_file(&client, "ch1/a.md", "a").await;
    create_file(&client, "ch1/b.md", "b").await;
    let url = format!("{FILES}/ch1/a.md");
    let wrong = client.request("DELETE", &url).header("if-match", &quoted(&id_of(b"x")));
    assert_eq!(wrong.send().await.expect(412).json()["current"], id_of(b"a"));
    let gone = client.delete(&url).await.expect(200);
    assert_eq!(gone.json()["results"][0]["outcome"], "deleted");
    assert_eq!(gone.json()["results"][0]["existed"], true);
    let again = client.request("DELETE", &url).header("if-match", &quoted(&id_of(b"a")));
    let again = again.send().await.expect(200);
    assert_eq!(again.json()["results"][0]["outcome"], "absent");
    assert_eq!(again.json()["results"][0]["existed"], false);
    assert_eq!(again.json()["changed"], false);
    let folder = client.delete(&format!("{FILES}/ch1")).await.expect(409);
    assert_eq!(folder.code(), "is_a_folder");
    client.delete(&format!("{FILES}/ch1?recursive=true")).await.expect(200);
    assert_eq!(client.get(&format!("{FILES}/ch1/b.md")).await.expect(404).code(), "no_path");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_where_a_folder_is_needed_is_a_conflict() {
    let served = Served::start().await;
    let client = served.client();
    create_file(&client, "a", "file").await;
    let below = client.put(&format!("{FILES}/a/b.md"), "x").await.expect(409);
    assert_eq!(below.code(), "not_a_folder");
    create_file(&client, "d/x.md", "x").await;
    assert_eq!(client.put(&format!("{FILES}/d"), "x").await.expect(409).code(), "is_a_folder");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_path_leads_out_of_a_book() {
    let served = Served::start().await;
    let secret = served.folder.path().join("secret");
    std::fs::write(&secret, "secret").unwrap();
    let client = served.client();
    for path in [
        "..%2fsecret",
        "%2e%2e%2fsecret",
        "a/..%2f..%2fsecret",
        "%2fetc%2fpasswd",
        "a%00b",
        "a%5c..%5cb",
        "a//b",
        "con",
        "a%0ab",
        ".git/config",
        "%2egit%2fconfig",
        "a.%2fb",
        "%c0%ae%c0%ae%2fsecret",
        "%252e%252e%252fsecret%3f",
        "a%3ab",
        "nul.md",
        "x%20/",
        "%ff",
    ] {
        for method in ["GET", "PUT", "DELETE"] {
            let url = format!("{FILES}/{path}");
            let answer = client.request(method, &url).body("x").send().await;
            assert!((400..=404).contains(&answer.status), "{method} {path}: {}", answer.text());
            assert!(!answer.text().contains("root:x"), "{method} {path}");
        }
    }
    assert_eq!(std::fs::read(secret).unwrap(), b"secret");
    let entries = client.get(FILES).await.json();
    assert_eq!(entries["entries"], json!([]), "nothing was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_certain_a_repeated_write_is_answered_as_the_first_time() {
    let served = Served::start().await;
    let client = served.client();
    let url = format!("{FILES}/a.md");
    let put = |key: &str, body: &'static str| {
        client.request("PUT", &url).header("idempotency-key", key).body(body)
    };
    let first = put("key-1", "one").send().await.expect(201);
    let second = put("\"key-1\"", "one").send().await.expect(201);
    assert_eq!(first.json(), second.json());
    // Also by another server, after others have changed the same file.
    let update = put("key-2", "two").header("if-match", &quoted(&id_of(b"one")));
    let update = update.send().await.expect(200);
    let other = served.another().await;
    let elsewhere = other.client().request("PUT", &url).header("idempotency-key", "key-1");
    assert_eq!(elsewhere.body("one").send().await.expect(201).json(), first.json());
    let again = put("key-2", "two").header("if-match", &quoted(&id_of(b"one")));
    assert_eq!(again.send().await.expect(200).json(), update.json());
    assert_eq!(put("key-1", "else").send().await.expect(422).code(), "key_used");
    assert_eq!(put("no key!", "x").send().await.expect(400).code(), "bad_name");
    let log = client.get("/v1/books/guide/refs/main/log").await.json();
    assert_eq!(log["entries"].as_array().unwrap().len(), 3, "begun, created, updated: {log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_over_the_limit_are_refused_whether_announced_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let store = super::store_at(folder.path()).await;
    let settings = cas_server::Settings { blob_limit: 100_000, ..Default::default() };
    let env = cas_core::env::Env::system();
    let server = cas_tests::server::TestServer::start_with(&store, &env, settings);
    let client = server.client();
    client.put("/v1/books/guide", "").await.expect(201);
    let url = format!("{FILES}/a.bin");
    assert_eq!(client.put(&url, vec![0; 100_001]).await.expect(413).code(), "too_large");
    client.put(&url, vec![0; 100_000]).await.expect(201);
}
