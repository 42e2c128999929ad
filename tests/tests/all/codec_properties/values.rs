//! Random values, and random damage to their encodings.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use cas_core::env::Timestamp;
use cas_core::limits;
use cas_core::name::{
    Actor, BookId, CommitId, EntryId, EntryName, Hash, Operation, RefName, RequestId, TreeId,
};
use cas_core::object::{Commit, Entry, EntryKind, Metadata, Totals, Tree};
use cas_core::refs::RefEntry;
use proptest::prelude::*;
use proptest::sample::Index;

/// Any text, and text that comes close to the rules of names.
pub(super) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-zA-Z0-9._+=@~#/ -]{0,24}",
        "[0-9a-f]{6,66}",
        "[.gGiIıtTcCaAsSſ~0-9\u{200c}\u{feff}]{1,6}",
        "(con|PRN|Aux|nul|com[0-9¹²³]|LPT[0-9]|conin\\$)[ ]{0,2}(\\.[a-z]{0,3})?",
        "[aAäÄßẞσςΣİıſKÅé\u{301}\u{345}ǅ가]{1,6}",
        path_like(),
    ]
}

/// Entry names.
pub(super) fn entry_name() -> impl Strategy<Value = EntryName> {
    let text = prop_oneof![
        4 => "[a-zA-Z0-9._ -]{1,12}",
        2 => "[\\PC&&[^/\\\\:*?\"<>|]]{1,6}",
        1 => "[aAäÄßẞσςΣéÉ日本語]{1,4}",
        1 => "[a-z]{20,255}",
    ];
    text.prop_filter_map("not a name", |text| EntryName::parse(&text).ok())
}

/// Texts of which many are paths.
pub(super) fn path_like() -> impl Strategy<Value = String> {
    "([a-zA-Zé][a-z0-9.é-]{0,5}[a-z]/){0,5}[a-zA-Z._-]{1,6}"
}

/// Texts of which many are targets of symlinks.
pub(super) fn target_like() -> impl Strategy<Value = String> {
    "/?(\\.\\./){0,4}([a-z.]{0,3}/){0,3}[a-z.]{0,3}"
}

/// Book names.
pub(super) fn book_id() -> impl Strategy<Value = BookId> {
    "[a-z0-9][a-z0-9._-]{0,20}".prop_filter_map("not a book", |text| BookId::parse(&text).ok())
}

/// Ref names.
pub(super) fn ref_name() -> impl Strategy<Value = RefName> {
    "(tags/|users/)?([A-Za-z0-9_][A-Za-z0-9._+=@-]{0,4}/){0,3}[A-Za-z0-9_][A-Za-z0-9._+=@-]{0,8}"
        .prop_filter_map("not a ref", |text| RefName::parse(&text).ok())
}

/// Numbers at every width that CBOR has.
fn number() -> impl Strategy<Value = u64> {
    (0..64_u32, any::<u64>()).prop_map(|(width, bits)| bits >> width)
}

fn hash() -> impl Strategy<Value = Hash> {
    any::<[u8; 32]>().prop_map(Hash::from_bytes)
}

/// Trees of up to 30 entries, so that the array's head has both its widths.
pub(super) fn tree() -> impl Strategy<Value = Tree> {
    let entries = prop_oneof![
        4 => prop::collection::vec(tree_entry(), 0..6),
        1 => prop::collection::vec(tree_entry(), 20..30),
    ];
    entries.prop_filter_map("names meet", |entries| Tree::from_entries(entries).ok())
}

fn tree_entry() -> impl Strategy<Value = Entry> {
    let fields = (entry_name(), 0..4_u8, hash(), number(), number());
    fields.prop_map(|(name, kind, id, size, files)| {
        let (kind, totals) = match kind {
            0 => (EntryKind::File, Totals::file(size % (1 << 40))),
            1 => (EntryKind::Executable, Totals::file(size % (1 << 40))),
            2 => (EntryKind::Symlink, Totals::file(1 + size % 4095)),
            // A fraction of the whole range each, so that no sum overflows.
            _ => {
                let (size, files) = (size >> 6, (files >> 6).max(1));
                (EntryKind::Tree, Totals { size, files })
            }
        };
        Entry { name, kind, id, totals }
    })
}

fn actor() -> impl Strategy<Value = Actor> {
    "[a-zA-Zé0-9 <>@./-]{1,40}".prop_filter_map("not an actor", |text| Actor::parse(&text).ok())
}

fn message() -> impl Strategy<Value = String> {
    prop_oneof!["[^\\x00]{0,30}", "[a-z\n]{200,300}"]
}

fn metadata() -> impl Strategy<Value = Metadata> {
    prop::collection::vec(("[a-z0-9.-]{1,30}", any::<String>()), 0..4).prop_map(|pairs| {
        let mut metadata = Metadata::new();
        for (key, value) in pairs {
            metadata.insert(&key, &value).unwrap();
        }
        metadata
    })
}

