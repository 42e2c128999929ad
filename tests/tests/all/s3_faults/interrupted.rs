//! Ctrl-C.

use std::time::Duration;

use cas_tests::cli::{Ran, snapshot};
use rustix::process::{Pid, Signal, kill_process};

use super::{Cloud, noise, refused, spawn, wait_for, write_book};

/// Runs a command and presses Ctrl-C when `when`.
fn interrupted(cloud: &Cloud, args: &[&str], when: impl Fn() -> bool) -> Ran {
    cloud.server.reset_counts();
    let child = spawn(cloud.user.command(args));
    wait_for(when);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    cloud.user.ran(child.wait_with_output().unwrap())
}

#[test]
fn an_interrupted_import_leaves_no_upload_and_is_done_again() {
    let cloud = Cloud::new();
    write_book(&cloud.user, 20, "first");
    cloud.user.write("book/video.bin", noise(20 * 1024 * 1024));
    cloud.behave(|behaviour| {
        behaviour.latency = Duration::from_millis(50);
        behaviour.bytes_per_second = Some(8 * 1024 * 1024);
    });
    let args = ["import", "book", "guide"];
    let ran = interrupted(&cloud, &args, || cloud.server.uploads() == 1);
    refused(&ran, 130, &["error: interrupted", "hint: run the command again"]);
    assert_eq!(cloud.server.uploads(), 0, "parts would be kept and billed");
    cloud.heal();
    cloud.audit();
    assert_eq!(cloud.user.json(args)["mode"], "created");
    cloud.assert_complete();
}

#[test]
fn an_interrupted_checkout_is_gone_on_with() {
    let cloud = Cloud::with_guide(200);
    cloud.behave(|behaviour| behaviour.latency = Duration::from_millis(20));
    let args = ["checkout", "guide", "site", "--jobs", "4"];
    let ran = interrupted(&cloud, &args, || cloud.server.counts().get > 100);
    refused(&ran, 130, &["error: interrupted", "hint: run the command again"]);
    cloud.heal();
    cloud.server.reset_counts();
    let report = cloud.user.json(args);
    assert_eq!(snapshot(&cloud.user.path("site")), snapshot(&cloud.user.path("book")));
    let gets = cloud.server.counts().get;
    assert!(gets < 180, "what was there is not read again: {gets} reads, {report}");
    assert_eq!(cloud.user.json(["status", "site"])["clean"], true);
}
