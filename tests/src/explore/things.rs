//! The objects of the small world by what they are, so that two stores can be told to hold the same.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use cas_core::name::{BookPath, TreeId};
use cas_core::object::{Entry, EntryKind, Kind, Tree, TreeBuilder};
use cas_core::store::layout;
use object_store::path::Path as Key;

use super::checks::Ids;
use super::model::{Files, Model, Number};
use super::scope::{Page, Text};

/// An object of the small world.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Thing {
    /// What a page says.
    Blob(Page, Text),
    /// The folder of a page.
    Folder(Page, Text),
    /// The root of a version.
    Root(Files),
    /// A version.
    Commit(Number),
}

impl Thing {
    /// Where it is stored; `None` if it is a version whose commit is not known.
    pub fn key(&self, ids: &Ids) -> Option<Key> {
        Some(match self {
            Self::Blob(page, text) => layout::object(Kind::Blob, text.id(*page).hash()),
            Self::Folder(page, text) => tree_key(&folder(*page, *text)),
            Self::Root(files) => tree_key(&root(files)),
            Self::Commit(number) => layout::object(Kind::Commit, ids.get(number)?.hash()),
        })
    }

    /// Everything that there can be but versions.
    fn all() -> Vec<Self> {
        let mut all = Vec::new();
        let said = [None, Some(Text::A), Some(Text::B)];
        for page in Page::ALL {
            for text in Text::ALL {
                all.extend([Self::Blob(page, text), Self::Folder(page, text)]);
            }
        }
        for one in said {
            for two in said {
                let files = [(Page::One, one), (Page::Two, two)];
                let files = files.into_iter().filter_map(|(page, text)| Some((page, text?)));
                all.push(Self::Root(files.collect()));
            }
        }
        all
    }
}

/// Everything that there can be, and where.
pub fn all(model: &Model, ids: &Ids) -> Vec<(Thing, Key)> {
    static FIXED: LazyLock<Vec<(Thing, Key)>> = LazyLock::new(|| {
        let fixed = Thing::all().into_iter();
        fixed.filter_map(|thing| Some((thing.clone(), thing.key(&Ids::new())?))).collect()
    });
    let versions = (0..model.versions.len()).map(Thing::Commit);
    let versions = versions.filter_map(|thing| Some((thing.clone(), thing.key(ids)?)));
    FIXED.iter().cloned().chain(versions).collect()
}

/// The keys of everything that some versions are made of, and all before them. Versions whose
/// commits are not known are left out.
pub fn keys_of(model: &Model, ids: &Ids, versions: &[Number]) -> BTreeSet<Key> {
    let mut keys = BTreeSet::new();
    for number in versions.iter().flat_map(|version| model.ancestors(*version)) {
        let files = &model.versions[number].files;
        let mut things = vec![Thing::Commit(number), Thing::Root(files.clone())];
        for (page, text) in files {
            things.extend([Thing::Folder(*page, *text), Thing::Blob(*page, *text)]);
        }
        keys.extend(things.iter().filter_map(|thing| thing.key(ids)));
    }
    keys
}

fn folder(page: Page, text: Text) -> Tree {
    let name = page.path().name().expect("a page has a name");
    let size = text.of(page).len() as u64;
    let mut builder = TreeBuilder::new();
    builder.insert(Entry::blob(name, EntryKind::File, text.id(page), size));
    builder.build().expect("one entry makes a tree")
}

fn root(files: &Files) -> Tree {
    let mut builder = TreeBuilder::new();
    for (page, text) in files {
        let above: BookPath = page.path().parent().expect("a page is in a folder");
        let tree = folder(*page, *text);
        let id: TreeId = tree.encode_with_id().0;
        builder.insert(Entry::tree(above.name().expect("a folder has a name"), id, &tree));
    }
    builder.build().expect("two folders make a tree")
}

fn tree_key(tree: &Tree) -> Key {
    layout::object(Kind::Tree, tree.encode_with_id().0.hash())
}
