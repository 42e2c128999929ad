//! The trees of an imported folder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{Settled, io};
use crate::folder::FolderError;
use crate::folder::scan::Scan;
use crate::name::TreeId;
use crate::object::{Entry, Totals, Tree};
use crate::repo::PathFault;

/// Every tree of a folder.
#[derive(Debug)]
pub(super) struct Trees {
    pub(super) root: TreeId,
    pub(super) totals: Totals,
    pub(super) all: BTreeMap<TreeId, Tree>,
    /// The tree of each scanned folder; none of a folder without files.
    pub(super) by_folder: Vec<Option<TreeId>>,
}

impl Trees {
    /// These trees in groups, each of which names only trees of the groups before it.
    pub(super) fn levels(&self, scan: &Scan, ids: &BTreeSet<TreeId>) -> Vec<Vec<TreeId>> {
        let mut depths = Vec::with_capacity(scan.folders.len());
        // A tree that is in several places is put where it is deepest.
        let mut deepest: BTreeMap<TreeId, usize> = BTreeMap::new();
        for (at, folder) in scan.folders.iter().enumerate() {
            let depth = folder.parent.as_ref().map_or(0, |(parent, _)| depths[*parent] + 1);
            depths.push(depth);
            if let Some(id) = self.by_folder[at].filter(|id| ids.contains(id)) {
                let known = deepest.entry(id).or_default();
                *known = depth.max(*known);
            }
        }
        let mut levels: BTreeMap<usize, Vec<TreeId>> = BTreeMap::new();
        for (id, depth) in deepest {
            levels.entry(depth).or_default().push(id);
        }
        levels.into_values().rev().collect()
    }
}

/// Makes the trees of the settled files from the bottom up: in a scan, every folder stands after
/// the one that holds it. Folders without files stay out.
pub(super) fn build(path: &Path, scan: &Scan, settled: &Settled) -> Result<Trees, FolderError> {
    let mut entries: Vec<Vec<Entry>> = Vec::with_capacity(scan.folders.len());
    for (folder, settled) in scan.folders.iter().zip(settled) {
        let files = folder.files.iter().zip(settled).filter_map(|(file, known)| {
            let content = known.as_ref()?.content();
            Some(Entry::blob(file.name.clone(), content.kind, content.id, content.size))
        });
        entries.push(files.collect());
    }
    let mut all = BTreeMap::new();
    let mut by_folder = vec![None; scan.folders.len()];
    let mut faults = Vec::new();
    let mut root = None;
    for (at, folder) in scan.folders.iter().enumerate().rev() {
        let tree = match Tree::from_entries(std::mem::take(&mut entries[at])) {
            Ok(tree) => tree,
            Err(error) => {
                faults.push(PathFault { path: folder.path.clone(), reason: error.to_string() });
                continue;
            }
        };
        if folder.parent.is_some() && tree.is_empty() {
            continue;
        }
        let (id, _) = tree.encode_with_id();
        match &folder.parent {
            Some((parent, name)) => entries[*parent].push(Entry::tree(name.clone(), id, &tree)),
            None => root = Some((id, tree.totals())),
        }
        by_folder[at] = Some(id);
        all.insert(id, tree);
    }
    if !faults.is_empty() {
        return Err(FolderError::CannotImport { path: path.to_owned(), faults });
    }
    let (root, totals) =
        root.ok_or_else(|| io("list", path, std::io::ErrorKind::NotFound.into()))?;
    Ok(Trees { root, totals, all, by_folder })
}
