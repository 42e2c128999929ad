//! Each limit holds at its last value and refuses the next one.

use cas_core::env::Timestamp;
use cas_core::limits;
use cas_core::name::{
    Actor, BlobId, BookId, BookPath, CommitId, EntryName, Operation, RefName, RequestId, TreeId,
};
use cas_core::object::{Commit, Entry, EntryKind, Metadata, Tree, check_symlink};
use cas_core::refs::RefEntry;

fn commit() -> Commit {
    Commit {
        tree: TreeId::of(b"t"),
        parents: Vec::new(),
        author: Actor::parse("ada").unwrap(),
        committed_at: Timestamp::from_micros(1),
        message: String::new(),
        metadata: Metadata::new(),
    }
}

fn entry() -> RefEntry {
    RefEntry {
        book: BookId::parse("b").unwrap(),
        name: RefName::main(),
        seq: 1,
        previous: None,
        target: None,
        actor: Actor::parse("ada").unwrap(),
        time: Timestamp::from_micros(1),
        operation: Operation::put(),
        message: String::new(),
        request_id: RequestId::parse("r").unwrap(),
        metadata: Metadata::new(),
    }
}

/// As much metadata as there may be.
fn full_metadata() -> Metadata {
    let mut metadata = Metadata::new();
    for pair in 0..limits::METADATA_PAIRS {
        let key = format!("{pair:0>width$}", width = limits::METADATA_KEY_BYTES);
        metadata.insert(&key, &"v".repeat(limits::METADATA_VALUE_BYTES)).unwrap();
    }
    metadata
}

#[test]
fn names_hold_their_limits_in_bytes() {
    type Parse = fn(&str) -> bool;
    let cases: [(&str, usize, Parse); 6] = [
        ("x", limits::NAME_BYTES, |t| EntryName::parse(t).is_ok()),
        ("x", limits::BOOK_BYTES, |t| BookId::parse(t).is_ok()),
        ("x", limits::REF_BYTES, |t| RefName::parse(t).is_ok()),
        ("x", limits::ACTOR_BYTES, |t| Actor::parse(t).is_ok()),
        ("x", limits::OPERATION_BYTES, |t| Operation::parse(t).is_ok()),
        ("x", limits::REQUEST_ID_BYTES, |t| RequestId::parse(t).is_ok()),
    ];
    for (unit, limit, accepts) in cases {
        assert!(accepts(&unit.repeat(limit)), "{limit} bytes");
        assert!(!accepts(&unit.repeat(limit + 1)), "{} bytes", limit + 1);
    }
    // Bytes, not characters.
    assert!(EntryName::parse(&"é".repeat(127)).is_ok());
    assert!(EntryName::parse(&"é".repeat(128)).is_err());
    assert!(Actor::parse(&"é".repeat(128)).is_err());
}

#[test]
fn a_ref_name_is_measured_again_as_escaped() {
    // 85 capitals of three bytes each are 255.
    assert_eq!(limits::REF_KEY_BYTES, 255);
    assert!(RefName::parse(&"X".repeat(85)).is_ok());
    assert!(RefName::parse(&"X".repeat(86)).is_err());
}

#[test]
fn paths_hold_their_limits_in_bytes_and_segments() {
    // 16 segments of 255 bytes with the slashes between them are 4,095 bytes.
    let longest = [vec!["x".repeat(255); 16].join("/"), String::new()].join("/");
    assert_eq!(longest.len(), limits::PATH_BYTES);
    assert!(BookPath::parse(&longest).is_err(), "ends with a slash");
    let segments = [vec!["x".repeat(200); 20].join("/"), "y".repeat(76)].join("/");
    assert_eq!(segments.len(), limits::PATH_BYTES);
    assert!(BookPath::parse(&segments).is_ok());
    assert!(BookPath::parse(&format!("{segments}y")).is_err());
    let deep = vec!["d"; limits::PATH_SEGMENTS].join("/");
    let path = BookPath::parse(&deep).unwrap();
    assert!(BookPath::parse(&format!("{deep}/d")).is_err());
    assert!(path.join(&EntryName::parse("d").unwrap()).is_err());
}

#[test]
fn symlink_targets_hold_their_limit() {
    let path = BookPath::parse("link").unwrap();
    let longest = format!("{}x", "./".repeat(2047));
    assert_eq!(longest.len(), limits::SYMLINK_BYTES);
    assert!(check_symlink(&path, longest.as_bytes()).is_ok());
    assert!(check_symlink(&path, format!("{longest}x").as_bytes()).is_err());
}

#[test]
fn blobs_hold_their_limit() {
    let tree = |size| {
        let name = EntryName::parse("a").unwrap();
        Tree::from_entries([Entry::blob(name, EntryKind::File, BlobId::of(b""), size)])
    };
    let largest = tree(limits::BLOB_BYTES).unwrap();
    assert_eq!(Tree::decode(&largest.encode()).unwrap(), largest);
    assert!(tree(limits::BLOB_BYTES + 1).is_err());
}

