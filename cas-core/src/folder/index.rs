//! The index: what a folder's files were when they were last seen.
//!
//! An index is a cache and never the truth: whatever it says is believed only of a file whose
//! status is still the same, and a file that cannot be read is no index. Its form is no promise;
//! a newer program ignores an older one's.

use std::collections::BTreeMap;
use std::io;

use serde::{Deserialize, Serialize};

use super::plan::split;
use super::stat::{Fingerprint, Tick};
use crate::name::{BlobId, EntryName, Hash};
use crate::object::{Entry, EntryKind, Tree};
use crate::repo::{KnownTrees, Side};

/// Begins every index file; the digits count its versions.
const MAGIC: &[u8; 8] = b"casidx02";

/// What the files of a folder were, sorted by path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Index {
    /// What the folder was made from; nothing for an import's index.
    pub(super) origin: Option<Origin>,
    entries: Vec<IndexEntry>,
    /// What the folders were, for an import's index where that says all.
    pub(super) folders: Option<Folders>,
}

/// Every folder, and what was left out of it: while the statuses are the same, nothing came or
/// went, so that nothing need be listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Folders {
    /// The patterns that the import was given.
    pub(super) exclude: Vec<String>,
    /// The folders by path, with statuses that were settled before they were listed.
    pub(super) all: Vec<(String, Fingerprint)>,
}

/// Which version a checkout holds. Ids and names as text: they are checked where they are used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Origin {
    pub(super) book: String,
    pub(super) name: Option<String>,
    pub(super) commit: String,
    pub(super) tree: String,
    pub(super) path: String,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct IndexEntry {
    pub(super) path: String,
    pub(super) known: Known,
}

/// What is known of a file: its content when its status was this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Known {
    pub(super) stat: Fingerprint,
    /// The content's length in bytes; a symlink's status need not tell it.
    size: u64,
    kind: u8,
    id: [u8; 32],
    /// Whether an unchanged status proves unchanged content.
    settled: bool,
}

/// The entries below one folder, sorted by path.
#[derive(Debug, Clone, Copy)]
pub(super) struct Below<'a> {
    /// How much of each path is the folder's.
    prefix: usize,
    entries: &'a [IndexEntry],
}

impl Below<'_> {
    /// The entry of the file `name` in the folder.
    pub(super) fn get(&self, name: &str) -> Option<&IndexEntry> {
        let order = |entry: &IndexEntry| entry.path[self.prefix..].cmp(name);
        self.entries.binary_search_by(order).ok().map(|at| &self.entries[at])
    }
}

impl Known {
    /// A file had this content when its status was `stat`; `seen` is when the content was known
    /// for certain to belong to the status.
    pub(super) fn new(stat: Fingerprint, content: Side, seen: Tick) -> Self {
        let Side { kind, id, size } = content;
        let settled = stat.settled_before(seen);
        Self { stat, size, kind: kind as u8, id: *id.hash().as_bytes(), settled }
    }

    /// The content.
    pub(super) fn content(&self) -> Side {
        Side { kind: self.kind(), id: BlobId(Hash::from_bytes(self.id)), size: self.size }
    }

    pub(super) const fn kind(&self) -> EntryKind {
        match self.kind {
            1 => EntryKind::Executable,
            2 => EntryKind::Symlink,
            _ => EntryKind::File,
        }
    }

    /// Whether a file with the status `now` still has the content that this says.
    pub(super) fn proves(&self, now: &Fingerprint) -> bool {
        self.settled && self.stat == *now
    }

    pub(super) const fn is_settled(&self) -> bool {
        self.settled
    }
}

impl Index {
    /// The index of `entries`, in any order.
    pub(super) fn new(origin: Option<Origin>, mut entries: Vec<IndexEntry>) -> Self {
        entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Self { origin, entries, folders: None }
    }

    /// The entries, sorted by path.
    pub(super) fn entries(&self) -> &[IndexEntry] {
        &self.entries
    }

    /// The entry of `path`.
    pub(super) fn get(&self, path: &str) -> Option<&IndexEntry> {
        let at = self.entries.binary_search_by(|entry| entry.path.as_str().cmp(path)).ok()?;
        Some(&self.entries[at])
    }

