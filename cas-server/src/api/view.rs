//! What answers show of the things in a store: the JSON shapes that several operations share.

use std::collections::BTreeMap;

use cas_core::env::Timestamp;
use cas_core::name::{CommitId, TreeId};
use cas_core::object::{Commit, Entry, Metadata, Tree};
use serde::Serialize;
use utoipa::ToSchema;

/// RFC 3339, UTC, to the microsecond.
pub(crate) fn exact_time(time: Timestamp) -> String {
    let micros = i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_microsecond(micros)
        .map_or_else(|_| format!("{micros} µs"), |time| format!("{time:.6}"))
}

/// A commit.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Commit)]
pub(crate) struct CommitView {
    /// Its id.
    pub(crate) commit: String,
    /// The id of its tree.
    tree: String,
    /// The ids of the commits that it comes from.
    parents: Vec<String>,
    /// Who made it.
    author: String,
    /// When: RFC 3339.
    time: String,
    /// Why.
    message: String,
    /// Small facts by name.
    metadata: BTreeMap<String, String>,
}

impl CommitView {
    pub(crate) fn new(id: CommitId, commit: &Commit) -> Self {
        Self {
            commit: id.to_string(),
            tree: commit.tree.to_string(),
            parents: commit.parents.iter().map(ToString::to_string).collect(),
            author: commit.author.to_string(),
            time: exact_time(commit.committed_at),
            message: commit.message.clone(),
            metadata: pairs(&commit.metadata),
        }
    }
}

/// Metadata as JSON has it.
pub(crate) fn pairs(metadata: &Metadata) -> BTreeMap<String, String> {
    metadata.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// A tree: one directory.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Tree)]
pub(crate) struct TreeView {
    /// Its id.
    pub(crate) tree: String,
    /// Bytes of all files below it.
    size: u64,
    /// How many files there are below it.
    files: u64,
    /// What is in it, in the order of names.
    entries: Vec<TreeEntryView>,
}

/// One entry of a tree.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TreeEntry)]
pub(crate) struct TreeEntryView {
    /// Its name.
    name: String,
    /// `file`, `executable`, `symlink` or `tree`.
    kind: &'static str,
    /// The id of the blob or tree.
    id: String,
    /// Its size in bytes; for a tree, of everything below it.
    size: u64,
    /// How many files there are: 1, or what is below a tree.
    files: u64,
}

impl TreeView {
    pub(crate) fn new(id: TreeId, tree: &Tree) -> Self {
        let totals = tree.totals();
        Self {
            tree: id.to_string(),
            size: totals.size,
            files: totals.files,
            entries: tree.entries().iter().map(TreeEntryView::new).collect(),
        }
    }
}

impl TreeEntryView {
    fn new(entry: &Entry) -> Self {
        Self {
            name: entry.name.to_string(),
            kind: entry.kind.as_str(),
            id: entry.id.to_string(),
            size: entry.totals.size,
            files: entry.totals.files,
        }
    }
}
