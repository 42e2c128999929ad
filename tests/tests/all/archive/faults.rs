//! What is missing, damaged or hostile ends an archive in an error: none is ever whole and wrong.

use std::sync::Arc;

use cas_core::ErrorKind;
use cas_core::name::{BlobId, Hash, TreeId};
use cas_core::object::{Kind, codec};
use cas_core::repo::{ArchiveFormat, RepoError};
use cas_core::store::layout;
use cas_tests::planted::{Planted, plant};
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use object_store::path::Path as Key;

use super::{archive, in_memory, noise, read, request, whole};

/// Three files, of which the middle one has `size` bytes.
fn three(size: usize) -> Vec<Planted> {
    vec![
        Planted::file("a", noise(1000, 1)),
        Planted::file("b", noise(size, 2)),
        Planted::file("c", noise(1000, 3)),
    ]
}

fn key(id: &Hash) -> Key {
    layout::object(Kind::Blob, id)
}

async fn spoil(memory: &InMemory, key: &Key) {
    let mut bytes = memory.get(key).await.unwrap().bytes().await.unwrap().to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    memory.put(key, bytes.into()).await.unwrap();
}

/// What one spoils, and what is left of the archive then.
#[tokio::test]
async fn a_damaged_missing_or_shortened_blob_breaks_every_format_off() {
    for size in [10, 60_000, 64 * 1024, 300_000, 6 * 1024 * 1024] {
        for format in ArchiveFormat::ALL {
            for fault in ["damaged", "missing", "shorter", "longer"] {
                let (memory, repo) = in_memory();
                let files = three(size);
                let tree = plant(repo.store(), &files).await;
                let good = whole(&repo, tree, format).await;
                let id = BlobId::of(&files[1].content);
                let key = key(id.hash());
                let content = &files[1].content;
                match fault {
                    "damaged" => spoil(&memory, &key).await,
                    "missing" => memory.delete(&key).await.unwrap(),
                    "shorter" => {
                        let bytes = content.slice(..size - 1);
                        memory.put(&key, bytes.into()).await.map(|_| ()).unwrap();
                    }
                    _ => {
                        let bytes = [content, &b"x"[..]].concat();
                        memory.put(&key, bytes.into()).await.map(|_| ()).unwrap();
                    }
                }
                let context = format!("{format} with a {fault} blob of {size}");
                let mut stream = archive(&repo, tree, format).await.stream();
                let mut got = 0;
                let error = loop {
                    match futures::StreamExt::next(&mut stream).await {
                        Some(Ok(piece)) => got += piece.len(),
                        Some(Err(error)) => break error,
                        None => panic!("{context} ended as if all were well"),
                    }
                };
                assert!(futures::StreamExt::next(&mut stream).await.is_none(), "{context}");
                assert!(got < good.len(), "{context}: {got} of {}", good.len());
                let told = match fault {
                    // More than was said is not even read.
                    "longer" => matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Invalid),
                    _ => error.kind() == ErrorKind::Corrupt,
                };
                assert!(told, "{context}: {error:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_range_that_ends_in_a_damaged_blob_never_comes_whole() {
    let (memory, repo) = in_memory();
    let files = three(300_000);
    let tree = plant(repo.store(), &files).await;
    spoil(&memory, &key(BlobId::of(&files[1].content).hash())).await;
    let entry = 512 + 1024;
    for end in [1, 512, 64 * 1024, 128 * 1024, 200_000] {
        let tar = archive(&repo, tree, ArchiveFormat::Tar).await;
        // From the start of the damaged blob's content, which is not damaged there.
        let start = entry + 512;
        let range = tar.stream_range(start..start + end).unwrap();
        assert!(read(range).await.is_err(), "{end} bytes");
    }
    // What does not touch it is not harmed by it.
    let tar = archive(&repo, tree, ArchiveFormat::Tar).await;
    let all = tar.length().unwrap();
    assert_eq!(read(tar.stream_range(0..entry).unwrap()).await.unwrap().len() as u64, entry);
    let tar = archive(&repo, tree, ArchiveFormat::Tar).await;
    let last = read(tar.stream_range(all - 1024 - entry..all).unwrap()).await.unwrap();
    assert_eq!(last.len() as u64, entry + 1024);
}

/// A tree as hostile hands would write it.
async fn put_tree(memory: &Arc<InMemory>, entries: &[(&str, u8, Hash, u64, u64)]) -> TreeId {
    let bytes = codec::encode(&(1_u64, entries));
    let id = TreeId::of(&bytes);
    memory.put(&layout::object(Kind::Tree, id.hash()), bytes.into()).await.unwrap();
    id
}

async fn refused(repo: &cas_core::repo::Repository, tree: TreeId) -> String {
    match repo.archive(&request(tree, ArchiveFormat::Tar)).await {
        Err(error @ RepoError::BadTree { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn hostile_trees_are_refused_before_the_first_byte() {
    let (memory, repo) = in_memory();
    plant(repo.store(), &[Planted::file("x", "evil"), Planted::file("y", "../../outside")]).await;
    let file = *BlobId::of(b"evil").hash();
    let link = *BlobId::of(b"../../outside").hash();
    let tree = put_tree(&memory, &[("..", 0, file, 4, 1), ("a/b", 0, file, 4, 1)]).await;
    let said = refused(&repo, tree).await;
    assert!(said.contains("breaks 2 rule(s)"), "{said}");
    let tree = put_tree(&memory, &[("link", 2, link, 13, 1)]).await;
    assert!(refused(&repo, tree).await.contains("leaves the book"));
    let tree = put_tree(&memory, &[("A", 0, file, 4, 1), ("a", 0, file, 4, 1)]).await;
    assert!(refused(&repo, tree).await.contains("meet"));
}

#[tokio::test]
async fn a_few_trees_cannot_stand_for_more_files_than_they_say() {
    let (memory, repo) = in_memory();
    plant(repo.store(), &[Planted::file("x", "evil")]).await;
    let file = *BlobId::of(b"evil").hash();
    let levels = async |levels: u32, said: fn(u32) -> u64| {
        let mut tree = put_tree(&memory, &[("f", 0, file, 4, 1)]).await;
        for level in 0..levels {
            let names: Vec<_> = (0..10).map(|n| n.to_string()).collect();
            let entry = |name| (name, 3, *tree.hash(), 4 * said(level), said(level));
            let entries: Vec<_> = names.iter().map(|name| entry(name.as_str())).collect();
            tree = put_tree(&memory, &entries).await;
        }
        tree
    };
    // Each level holds the one below it ten times: 10^20 files in 21 small trees.
    let lying = levels(20, |_| 1).await;
    assert!(refused(&repo, lying).await.contains("size and count"));
    // Those that tell the truth are counted before they are opened.
    let honest = levels(8, |level| 10_u64.pow(level)).await;
    let found = repo.archive(&request(honest, ArchiveFormat::Tar)).await;
    assert!(matches!(found, Err(RepoError::TooManyFiles { .. })), "{found:?}");
}

#[tokio::test]
async fn a_file_of_another_size_than_its_tree_says_breaks_the_archive_off() {
    let (memory, repo) = in_memory();
    plant(repo.store(), &[Planted::file("x", "evil")]).await;
    let file = *BlobId::of(b"evil").hash();
    for said in [0, 3, 5, 1_000_000] {
        let tree = put_tree(&memory, &[("f", 0, file, said, 1)]).await;
        for format in ArchiveFormat::ALL {
            let stream = archive(&repo, tree, format).await.stream();
            assert!(read(stream).await.is_err(), "{format} {said}");
        }
    }
}
