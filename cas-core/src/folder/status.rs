//! Status: how a checkout's folder differs from what was checked out into it.

use std::path::Path;

use super::FolderError;
use super::handle::Handle;
use super::ignored::Rules;
use super::index::{IndexEntry, Origin};
use super::read::read_file;
use super::scan::scan;
use super::write::State;
use crate::repo::RepoError;

/// What a folder holds, by the index of its last checkout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderStatus {
    /// The book.
    pub book: String,
    /// The ref that was checked out, if one was named.
    pub name: Option<String>,
    /// The commit.
    pub commit: String,
    /// The tree.
    pub tree: String,
    /// The subtree of the version that the folder holds; empty for all of it.
    pub path: String,
    /// Whether a later checkout was interrupted.
    pub interrupted: bool,
    /// What differs, in the order of paths.
    pub items: Vec<StatusItem>,
}

/// A path that differs from what was checked out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusItem {
    /// The path in the folder.
    pub path: String,
    /// How it differs.
    pub state: FolderState,
}

/// How a path differs from what was checked out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FolderState {
    /// Other content, or of another kind.
    Modified,
    /// Not there any more.
    Removed,
    /// Not from the checkout.
    Untracked,
    /// Something that cannot be read, or that no book can hold.
    Unreadable,
}

/// Compares the folder at `path` with the index of its last checkout.
pub fn status(path: &Path) -> Result<FolderStatus, FolderError> {
    let io = |action| move |source| FolderError::Io { action, path: path.to_owned(), source };
    let root = Handle::open(path).map_err(io("open"))?;
    let kept = State::look(&root);
    let interrupted = !kept.pending.is_empty();
    let index = kept.index.unwrap_or_default();
    let Some(origin) = index.origin.clone() else {
        let path = path.to_owned();
        return Err(if interrupted {
            FolderError::Unfinished { path }
        } else {
            FolderError::NotACheckout { path }
        });
    };
    let rules =
        Rules::new(&[]).map_err(|(pattern, reason)| RepoError::Pattern { pattern, reason })?;
    let scan = scan(path, &rules, None, &|_, _| Vec::new()).map_err(io("list"))?;
    let mut items = Vec::new();
    let mut met = std::collections::BTreeSet::new();
    let mut say = |path: String, state| items.push(StatusItem { path, state });
    for folder in &scan.folders {
        for file in &folder.files {
            let path = folder.join(file.name.as_str());
            match index.get(&path) {
                None => say(path, FolderState::Untracked),
                Some(entry) => {
                    met.insert(path.clone());
                    if !is_same(&root, entry, file.kind, &file.stat) {
                        say(path, FolderState::Modified);
                    }
                }
            }
        }
    }
    for fault in scan.faults {
        met.insert(fault.path.clone());
        say(fault.path, FolderState::Unreadable);
    }
    for entry in index.entries().iter().filter(|entry| !met.contains(&entry.path)) {
        // A file that a rule leaves out was not listed, but may be there.
        match root.stat_path(&entry.path).map_err(io("look into"))? {
            None => say(entry.path.clone(), FolderState::Removed),
            Some(stat) => match stat.kind() {
                Some(kind) if is_same(&root, entry, kind, &stat) => {}
                _ => say(entry.path.clone(), FolderState::Modified),
            },
        }
    }
    items.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let Origin { book, name, commit, tree, path } = origin;
    Ok(FolderStatus { book, name, commit, tree, path, interrupted, items })
}

/// Whether a file still is what was checked out; read only if its status does not prove it.
fn is_same(
    root: &Handle,
    entry: &IndexEntry,
    kind: crate::object::EntryKind,
    stat: &super::stat::Fingerprint,
) -> bool {
    entry.known.proves(stat)
        || !kind.is_tree()
            && read_file(root, &entry.path, kind)
                .is_ok_and(|found| found.content == entry.known.content())
}
