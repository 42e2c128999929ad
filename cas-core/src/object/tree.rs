//! Trees: one directory, as sorted entries with totals.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::codec::{self, DecodeError};
use crate::limits;
use crate::name::{BlobId, EntryName, Hash, TreeId, collision_key};

/// The format version of encoded trees.
const VERSION: u64 = 1;

/// One directory: entries sorted by the bytes of their names, unique, and unique also on a disk
/// that ignores case and normalisation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree {
    entries: Vec<Entry>,
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name.
    pub name: EntryName,
    /// What it is.
    pub kind: EntryKind,
    /// The id of the blob or tree.
    pub id: Hash,
    /// Its size: the blob's for files and symlinks, the totals below it for a tree.
    pub totals: Totals,
}

/// What an entry is. The numbers are part of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryKind {
    /// A file.
    File = 0,
    /// A file with its executable bit set.
    Executable = 1,
    /// A symbolic link; the blob holds its target.
    Symlink = 2,
    /// A directory.
    Tree = 3,
}

/// Sums over everything below an entry, so that a client can plan without walking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Totals {
    /// Bytes of all files and symlink targets.
    pub size: u64,
    /// How many files and symlinks.
    pub files: u64,
}

/// A set of entries that is no tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// More entries than one directory may have.
    #[error("a directory has at most {limit} entries, this one has {found}")]
    TooManyEntries {
        /// How many there are.
        found: usize,
        /// How many there may be.
        limit: usize,
    },
    /// Names that are one file on some disks.
    #[error("{}", shown(.0))]
    Collisions(
        /// Pairs of names; the first sorts before the second.
        Vec<(EntryName, EntryName)>,
    ),
    /// An entry whose size or count cannot be.
    #[error("{name:?}: {rule}", name = name.as_str())]
    Entry {
        /// The entry.
        name: EntryName,
        /// The rule that it breaks.
        rule: &'static str,
    },
}

impl EntryKind {
    /// `file`, `executable`, `symlink` or `tree`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Executable => "executable",
            Self::Symlink => "symlink",
            Self::Tree => "tree",
        }
    }

    /// Whether this is a directory.
    pub const fn is_tree(self) -> bool {
        matches!(self, Self::Tree)
    }

    fn from_wire(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::File),
            1 => Some(Self::Executable),
            2 => Some(Self::Symlink),
            3 => Some(Self::Tree),
            _ => None,
        }
    }
}

impl Totals {
    /// The totals of one file of `size` bytes.
    pub const fn file(size: u64) -> Self {
        Self { size, files: 1 }
    }

    /// The sum, or `None` beyond what a number holds.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        Some(Self {
            size: self.size.checked_add(other.size)?,
            files: self.files.checked_add(other.files)?,
        })
    }
}

impl Entry {
    /// A file, executable or symlink of `size` bytes.
    pub const fn blob(name: EntryName, kind: EntryKind, id: BlobId, size: u64) -> Self {
        Self { name, kind, id: id.0, totals: Totals::file(size) }
    }

    /// A directory.
    pub fn tree(name: EntryName, id: TreeId, tree: &Tree) -> Self {
        Self { name, kind: EntryKind::Tree, id: id.0, totals: tree.totals() }
    }

    /// The id, if this is a directory.
    pub const fn tree_id(&self) -> Option<TreeId> {
        if self.kind.is_tree() { Some(TreeId(self.id)) } else { None }
    }

    /// The id, if this is a file, executable or symlink.
    pub const fn blob_id(&self) -> Option<BlobId> {
        if self.kind.is_tree() { None } else { Some(BlobId(self.id)) }
    }

    /// Whether `other` holds the same thing, whatever the names.
    pub fn same_content(&self, other: &Self) -> bool {
        self.id == other.id && self.kind == other.kind
    }
}

