//! `cas token`

use std::sync::Arc;

use cas_tests::cli::{User, assert_keys, snapshot, text};
use cas_tests::place::Place;
use cas_tests::s3::Server;

const READ: [&str; 4] = ["token", "create", "--scope", "read"];

#[test]
fn prints_the_secret_once_and_keeps_only_its_hash() {
    let user = User::with_folder();
    let ran = user.run([&READ[..], &["--note", "for builds"]].concat());
    assert_eq!(ran.code(), 0, "{}", ran.stderr());
    let secret = ran.stdout().trim().to_owned();
    assert!(secret.starts_with("cas_") && secret.len() == 76, "{secret}");
    assert!(ran.stderr().contains("first token"), "{}", ran.stderr());
    let quiet = user.run([&READ[..], &["--quiet"]].concat());
    assert_eq!((quiet.stderr().as_str(), quiet.stdout().lines().count()), ("", 1));
    let listed = user.ok(["token", "list"]);
    assert!(!listed.contains(&secret[4..40]), "{listed}");
    for (name, _) in snapshot(&user.store()) {
        let bytes = std::fs::read(user.store().join(&name)).unwrap_or_default();
        let holds = bytes.windows(32).any(|part| part == &secret.as_bytes()[4..36]);
        assert!(!holds && !name.contains(&secret[4..36]), "{name}");
    }
}

#[test]
fn lists_and_revokes() {
    let user = User::with_folder();
    let created = user.json([
        "token",
        "create",
        "--scope",
        "write:guide:users/*",
        "--scope",
        "read",
        "--expires",
        "90d",
        "--note",
        "notebook",
        "--actor",
        "ada",
    ]);
    let listed_keys = [
        "actor",
        "created_at",
        "expires_at",
        "id",
        "note",
        "revoked_at",
        "revoked_by",
        "scopes",
        "status",
    ];
    assert_keys(&created, &[&listed_keys[..], &["token"]].concat());
    assert_eq!(created["scopes"][0], "read,write:guide:users/*:**");
    assert_eq!((text(&created, "actor"), text(&created, "note")), ("ada", "notebook"));
    let id = text(&created, "id").to_owned();
    let listed = user.json(["token", "list"]);
    assert_keys(&listed[0], &listed_keys);
    assert_eq!(listed[0]["status"], "good");
    for (revoked, said) in [(true, "revoked"), (false, "was revoked before")] {
        let line = user.ok(["token", "revoke", &id[..8]]);
        assert_eq!(line, format!("{id}  {said}\n"), "{revoked}");
    }
    let listed = user.json(["token", "list"]);
    assert_eq!(
        (&listed[0]["status"], &listed[0]["revoked_by"]),
        (&"revoked".into(), &"tester".into())
    );
    let line = user.ok(["token", "list"]);
    assert!(line.starts_with(&format!("{}  revoked   ada  until ", &id[..12])), "{line}");
}

#[test]
fn refuses_what_cannot_be_meant() {
    let user = User::with_folder();
    for (args, named) in [
        (&["token", "create"][..], "--scope"),
        (&["token", "create", "--scope", "look"], "read, write or admin"),
        (&["token", "create", "--scope", "read:Guide"], "book name"),
        (&["token", "create", "--scope", "read:a:b:c:d"], "VERBS:BOOK:REF:PATH"),
        (&["token", "create", "--scope", "read", "--expires", "soon"], "duration"),
        (&["token", "revoke", "abc"], "8 or more"),
        (&["token", "revoke"], "ID"),
    ] {
        let said = user.fails(2, args);
        assert!(said.contains(named), "{args:?}: {said}");
    }
    let said = user.fails(1, ["token", "revoke", "0123456789"]);
    assert!(said.contains("hint: `cas token list`"), "{said}");
    let mut nobody = user.command(READ);
    let ran = user.ran(nobody.env_remove("CAS_ACTOR").output().unwrap());
    assert_eq!((ran.code(), ran.stdout().as_str()), (2, ""));
    assert!(ran.stderr().contains("--actor"), "{}", ran.stderr());
    assert_eq!(user.json(["token", "list"]), serde_json::json!([]));
}

#[test]
fn a_damaged_record_is_named_and_hides_no_other() {
    let user = User::with_folder();
    let ids = [(); 2].map(|()| text(&user.json(READ), "id").to_owned());
    let file = user.store().join("tokens").join(&ids[0]);
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, "no token").unwrap();
    let ran = user.run(["token", "list"]);
    assert_eq!(ran.code(), 4, "{}", ran.stderr());
    assert!(ran.stderr().contains(&ids[0]), "{}", ran.stderr());
    assert!(ran.stdout().contains(&ids[1][..12]) && ran.stdout().contains("damaged"));
    // It can still be revoked, and the rest of the store is none the worse.
    user.ok(["token", "revoke", &ids[0]]);
    user.ok(["books"]);
}

#[test]
fn works_in_a_bucket() {
    let user = User::at(Place::on(&Arc::new(Server::start())));
    let created = user.json(READ);
    let id = text(&created, "id");
    assert_eq!(user.json(["token", "list"])[0]["id"], id);
    user.ok(["token", "revoke", id]);
    assert_eq!(user.json(["token", "list"])[0]["status"], "revoked");
}

#[test]
fn a_store_behind_a_server_says_where_tokens_are_made() {
    let user = User::with_folder();
    for args in [&["token", "list"][..], &["serve"]] {
        let mut command = user.command(args);
        let ran = user.ran(command.args(["--store", "http://127.0.0.1:9"]).output().unwrap());
        assert_eq!(ran.code(), 2, "{}", ran.stderr());
        assert!(ran.stderr().contains("kept by a server"), "{}", ran.stderr());
    }
}