#[test]
fn trees_hold_their_limit_of_entries() {
    let entries = |count: usize| {
        (0..count).map(|at| {
            let name = EntryName::parse(&format!("{at:05}")).unwrap();
            Entry::blob(name, EntryKind::File, BlobId::of(b""), 0)
        })
    };
    let largest = Tree::from_entries(entries(limits::TREE_ENTRIES)).unwrap();
    assert!(Tree::from_entries(entries(limits::TREE_ENTRIES + 1)).is_err());
    let bytes = largest.encode();
    assert_eq!(Tree::decode(&bytes).unwrap(), largest);
    // The same with one entry more: the array's length is in bytes 3 to 6, after its head 0x9a.
    assert_eq!(bytes[..7], [0x82, 0x01, 0x9a, 0, 1, 0, 0]);
    let more = [
        &[0x82, 0x01, 0x9a, 0, 1, 0, 1],
        &bytes[7..],
        &[0x85, 0x61, b'z', 0x00, 0x58, 0x20],
        &[0; 32],
        &[0x00, 0x01],
    ];
    let error = Tree::decode(&more.concat()).unwrap_err();
    assert!(error.to_string().contains("at most 65536 entries"), "{error}");
}

/// Every field at its limit must fit, or a value that keeps all rules could not be read.
#[test]
fn the_largest_values_fit_the_limits_of_their_encodings() {
    // Head of the array, name with its head, kind, id with its head, size, files.
    let entry_bytes = 1 + (2 + limits::NAME_BYTES) + 1 + (2 + 32) + 9 + 9;
    assert!(limits::TREE_ENTRIES * entry_bytes + 7 <= limits::TREE_BYTES);

    let largest = Commit {
        parents: (0..limits::PARENTS).map(|n| CommitId::of(&n.to_le_bytes())).collect(),
        author: Actor::parse(&"a".repeat(limits::ACTOR_BYTES)).unwrap(),
        committed_at: Timestamp::from_micros(u64::MAX),
        message: "m".repeat(limits::MESSAGE_BYTES),
        metadata: full_metadata(),
        ..commit()
    };
    let bytes = largest.encode();
    assert!(bytes.len() <= limits::COMMIT_BYTES);
    assert_eq!(Commit::decode(&bytes).unwrap(), largest);

    let largest = RefEntry {
        book: BookId::parse(&"b".repeat(limits::BOOK_BYTES)).unwrap(),
        name: RefName::parse(&"r".repeat(limits::REF_BYTES)).unwrap(),
        seq: limits::SEQ_MAX,
        previous: Some(entry().to_stored().0),
        target: Some(CommitId::of(b"c")),
        actor: Actor::parse(&"a".repeat(limits::ACTOR_BYTES)).unwrap(),
        time: Timestamp::from_micros(u64::MAX),
        operation: Operation::parse(&"o".repeat(limits::OPERATION_BYTES)).unwrap(),
        message: "m".repeat(limits::ENTRY_MESSAGE_BYTES),
        request_id: RequestId::parse(&"r".repeat(limits::REQUEST_ID_BYTES)).unwrap(),
        metadata: full_metadata(),
    };
    let (_, bytes) = largest.to_stored();
    assert!(bytes.len() <= limits::ENTRY_BYTES);
    assert_eq!(RefEntry::from_stored(&bytes).unwrap().entry, largest);
}

#[test]
fn positions_hold_their_limit() {
    let at = |seq| {
        let entry = RefEntry { seq, previous: Some(entry().to_stored().0), ..entry() };
        RefEntry::from_stored(&entry.to_stored().1)
    };
    assert!(at(limits::SEQ_MAX).is_ok());
    assert!(at(limits::SEQ_MAX + 1).is_err());
    assert!(at(u64::MAX).is_err());
}

#[test]
fn messages_hold_their_limits() {
    for (len, fits) in [(limits::MESSAGE_BYTES, true), (limits::MESSAGE_BYTES + 1, false)] {
        let commit = Commit { message: "m".repeat(len), ..commit() };
        assert_eq!(commit.check().is_ok(), fits);
        assert_eq!(Commit::decode(&commit.encode()).is_ok(), fits);
    }
    let limit = limits::ENTRY_MESSAGE_BYTES;
    for (len, fits) in [(limit, true), (limit + 1, false)] {
        let entry = RefEntry { message: "m".repeat(len), ..entry() };
        assert_eq!(RefEntry::decode(&entry.encode()).is_ok(), fits);
    }
}

#[test]
fn parents_hold_their_limit() {
    for (count, fits) in [(limits::PARENTS, true), (limits::PARENTS + 1, false)] {
        let commit = Commit {
            parents: (0..count).map(|n| CommitId::of(&n.to_le_bytes())).collect(),
            ..commit()
        };
        assert_eq!(commit.check().is_ok(), fits);
        assert_eq!(Commit::decode(&commit.encode()).is_ok(), fits);
    }
}

#[test]
fn metadata_holds_its_limits() {
    let mut full = full_metadata();
    assert!(full.insert("one.more", "").is_err());
    let mut metadata = Metadata::new();
    let (key, value) = (limits::METADATA_KEY_BYTES, limits::METADATA_VALUE_BYTES);
    assert!(metadata.insert(&"k".repeat(key + 1), "").is_err());
    assert!(metadata.insert("k", &"v".repeat(value + 1)).is_err());
    assert!(metadata.insert(&"k".repeat(key), &"v".repeat(value)).is_ok());
}

#[test]
fn bytes_over_a_limit_are_refused_unread() {
    let error = Tree::decode(&vec![0; limits::TREE_BYTES + 1]).unwrap_err();
    assert!(error.to_string().contains("over the limit"), "{error}");
    let error = Commit::decode(&vec![0; limits::COMMIT_BYTES + 1]).unwrap_err();
    assert!(error.to_string().contains("over the limit"), "{error}");
    let error = RefEntry::from_stored(&vec![0; limits::ENTRY_BYTES + 1]).unwrap_err();
    assert!(error.to_string().contains("over the limit"), "{error}");
}
