//! Signed entries: what the chain alone cannot show.

use std::process::Stdio;

use cas_core::name::Actor;
use cas_core::object::Metadata;
use cas_core::refs::RefEntry;
use cas_core::sign::SigningKey;
use cas_tests::cli::{User, assert_keys};

use crate::cli_serve::Running;

use super::{faults, lines, make_key, read, rewrite, signed_book, slot};

fn eve(entry: RefEntry) -> RefEntry {
    RefEntry { actor: Actor::parse("eve").unwrap(), ..entry }
}

fn unsigned(mut entry: RefEntry) -> RefEntry {
    entry.metadata.remove("signature");
    entry
}

fn key_of(user: &User, name: &str) -> SigningKey {
    let text = std::fs::read_to_string(user.path(&format!("{name}.key"))).unwrap();
    SigningKey::parse(&text).unwrap()
}

#[test]
fn invariant_attributed_every_entry_is_signed_where_a_key_is_given() {
    let user = signed_book();
    let report = user.json(["audit", "verify", "--key", "books.pub"]);
    assert_keys(&report, &["entries", "faults", "ok", "refs", "signed"]);
    assert_eq!(report["ok"], true);
    assert_eq!(
        (&report["refs"], &report["entries"], &report["signed"]),
        (&2.into(), &4.into(), &4.into())
    );
    let said = user.ok(["audit", "verify", "guide@main", "--key", "books.pub"]);
    assert_eq!(said, "1 ref, 3 entries, 3 signed: all in order\n");
    // Also what is known of an upstream, and a deletion, and what is brought back.
    let signing = |args: &[&str]| user.ok([args, &["--signing-key", "books.key"]].concat());
    signing(&["branch", "follow", "guide@users/ada", "live"]);
    signing(&["rm", "guide@users/ada", "a.md"]);
    signing(&["branch", "delete", "guide@users/ada"]);
    signing(&["branch", "restore", "guide@users/ada"]);
    signing(&["merge", "guide", "--into", "guide@users/ada"]);
    signing(&["tag", "create", "guide@v1", "guide"]);
    let report = user.json(["audit", "verify", "guide", "--key", "books.pub"]);
    assert_eq!(report["entries"], report["signed"]);
    // A signed entry is any other entry to whoever does not ask.
    assert_eq!(user.json(["verify-log", "guide@main"])["ok"], true);
}

/// Why signatures are needed: a chain proves that it is a chain, and not whose.
#[test]
fn invariant_attributed_a_rewritten_chain_is_whole_and_its_signatures_are_not() {
    let user = signed_book();
    rewrite(&user, "main", 2, eve);
    assert_eq!(user.json(["verify-log", "guide@main"])["ok"], true);
    assert_eq!(user.json(["audit", "verify", "guide"])["ok"], true);
    let found = faults(&user, &["guide", "--key", "books.pub"]);
    assert_eq!(found.len(), 2, "{found:?}");
    for (fault, place) in found.iter().zip(["main#2: ", "main#3: "]) {
        assert!(fault.starts_with(place) && fault.contains("is forged"), "{fault}");
    }
    let ran = user.run(["audit", "verify", "guide", "--key", "books.pub"]);
    assert!(ran.stdout().contains("guide@main#2: its signature by books+"), "{}", ran.stdout());
    assert!(ran.stderr().starts_with("error: the logs have 2 faults"), "{}", ran.stderr());
}

#[test]
fn invariant_attributed_an_entry_signed_by_another_key_is_not_believed() {
    let user = signed_book();
    make_key(&user, "eve");
    let key = key_of(&user, "eve");
    rewrite(&user, "main", 3, |entry| eve(entry).signed(&key).unwrap());
    assert_eq!(user.json(["audit", "verify", "guide"])["ok"], true);
    let found = faults(&user, &["guide", "--key", "books.pub"]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("main#3: it is signed by eve+"), "{found:?}");
    // Whoever trusts both believes both.
    user.ok(["audit", "verify", "guide", "--key", "books.pub", "--key", "eve.pub"]);
    // A name is no key.
    let other = SigningKey::from_seed(key_of(&user, "books").verifier().name().clone(), [7; 32]);
    rewrite(&user, "main", 3, |entry| entry.signed(&other).unwrap());
    let found = faults(&user, &["guide", "--key", "books.pub", "--key", "eve.pub"]);
    assert!(found[0].starts_with("main#3: it is signed by books+"), "{found:?}");
}

