//! Where in the newest versions of books something is, so that people know what a fault means.

use std::collections::{BTreeMap, BTreeSet};

use super::{Fault, FsckReport, Upkeep, UpkeepError};
use crate::name::{BookPath, CommitId, Hash, TreeId};
use crate::object::{EntryKind, Kind};
use crate::store::StoreError;

/// How many places are told of one object.
const PLACES: usize = 5;

/// What is looked for, and where it was found.
struct Search {
    wanted: BTreeMap<(Kind, Hash), Vec<String>>,
    /// Trees that were looked into: each is once, at the first place where it is.
    seen: BTreeSet<TreeId>,
}

impl Search {
    fn found(&mut self, kind: Kind, id: Hash, place: impl FnOnce() -> String) {
        if let Some(places) = self.wanted.get_mut(&(kind, id))
            && places.len() < PLACES
        {
            places.push(place());
        }
    }

    fn is_over(&self) -> bool {
        self.wanted.values().all(|places| places.len() >= PLACES)
    }
}

impl Upkeep {
    /// Says of every faulty object where in the newest versions of books it is.
    pub(super) async fn find_places(&self, report: &mut FsckReport) -> Result<(), UpkeepError> {
        let wanted = report.faults.iter().filter_map(|fault| match fault {
            Fault::Object { kind, id, named: true, .. } => Some(((*kind, *id), Vec::new())),
            _ => None,
        });
        let mut search = Search { wanted: wanted.collect(), seen: BTreeSet::new() };
        for (book, name) in self.ref_folders().await?.refs {
            if search.is_over() {
                break;
            }
            // A log that cannot be read was told already.
            let Ok(Some(head)) = self.store.refs().head(&book, &name).await else {
                continue;
            };
            if let Some(commit) = head.entry.target {
                self.search_version(&mut search, &format!("{book}@{name}"), commit).await?;
            }
        }
        for fault in &mut report.faults {
            if let Fault::Object { kind, id, places, .. } = fault
                && let Some(found) = search.wanted.get(&(*kind, *id))
            {
                places.clone_from(found);
            }
        }
        Ok(())
    }

    async fn search_version(
        &self,
        search: &mut Search,
        version: &str,
        commit: CommitId,
    ) -> Result<(), StoreError> {
        search.found(Kind::Commit, *commit.hash(), || version.to_owned());
        let root = match self.store.get_commit(&commit).await {
            Ok(commit) => commit.tree,
            Err(error) if error.is_of_object() => return Ok(()),
            Err(error) => return Err(error),
        };
        search.found(Kind::Tree, *root.hash(), || version.to_owned());
        let mut below = vec![(BookPath::root(), root)];
        while let Some((at, id)) = below.pop() {
            if !search.seen.insert(id) {
                continue;
            }
            let tree = match self.store.get_tree(&id).await {
                Ok(tree) => tree,
                Err(error) if error.is_of_object() => continue,
                Err(error) => return Err(error),
            };
            for entry in tree.entries() {
                // A path that is too long is a fault of the version, and no place.
                let Ok(path) = at.join(&entry.name) else { continue };
                let kind = match entry.kind {
                    EntryKind::Tree => Kind::Tree,
                    _ => Kind::Blob,
                };
                search.found(kind, entry.id, || format!("{version}: {path}"));
                below.extend(entry.tree_id().map(|id| (path, id)));
            }
        }
        Ok(())
    }
}
