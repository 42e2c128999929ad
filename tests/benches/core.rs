//! How long the pure parts take: hashing, encoding, comparing, merging. Nothing touches a disk.
//!
//! ```sh
//! cargo bench -p cas-tests
//! ```

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use cas_core::env::Env;
use cas_core::name::{Actor, BlobId, BookPath, EntryName, TreeId};
use cas_core::object::{Entry, EntryKind, Tree};
use cas_core::repo::{MergeMemo, OnConflict, Repository};
use cas_core::store::{Bucket, MemoryCache, Session, Store};
use divan::Bencher;
use divan::counter::BytesCount;
use object_store::memory::InMemory;
use tokio::runtime::Runtime;

fn main() {
    divan::main();
}

const KIB: usize = 1024;

/// The id of a blob of so many bytes.
#[divan::bench(args = [KIB, 6 * KIB, 64 * KIB, 1024 * KIB, 16 * 1024 * KIB])]
fn blob_id(bencher: Bencher<'_, '_>, len: usize) {
    let bytes = vec![b'x'; len];
    bencher.counter(BytesCount::new(len)).bench_local(|| BlobId::of(black_box(&bytes)));
}

#[divan::bench(args = [10, 100, 1000])]
fn tree_encode(bencher: Bencher<'_, '_>, entries: usize) {
    let tree = tree_of(entries);
    bencher.bench_local(|| black_box(&tree).encode_with_id());
}

#[divan::bench(args = [10, 100, 1000])]
fn tree_decode(bencher: Bencher<'_, '_>, entries: usize) {
    let bytes = tree_of(entries).encode();
    bencher.bench_local(|| Tree::decode(black_box(&bytes)));
}

/// What differs between two versions of so many files, 1 % apart.
#[divan::bench(args = [2_000, 20_000])]
fn diff_one_percent(bencher: Bencher<'_, '_>, files: usize) {
    let book = Book::new(files);
    let (old, new) = (book.version(&[]), book.version(&book.one_percent()));
    let repo = book.repo();
    bencher.bench_local(|| {
        let changes = book.runtime.block_on(repo.diff(old, new, &BookPath::root()));
        assert_eq!(changes.map(|changes| changes.len()).ok(), Some(files / 100));
    });
}

/// A reader's three edits of a book of so many files, of which the base changed 1 %. The trees are in
/// the cache, as they are in a server or a sync of many; no merge is remembered.
#[divan::bench(args = [2_000, 20_000])]
fn merge_three_edits(bencher: Bencher<'_, '_>, files: usize) {
    let book = Book::new(files);
    let base = book.version(&[]);
    let theirs = book.version(&book.one_percent());
    // Two of them are in files that the base changed, in other lines.
    let ours = book.version(&[(0, 40), (100, 40), (files / 2 + 1, 40)]);
    let repo = book.repo();
    bencher.bench_local(|| {
        let repo = repo.clone().with_merges(Arc::new(MergeMemo::default()));
        let merging = repo.merge_trees(base, ours, theirs, OnConflict::Fail);
        let (merged, _) = book.runtime.block_on(merging).expect("memory answers");
        assert!(merged.conflicts.is_empty());
        merged
    });
}

fn tree_of(entries: usize) -> Tree {
    let entries = (0..entries).map(|n| {
        let id = BlobId::of(&n.to_le_bytes());
        Entry::blob(name(&format!("{n:04}-lesson.md")), EntryKind::File, id, 6_000)
    });
    Tree::from_entries(entries).expect("the names are good")
}

fn name(text: &str) -> EntryName {
    EntryName::parse(text).expect("the name is good")
}

/// Files of 60 lines in folders of 50, 20 folders in a part; in memory, with a cache.
struct Book {
    runtime: Runtime,
    store: Store,
    files: usize,
}

impl Book {
    fn new(files: usize) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let bucket = Bucket::new(Arc::new(InMemory::new()));
        let store = Store::in_bucket(&bucket, &Env::system());
        let store = store.cached_in_memory(MemoryCache::new(1 << 30));
        Self { runtime: runtime.expect("a runtime can be had"), store, files }
    }

    fn repo(&self) -> Repository {
        let actor = Actor::parse("bench").expect("the name is good");
        Repository::new(self.store.clone(), Env::system(), actor, 1)
    }

    /// An edit of line 5 in every hundredth file.
    fn one_percent(&self) -> Vec<(usize, usize)> {
        (0..self.files).step_by(100).map(|file| (file, 5)).collect()
    }

    /// The tree with these lines of these files changed.
    fn version(&self, edits: &[(usize, usize)]) -> TreeId {
        self.runtime.block_on(async {
            let session = self.store.session().await.expect("memory can be written to");
            let files: Vec<usize> = (0..self.files).collect();
            let mut parts = Vec::new();
            for (part, files) in files.chunks(1_000).enumerate() {
                let mut folders = Vec::new();
                for (folder, files) in files.chunks(50).enumerate() {
                    let mut entries = Vec::new();
                    for file in files {
                        entries.push(put_file(&session, *file, edits).await);
                    }
                    folders
                        .push(put_tree(&session, &format!("{folder:02}-chapter"), entries).await);
                }
                parts.push(put_tree(&session, &format!("{part:02}-part"), folders).await);
            }
            let root = put_tree(&session, "root", parts).await;
            session.publish().await.expect("memory can be written to");
            root.tree_id().expect("it is a tree")
        })
    }
}

async fn put_file(session: &Session, file: usize, edits: &[(usize, usize)]) -> Entry {
    let changed = |line| edits.contains(&(file, line));
    let line = |line| {
        let end = if changed(line) { "as it is now" } else { "as it was first written" };
        format!("Line {line} of lesson {file}, {end}.\n")
    };
    let text: String = (0..60).map(line).collect();
    let size = text.len() as u64;
    let (id, _) = session.put_blob(Bytes::from(text)).await.expect("memory can be written to");
    Entry::blob(name(&format!("{file:05}-lesson.md")), EntryKind::File, id, size)
}

async fn put_tree(session: &Session, called: &str, entries: Vec<Entry>) -> Entry {
    let tree = Tree::from_entries(entries).expect("the names are good");
    let (id, _) = session.put_tree(&tree).await.expect("memory can be written to");
    Entry::tree(name(called), id, &tree)
}
