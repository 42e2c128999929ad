//! Everything below a tree, level by level.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::{RepoError, Repository, for_each};
use crate::name::{BlobId, BookPath, TreeId};
use crate::object::{EntryKind, Totals, Tree};

/// A file, executable or symlink of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// Where it is.
    pub path: BookPath,
    /// What it is; never a tree.
    pub kind: EntryKind,
    /// Its content.
    pub id: BlobId,
    /// Its size in bytes.
    pub size: u64,
}

/// Everything below a tree.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// Files and symlinks, in the order of their paths' bytes.
    pub leaves: Vec<Leaf>,
    /// Every tree with its path and totals, the root first, in the order of paths.
    pub trees: Vec<(BookPath, TreeId, Totals)>,
    /// What breaks a rule: names that no disk or not every disk can hold.
    pub faults: Vec<PathFault>,
}

/// Trees that need not be read.
pub(crate) type KnownTrees = BTreeMap<TreeId, Tree>;

/// Something about a path that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathFault {
    /// Where; empty for the root.
    pub path: String,
    /// The rule.
    pub reason: String,
}

impl fmt::Display for PathFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.reason)
        } else {
            write!(f, "{}: {}", one_line(&self.path), self.reason)
        }
    }
}

/// A path of a disk as one line of text: names there may hold control characters, which would
/// break the list that the path is in, or speak to a terminal.
pub fn one_line(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for c in path.chars() {
        if c.is_control() {
            text.extend(c.escape_default());
        } else {
            text.push(c);
        }
    }
    text
}

impl Repository {
    /// Everything below `root`, which is at `at` in its book. One wave of reads for each level.
    pub(crate) async fn list_all(&self, at: &BookPath, root: TreeId) -> Result<Listing, RepoError> {
        self.list_unknown(at, root, Arc::default()).await
    }

    /// The same, without reading the trees that are `known`.
    pub(crate) async fn list_unknown(
        &self,
        at: &BookPath,
        root: TreeId,
        known: Arc<KnownTrees>,
    ) -> Result<Listing, RepoError> {
        let mut listing = Listing::default();
        let mut level = vec![(at.clone(), root)];
        while !level.is_empty() {
            let (here, elsewhere): (Vec<_>, Vec<_>) =
                level.into_iter().partition(|(_, id)| known.contains_key(id));
            let store = self.store.clone();
            let read = for_each(elsewhere, self.jobs, move |(path, id)| {
                let store = store.clone();
                async move {
                    let (tree, faults) = store.get_tree_with_faults(&id).await?;
                    Ok::<_, RepoError>((path, id, Cow::Owned(tree), faults))
                }
            })
            .await?;
            let here = here.into_iter().filter_map(|(path, id)| {
                Some((path, id, Cow::Borrowed(known.get(&id)?), Vec::new()))
            });
            level = Vec::new();
            for (path, id, tree, faults) in read.into_iter().chain(here) {
                let fault = |reason: String| PathFault { path: path.to_string(), reason };
                listing.faults.extend(faults.into_iter().map(|error| fault(error.to_string())));
                listing.trees.push((path.clone(), id, tree.totals()));
                for entry in tree.entries() {
                    let below = match path.join(&entry.name) {
                        Ok(below) => below,
                        Err(error) => {
                            listing.faults.push(fault(error.to_string()));
                            continue;
                        }
                    };
                    match (entry.tree_id(), entry.blob_id()) {
                        (Some(id), _) => level.push((below, id)),
                        (None, Some(id)) => {
                            let leaf =
                                Leaf { path: below, kind: entry.kind, id, size: entry.totals.size };
                            listing.leaves.push(leaf);
                        }
                        (None, None) => {}
                    }
                }
            }
        }
        listing.leaves.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        listing.trees.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        Ok(listing)
    }
}
