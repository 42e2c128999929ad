//! What a server makes of the tokens of its store.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use cas_core::access::{TokenSecret, Tokens};
use cas_core::env::Env;
use cas_core::store::Bucket;
use cas_server::Limits;
use cas_tests::faulty::FaultyStore;
use cas_tests::server::TestServer;
use futures::future::join_all;
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use object_store::path::Path as Key;

use super::{Guarded, app};

#[tokio::test]
async fn invariant_attributed_the_actor_comes_from_the_token_and_never_from_the_request() {
    let guarded = Guarded::start().await;
    let entry = |answer: cas_tests::web::Answer| {
        answer.json()["actor"].as_str().map(str::to_owned).unwrap_or_default()
    };
    let open = guarded.stranger();
    let said = open.request("PUT", "/v1/books/a").header("cas-actor", "eve").send().await;
    assert_eq!(entry(said.expect(201)), "eve");
    assert_eq!(entry(open.put("/v1/books/b", "").await.expect(201)), "anonymous");
    let nobody = open.request("PUT", "/v1/books/c").header("cas-actor", "system").send().await;
    assert_eq!(nobody.expect(400).code(), "bad_name");

    let ada = guarded.client(&guarded.token("ada", &["write"]).await);
    let said = ada.request("PUT", "/v1/books/c").header("cas-actor", "eve").send().await;
    assert_eq!(entry(said.expect(201)), "ada");
}

#[tokio::test]
async fn the_rules_of_a_book_are_changed_only_by_tokens_for_its_file() {
    let guarded = Guarded::start().await;
    guarded.stranger().put("/v1/books/guide", "").await.expect(201);
    let writer = guarded.client(&guarded.token("ada", &["write:guide:main:content/**"]).await);
    let keeper = guarded.client(&guarded.token("eve", &["write:guide:main:book.toml"]).await);
    let file = |path: &str| format!("/v1/books/guide/refs/main/files/{path}");
    let rules = "[[schema.refuse]]\npattern = \"**/*.exe\"\n";
    assert_eq!(writer.put(&file("book.toml"), rules).await.expect(403).code(), "forbidden");
    keeper.put(&file("book.toml"), rules).await.expect(201);
    writer.put(&file("content/a.md"), "a").await.expect(201);
    let refused = writer.put(&file("content/a.exe"), "a").await.expect(422);
    assert_eq!(refused.code(), "schema_violation");
    writer.delete(&file("book.toml")).await.expect(403);
}

#[tokio::test]
async fn what_is_not_seen_is_answered_like_what_is_not_there() {
    let guarded = Guarded::start().await;
    let open = guarded.stranger();
    for book in ["guide", "secret"] {
        open.put(&format!("/v1/books/{book}"), "").await.expect(201);
    }
    let client = guarded.client(&guarded.token("ada", &["write:guide:users/*"]).await);
    let main = "refs/main";
    for rest in
        ["", "/refs", "/refs/main", "/refs/main/files", "/refs/main/log", "/diff?from=main&to=main"]
    {
        let there = client.get(&format!("/v1/books/secret{rest}")).await;
        let absent = client.get(&format!("/v1/books/absent{rest}")).await;
        assert_eq!(there.status, 404, "{rest}");
        assert_eq!(there.text().replace("secret", "absent"), absent.text(), "{rest}");
    }
    for rest in ["", "/files", "/files/a.md", "/log", "/history"] {
        let there = client.get(&format!("/v1/books/guide/{main}{rest}")).await;
        let absent = client.get(&format!("/v1/books/guide/refs/none{rest}")).await;
        assert_eq!(there.status, 404, "{rest}");
        assert_eq!(there.text().replace("guide@main", "guide@none"), absent.text(), "{rest}");
    }
    let books = client.get("/v1/books").await.expect(200).json();
    assert_eq!(books["books"].as_array().unwrap().len(), 1);
    assert_eq!(books["books"][0]["main"], serde_json::Value::Null, "main is not theirs to see");
}

#[tokio::test]
async fn a_server_that_runs_begins_to_ask_when_the_first_token_is_made() {
    let ttl = Duration::from_millis(200);
    let guarded = Guarded::start_with(Limits { token_ttl: ttl, ..Limits::default() }).await;
    guarded.stranger().get("/v1/books").await.expect(200);
    let secret = guarded.token("ada", &["read"]).await;
    let client = guarded.client(&secret);
    assert!(
        within(ttl * 20, || async { guarded.stranger().get("/v1/books").await.status == 401 })
            .await
    );
    client.get("/v1/books").await.expect(200);
    guarded.revoke(&secret).await;
    assert!(within(ttl * 20, || async { client.get("/v1/books").await.status == 401 }).await);
    // Without a good token left, it still is not open.
    guarded.stranger().get("/v1/books").await.expect(401);
    guarded.stranger().get("/healthz").await.expect(200);
    guarded.stranger().get("/openapi.json").await.expect(200);
}

