//! No version gets to a ref that breaks the rules of its own `book.toml`.

use std::sync::Arc;

use cas_core::name::{BookId, CommitId, Operation, RefName, Revision};
use cas_core::refs::Expectation;
use cas_core::repo::{Precondition, RepoError, Repository};
use cas_core::schema::Violation;
use cas_tests::cli::User;
use cas_tests::counting::CountingStore;
use cas_tests::env::test_env;
use cas_tests::planted::{Planted, plant};
use cas_tests::server::TestServer;
use cas_tests::web::{Answer, Client};
use futures::future::join_all;
use object_store::memory::InMemory;
use serde_json::{Value, json};

use super::RULES;
use crate::http_archive::{publish, served};
use crate::world::{actor, book, put as put_edit, request, store_of};

const BOOK: &str = "/v1/books/guide";
const FILES: &str = "/v1/books/guide/refs/main/files";
const COMMITS: &str = "/v1/books/guide/refs/main/commits";

/// A server with the book `guide`, which has rules.
async fn guide() -> (Arc<InMemory>, Repository, TestServer, Client) {
    let (memory, repo, server) = served();
    let client = server.client();
    client.put(BOOK, "").await.expect(201);
    client.put(&format!("{FILES}/book.toml"), RULES).await.expect(201);
    (memory, repo, server, client)
}

/// The paths and rules that a refusal names.
fn refused(answer: Answer) -> Vec<(String, String)> {
    let answer = answer.expect(422);
    assert_eq!(answer.code(), "schema_violation");
    let body = answer.json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let violations = body["violations"].as_array().unwrap();
    violations.iter().map(|found| (text(&found["path"]), text(&found["rule"]))).collect()
}

fn one(path: &str, rule: &str) -> Vec<(String, String)> {
    vec![(path.to_owned(), rule.to_owned())]
}

fn put(path: &str, text: &str) -> Value {
    json!({ "op": "put", "path": path, "text": text })
}

