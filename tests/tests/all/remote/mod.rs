//! A store behind a server, through a real socket: what every store does, and what only such a
//! store has to.

mod books;
mod conformance;
mod lies;
mod requests;
mod uploads;

use std::path::Path;
use std::sync::Arc;

use cas_core::folder::{
    CheckoutOptions, CheckoutReport, FolderError, ImportOptions, ImportReport, NoProgress,
};
use cas_core::name::{Actor, BookId, RefName};
use cas_core::repo::{Repository, VersionRequest};
use cas_core::store::{Bucket, Store, Variables, connect_server};
use cas_tests::cli::snapshot;
use cas_tests::env::test_env;
use cas_tests::server::TestServer;
use object_store::memory::InMemory;
use tempfile::TempDir;

/// How many objects are moved at once, as the command line does over a network.
const JOBS: usize = 64;

/// The store of a server, as the command line finds it.
pub(super) fn store_of(url: &str) -> Store {
    connect_server(url, &Variables::new(), &test_env(9)).unwrap().store
}

/// The store of `server`.
pub(super) fn store_at(server: &TestServer) -> Store {
    store_of(server.url())
}

/// A server over a store in memory, and somebody's disk.
struct Place {
    raw: Arc<InMemory>,
    server: TestServer,
    disk: TempDir,
}

impl Place {
    fn new() -> Self {
        let (raw, env) = (Arc::new(InMemory::new()), test_env(0));
        let store = Store::in_bucket(&Bucket::new(raw.clone()), &env);
        let server = TestServer::start(&store, &env);
        Self { raw, server, disk: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.disk.path().join(name)
    }

    /// A folder with these files.
    fn folder(&self, name: &str, files: &[(&str, Vec<u8>)]) -> std::path::PathBuf {
        let folder = self.path(name);
        for (path, content) in files {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        folder
    }

    /// The repository, without a server between.
    fn direct(&self) -> Repository {
        let env = test_env(1);
        let store = Store::in_bucket(&Bucket::new(self.raw.clone()), &env);
        Repository::new(store, env, actor(), JOBS)
    }
}

/// The repository behind the server at `url`.
fn repo_of(url: &str, seed: u32) -> Repository {
    Repository::new(store_of(url), test_env(seed), actor(), JOBS)
}

fn actor() -> Actor {
    Actor::parse("ada").unwrap()
}

fn book() -> BookId {
    BookId::parse("book").unwrap()
}

/// Imports a folder as the next version of `book@branch`.
async fn import(
    repo: &Repository,
    folder: &Path,
    branch: &str,
) -> Result<ImportReport, FolderError> {
    let request = VersionRequest {
        book: book(),
        branch: RefName::parse(branch).unwrap(),
        message: "import".to_owned(),
        request_id: test_env(u32::from_be_bytes(rand_of(folder))).request_id(),
    };
    repo.import(folder, &request, &ImportOptions::default(), Arc::new(NoProgress)).await
}

/// Bytes that differ for each path.
fn rand_of(path: &Path) -> [u8; 4] {
    let hash = blake3::hash(path.as_os_str().as_encoded_bytes());
    let [a, b, c, d, ..] = *hash.as_bytes();
    [a, b, c, d]
}

/// Checks `revision` out into a folder.
async fn checkout(
    repo: &Repository,
    revision: &str,
    folder: &Path,
) -> Result<CheckoutReport, FolderError> {
    checkout_as(repo, revision, folder, &CheckoutOptions::default()).await
}

async fn checkout_as(
    repo: &Repository,
    revision: &str,
    folder: &Path,
    options: &CheckoutOptions,
) -> Result<CheckoutReport, FolderError> {
    let version = repo.open(&revision.parse().unwrap()).await?;
    repo.checkout(&version, folder, options, Arc::new(NoProgress)).await
}

/// The files of a folder, without the state of a checkout.
fn files(folder: &Path) -> Vec<(String, String)> {
    let all = snapshot(folder).into_iter();
    all.filter(|(path, what)| what != "folder" && !path.starts_with(".cas/")).collect()
}

/// Twelve small files in three folders, and one of six MiB.
fn lessons(edition: &str) -> Vec<(&'static str, Vec<u8>)> {
    const PATHS: [&str; 12] = [
        "README.md",
        "a/1.md",
        "a/2.md",
        "a/3.md",
        "a/deep/1.md",
        "a/deep/2.md",
        "b/1.md",
        "b/2.md",
        "b/3.md",
        "c/1.md",
        "c/2.md",
        "z.md",
    ];
    let text = |path: &str| format!("# {path}\n{edition}\n").into_bytes();
    let mut files: Vec<_> = PATHS.iter().map(|path| (*path, text(path))).collect();
    let mut large = vec![0; 6 << 20];
    let mut reader = blake3::Hasher::new_derive_key("remote tests").finalize_xof();
    reader.fill(&mut large);
    files.push(("images/large.bin", large));
    files
}
