//! Processes killed in the middle of their work.

use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use cas_tests::cli::{User, snapshot};

/// How often each command is killed. The acceptance of the whole asks for 100 in all.
const KILLS: u64 = 50;

/// Writes a book of 300 files, each version with a tenth of them changed.
fn write_book(user: &User, version: u64) {
    for n in 0..300_u64 {
        let of = if n % 10 == version % 10 { version } else { 0 };
        let text = format!("# Lesson {n}\n\nversion {of}\n").repeat(40);
        user.write(&format!("book/part{}/lesson{n}.md", n % 7), text);
    }
}

/// Starts a command and kills it after a while that differs with `nth`, over the time that the
/// whole command takes. Says whether it ended by itself before.
fn killed(user: &User, args: &[&str], nth: u64) -> bool {
    let mut command = user.command(args);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the binary runs");
    // A sequence that spreads evenly over 0 to 40 ms and hits no moment twice.
    sleep(Duration::from_micros((nth * 24_695) % 40_000));
    child.kill().expect("a process can be killed");
    child.wait().expect("the process ends").success()
}

fn commits(user: &User) -> Vec<String> {
    let log = user.json(["reflog", "guide@main"]);
    let target = |entry: &serde_json::Value| entry["target"].as_str().unwrap().to_owned();
    log.as_array().unwrap().iter().map(target).collect()
}

#[test]
fn invariant_certain_killed_imports_lose_nothing_acknowledged() {
    let user = User::with_folder();
    write_book(&user, 0);
    user.ok(["import", "book", "guide"]);
    let (mut finished, mut interrupted) = (0, 0);
    for nth in 1..=KILLS {
        let before = commits(&user);
        write_book(&user, nth);
        if killed(&user, &["import", "book", "guide"], nth) {
            finished += 1;
        } else {
            interrupted += 1;
        }
        let after = commits(&user);
        assert!(after.ends_with(&before), "whatever was acknowledged is still there");
        assert!(after.len() <= before.len() + 1, "at most one version was made");
        assert_eq!(user.json(["verify-log", "guide@main"])["ok"], true);
        // What the branch points at is complete, and the next import completes.
        user.ok(["checkout", "guide", "complete"]);
        user.ok(["import", "book", "guide"]);
        user.ok(["checkout", "guide", "complete"]);
        assert_eq!(snapshot(&user.path("book")), snapshot(&user.path("complete")));
    }
    eprintln!("killed imports: {interrupted} interrupted, {finished} finished before");
    assert!(interrupted > 0, "at least some were interrupted");
    let left = std::fs::read_dir(user.store().join("tmp")).map_or(0, Iterator::count);
    assert!(left <= 1, "leftovers are removed by those who come after: {left}");
}

#[test]
fn invariant_faithful_killed_checkouts_are_gone_on_with() {
    let user = User::with_folder();
    write_book(&user, 0);
    user.ok(["import", "book", "guide"]);
    user.ok(["branch", "create", "guide@old"]);
    for n in 0..300 {
        user.write(
            &format!("book/part{}/lesson{n}.md", n % 7),
            format!("all new {n}\n").repeat(50),
        );
    }
    std::fs::remove_dir_all(user.path("book/part3")).unwrap();
    user.write("book/part3", "a file where a folder was\n");
    user.ok(["import", "book", "guide"]);
    user.ok(["checkout", "guide@old", "expected-old"]);
    user.ok(["checkout", "guide", "expected-new"]);
    user.ok(["checkout", "guide@old", "out"]);
    user.write("out/mine.txt", "not of the book\n");
    let expected = |name: &str| {
        let mut files = snapshot(&user.path(name));
        files.push((
            "mine.txt".to_owned(),
            format!("file 0 {}", blake3::hash(b"not of the book\n")),
        ));
        files.sort_unstable();
        files
    };
    let (old, new) = (expected("expected-old"), expected("expected-new"));
    let mut interrupted = 0;
    for nth in 1..=KILLS {
        // Two interrupted checkouts of different versions in a row, then one that ends.
        interrupted += u32::from(!killed(&user, &["checkout", "guide", "out"], nth));
        interrupted += u32::from(!killed(&user, &["checkout", "guide@old", "out"], nth + 13));
        let (revision, wanted) = if nth % 2 == 0 { ("guide", &new) } else { ("guide@old", &old) };
        user.ok(["checkout", revision, "out"]);
        assert_eq!(snapshot(&user.path("out")), *wanted, "after kill {nth}");
        assert_eq!(user.json(["status", "out"])["items"].as_array().unwrap().len(), 1);
    }
    eprintln!("killed checkouts: {interrupted} interrupted");
    assert!(interrupted > 0, "at least some were interrupted");
}
