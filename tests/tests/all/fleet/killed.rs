//! A fleet sync that is killed, again and again.

use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use cas_tests::tell;

use super::{book, cat, lesson, put};

const BRANCHES: usize = 80;
/// Every so many branches have an edit of their own.
const EDITED: usize = 10;
const KILLS: u64 = 20;

#[test]
fn invariant_certain_a_killed_sync_is_finished_by_the_next() {
    let user = book(BRANCHES, "pinned");
    for n in (0..BRANCHES).step_by(EDITED) {
        put(&user, &format!("guide@users/{n}"), "part1/lesson1.md", &lesson(&[(3, "mine")]));
    }
    let mut interrupted = 0;
    for nth in 1..=KILLS {
        let fix = format!("fix {nth}");
        put(&user, "guide", "part0/lesson0.md", &lesson(&[(2, &fix)]));
        let mut command = user.command(["sync", "guide@users/*"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        // A sequence that spreads evenly over 0 to 90 ms and hits no moment twice.
        sleep(Duration::from_micros((nth * 74_085) % 90_000));
        child.kill().unwrap();
        interrupted += u64::from(!child.wait().unwrap().success());
        user.ok(["sync", "guide@users/*"]);
        let listed = user.json(["branch", "list", "guide", "users/*"]);
        assert_eq!(listed.as_array().unwrap().len(), BRANCHES);
        for branch in listed.as_array().unwrap() {
            // Created, perhaps edited, and brought forward once for each fix: no more, no less.
            let name = branch["ref"].as_str().unwrap();
            let n: usize = name.trim_start_matches("users/").parse().unwrap();
            let made = 1 + u64::from(n.is_multiple_of(EDITED));
            assert_eq!(branch["seq"].as_u64(), Some(made + nth), "{name}: {branch}");
        }
        for n in [0, 1, BRANCHES - 1] {
            let branch = format!("guide@users/{n}");
            assert_eq!(cat(&user, &branch, "part0/lesson0.md"), lesson(&[(2, &fix)]));
        }
        assert_eq!(cat(&user, "guide@users/10", "part1/lesson1.md"), lesson(&[(3, "mine")]));
    }
    tell(&format!("killed syncs: {interrupted} of {KILLS} interrupted"));
    assert!(interrupted > 0, "at least some were interrupted");
    assert_eq!(user.json(["verify-log", "guide@users/10"])["ok"], true);
}
