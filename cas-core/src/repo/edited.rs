//! Which paths each branch changed: an index, so that a preview opens only the branches that
//! changed what the base changes.
//!
//! It is derived and never the truth: what it says of a branch counts only for the very commits
//! that it was made of, whatever it lacks is found out again, and it may be thrown away.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};

use super::{Change, ChangeStatus};
use crate::name::{BookId, BookPath, CommitId, RefName, collision_key};

/// The version of the file: one that is other is not read.
const VERSION: u32 = 2;

/// How many branches are expected to be known.
const BRANCHES: usize = 10_000;

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

/// What branches changed, as far as there is room to know it.
#[derive(Debug)]
pub struct EditedPaths {
    branches: Cache<Branch, Arc<Edited>, Weigh>,
    changed: AtomicBool,
}

type Branch = (BookId, RefName);

/// About how many bytes it takes to know a branch.
#[derive(Debug, Clone, Copy)]
struct Weigh;

impl Weighter<Branch, Arc<Edited>> for Weigh {
    fn weight(&self, (_, name): &Branch, edited: &Arc<Edited>) -> u64 {
        let keys: usize = edited.paths.keys.iter().map(|key| 64 + key.len()).sum();
        (256 + name.as_str().len() + 32 * edited.own.len() + keys) as u64
    }
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
    /// An empty index that takes about so many bytes at most.
    pub fn new(bytes: u64) -> Self {
        let branches = Cache::with_weighter(BRANCHES, bytes, Weigh);
        Self { branches, changed: AtomicBool::new(false) }
    }

    /// The index in a file; an empty one if there is none that can be read.
    pub fn load(file: &Path, bytes: u64) -> Self {
        let index = Self::new(bytes);
        let read = std::fs::read(file).ok();
        if let Some((VERSION, found)) = read.and_then(|read| postcard::from_bytes(&read).ok()) {
            let found: Vec<(Branch, Edited)> = found;
            for (branch, edited) in found {
                index.branches.insert(branch, Arc::new(edited));
            }
        }
        index
    }

    /// Writes the index to a file, if anything was learned since it was read.
    pub fn save(&self, file: &Path) -> io::Result<()> {
        if !self.changed.load(Ordering::Relaxed) {
            return Ok(());
        }
        let folder = file.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let branches: Vec<_> = self.branches.iter().collect();
        let branches: Vec<_> =
            branches.iter().map(|(branch, edited)| (branch, &**edited)).collect();
        let bytes = postcard::to_stdvec(&(VERSION, branches)).map_err(io::Error::other)?;
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
    pub(crate) fn get(
        &self,
        book: &BookId,
        name: &RefName,
        ours: CommitId,
        base: CommitId,
    ) -> Option<Arc<Edited>> {
        let found = self.branches.get(&(book.clone(), name.clone()))?;
        (found.ours == ours && found.base == base).then_some(found)
    }

    pub(crate) fn set(&self, book: &BookId, name: &RefName, edited: Edited) {
        self.changed.store(true, Ordering::Relaxed);
        self.branches.insert((book.clone(), name.clone()), Arc::new(edited));
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
        assert!(EditedPaths::load(&file, 1 << 20).is_empty());
        let index = EditedPaths::new(1 << 20);
        let book = BookId::parse("guide").unwrap();
        let (ours, base) = (CommitId::of(b"ours"), CommitId::of(b"base"));
        let edited = Edited { ours, base, own: vec![ours], paths: paths(&["a"], false) };
        index.set(&book, &RefName::main(), edited.clone());
        index.save(&file).unwrap();
        let read = EditedPaths::load(&file, 1 << 20);
        assert_eq!(read.get(&book, &RefName::main(), ours, base).as_deref(), Some(&edited));
        assert_eq!(read.get(&book, &RefName::main(), base, base), None);
        let other = BookId::parse("other").unwrap();
        assert_eq!(read.get(&other, &RefName::main(), ours, base), None);
    }

    #[test]
    fn an_index_knows_no_more_than_there_is_room_for() {
        let index = EditedPaths::new(64 << 10);
        let book = BookId::parse("guide").unwrap();
        let ours = CommitId::of(b"ours");
        for n in 0..10_000 {
            let paths = paths(&[&format!("part/{n}.md")], false);
            let name = RefName::parse(&format!("users/{n}")).unwrap();
            index.set(&book, &name, Edited { ours, base: ours, own: vec![ours], paths });
        }
        assert!((10..=256).contains(&index.len()), "{}", index.len());
    }
}
