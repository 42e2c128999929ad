//! Every operation, asked by everybody who could ask.
//!
//! The table says of each route what it needs. What everybody is to be answered follows from it and
//! from what their token allows, and is written down here a second time, in small, so that a
//! handler that forgets to ask is found out. A route that is not in the table fails the test.

use std::collections::BTreeSet;

use cas_core::access::TokenSecret;
use cas_core::env::{Env, Timestamp};
use cas_core::name::BlobId;
use cas_server::Limits;
use cas_tests::web::{Answer, Client};
use serde_json::{Value, json};

use super::Guarded;

/// What a route needs of whoever asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// Nothing.
    Nothing,
    /// Any token that is good: what is not seen is left out.
    Token,
    /// To see the book `guide`.
    SeeBook,
    /// To see `guide@main`.
    SeeRef,
    /// To read or write the whole store.
    ReadAll,
    WriteAll,
    /// To read or write all of `guide@main`.
    ReadRef,
    WriteRef,
    /// To read or write `docs/a.md` at `guide@main`.
    ReadPath,
    WritePath,
    /// To read or write everything below `docs` there.
    ReadBelow,
    WriteBelow,
    /// To write all of `guide@main`, and to read the whole store: a commit is named by its id.
    WriteRefAndReadAll,
    /// To administer the tag `guide@tags/v1`.
    AdminTag,
}

use Need::{
    AdminTag, Nothing, ReadAll, ReadBelow, ReadPath, ReadRef, SeeBook, SeeRef, Token, WriteAll,
    WriteBelow, WritePath, WriteRef, WriteRefAndReadAll,
};

/// Somebody who asks.
struct Asker {
    name: &'static str,
    /// The token, if one is shown.
    shows: Option<String>,
    /// The needs that are met; nothing at all if the token is not good.
    meets: Option<Vec<Need>>,
    sees_book: bool,
    sees_ref: bool,
}

impl Asker {
    fn bad(name: &'static str, shows: Option<String>) -> Self {
        Self { name, shows, meets: None, sees_book: false, sees_ref: false }
    }

    fn good(name: &'static str, secret: &TokenSecret, meets: &[Need]) -> Self {
        let meets = Some([&[Nothing, Token], meets].concat());
        let shows = Some(secret.reveal());
        Self { name, shows, meets, sees_book: true, sees_ref: true }
    }

    /// The status, and the codes of which one comes with it; `None` if the request is let in.
    fn refused(&self, need: Need) -> Option<(u16, &'static [&'static str])> {
        if need == Nothing {
            return None;
        }
        let Some(meets) = &self.meets else { return Some((401, &["unauthenticated"])) };
        if meets.contains(&need) {
            return None;
        }
        let about_all = [ReadAll, WriteAll].contains(&need);
        if !about_all && !self.sees_book {
            return Some((404, &["no_book"]));
        }
        if !about_all && need != SeeBook && (!self.sees_ref || need == AdminTag && !self.sees_tag())
        {
            return Some((404, &["no_ref"]));
        }
        Some((403, &["forbidden"]))
    }

    /// Whether it sees `guide@tags/v1`: those who see more than `main` do.
    fn sees_tag(&self) -> bool {
        self.name.starts_with("whole") || self.name == "administrator"
    }
}

/// One request of a route.
struct Case {
    route: &'static str,
    need: Need,
    path: String,
    body: Option<Value>,
}

fn case(route: &'static str, need: Need, path: impl Into<String>) -> Case {
    Case { route, need, path: path.into(), body: None }
}

impl Case {
    fn with(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }

    fn changes(&self) -> bool {
        !self.route.starts_with("GET") && !self.route.starts_with("HEAD")
    }
}

/// Ids of what is in the store.
struct Ids {
    blob: String,
    tree: String,
    commit: String,
}

