//! Checkpoints: what logs were, kept elsewhere.

use cas_core::name::Actor;
use cas_core::refs::RefEntry;
use cas_tests::cli::{User, assert_keys, text};

use super::{faults, make_key, rewrite, slot};

/// A book whose entries are not signed, and a checkpoint of it.
fn checked() -> User {
    let user = User::with_folder();
    make_key(&user, "auditor");
    for version in ["one", "two", "three"] {
        user.write("book/a.md", version);
        user.ok(["import", "book", "guide", "-m", version]);
    }
    user.ok(["branch", "create", "guide@users/ada"]);
    user.ok(["tag", "create", "guide@v1", "guide"]);
    let note = user.ok(["audit", "checkpoint", "guide", "--signing-key", "auditor.key"]);
    user.write("checkpoint", note);
    user
}

const PROVE: [&str; 5] = ["guide", "--checkpoint", "checkpoint", "--key", "auditor.pub"];

fn proven(user: &User) -> serde_json::Value {
    user.json([&["audit", "verify"], &PROVE[..]].concat())
}

#[test]
fn invariant_attributed_a_checkpoint_holds_after_more_was_written() {
    let user = checked();
    let report = proven(&user);
    assert_keys(&report, &["checkpoint_by", "entries", "faults", "ok", "refs", "signed"]);
    assert!(text(&report, "checkpoint_by").starts_with("auditor+"));
    user.write("book/a.md", "four");
    user.ok(["import", "book", "guide"]);
    user.ok(["rm", "guide@users/ada", "a.md"]);
    user.ok(["branch", "delete", "guide@users/ada"]);
    user.ok(["branch", "create", "guide@users/bob"]);
    let report = proven(&user);
    assert_eq!((&report["refs"], &report["entries"]), (&4.into(), &9.into()));
    let said = user.ok([&["audit", "verify"], &PROVE[..]].concat());
    assert!(
        said.contains("4 refs, 9 entries, 0 signed: all in order\nevery log still holds"),
        "{said}"
    );
    // What came since is not signed.
    let since = faults(&user, &[&PROVE[..], &["--signed-from", "checkpoint"]].concat());
    assert_eq!(since.len(), 4, "{since:?}");
    assert!(since.iter().all(|fault| fault.ends_with("it is not signed")), "{since:?}");
}

#[test]
fn invariant_attributed_a_checkpoint_does_not_hold_after_a_log_was_rewritten() {
    let user = checked();
    let eve = |entry| RefEntry { actor: Actor::parse("eve").unwrap(), ..entry };
    rewrite(&user, "main", 2, eve);
    assert_eq!(user.json(["audit", "verify", "guide"])["ok"], true, "it is a chain");
    let found = faults(&user, &PROVE);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("main#3: the checkpoint has entry "), "{found:?}");
    // More on top of it hides nothing, and what else is not as it was is named too.
    user.write("book/a.md", "four");
    user.ok(["import", "book", "guide"]);
    std::fs::remove_dir_all(slot(&user, "tags/v1", 1).parent().unwrap()).unwrap();
    let found = faults(&user, &PROVE);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[1].starts_with("tags/v1#1: ") && found[1].contains("the log was cut"),
        "{found:?}"
    );
    let ada = ["guide@users/*", "--checkpoint", "checkpoint", "--key", "auditor.pub"];
    user.ok([&["audit", "verify"], &ada[..]].concat());
}

#[test]
fn invariant_attributed_a_log_that_was_cut_or_is_gone_is_named() {
    let user = checked();
    std::fs::remove_file(slot(&user, "main", 3)).unwrap();
    assert_eq!(user.json(["audit", "verify", "guide"])["ok"], true, "a shorter chain is a chain");
    let found = faults(&user, &PROVE);
    assert!(found[0].starts_with("main#3: ") && found[0].contains("the log was cut"), "{found:?}");
    std::fs::remove_dir_all(user.store().join("refs/guide")).unwrap();
    assert_eq!(faults(&user, &PROVE).len(), 3);
}

#[test]
fn a_checkpoint_is_believed_only_as_it_was_signed() {
    let user = checked();
    make_key(&user, "eve");
    let note = std::fs::read_to_string(user.path("checkpoint")).unwrap();
    let verify = |file: &str, key: &str| {
        let args = ["audit", "verify", "guide", "--checkpoint", file, "--key", key];
        args.map(str::to_owned)
    };
    let said = user.fails(4, verify("checkpoint", "eve.pub"));
    assert!(said.contains("none of the keys given signed") && said.contains("hint: "), "{said}");
    user.write("changed", note.replacen("main 3", "main 2", 1));
    let said = user.fails(4, verify("changed", "auditor.pub"));
    assert!(said.contains("the note was changed"), "{said}");
    user.write("none", "cas/guide\n");
    assert!(user.fails(1, verify("none", "auditor.pub")).contains("no signed note"));
    user.ok(["import", "book", "other"]);
    let other = ["audit", "verify", "other", "--checkpoint", "checkpoint", "--key", "auditor.pub"];
    assert!(user.fails(2, other).contains("is a checkpoint of guide, not other"));
    for args in [
        &["audit", "checkpoint", "guide"][..],
        &["audit", "verify", "guide", "--checkpoint", "checkpoint"],
        &["audit", "verify", "--checkpoint", "checkpoint", "--key", "auditor.pub"],
        &["audit", "verify", "guide", "--key", "auditor.pub", "--signed-from", "checkpoint"],
    ] {
        user.fails(2, args);
    }
    let none = ["audit", "checkpoint", "none", "--signing-key", "auditor.key"];
    assert!(user.fails(1, none).contains("no book none"));
}

#[test]
fn a_checkpoint_answers_in_json() {
    let user = checked();
    let view = user.json(["audit", "checkpoint", "guide", "--signing-key", "auditor.key"]);
    assert_keys(&view, &["book", "entries", "note", "refs", "root", "signer"]);
    assert_keys(&view["refs"][0], &["id", "ref", "seq"]);
    assert_eq!(
        view["note"].as_str().unwrap(),
        std::fs::read_to_string(user.path("checkpoint")).unwrap()
    );
    let lines: String = view["refs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|at| format!("{} {} {}\n", text(at, "ref"), at["seq"], text(at, "id")))
        .collect();
    assert!(text(&view, "note").contains(&lines), "{view}");
}
