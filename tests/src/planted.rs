//! Trees put into a store without a folder to import.

use std::collections::BTreeMap;

use bytes::Bytes;
use cas_core::name::{BlobId, BookPath, EntryName, TreeId};
use cas_core::object::{Entry, EntryKind, TreeBuilder};
use cas_core::store::{ByteStream, Store};

/// One file of a tree: path, kind and content, or the target of a symlink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planted {
    /// Where it is.
    pub path: String,
    /// What it is.
    pub kind: EntryKind,
    /// Its content.
    pub content: Bytes,
}

impl Planted {
    /// A file.
    pub fn file(path: impl Into<String>, content: impl Into<Bytes>) -> Self {
        Self { path: path.into(), kind: EntryKind::File, content: content.into() }
    }

    /// An executable.
    pub fn executable(path: impl Into<String>, content: impl Into<Bytes>) -> Self {
        Self { kind: EntryKind::Executable, ..Self::file(path, content) }
    }

    /// A symlink.
    pub fn link(path: impl Into<String>, target: impl Into<Bytes>) -> Self {
        Self { kind: EntryKind::Symlink, ..Self::file(path, target) }
    }
}

/// Writes files, with the trees that hold them, and publishes them. Returns the root.
///
/// # Panics
///
/// If the store fails, or no book can hold a path.
pub async fn plant(store: &Store, files: &[Planted]) -> TreeId {
    let session = store.session().await.expect("the store can be written to");
    let mut folders = BTreeMap::from([(BookPath::root(), TreeBuilder::new())]);
    for file in files {
        let path = BookPath::parse(&file.path).expect("a path of a book");
        let id = BlobId::of(&file.content);
        let content = ByteStream::from_bytes(file.content.clone());
        session.put_blob_stream(id, content).await.expect("a blob can be written");
        let entry = Entry::blob(name(&path), file.kind, id, file.content.len() as u64);
        let mut folder = parent(&path);
        folders.entry(folder.clone()).or_default().insert(entry);
        while !folder.is_root() {
            folder = parent(&folder);
            folders.entry(folder.clone()).or_default();
        }
    }
    // What is below sorts after what it is in.
    while let Some((path, builder)) = folders.pop_last() {
        let tree = builder.build().expect("the entries of a tree");
        let (id, _) = session.put_tree(&tree).await.expect("a tree can be written");
        if path.is_root() {
            session.publish().await.expect("the store can be written to");
            return id;
        }
        let above = folders.entry(parent(&path)).or_default();
        above.insert(Entry::tree(name(&path), id, &tree));
    }
    unreachable!("the root is the first of all folders")
}

fn name(path: &BookPath) -> EntryName {
    path.name().expect("only the root has no name")
}

fn parent(path: &BookPath) -> BookPath {
    path.parent().expect("only the root is in no folder")
}
