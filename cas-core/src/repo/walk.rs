//! Everything below a tree, level by level.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::read::Found;
use super::{Globs, RepoError, Repository, for_each};
use crate::name::{BlobId, BookPath, TreeId};
use crate::object::{EntryKind, Totals, Tree, check_symlink};
use crate::store::StoreError;
use crate::store::Want;

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

/// Most files that an archive or a search looks at. Each takes some 200 bytes of memory meanwhile.
pub const FILES_AT_ONCE: u64 = 1_000_000;

/// The fault of a tree whose totals are not what its entry in the tree above says.
const WRONG_TOTALS: &str = "the folder's size and count are not what the folder above says";

/// A directory still to be looked into.
struct Below {
    path: BookPath,
    id: TreeId,
    /// What the entry above says is in it; the root has none.
    said: Option<Totals>,
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

/// A tree and the trees below it, without files.
const fn trees_below(tree: TreeId) -> Want {
    Want::Tree { tree, have: Vec::new(), contents: false }
}

impl Repository {
    /// Everything below `root`, which is at `at` in its book. One wave of reads for each level.
    pub(crate) async fn list_all(&self, at: &BookPath, root: TreeId) -> Result<Listing, RepoError> {
        let _coming = self.store.prefetch(trees_below(root)).await?;
        self.list_at_most(at, root, Arc::default(), u64::MAX).await
    }

    /// The same, without reading the trees that are `known`, and refusing to list more than
    /// `most` files.
    ///
    /// A tree that holds more or less than the entry above it says is a fault, and is not gone
    /// into: so there is never more to walk than the root's totals say, however few bytes a
    /// hostile tree may have.
    pub(crate) async fn list_at_most(
        &self,
        at: &BookPath,
        root: TreeId,
        known: Arc<KnownTrees>,
        most: u64,
    ) -> Result<Listing, RepoError> {
        let mut listing = Listing::default();
        let mut level = vec![Below { path: at.clone(), id: root, said: None }];
        while !level.is_empty() {
            let (here, elsewhere): (Vec<_>, Vec<_>) =
                level.into_iter().partition(|below| known.contains_key(&below.id));
            let store = self.store.clone();
            let read = for_each(elsewhere, self.jobs, move |below| {
                let store = store.clone();
                async move {
                    let (tree, faults) = store.get_tree_with_faults(&below.id).await?;
                    Ok::<_, RepoError>((below, Cow::Owned(tree), faults))
                }
            })
            .await?;
            let here = here.into_iter().filter_map(|below| {
                let tree = known.get(&below.id)?;
                Some((below, Cow::Borrowed(tree), Vec::new()))
            });
            level = Vec::new();
            for (below, tree, faults) in read.into_iter().chain(here) {
                let Below { path, id, said } = below;
                let fault = |reason: String| PathFault { path: path.to_string(), reason };
                let totals = tree.totals();
                if said.is_none() && totals.files > most {
                    return Err(RepoError::TooManyFiles { files: totals.files, most });
                }
                let lies = said.is_some_and(|said| {
                    if faults.is_empty() {
                        totals != said
                    } else {
                        // What is left out counts too.
                        totals.size > said.size || totals.files > said.files
                    }
                });
                listing.faults.extend(faults.into_iter().map(|error| fault(error.to_string())));
                listing.trees.push((path.clone(), id, totals));
                if lies {
                    listing.faults.push(fault(WRONG_TOTALS.to_owned()));
                    continue;
                }
                for entry in tree.entries() {
                    let below = match path.join(&entry.name) {
                        Ok(below) => below,
                        Err(error) => {
                            listing.faults.push(fault(error.to_string()));
                            continue;
                        }
                    };
                    match (entry.tree_id(), entry.blob_id()) {
                        (Some(id), _) => {
                            level.push(Below { path: below, id, said: Some(entry.totals) });
                        }
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

    /// The files of `root` at `path` and below it that `globs` choose, in the order of their
    /// paths; an error if any tree on the way breaks a rule.
    pub(crate) async fn leaves(
        &self,
        root: TreeId,
        path: &BookPath,
        globs: &Globs,
    ) -> Result<Vec<Leaf>, RepoError> {
        let mut leaves = match self.find(root, path).await? {
            None => return Err(RepoError::NoPath { path: path.clone() }),
            Some(Found::Root(tree)) => self.leaves_below(path, tree).await?,
            Some(Found::Entry(entry)) => match entry.tree_id() {
                Some(tree) => self.leaves_below(path, tree).await?,
                None => vec![Leaf {
                    path: path.clone(),
                    kind: entry.kind,
                    id: BlobId(entry.id),
                    size: entry.totals.size,
                }],
            },
        };
        leaves.retain(|leaf| globs.is_match(leaf.path.as_str()));
        Ok(leaves)
    }

    async fn leaves_below(&self, at: &BookPath, tree: TreeId) -> Result<Vec<Leaf>, RepoError> {
        let _coming = self.store.prefetch(trees_below(tree)).await?;
        let listing = self.list_at_most(at, tree, Arc::default(), FILES_AT_ONCE).await?;
        if listing.faults.is_empty() {
            Ok(listing.leaves)
        } else {
            Err(RepoError::BadTree { faults: listing.faults })
        }
    }

    /// What is wrong with where `links` point; a target that cannot be read comes with its path.
    pub(crate) async fn link_faults(
        &self,
        links: Vec<Leaf>,
    ) -> Result<Vec<PathFault>, (BookPath, StoreError)> {
        let store = self.store.clone();
        let checked = for_each(links, self.jobs, move |leaf| {
            let store = store.clone();
            async move {
                let target = match store.get_small_blob(&leaf.id, leaf.size).await {
                    Ok(target) => target,
                    Err(error) => return Err((leaf.path, error)),
                };
                Ok(check_symlink(&leaf.path, &target).err().map(|error| PathFault {
                    path: leaf.path.to_string(),
                    reason: format!("it points to {:?}: {}", error.target, error.rule),
                }))
            }
        });
        Ok(checked.await?.into_iter().flatten().collect())
    }
}
