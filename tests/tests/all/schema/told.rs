//! What is against the rules and not refused is told to whoever makes a version.

use cas_tests::cli::{User, text};
use serde_json::{Value, json};

use crate::access::Guarded;

const DOCUSAURUS: &str = "[schema]\npreset = \"docusaurus\"\n";

/// The paths and rules of an answer's warnings.
fn warnings(answer: &Value) -> Vec<(&str, &str)> {
    let found = answer["warnings"].as_array().unwrap();
    found.iter().map(|found| (text(found, "path"), text(found, "rule"))).collect()
}

#[test]
fn imports_and_edits_tell_what_is_against_the_rules() {
    let user = User::new();
    user.write("b/book.toml", DOCUSAURUS);
    user.write("b/content/01-part/01-one.md", "x");
    user.write("b/content/01-part/02-two.md", "x");
    assert_eq!(user.json(["import", "b", "guide"])["warnings"], json!([]));
    let page = user.write("page.md", "x");
    let page = page.to_str().unwrap();
    let put = ["put", "guide", "content/01-part/plain.md", page, "--create", "--json"];
    let ran = user.run(put);
    assert_eq!(ran.code(), 0, "{}", ran.stderr());
    let answer: Value = serde_json::from_str(&ran.stdout()).unwrap();
    assert_eq!(warnings(&answer), [("content/01-part/plain.md", "number-missing")]);
    assert!(ran.stderr().starts_with("warning: content/01-part/plain.md: "), "{}", ran.stderr());
    assert_eq!(
        user.run([&["--quiet"], &["rm", "guide", "content/none.md"][..]].concat()).stderr(),
        ""
    );

    // What was there before is not told again.
    for n in 0..9 {
        user.write(&format!("b/content/01-part/plain{n}.md"), "x");
    }
    let foreseen = user.json(["import", "b", "guide", "--dry-run"]);
    let ran = user.run(["import", "b", "guide"]);
    assert_eq!(ran.stderr().matches("[number-missing]").count(), 5, "{}", ran.stderr());
    assert!(ran.stderr().contains("... and 4 more: `cas validate guide@main`"), "{}", ran.stderr());
    assert_eq!(warnings(&foreseen).len(), 9, "{foreseen}");
    assert_eq!(user.json(["import", "b", "guide"])["warnings"], json!([]));
}

#[test]
fn invariant_schema_a_dry_run_refuses_what_the_import_would() {
    let user = User::new();
    user.write("b/book.toml", super::RULES);
    user.write("b/content/x.md", "x");
    user.ok(["import", "b", "guide", "--dry-run"]);
    user.ok(["import", "b", "guide"]);
    user.write("b/more/y.md", "y");
    let (before, import) = (user.stored(), ["import", "b", "guide"]);
    for branch in ["guide", "guide@new"] {
        let said = user.fails(1, ["import", "b", branch, "--dry-run"]);
        assert!(said.contains("more/y.md") && said.contains("[not-allowed]"), "{said}");
    }
    assert_eq!(user.stored(), before);
    assert_eq!(user.fails(1, [&import[..], &["--dry-run"]].concat()), user.fails(1, import));
    user.write("b/book.toml", "no toml");
    assert!(user.fails(1, ["import", "b", "guide", "--dry-run"]).contains("[book-file]"));
}

/// A message may name what lies beside its path.
#[tokio::test]
async fn a_token_is_told_nothing_of_paths_that_it_may_not_read() {
    let guarded = Guarded::start().await;
    let open = guarded.stranger();
    open.put("/v1/books/guide", "").await.expect(201);
    let file = |path: &str| format!("/v1/books/guide/refs/main/files/{path}");
    let there = open.put(&file("book.toml"), DOCUSAURUS).await.expect(201);
    open.put(&file("content/01-part/02-secret.md"), "x").await.expect(201);
    let all = open.put(&file("content/01-part/02-other.md"), "x").await.expect(201);
    assert!(all.text().contains("02-secret.md"), "{}", all.text());
    open.delete(&file("content/01-part/02-other.md")).await.expect(200);

    let scope = ["write:guide:main:content/01-part/02-mine.md"];
    let mine = guarded.client(&guarded.token("ada", &scope).await);
    let told = mine.put(&file("content/01-part/02-mine.md"), "x").await.expect(201);
    assert!(!told.text().contains("secret"), "{}", told.text());
    let told = told.json();
    let rules: Vec<_> = warnings(&told).into_iter().map(|(_, rule)| rule).collect();
    assert_eq!(rules, ["number-twice"], "{told}");

    let keeper = guarded.client(&guarded.token("eve", &["write:guide:main:book.toml"]).await);
    let rules = "[[schema.refuse]]\npattern = \"content/**/02-s*\"\n";
    let refused = keeper.request("PUT", &file("book.toml"));
    let refused = refused.header("if-match", there.header("etag")).body(rules);
    let refused = refused.send().await.expect(422);
    assert_eq!(refused.code(), "schema_violation");
    assert!(!refused.text().contains("secret"), "{}", refused.text());
    let violation = &refused.json()["violations"][0];
    assert_eq!((&violation["path"], &violation["rule"]), (&json!(""), &json!("refused")));
}