fn table(ids: &Ids) -> Vec<Case> {
    let Ids { blob, tree, commit } = ids;
    let book = "/v1/books/guide";
    let main = "/v1/books/guide/refs/main";
    let put = |path: &str| json!({ "op": "put", "path": path, "text": "new", "expect": "absent" });
    let commit_of = |edit: Value| json!({ "message": "m", "edits": [edit] });
    let update = |name: &str, target: Option<&str>| {
        json!({
            "book": "guide", "ref": name, "expect": "absent", "target": target,
            "operation": "reset", "message": "m", "request_id": "r1",
        })
    };
    vec![
        case("GET /healthz", Nothing, "/healthz"),
        case("GET /readyz", Nothing, "/readyz"),
        case("GET /metrics", ReadAll, "/metrics"),
        // By id.
        case("GET /v1/blobs/{id}", ReadAll, format!("/v1/blobs/{blob}")),
        case("HEAD /v1/blobs/{id}", ReadAll, format!("/v1/blobs/{blob}")),
        case("PUT /v1/blobs/{id}", WriteAll, format!("/v1/blobs/{blob}")),
        case("GET /v1/trees/{id}", ReadAll, format!("/v1/trees/{tree}")),
        case("PUT /v1/trees/{id}", WriteAll, format!("/v1/trees/{tree}")),
        case("GET /v1/commits/{id}", ReadAll, format!("/v1/commits/{commit}")),
        case("PUT /v1/commits/{id}", WriteAll, format!("/v1/commits/{commit}")),
        case("GET /v1/trees/{id}/{archive}", ReadAll, format!("/v1/trees/{tree}/archive.tar")),
        case("HEAD /v1/trees/{id}/{archive}", ReadAll, format!("/v1/trees/{tree}/archive.zip")),
        case("GET /v1/trees/{id}/diff/{other}", ReadAll, format!("/v1/trees/{tree}/diff/{tree}")),
        case("GET /v1/trees/{id}/glob", ReadAll, format!("/v1/trees/{tree}/glob?pattern=**")),
        case("GET /v1/trees/{id}/grep", ReadAll, format!("/v1/trees/{tree}/grep?pattern=x")),
        case("POST /v1/fetch", ReadAll, "/v1/fetch").with(json!({ "want": tree })),
        case("POST /v1/missing", ReadAll, "/v1/missing").with(json!({ "objects": [] })),
        case("POST /v1/objects", WriteAll, "/v1/objects"),
        // Books and refs.
        case("GET /v1/books", Token, "/v1/books"),
        case("GET /v1/books/{book}", SeeBook, book),
        case("PUT /v1/books/{book}", WriteRef, book),
        case("GET /v1/books/{book}/refs", SeeBook, format!("{book}/refs")),
        case("GET /v1/books/{book}/audit", SeeBook, format!("{book}/audit")),
        case("GET /v1/books/{book}/audit", SeeBook, format!("{book}/audit?path=docs/a.md")),
        case("POST /v1/books/{book}/refs", WriteRef, format!("{book}/refs"))
            .with(json!({ "refs": ["main"], "to": "main" })),
        case("POST /v1/books/{book}/refs", WriteRefAndReadAll, format!("{book}/refs"))
            .with(json!({ "refs": ["main"], "to": &commit[..12] })),
        case("GET /v1/books/{book}/refs/{ref}", SeeRef, main),
        case("PUT /v1/books/{book}/refs/{ref}", WriteRef, main).with(json!({ "to": "main" })),
        case("DELETE /v1/books/{book}/refs/{ref}", AdminTag, format!("{book}/refs/tags%2Fv1")),
        case("POST /v1/books/{book}/refs/{ref}/restore", WriteRef, format!("{main}/restore")),
        case("POST /v1/books/{book}/refs/{ref}/merge", WriteRef, format!("{main}/merge"))
            .with(json!({ "from": "main" })),
        case("POST /v1/books/{book}/sync", SeeBook, format!("{book}/sync"))
            .with(json!({ "pattern": "**" })),
        case("PUT /v1/books/{book}/refs/{ref}/upstream", WriteRef, format!("{main}/upstream"))
            .with(json!({ "follow": "pinned" })),
        case("PUT /v1/books/{book}/refs/{ref}/upstream", WriteRef, format!("{main}/upstream"))
            .with(json!({ "ref": "main", "follow": "pinned" })),
        case("DELETE /v1/books/{book}/refs/{ref}/upstream", WriteRef, format!("{main}/upstream")),
        case("GET /v1/books/{book}/refs/{ref}/standing", ReadRef, format!("{main}/standing")),
        case("GET /v1/books/{book}/refs/{ref}/validate", ReadRef, format!("{main}/validate")),
        case("GET /v1/books/{book}/refs/{ref}/log", ReadRef, format!("{main}/log")),
        case("GET /v1/books/{book}/refs/{ref}/history", ReadRef, format!("{main}/history")),
        case(
            "GET /v1/books/{book}/refs/{ref}/history/{path}",
            ReadBelow,
            format!("{main}/history/docs"),
        ),
        case("GET /v1/books/{book}/diff", ReadRef, format!("{book}/diff?from=main&to=main")),
        case(
            "GET /v1/books/{book}/diff",
            ReadBelow,
            format!("{book}/diff?from=main&to=main&path=docs"),
        ),
        case(
            "GET /v1/books/{book}/diff",
            ReadAll,
            format!("{book}/diff?from={}&to={}", &commit[..12], &commit[..12]),
        ),
        case("GET /v1/books/{book}/diff", ReadRef, format!("{book}/diff?upstream=main")),
        case(
            "GET /v1/books/{book}/diff",
            ReadBelow,
            format!("{book}/diff?upstream=main&path=docs"),
        ),
        case("GET /v1/books/{book}/refs/{ref}/glob", ReadRef, format!("{main}/glob?pattern=**")),
        case(
            "GET /v1/books/{book}/refs/{ref}/glob",
            ReadBelow,
            format!("{main}/glob?pattern=docs/**&path=docs"),
        ),
        case("GET /v1/books/{book}/refs/{ref}/grep", ReadRef, format!("{main}/grep?pattern=x")),
        case("GET /v1/books/{book}/refs/{ref}/{archive}", ReadRef, format!("{main}/archive.tar")),
        case(
            "HEAD /v1/books/{book}/refs/{ref}/{archive}",
            ReadBelow,
            format!("{main}/archive.tar?path=docs"),
        ),
        // Files.
        case("GET /v1/books/{book}/refs/{ref}/files", ReadRef, format!("{main}/files")),
        case(
            "GET /v1/books/{book}/refs/{ref}/files/{path}",
            ReadPath,
            format!("{main}/files/docs/a.md"),
        ),
        case(
            "GET /v1/books/{book}/refs/{ref}/files/{path}",
            ReadBelow,
            format!("{main}/files/docs?recursive=true"),
        ),
        case(
            "HEAD /v1/books/{book}/refs/{ref}/files/{path}",
            ReadPath,
            format!("{main}/files/docs/a.md"),
        ),
        case(
            "PUT /v1/books/{book}/refs/{ref}/files/{path}",
            WritePath,
            format!("{main}/files/docs/a.md"),
        ),
        case(
            "DELETE /v1/books/{book}/refs/{ref}/files/{path}",
            WritePath,
            format!("{main}/files/docs/a.md"),
        ),
        case(
            "DELETE /v1/books/{book}/refs/{ref}/files/{path}",
            WriteBelow,
            format!("{main}/files/docs?recursive=true"),
        ),
        case("POST /v1/books/{book}/refs/{ref}/commits", WritePath, format!("{main}/commits"))
            .with(commit_of(put("docs/a.md"))),
        case(
            "POST /v1/books/{book}/refs/{ref}/commits",
            WriteRefAndReadAll,
            format!("{main}/commits"),
        )
        .with(commit_of(json!({ "op": "put", "path": "x.md", "blob": blob }))),
        case("POST /v1/books/{book}/refs/{ref}/commits", WriteBelow, format!("{main}/commits"))
            .with(commit_of(json!({ "op": "delete", "path": "docs", "recursive": true }))),
        case("POST /v1/books/{book}/refs/{ref}/commits", WriteRef, format!("{main}/commits"))
            .with(commit_of(json!({ "op": "move", "path": "static", "to": "moved" }))),
        case(
            "POST /v1/books/{book}/refs/{ref}/restore-paths",
            WriteBelow,
            format!("{main}/restore-paths"),
        )
        .with(json!({ "paths": ["docs"], "from": "main" })),
        case(
            "POST /v1/books/{book}/refs/{ref}/restore-paths",
            WriteRef,
            format!("{main}/restore-paths"),
        )
        .with(json!({ "paths": ["docs", "static"] })),
        case(
            "POST /v1/books/{book}/refs/{ref}/restore-paths",
            WriteRefAndReadAll,
            format!("{main}/restore-paths"),
        )
        .with(json!({ "paths": ["static"], "from": &commit[..12] })),
        // As they are stored.
        case("GET /v1/raw/books", Token, "/v1/raw/books"),
        case("GET /v1/raw/refs", Token, "/v1/raw/refs?book=guide"),
        case("GET /v1/raw/entry", ReadRef, "/v1/raw/entry?book=guide&ref=main"),
        case("GET /v1/raw/ids", ReadAll, format!("/v1/raw/ids?kind=blob&prefix={}", &blob[..8])),
        case("POST /v1/raw/update", WriteRefAndReadAll, "/v1/raw/update")
            .with(update("main", Some(commit))),
        case("POST /v1/raw/update", AdminTag, "/v1/raw/update").with(update("tags/v1", None)),
    ]
}

