//! A store in a folder whose book has a long history: what `bench/run --growth` measures.
//!
//! ```sh
//! cargo run --release -p cas-tests --example long_history -- FOLDER VERSIONS SOURCE
//! ```
//!
//! Book `book`, branch `main`: the last of its versions is the folder SOURCE, those before have one
//! more file, which differs in each. The versions are made in memory and written to the new
//! folder as they are, unsynced: a store in a folder is its objects, each a file at its key.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use cas_core::env::Env;
use cas_core::folder::{ImportOptions, NoProgress};
use cas_core::name::{Actor, BlobId, BookId, BookPath, HashPrefix, Operation, RefName};
use cas_core::repo::{Content, Edit, PathEdit, Precondition, Repository, VersionRequest};
use cas_core::store::{Bucket, LocalStore, Store, Writers, create};
use cas_tests::tell;
use futures::{StreamExt, TryStreamExt};
use object_store::{ObjectStore, ObjectStoreExt};

type Failure = Box<dyn std::error::Error>;

/// Where Linux has a file system in memory.
const MEMORY: &str = "/dev/shm";

/// How many objects are written at once.
const AT_ONCE: usize = 16;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [folder, versions, source] = &arguments[..] else {
        return Err("give FOLDER VERSIONS SOURCE".into());
    };
    let (folder, versions) = (PathBuf::from(folder), versions.parse::<u64>()?);
    // A folder of a file system in memory: nothing waits for a disk.
    let in_memory = tempfile::Builder::new().prefix("cas-").tempdir_in(MEMORY)?;
    let memory = LocalStore::create(in_memory.path())?;
    grow(memory.clone(), versions, Path::new(source)).await?;
    std::fs::create_dir(&folder)?;
    let objects: Vec<_> = memory.list(None).try_collect().await?;
    let count = objects.len();
    let mut reads = futures::stream::iter(objects)
        .map(|object| {
            let memory = memory.clone();
            async move {
                let bytes = memory.get(&object.location).await?.bytes().await?;
                Ok::<_, object_store::Error>((object.location, bytes))
            }
        })
        .buffered(AT_ONCE);
    while let Some(read) = reads.next().await {
        let (key, bytes) = read?;
        let path = folder.join(key.as_ref());
        std::fs::create_dir_all(path.parent().unwrap_or(&folder))?;
        let mut file = std::fs::OpenOptions::new();
        file.write(true).create_new(true).mode(0o444).open(&path)?.write_all(&bytes)?;
    }
    tell(&format!("{versions} versions, {count} objects"));
    Ok(())
}

/// Makes the versions.
async fn grow(memory: LocalStore, versions: u64, source: &Path) -> Result<(), Failure> {
    let (bucket, env) = (Bucket::local(memory), Env::system());
    create(&bucket, "memory", Writers::Any, &env).await?;
    let store = Store::in_bucket(&bucket, &env);
    let repo = Repository::new(store, env.clone(), Actor::parse("bench")?, 4);
    let request = |message: String| {
        let (book, branch) = (BookId::parse("book")?, RefName::main());
        Ok::<_, Failure>(VersionRequest { book, branch, message, request_id: env.request_id() })
    };
    let first = request("The first".to_owned())?;
    repo.import(source, &first, &ImportOptions::default(), Arc::new(NoProgress)).await?;
    let path = BookPath::parse("history.txt")?;
    let mut before = Precondition::Absent;
    for version in 2..versions {
        let text = Bytes::from(format!("version {version}\n"));
        let precondition = before;
        before = Precondition::Is(HashPrefix::parse(&BlobId::of(&text).to_string())?);
        let edit = Edit::Put(Content::from_bytes(text));
        let edits = [PathEdit { path: path.clone(), edit, precondition }];
        repo.edit(&request(format!("Version {version}"))?, Operation::put(), &edits).await?;
    }
    if versions > 2 {
        let edit = Edit::Remove { recursive: false };
        let edits = [PathEdit { path, edit, precondition: before }];
        repo.edit(&request("The last".to_owned())?, Operation::remove(), &edits).await?;
    }
    Ok(())
}
