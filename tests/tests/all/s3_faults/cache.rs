//! Objects kept on the local disk.

use std::path::{Path, PathBuf};

use cas_tests::cli::snapshot;

use super::{Cloud, noise, spawn};

/// Reads that are of no object: the marker and the newest entry of the ref.
const OTHER_READS: u64 = 2;

/// Every object in a cache.
fn kept(cache: &Path) -> Vec<PathBuf> {
    let files = snapshot(cache).into_iter().filter(|(name, what)| {
        what.starts_with("file")
            && ["blobs/", "trees/", "commits/"].iter().any(|kind| name.starts_with(kind))
    });
    files.map(|(name, _)| cache.join(name)).collect()
}

#[test]
fn a_second_checkout_reads_no_object_from_the_bucket() {
    let cloud = Cloud::with_guide(40);
    let cache = cloud.user.path("cache");
    let checkout = |out: &str| {
        cloud.server.reset_counts();
        cloud.user.ok(["checkout", "guide", out, "--cache", "cache"]);
        assert_eq!(snapshot(&cloud.user.path(out)), snapshot(&cloud.user.path("book")));
        cloud.server.counts().get
    };
    assert!(checkout("first") >= 40);
    assert_eq!(checkout("second"), OTHER_READS);
    // 40 files, 7 folders and the root, and a commit.
    let kept = kept(&cache);
    assert_eq!(kept.len(), 40 + 8 + 1);
    // What somebody damaged is noticed and read again, once.
    for damage in [&b"something else"[..], b""] {
        std::fs::write(&kept[0], damage).unwrap();
        std::fs::write(&kept[20], damage).unwrap();
        assert_eq!(checkout(&format!("damaged-{}", damage.len())), OTHER_READS + 2);
        assert_eq!(checkout(&format!("again-{}", damage.len())), OTHER_READS);
    }
}

#[test]
fn a_cache_keeps_its_bound() {
    let cloud = Cloud::new();
    for n in 0..40 {
        let mut content = noise(100_000);
        content[0] = n;
        cloud.user.write(&format!("book/{n}.bin"), content);
    }
    cloud.user.ok(["import", "book", "guide"]);
    for out in ["first", "second"] {
        cloud.user.ok(["checkout", "guide", out, "--cache", "cache", "--cache-size", "1 MB"]);
        let sizes = kept(&cloud.user.path("cache")).into_iter();
        let total: u64 = sizes.map(|path| path.metadata().unwrap().len()).sum();
        assert!((300_000..=1_000_000).contains(&total), "{total} bytes are kept");
        assert_eq!(snapshot(&cloud.user.path(out)), snapshot(&cloud.user.path("book")));
    }
}

#[test]
fn several_processes_share_a_cache() {
    let cloud = Cloud::with_guide(60);
    for round in 0..3 {
        let outs: Vec<_> = (0..4).map(|nth| format!("out-{round}-{nth}")).collect();
        let children: Vec<_> = outs
            .iter()
            .map(|out| {
                // So small that all of them remove what others use.
                let bound = if round == 1 { "10 kB" } else { "1 GB" };
                let args = ["checkout", "guide", out, "--cache", "cache", "--cache-size", bound];
                spawn(cloud.user.command(args))
            })
            .collect();
        for child in children {
            let ran = cloud.user.ran(child.wait_with_output().unwrap());
            assert_eq!(ran.code(), 0, "{}", ran.stderr());
        }
        for out in outs {
            assert_eq!(snapshot(&cloud.user.path(&out)), snapshot(&cloud.user.path("book")));
        }
    }
}
