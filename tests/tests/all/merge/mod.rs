//! Merging: every case of `docs/merge.md`, random trees, git as the second opinion, and history.

mod bases;
mod cases;
mod git;
mod properties;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use cas_core::name::{BlobId, BookPath, TreeId};
use cas_core::object::EntryKind;
use cas_core::repo::{Conflict, Merged, OnConflict, Repository};
use cas_tests::planted::{Planted, plant};
use object_store::memory::InMemory;

use crate::world::repository;

const POLICIES: [OnConflict; 4] =
    [OnConflict::Fail, OnConflict::Ours, OnConflict::Theirs, OnConflict::Markers];

/// Files by path.
type Files = BTreeMap<String, (EntryKind, Bytes)>;

/// What a merge gave, read back.
#[derive(Debug)]
struct Outcome {
    merged: Arc<Merged>,
    files: Files,
}

fn shelf() -> Repository {
    repository(Arc::new(InMemory::new()), 0, "ada")
}

async fn planted(repo: &Repository, files: &Files) -> TreeId {
    let file = |(path, (kind, content)): (&String, &(EntryKind, Bytes))| Planted {
        path: path.clone(),
        kind: *kind,
        content: content.clone(),
    };
    plant(repo.store(), &files.iter().map(file).collect::<Vec<_>>()).await
}

/// Merges three trees, and reads everything that the result names.
async fn merge(repo: &Repository, three: [TreeId; 3], policy: OnConflict) -> Outcome {
    let [base, ours, theirs] = three;
    let (merged, sees) = repo.merge_trees(base, ours, theirs, policy).await.unwrap();
    let files = read(&sees, merged.tree).await;
    Outcome { merged, files }
}

/// Every file of a tree.
async fn read(repo: &Repository, tree: TreeId) -> Files {
    let mut files = Files::new();
    for item in repo.list(tree, &BookPath::root(), true).await.unwrap() {
        let content = repo.read_file(tree, &item.path).await.unwrap();
        let content = content.into_bytes(u64::MAX).unwrap().unwrap();
        assert_eq!(*BlobId::of(&content).hash(), item.id, "{}", item.path);
        assert_eq!(content.len() as u64, item.totals.size, "{}", item.path);
        files.insert(item.path.to_string(), (item.kind, content));
    }
    files
}

/// A conflict as kind, path and the other path.
fn named(conflict: &Conflict) -> (String, String, Option<String>) {
    let other = conflict.other.as_ref().map(ToString::to_string);
    (conflict.kind.as_str().to_owned(), conflict.path.to_string(), other)
}
