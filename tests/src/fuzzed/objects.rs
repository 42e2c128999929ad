//! Encodings that are canonical CBOR: objects, ref log entries, the marker, and the decoder itself.

use cas_core::limits;
use cas_core::name::Hash;
use cas_core::object::codec;
use cas_core::object::{Commit, EntryKind, Totals, Tree, collisions};
use cas_core::refs::RefEntry;
use cas_core::store::Marker;
use ciborium::Value;

use super::with_hash;

/// Every shape that a format of ours has: numbers, texts, ids, what may be missing, and lists.
type Shapes =
    (u64, String, Option<Hash>, Hash, Option<u64>, Vec<(String, String)>, Vec<(u64, Vec<Hash>)>);

/// Fails unless a second CBOR crate reads the bytes as plain items and writes the same bytes.
fn assert_plain(bytes: &[u8]) {
    let mut rest = bytes;
    let mut again = Vec::new();
    while !rest.is_empty() {
        let item: Value = ciborium::from_reader(&mut rest).expect("another crate reads it");
        let mut waiting = vec![&item];
        while let Some(item) = waiting.pop() {
            match item {
                Value::Array(items) => waiting.extend(items),
                Value::Integer(_) | Value::Bytes(_) | Value::Text(_) | Value::Null => {}
                other => panic!("not a plain item: {other:?}"),
            }
        }
        ciborium::into_writer(&item, &mut again).expect("memory takes everything");
    }
    assert_eq!(again, bytes, "another crate writes other bytes");
}

pub(super) fn cbor(bytes: &[u8]) {
    const LIMIT: usize = 4096;
    if let Ok(value) = codec::decode::<Shapes>(bytes, LIMIT) {
        assert!(bytes.len() <= LIMIT);
        assert_eq!(codec::encode(&value), bytes);
        assert_plain(bytes);
        // One byte over its limit, and the same value is refused before it is looked at.
        let tight = codec::decode::<Shapes>(bytes, bytes.len() - 1);
        assert!(matches!(tight, Err(codec::DecodeError::TooLong { .. })));
    }
}

pub(super) fn tree(bytes: &[u8]) {
    let lenient = Tree::decode_with_faults(bytes);
    let Ok(tree) = Tree::decode(bytes) else {
        // What is refused is either no tree at all, or has a fault that is named.
        assert!(lenient.map_or(true, |(_, faults)| !faults.is_empty()));
        return;
    };
    let (same, faults) = lenient.expect("what is a tree is one with faults as well");
    assert!(faults.is_empty() && same == tree, "{faults:?}");
    assert_eq!(tree.encode(), bytes);
    assert_eq!(tree.encode_with_id().0.hash(), &Hash::of(bytes));
    assert_plain(bytes);
    let entries = tree.entries();
    assert!(entries.len() <= limits::TREE_ENTRIES && bytes.len() <= limits::TREE_BYTES);
    assert!(entries.is_sorted_by(|a, b| a.name.as_str().as_bytes() < b.name.as_str().as_bytes()));
    assert!(collisions(entries.iter().map(|entry| &entry.name)).is_empty());
    let sum = entries.iter().try_fold(Totals::default(), |sum, e| sum.checked_add(e.totals));
    assert_eq!(sum, Some(tree.totals()));
    for entry in entries {
        assert_eq!(tree.get(entry.name.as_str()), Some(entry));
        assert_eq!(entry.tree_id().is_some(), entry.kind.is_tree());
        assert!(entry.totals.files > 0);
        if entry.kind == EntryKind::Symlink {
            assert!((1..=limits::SYMLINK_BYTES as u64).contains(&entry.totals.size));
        }
    }
    // However the entries come, they make one tree, of one encoding.
    let again = Tree::from_entries(entries.iter().rev().cloned()).expect("they are a tree's");
    assert_eq!(again.encode(), bytes);
}

pub(super) fn commit(bytes: &[u8]) {
    let Ok(commit) = Commit::decode(bytes) else { return };
    assert_eq!(commit.encode(), bytes);
    assert_plain(bytes);
    commit.check().expect("what is read keeps the rules of what is written");
    assert!(bytes.len() <= limits::COMMIT_BYTES && commit.parents.len() <= limits::PARENTS);
    assert!(!commit.subject().contains('\n') && commit.message.contains(commit.subject()));
    assert!(!commit.author.as_str().is_empty());
}

pub(super) fn ref_entry(bytes: &[u8]) {
    if let Ok(found) = RefEntry::from_stored(bytes) {
        assert_eq!(found.entry.to_stored(), (found.id, bytes.to_vec()));
        assert_plain(bytes);
    }
    let stored = RefEntry::from_stored(&with_hash(bytes));
    let Ok(entry) = RefEntry::decode(bytes) else {
        assert!(stored.is_err(), "stored it is read, and by itself it is not");
        return;
    };
    assert_eq!(entry.encode(), bytes);
    assert_plain(bytes);
    assert!((1..=limits::SEQ_MAX).contains(&entry.seq));
    assert_eq!(entry.previous.is_none(), entry.seq == 1);
    assert!(entry.message.len() <= limits::ENTRY_MESSAGE_BYTES);
    if bytes.len() + 34 <= limits::ENTRY_BYTES {
        let stored = stored.expect("what is an entry is one when it is stored");
        assert_eq!((stored.id, stored.entry), (entry.to_stored().0, entry));
    }
}

pub(super) fn marker(bytes: &[u8]) {
    let Ok(marker) = Marker::decode(bytes) else { return };
    assert_eq!(marker.encode(), bytes);
    assert_plain(bytes);
    assert!(bytes.len() <= limits::MARKER_BYTES);
}
