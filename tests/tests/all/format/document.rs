//! `docs/format.md` holds what it promises: every vector, every key, every limit, every list.

use std::collections::BTreeMap;
use std::path::Path;

use cas_core::limits;
use cas_core::name::EntryName;
use cas_core::refs::Checkpoint;
use cas_core::sign::{Note, SigningKey};

use super::vector::{from_hex, vectors};
use super::{golden, keys};

fn document() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/format.md");
    std::fs::read_to_string(file).unwrap()
}

/// The fenced blocks whose opening line is the fence, `language` and a name.
fn blocks(language: &str) -> BTreeMap<String, String> {
    let mut blocks = BTreeMap::new();
    let opening = format!("```{language} ");
    let document = document();
    for block in document.split(&opening).skip(1) {
        let (body, _) = block.split_once("\n```").expect("every block ends");
        let (name, body) = body.split_once('\n').expect("no block is empty");
        let twice = blocks.insert(name.to_owned(), body.to_owned());
        assert!(twice.is_none(), "two blocks are called {name}");
    }
    blocks
}

#[test]
fn shows_every_golden_vector_and_no_other() {
    let mut blocks = blocks("hex");
    for file in vectors("golden") {
        let block = blocks.remove(&file.name);
        let block = block.unwrap_or_else(|| panic!("the document lacks {}", file.name));
        let code = |line: &str| line.split('#').next().unwrap_or_default().to_owned();
        let digits: String = block.lines().map(code).collect();
        assert_eq!(from_hex(&digits), file.bytes, "{}", file.name);
    }
    assert!(blocks.is_empty(), "not vectors: {:?}", blocks.keys());
}

#[test]
fn names_the_id_of_every_golden_vector() {
    let document = document();
    for golden in golden::all() {
        assert!(document.contains(golden.id), "{}", golden.name);
    }
}

#[test]
fn shows_the_secret_of_the_golden_tokens() {
    assert!(document().contains(golden::SECRET));
}

#[test]
fn shows_the_key_that_signs_and_a_checkpoint_that_it_signed() {
    let document = document();
    let key = SigningKey::parse(golden::SIGNING_KEY).unwrap();
    assert_eq!(key.verifier().to_string(), golden::VERIFIER_KEY);
    for key in [golden::SIGNING_KEY, golden::VERIFIER_KEY] {
        assert!(document.contains(key), "{key}");
    }
    let shown = blocks("text").remove("checkpoint").expect("the checkpoint");
    let note = Note::parse(&format!("{shown}\n")).unwrap();
    let keys = [key.verifier()];
    let (text, _) = note.verify(&keys).unwrap();
    let checkpoint = Checkpoint::parse(text).unwrap();
    assert_eq!(checkpoint.to_string(), text);
    assert_eq!(Note::sign(text, &key).unwrap(), note, "another program made this signature");
    let entries: BTreeMap<_, _> =
        golden::all().into_iter().map(|golden| (golden.name, golden.id)).collect();
    let ids: Vec<_> =
        checkpoint.positions().iter().map(|position| position.id.to_string()).collect();
    assert_eq!(ids, ["entry_signed", "entry_tag", "entry_deletion"].map(|name| entries[name]));
}

#[test]
fn shows_every_key() {
    let document = document();
    for key in keys() {
        assert!(document.contains(&key), "{key}");
    }
}

#[test]
fn states_every_limit() {
    let document = document();
    for (name, limit) in [
        ("NAME_BYTES", limits::NAME_BYTES as u64),
        ("PATH_BYTES", limits::PATH_BYTES as u64),
        ("PATH_SEGMENTS", limits::PATH_SEGMENTS as u64),
        ("BOOK_BYTES", limits::BOOK_BYTES as u64),
        ("REF_BYTES", limits::REF_BYTES as u64),
        ("REF_KEY_BYTES", limits::REF_KEY_BYTES as u64),
        ("SEQ_MAX", limits::SEQ_MAX),
        ("ACTOR_BYTES", limits::ACTOR_BYTES as u64),
        ("REQUEST_ID_BYTES", limits::REQUEST_ID_BYTES as u64),
        ("OPERATION_BYTES", limits::OPERATION_BYTES as u64),
        ("TREE_ENTRIES", limits::TREE_ENTRIES as u64),
        ("TREE_BYTES", limits::TREE_BYTES as u64),
        ("MESSAGE_BYTES", limits::MESSAGE_BYTES as u64),
        ("PARENTS", limits::PARENTS as u64),
        ("METADATA_PAIRS", limits::METADATA_PAIRS as u64),
        ("METADATA_KEY_BYTES", limits::METADATA_KEY_BYTES as u64),
        ("METADATA_VALUE_BYTES", limits::METADATA_VALUE_BYTES as u64),
        ("COMMIT_BYTES", limits::COMMIT_BYTES as u64),
        ("ENTRY_MESSAGE_BYTES", limits::ENTRY_MESSAGE_BYTES as u64),
        ("ENTRY_BYTES", limits::ENTRY_BYTES as u64),
        ("MARKER_BYTES", limits::MARKER_BYTES as u64),
        ("KEY_NAME_BYTES", limits::KEY_NAME_BYTES as u64),
        ("BLOB_BYTES", limits::BLOB_BYTES),
        ("SYMLINK_BYTES", limits::SYMLINK_BYTES as u64),
        ("PATTERN_BYTES", limits::PATTERN_BYTES as u64),
        ("SCOPES", limits::SCOPES as u64),
        ("NOTE_BYTES", limits::NOTE_BYTES as u64),
        ("TOKEN_BYTES", limits::TOKEN_BYTES as u64),
        ("REVOCATION_BYTES", limits::REVOCATION_BYTES as u64),
    ] {
        let row = format!("| `{name}` | {} |", with_commas(limit));
        assert!(document.contains(&row), "no row begins {row}");
    }
}

#[test]
fn lists_exactly_the_code_points_that_names_are_read_without() {
    let block = blocks("text").remove("ignorable").expect("the list");
    let listed: Vec<(u32, u32)> = block
        .split_whitespace()
        .map(|range| {
            let (first, last) = range.split_once("..").unwrap_or((range, range));
            let point = |digits| u32::from_str_radix(digits, 16).unwrap();
            (point(first), point(last))
        })
        .collect();
    assert!(listed.is_sorted_by(|a, b| a.1 < b.0), "sorted, and none twice");
    let is_listed = |point| listed.iter().any(|(a, b)| (*a..=*b).contains(&point));
    let ends = listed.iter().flat_map(|(first, last)| {
        [*first - 1, *first, *last, *last + 1].into_iter().chain((*first..=*last).step_by(7))
    });
    for point in ends.chain((0x80..0x3_0000).step_by(3)) {
        let Some(c) = char::from_u32(point).filter(|c| !c.is_control()) else {
            continue;
        };
        let refused = match EntryName::parse(&format!(".g{c}it")) {
            Ok(_) => false,
            Err(error) if error.rule.contains("in any disguise") => true,
            Err(error) => {
                assert!(error.rule.contains("normal form C"), "U+{point:04X}: {error}");
                continue;
            }
        };
        assert_eq!(refused, is_listed(point), "U+{point:04X}");
    }
}

fn with_commas(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
