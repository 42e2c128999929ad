//! `cas branch create`, `follow` and `list`, and reading what is not there yet.

use cas_tests::cli::{User, assert_keys, text};
use serde_json::{Value, json};

/// A book whose readers follow `main` as it moves.
fn with_readers() -> User {
    let user = User::new();
    user.write("book/book.toml", super::RULES);
    user.write("book/docs/a.md", "a\n");
    user.ok(["import", "book", "guide"]);
    user
}

fn head(user: &User, name: &str) -> String {
    text(&user.json(["log", name])[0], "commit").to_owned()
}

#[test]
fn a_branch_says_what_it_follows() {
    let user = with_readers();
    let main = head(&user, "guide");
    let said = user.ok(["branch", "create", "guide@users/ada"]);
    assert!(said.contains("follows main (live) since"), "{said}");
    let listed = |user: &User, name: &str| user.json(["branch", "list", "guide", name])[0].clone();
    let follows = json!({ "ref": "main", "follow": "live", "base": main });
    assert_eq!(listed(&user, "users/ada")["upstream"], follows);
    let long = user.ok(["branch", "list", "-l", "guide"]);
    assert!(long.lines().any(|line| line.contains("follows main (live)")), "{long}");
    user.ok(["branch", "create", "guide@users/bob", "--follow", "pinned"]);
    assert_eq!(listed(&user, "users/bob")["upstream"]["follow"], "pinned");
    user.ok(["branch", "create", "guide@users/eve", "--no-upstream"]);
    assert_eq!(listed(&user, "users/eve").get("upstream"), None);

    let entry = user.json(["branch", "follow", "guide@users/ada", "pinned"]);
    assert_eq!((&entry["operation"], &entry["seq"]), (&json!("follow"), &json!(2)));
    assert_eq!(listed(&user, "users/ada")["upstream"]["follow"], "pinned");
    user.ok(["branch", "follow", "guide@users/ada", "none"]);
    assert_eq!(listed(&user, "users/ada").get("upstream"), None);
    let said = user.fails(1, ["branch", "follow", "guide@users/ada", "live"]);
    assert!(said.contains("name an upstream"), "{said}");
    user.ok(["branch", "follow", "guide@users/ada", "live", "--upstream", "main"]);
    assert_eq!(listed(&user, "users/ada")["upstream"], follows);
    user.fails(2, ["branch", "follow", "guide@users/ada", "sometimes"]);
    user.fails(2, ["branch", "create", "guide@x", "--no-upstream", "--follow", "live"]);
}

#[test]
fn many_branches_are_made_from_standard_input_and_again() {
    let user = with_readers();
    let create = ["branch", "create", "guide", "--stdin"];
    let bad = user.run_with_input(create, b"users/1\nno ref\ntags/v1\n\nusers/2\n");
    assert_eq!(bad.code(), 2);
    for said in ["line 2", "line 3: tags/v1 is a tag"] {
        assert!(bad.stderr().contains(said), "{}", bad.stderr());
    }
    assert_eq!(user.json(["branch", "list", "guide", "users/*"]), json!([]));
    let names: String = (0..1_500).map(|n| format!("users/{n}\n")).collect();
    let made = user.run_with_input(create, names.as_bytes());
    assert_eq!((made.code(), made.stderr().as_str()), (0, ""));
    assert_eq!(made.stdout(), "1500 branches created, 0 existing, 0 in the way\n");
    assert_eq!(user.json(["branch", "list", "guide", "users/*"]).as_array().unwrap().len(), 1_500);
    user.ok(["branch", "create", "guide@users/new", "--from", "guide@main#1", "--no-upstream"]);
    user.write("book/docs/a.md", "b\n");
    user.ok(["import", "book", "guide"]);
    let json = ["branch", "create", "guide", "--stdin", "--json"];
    let again = user.run_with_input(json, b"users/7\nusers/new\nusers/fresh\n");
    assert_eq!(again.code(), 3, "{}", again.stderr());
    let lines: Vec<Value> =
        again.stdout().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let outcomes: Vec<_> = lines[..3].iter().map(|line| text(line, "outcome")).collect();
    assert_eq!(outcomes, ["existing", "in the way", "created"]);
    assert_eq!(lines[3], json!({ "created": 1, "existing": 1, "in_the_way": 1 }));
    for usage in [&["branch", "create", "guide"][..], &["branch", "create", "guide@x", "--stdin"]] {
        user.fails(2, usage);
    }
}

