//! Three-way merge of trees: a pure function of three ids and a policy.
//!
//! Only directories that both sides changed are opened; a subtree that one side left alone is
//! taken whole from the other. What only one side changed is taken; what both changed is merged by
//! lines if it is text, and is otherwise a conflict, which the policy resolves and the result
//! names. Nothing is written: new trees and blobs are handed out in memory, for a reader to look
//! at or for a commit to keep.
//!
//! * `base.rs` finds the commits that two histories have in common.
//! * `trees.rs` walks three trees and builds the merged one.
//! * `leaf.rs` decides about one file, and `text.rs` merges lines.
//! * `renames.rs` finds where a file went that one side moved and the other edited.
//! * `memo.rs` remembers trees, commits and results.

mod base;
mod leaf;
mod memo;
mod renames;
mod text;
mod trees;

pub use memo::MergeMemo;
pub use renames::SIMILAR_PERCENT;

pub(crate) use base::Bases;
pub(crate) use trees::merge_trees;

use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;

use crate::name::{BookPath, Hash, NameError, TreeId};
use crate::object::{EntryKind, Kind};
use crate::repo::{Repository, Side};

/// What is taken where both sides changed the same thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OnConflict {
    /// Nothing: the merge fails, and the result is for looking at. It holds what ours would.
    #[default]
    Fail,
    /// Our side: in a text, of the lines in conflict.
    Ours,
    /// Their side, likewise.
    Theirs,
    /// In a text, both versions between markers; of a file that one side removed, what the other
    /// made of it; otherwise our side.
    Markers,
}

/// Why a path could not be merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConflictKind {
    /// Both changed the same lines.
    Content,
    /// Both changed a file that is not text, or too large to be merged by lines.
    Binary,
    /// Both added a file here, with different content.
    AddAdd,
    /// One changed what the other removed.
    EditDelete,
    /// A file on one side, a folder on the other.
    FileFolder,
    /// Both changed what kind of thing this is or where a symlink points.
    Kind,
    /// Each moved the file to another place.
    RenameRename,
    /// One moved the file, the other removed it.
    RenameDelete,
    /// One moved a file here that the other changed, and the other added another one here.
    RenameAdd,
    /// One changed a file that the other moved or removed, and there are several places where it
    /// may be now.
    RenameUnclear,
    /// Names that are one file on a disk that ignores case.
    NameCollision,
}

/// A path that could not be merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// Where.
    pub path: BookPath,
    /// Why.
    pub kind: ConflictKind,
    /// The other path that is concerned: where the file was moved, or the name that collides.
    pub other: Option<BookPath>,
    /// What was here; none if nothing, or a folder.
    pub base: Option<Side>,
    /// What our side has here.
    pub ours: Option<Side>,
    /// What their side has here.
    pub theirs: Option<Side>,
}

/// A tree or blob that a merge made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewObject {
    /// Which.
    pub kind: Kind,
    /// Its id.
    pub id: Hash,
    /// Its bytes.
    pub bytes: Bytes,
}

/// What came of a merge.
#[derive(Debug, Clone)]
pub struct Merged {
    /// The merged tree.
    pub tree: TreeId,
    /// What was in conflict, by path, and is resolved in the tree as the policy says.
    pub conflicts: Vec<Conflict>,
    /// How many files hold changes of both sides.
    pub merged_files: usize,
    /// Objects that the merge made, each after those that it names. Some may be in the store.
    pub objects: Arc<Vec<NewObject>>,
}

impl OnConflict {
    /// `fail`, `ours`, `theirs` or `markers`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Ours => "ours",
            Self::Theirs => "theirs",
            Self::Markers => "markers",
        }
    }
}

impl FromStr for OnConflict {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let all = [Self::Fail, Self::Ours, Self::Theirs, Self::Markers];
        let rule = "one of fail, ours, theirs, markers";
        let found = all.into_iter().find(|policy| policy.as_str() == text);
        found.ok_or_else(|| NameError::new("conflict policy", text, rule))
    }
}

impl ConflictKind {
    /// The name of the kind, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Content => "content",
            Self::Binary => "binary",
            Self::AddAdd => "add-add",
            Self::EditDelete => "edit-delete",
            Self::FileFolder => "file-folder",
            Self::Kind => "kind",
            Self::RenameRename => "rename-rename",
            Self::RenameDelete => "rename-delete",
            Self::RenameAdd => "rename-add",
            Self::RenameUnclear => "rename-unclear",
            Self::NameCollision => "name-collision",
        }
    }

    /// The reason, for people.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Content => "both changed the same lines",
            Self::Binary => "both changed it, and it cannot be merged by lines",
            Self::AddAdd => "both added it, with different content",
            Self::EditDelete => "one changed it, the other removed it",
            Self::FileFolder => "a file on one side is a folder on the other",
            Self::Kind => "both changed what kind of thing it is, or where a symlink points",
            Self::RenameRename => "each moved it to another place",
            Self::RenameDelete => "one moved it, the other removed it",
            Self::RenameAdd => "one moved it here, the other added another file here",
            Self::RenameUnclear => {
                "one changed it, and the other may have moved it to several places"
            }
            Self::NameCollision => "its name and another are one file on some disks",
        }
    }
}

impl Merged {
    /// That `tree` is the result as it is.
    pub(crate) fn as_is(tree: TreeId) -> Self {
        Self { tree, conflicts: Vec::new(), merged_files: 0, objects: Arc::default() }
    }

    /// Whether nothing was in conflict.
    pub fn is_clean(&self) -> bool {
        self.conflicts.is_empty()
    }
}

impl Repository {
    /// The same repository, which also sees what a merge made. `nearest` is a stored tree that is
    /// much like the merged one.
    pub(crate) fn seeing(&self, merged: &Merged, nearest: Option<TreeId>) -> Self {
        if merged.objects.is_empty() {
            return self.clone();
        }
        let objects = merged.objects.iter().map(|made| (made.kind, made.id, made.bytes.clone()));
        Self { store: self.store.overlaid(objects, nearest), ..self.clone() }
    }
}

/// Whether an entry is a file, executable or not.
const fn is_regular(kind: EntryKind) -> bool {
    matches!(kind, EntryKind::File | EntryKind::Executable)
}
