//! Keys: where each thing is kept. Pure functions, pinned by golden tests.
//!
//! ```text
//! cas-format                               format marker
//! blobs/<2 hex>/<62 hex>                   a file's bytes
//! trees/<2 hex>/<62 hex>                   an encoded tree
//! commits/<2 hex>/<62 hex>                 an encoded commit
//! refs/<book>/<ref, escaped>/<slot>        one ref log entry
//! tokens/<64 hex>                          a token, by the hash of its secret
//! tokens/<64 hex>.revoked                  that it is revoked
//! gc/log/<slot>                            a step of garbage collection
//! gc/lists/<32 hex>/<2 hex>                a part of a list of condemned objects
//! gc/clock/<32 hex>                        what tells the store's time, removed at once
//! doctor/<32 hex>/<name>                   what proves a bucket, removed when it is proven
//! ```
//!
//! A slot is 16 hex digits of `u64::MAX - seq`, so that the newest entry lists first.

use object_store::path::Path as Key;

use crate::access::TokenId;
use crate::limits;
use crate::name::{BookId, Hash, RefName, RequestId};
use crate::object::Kind;

/// The key of the format marker.
pub const MARKER: &str = "cas-format";

/// The folder of what proves a bucket.
pub const PROOFS: &str = "doctor";

/// The folder of all refs.
pub const REFS: &str = "refs";

/// The folder of all tokens.
pub const TOKENS: &str = "tokens";

/// The folder of garbage collection.
const GC: &str = "gc";

/// The folder of the log of garbage collection.
pub(crate) const GC_LOG: &str = "gc/log";

/// The folder of the lists of condemned objects.
pub(crate) const GC_LISTS: &str = "gc/lists";

/// The folder of what is written to learn the store's time.
pub(crate) const GC_CLOCK: &str = "gc/clock";

/// Every folder right below the root that the format speaks of.
pub(crate) const FOLDERS: [&str; 7] =
    [folder(Kind::Blob), folder(Kind::Tree), folder(Kind::Commit), REFS, TOKENS, PROOFS, GC];

/// What the key of a revocation ends with.
const REVOKED: &str = ".revoked";

/// The folder of all objects of `kind`.
pub const fn folder(kind: Kind) -> &'static str {
    match kind {
        Kind::Blob => "blobs",
        Kind::Tree => "trees",
        Kind::Commit => "commits",
    }
}

/// The key of an object.
pub fn object(kind: Kind, id: &Hash) -> Key {
    let hex = id.to_hex();
    key(format!("{}/{}/{}", folder(kind), &hex[..2], &hex[2..]))
}

/// The folder of the objects whose ids begin with these two hex digits.
pub fn shard(kind: Kind, digits: &str) -> Key {
    key(format!("{}/{digits}", folder(kind)))
}

/// The id of the object of `kind` at `key`; `None` if it is no such key.
pub fn object_id(kind: Kind, at: &Key) -> Option<Hash> {
    let (shard, rest) =
        at.as_ref().strip_prefix(folder(kind))?.strip_prefix('/')?.split_once('/')?;
    if shard.len() != 2 {
        return None;
    }
    Hash::parse("key", &format!("{shard}{rest}")).ok()
}

/// The folder of a book's refs.
pub fn book(book: &BookId) -> Key {
    key(format!("{REFS}/{book}"))
}

/// The folder of a ref's log.
pub fn log(book: &BookId, name: &RefName) -> Key {
    key(format!("{REFS}/{book}/{}", name.escaped()))
}

/// The key of a ref log entry.
pub fn slot(book: &BookId, name: &RefName, seq: u64) -> Key {
    key(format!("{REFS}/{book}/{}/{}", name.escaped(), slot_name(seq)))
}

/// The last segment of the key of an entry at a position: the newest comes first.
pub(crate) fn slot_name(seq: u64) -> String {
    format!("{:016x}", u64::MAX - seq)
}

/// The position that the last segment of a key stands for; `None` if it is no slot.
pub fn slot_seq(at: &Key) -> Option<u64> {
    let slot = at.filename()?;
    if slot.len() != 16 || !slot.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let seq = u64::MAX - u64::from_str_radix(slot, 16).ok()?;
    (1..=limits::SEQ_MAX).contains(&seq).then_some(seq)
}