/// The book that everybody asks about, made before there is a token.
async fn fill(open: &Client) -> Ids {
    for book in ["guide", "other"] {
        open.put(&format!("/v1/books/{book}"), "").await.expect(201);
    }
    let files = ["docs/a.md", "docs/b.md", "static/x.png"]
        .map(|path| json!({ "op": "put", "path": path, "text": "text" }));
    let commits = "/v1/books/guide/refs/main/commits";
    let made = open.post(commits, &json!({ "message": "m", "edits": files })).await.expect(201);
    let commit = made.json()["commit"].as_str().unwrap().to_owned();
    for name in ["tags%2Fv1", "users%2F1"] {
        let path = format!("/v1/books/guide/refs/{name}");
        open.request("PUT", &path).json(&json!({ "to": "main" })).send().await.expect(201);
    }
    let found = open
        .request("GET", &format!("/v1/commits/{commit}"))
        .header("accept", "application/json")
        .send()
        .await;
    let tree = found.expect(200).json()["tree"].as_str().unwrap().to_owned();
    Ids { blob: BlobId::of(b"text").to_string(), tree, commit }
}

async fn askers(guarded: &Guarded) -> Vec<Asker> {
    let read = [SeeBook, SeeRef, ReadRef, ReadPath, ReadBelow];
    let write = [&read[..], &[WriteRef, WritePath, WriteBelow]].concat();
    let read_all = [&read[..], &[ReadAll]].concat();
    let write_all = [&write[..], &[ReadAll, WriteAll, WriteRefAndReadAll]].concat();
    let everything = [&write_all[..], &[AdminTag]].concat();
    let revoked = guarded.token("rita", &["admin"]).await;
    guarded.revoke(&revoked).await;
    let long_ago = Some(Timestamp::from_micros(1));
    let expired = guarded.token_until("xena", &["admin"], long_ago).await;
    let elsewhere = TokenSecret::generate(&Env::system());
    let mut mistyped = elsewhere.reveal();
    mistyped.replace_range(10..11, if &mistyped[10..11] == "0" { "1" } else { "0" });
    let other = guarded.token("olga", &["write:other"]).await;
    let branch = guarded.token("bert", &["write:guide:users/*"]).await;
    vec![
        Asker::bad("nobody", None),
        Asker::bad("mistyped", Some(mistyped)),
        Asker::bad("unknown", Some(elsewhere.reveal())),
        Asker::bad("revoked", Some(revoked.reveal())),
        Asker::bad("expired", Some(expired.reveal())),
        Asker { sees_book: false, sees_ref: false, ..Asker::good("other book", &other, &[]) },
        Asker { sees_ref: false, ..Asker::good("other branch", &branch, &[SeeBook]) },
        Asker::good(
            "one path, to read",
            &guarded.token("pia", &["read:guide:main:docs/a.md"]).await,
            &[SeeBook, SeeRef, ReadPath],
        ),
        Asker::good(
            "one folder, to write",
            &guarded.token("fritz", &["write:guide:main:docs/**"]).await,
            &[SeeBook, SeeRef, ReadPath, ReadBelow, WritePath, WriteBelow],
        ),
        Asker::good(
            "one branch, to read",
            &guarded.token("rob", &["read:guide:main"]).await,
            &read,
        ),
        Asker::good(
            "one branch, to write",
            &guarded.token("wanda", &["write:guide:main"]).await,
            &write,
        ),
        Asker::good("whole store, to read", &guarded.token("ron", &["read"]).await, &read_all),
        Asker::good("whole store, to write", &guarded.token("wim", &["write"]).await, &write_all),
        // Last: what it is let do is done.
        Asker::good("administrator", &guarded.token("ada", &["admin"]).await, &everything),
    ]
}