#[test]
fn a_reader_without_a_branch_is_told_that_this_is_the_upstream() {
    let user = with_readers();
    let main = head(&user, "guide");
    let note = "note: there is no guide@users/ada yet: this is main\n";
    for args in [
        &["cat", "guide@users/ada", "docs/a.md"][..],
        &["ls", "guide@users/ada"],
        &["log", "guide@users/ada"],
        &["show", "guide@users/ada"],
        &["find", "**", "guide@users/ada"],
        &["grep", "a", "guide@users/ada"],
        &["validate", "guide@users/ada"],
        &["diff", "guide@main", "guide@users/ada"],
        &["archive", "guide@users/ada", "-o", "ada.tar"],
        &["checkout", "guide@users/ada", "out"],
    ] {
        let ran = user.run(args);
        assert_eq!((ran.code(), ran.stderr().as_str()), (0, note), "{args:?}");
    }
    for args in [
        &["grep", "a", "guide@users/ada"][..],
        &["archive", "guide@users/ada", "-o", "ada.tar"],
        &["checkout", "guide@users/ada", "out"],
    ] {
        let answer = user.json(args);
        assert_eq!((&answer["source"], &answer["commit"]), (&json!("upstream"), &json!(main)));
    }
    for args in [
        &["ls", "guide@users/ada"][..],
        &["log", "guide@users/ada"],
        &["find", "**", "guide@users/ada"],
    ] {
        assert_eq!(user.json(args)[0]["source"], "upstream", "{args:?}");
    }
    for args in [&["show", "guide@users/ada"][..], &["validate", "guide@users/ada"]] {
        assert_eq!(user.json(args)["source"], "upstream", "{args:?}");
    }
    assert_eq!(user.json(["checkout", "guide", "own"])["source"], "own");
    assert_eq!(user.json(["branch", "list", "guide"]).as_array().unwrap().len(), 1);

    user.write("mine", "mine\n");
    let put = user.json(["put", "guide@users/ada", "docs/mine.md", "mine", "--create"]);
    assert_eq!((&put["forked"], &put["changed"]), (&json!(true), &json!(true)));
    let ran = user.run(["cat", "guide@users/ada", "docs/mine.md"]);
    assert_eq!((ran.stdout().as_str(), ran.stderr().as_str()), ("mine\n", ""));
    assert_eq!(head(&user, "guide"), main);
}

#[test]
fn a_branch_says_how_it_stands_in_the_words_of_the_server() {
    let user = with_readers();
    user.write("mine", "mine\n");
    user.ok(["put", "guide@users/ada", "docs/mine.md", "mine", "--create"]);
    let shown = user.json(["branch", "show", "guide@users/ada"]);
    assert_keys(
        &shown,
        &[
            "book",
            "ref",
            "commit",
            "upstream",
            "follow",
            "upstream_commit",
            "fork_point",
            "ahead",
            "behind",
            "changes",
            "truncated",
            "next",
            "files",
            "own_bytes",
            "shared_bytes",
        ],
    );
    assert_eq!((&shown["ahead"], &shown["behind"]), (&json!(1), &json!(0)));
    assert_eq!((&shown["truncated"], &shown["next"]), (&json!(false), &Value::Null));
    let diff = user.json(["diff", "--upstream", "guide@users/ada"]);
    assert_eq!(shown["changes"], diff);
    let said = user.ok(["branch", "show", "guide@users/ada"]);
    for line in ["follows   main (live), now at", "ahead     1 commit", "added    docs/mine.md"] {
        assert!(said.contains(line), "{said}");
    }
    assert!(user.fails(3, ["branch", "show", "guide"]).contains("has no upstream"));
}
