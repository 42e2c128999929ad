//! Large files and full disks.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use bytes::Bytes;
use cas_core::store::{Bucket, LocalStore, Session, Store, Writers, create};
use cas_tests::cli::User;
use cas_tests::env::test_env;
use cas_tests::place::Place;

/// How large the large file is, in bytes. `CAS_TEST_BIG_BYTES` makes it larger.
fn big_bytes() -> u64 {
    let given = std::env::var("CAS_TEST_BIG_BYTES").ok().and_then(|text| text.parse().ok());
    given.unwrap_or(200 * 1024 * 1024)
}

/// The most memory that a command may take, in KiB.
const MEMORY_KIB: u64 = 150 * 1024;

/// Writes a file in which no mebibyte is like another.
fn write_big(path: &Path, size: u64) {
    let mut file = File::create(path).unwrap();
    let mut piece = vec![0_u8; 1024 * 1024];
    for nth in 0..size.div_ceil(piece.len() as u64) {
        let mut output = blake3::Hasher::new().update(&nth.to_le_bytes()).finalize_xof();
        output.fill(&mut piece);
        file.write_all(&piece).unwrap();
    }
    file.set_len(size).unwrap();
}

/// Runs a command and returns the most memory that it took, in KiB.
fn peak_kib(user: &User, args: &[&str]) -> u64 {
    let mut child = user.command(args).stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    // The peak is kept by the system until the process is waited for.
    loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let now = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
        peak = peak.max(now.unwrap_or(0));
        match child.try_wait().unwrap() {
            None => std::thread::yield_now(),
            Some(ended) => {
                assert!(ended.success(), "{args:?}");
                return peak;
            }
        }
    }
}

#[test]
fn large_files_take_little_memory() {
    if !cfg!(target_os = "linux") {
        cas_tests::skip_loudly(
            "the memory of a process is read from /proc, which is only on Linux",
        );
        return;
    }
    let user = User::with_folder();
    std::fs::create_dir(user.path("book")).unwrap();
    let size = big_bytes();
    let big = user.path("book/video.bin");
    write_big(&big, size);
    for args in [&["import", "book", "guide"][..], &["checkout", "guide", "out"]] {
        let peak = peak_kib(&user, args);
        eprintln!("{} of {size} bytes: at most {} MiB of memory", args[0], peak / 1024);
        assert!(peak > 0 && peak < MEMORY_KIB, "{args:?} took {peak} KiB");
    }
    let mut hasher = blake3::Hasher::new();
    std::io::copy(&mut File::open(user.path("out/video.bin")).unwrap(), &mut hasher).unwrap();
    let id = user.json(["ls", "guide"])[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(hasher.finalize().to_hex().as_str(), id);
    assert_eq!(std::fs::metadata(user.path("out/video.bin")).unwrap().len(), size);
}

/// A small file system of its own, while it lives; `None` if this user may not make one.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(path: &'a Path, size: &str) -> Option<Self> {
        std::fs::create_dir_all(path).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(path);
        works(&mut mount).then_some(Self(path))
    }

    /// One that is said to have more room than the file in which it is can be given.
    fn mount_in(file: &Path, path: &'a Path, bytes: u64) -> Option<Self> {
        std::fs::create_dir_all(path).unwrap();
        File::create(file).unwrap().set_len(bytes).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-o", "loop"]).arg(file).arg(path);
        let made = works(Command::new("mkfs.ext2").args(["-q", "-F"]).arg(file));
        (made && works(&mut mount)).then_some(Self(path))
    }
}

/// Whether a command could be run and succeeded.
fn works(command: &mut Command) -> bool {
    command.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

#[test]
fn a_full_disk_is_named_and_changes_nothing() {
    let user = User::without_store_at(Place::Folder);
    let disk = user.path("store");
    let Some(_disk) = SmallDisk::mount(&disk, "4m") else {
        cas_tests::skip_loudly(
            "a full disk needs a small file system, and this user may not mount one",
        );
        return;
    };
    user.ok(["init"]);
    user.write("book/a.md", "fits\n");
    user.ok(["import", "book", "guide"]);
    let before = user.ok(["reflog", "guide@main"]);
    for n in 0..8 {
        user.write(&format!("book/large{n}.bin"), vec![n; 1024 * 1024]);
    }
    let ran = user.run(["import", "book", "guide"]);
    assert_eq!(ran.code(), 1, "{}", ran.stderr());
    assert!(
        ran.stderr().contains("No space left") && ran.stderr().contains("hint: the disk is full"),
        "{}",
        ran.stderr()
    );
    assert_eq!(user.ok(["reflog", "guide@main"]), before, "nothing moved");
    assert_eq!(user.ok(["cat", "guide", "a.md"]), "fits\n");
    // What was half written is gone: with the large files out, there is room again.
    for n in 0..8 {
        std::fs::remove_file(user.path(&format!("book/large{n}.bin"))).unwrap();
    }
    user.write("book/b.bin", vec![1; 1024 * 1024]);
    user.ok(["import", "book", "guide"]);
    assert_eq!(user.json(["verify-log", "guide@main"])["ok"], true);
}

/// The system says once for each handle that something could not be written back.
#[tokio::test]
async fn invariant_certain_every_batch_that_a_disk_loses_is_told_of_it() {
    const MIB: usize = 1024 * 1024;
    let home = tempfile::tempdir().unwrap();
    let (room, file, folder) =
        (home.path().join("room"), home.path().join("room/disk"), home.path().join("folder"));
    let small = SmallDisk::mount(&room, "24m");
    let disk = small.as_ref().and_then(|_| SmallDisk::mount_in(&file, &folder, 200 * MIB as u64));
    if disk.is_none() {
        cas_tests::skip_loudly("a disk that loses bytes needs a file system in a file");
        return;
    }
    let ballast = room.join("ballast");
    std::fs::write(&ballast, vec![1; 8 * MIB]).unwrap();
    let env = test_env(0);
    let bucket = Bucket::local(LocalStore::create(&folder.join("store")).unwrap());
    create(&bucket, "the folder", Writers::Any, &env).await.unwrap();
    let store = Store::in_bucket(&bucket, &env);
    // More files than are synced one by one.
    let fill = async |session: &Session, first: u8| {
        for nth in first..first + 20 {
            session.put_blob(Bytes::from(vec![nth; MIB])).await.unwrap();
        }
    };
    let (one, other) = (store.session().await.unwrap(), store.session().await.unwrap());
    fill(&one, 0).await;
    fill(&other, 100).await;
    assert!(one.publish().await.is_err(), "the first to sync");
    // From now on there is room: that of the second is lost, and nothing new will fail.
    std::fs::remove_file(ballast).unwrap();
    assert!(other.publish().await.is_err(), "the second to sync");
}
