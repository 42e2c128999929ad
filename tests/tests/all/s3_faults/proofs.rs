//! Servers that a store must not be put on, and what becomes of one that is there already.

use cas_core::env::Timestamp;
use cas_core::store::{Marker, Writers};
use cas_tests::s3::Behaviour;

use super::{Cloud, refused};

type Flaw = (&'static str, fn(&mut Behaviour));

/// In which ways a server can be unfit, and a word of what doctor says of it.
const FLAWS: [Flaw; 4] = [
    ("overwrite", |behaviour| behaviour.ignore_conditions = true),
    ("racing", |behaviour| behaviour.racy_conditions = true),
    ("list", |behaviour| behaviour.late_lists = true),
    ("list", |behaviour| behaviour.reversed_lists = true),
];

#[test]
fn a_server_that_could_lose_updates_is_refused_and_nothing_is_left_on_it() {
    for (word, flaw) in FLAWS {
        let cloud = Cloud::without_store();
        cloud.behave(flaw);
        let ran = cloud.user.run(["doctor"]);
        assert_eq!(ran.code(), 1, "{}", ran.stderr());
        assert!(ran.stdout().contains("FAILED") && ran.stdout().contains("must not hold a store"));
        assert!(ran.stderr().contains("cannot hold a store") && ran.stderr().contains(word));
        let ran = cloud.user.run(["init"]);
        refused(&ran, 1, &["cannot hold a store", word, "hint: use another bucket"]);
        assert!(cloud.server.snapshot().is_empty(), "{word}: {:?}", cloud.server.snapshot().keys());
        assert_eq!(cloud.server.uploads(), 0);
        // A good server at the same prefix is fine.
        cloud.heal();
        cloud.user.ok(["init"]);
    }
}

#[test]
fn a_store_for_one_writer_says_so_at_every_command() {
    for (word, flaw) in FLAWS {
        let cloud = Cloud::without_store();
        cloud.behave(flaw);
        let ran = cloud.user.run(["init", "--single-writer"]);
        assert_eq!(ran.code(), 0, "{word}: {}", ran.stderr());
        assert!(ran.stderr().contains("one writer at a time"), "{}", ran.stderr());
        let marker = &cloud.server.snapshot()[&cloud.key("cas-format")];
        assert_eq!(Marker::decode(marker).unwrap().writers, Writers::One);
        cloud.user.write("book/a.md", "a\n");
        for args in [&["import", "book", "guide"][..], &["books"], &["books", "--json"]] {
            let ran = cloud.user.run(args);
            // Lists that lag behind make a new ref look absent.
            assert!(ran.stderr().contains("one writer at a time"), "{args:?}: {}", ran.stderr());
        }
        // Proved again, it stays what somebody promised, until it is good.
        assert_eq!(cloud.user.run(["doctor"]).code(), 1, "{word}");
        let marker = &cloud.server.snapshot()[&cloud.key("cas-format")];
        assert_eq!(Marker::decode(marker).unwrap().writers, Writers::One);
        cloud.heal();
        cloud.user.ok(["doctor"]);
        let ran = cloud.user.run(["books"]);
        assert_eq!((ran.code(), ran.stderr().as_str()), (0, ""), "{word}");
    }
}

/// A store made before anybody asked its server: the first version of the marker.
fn made_before(cloud: &Cloud) {
    let marker = Marker { created_at: Timestamp::from_micros(1), writers: Writers::Any };
    cloud.server.insert(&cloud.key("cas-format"), marker.encode());
}

#[test]
fn doctor_closes_a_store_on_a_bad_server_and_opens_it_on_a_good_one() {
    for (word, flaw) in FLAWS {
        let cloud = Cloud::without_store();
        made_before(&cloud);
        cloud.user.write("book/a.md", "a\n");
        cloud.user.ok(["import", "book", "guide"]);
        cloud.behave(flaw);
        assert_eq!(cloud.user.run(["doctor"]).code(), 1, "{word}");
        let before = cloud.server.snapshot();
        let marker = Marker::decode(&before[&cloud.key("cas-format")]).unwrap();
        let created_at = Timestamp::from_micros(1);
        assert_eq!(marker, Marker { created_at, writers: Writers::Nobody }, "{word}");

        if word == "list" {
            // It stays closed until it is proved again; lists that are wrong hide what is there.
            cloud.heal();
        }
        cloud.user.write("book/a.md", "b\n");
        cloud.user.write("c.md", "c\n");
        for args in [
            &["import", "book", "guide"][..],
            &["put", "guide", "c.md", "c.md", "--create"],
            &["rm", "guide", "a.md"],
            &["branch", "create", "guide@draft"],
            &["tag", "create", "guide@v1", "guide"],
        ] {
            let ran = cloud.user.run(args);
            refused(&ran, 1, &["closed for writing", "hint: `cas doctor`", "--single-writer"]);
        }
        // Reading works.
        let ran = cloud.user.run(["cat", "guide", "a.md"]);
        assert_eq!((ran.code(), ran.stdout().as_str()), (0, "a\n"), "{word}");
        assert!(ran.stderr().contains("closed for writing"), "{}", ran.stderr());
        cloud.user.ok(["checkout", "guide", "site"]);
        assert!(cloud.server.snapshot() == before, "{word}: something was written");

        cloud.heal();
        cloud.user.ok(["doctor"]);
        assert_eq!(cloud.user.json(["import", "book", "guide"])["mode"], "updated");
        cloud.assert_complete();
    }
}

#[test]
fn doctor_can_open_a_closed_store_for_one_writer() {
    let cloud = Cloud::without_store();
    made_before(&cloud);
    cloud.behave(|behaviour| behaviour.ignore_conditions = true);
    assert_eq!(cloud.user.run(["doctor"]).code(), 1);
    cloud.user.write("book/a.md", "a\n");
    refused(&cloud.user.run(["import", "book", "guide"]), 1, &["closed for writing"]);
    cloud.user.ok(["doctor", "--single-writer"]);
    cloud.user.ok(["import", "book", "guide"]);
    cloud.assert_complete();
}

#[test]
fn doctor_leaves_a_good_store_as_it_found_it() {
    let cloud = Cloud::with_guide(3);
    let before = cloud.server.snapshot();
    let report = cloud.user.json(["doctor"]);
    assert_eq!((&report["ok"], &report["writers"]), (&true.into(), &"any".into()), "{report}");
    assert_eq!(cloud.server.snapshot(), before);
    assert_eq!(cloud.server.uploads(), 0);
}

#[test]
fn a_connection_that_breaks_is_no_finding_against_a_bucket() {
    let cloud = Cloud::with_guide(3);
    cloud.behave(|behaviour| behaviour.lose_answers = 12);
    let report = cloud.user.json(["doctor"]);
    assert_eq!((&report["ok"], &report["writers"]), (&true.into(), &"any".into()), "{report}");
    // A server that is gone for good is no bad server either: the store is not closed for it.
    cloud.behave(|behaviour| behaviour.expire_after = Some(12));
    let ran = cloud.user.run(["doctor"]);
    assert_ne!(ran.code(), 0, "{}", ran.stdout());
    cloud.heal();
    cloud.user.write("after.md", "still open\n");
    cloud.user.ok(["put", "guide", "after.md", "after.md", "--create"]);
}