/// Whether `what` comes true in time.
async fn within<F: Future<Output = bool>>(time: Duration, what: impl Fn() -> F) -> bool {
    tokio::time::timeout(time, async {
        while !what().await {
            tokio::task::yield_now().await;
        }
    })
    .await
    .is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_known_token_costs_no_look_and_a_crowd_one() {
    let faulty = FaultyStore::new(Arc::new(InMemory::new()));
    let bucket = Bucket::new(Arc::new(faulty.clone()));
    cas_core::store::create(&bucket, "s", cas_core::store::Writers::Any, &Env::system())
        .await
        .unwrap();
    let server = TestServer::start_app(app(&bucket, Limits::default()));
    let tokens = Tokens::new(bucket, Env::system());
    let guarded = |secret: &TokenSecret| {
        server.client().with("authorization", &format!("Bearer {}", secret.reveal()))
    };
    let new = cas_core::access::NewToken {
        actor: cas_core::name::Actor::parse("ada").unwrap(),
        scopes: vec!["read".parse().unwrap()],
        expires_at: None,
        note: String::new(),
    };
    let (_, secret) = tokens.create(new).await.unwrap();
    let client = guarded(&secret);
    let path = format!("/v1/blobs/{}", "0".repeat(64));
    client.get(&path).await.expect(404);
    let before = faulty.calls();
    for _ in 0..20 {
        client.get(&path).await.expect(404);
    }
    let each = (faulty.calls() - before) / 20;
    assert!(each <= 1, "{each} requests to the store for one that asks for one object");
    // Many that show the same unknown token wait for the same look.
    let unknown = guarded(&TokenSecret::generate(&Env::system()));
    let before = faulty.calls();
    let answers = join_all((0..50).map(|_| unknown.get("/v1/books"))).await;
    assert!(answers.iter().all(|answer| answer.status == 401));
    assert_eq!(faulty.calls() - before, 2, "one look at the token and one for its revocation");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guessing_is_slowed_down_and_disturbs_nobody_who_is_known() {
    let guarded = Guarded::start_with(Limits::default()).await;
    let secret = guarded.token("ada", &["read"]).await;
    let client = guarded.client(&secret);
    client.get("/v1/books").await.expect(200);
    let mut refused = 0;
    for _ in 0..150 {
        let guess = guarded.client(&TokenSecret::generate(&Env::system()));
        let answer = guess.get("/v1/books").await;
        match answer.status {
            401 => {}
            429 => {
                assert_eq!(answer.code(), "rate_limited");
                assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
                refused += 1;
            }
            other => panic!("{other}: {}", answer.text()),
        }
    }
    assert!(refused > 0, "nobody stopped the guessing");
    client.get("/v1/books").await.expect(200);
}

#[tokio::test]
async fn each_token_has_a_rate_of_its_own() {
    let limits = Limits { token_rate: NonZeroU32::new(5), ..Limits::default() };
    let guarded = Guarded::start_with(limits).await;
    let greedy = guarded.client(&guarded.token("ada", &["read"]).await);
    let modest = guarded.client(&guarded.token("ben", &["read"]).await);
    let mut statuses = Vec::new();
    for _ in 0..40 {
        statuses.push(greedy.get("/v1/books").await.status);
    }
    assert!(statuses[..20].iter().all(|status| *status == 200), "{statuses:?}");
    assert!(statuses.contains(&429), "{statuses:?}");
    modest.get("/v1/books").await.expect(200);
}

#[tokio::test]
async fn a_damaged_record_is_an_error_and_no_silent_refusal() {
    let memory = Arc::new(InMemory::new());
    let bucket = Bucket::new(memory.clone());
    cas_core::store::create(&bucket, "s", cas_core::store::Writers::Any, &Env::system())
        .await
        .unwrap();
    let server = TestServer::start_app(app(&bucket, Limits::default()));
    let secret = TokenSecret::generate(&Env::system());
    let key = Key::from(format!("tokens/{}", secret.id()));
    memory.put(&key, "no token".into()).await.unwrap();
    let client = server.client().with("authorization", &format!("Bearer {}", secret.reveal()));
    let answer = client.get("/v1/books").await.expect(500);
    assert_eq!(answer.code(), "damaged");
    assert!(!answer.text().contains(&secret.id().to_string()), "the inside is hidden");
    // A revocation refuses, also one that cannot be read.
    let revocation = Key::from(format!("tokens/{}.revoked", secret.id()));
    memory.put(&revocation, "".into()).await.unwrap();
    assert_eq!(client.get("/v1/books").await.expect(401).code(), "unauthenticated");
}

#[tokio::test]
async fn pages_elsewhere_cannot_use_an_open_server_through_a_browser() {
    let guarded = Guarded::start().await;
    let open = guarded.stranger();
    for (name, value) in
        [("origin", "https://evil.example"), ("origin", "null"), ("host", "evil.example:8080")]
    {
        let answer = open.request("PUT", "/v1/books/guide").header(name, value).send().await;
        assert_eq!(answer.expect(403).code(), "foreign_origin", "{name}: {value}");
    }
    for (name, value) in [("origin", "http://localhost:3000"), ("host", "localhost")] {
        open.request("GET", "/v1/books").header(name, value).send().await.expect(200);
    }
    // With a token the server may have any name.
    let client = guarded.client(&guarded.token("ada", &["read"]).await);
    client.request("GET", "/v1/books").header("host", "books.example").send().await.expect(200);
}

#[tokio::test]
async fn a_token_is_shown_in_one_way_only() {
    let guarded = Guarded::start().await;
    let secret = guarded.token("ada", &["read"]).await.reveal();
    let open = guarded.stranger();
    for good in
        [format!("Bearer {secret}"), format!("bearer {secret}"), format!("BEARER  {secret}")]
    {
        open.request("GET", "/v1/books").header("authorization", &good).send().await.expect(200);
    }
    for bad in
        [secret.clone(), format!("Basic {secret}"), "Bearer".to_owned(), "Bearer x".to_owned()]
    {
        let answer = open.request("GET", "/v1/books").header("authorization", &bad).send().await;
        assert_eq!(answer.expect(401).code(), "unauthenticated", "{bad}");
    }
    let answer = open.get(&format!("/v1/books?token={secret}")).await;
    answer.expect(401);
    let twice = open.request("GET", "/v1/books");
    let twice = twice.header("authorization", &format!("Bearer {secret}"));
    let twice = twice.header("authorization", &format!("Bearer {secret}")).send().await;
    assert_eq!(twice.expect(400).code(), "bad_header");
}
