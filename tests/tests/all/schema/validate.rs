//! Looking without writing: `cas validate` and `GET …/validate`.

use cas_tests::cli::User;
use cas_tests::planted::{Planted, plant};

use super::RULES;
use crate::http_archive::{publish, served};

#[test]
fn a_folder_and_a_version_are_told_everything_and_nothing_is_written() {
    let user = User::new();
    user.write("guide/book.toml", RULES);
    user.write("guide/content/x.md", "x");
    assert_eq!(user.ok(["validate", "guide"]), "0 errors, 0 warnings\n");
    user.ok(["import", "guide", "guide"]);
    user.write("guide/stray.md", "x");
    user.write("guide/con.md", "x");
    let ran = user.run(["validate", "./guide"]);
    assert_eq!(ran.code(), 1);
    let out = ran.stdout();
    assert!(out.contains("error    stray.md: ") && out.contains("[not-allowed]"), "{out}");
    assert!(out.contains("error    con.md: ") && out.contains("[name-not-portable]"), "{out}");
    assert!(out.ends_with("2 errors, 0 warnings\n") || out.contains("3 errors"), "{out}");
    let stored = user.stored();
    // The folder goes before the book of the same name; the version is as it was.
    assert_eq!(user.run(["validate", "guide"]).code(), 1);
    assert_eq!(user.json(["validate", "guide@main"])["ok"], true);
    assert_eq!(user.stored(), stored);
}

#[test]
fn a_preset_is_tried_and_warnings_fail_when_strict() {
    let user = User::new();
    user.write("b/docs/one.md", "x");
    user.write("b/docs/basics/two.md", "x");
    assert_eq!(user.ok(["validate", "b"]), "0 errors, 0 warnings\n");
    let found = user.json(["validate", "b", "--preset", "docusaurus"]);
    assert_eq!(
        (&found["ok"], &found["errors"], &found["warnings"]),
        (&true.into(), &0.into(), &2.into())
    );
    assert_eq!(found["violations"][0]["path"], "docs/basics");
    assert_eq!(found["violations"][0]["severity"], "warning");
    for more in [&["docusaurus", "--strict"][..], &["strict-lessons"]] {
        let ran = user.run([&["validate", "b", "--preset"], more].concat());
        assert_eq!(ran.code(), 1, "{}", ran.stderr());
    }
    user.fails(2, ["validate", "b", "--preset", "other"]);
    user.fails(1, ["validate", "./absent"]);
    std::fs::create_dir(user.path("b/book.toml")).unwrap();
    user.write("b/book.toml/x", "x");
    assert!(user.run(["validate", "b"]).stdout().contains("[book-file]"));
}

#[tokio::test]
async fn a_ref_is_validated_over_http() {
    let (_memory, repo, server) = served();
    let files = [Planted::file("book.toml", RULES), Planted::file("x.md", "x")];
    let commit = publish(&repo, "guide", "main", plant(repo.store(), &files).await).await;
    let client = server.client();
    let found = client.get("/v1/books/guide/refs/main/validate").await.expect(200).json();
    assert_eq!((&found["commit"], &found["ok"]), (&commit.into(), &false.into()));
    assert_eq!((&found["errors"], &found["warnings"]), (&1.into(), &0.into()));
    assert_eq!(found["violations"][0]["rule"], "not-allowed");
    client.get("/v1/books/guide/refs/none/validate").await.expect(404);
}