impl Tree {
    /// The entries, sorted by the bytes of their names.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry called `name`.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        let at = self.entries.binary_search_by(|e| e.name.as_str().as_bytes().cmp(name.as_bytes()));
        at.ok().map(|at| &self.entries[at])
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The sums over all entries. Never overflows: every way to make a tree checks it.
    pub fn totals(&self) -> Totals {
        let sum = |sum: Totals, entry: &Entry| sum.checked_add(entry.totals);
        self.entries.iter().try_fold(Totals::default(), sum).unwrap_or_default()
    }

    /// The canonical encoding.
    pub fn encode(&self) -> Vec<u8> {
        encode_entries(self.entries.iter().map(|e| (e.name.as_str(), e.kind, e.id, e.totals)))
    }

    /// The encoding and its id.
    pub fn encode_with_id(&self) -> (TreeId, Vec<u8>) {
        let bytes = self.encode();
        (TreeId::of(&bytes), bytes)
    }

    /// Reads the canonical encoding; any bad name is an error.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (tree, faults) = Self::decode_with_faults(bytes)?;
        match faults.into_iter().next() {
            None => Ok(tree),
            Some(fault) => Err(fault),
        }
    }

    /// Reads the canonical encoding, leaving out entries whose names break a rule and returning
    /// those faults, so that a caller can list every one before refusing the tree.
    pub fn decode_with_faults(bytes: &[u8]) -> Result<(Self, Vec<DecodeError>), DecodeError> {
        let (_, wire): (u64, Vec<WireEntry<'_>>) =
            codec::decode_version(bytes, limits::TREE_BYTES, VERSION)?;
        if !wire.is_sorted_by(|a, b| a.name.as_bytes() < b.name.as_bytes()) {
            return Err(DecodeError::Rule("tree entries are not sorted and unique".to_owned()));
        }
        let mut faults = Vec::new();
        let mut entries = Vec::with_capacity(wire.len());
        for entry in wire {
            let (name, kind) = (EntryName::parse(&entry.name), EntryKind::from_wire(entry.kind));
            let Some(kind) = kind else {
                return Err(DecodeError::Rule(format!("{:?} has no known entry kind", entry.name)));
            };
            match name {
                Ok(name) => {
                    let totals = Totals { size: entry.size, files: entry.files };
                    entries.push(Entry { name, kind, id: entry.id, totals });
                }
                Err(fault) => faults.push(fault.into()),
            }
        }
        match check(&entries) {
            Ok(()) => {}
            Err(error @ TreeError::Collisions(_)) => {
                faults.push(DecodeError::Rule(error.to_string()));
            }
            Err(error) => return Err(DecodeError::Rule(error.to_string())),
        }
        Ok((Self { entries }, faults))
    }
}

/// Collects the entries of one directory, in any order.
#[derive(Debug, Clone, Default)]
pub struct TreeBuilder {
    entries: BTreeMap<EntryName, Entry>,
}

impl TreeBuilder {
    /// An empty directory.
    pub const fn new() -> Self {
        Self { entries: BTreeMap::new() }
    }

    /// The entry called `name`.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// Adds an entry, or replaces the one of the same name.
    pub fn insert(&mut self, entry: Entry) {
        self.entries.insert(entry.name.clone(), entry);
    }

    /// Removes the entry called `name`.
    pub fn remove(&mut self, name: &str) -> Option<Entry> {
        self.entries.remove(name)
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The tree, after checking the rules across its entries.
    pub fn build(self) -> Result<Tree, TreeError> {
        Tree::from_sorted(self.entries.into_values().collect())
    }
}

impl From<&Tree> for TreeBuilder {
    fn from(tree: &Tree) -> Self {
        let entries = tree.entries.iter().map(|entry| (entry.name.clone(), entry.clone()));
        Self { entries: entries.collect() }
    }
}

impl Tree {
    /// The tree of `entries`, which are sorted and unique.
    fn from_sorted(entries: Vec<Entry>) -> Result<Self, TreeError> {
        check(&entries)?;
        Ok(Self { entries })
    }