async fn head(repo: &Repository, name: &RefName) -> Option<CommitId> {
    let book = BookId::parse("guide").unwrap();
    repo.store().refs().head(&book, name).await.unwrap().and_then(|head| head.entry.target)
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_schema_an_edit_cannot_break_the_rules() {
    let (_memory, repo, _server, client) = guide().await;
    let before = head(&repo, &RefName::main()).await;
    let answer = client.put(&format!("{FILES}/a/x.md"), "x").await;
    assert_eq!(refused(answer), one("a/x.md", "not-allowed"));
    assert_eq!(head(&repo, &RefName::main()).await, before, "nothing moved");
    client.put(&format!("{FILES}/content/x.md"), "x").await.expect(201);
    let moved = json!({ "op": "move", "path": "content", "to": "pages" });
    let answer = client.post(COMMITS, &json!({ "message": "m", "edits": [moved] })).await;
    assert_eq!(refused(answer), one("pages/x.md", "not-allowed"));
    client.delete(&format!("{FILES}/content/x.md")).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_schema_several_edits_are_told_everything_at_once() {
    let (_memory, _repo, _server, client) = guide().await;
    let edits = json!([put("x.md", "x"), put("content/y.md", "y"), put("z.md", "z")]);
    let answer = client.post(COMMITS, &json!({ "message": "m", "edits": edits })).await;
    let both = [one("x.md", "not-allowed"), one("z.md", "not-allowed")].concat();
    assert_eq!(refused(answer), both);
    // Rules that are changed hold for everything that is there already.
    client.put(&format!("{FILES}/content/y.md"), "y").await.expect(201);
    let current = cas_core::name::BlobId::of(RULES.as_bytes()).to_string();
    let rules =
        |text: &str| json!({ "op": "put", "path": "book.toml", "text": text, "expect": current });
    let edit = |edits: Value| json!({ "message": "m", "edits": edits });
    let narrow = "[[schema.refuse]]\npattern = \"**/y.md\"\n";
    let answer = client.post(COMMITS, &edit(json!([rules(narrow)]))).await;
    assert_eq!(refused(answer), one("content/y.md", "refused"));
    // A file and the rule that it needs come together.
    let required = "schema.required = [\"content/index.md\"]\n";
    let answer = client.post(COMMITS, &edit(json!([rules(required)]))).await;
    assert_eq!(refused(answer), one("content/index.md", "missing"));
    let both = json!([rules(required), put("content/index.md", "i")]);
    client.post(COMMITS, &edit(both)).await.expect(201);
    let gone = client.delete(&format!("{FILES}/content/index.md")).await;
    assert_eq!(refused(gone), one("content/index.md", "missing"));
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_schema_a_broken_book_toml_is_refused_and_can_always_be_mended() {
    let (_memory, repo, _server, client) = guide().await;
    let over = "#".repeat(64 * 1024 + 1);
    let id = |text: &str| format!("\"{}\"", cas_core::name::BlobId::of(text.as_bytes()));
    for bad in ["titel = 1", &over] {
        let put = client.request("PUT", &format!("{FILES}/book.toml"));
        let answer = put.header("if-match", &id(RULES)).body(bad.to_owned()).send().await;
        assert_eq!(refused(answer), one("book.toml", "book-file"));
    }
    let folder = json!([
        { "op": "delete", "path": "book.toml" }, put("book.toml/content.md", "x")
    ]);
    let answer = client.post(COMMITS, &json!({ "message": "m", "edits": folder })).await;
    assert_eq!(refused(answer), one("book.toml", "book-file"));
    // A book that came to be broken before there were rules.
    let files = [Planted::file("book.toml", "titel = 1"), Planted::file("x.md", "x")];
    publish(&repo, "guide", "main", plant(repo.store(), &files).await).await;
    let answer = client.put(&format!("{FILES}/y.md"), "y").await;
    assert_eq!(refused(answer), one("book.toml", "book-file"));
    let put = client.request("PUT", &format!("{FILES}/book.toml"));
    put.header("if-match", &id("titel = 1")).body("title = \"t\"").send().await.expect(200);
    let link = [Planted::link("book.toml", "x.md"), Planted::file("x.md", "x")];
    publish(&repo, "guide", "main", plant(repo.store(), &link).await).await;
    let answer = client.put(&format!("{FILES}/y.md"), "y").await;
    assert_eq!(refused(answer), one("book.toml", "book-file"));
    client.delete(&format!("{FILES}/book.toml")).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_schema_no_ref_is_pointed_at_what_was_uploaded_against_the_rules() {
    let (_memory, repo, _server, client) = guide().await;
    let files = [Planted::file("book.toml", RULES), Planted::file("deep/a/x.md", "x")];
    let tree = plant(repo.store(), &files).await;
    // On a branch of another book, by a hand that asks nobody.
    let bad = publish(&repo, "other", "main", tree).await;
    let main = head(&repo, &RefName::main()).await.unwrap().to_string();
    let update = |name: &str, expect: &str, operation: &str| {
        json!({
            "book": "guide", "ref": name, "expect": expect, "target": bad,
            "operation": operation, "message": "m", "request_id": format!("{}-{operation}", name.replace('/', "-")),
        })
    };
    let wanted = one("deep/a/x.md", "not-allowed");
    for body in [
        update("main", &main, "reset"),
        update("new", "absent", "create"),
        update("new", "absent", "restore"),
        update("tags/v1", "any", "create"),
    ] {
        assert_eq!(refused(client.post("/v1/raw/update", &body).await), wanted, "{body}");
    }
    let (book, mine) = (BookId::parse("guide").unwrap(), RefName::parse("mine").unwrap());
    let commit: CommitId = bad.parse().unwrap();
    let created = repo.create_ref(&repo.ref_request(&book, &mine, ""), commit).await;
    let request = repo.ref_request(&book, &RefName::main(), "");
    let reset = repo.reset_branch(&request, Expectation::Any, commit).await;
    for answer in [created, reset] {
        let Err(RepoError::Schema { violations }) = answer else { panic!("{answer:?}") };
        assert_eq!(violations[0].path, "deep/a/x.md");
    }
    assert_eq!(head(&repo, &mine).await, None);
    assert_eq!(head(&repo, &RefName::main()).await.unwrap().to_string(), main);
    // Over HTTP a commit is named by the history of its book, or by an id that is in it.
    let path = format!("{BOOK}/refs/mine");
    let to = |text: &str| client.request("PUT", &path).json(&json!({ "to": text })).send();
    publish(&repo, "guide", "planted", tree).await;
    assert_eq!(refused(to("planted").await), wanted);
    to("main").await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_schema_edits_that_race_for_a_branch_leave_no_version_that_breaks_them() {
    let (_memory, repo, server) = served();
    let client = server.client();
    client.put(BOOK, "").await.expect(201);
    let puts = (0..40).map(|n| {
        let client = &client;
        async move {
            let (path, text) = match n % 4 {
                0 => ("book.toml".to_owned(), RULES.to_owned()),
                1 => (format!("x{n}.md"), "x".to_owned()),
                _ => (format!("content/x{n}.md"), "x".to_owned()),
            };
            client.put(&format!("{FILES}/{path}"), text).await
        }
    });
    let _ = join_all(puts).await;
    let revision = Revision::parse("guide").unwrap();
    let mut at = Some(repo.resolve(&revision).await.unwrap().id);
    let mut versions = 0;
    while let Some(id) = at {
        let commit = repo.store().get_commit(&id).await.unwrap();
        let found = repo.validate(commit.tree, None).await.unwrap();
        assert_eq!(found, Vec::<Violation>::new(), "{id}");
        at = commit.parents.first().copied();
        versions += 1;
    }
    assert!(versions > 10, "{versions}");
}

#[test]
fn invariant_schema_an_import_cannot_break_the_rules() {
    let user = User::new();
    user.write("b/book.toml", RULES);
    user.write("b/content/x.md", "x");
    user.ok(["import", "b", "guide"]);
    let main = user.ok(["show", "guide"]);
    user.write("b/stray.md", "x");
    user.write("b/more/y.md", "y");
    for branch in ["guide", "guide@new"] {
        let said = user.fails(1, ["import", "b", branch]);
        for part in ["stray.md", "more/y.md", "[not-allowed]", "hint: `cas validate"] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
    assert_eq!(user.ok(["show", "guide"]), main);
    user.write("b/book.toml", "");
    user.ok(["import", "b", "guide"]);
    user.write("s.md", "x");
    user.ok(["put", "guide", "s.md", "s.md", "--create"]);
}

#[tokio::test]
async fn only_folders_that_differ_are_looked_at() {
    let (memory, repo, _server) = served();
    let rules = "[schema]\npreset = \"docusaurus\"\n";
    let pages = (0..2000).map(|n| {
        Planted::file(format!("content/{:02}-p/{:02}-c/{n:04}-x{n}.md", n / 200, n / 20 % 10), "x")
    });
    let mut files: Vec<_> = pages.collect();
    let name = book().to_string();
    publish(&repo, &name, "plain", plant(repo.store(), &files).await).await;
    files.push(Planted::file("book.toml", rules));
    publish(&repo, &name, "main", plant(repo.store(), &files).await).await;
    let counting = Arc::new(CountingStore::new(memory));
    let env = test_env(11);
    let counted = Repository::new(store_of(counting.clone(), &env), env, actor("ada"), 4);
    let mut reads = Vec::new();
    for (branch, file) in [("main", "book.md"), ("plain", "book.md")] {
        let branch = RefName::parse(branch).unwrap();
        let edit = put_edit(&format!("content/00-p/00-c/{file}"), b"x", Precondition::Absent);
        counting.take();
        let request = request(&branch, &format!("edit-{branch}"));
        counted.edit(&request, Operation::put(), &[edit]).await.unwrap();
        reads.push(counting.take().get);
    }
    // The four folders on the path as they were, the root once more, and the book's file.
    assert!(reads[0] <= reads[1] + 6, "{reads:?}");
}
