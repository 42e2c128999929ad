//! Golden ref log entries.

use cas_core::name::{BookId, Operation, RefName, RequestId};
use cas_core::object::Metadata;
use cas_core::refs::RefEntry;
use cas_core::sign::SigningKey;
use ciborium::Value as Cbor;

use super::super::cbor::{array, int, text};
use super::super::vector::Value;
use super::{
    ADA, COMMIT_FIRST, COMMIT_MERGE, ENTRY_BRANCH, ENTRY_DELETION, ENTRY_FIRST, ENTRY_SECOND,
    ENTRY_SIGNED, ENTRY_TAG, Golden, SIGNATURE, SIGNING_KEY, actor, hex, id, metadata, time,
};

pub(super) fn entries() -> Vec<Golden> {
    let [first, second, signed, branch, deletion, tag] = values();
    vec![
        entry(
            "entry_first",
            ENTRY_FIRST,
            first,
            [
                text("rust-book"),
                text("main"),
                int(1),
                Cbor::Null,
                hex(COMMIT_FIRST),
                text("Ada Lovelace <ada@example.com>"),
                int(1_767_225_600_000_004),
                text("import"),
                text("Import the book"),
                text("00000000000000000000000000000001"),
                array([]),
            ],
        ),
        entry(
            "entry_second",
            ENTRY_SECOND,
            second,
            [
                text("rust-book"),
                text("main"),
                int(2),
                hex(ENTRY_FIRST),
                hex(COMMIT_MERGE),
                text("agent/42"),
                int(1_767_225_603_000_002),
                text("put"),
                text("Füge zusammen"),
                text("retry_2-A"),
                array([array([text("client"), text("cas 0.1.0")])]),
            ],
        ),
        signed_entry(signed),
        entry(
            "entry_branch",
            ENTRY_BRANCH,
            branch,
            [
                text("rust-book"),
                text("users/Ada"),
                int(1),
                Cbor::Null,
                hex(COMMIT_FIRST),
                text("Ada Lovelace <ada@example.com>"),
                int(1_767_225_600_000_005),
                text("create"),
                text(""),
                text("00000000000000000000000000000003"),
                array([]),
            ],
        ),
        entry(
            "entry_deletion",
            ENTRY_DELETION,
            deletion,
            [
                text("rust-book"),
                text("users/Ada"),
                int(2),
                hex(ENTRY_BRANCH),
                Cbor::Null,
                text("Ada Lovelace <ada@example.com>"),
                int(1_767_225_600_000_005),
                text("delete"),
                text("No longer needed"),
                text("00000000000000000000000000000004"),
                array([]),
            ],
        ),
        entry(
            "entry_tag",
            ENTRY_TAG,
            tag,
            [
                text("rust-book"),
                text("tags/v1.0"),
                int(1),
                Cbor::Null,
                hex(COMMIT_MERGE),
                text("release bot"),
                int(1_767_225_603_000_003),
                text("create"),
                text("Version 1.0"),
                text("00000000000000000000000000000005"),
                array([]),
            ],
        ),
    ]
}

fn entry(name: &'static str, id: &'static str, value: RefEntry, fields: [Cbor; 11]) -> Golden {
    let cbor = vec![array([int(1)].into_iter().chain(fields)), hex(id)];
    Golden { name, id, value: Value::Entry(value), cbor }
}

/// The one that is signed.
fn signed_entry(value: RefEntry) -> Golden {
    entry(
        "entry_signed",
        ENTRY_SIGNED,
        value,
        [
            text("rust-book"),
            text("main"),
            int(3),
            hex(ENTRY_SECOND),
            hex(COMMIT_FIRST),
            text("Ada Lovelace <ada@example.com>"),
            int(1_767_225_604_000_000),
            text("reset"),
            text("Back to the first version"),
            text("00000000000000000000000000000006"),
            array([
                array([text("client"), text("cas 0.1.0")]),
                array([text("signature"), text(SIGNATURE)]),
            ]),
        ],
    )
}

fn values() -> [RefEntry; 6] {
    let first = RefEntry {
        book: BookId::parse("rust-book").unwrap(),
        name: RefName::main(),
        seq: 1,
        previous: None,
        target: Some(id(COMMIT_FIRST)),
        actor: actor(ADA),
        time: time(4),
        operation: Operation::import(),
        message: "Import the book".to_owned(),
        request_id: request(1),
        metadata: Metadata::new(),
    };
    let second = RefEntry {
        seq: 2,
        previous: Some(id(ENTRY_FIRST)),
        target: Some(id(COMMIT_MERGE)),
        actor: actor("agent/42"),
        time: time(3_000_002),
        operation: Operation::put(),
        message: "Füge zusammen".to_owned(),
        request_id: RequestId::parse("retry_2-A").unwrap(),
        metadata: metadata(&[("client", "cas 0.1.0")]),
        ..first.clone()
    };
    let signed = RefEntry {
        seq: 3,
        previous: Some(id(ENTRY_SECOND)),
        time: time(4_000_000),
        operation: Operation::reset(),
        message: "Back to the first version".to_owned(),
        request_id: request(6),
        metadata: metadata(&[("client", "cas 0.1.0")]),
        ..first.clone()
    };
    let signed = signed.signed(&SigningKey::parse(SIGNING_KEY).unwrap()).unwrap();
    let branch = RefEntry {
        name: RefName::parse("users/Ada").unwrap(),
        time: time(5),
        operation: Operation::create(),
        message: String::new(),
        request_id: request(3),
        ..first.clone()
    };
    let deletion = RefEntry {
        seq: 2,
        previous: Some(id(ENTRY_BRANCH)),
        target: None,
        operation: Operation::delete(),
        message: "No longer needed".to_owned(),
        request_id: request(4),
        ..branch.clone()
    };
    let tag = RefEntry {
        name: RefName::tag("v1.0").unwrap(),
        target: Some(id(COMMIT_MERGE)),
        actor: actor("release bot"),
        time: time(3_000_003),
        operation: Operation::create(),
        message: "Version 1.0".to_owned(),
        request_id: request(5),
        ..first.clone()
    };
    [first, second, signed, branch, deletion, tag]
}

fn request(number: u128) -> RequestId {
    RequestId::from_bytes(number.to_be_bytes())
}
