//! Golden trees.

use cas_core::name::{BlobId, EntryName, TreeId};
use cas_core::object::{Entry, EntryKind, Totals, Tree};
use ciborium::Value as Cbor;

use super::super::cbor::{array, bytes, int, text};
use super::super::vector::Value;
use super::{
    Golden, TREE_EMPTY, TREE_EVERY_KIND, TREE_INTEGER_WIDTHS, TREE_LESSONS, TREE_NESTED, hex, id,
};

/// The blobs that the trees name.
const README: &[u8] = b"# The Rust Book\n";
const BUILD: &[u8] = b"#!/bin/sh\nexec mdbook build\n";
const LATEST: &[u8] = b"lessons/01-intro.md";
pub(in super::super) const INTRO: &[u8] = b"Hello.\n";
const SIZE: &[u8] = "Größe\n".as_bytes();
const JAPANESE: &[u8] = "日本語\n".as_bytes();

pub(super) fn trees() -> Vec<Golden> {
    let empty = Tree::default();
    let lessons = tree([
        file("02-größe.md", EntryKind::File, SIZE),
        file("01-intro.md", EntryKind::File, INTRO),
    ]);
    let every_kind = tree([
        file("日本語.md", EntryKind::File, JAPANESE),
        file("lessons.md", EntryKind::File, b""),
        Entry::tree(name("lessons"), id(TREE_LESSONS), &lessons),
        file("latest", EntryKind::Symlink, LATEST),
        file("build.sh", EntryKind::Executable, BUILD),
        file("README.md", EntryKind::File, README),
    ]);
    let nested = tree([
        Entry::tree(name("part-1"), id(TREE_EVERY_KIND), &every_kind),
        Entry::tree(name("appendix"), id(TREE_LESSONS), &lessons),
    ]);
    let wide = |text: &str, size, files| Entry {
        name: name(text),
        kind: EntryKind::Tree,
        id: id::<TreeId>(TREE_EMPTY).0,
        totals: Totals { size, files },
    };
    let widths = tree([
        wide("a", 23, 24),
        wide("b", 255, 256),
        wide("c", 65_535, 65_536),
        wide("d", u64::from(u32::MAX), 1 << 32),
        wide("nnnnnnnnnnnnnnnnnnnnnnn", 1 << 63, 1 << 63),
        wide("nnnnnnnnnnnnnnnnnnnnnnnn", 0, 1),
    ]);
    let item = |name: &str, kind, id: Cbor, size, files| {
        array([text(name), int(kind), id, int(size), int(files)])
    };
    let tree = |name, id, value, entries: Vec<Cbor>| Golden {
        name,
        id,
        value: Value::Tree(value),
        cbor: vec![array([int(1), array(entries)])],
    };
    vec![
        tree("tree_empty", TREE_EMPTY, empty, vec![]),
        tree(
            "tree_lessons",
            TREE_LESSONS,
            lessons,
            vec![
                item("01-intro.md", 0, hash(INTRO), 7, 1),
                item("02-größe.md", 0, hash(SIZE), 8, 1),
            ],
        ),
        tree(
            "tree_every_kind",
            TREE_EVERY_KIND,
            every_kind,
            vec![
                item("README.md", 0, hash(README), 16, 1),
                item("build.sh", 1, hash(BUILD), 28, 1),
                item("latest", 2, hash(LATEST), 19, 1),
                item("lessons", 3, hex(TREE_LESSONS), 15, 2),
                item("lessons.md", 0, hash(b""), 0, 1),
                item("日本語.md", 0, hash(JAPANESE), 10, 1),
            ],
        ),
        tree(
            "tree_nested",
            TREE_NESTED,
            nested,
            vec![
                item("appendix", 3, hex(TREE_LESSONS), 15, 2),
                item("part-1", 3, hex(TREE_EVERY_KIND), 88, 7),
            ],
        ),
        tree(
            "tree_integer_widths",
            TREE_INTEGER_WIDTHS,
            widths,
            vec![
                item("a", 3, hex(TREE_EMPTY), 23, 24),
                item("b", 3, hex(TREE_EMPTY), 255, 256),
                item("c", 3, hex(TREE_EMPTY), 65_535, 65_536),
                item("d", 3, hex(TREE_EMPTY), 4_294_967_295, 4_294_967_296),
                item(
                    "nnnnnnnnnnnnnnnnnnnnnnn",
                    3,
                    hex(TREE_EMPTY),
                    9_223_372_036_854_775_808,
                    9_223_372_036_854_775_808,
                ),
                item("nnnnnnnnnnnnnnnnnnnnnnnn", 3, hex(TREE_EMPTY), 0, 1),
            ],
        ),
    ]
}

/// The hash of `content` as a byte string, by the hash's own crate.
fn hash(content: &[u8]) -> Cbor {
    bytes(blake3::hash(content).as_bytes())
}

fn tree(entries: impl IntoIterator<Item = Entry>) -> Tree {
    Tree::from_entries(entries).unwrap()
}

fn file(text: &str, kind: EntryKind, content: &[u8]) -> Entry {
    Entry::blob(name(text), kind, BlobId::of(content), content.len() as u64)
}

fn name(text: &str) -> EntryName {
    EntryName::parse(text).unwrap()
}
