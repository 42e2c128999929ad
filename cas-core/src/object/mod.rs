//! Blobs, trees and commits as values: pure, no I/O, no async.
//!
//! **Architecture invariant:** nothing here knows where objects are kept.

use serde::{Deserialize, Serialize};

pub mod codec;
mod commit;
mod metadata;
mod symlink;
mod tree;

pub use codec::DecodeError;
pub use commit::Commit;
pub(crate) use commit::check_message;
pub use metadata::Metadata;
pub(crate) use metadata::MetadataWire;
pub use symlink::{SymlinkError, check_symlink};
pub(crate) use tree::encode_entries;
pub use tree::{Entry, EntryKind, Totals, Tree, TreeBuilder, TreeError, collisions};

/// The kinds of stored object. Each has its own key space, so ids of two kinds never meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A file's exact bytes.
    Blob,
    /// One directory.
    Tree,
    /// One version of a book.
    Commit,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Blob, Self::Tree, Self::Commit];

    /// `blob`, `tree` or `commit`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Blob => "blob",
            Self::Tree => "tree",
            Self::Commit => "commit",
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}
