//! Many processes that write, sync and delete branches at random: nothing ever shows on another.

use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cas_tests::cli::User;
use cas_tests::tell;

use super::{book, create, lesson};

const PROCESSES: usize = 16;
/// How long it goes on, in seconds, unless `CAS_ISOLATION_SECONDS` says otherwise.
const SECONDS: u64 = 6;

/// Writes, syncs, deletes and restores branches that are its own, at random; syncs all of them
/// now and then. Every line of its own says whose it is.
fn writer(user: &User, who: usize, until: &AtomicBool) -> u64 {
    let mut state = who as u64 + 1;
    let mut random = move |below: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let branch = format!("guide@users/{who}");
    let mut done = 0;
    let mine = format!("owner {who}");
    while !until.load(Ordering::Relaxed) {
        let run = |args: &[&str]| {
            let mut command = user.command(args);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command.status().unwrap().code()
        };
        let number = random(6);
        let code = match number {
            0..=2 => {
                let path = format!("own/{}.md", random(3));
                let file = user.write(&format!("w{who}.txt"), format!("{mine}\n{}\n", random(99)));
                let delete = run(&["rm", &branch, &path]);
                assert!(matches!(delete, Some(0 | 1 | 3)), "{delete:?}");
                run(&["put", &branch, &path, file.to_str().unwrap(), "--create"])
            }
            3 => run(&["sync", &branch]),
            4 => run(&["sync", "guide@users/*"]),
            _ => {
                run(&["branch", "delete", &branch]);
                run(&["branch", "restore", &branch])
            }
        };
        // Lost races and branches that are away are answers; anything else is a fault.
        assert!(matches!(code, Some(0 | 1 | 3)), "writer {who}, {number}: {code:?}");
        done += 1;
    }
    done
}

/// Looks at every branch: whatever says an owner says its own. Returns how much it looked at.
fn check(user: &User, live: bool) -> u64 {
    let mut looked = 0;
    for who in 0..PROCESSES {
        let branch = format!("guide@users/{who}");
        let found = user.run(["grep", "--json", "owner", &branch]);
        let text = found.stdout();
        for other in (0..PROCESSES).filter(|other| *other != who) {
            let wrong = format!("owner {other}\"");
            assert!(!text.contains(&wrong), "{branch} shows what is another's: {text}");
        }
        looked += u64::from(text.contains(&format!("owner {who}\"")));
        assert!(live || found.code() == 0, "{branch}: {}", found.stderr());
    }
    looked
}

/// Stops the writers when it is dropped, also by a check that fails: they are waited for.
struct Stopping<'a>(&'a AtomicBool);

impl Drop for Stopping<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "it goes on for a while")]
fn invariant_isolated_branches_written_and_synced_by_16_processes() {
    let user = book(0, "pinned");
    let seconds = std::env::var("CAS_ISOLATION_SECONDS").ok().and_then(|text| text.parse().ok());
    create(&user, PROCESSES, "pinned");
    let (stop, started) = (AtomicBool::new(false), Instant::now());
    let (done, looked) = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..PROCESSES)
            .map(|who| {
                let (user, stop) = (&user, &stop);
                scope.spawn(move || writer(user, who, stop))
            })
            .collect();
        let stopping = Stopping(&stop);
        let mut looked = 0;
        let mut fix = 0;
        while started.elapsed() < Duration::from_secs(seconds.unwrap_or(SECONDS)) {
            fix += 1;
            super::put(&user, "guide", "part0/lesson0.md", &lesson(&[(2, &format!("fix {fix}"))]));
            looked += check(&user, true);
        }
        drop(stopping);
        let done: u64 = writers.into_iter().map(|writer| writer.join().unwrap()).sum();
        (done, looked)
    });
    for who in 0..PROCESSES {
        let _ = user.run(["branch", "restore", &format!("guide@users/{who}")]);
        let branch = format!("guide@users/{who}");
        assert_eq!(user.json(["verify-log", &branch])["ok"], true, "{branch}");
    }
    user.ok(["sync", "guide@users/*"]);
    check(&user, false);
    tell(&format!("isolation: {done} operations by {PROCESSES} processes, {looked} looks"));
    assert!(done > 0 && looked > 0);
}
