//! Saying beforehand what will be read, to a store that would otherwise be asked once for each.

use std::any::Any;
use std::fmt;

use crate::name::{BlobId, TreeId};

/// What a reader is about to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Want {
    /// A tree and all trees below it.
    Tree {
        /// The tree.
        tree: TreeId,
        /// Trees of which the reader has everything, so that nothing below them is wanted.
        have: Vec<TreeId>,
        /// Whether the files are wanted as well.
        contents: bool,
    },
    /// These blobs, with their sizes in bytes.
    Blobs(Vec<(BlobId, u64)>),
}

/// What a store made of an announcement. Dropping it ends that.
#[derive(Default)]
#[must_use = "dropping it takes the announcement back"]
pub struct Prefetch {
    contents: bool,
    held: Option<Box<dyn Any + Send + Sync>>,
}

impl Prefetch {
    /// Nothing: objects are read as they are asked for.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// What is on its way as long as `held` is; `contents` says whether that includes files.
    pub(super) fn coming(held: impl Any + Send + Sync, contents: bool) -> Self {
        Self { contents, held: Some(Box::new(held)) }
    }

    /// Whether announcing makes a difference to this store.
    pub const fn is_useful(&self) -> bool {
        self.held.is_some()
    }

    /// Whether the contents of files that were wanted are on their way too.
    pub const fn brings_contents(&self) -> bool {
        self.contents
    }
}

impl fmt::Debug for Prefetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prefetch").field("useful", &self.is_useful()).finish_non_exhaustive()
    }
}
