//! The format on disk and on the wire: golden vectors, rejected vectors, keys, and the document
//! that promises them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

pub(crate) mod cbor;
mod document;
mod golden;
mod limits;
mod vector;

use std::collections::BTreeSet;

use cas_core::access::TokenSecret;
use cas_core::name::{BlobId, BookId, Hash, RefName, collision_key};
use cas_core::object::Kind;
use cas_core::store::layout;

use vector::{Value, vectors};

#[test]
fn every_golden_vector_is_built_and_every_one_built_has_its_file() {
    let files: BTreeSet<_> = vectors("golden").into_iter().map(|v| v.name).collect();
    let built: BTreeSet<_> = golden::all().iter().map(|g| g.name.to_owned()).collect();
    assert_eq!(files, built);
}

#[test]
fn invariant_immutable_values_encode_to_their_golden_bytes_and_ids() {
    for (golden, file) in pairs() {
        assert_eq!(golden.value.encode(), file.bytes, "{}", file.name);
        let id = match &golden.value {
            Value::Marker(_) => String::new(),
            Value::Tree(tree) => tree.encode_with_id().0.to_string(),
            Value::Commit(commit) => Hash::of(&commit.encode()).to_string(),
            Value::Entry(entry) => entry.to_stored().0.to_string(),
            Value::Token(_) | Value::Revocation(_) => {
                Hash::of(&file.bytes[..file.bytes.len() - 34]).to_string()
            }
        };
        assert_eq!(id, golden.id, "{}", file.name);
        assert_eq!(id, file.id.unwrap_or_default(), "{}", file.name);
    }
}

#[test]
fn golden_bytes_decode_to_their_values() {
    for (golden, file) in pairs() {
        let decoded = Value::decode(&file.name, &file.bytes).unwrap();
        assert_eq!(decoded, golden.value, "{}", file.name);
    }
}

#[test]
fn a_second_cbor_crate_reads_every_golden_vector_alike() {
    for (golden, file) in pairs() {
        let name = &file.name;
        let items = cbor::read_sequence(&file.bytes);
        assert_eq!(items.len(), golden.cbor.len(), "number of items of {name}");
        for (at, (found, expected)) in items.iter().zip(&golden.cbor).enumerate() {
            cbor::assert_plain(found);
            cbor::assert_same(&format!("{name}.{at}"), found, expected);
        }
        // That crate writes the shortest form too, so the bytes are canonical by its measure.
        assert_eq!(cbor::write_sequence(&golden.cbor), file.bytes, "{name}");
        let shown: Vec<_> = items.iter().map(cbor::diagnostic).collect();
        assert_eq!(shown, file.values, "{name}");
    }
}

#[test]
fn what_its_key_does_not_vouch_for_ends_with_the_hash_of_what_stands_before() {
    for file in vectors("golden") {
        if ["entry", "token", "revocation"].contains(&file.name.split('_').next().unwrap()) {
            let (body, id) = file.bytes.split_at(file.bytes.len() - 34);
            assert_eq!(id[..2], [0x58, 0x20], "{}", file.name);
            assert_eq!(&id[2..], blake3::hash(body).as_bytes(), "{}", file.name);
        }
    }
}

#[test]
fn every_rejected_vector_is_refused_for_the_reason_meant() {
    let files = vectors("rejected");
    assert!(files.len() > 100, "only {} vectors found", files.len());
    for file in files {
        let reason = file.error.expect("a rejected vector names its error");
        match Value::decode(&file.name, &file.bytes) {
            Ok(value) => panic!("{} was read as {value:?}", file.name),
            Err(error) => {
                let error = error.to_string();
                assert!(error.contains(&reason), "{}: {error}", file.name);
            }
        }
    }
}

#[test]
fn golden_vectors_are_refused_when_cut_or_continued() {
    for file in vectors("golden") {
        for len in 0..file.bytes.len() {
            let cut = Value::decode(&file.name, &file.bytes[..len]);
            assert!(cut.is_err(), "{} cut to {len} bytes", file.name);
        }
        for more in [0x00, 0x80, 0xf6, 0xff] {
            let longer = [file.bytes.as_slice(), &[more]].concat();
            let read = Value::decode(&file.name, &longer);
            assert!(read.is_err(), "{} and {more:02x}", file.name);
        }
    }
}

