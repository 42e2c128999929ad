//! `cas audit`: what it tells, and of what.

use cas_tests::cli::{User, assert_keys, text};
use serde_json::Value;

use super::lines;

/// Two books; in `guide` a branch that was edited by bob and deleted by ada.
fn books() -> User {
    let user = User::new();
    let ran = |actor: &str, args: &[&str]| {
        let output = user.command(args).env("CAS_ACTOR", actor).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    for version in ["one", "two"] {
        user.write("book/ch1/a.md", version);
        ran("ada", &["import", "book", "guide", "-m", version]);
    }
    ran("ada", &["branch", "create", "guide@users/bob"]);
    ran("bob", &["rm", "guide@users/bob", "ch1/a.md", "-m", "not mine"]);
    ran("ada", &["branch", "delete", "guide@users/bob"]);
    ran("ada", &["import", "book", "other"]);
    user
}

fn places(found: &[Value]) -> Vec<String> {
    let place = |line: &Value| {
        format!(
            "{}@{}#{} {}",
            text(line, "book"),
            text(line, "ref"),
            line["seq"],
            text(line, "operation")
        )
    };
    found.iter().map(place).collect()
}

#[test]
fn tells_every_movement_of_every_ref_newest_first() {
    let user = books();
    let all = lines(&user, &["audit"]);
    assert_eq!(
        places(&all),
        [
            "other@main#1 import",
            "guide@users/bob#3 delete",
            "guide@users/bob#2 remove",
            "guide@users/bob#1 create",
            "guide@main#2 import",
            "guide@main#1 import",
        ]
    );
    let keys = [
        "actor",
        "book",
        "id",
        "message",
        "new",
        "operation",
        "previous",
        "ref",
        "request_id",
        "requests",
        "seq",
        "time",
    ];
    for line in &all {
        assert_keys(line, &keys);
    }
    assert_keys(&all[0]["requests"][0], &["actor", "commit", "operation", "request_id"]);
    assert!(all.is_sorted_by(|a, b| text(a, "time") >= text(b, "time")));
    assert_eq!((&all[1]["new"], &all[5]["previous"]), (&Value::Null, &Value::Null));
    for (new, old) in [(1, 2), (2, 3), (4, 5)] {
        assert_eq!(all[new]["previous"], all[old]["new"], "unbroken");
    }
    assert_eq!((text(&all[2], "actor"), text(&all[2], "message")), ("bob", "not mine"));
    let log = user.json(["reflog", "guide@users/bob"]);
    assert_eq!((&all[1]["id"], &all[2]["request_id"]), (&log[0]["id"], &log[1]["request_id"]));
    let said = user.ok(["audit", "guide", "-n", "2"]);
    let said: Vec<_> = said.lines().collect();
    assert!(
        said[0].contains("guide@users/bob#3  delete    ") && said[0].contains(" -> -  "),
        "{said:?}"
    );
    assert!(said[1].ends_with("  bob  not mine"), "{said:?}");
}

#[test]
fn tells_what_was_asked_for() {
    let user = books();
    let all = lines(&user, &["audit"]);
    let time = |nth: usize| text(&all[nth], "time").to_owned();
    for (args, found) in [
        (vec!["guide"], vec![1, 2, 3, 4, 5]),
        (vec!["guide@main"], vec![4, 5]),
        (vec!["guide@users/*"], vec![1, 2, 3]),
        (vec!["guide@**"], vec![1, 2, 3, 4, 5]),
        (vec!["--actor", "bob"], vec![2]),
        (vec!["--actor=ada", "guide@users/*"], vec![1, 3]),
        (vec!["--op", "import"], vec![0, 4, 5]),
        (vec!["--op", "import", "guide", "-n", "1"], vec![4]),
        (vec!["--since", &time(3)], vec![0, 1, 2, 3]),
        (vec!["--until", &time(3)], vec![3, 4, 5]),
        (vec!["--since", &time(3), "--until", &time(2)], vec![2, 3]),
        (vec!["--since", "1h"], vec![0, 1, 2, 3, 4, 5]),
        (vec!["--until", "2000-01-01"], vec![]),
        (vec!["-n", "0"], vec![]),
        (vec!["--path", "ch1/a.md"], vec![0, 2, 3, 4, 5]),
        (vec!["--path", "ch1/", "--actor", "bob"], vec![2]),
        (vec!["--path", "none.md"], vec![]),
    ] {
        let told = lines(&user, &[&["audit"], &args[..]].concat());
        let told: Vec<_> = told.iter().map(|line| &line["id"]).collect();
        assert_eq!(told, found.iter().map(|nth| &all[*nth]["id"]).collect::<Vec<_>>(), "{args:?}");
    }
}

#[test]
fn refuses_what_is_not_there_or_cannot_be_meant() {
    let user = books();
    for (code, args, said) in [
        (1, &["none"][..], "no book none"),
        (1, &["guide@none"], "no ref guide@none"),
        (2, &["guide@none/*"], "no ref matches guide@none/*"),
        (2, &["guide@[a"], "bad pattern"),
        (2, &["Guide"], "book name"),
        (2, &["--since", "soon"], "7d for how long ago"),
        (2, &["--op", "PUT"], "operation"),
        (2, &["--path", "../a"], "path"),
        (2, &["guide", "verify"], "behind that word"),
        (1, &["verify", "none"], "no book none"),
        (1, &["verify", "guide@none"], "no ref guide@none"),
        (2, &["verify", "guide@none/*"], "no ref matches"),
    ] {
        let found = user.fails(code, [&["audit"], args].concat());
        assert!(found.contains(said), "{args:?}: {found}");
    }
    // Wherever an option stands, and by either name.
    for args in [&["--json", "verify"][..], &["--verify"], &["--verify", "guide@main"]] {
        assert_eq!(user.json([&["audit"], args].concat())["ok"], true, "{args:?}");
    }
}