async fn ask(guarded: &Guarded, asker: &Asker, case: &Case) -> Answer {
    let (method, _) = case.route.split_once(' ').unwrap();
    let mut request = guarded.stranger().request(method, &case.path);
    if let Some(token) = &asker.shows {
        request = request.header("authorization", &format!("Bearer {token}"));
    }
    match &case.body {
        Some(body) => request.json(body).send().await,
        None => request.send().await,
    }
}

fn check(asker: &Asker, case: &Case, answer: &Answer) {
    let what = format!("{}: {} {} needs {:?}", asker.name, case.route, case.path, case.need);
    let has_body = !case.route.starts_with("HEAD");
    match asker.refused(case.need) {
        Some((status, codes)) => {
            assert_eq!(answer.status, status, "{what}: {}", answer.text());
            if has_body {
                assert!(codes.contains(&answer.code().as_str()), "{what}: {}", answer.text());
            }
            if status == 401 {
                assert!(answer.header("www-authenticate").starts_with("Bearer"), "{what}");
            }
            if status == 403 && has_body {
                let verb = answer.json()["verb"].as_str().unwrap().to_owned();
                assert!(["read", "write", "admin"].contains(&verb.as_str()), "{what}");
            }
        }
        None => {
            assert!(![401, 403].contains(&answer.status), "{what}: {}", answer.text());
            assert!(answer.status < 500, "{what}: {}", answer.text());
            if answer.status == 404 && has_body {
                assert!(!["no_book", "no_ref"].contains(&answer.code().as_str()), "{what}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_may_do_what_their_token_says_and_nothing_else() {
    let open = Guarded::start().await;
    let ids = fill(&open.stranger()).await;
    let askers = askers(&open).await;
    // One that never was open, and remembers what it looked up.
    let guarded = open.restarted(Limits::default());
    let table = table(&ids);
    for asker in &askers {
        // First what changes nothing: what only looks, and what is refused.
        for case in &table {
            if !case.changes() || asker.refused(case.need).is_some() {
                check(asker, case, &ask(&guarded, asker, case).await);
            }
        }
    }
    // Those who may change something do, each on what those before left.
    for asker in &askers {
        for case in &table {
            if case.changes() && asker.refused(case.need).is_none() {
                check(asker, case, &ask(&guarded, asker, case).await);
            }
        }
    }
}

#[test]
fn the_table_has_every_route() {
    let document = serde_json::to_value(cas_server::openapi()).unwrap();
    let mut routes = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            routes.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    let digits = || "0".repeat(64);
    let ids = Ids { blob: digits(), tree: digits(), commit: digits() };
    let tested: BTreeSet<_> = table(&ids).iter().map(|case| case.route.to_owned()).collect();
    let missing: Vec<_> = routes.difference(&tested).collect();
    let unknown: Vec<_> = tested.difference(&routes).collect();
    assert!(missing.is_empty(), "routes without a line in the table: {missing:?}");
    assert!(unknown.is_empty(), "lines without a route: {unknown:?}");
}
