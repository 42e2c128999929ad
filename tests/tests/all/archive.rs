//! Archives: what is in them, that they are always the same, and that none is ever short.

mod faults;
mod ranges;
mod readers;
mod remote;

use std::sync::Arc;

use bytes::Bytes;
use cas_core::name::{BookPath, TreeId};
use cas_core::repo::{
    ARCHIVE_VERSION, Archive, ArchiveFormat, ArchiveRequest, Globs, Pieces, RepoError, Repository,
};
use cas_core::store::{Bucket, LocalStore, Store};
use cas_tests::env::test_env;
use cas_tests::planted::{Planted, plant};
use futures::StreamExt;
use object_store::memory::InMemory;

use super::world::{actor, store_of};

/// A repository in memory.
pub(super) fn in_memory() -> (Arc<InMemory>, Repository) {
    let memory = Arc::new(InMemory::new());
    let repo = repository(store_of(memory.clone(), &test_env(1)), 1);
    (memory, repo)
}

fn repository(store: Store, jobs: usize) -> Repository {
    Repository::new(store, test_env(2), actor("ada"), jobs)
}

/// A little of everything that an archive can hold.
pub(super) fn everything() -> Vec<Planted> {
    let long = "p".repeat(200);
    vec![
        Planted::file("README.md", "# The book\n"),
        Planted::file("empty", ""),
        Planted::executable("bin/run.sh", "#!/bin/sh\necho run\n"),
        Planted::link("start", "README.md"),
        Planted::link("ch1/long-link", format!("../{}", "x/".repeat(150))),
        Planted::link("ch1/é-link", "../ç/日本語.md"),
        Planted::file("ch1/lesson.md", "text ".repeat(10_000)),
        Planted::file(format!("{long}/{}.md", "n".repeat(100)), "a path of 304 bytes"),
        Planted::file("n".repeat(100), "a name that just fits"),
        Planted::file("n".repeat(101), "a name that just does not"),
        Planted::file("ç/日本語.md", "こんにちは\n"),
        Planted::file("cover.png", noise(300_000, 1)),
        Planted::file("large.bin", noise(5 * 1024 * 1024 + 17, 2)),
        Planted::file("block", noise(512, 3)),
        Planted::file("piece", noise(64 * 1024, 4)),
    ]
}

/// Bytes that no compressor makes smaller, the same in every run.
pub(super) fn noise(length: usize, seed: u64) -> Bytes {
    let mut bytes = vec![0; length];
    let mut noise = blake3::Hasher::new();
    noise.update(&seed.to_le_bytes());
    noise.finalize_xof().fill(&mut bytes);
    bytes.into()
}

fn request(tree: TreeId, format: ArchiveFormat) -> ArchiveRequest {
    ArchiveRequest { tree, format, path: BookPath::root(), globs: Globs::default() }
}

pub(super) async fn archive(repo: &Repository, tree: TreeId, format: ArchiveFormat) -> Archive {
    repo.archive(&request(tree, format)).await.unwrap()
}

async fn read(mut pieces: Pieces) -> Result<Vec<u8>, RepoError> {
    let mut all = Vec::new();
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        assert!(!piece.is_empty() && piece.len() <= 256 * 1024, "a piece of {}", piece.len());
        all.extend_from_slice(&piece);
    }
    assert!(pieces.next().await.is_none(), "after the end there is nothing");
    Ok(all)
}

pub(super) async fn whole(repo: &Repository, tree: TreeId, format: ArchiveFormat) -> Vec<u8> {
    read(archive(repo, tree, format).await.stream()).await.unwrap()
}

#[tokio::test]
async fn an_archive_is_the_same_from_every_store_and_every_time() {
    let (_, memory) = in_memory();
    let folder = tempfile::tempdir().unwrap();
    let env = test_env(3);
    let local = LocalStore::create(folder.path()).unwrap();
    let local = repository(Store::in_bucket(&Bucket::local(local), &env), 4);
    let tree = plant(memory.store(), &everything()).await;
    assert_eq!(plant(local.store(), &everything()).await, tree);
    for format in ArchiveFormat::ALL {
        let first = whole(&memory, tree, format).await;
        assert!(first == whole(&memory, tree, format).await, "{format} twice");
        assert!(first == whole(&local, tree, format).await, "{format} from a folder");
    }
}

#[tokio::test]
async fn a_tar_is_as_long_as_was_said() {
    let (_, repo) = in_memory();
    let tree = plant(repo.store(), &everything()).await;
    let tar = archive(&repo, tree, ArchiveFormat::Tar).await;
    let length = tar.length().unwrap();
    assert_eq!(tar.files(), everything().len());
    assert_eq!(read(tar.stream()).await.unwrap().len() as u64, length);
    for format in [ArchiveFormat::TarZst, ArchiveFormat::Zip] {
        assert_eq!(archive(&repo, tree, format).await.length(), None);
    }
}

