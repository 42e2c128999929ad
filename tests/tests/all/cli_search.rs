//! `cas find` and `cas grep` as a user sees them.

use cas_tests::cli::{User, assert_keys};

use super::cli_commands::with_guide;

fn with_more() -> User {
    let user = with_guide();
    user.write("book/ch2/notes.md", "A Tree\nno match\nthree trees [0]\n");
    user.ok(["import", "book", "guide", "-m", "More"]);
    user
}

#[test]
fn find_lists_paths_that_match() {
    let user = with_more();
    assert_eq!(user.ok(["find", "**/*.md", "guide"]), "README.md\nch1/lesson.md\nch2/notes.md\n");
    assert_eq!(user.ok(["find", "*/*.md", "guide@main~1"]), "ch1/lesson.md\n");
    assert_eq!(user.ok(["find", "**", "guide", "ch2"]), "ch2/notes.md\n");
    assert_eq!(user.ok(["find", "x", "guide"]), "");
    let files = user.json(["find", "{start,ch1/run.sh}", "guide"]);
    let kinds: Vec<_> = files.as_array().unwrap().iter().map(|file| &file["kind"]).collect();
    assert_eq!(kinds, ["executable", "symlink"]);
    assert_keys(&files[0], &["path", "kind", "id", "size", "source"]);
    user.fails(2, ["find", "[a", "guide"]);
    user.fails(1, ["find", "*", "guide", "nowhere"]);
}

#[test]
fn grep_prints_lines_that_match() {
    let user = with_more();
    let three = "ch1/lesson.md:3:three\nch2/notes.md:3:three trees [0]\n";
    assert_eq!(user.ok(["grep", "^three", "guide"]), three);
    assert_eq!(user.ok(["grep", "tree", "guide"]), "ch2/notes.md:3:three trees [0]\n");
    assert_eq!(
        user.ok(["grep", "-i", "tree", "guide", "ch2"]),
        "ch2/notes.md:1:A Tree\nch2/notes.md:3:three trees [0]\n"
    );
    assert_eq!(user.ok(["grep", "-F", "[0]", "guide"]), "ch2/notes.md:3:three trees [0]\n");
    assert_eq!(user.ok(["grep", "three", "guide", "-g", "ch1/*"]), "ch1/lesson.md:3:three\n");
    assert_eq!(user.ok(["grep", "nothing at all", "guide"]), "");

    let (output, limited) = {
        let ran = user.run(["grep", "three", "guide", "--limit", "1"]);
        (ran.stdout(), ran.stderr())
    };
    assert_eq!(output, "ch1/lesson.md:3:three\n");
    assert!(limited.contains("--limit"), "{limited}");

    let found = user.json(["grep", "three", "guide"]);
    assert_keys(
        &found,
        &[
            "commit",
            "source",
            "tree",
            "lines",
            "truncated",
            "files",
            "bytes",
            "skipped_binary",
            "skipped_large",
        ],
    );
    assert_keys(&found["lines"][0], &["path", "id", "line", "column", "text", "cut"]);
    assert_eq!((&found["truncated"], &found["skipped_binary"]), (&false.into(), &1.into()));
    user.fails(2, ["grep", "(", "guide"]);
    user.fails(2, ["grep", "x", "guide", "-g", "[a"]);
    user.fails(1, ["grep", "x", "guide", "nowhere"]);
}