    /// The tree of `entries` in any order; of two with one name, the later is taken.
    pub fn from_entries(entries: impl IntoIterator<Item = Entry>) -> Result<Self, TreeError> {
        let mut entries: Vec<_> = entries.into_iter().collect();
        // A stable sort in reverse, so that of equal names the last comes first and is kept.
        entries.reverse();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        entries.dedup_by(|later, kept| later.name == kept.name);
        Self::from_sorted(entries)
    }
}

/// The canonical encoding of a directory with these entries, which are sorted by the bytes of
/// their names. No other rule is checked: whoever needs more than an id to compare makes a [`Tree`].
pub(crate) fn encode_entries<'a>(
    entries: impl Iterator<Item = (&'a str, EntryKind, Hash, Totals)>,
) -> Vec<u8> {
    let wire =
        entries.map(|(name, kind, id, Totals { size, files })| (name, kind as u8, id, size, files));
    codec::encode(&(VERSION, wire.collect::<Vec<_>>()))
}

/// An entry as encoded: name, kind, id, size, files.
#[derive(Debug, Deserialize)]
#[serde(from = "(Text<'a>, u8, Hash, u64, u64)", bound(deserialize = "'de: 'a"))]
struct WireEntry<'a> {
    name: Cow<'a, str>,
    kind: u8,
    id: Hash,
    size: u64,
    files: u64,
}

/// A text, which is not copied where it stands in the bytes as it is: always, if they are canonical.
#[derive(Debug, Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> From<(Text<'a>, u8, Hash, u64, u64)> for WireEntry<'a> {
    fn from((Text(name), kind, id, size, files): (Text<'a>, u8, Hash, u64, u64)) -> Self {
        Self { name, kind, id, size, files }
    }
}

impl Serialize for WireEntry<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.name, self.kind, &self.id, self.size, self.files).serialize(serializer)
    }
}

/// The rules across entries: how many, how large, and no two that meet on some disk.
fn check(entries: &[Entry]) -> Result<(), TreeError> {
    if entries.len() > limits::TREE_ENTRIES {
        return Err(TreeError::TooManyEntries {
            found: entries.len(),
            limit: limits::TREE_ENTRIES,
        });
    }
    let mut totals = Totals::default();
    for entry in entries {
        let fault = |rule| TreeError::Entry { name: entry.name.clone(), rule };
        if let Some(rule) = broken_rule(entry) {
            return Err(fault(rule));
        }
        let sum = totals.checked_add(entry.totals);
        totals = sum.ok_or_else(|| fault("the totals are more than a number holds"))?;
    }
    let collisions = collisions(entries.iter().map(|entry| &entry.name));
    if collisions.is_empty() { Ok(()) } else { Err(TreeError::Collisions(collisions)) }
}

/// The rule about sizes and counts that an entry breaks, if any.
fn broken_rule(entry: &Entry) -> Option<&'static str> {
    let Totals { size, files } = entry.totals;
    match entry.kind {
        EntryKind::Tree if files == 0 => Some("a folder without files is left out"),
        EntryKind::Tree => None,
        _ if files != 1 => Some("a file counts as one"),
        EntryKind::Symlink if !(1..=limits::SYMLINK_BYTES as u64).contains(&size) => {
            Some("a symlink's target has 1 to 4095 bytes")
        }
        _ if size > limits::BLOB_BYTES => Some("a file has at most 2^40 bytes"),
        _ => None,
    }
}

/// The pairs of names, all different, that are one file on a disk that ignores case or normalisation.
pub fn collisions<'a>(
    names: impl Iterator<Item = &'a EntryName> + Clone,
) -> Vec<(EntryName, EntryName)> {
    // Most names are their own keys, and no two are the same.
    let is_key = |byte: u8| byte.is_ascii() && !byte.is_ascii_uppercase();
    if names.clone().all(|name| name.as_str().bytes().all(is_key)) {
        return Vec::new();
    }
    let mut keys: Vec<_> = names.map(|name| (collision_key(name.as_str()), name)).collect();
    keys.sort_unstable();
    let meet = keys.windows(2).filter(|pair| pair[0].0 == pair[1].0);
    meet.map(|pair| (pair[0].1.clone(), pair[1].1.clone())).collect()
}