/// If one of these fails although no archive was meant to change, a compressor writes other bytes
/// than before: then `ARCHIVE_VERSION` must be raised with the hashes, because clients and proxies
/// keep archives by a tag that says they never change.
#[tokio::test]
async fn the_bytes_of_every_format_belong_to_the_archive_version() {
    let (_, repo) = in_memory();
    let mut files = everything();
    files.retain(|file| file.content.len() < 400_000);
    let tree = plant(repo.store(), &files).await;
    let mut found = vec![(ARCHIVE_VERSION, tree.to_string())];
    for format in ArchiveFormat::ALL {
        let bytes = whole(&repo, tree, format).await;
        found.push((ARCHIVE_VERSION, blake3::hash(&bytes).to_string()));
    }
    let expected = [
        "8dddea28704e795950e66d8c6b9a637a81277f8ede04f1a759e9e1fd1d34f353",
        "b3352b3d750e01965d871deae91ef04421631c74f82e869216d66926222963ce",
        "58f5bbe0bcbacc958cc27d096e7530d83c0dd44abe349e8d519a4e8f7c62b42d",
        "6d79fea2866721ce8fb2ade0494cdeec80d9f3c21757dc5a1b529ddea25ed5ea",
    ];
    let expected = expected.map(|hash| (1, hash.to_owned()));
    assert_eq!(found, expected);
}

#[tokio::test]
async fn the_tag_says_what_is_in_an_archive() {
    let (_, repo) = in_memory();
    let tree = plant(repo.store(), &everything()).await;
    let other = plant(repo.store(), &[]).await;
    let globs = |patterns: &[&str]| Globs::parse(patterns.iter().copied()).unwrap();
    let path = |text| BookPath::parse(text).unwrap();
    let tar = request(tree, ArchiveFormat::Tar);
    let different = [
        tar.clone(),
        request(tree, ArchiveFormat::Zip),
        request(tree, ArchiveFormat::TarZst),
        request(other, ArchiveFormat::Tar),
        ArchiveRequest { path: path("ch1"), ..tar.clone() },
        ArchiveRequest { globs: globs(&["ch1"]), ..tar.clone() },
        ArchiveRequest { globs: globs(&["a", "b"]), ..tar.clone() },
        ArchiveRequest { globs: globs(&["ab"]), ..tar.clone() },
    ];
    let mut tags: Vec<_> = different.iter().map(ArchiveRequest::tag).collect();
    assert!(tags[0].starts_with(&format!("{tree}-{ARCHIVE_VERSION}-")), "{}", tags[0]);
    tags.sort_unstable();
    tags.dedup();
    assert_eq!(tags.len(), different.len());
    let same = ArchiveRequest { globs: globs(&["b", "a", "b"]), ..tar };
    assert_eq!(same.tag(), different[6].tag());
}

#[tokio::test]
async fn a_path_and_patterns_choose_what_is_in_an_archive() {
    let (_, repo) = in_memory();
    let tree = plant(repo.store(), &everything()).await;
    let names = async |path: &str, patterns: &[&str]| {
        let path = if path.is_empty() { BookPath::root() } else { BookPath::parse(path).unwrap() };
        let globs = Globs::parse(patterns.iter().copied()).unwrap();
        let request = ArchiveRequest { path, globs, ..request(tree, ArchiveFormat::Tar) };
        let tar = read(repo.archive(&request).await.unwrap().stream()).await.unwrap();
        readers::tar(&tar).into_iter().map(|file| file.path).collect::<Vec<_>>()
    };
    assert_eq!(names("ch1", &[]).await, ["ch1/lesson.md", "ch1/long-link", "ch1/é-link"]);
    assert_eq!(names("ch1/lesson.md", &[]).await, ["ch1/lesson.md"]);
    assert_eq!(names("", &["*.md", "bin/**"]).await, ["README.md", "bin/run.sh"]);
    assert_eq!(names("ch1", &["**/*.md"]).await, ["ch1/lesson.md"]);
    assert_eq!(names("ch1", &["*.md"]).await, [""; 0], "patterns are of whole paths");
    let nowhere = BookPath::parse("nowhere").unwrap();
    let request = ArchiveRequest { path: nowhere, ..request(tree, ArchiveFormat::Tar) };
    assert!(matches!(repo.archive(&request).await, Err(RepoError::NoPath { .. })));
}
