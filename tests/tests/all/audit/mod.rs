//! Who changed what, and whether the record of it is still what it was.

mod checkpoint;
mod group;
mod http;
mod keys;
mod list;
mod path;
mod signed;

use std::path::PathBuf;

use cas_core::name::{BookId, EntryId, RefName};
use cas_core::refs::RefEntry;
use cas_core::store::layout;
use cas_tests::cli::{User, text};
use serde_json::Value;

/// What a command that answers with a line of JSON for each thing said.
fn lines(user: &User, args: &[&str]) -> Vec<Value> {
    let said = user.ok([args, &["--json"]].concat());
    said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A signing key in the file `<name>.key`; the verifier key is in `<name>.pub`.
fn make_key(user: &User, name: &str) -> String {
    let verifier = user.ok(["audit", "keygen", name, "--out", &format!("{name}.key")]);
    user.write(&format!("{name}.pub"), &verifier);
    verifier.trim().to_owned()
}

/// A book of three versions on `main` and a branch, all signed with the key `books`.
fn signed_book() -> User {
    let user = User::with_folder();
    make_key(&user, "books");
    for version in ["one", "two", "three"] {
        user.write("book/a.md", version);
        user.ok(["import", "book", "guide", "-m", version, "--signing-key", "books.key"]);
    }
    user.ok(["branch", "create", "guide@users/ada", "--signing-key", "books.key"]);
    user
}

/// The file of an entry of the book `guide`.
fn slot(user: &User, name: &str, seq: u64) -> PathBuf {
    let (book, name) = (BookId::parse("guide").unwrap(), RefName::parse(name).unwrap());
    user.store().join(layout::slot(&book, &name, seq).as_ref())
}

fn read(user: &User, name: &str, seq: u64) -> RefEntry {
    RefEntry::from_stored(&std::fs::read(slot(user, name, seq)).unwrap()).unwrap().entry
}

/// What somebody does who can write to the store, and knows how entries are made: changes every
/// entry from a position on, and gives all of them the ids that they have then.
fn rewrite(user: &User, name: &str, from: u64, change: impl Fn(RefEntry) -> RefEntry) {
    let mut previous: Option<EntryId> =
        (from > 1).then(|| read(user, name, from - 1).to_stored().0);
    for seq in from.. {
        let file = slot(user, name, seq);
        if !file.exists() {
            return;
        }
        let (id, bytes) = change(RefEntry { previous, ..read(user, name, seq) }).to_stored();
        std::fs::remove_file(&file).unwrap();
        std::fs::write(&file, bytes).unwrap();
        previous = Some(id);
    }
}

/// The faults that a verification with exit code 4 tells, as `ref#seq: reason`.
fn faults(user: &User, args: &[&str]) -> Vec<String> {
    let ran = user.run([&["audit", "verify"], args, &["--json"]].concat());
    assert_eq!(ran.code(), 4, "{args:?}: {}{}", ran.stdout(), ran.stderr());
    let report: Value = serde_json::from_str(&ran.stdout()).unwrap();
    assert_eq!(report["ok"], false);
    let fault = |fault: &Value| {
        format!("{}#{}: {}", text(fault, "ref"), fault["seq"], text(fault, "reason"))
    };
    report["faults"].as_array().unwrap().iter().map(fault).collect()
}
