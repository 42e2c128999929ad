//! What must hold of whatever bytes a decoder or parser is given, written once for two users: the
//! fuzz targets (`fuzz/`), which look for bytes that break it, and the tests, which run every seed
//! and many small changes of each.
//!
//! A target never says only that nothing panics. Bytes that are taken are written again as the same
//! bytes; a text prints as itself; what is built of what was read keeps the rules of its type.

mod http;
mod mutate;
mod names;
mod objects;
mod records;
mod seeds;
mod texts;
mod wire;

pub use mutate::Mutations;
pub use seeds::{Seed, seeds};

/// A decoder or parser, and what must hold of it.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name: that of the fuzz target and of the folder of its seeds.
    pub name: &'static str,
    /// Panics if something does not hold.
    pub check: fn(&[u8]),
    /// How many changed seeds a test runs: fewer for what is slow.
    pub mutations: usize,
}

/// Every target, sorted by name.
pub const TARGETS: &[Target] = &[
    target("book_file", texts::book_file, 2_000),
    target("book_id", names::book_id, 4_000),
    target("cbor", objects::cbor, 4_000),
    target("checkpoint", texts::checkpoint, 4_000),
    target("commit", objects::commit, 4_000),
    target("folder_index", records::folder_index, 4_000),
    target("gc_entry", records::gc_entry, 4_000),
    target("gc_part", records::gc_part, 4_000),
    target("glob", texts::glob, 1_000),
    target("id", names::id, 4_000),
    target("line_pattern", texts::line_pattern, 1_000),
    target("location", texts::location, 4_000),
    target("marker", objects::marker, 4_000),
    target("note", texts::note, 4_000),
    target("path", names::path, 4_000),
    target("range", http::range, 1_000),
    target("ref_entry", objects::ref_entry, 4_000),
    target("ref_name", names::ref_name, 4_000),
    target("revision", names::revision, 4_000),
    target("scope", texts::scope, 4_000),
    target("sign_key", texts::sign_key, 4_000),
    target("store_key", names::store_key, 4_000),
    target("token", records::token, 4_000),
    target("tree", objects::tree, 4_000),
    target("wire", wire::wire, 2_000),
];

const fn target(name: &'static str, check: fn(&[u8]), mutations: usize) -> Target {
    Target { name, check, mutations }
}

/// Runs the target called `name` on `bytes`.
///
/// # Panics
///
/// If there is none, or if something does not hold of these bytes.
pub fn check(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.expect("a target has this name").check)(bytes);
}

/// `bytes` with the CBOR byte string of their hash behind them, as what its key does not vouch for
/// is stored: past the check of the hash is where the decoder begins.
fn with_hash(bytes: &[u8]) -> Vec<u8> {
    let mut stored = bytes.to_vec();
    stored.extend([0x58, 0x20]);
    stored.extend(blake3::hash(bytes).as_bytes());
    stored
}

/// The text that `bytes` are; none if they are not UTF-8.
fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}