#[test]
fn invariant_attributed_a_stripped_signature_is_missed() {
    let user = signed_book();
    // The newest, to which nothing is chained.
    rewrite(&user, "main", 3, unsigned);
    assert_eq!(user.json(["audit", "verify", "guide"])["ok"], true);
    assert_eq!(faults(&user, &["guide", "--key", "books.pub"]), ["main#3: it is not signed"]);
    // One in the middle without the ids behind it: the chain shows it.
    let (_, bytes) = unsigned(read(&user, "main", 2)).to_stored();
    std::fs::remove_file(slot(&user, "main", 2)).unwrap();
    std::fs::write(slot(&user, "main", 2), bytes).unwrap();
    assert_eq!(
        faults(&user, &["guide@main"]),
        ["main#3: the entry does not name the one before it"]
    );
    // All of them.
    rewrite(&user, "main", 1, unsigned);
    assert_eq!(user.json(["audit", "verify", "guide"])["ok"], true);
    assert_eq!(faults(&user, &["guide@main", "--key", "books.pub"]).len(), 3);
}

#[test]
fn a_signature_moved_to_another_entry_or_cut_is_no_signature() {
    let user = signed_book();
    let first = read(&user, "main", 1).metadata.get("signature").unwrap().to_owned();
    let with = |value: &str| {
        let value = value.to_owned();
        move |entry: RefEntry| {
            let mut metadata = Metadata::new();
            metadata.insert("signature", &value).unwrap();
            RefEntry { metadata, ..entry }
        }
    };
    rewrite(&user, "main", 3, with(&first));
    assert!(faults(&user, &["guide", "--key", "books.pub"])[0].contains("is forged"));
    rewrite(&user, "main", 3, with("books"));
    assert_eq!(faults(&user, &["guide"]), ["main#3: its signature is malformed"]);
}

#[test]
fn only_what_came_since_need_be_signed_if_that_is_all_that_is_asked() {
    let user = User::with_folder();
    make_key(&user, "books");
    user.write("book/a.md", "one");
    user.ok(["import", "book", "guide"]);
    std::fs::write(user.path("book/a.md"), "two").unwrap();
    user.ok(["import", "book", "guide", "--signing-key", "books.key"]);
    assert_eq!(faults(&user, &["guide", "--key", "books.pub"]), ["main#1: it is not signed"]);
    let times: Vec<_> = lines(&user, &["audit"])
        .iter()
        .map(|line| line["time"].as_str().unwrap().to_owned())
        .collect();
    let since = |time: &str| {
        ["audit", "verify", "guide", "--key", "books.pub", "--signed-from", time].map(str::to_owned)
    };
    user.ok(since(&times[0]));
    user.ok(since("2999-12-31"));
    assert_eq!(user.run(since(&times[1])).code(), 4);
    assert_eq!(user.run(since("1d")).code(), 4);
}

#[test]
fn a_server_signs_what_it_writes_and_a_client_of_it_cannot() {
    let user = User::with_folder();
    make_key(&user, "books");
    user.write("serve.toml", "listen = \"127.0.0.1:0\"\nsigning-key = \"books.key\"\n");
    let mut serve = user.command(["serve", "--config", "serve.toml"]);
    serve.stderr(Stdio::null());
    let running = Running::start(serve);
    let remote = |args: &[&str]| {
        let args = [&["--store", running.url()], args].concat();
        user.ran(user.command(args).output().unwrap())
    };
    user.write("book/a.md", "one");
    let said = remote(&["import", "book", "guide"]);
    assert_eq!(said.code(), 0, "{}", said.stderr());
    assert_eq!(remote(&["rm", "guide", "a.md"]).code(), 0);
    for verified in [
        user.run(["audit", "verify", "guide", "--key", "books.pub"]),
        remote(&["audit", "verify", "guide", "--key", "books.pub"]),
    ] {
        assert_eq!(verified.stdout(), "1 ref, 2 entries, 2 signed: all in order\n");
    }
    let said = remote(&["import", "book", "guide", "--signing-key", "books.key"]);
    assert_eq!(said.code(), 2);
    assert!(
        said.stderr().contains("signs what it writes with a key of its own"),
        "{}",
        said.stderr()
    );
    // A checkpoint is of whoever takes it, wherever the store is.
    make_key(&user, "auditor");
    let note = remote(&["audit", "checkpoint", "guide", "--signing-key", "auditor.key"]);
    user.write("checkpoint", note.stdout());
    let proof = ["audit", "verify", "guide", "--checkpoint", "checkpoint", "--key", "auditor.pub"];
    assert_eq!(remote(&proof).code(), 0);
    user.ok(proof);
}