fn shown(collisions: &[(EntryName, EntryName)]) -> String {
    let pairs: Vec<_> =
        collisions.iter().map(|(a, b)| format!("{:?} and {:?}", a.as_str(), b.as_str())).collect();
    format!("names meet on a disk that ignores case or normalisation: {}", pairs.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, content: &[u8]) -> Entry {
        let name = EntryName::parse(name).unwrap();
        Entry::blob(name, EntryKind::File, BlobId::of(content), content.len() as u64)
    }

    fn raw(entries: &[(&str, u8, u64, u64)]) -> Vec<u8> {
        let id = Hash::of(b"x");
        let entries: Vec<_> = entries.iter().map(|(n, k, s, f)| (*n, *k, id, *s, *f)).collect();
        codec::encode(&(1_u64, entries))
    }

    #[test]
    fn sorts_by_bytes_and_reads_back() {
        let tree = Tree::from_entries([file("b", b"1"), file("a", b"22"), file("Z", b"")]).unwrap();
        let names: Vec<_> = tree.entries().iter().map(|e| e.name.as_str()).collect();
        assert_eq!(names, ["Z", "a", "b"]);
        assert_eq!(tree.totals(), Totals { size: 3, files: 3 });
        assert_eq!(Tree::decode(&tree.encode()).unwrap(), tree);
        assert_eq!(tree.get("a").unwrap().totals.size, 2);
        assert!(tree.get("c").is_none());
    }

    #[test]
    fn rejects_unsorted_and_double_entries() {
        assert!(Tree::decode(&raw(&[("b", 0, 1, 1), ("a", 0, 1, 1)])).is_err());
        assert!(Tree::decode(&raw(&[("a", 0, 1, 1), ("a", 0, 1, 1)])).is_err());
        assert!(Tree::decode(&raw(&[("a", 0, 1, 1), ("b", 0, 1, 1)])).is_ok());
    }

    #[test]
    fn rejects_names_that_meet_on_some_disks() {
        assert!(Tree::from_entries([file("README", b""), file("readme", b"")]).is_err());
        assert!(Tree::decode(&raw(&[("README", 0, 1, 1), ("readme", 0, 1, 1)])).is_err());
    }

    #[test]
    fn rejects_unknown_kinds_counts_and_sizes() {
        assert!(Tree::decode(&raw(&[("a", 4, 1, 1)])).is_err());
        assert!(Tree::decode(&raw(&[("a", 0, 1, 2)])).is_err());
        assert!(Tree::decode(&raw(&[("a", 0, limits::BLOB_BYTES + 1, 1)])).is_err());
        assert!(Tree::decode(&raw(&[("a", 3, u64::MAX, 1), ("b", 3, 1, 1)])).is_err());
    }

    #[test]
    fn lists_every_bad_name_of_a_hostile_tree() {
        let bytes = raw(&[("..", 0, 1, 1), (".git", 3, 1, 1), ("a/b", 0, 1, 1), ("good", 0, 1, 1)]);
        let (tree, faults) = Tree::decode_with_faults(&bytes).unwrap();
        assert_eq!(tree.entries().len(), 1);
        assert_eq!(faults.len(), 3);
        assert!(Tree::decode(&bytes).is_err());
    }

    #[test]
    fn rejects_unknown_versions() {
        let future = codec::encode(&(2_u64, Vec::<u64>::new()));
        assert_eq!(Tree::decode(&future), Err(DecodeError::UnknownVersion { found: 2, known: 1 }));
    }
}