#[test]
fn keys_are_where_they_were() {
    let id = |digits: &str| Hash::parse("id", digits).unwrap();
    let slot = |book: &str, name: &str, seq| {
        let (book, name) = (BookId::parse(book).unwrap(), RefName::parse(name).unwrap());
        layout::slot(&book, &name, seq)
    };
    let made = [
        layout::MARKER.into(),
        layout::object(Kind::Blob, BlobId::of(b"").hash()),
        layout::object(Kind::Blob, BlobId::of(golden::INTRO).hash()),
        layout::object(Kind::Tree, &id(golden::TREE_EMPTY)),
        layout::object(Kind::Tree, &id(golden::TREE_EVERY_KIND)),
        layout::object(Kind::Commit, &id(golden::COMMIT_FIRST)),
        slot("rust-book", "main", 1),
        slot("rust-book", "main", 2),
        slot("rust-book", "users/Ada", 2),
        slot("rust-book", "tags/v1.0", 1),
        slot("rust-book", "users/jane.doe@example.com", 258),
        slot("2024_a-b.c", "_/A-Z/a-z/0+9=@", 1 << 40),
        slot("b", "x", cas_core::limits::SEQ_MAX),
        layout::token(&golden::TOKEN_ID.parse().unwrap()),
        layout::revocation(&golden::TOKEN_ID.parse().unwrap()),
    ];
    let made: Vec<_> = made.iter().map(ToString::to_string).collect();
    assert_eq!(made, keys());
}

#[test]
fn a_secret_stands_for_the_id_that_it_always_stood_for() {
    let secret = TokenSecret::parse(golden::SECRET).unwrap();
    assert_eq!(secret.id().to_string(), golden::TOKEN_ID);
    assert_eq!(secret.reveal(), golden::SECRET);
}

/// Keys that meet are names that may not share a folder, so their folding is part of the format.
#[test]
fn collision_keys_are_unicodes_canonical_caseless_match() {
    for (name, key) in [
        ("README.md", "readme.md"),
        ("Straße", "strasse"),
        ("\u{1e9e}", "ss"),
        ("ſ", "s"),
        ("ΛΌΓΟΣ", "λο\u{301}γοσ"),
        ("λόγος", "λο\u{301}γοσ"),
        ("É", "e\u{301}"),
        ("e\u{301}", "e\u{301}"),
        ("Å", "a\u{30a}"),
        ("\u{212b}", "a\u{30a}"),
        ("ﬁ", "fi"),
        ("İ", "i\u{307}"),
        ("ı", "ı"),
        ("ᾳ", "αι"),
        ("가", "\u{1100}\u{1161}"),
        ("Ꭰ", "Ꭰ"),
        ("ꭰ", "Ꭰ"),
        ("Ａ", "ａ"),
        ("日本語", "日本語"),
        // Canonical, not compatible: a superscript is not its digit.
        ("x²", "x²"),
        // What cannot be seen is nothing.
        ("a\u{200b}b", "ab"),
    ] {
        assert_eq!(collision_key(name), key, "{name:?}");
    }
}

/// Golden values with their files.
fn pairs() -> Vec<(golden::Golden, vector::Vector)> {
    let mut files = vectors("golden");
    let take = |golden: golden::Golden| {
        let at = files.iter().position(|file| file.name == golden.name);
        let file = files.remove(at.expect("every golden vector has a file"));
        (golden, file)
    };
    golden::all().into_iter().map(take).collect()
}

/// The keys of `tests/vectors/keys.txt`.
fn keys() -> Vec<String> {
    let text = std::fs::read_to_string(vector::path("keys.txt")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let key = |line: &str| line.split_once("  ").unwrap().0.to_owned();
    lines.map(key).collect()
}
