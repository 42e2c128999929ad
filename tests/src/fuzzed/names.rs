//! Names, ids, revisions and keys.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use cas_core::limits;
use cas_core::name::{
    Actor, Base, BlobId, BookId, BookPath, EntryName, Hash, HashPrefix, Operation, RefName,
    RequestId, Revision, collision_key,
};
use cas_core::object::{Kind, check_symlink};
use cas_core::store::layout;
use object_store::path::Path as Key;

use super::text;

/// Parses a `T`, which must print as what it was parsed from.
fn prints_as_itself<T: FromStr + Display + PartialEq + Debug>(text: &str) -> Option<T> {
    let value = text.parse::<T>().ok()?;
    assert_eq!(value.to_string(), text);
    assert_eq!(text.parse::<T>().ok().as_ref(), Some(&value));
    Some(value)
}

/// Where a name is kept it must not climb, nest or name something else.
fn is_one_segment(text: &str) -> bool {
    !text.is_empty() && !text.contains(['/', '\\', '\0']) && text != "." && text != ".."
}

pub(super) fn book_id(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let Some(book) = prints_as_itself::<BookId>(text) else { return };
    assert!(text.len() <= limits::BOOK_BYTES && is_one_segment(text));
    assert_eq!(text.to_lowercase(), text);
    assert_eq!(layout::book(&book).parts().count(), 2);
    // A book is a revision: its `main`.
    assert_eq!(Revision::parse(text), Ok(Revision::head(book, RefName::main())));
}

pub(super) fn ref_name(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    if let Some(name) = RefName::from_escaped(text) {
        assert_eq!(name.escaped(), text);
    }
    let Some(name) = prints_as_itself::<RefName>(text) else { return };
    let escaped = name.escaped();
    assert!(text.len() <= limits::REF_BYTES && escaped.len() <= limits::REF_KEY_BYTES);
    assert!(is_one_segment(&escaped) && escaped.to_lowercase() == escaped);
    assert_eq!(RefName::from_escaped(&escaped).as_ref(), Some(&name));
    assert_eq!(name.is_tag(), text.starts_with("tags/"));
    assert!(text.split('/').all(is_one_segment));
    // No name of a ref is taken for an id or a position.
    let revision = Revision::parse(&format!("b@{text}")).expect("a ref of a book is a revision");
    assert_eq!(revision.head_ref(), Some(&name));
}

pub(super) fn path(bytes: &[u8]) {
    // Behind a zero byte, the target of a symlink at the path.
    let (path, target) = match bytes.iter().position(|byte| *byte == 0) {
        Some(at) => (&bytes[..at], Some(&bytes[at + 1..])),
        None => (bytes, None),
    };
    let Some(text) = text(path) else { return };
    let key = collision_key(text);
    assert_eq!(collision_key(&key), key, "folding what is folded changes it");
    if let Some(name) = prints_as_itself::<EntryName>(text) {
        assert!(text.len() <= limits::NAME_BYTES && is_one_segment(text));
        assert_eq!(BookPath::parse(text).ok().and_then(|path| path.name()), Some(name));
    }
    let Some(path) = prints_as_itself::<BookPath>(text) else { return };
    assert!(!path.is_root() && text.len() <= limits::PATH_BYTES);
    let mut joined = BookPath::root();
    for segment in path.segments() {
        let name = EntryName::parse(segment).expect("a path is made of names");
        joined = joined.join(&name).expect("it is as long as the path");
    }
    assert_eq!(joined, path);
    if let Some(target) = target {
        symlink(&path, target);
    }
}

/// A target that is taken never leads out of the book, whatever is on its way.
fn symlink(path: &BookPath, target: &[u8]) {
    if check_symlink(path, target).is_err() {
        return;
    }
    let target = text(target).expect("a target is UTF-8");
    assert!(!target.starts_with('/') && target.len() <= limits::SYMLINK_BYTES);
    let mut depth = path.segments().count() - 1;
    let mut down = false;
    for segment in target.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                assert!(!down && depth > 0, "{path} -> {target}");
                depth -= 1;
            }
            name => {
                EntryName::parse(name).expect("a target is made of names");
                down = true;
            }
        }
    }
}

pub(super) fn revision(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let Ok(revision) = Revision::parse(text) else { return };
    // `book` prints as `book@main` and `~0` not at all: the same revision, not the same text.
    let printed = revision.to_string();
    assert_eq!(Revision::parse(&printed).as_ref(), Ok(&revision));
    assert_eq!(Revision::parse(&printed).map(|again| again.to_string()), Ok(printed));
    assert!(revision.seq != Some(0));
    assert!(revision.seq.is_none() || matches!(revision.base, Base::Ref(_)));
    assert_eq!(
        revision.head_ref().is_some(),
        matches!(revision.base, Base::Ref(_)) && revision.seq.is_none() && revision.back == 0
    );
}

pub(super) fn id(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    if let Some(id) = prints_as_itself::<BlobId>(text) {
        assert_eq!((text.len(), Hash::parse("id", text).as_ref()), (64, Ok(id.hash())));
        let prefix = HashPrefix::parse(text).expect("an id is a prefix of itself");
        assert!(prefix.matches(id.hash()));
    }
    if let Some(prefix) = prints_as_itself::<HashPrefix>(text) {
        assert!(HashPrefix::looks_like(text) && prefix.as_str() == text);
        assert!(RefName::parse(text).is_err() && BookId::parse(text).is_err());
    }
    if prints_as_itself::<Actor>(text).is_some() {
        assert!(!text.is_empty() && text != "system" && text.len() <= limits::ACTOR_BYTES);
        assert!(!text.chars().any(char::is_control));
    }
    if prints_as_itself::<Operation>(text).is_some() {
        assert!(text.len() <= limits::OPERATION_BYTES);
    }
    if prints_as_itself::<RequestId>(text).is_some() {
        assert!(text.len() <= limits::REQUEST_ID_BYTES && is_one_segment(text));
    }
}

pub(super) fn store_key(bytes: &[u8]) {
    let Some(key) = text(bytes).and_then(|text| Key::parse(text).ok()) else { return };
    for kind in Kind::ALL {
        if let Some(id) = layout::object_id(kind, &key) {
            assert_eq!(layout::object(kind, &id), key);
        }
    }
    if let Some(seq) = layout::slot_seq(&key) {
        assert!((1..=limits::SEQ_MAX).contains(&seq));
        let book = BookId::parse("b").expect("a name");
        let again = layout::slot(&book, &RefName::main(), seq);
        assert_eq!(again.filename(), key.filename());
    }
    match layout::token_key(&key) {
        Some(layout::TokenKey::Token(id)) => assert_eq!(layout::token(&id), key),
        Some(layout::TokenKey::Revocation(id)) => assert_eq!(layout::revocation(&id), key),
        None => {}
    }
}
