//! Which paths each branch changed: an index, so that a preview opens only the branches that
//! changed what the base changes.
//!
//! It is derived and never the truth: what it says of a branch counts only for the very commits
//! that it was made of, whatever it lacks is found out again, and it may be thrown away.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Change, ChangeStatus};
use crate::name::{BookPath, CommitId, RefName, collision_key};

/// The version of the file: one that is other is not read.
const VERSION: u32 = 1;

/// Paths that differ between two versions, as they are on a disk that ignores case.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Paths {
    keys: BTreeSet<String>,
    /// Whether there is a file where none was.
    adds: bool,
}

/// What one branch changed since it met its upstream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Edited {
    /// Where the branch pointed.
    pub(crate) ours: CommitId,
    /// Where it had met its upstream.
    pub(crate) base: CommitId,
    /// Its commits since then.
    pub(crate) own: Vec<CommitId>,
    /// What differs.
    pub(crate) paths: Paths,
}

/// What the branches of a book changed.
#[derive(Debug, Default)]
pub struct EditedPaths {
    branches: BTreeMap<RefName, Edited>,
    changed: bool,
}

impl Paths {
    pub(crate) fn of(changes: &[Change]) -> Self {
        let key = |path: &BookPath| collision_key(path.as_str());
        let keys = changes.iter().flat_map(|change| {
            [Some(&change.path), change.from.as_ref()].into_iter().flatten().map(key)
        });
        let adds =
            |change: &Change| matches!(change.status, ChangeStatus::Added | ChangeStatus::Renamed);
        Self { keys: keys.collect(), adds: changes.iter().any(adds) }
    }

    /// Whether merging these changes with `other` cannot meet at any path: no path is in both, or
    /// in a folder that is one in the other. Where both add files, folders may meet that differ
    /// only in case, so that nothing is said.
    pub(crate) fn is_apart(&self, other: &Self) -> bool {
        if self.adds && other.adds {
            return false;
        }
        let (few, many) =
            if self.keys.len() < other.keys.len() { (self, other) } else { (other, self) };
        few.keys.iter().all(|key| {
            let below = format!("{key}/");
            let inside = many.keys.range(below.clone()..).next();
            let above = key.match_indices('/').any(|(at, _)| many.keys.contains(&key[..at]));
            !many.keys.contains(key)
                && !inside.is_some_and(|found| found.starts_with(&below))
                && !above
        })
    }
}

impl EditedPaths {
    /// The index in a file; an empty one if there is none that can be read.
    pub fn load(file: &Path) -> Self {
        let read = std::fs::read(file).ok();
        let found = read.and_then(|bytes| postcard::from_bytes(&bytes).ok());
        let branches = match found {
            Some((VERSION, branches)) => branches,
            Some(_) | None => BTreeMap::new(),
        };
        Self { branches, changed: false }
    }

    /// Writes the index to a file, if anything was learned since it was read.
    pub fn save(&self, file: &Path) -> io::Result<()> {
        if !self.changed {
            return Ok(());
        }
        let folder = file.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let bytes = postcard::to_stdvec(&(VERSION, &self.branches)).map_err(io::Error::other)?;
        let mut written = tempfile::NamedTempFile::new_in(folder)?;
        written.write_all(&bytes)?;
        written.persist(file)?;
        Ok(())
    }

    /// How many branches it knows.
    pub fn len(&self) -> usize {
        self.branches.len()
    }

    /// Whether it knows none.
    pub fn is_empty(&self) -> bool {
        self.branches.is_empty()
    }

    /// What a branch that is there and met its upstream there changed, if that is known.
    pub(crate) fn get(&self, name: &RefName, ours: CommitId, base: CommitId) -> Option<&Edited> {
        self.branches.get(name).filter(|found| found.ours == ours && found.base == base)
    }

    pub(crate) fn set(&mut self, name: RefName, edited: Edited) {
        self.changed = true;
        self.branches.insert(name, edited);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(keys: &[&str], adds: bool) -> Paths {
        Paths { keys: keys.iter().map(|key| (*key).to_owned()).collect(), adds }
    }

    #[test]
    fn paths_meet_where_one_is_the_other_or_in_it() {
        let own = paths(&["a/b", "c"], false);
        for apart in [&["a/c", "cc"][..], &["a/bb", "b"], &[]] {
            assert!(own.is_apart(&paths(apart, true)), "{apart:?}");
            assert!(paths(apart, true).is_apart(&own), "{apart:?}");
        }
        for meeting in [&["a/b"][..], &["a"], &["a/b/x"], &["x", "c/y"]] {
            assert!(!own.is_apart(&paths(meeting, false)), "{meeting:?}");
            assert!(!paths(meeting, false).is_apart(&own), "{meeting:?}");
        }
        assert!(!paths(&["a"], true).is_apart(&paths(&["b"], true)));
    }

    #[test]
    fn an_index_that_cannot_be_read_is_empty() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("index");
        std::fs::write(&file, b"something else").unwrap();
        assert!(EditedPaths::load(&file).is_empty());
        let mut index = EditedPaths::default();
        let (ours, base) = (CommitId::of(b"ours"), CommitId::of(b"base"));
        let edited = Edited { ours, base, own: vec![ours], paths: paths(&["a"], false) };
        index.set(RefName::main(), edited.clone());
        index.save(&file).unwrap();
        let read = EditedPaths::load(&file);
        assert_eq!(read.get(&RefName::main(), ours, base), Some(&edited));
        assert_eq!(read.get(&RefName::main(), base, base), None);
    }
}