/// Commits.
pub(super) fn commit() -> impl Strategy<Value = Commit> {
    let parents = prop::collection::btree_set(hash(), 0..4);
    (hash(), parents, actor(), number(), message(), metadata()).prop_map(
        |(tree, parents, author, time, message, metadata)| Commit {
            tree: TreeId(tree),
            // Backwards: parents have an order of their own, which nothing may sort away.
            parents: parents.into_iter().rev().map(CommitId).collect(),
            author,
            committed_at: Timestamp::from_micros(time),
            message,
            metadata,
        },
    )
}

/// Ref log entries.
pub(super) fn ref_entry() -> impl Strategy<Value = RefEntry> {
    let place = (book_id(), ref_name(), number(), hash(), prop::option::of(hash()));
    let what = ("[a-z][a-z-]{0,31}", message(), "[A-Za-z0-9_-]{1,64}", metadata());
    (place, actor(), number(), what).prop_map(|(place, actor, time, what)| {
        let (book, name, seq, previous, target) = place;
        let (operation, message, request_id, metadata) = what;
        let seq = seq.clamp(1, limits::SEQ_MAX);
        RefEntry {
            book,
            name,
            seq,
            previous: (seq > 1).then_some(EntryId(previous)),
            target: target.map(CommitId),
            actor,
            time: Timestamp::from_micros(time),
            operation: Operation::parse(&operation).unwrap(),
            message,
            request_id: RequestId::parse(&request_id).unwrap(),
            metadata,
        }
    })
}

/// Bytes made of CBOR heads, most of them of kinds that the format has, and small contents.
pub(super) fn cbor_like() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(vec![0x82, 0x01]),
        Just(vec![0x80]),
        Just(vec![0xf6]),
        (0x80..=0x8c_u8).prop_map(|head| vec![head]),
        (0x00..=0x1b_u8).prop_map(|head| vec![head]),
        "[a-z.]{0,5}".prop_map(|text| {
            let head = 0x60 + u8::try_from(text.len()).unwrap();
            [&[head], text.as_bytes()].concat()
        }),
        any::<[u8; 32]>().prop_map(|id| [&[0x58, 0x20], id.as_slice()].concat()),
        any::<u8>().prop_map(|head| vec![head]),
    ];
    prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

/// One change to some bytes.
#[derive(Debug, Clone)]
pub(super) enum Edit {
    /// Turns a bit over.
    Flip(Index, u8),
    /// Puts another byte in a byte's place.
    Replace(Index, u8),
    /// Puts a byte in between.
    Insert(Index, u8),
    /// Takes a byte away.
    Remove(Index),
    /// Cuts the rest off.
    Cut(Index),
    /// Copies a piece to another place.
    Copy(Index, Index, Index),
    /// Writes the small number or length at a place in one byte more.
    Widen(Index),
}

/// One to three edits.
pub(super) fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let at = any::<Index>;
    let byte = || prop_oneof![any::<u8>(), Just(0xf6), Just(0x80), Just(0x18), Just(0xff)];
    let edit = prop_oneof![
        (at(), 0..8_u8).prop_map(|(at, bit)| Edit::Flip(at, bit)),
        (at(), byte()).prop_map(|(at, byte)| Edit::Replace(at, byte)),
        (at(), byte()).prop_map(|(at, byte)| Edit::Insert(at, byte)),
        at().prop_map(Edit::Remove),
        at().prop_map(Edit::Cut),
        (at(), at(), at()).prop_map(|(a, b, to)| Edit::Copy(a, b, to)),
        at().prop_map(Edit::Widen),
    ];
    prop::collection::vec(edit, 1..4)
}

impl Edit {
    /// Makes all edits, one after the other.
    pub(super) fn apply_all(edits: Vec<Self>, bytes: Vec<u8>) -> Vec<u8> {
        edits.into_iter().fold(bytes, |bytes, edit| edit.apply(bytes))
    }

    fn apply(self, mut bytes: Vec<u8>) -> Vec<u8> {
        if bytes.is_empty() {
            return bytes;
        }
        let len = bytes.len();
        match self {
            Self::Flip(at, bit) => bytes[at.index(len)] ^= 1 << bit,
            Self::Replace(at, byte) => bytes[at.index(len)] = byte,
            Self::Insert(at, byte) => bytes.insert(at.index(len + 1), byte),
            Self::Remove(at) => drop(bytes.remove(at.index(len))),
            Self::Cut(at) => bytes.truncate(at.index(len)),
            Self::Copy(a, b, to) => {
                let (a, b) = (a.index(len), b.index(len));
                let piece = bytes[a.min(b)..a.max(b)].to_vec();
                let to = to.index(len + 1);
                bytes.splice(to..to, piece);
            }
            Self::Widen(at) => {
                let at = at.index(len);
                let (major, number) = (bytes[at] & 0xe0, bytes[at] & 0x1f);
                if number < 0x18 {
                    bytes.splice(at..=at, [major | 0x18, number]);
                }
            }
        }
        bytes
    }
}
