//! The tree that an index's files make, by its id alone.
//!
//! Most of the time a folder is what it was. Then nothing has to be known of the trees but that
//! the root has the id that is expected; names and rules were checked when that tree was made.

use super::index::{Index, IndexEntry};
use crate::name::{Hash, TreeId};
use crate::object::{EntryKind, Totals, encode_entries};
use crate::repo::Side;

/// A folder whose entries are being met.
struct Open<'a> {
    /// How much of the paths below it is its own path with the slash; 0 for the root.
    prefix: usize,
    name: &'a str,
    entries: Vec<(&'a str, EntryKind, Hash, Totals)>,
}

impl Index {
    /// The id of the tree that all files together make, and its totals. `None` if the totals are
    /// more than a number holds.
    ///
    /// Of files that no tree may hold, the id of no tree.
    pub(super) fn root(&self) -> Option<(TreeId, Totals)> {
        let mut open = vec![Open { prefix: 0, name: "", entries: Vec::new() }];
        let mut before = "";
        for IndexEntry { path, known } in self.entries() {
            // Sorted by path, so that what is below one folder stands together.
            while let Some(folder) = open.pop() {
                if path.as_bytes().starts_with(&before.as_bytes()[..folder.prefix]) {
                    open.push(folder);
                    break;
                }
                close(folder, open.last_mut()?)?;
            }
            let mut prefix = open.last()?.prefix;
            while let Some(length) = path[prefix..].find('/') {
                let name = &path[prefix..prefix + length];
                prefix += length + 1;
                open.push(Open { prefix, name, entries: Vec::new() });
            }
            let Side { kind, id, size } = known.content();
            let entry = (&path[prefix..], kind, *id.hash(), Totals::file(size));
            open.last_mut()?.entries.push(entry);
            before = path;
        }
        while open.len() > 1 {
            let folder = open.pop()?;
            close(folder, open.last_mut()?)?;
        }
        seal(open.pop()?)
    }
}

/// Adds a folder of which all is known to the one above.
fn close<'a>(folder: Open<'a>, above: &mut Open<'a>) -> Option<()> {
    let name = folder.name;
    let (id, totals) = seal(folder)?;
    above.entries.push((name, EntryKind::Tree, *id.hash(), totals));
    Some(())
}

fn seal(mut folder: Open<'_>) -> Option<(TreeId, Totals)> {
    // `a.md` stands before what is in `a` by path, and after `a` by name.
    folder.entries.sort_unstable_by(|a, b| a.0.cmp(b.0));
    let sum = |sum: Totals, entry: &(&str, EntryKind, Hash, Totals)| sum.checked_add(entry.3);
    let totals = folder.entries.iter().try_fold(Totals::default(), sum)?;
    Some((TreeId::of(&encode_entries(folder.entries.into_iter())), totals))
}

#[cfg(test)]
mod tests {
    use super::super::handle::Handle;
    use super::super::index::Known;
    use super::super::stat::Tick;
    use super::*;
    use crate::name::BlobId;

    fn index(paths: &[&str]) -> Index {
        let handle = Handle::open(std::path::Path::new("/")).unwrap();
        let stat = handle.stat(".").unwrap().unwrap();
        let entry = |path: &&str| {
            let id = BlobId::of(path.as_bytes());
            let content = Side { kind: EntryKind::File, id, size: path.len() as u64 };
            IndexEntry { path: (*path).to_owned(), known: Known::new(stat, content, Tick::now()) }
        };
        Index::new(None, paths.iter().map(entry).collect())
    }

    #[test]
    fn is_the_root_of_the_trees_that_the_files_make() {
        for paths in [
            &["a"][..],
            &["a/b/c/d"],
            &["a/b", "a.md", "a-", "a/b.md", "a0/x", "b/a/z", "b/a0", "z"],
            &["a/x/1", "a/y", "b/x/1", "ab/x"],
        ] {
            let index = index(paths);
            let (id, totals) = index.root().unwrap();
            let trees = index.trees();
            let root = &trees[&id];
            assert_eq!(root.totals(), totals, "{paths:?}");
            assert_eq!(totals.files, paths.len() as u64);
        }
    }

    #[test]
    fn differs_with_any_name_kind_and_content() {
        let all = ["a/b", "a/c", "d"];
        let root = index(&all).root().unwrap();
        for other in [&["a/b", "d"][..], &["a/b", "a/c", "e"], &["b/b", "b/c", "d"]] {
            assert_ne!(index(other).root().unwrap(), root);
        }
    }
}
