//! Where what is seen at each path of a live branch comes from.
//!
//! Told by content: what is seen is compared with what the two sides have at the same path. Only
//! folders that are not as upstream has them are opened, and they are mostly remembered since they
//! were merged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{ListItem, Reading, RepoError, Repository, Sides, Source};
use crate::name::{BookPath, EntryName, Hash, TreeId};
use crate::object::{EntryKind, Tree};

/// Something that is seen: where, of what kind, and its id.
pub type Place<'a> = (&'a BookPath, EntryKind, Hash);

/// A folder of a live branch.
#[derive(Debug, Clone)]
enum Folder {
    /// All below is as upstream has it.
    Upstream,
    /// Something below may be the branch's own.
    Apart { seen: Side, ours: Side, theirs: Side },
}

/// A folder on one side; none if it is not there.
type Side = Option<Arc<Tree>>;

impl Reading {
    /// Where each item of a listing comes from; the answers are in the same order.
    pub async fn sources(&self, items: &[ListItem]) -> Result<Vec<Source>, RepoError> {
        let places: Vec<_> = items.iter().map(|item| (&item.path, item.kind, item.id)).collect();
        self.sources_at(&places).await
    }

    /// Where what is seen at each place comes from; the answers are in the same order. A folder in
    /// which both sides have something of their own is merged; one with a conflict in it is in
    /// conflict.
    pub async fn sources_at(&self, places: &[Place<'_>]) -> Result<Vec<Source>, RepoError> {
        let Some(sides) = &self.live else {
            return Ok(vec![self.source; places.len()]);
        };
        let mut contradicting = BTreeSet::new();
        for conflict in sides.conflicts() {
            let with_folders = std::iter::successors(Some(conflict.path.clone()), BookPath::parent);
            contradicting.extend(with_folders);
        }
        let mut folders = BTreeMap::new();
        let mut sources = Vec::with_capacity(places.len());
        for place in places {
            let (path, ..) = place;
            if contradicting.contains(path) {
                sources.push(Source::Conflict);
                continue;
            }
            let (Some(parent), Some(name)) = (path.parent(), path.name()) else {
                sources.push(self.source);
                continue;
            };
            sources.push(match self.folder_of(sides, &mut folders, &parent).await? {
                Folder::Upstream => Source::Upstream,
                Folder::Apart { theirs, .. } if has(&theirs, &name, place) => Source::Upstream,
                Folder::Apart { ours, .. } if has(&ours, &name, place) => Source::Own,
                Folder::Apart { .. } => Source::Merged,
            });
        }
        Ok(sources)
    }

    /// The folder at a path, and those on the way, each of which is looked at once.
    async fn folder_of(
        &self,
        sides: &Sides,
        folders: &mut BTreeMap<BookPath, Folder>,
        path: &BookPath,
    ) -> Result<Folder, RepoError> {
        if let Some(found) = folders.get(path) {
            return Ok(found.clone());
        }
        let mut at = BookPath::root();
        let roots = [Some(self.tree), Some(sides.ours), Some(sides.theirs)];
        let mut folder = match folders.get(&at) {
            Some(found) => found.clone(),
            None => self.repo.compared(roots).await?,
        };
        folders.insert(at.clone(), folder.clone());
        for segment in path.segments() {
            at = at.join(&EntryName::parse(segment)?)?;
            folder = match (folders.get(&at), &folder) {
                (Some(found), _) => found.clone(),
                (None, Folder::Upstream) => Folder::Upstream,
                (None, Folder::Apart { seen, ours, theirs }) => {
                    let below = |side: &Side| side.as_ref()?.get(segment)?.tree_id();
                    self.repo.compared([seen, ours, theirs].map(below)).await?
                }
            };
            folders.insert(at.clone(), folder.clone());
        }
        Ok(folder)
    }
}

impl Repository {
    /// A folder by its trees: what is seen, the branch's own, and upstream's.
    async fn compared(&self, trees: [Option<TreeId>; 3]) -> Result<Folder, RepoError> {
        let [seen, ours, theirs] = trees;
        if seen == theirs {
            return Ok(Folder::Upstream);
        }
        let (seen, ours) = (self.side(seen).await?, self.side(ours).await?);
        Ok(Folder::Apart { seen, ours, theirs: self.side(theirs).await? })
    }

    async fn side(&self, tree: Option<TreeId>) -> Result<Side, RepoError> {
        Ok(match tree {
            Some(id) => Some(self.merges.tree(&self.store, id).await?),
            None => None,
        })
    }
}

/// Whether a folder has just this under a name.
fn has(folder: &Side, name: &EntryName, (_, kind, id): &Place<'_>) -> bool {
    let entry = folder.as_ref().and_then(|folder| folder.get(name.as_str()));
    entry.is_some_and(|entry| entry.kind == *kind && entry.id == *id)
}
