//! Lists in pages of any length, with keys that come twice; errors in place of lists.

use cas_tests::cli::{Ran, snapshot};

use super::{Cloud, write_book};

/// What a user sees of a store with two books and some branches.
fn seen(cloud: &Cloud) -> Vec<String> {
    let user = &cloud.user;
    [
        &["books"][..],
        &["branch", "list", "guide", "-l"],
        &["tag", "list", "guide"],
        &["reflog", "guide@main"],
        &["log", "guide"],
        &["ls", "guide", "--recursive"],
        &["stats"],
        &["fsck"],
        &["audit", "guide"],
    ]
    .into_iter()
    .map(|args| user.ok(args))
    .collect()
}

fn with_branches() -> Cloud {
    let cloud = Cloud::with_guide(6);
    for n in 0..4 {
        cloud.user.ok(["branch", "create", &format!("guide@users/{n}")]);
    }
    cloud.user.ok(["tag", "create", "guide@v1", "guide"]);
    write_book(&cloud.user, 6, "second");
    cloud.user.ok(["import", "book", "guide"]);
    cloud.user.ok(["import", "book", "other"]);
    cloud
}

#[test]
fn lists_that_end_at_any_key_and_tell_keys_twice_say_the_same() {
    let cloud = with_branches();
    let expected = seen(&cloud);
    for items in 1..=9 {
        for twice in [false, true] {
            cloud.behave(|behaviour| {
                (behaviour.items_per_page, behaviour.repeated_items) = (Some(items), twice);
            });
            assert_eq!(seen(&cloud), expected, "{items} a page, the last again: {twice}");
        }
    }
    // What nothing needs is deleted, once, and nothing else.
    cloud.user.ok(["branch", "forget", "guide@users/1"]);
    cloud.user.ok(["reset", "guide@main", "guide@main~1"]);
    cloud.behave(|behaviour| behaviour.repeated_items = true);
    cloud.user.ok(["gc", "--alone", "--grace", "0s", "--keep-log", "1"]);
    cloud.heal();
    cloud.user.ok(["fsck"]);
    for branch in ["guide@main", "guide@users/0", "guide@tags/v1", "other"] {
        cloud.user.ok(["checkout", branch, &branch.replace(['@', '/'], "-")]);
    }
}

#[test]
fn an_error_in_place_of_an_answer_is_told_or_without_effect() {
    let cloud = with_branches();
    let before = cloud.server.snapshot();
    let expected = seen(&cloud);
    let commands: [&[&str]; 5] = [
        &["checkout", "guide", "out"],
        &["import", "book", "guide"],
        &["gc", "--alone", "--grace", "0s", "--keep-log", "all"],
        &["fsck"],
        &["branch", "list", "guide"],
    ];
    for args in commands {
        let mut failed = 0;
        for n in 0.. {
            cloud.behave(|behaviour| behaviour.error_after = Some(n));
            let ran: Ran = cloud.user.run(args);
            let left = cloud.server.behaviour().error_after;
            cloud.heal();
            failed += u32::from(ran.code() != 0);
            assert!(ran.code() == 0 || ran.stderr().starts_with("error: "), "{}", ran.stderr());
            let now = cloud.server.snapshot();
            for (key, bytes) in &before {
                assert_eq!(now.get(key), Some(bytes), "{args:?}, answer {n}: {key}");
            }
            if left.is_some() {
                break;
            }
        }
        assert!(failed > 0, "{args:?} takes every error for an answer");
    }
    assert_eq!(seen(&cloud), expected);
    cloud.user.ok(["checkout", "guide", "out"]);
    assert_eq!(snapshot(&cloud.user.path("out")), snapshot(&cloud.user.path("book")));
}

#[test]
fn an_old_answer_to_which_entry_is_newest_loses_no_update() {
    let cloud = Cloud::with_guide(4);
    for nth in 1..4 {
        write_book(&cloud.user, 4, &format!("version {nth}"));
        // What was written within the last two seconds is not listed.
        cloud.behave(|behaviour| behaviour.late_lists = true);
        let ran = cloud.user.run(["import", "book", "guide"]);
        let told = ran.stderr().contains("guide@main moved meanwhile");
        assert!(ran.code() == 3 && told, "{}", ran.stderr());
        cloud.heal();
        assert_eq!(cloud.user.json(["import", "book", "guide"])["mode"], "updated");
        let log = cloud.user.json(["log", "guide"]);
        assert_eq!(log.as_array().map(Vec::len), Some(nth + 1), "each upon the one before");
    }
    cloud.assert_complete();
}
