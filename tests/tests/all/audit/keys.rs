//! Keys as users make and give them.

use std::os::unix::fs::PermissionsExt;

use cas_tests::cli::{User, assert_keys, text};

use super::make_key;

#[test]
fn a_key_is_its_owners_and_is_never_overwritten() {
    let user = User::with_folder();
    let view = user.json(["audit", "keygen", "books.example.org", "--out", "key"]);
    assert_keys(&view, &["file", "name", "verifier_key"]);
    assert!(text(&view, "verifier_key").starts_with("books.example.org+"));
    let file = user.path("key");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let secret = std::fs::read_to_string(&file).unwrap();
    assert!(secret.starts_with("PRIVATE+KEY+books.example.org+") && secret.ends_with('\n'));
    let said = user.fails(3, ["audit", "keygen", "other", "--out", "key"]);
    assert!(said.contains("never overwritten"), "{said}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), secret);
    for bad in ["two words", "a+b", ""] {
        assert!(user.fails(2, ["audit", "keygen", bad, "--out", "new"]).contains("key name"));
    }
    user.fails(1, ["audit", "keygen", "x", "--out", "no/folder/key"]);
}

#[test]
fn a_key_comes_from_a_file_or_the_variable_and_is_never_shown() {
    let user = User::with_folder();
    let verifier = make_key(&user, "books");
    let secret = std::fs::read_to_string(user.path("books.key")).unwrap();
    user.write("book/a.md", "one");
    let with = |value: &str, args: &[&str]| {
        let ran = user.ran(user.command(args).env("CAS_SIGNING_KEY", value).output().unwrap());
        let said = format!("{}{}", ran.stdout(), ran.stderr());
        assert!(!said.contains(secret.trim()), "{said}");
        (ran.code(), said)
    };
    assert_eq!(with("books.key", &["import", "book", "guide"]).0, 0);
    user.write("book/a.md", "two");
    assert_eq!(with(&secret, &["import", "book", "guide"]).0, 0);
    user.ok(["audit", "verify", "guide", "--key", &verifier]);
    let (_, said) = with(&secret, &["config", "show"]);
    assert!(said.contains(&verifier) && said.contains("CAS_SIGNING_KEY"), "{said}");
    let (code, said) = with("", &["audit", "--signing-key", secret.trim()]);
    assert!(code == 2 && said.contains("name a file"), "{code} {said}");
    for bad in ["books.pub", "none.key", "PRIVATE+KEY+books+00000000+AAAA"] {
        let (code, said) = with(bad, &["import", "book", "guide"]);
        assert!([1, 2].contains(&code) && said.starts_with("error: "), "{bad}: {code} {said}");
    }
}

#[test]
fn verifier_keys_are_given_themselves_or_in_files() {
    let user = User::with_folder();
    let (books, other) = (make_key(&user, "books"), make_key(&user, "other"));
    user.write("book/a.md", "one");
    user.ok(["import", "book", "guide", "--signing-key", "books.key"]);
    user.write("keys", format!("# Who may sign\n\n{other}\n  {books}\n"));
    for key in [books.as_str(), "books.pub", "keys"] {
        user.ok(["audit", "verify", "--key", key]);
    }
    let cut = &books[..books.len() - 4];
    user.write("empty", "# nobody\n");
    for (key, code) in [(cut, 2), ("empty", 2), ("none", 1), ("books.key", 2)] {
        let said = user.fails(code, ["audit", "verify", "--key", key]);
        assert!(!said.contains("PRIVATE"), "{said}");
    }
}
