//! What a folder's trees have that a branch's present version does not vouch for.
//!
//! Only directories that differ are opened. What the present version names is in the store, since
//! a ref names that version; so what is left is all that has to be put.

use std::collections::{BTreeMap, BTreeSet};

use super::Place;
use super::trees::Trees;
use crate::folder::FolderError;
use crate::folder::scan::Scan;
use crate::name::{EntryName, Hash, TreeId};
use crate::object::{Entry, Tree};
use crate::repo::{RepoError, Repository, for_each};
use crate::store::StoreError;

/// How a folder differs from a version.
#[derive(Debug, Default)]
pub(super) struct Difference {
    /// Files that only the folder has.
    pub(super) added: u64,
    /// Files with other content, or of another kind.
    pub(super) changed: u64,
    /// Files that only the version has.
    pub(super) removed: u64,
    /// Files whose content the version does not vouch for, one of each content.
    pub(super) files: Vec<Place>,
    /// Trees that the version does not vouch for.
    pub(super) trees: BTreeSet<TreeId>,
}

/// A scanned folder, and the tree at its path in the version.
type Pair = (usize, Option<TreeId>);

impl Difference {
    /// The difference from nothing.
    pub(super) fn from_nothing(trees: &Trees) -> Self {
        Self {
            added: trees.totals.files,
            trees: trees.all.keys().copied().collect(),
            ..Self::default()
        }
    }
}

impl Repository {
    /// How the scanned folder differs from the version with the tree `present`.
    ///
    /// With `mistrust`, trees of the version that are missing or damaged vouch for nothing instead
    /// of ending the import.
    pub(super) async fn difference(
        &self,
        scan: &Scan,
        trees: &Trees,
        present: TreeId,
        mistrust: bool,
    ) -> Result<Difference, FolderError> {
        let mut comparison = Comparison::new(scan, trees);
        let mut level: Vec<Pair> = vec![(0, Some(present))];
        while !level.is_empty() {
            let store = self.store.clone();
            let opened = for_each(level, self.jobs, move |(at, id)| {
                let store = store.clone();
                async move {
                    let tree = match id {
                        None => Tree::default(),
                        Some(id) => match store.get_tree_with_faults(&id).await {
                            Ok((tree, _)) => tree,
                            Err(error) if mistrust && is_lost(&error) => Tree::default(),
                            Err(error) => return Err(error),
                        },
                    };
                    Ok((at, tree))
                }
            });
            level = Vec::new();
            for (at, old) in opened.await.map_err(RepoError::from)? {
                comparison.folder(at, &old, &mut level);
            }
        }
        Ok(comparison.finish())
    }
}

/// Whether an object cannot be had from the store, now or later.
pub(super) fn is_lost(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Missing { .. } | StoreError::Damaged { .. } | StoreError::Undecodable { .. }
    )
}

/// A comparison under way.
struct Comparison<'a> {
    scan: &'a Scan,
    trees: &'a Trees,
    /// The folders in each folder, by name.
    folders: Vec<BTreeMap<&'a EntryName, usize>>,
    /// Ids that a directory of the version names; whether of a tree, because a file may hold the
    /// very bytes of a tree.
    vouched: BTreeSet<(bool, Hash)>,
    /// The files of each folder in question, by name.
    names: BTreeMap<usize, BTreeMap<&'a EntryName, usize>>,
    /// Folders that the version does not have at their path.
    new_folders: Vec<usize>,
    files: Vec<(Hash, Place)>,
    difference: Difference,
}

impl<'a> Comparison<'a> {
    fn new(scan: &'a Scan, trees: &'a Trees) -> Self {
        let mut folders = vec![BTreeMap::new(); scan.folders.len()];
        for (at, folder) in scan.folders.iter().enumerate() {
            if let Some((parent, name)) = &folder.parent {
                folders[*parent].insert(name, at);
            }
        }
        Self {
            scan,
            trees,
            folders,
            vouched: BTreeSet::new(),
            names: BTreeMap::new(),
            new_folders: Vec::new(),
            files: Vec::new(),
            difference: Difference::default(),
        }
    }

    /// Compares one folder with the directory `old`; folders that both have become the next level.
    fn folder(&mut self, at: usize, old: &Tree, level: &mut Vec<Pair>) {
        self.vouched.extend(old.entries().iter().map(|entry| (entry.kind.is_tree(), entry.id)));
        let Some((id, new)) = self.tree(at) else {
            self.difference.removed += old.totals().files;
            return;
        };
        self.difference.trees.insert(id);
        for before in old.entries() {
            match new.get(before.name.as_str()) {
                // Met from the other side.
                Some(now) if now.kind.is_tree() == before.kind.is_tree() => {}
                _ => self.difference.removed += before.totals.files,
            }
        }
        for now in new.entries() {
            let before = old.get(now.name.as_str());
            if before.is_some_and(|before| before.same_content(now)) {
                continue;
            }
            match now.tree_id() {
                Some(_) => {
                    let Some(below) = self.folders[at].get(&now.name).copied() else {
                        continue;
                    };
                    match before.and_then(Entry::tree_id) {
                        Some(before) => level.push((below, Some(before))),
                        None => {
                            self.difference.added += now.totals.files;
                            self.new_folders.push(below);
                        }
                    }
                }
                None => {
                    let same_kind = before.is_some_and(|before| !before.kind.is_tree());
                    let counter = if same_kind {
                        &mut self.difference.changed
                    } else {
                        &mut self.difference.added
                    };
                    *counter += 1;
                    self.add_file(at, now);
                }
            }
        }
    }

    /// Everything that has to be put, now that all is known that the version vouches for.
    fn finish(mut self) -> Difference {
        while let Some(at) = self.new_folders.pop() {
            let Some((id, tree)) = self.tree(at) else {
                continue;
            };
            // A folder that moved is there with everything below it.
            if self.vouched.contains(&(true, *id.hash())) || !self.difference.trees.insert(id) {
                continue;
            }
            for entry in tree.entries() {
                if entry.kind.is_tree() {
                    self.new_folders.extend(self.folders[at].get(&entry.name));
                } else {
                    self.add_file(at, entry);
                }
            }
        }
        let Self { mut difference, vouched, mut files, .. } = self;
        difference.trees.retain(|id| !vouched.contains(&(true, *id.hash())));
        files.sort_unstable();
        files.dedup_by_key(|(id, _)| *id);
        files.retain(|(id, _)| !vouched.contains(&(false, *id)));
        difference.files = files.into_iter().map(|(_, place)| place).collect();
        // In the order of the scan, so that neighbours on the disk are read together.
        difference.files.sort_unstable();
        difference
    }

    fn add_file(&mut self, at: usize, entry: &Entry) {
        let files = &self.scan.folders[at].files;
        let names = self.names.entry(at).or_insert_with(|| {
            files.iter().enumerate().map(|(nth, file)| (&file.name, nth)).collect()
        });
        if let Some(nth) = names.get(&entry.name) {
            self.files.push((entry.id, (at, *nth)));
        }
    }

    fn tree(&self, at: usize) -> Option<(TreeId, &'a Tree)> {
        let id = self.trees.by_folder[at]?;
        self.trees.all.get(&id).map(|tree| (id, tree))
    }
}