/// The key of an entry of the log of garbage collection.
pub(crate) fn gc_slot(seq: u64) -> Key {
    key(format!("{GC_LOG}/{}", slot_name(seq)))
}

/// The key of the part of a list whose ids begin with this byte.
pub(crate) fn gc_part(run: &RequestId, shard: u8) -> Key {
    key(format!("{GC_LISTS}/{run}/{shard:02x}"))
}

/// The key of what a run writes to learn the store's time.
pub(crate) fn gc_clock(run: &RequestId) -> Key {
    key(format!("{GC_CLOCK}/{run}"))
}

/// The key of a token.
pub fn token(id: &TokenId) -> Key {
    key(format!("{TOKENS}/{id}"))
}

/// The key of a token's revocation.
pub fn revocation(id: &TokenId) -> Key {
    key(format!("{TOKENS}/{id}{REVOKED}"))
}

/// What a key among the tokens is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKey {
    /// A token.
    Token(TokenId),
    /// The revocation of a token.
    Revocation(TokenId),
}

/// What the key among the tokens is of; `None` if it is no such key.
pub fn token_key(at: &Key) -> Option<TokenKey> {
    let name = at.as_ref().strip_prefix(TOKENS)?.strip_prefix('/')?;
    match name.strip_suffix(REVOKED) {
        Some(id) => id.parse().ok().map(TokenKey::Revocation),
        None => name.parse().ok().map(TokenKey::Token),
    }
}

/// Keys are made of checked names only, so they are always valid.
fn key(text: String) -> Key {
    Key::parse(text).expect("keys are made of checked names")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_keys() {
        let id = Hash::of(b"");
        let hex = "1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
        let book = BookId::parse("rust-book").unwrap();
        let name = RefName::parse("users/Ada").unwrap();
        assert_eq!(object(Kind::Blob, &id).as_ref(), format!("blobs/af/{hex}"));
        assert_eq!(object(Kind::Tree, &id).as_ref(), format!("trees/af/{hex}"));
        assert_eq!(object(Kind::Commit, &id).as_ref(), format!("commits/af/{hex}"));
        let token_id = TokenId::from_hash(id);
        assert_eq!(token(&token_id).as_ref(), format!("tokens/af{hex}"));
        assert_eq!(revocation(&token_id).as_ref(), format!("tokens/af{hex}.revoked"));
        assert_eq!(shard(Kind::Commit, "af").as_ref(), "commits/af");
        assert_eq!(log(&book, &name).as_ref(), "refs/rust-book/users%2f%41da");
        assert_eq!(slot(&book, &name, 1).as_ref(), "refs/rust-book/users%2f%41da/fffffffffffffffe");
        assert_eq!(
            slot(&book, &name, 258).as_ref(),
            "refs/rust-book/users%2f%41da/fffffffffffffefd"
        );
    }

    #[test]
    fn keys_read_back() {
        let id = Hash::of(b"x");
        for kind in Kind::ALL {
            assert_eq!(object_id(kind, &object(kind, &id)), Some(id));
        }
        assert_eq!(object_id(Kind::Blob, &object(Kind::Tree, &id)), None);
        let token_id = TokenId::from_hash(id);
        assert_eq!(token_key(&token(&token_id)), Some(TokenKey::Token(token_id)));
        assert_eq!(token_key(&revocation(&token_id)), Some(TokenKey::Revocation(token_id)));
        for bad in ["tokens/x", "tokens/.revoked", "refs/tokens/x", "tokens/a/b"] {
            assert_eq!(token_key(&Key::parse(bad).unwrap()), None, "{bad}");
        }
        let book = BookId::parse("b").unwrap();
        for seq in [1, 2, 1 << 40] {
            assert_eq!(slot_seq(&slot(&book, &RefName::main(), seq)), Some(seq));
        }
        for bad in ["refs/b/main/x", "refs/b/main/ffffffffffffffff", "refs/b/main/FFFFFFFFFFFFFFFE"]
        {
            assert_eq!(slot_seq(&Key::parse(bad).unwrap()), None, "{bad}");
        }
    }

    #[test]
    fn newer_entries_sort_first() {
        let book = BookId::parse("b").unwrap();
        let key = |seq| slot(&book, &RefName::main(), seq);
        assert!(key(2) < key(1) && key(300) < key(299));
    }
}
