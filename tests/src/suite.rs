//! The tests of the command line again, with their stores somewhere else.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::place;

/// The tests that run over any store: those of the commands, of races, of real books, of audits
/// and of personal branches.
const TESTS: [&str; 8] = [
    "cli_",
    "race::",
    "books::",
    "audit::list",
    "audit::path",
    "fleet::sync",
    "fleet::live",
    "personal::command",
];

/// The tests that run the others, which would never end.
const RUNNERS: [&str; 2] = ["cli_over_s3", "cli_over_http"];

/// The tests that choose where their stores are themselves: elsewhere they say nothing new.
const CHOOSERS: [&str; 2] = ["cli_serve", "cli_token"];

/// Runs this very test binary again, with the stores of its users at `store`, as
/// [`place::VARIABLE`] has it, and gives how many tests passed. What else the tests print is
/// printed when one fails.
///
/// # Panics
///
/// If a test fails, or none ran.
pub fn run_over(store: &str, threads: usize, skip: &[&str]) -> usize {
    let own = std::env::current_exe().expect("a test knows its own path");
    let mut command = Command::new(own);
    command.args(TESTS).arg(format!("--test-threads={threads}"));
    for name in RUNNERS.iter().chain(&CHOOSERS).chain(skip) {
        command.args(["--skip", name]);
    }
    // What is asked here is what becomes of stores elsewhere, not of disks, which may be slow.
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        command.env("TMPDIR", memory);
    }
    let output = command
        .env(place::VARIABLE, store)
        .stdin(Stdio::null())
        .output()
        .expect("the test binary runs");
    let (said, shown) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "over {store}:\n{said}\n{shown}");
    let passed = said.lines().rev().find_map(|line| {
        let (_, rest) = line.split_once("test result: ok. ")?;
        rest.split_once(" passed")?.0.parse().ok()
    });
    passed.filter(|passed| *passed > 0).unwrap_or_else(|| panic!("no test ran:\n{said}"))
}
