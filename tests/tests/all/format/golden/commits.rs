//! Golden commits.

use cas_core::object::{Commit, Metadata};
use ciborium::Value as Cbor;

use super::super::cbor::{array, int, text};
use super::super::vector::Value;
use super::{
    ADA, COMMIT_FIRST, COMMIT_MERGE, COMMIT_SECOND, Golden, TREE_EVERY_KIND, TREE_LESSONS,
    TREE_NESTED, actor, hex, id, metadata, time,
};

pub(super) fn commits() -> Vec<Golden> {
    let first = Commit {
        tree: id(TREE_EVERY_KIND),
        parents: vec![],
        author: actor(ADA),
        committed_at: time(1),
        message: "Import the book\n".to_owned(),
        metadata: Metadata::new(),
    };
    let second = Commit {
        tree: id(TREE_LESSONS),
        parents: vec![id(COMMIT_FIRST)],
        author: actor("build-7"),
        committed_at: time(2),
        message: String::new(),
        metadata: Metadata::new(),
    };
    let merge = Commit {
        tree: id(TREE_NESTED),
        parents: vec![id(COMMIT_SECOND), id(COMMIT_FIRST)],
        author: actor("agent/42"),
        committed_at: time(3_000_001),
        message: "Füge zusammen\n\nZwei Teile.".to_owned(),
        metadata: metadata(&[("source.url", "https://example.com/größe"), ("client", "cas 0.1.0")]),
    };
    let commit = |name, id, value, fields: [Cbor; 6]| Golden {
        name,
        id,
        value: Value::Commit(value),
        cbor: vec![array([int(1)].into_iter().chain(fields))],
    };
    vec![
        commit(
            "commit_first",
            COMMIT_FIRST,
            first,
            [
                hex(TREE_EVERY_KIND),
                array([]),
                text("Ada Lovelace <ada@example.com>"),
                int(1_767_225_600_000_001),
                text("Import the book\n"),
                array([]),
            ],
        ),
        commit(
            "commit_second",
            COMMIT_SECOND,
            second,
            [
                hex(TREE_LESSONS),
                array([hex(COMMIT_FIRST)]),
                text("build-7"),
                int(1_767_225_600_000_002),
                text(""),
                array([]),
            ],
        ),
        commit(
            "commit_merge",
            COMMIT_MERGE,
            merge,
            [
                hex(TREE_NESTED),
                array([hex(COMMIT_SECOND), hex(COMMIT_FIRST)]),
                text("agent/42"),
                int(1_767_225_603_000_001),
                text("Füge zusammen\n\nZwei Teile."),
                array([
                    array([text("client"), text("cas 0.1.0")]),
                    array([text("source.url"), text("https://example.com/größe")]),
                ]),
            ],
        ),
    ]
}
