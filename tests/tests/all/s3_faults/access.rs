//! Servers that are not there, and credentials that do not fit.

use std::net::TcpListener;
use std::time::Duration;

use cas_tests::cli::User;
use tokio::time::Instant;

use super::{Cloud, refused, spawn};

/// Variables that would take the place of those that a test sets.
const OTHERS: [&str; 3] = ["AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"];

/// Runs a command with these variables in place of the user's own.
fn with(user: &User, variables: &[(&str, Option<&str>)], args: &[&str]) -> cas_tests::cli::Ran {
    let mut command = user.command(args);
    for name in OTHERS {
        command.env_remove(name);
    }
    for (name, value) in variables {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    user.ran(spawn(command).wait_with_output().unwrap())
}

#[test]
fn an_address_where_nobody_listens_is_told_within_seconds() {
    let cloud = Cloud::new();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let store = cloud.server.url_through(&format!("http://127.0.0.1:{port}"), "x");
    for args in [&["books"][..], &["init"], &["doctor"]] {
        let start = Instant::now();
        let ran = cloud.user.run([&["--store", store.as_str()], args].concat());
        assert!(start.elapsed() < Duration::from_secs(10), "{args:?}: {:?}", start.elapsed());
        refused(&ran, 1, &["error: ", "cannot be reached", "refused", "hint: ", "endpoint"]);
    }
}

#[test]
fn a_wrong_secret_is_told_with_where_to_look() {
    let cloud = Cloud::new();
    let wrong = [("AWS_SECRET_ACCESS_KEY", Some("not-the-secret"))];
    let ran = with(&cloud.user, &wrong, &["books"]);
    refused(&ran, 1, &["SignatureDoesNotMatch", "hint: the secret key is wrong", "config show"]);
    assert!(!ran.stderr().contains("not-the-secret"));
    let wrong = [("AWS_ACCESS_KEY_ID", Some("nobody"))];
    let ran = with(&cloud.user, &wrong, &["books"]);
    // Amazon and R2 say InvalidAccessKeyId; the test server says it in its own way.
    refused(&ran, 1, &["NotSignedUp"]);
}

#[test]
fn a_bucket_that_is_not_there_is_told() {
    let cloud = Cloud::new();
    let store = cloud.server.url("x").replacen("s3://books", "s3://nobodys", 1);
    for args in [&["books"][..], &["init"], &["doctor"], &["ls", "guide"]] {
        let ran = cloud.user.run([&["--store", store.as_str()], args].concat());
        refused(&ran, 1, &["NoSuchBucket", "hint: there is no bucket of this name"]);
    }
}

#[test]
fn missing_and_half_credentials_are_told_before_anything_is_asked() {
    let cloud = Cloud::new();
    cloud.server.reset_counts();
    let (id, secret) = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY");
    let ran = with(&cloud.user, &[(id, None), (secret, None)], &["books"]);
    refused(&ran, 1, &["there are no keys for the bucket books", id, "hint: `cas config show`"]);
    for missing in [id, secret] {
        let ran = with(&cloud.user, &[(missing, None)], &["books"]);
        refused(&ran, 1, &["go together, and only one is set", "hint: `cas config show`"]);
    }
    assert_eq!(cloud.server.counts().requests(), 0);
}

#[test]
fn credentials_that_expire_half_way_lose_nothing() {
    let cloud = Cloud::with_guide(40);
    super::write_book(&cloud.user, 40, "second");
    for requests in [0, 1, 2, 10, 30, 50] {
        cloud.behave(|behaviour| behaviour.expire_after = Some(requests));
        let ran = cloud.user.run(["import", "book", "guide"]);
        refused(&ran, 1, &["ExpiredToken", "hint: the credentials have expired"]);
        cloud.heal();
        cloud.audit();
    }
    assert_eq!(cloud.user.json(["import", "book", "guide"])["mode"], "updated");
    cloud.assert_complete();
}

#[test]
fn a_clock_that_is_wrong_is_told() {
    let cloud = Cloud::new();
    cloud.behave(|behaviour| behaviour.clock_skew = true);
    for command in ["books", "init", "doctor"] {
        let ran = cloud.user.run([command]);
        refused(&ran, 1, &["RequestTimeTooSkewed", "hint: this machine's clock"]);
    }
}

#[test]
fn no_setting_that_is_shown_is_a_secret() {
    let cloud = Cloud::new();
    let secrets = [
        ("AWS_ACCESS_KEY_ID", Some("AKIA0123456789ABCDEF")),
        ("AWS_SECRET_ACCESS_KEY", Some("hush-secret-key")),
        ("AWS_SESSION_TOKEN", Some("hush-session-token")),
        ("R2_SECRET_ACCESS_KEY", Some("hush-r2-secret")),
        ("R2_ACCESS_KEY_ID", Some("hush-r2-access-key")),
        ("AZURE_STORAGE_ACCOUNT_KEY", Some("hush-azure-key")),
    ];
    let r2 = ["--store", "r2://account/books", "config", "show"];
    for args in [&["config", "show"][..], &["config", "show", "--json"], &r2] {
        let ran = with(&cloud.user, &secrets, args);
        assert_eq!(ran.code(), 0, "{}", ran.stderr());
        let said = format!("{}{}", ran.stdout(), ran.stderr());
        assert!(!said.contains("hush"), "{said}");
        assert!(!said.contains("AKIA"), "only the end of a key is shown: {said}");
        assert!(said.contains("secret key"), "{said}");
    }
}

#[test]
fn locations_with_credentials_are_refused_without_repeating_them() {
    let cloud = Cloud::new();
    for store in [
        "s3://AKIA:hush@books/x",
        "s3://books/x?endpoint=http://me:hush@127.0.0.1:1",
        "r2://hush:hush@account/books",
    ] {
        for args in [&["books"][..], &["init"], &["config", "show"], &["doctor"]] {
            let said = cloud.user.fails(2, [&["--store", store], args].concat());
            assert!(said.contains("credentials") && !said.contains("hush"), "{said}");
        }
    }
    let variable = [("AWS_ENDPOINT_URL", Some("http://me:hush@127.0.0.1:1"))];
    let ran = with(&cloud.user, &variable, &["--store", "s3://books/x", "books"]);
    assert!(ran.stderr().contains("credentials") && !ran.stderr().contains("hush"));
}