    /// The entries below the folder `path`; all of them for the root.
    pub(super) fn below(&self, path: &str) -> Below<'_> {
        if path.is_empty() {
            return Below { prefix: 0, entries: &self.entries };
        }
        let prefix = format!("{path}/");
        let from = self.entries.partition_point(|entry| entry.path < prefix);
        let entries = &self.entries[from..];
        let to = entries.partition_point(|entry| entry.path.starts_with(&prefix));
        Below { prefix: prefix.len(), entries: &entries[..to] }
    }

    /// The trees of the folder as the index remembers it, made anew, so that their ids are what
    /// they say. What cannot be a tree is left out.
    pub(super) fn trees(&self) -> KnownTrees {
        let mut folders: BTreeMap<&str, Vec<Entry>> = BTreeMap::new();
        for IndexEntry { path, known } in &self.entries {
            let (folder, name) = split(path);
            // Every folder above has an entry too, if only for a folder.
            let mut above = folder;
            while !folders.contains_key(above) {
                folders.insert(above, Vec::new());
                above = split(above).0;
            }
            let Side { kind, id, size } = known.content();
            if let (Ok(name), Some(entries)) = (EntryName::parse(name), folders.get_mut(folder)) {
                entries.push(Entry::blob(name, kind, id, size));
            }
        }
        let mut trees = KnownTrees::new();
        let mut paths: Vec<_> = folders.keys().copied().collect();
        paths.sort_unstable_by_key(|path| std::cmp::Reverse(depth(path)));
        for path in paths {
            let Some(Ok(tree)) = folders.remove(path).map(Tree::from_entries) else { continue };
            let (id, _) = tree.encode_with_id();
            let (above, name) = split(path);
            if !path.is_empty()
                && let (Ok(name), Some(entries)) = (EntryName::parse(name), folders.get_mut(above))
            {
                entries.push(Entry::tree(name, id, &tree));
            }
            trees.insert(id, tree);
        }
        trees
    }

    /// The stored form: magic, content, and a hash over both.
    pub(super) fn encode(&self) -> io::Result<Vec<u8>> {
        let mut bytes = MAGIC.to_vec();
        bytes = postcard::to_extend(self, bytes).map_err(io::Error::other)?;
        let hash = blake3::hash(&bytes);
        bytes.extend_from_slice(hash.as_bytes());
        Ok(bytes)
    }

    /// Reads the stored form; `None` for anything that is not one, whole and of this version.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (content, hash) = bytes.split_at(bytes.len().checked_sub(32)?);
        if blake3::hash(content).as_bytes() != hash {
            return None;
        }
        let index: Self = postcard::from_bytes(content.strip_prefix(MAGIC)?).ok()?;
        index.entries.is_sorted_by(|a, b| a.path < b.path).then_some(index)
    }
}

/// Reads a stored index; gives its stored form again, and how many trees its files make.
pub(crate) fn read_again(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let index = Index::decode(bytes)?;
    Some((index.encode().ok()?, index.trees().len()))
}

/// How many folders are above what is at `path`; the root is below none.
fn depth(path: &str) -> usize {
    if path.is_empty() { 0 } else { 1 + path.matches('/').count() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> Index {
        let handle = super::super::handle::Handle::open(std::path::Path::new("/")).unwrap();
        let stat = handle.stat(".").unwrap().unwrap();
        let entry = |path: &str| {
            let content = Side { kind: EntryKind::File, id: BlobId::of(path.as_bytes()), size: 1 };
            IndexEntry { path: path.to_owned(), known: Known::new(stat, content, Tick::now()) }
        };
        Index::new(None, vec![entry("b"), entry("a/c"), entry("a")])
    }

    #[test]
    fn reads_back_and_finds_paths() {
        let index = index();
        let read = Index::decode(&index.encode().unwrap()).unwrap();
        assert_eq!(read, index);
        assert_eq!(read.get("a/c").unwrap().known.content().id, BlobId::of(b"a/c"));
        assert!(read.get("a/d").is_none());
        assert_eq!(read.below("a").get("c"), read.get("a/c"));
        assert!(read.below("a").get("a").is_none() && read.below("b").get("c").is_none());
        assert_eq!(read.below("").get("a"), read.get("a"));
    }

    #[test]
    fn makes_the_trees_of_its_folders() {
        let handle = super::super::handle::Handle::open(std::path::Path::new("/")).unwrap();
        let stat = handle.stat(".").unwrap().unwrap();
        let content = Side { kind: EntryKind::File, id: BlobId::of(b"x"), size: 1 };
        let known = Known::new(stat, content, Tick::now());
        let paths = ["a/b/c/deep", "a/flat", "top"];
        let entries = paths.map(|path| IndexEntry { path: path.to_owned(), known });
        let trees = Index::new(None, entries.to_vec()).trees();
        assert_eq!(trees.len(), 4);
        let root = trees.values().find(|tree| tree.get("top").is_some()).unwrap();
        assert_eq!(root.totals().files, 3);
        let below = root.get("a").unwrap().tree_id().unwrap();
        assert_eq!(trees[&below].totals().files, 2);
    }

    #[test]
    fn a_damaged_or_cut_index_is_none() {
        let bytes = index().encode().unwrap();
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            assert_eq!(Index::decode(&bad), None, "byte {at}");
            assert_eq!(Index::decode(&bytes[..at]), None, "{at} bytes");
        }
    }
}
