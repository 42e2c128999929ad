//! Buckets that cannot be written, hold something else, or lose what they had.

use super::{Cloud, refused, write_book};

#[test]
fn a_bucket_that_may_only_be_read_is_told_and_stays_as_it_is() {
    let cloud = Cloud::without_store();
    cloud.behave(|behaviour| behaviour.refuse_writes = true);
    refused(&cloud.user.run(["init"]), 1, &["AccessDenied"]);
    assert!(cloud.server.snapshot().is_empty());

    let cloud = Cloud::with_guide(5);
    let before = cloud.server.snapshot();
    cloud.behave(|behaviour| behaviour.refuse_writes = true);
    write_book(&cloud.user, 5, "second");
    let ran = cloud.user.run(["import", "book", "guide"]);
    refused(&ran, 1, &["AccessDenied", "hint: the credentials may not do this"]);
    assert!(cloud.user.ok(["cat", "guide", "part0/lesson0.md"]).contains("first"));
    cloud.user.ok(["checkout", "guide", "site"]);
    assert_eq!(cloud.server.snapshot(), before);
}

#[test]
fn a_prefix_in_use_for_something_else_is_left_alone() {
    let cloud = Cloud::without_store();
    // What only begins like the prefix is no part of it.
    cloud.server.insert(&format!("{}-notes.txt", cloud.prefix), "mine");
    let key = cloud.key("notes.txt");
    cloud.server.insert(&key, "mine");
    let before = cloud.server.snapshot();
    refused(&cloud.user.run(["init"]), 1, &["is not empty and not a store", "another prefix"]);
    refused(&cloud.user.run(["books"]), 1, &["there is no store at", "hint: "]);
    assert_eq!(cloud.server.snapshot(), before);
    cloud.server.remove(&key);
    cloud.user.ok(["init"]);
}

#[test]
fn without_the_right_to_list_what_is_absent_is_a_clear_error() {
    let cloud = Cloud::without_store();
    cloud.behave(|behaviour| behaviour.hide_missing = true);
    for command in ["init", "books", "doctor"] {
        let ran = cloud.user.run([command]);
        refused(&ran, 1, &["AccessDenied", "without the right to list"]);
    }
    assert!(cloud.server.snapshot().is_empty());
}

#[test]
fn the_next_command_tells_that_the_bucket_was_emptied() {
    let cloud = Cloud::with_guide(5);
    cloud.server.clear();
    write_book(&cloud.user, 5, "second");
    for args in [&["import", "book", "guide"][..], &["ls", "guide"], &["checkout", "guide", "x"]] {
        refused(&cloud.user.run(args), 1, &["there is no store at", "hint: ", "init"]);
    }
    assert!(cloud.server.snapshot().is_empty());
}

/// Empties the bucket while an import runs, at many moments.
fn emptied_during(cloud: &Cloud, branch: &str, puts: u64) {
    let args = ["import", "book", branch, "--jobs", "2"];
    let ran = cloud.during(&args, |counts| counts.put >= puts, || cloud.server.clear());
    cloud.audit();
    if ran.code() == 0 {
        // Emptied when all was done.
        assert!(cloud.server.snapshot().is_empty(), "{}", ran.stdout());
    }
}

#[test]
fn an_import_into_a_bucket_emptied_meanwhile_names_nothing_that_is_absent() {
    for puts in [1, 5, 20, 38, 41, 42] {
        let cloud = Cloud::with_guide(40);
        write_book(&cloud.user, 40, "second");
        emptied_during(&cloud, "guide", puts);
    }
}

#[test]
fn a_new_branch_in_a_bucket_emptied_meanwhile_names_nothing_that_is_absent() {
    for puts in [1, 5, 20, 38, 41, 42] {
        let cloud = Cloud::new();
        write_book(&cloud.user, 40, "first");
        emptied_during(&cloud, "guide", puts);
    }
}
