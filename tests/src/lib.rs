//! What the tests share: deterministic environments, fault-injecting stores, the real binary.

use std::io::Write;

pub mod audit;
pub mod cli;
pub mod clocked;
pub mod counting;
pub mod env;
pub mod explore;
pub mod faulty;
pub mod fuzzed;
pub mod hurried;
pub mod invariants;
mod loopback;
pub mod mutant;
pub mod place;
pub mod planted;
pub mod power;
pub mod proxy;
pub mod raw;
pub mod s3;
pub mod server;
pub mod shape;
pub mod simulated;
pub mod suite;
pub mod tamper;
pub mod web;

/// Says what a test measured, where the test runner does not hide it.
pub fn tell(what: &str) {
    let _ = writeln!(std::io::stderr(), "{what}");
}

/// Says that a test did not test what it is for, and why, where the test runner does not hide it.
pub fn skip_loudly(why: &str) {
    // Not `eprintln!`, which is captured and shown only of tests that fail.
    let _ = writeln!(std::io::stderr(), "\n!!!! SKIPPED: {why}\n");
}
