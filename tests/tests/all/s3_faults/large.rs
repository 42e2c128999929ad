//! Large files: in parts, both ways.

use cas_tests::cli::snapshot;
use cas_tests::s3::Behaviour;

use super::{Cloud, noise, refused};

const MIB: usize = 1024 * 1024;

/// A user with a file of 20 MiB: three parts of at most 8 MiB.
fn with_large_file() -> Cloud {
    let cloud = Cloud::new();
    cloud.user.write("book/a.md", "a\n");
    cloud.user.write("book/video.bin", noise(20 * MIB));
    cloud
}

#[test]
fn a_large_file_goes_up_and_down_in_equal_parts() {
    let cloud = with_large_file();
    cloud.server.reset_counts();
    cloud.user.ok(["import", "book", "guide"]);
    // The server refuses parts that are not equal, as R2 does.
    assert_eq!(cloud.server.counts().multipart, 1 + 3 + 1, "begun, sent, completed");
    assert_eq!(cloud.server.uploads(), 0);
    cloud.server.reset_counts();
    cloud.assert_complete();
    let counts = cloud.server.counts();
    assert!(counts.bytes_out < 21 * MIB as u64, "each byte comes once: {counts:?}");
    // What is there already is not sent again.
    cloud.server.reset_counts();
    cloud.user.ok(["import", "book", "second"]);
    let counts = cloud.server.counts();
    assert!(counts.bytes_in < MIB as u64, "{counts:?}");
}

#[test]
fn lost_and_cut_answers_to_parts_and_completions_are_made_up_for() {
    let flaws: [fn(&mut Behaviour); 4] = [
        |behaviour| behaviour.lose_completions = 1,
        |behaviour| behaviour.lose_completions = 2,
        |behaviour| behaviour.lose_answers = 5,
        |behaviour| behaviour.throttled = 8,
    ];
    for flaw in flaws {
        let cloud = with_large_file();
        cloud.behave(flaw);
        cloud.user.ok(["import", "book", "guide"]);
        assert_eq!(cloud.server.uploads(), 0);
        cloud.heal();
        cloud.behave(|behaviour| behaviour.cut_bodies = 3);
        cloud.user.ok(["checkout", "guide", "site"]);
        cloud.heal();
        assert_eq!(snapshot(&cloud.user.path("site")), snapshot(&cloud.user.path("book")));
        cloud.assert_complete();
    }
}

#[test]
fn an_upload_that_fails_leaves_no_parts_behind() {
    let cloud = with_large_file();
    // The upload is begun by its first request; credentials that come back let it be aborted.
    let behave = |expire_after| cloud.behave(|behaviour| behaviour.expire_after = expire_after);
    let expire = || {
        super::wait_for(|| cloud.server.uploads() == 1);
        cloud.behave(|behaviour| behaviour.bytes_per_second = None);
        behave(Some(0));
    };
    cloud.behave(|behaviour| behaviour.bytes_per_second = Some(16 * MIB as u64));
    let ran = cloud.during(&["import", "book", "guide"], |counts| counts.multipart > 0, expire);
    refused(&ran, 1, &["ExpiredToken"]);
    behave(None);
    cloud.audit();
    // Without credentials nothing can be aborted either: it is left to the bucket's own rule for
    // unfinished uploads. The next import does not stumble over it.
    cloud.user.ok(["import", "book", "guide"]);
    cloud.assert_complete();
}
