//! What a store in a folder promises beyond what every store does.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Barrier};

use bytes::Bytes;
use cas_core::ErrorKind;
use cas_core::env::Timestamp;
use cas_core::name::{Actor, BlobId, BookId, CommitId, Operation, RefName, RequestId, TreeId};
use cas_core::object::{Commit, Kind, Metadata, Tree};
use cas_core::refs::{Expectation, RefError, RefUpdate, UpdateOutcome};
use cas_core::store::{Bucket, LocalStore, Store, StoreError, Writers, create, layout};
use cas_tests::env::test_env;
use futures::{StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::path::Path as Key;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode};

/// A store in a folder that goes away with it.
struct Folder {
    home: tempfile::TempDir,
    local: LocalStore,
    store: Store,
}

impl Folder {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let local = LocalStore::create(home.path()).unwrap();
        let store = store_of(&local);
        Self { home, local, store }
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.home.path().join(key.as_ref())
    }

    fn blob(&self, id: BlobId) -> PathBuf {
        self.path(&layout::object(Kind::Blob, id.hash()))
    }

    /// The folders of unfinished files that are there now.
    fn unfinished(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.home.path().join("tmp")).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

fn store_of(local: &LocalStore) -> Store {
    Store::in_bucket(&Bucket::local(local.clone()), &test_env(0))
}

async fn put(store: &Store, bytes: &[u8]) -> BlobId {
    let session = store.session().await.unwrap();
    let put = session.put_blob(Bytes::copy_from_slice(bytes)).await;
    session.publish().await.unwrap();
    put.unwrap().0
}

/// Replaces a stored file as no program here ever would.
fn overwrite(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn leftovers_of_a_dead_process_are_removed_by_the_next_writer() {
    let folder = Folder::new();
    let dead = folder.home.path().join("tmp/dead");
    fs::create_dir_all(&dead).unwrap();
    fs::write(dead.join("0"), b"half").unwrap();
    fs::create_dir(dead.join("1")).unwrap();
    fs::write(dead.join("1/2"), b"").unwrap();
    // Reading changes nothing.
    let absent = folder.store.size(Kind::Blob, BlobId::of(b"x").hash()).await;
    assert_eq!(absent.unwrap(), None);
    assert!(dead.exists());
    put(&folder.store, b"x").await;
    assert!(!dead.exists());
}

#[tokio::test]
async fn files_of_a_living_process_are_left_alone() {
    let folder = Folder::new();
    let session = folder.store.session().await.unwrap();
    let (id, _) = session.put_blob(Bytes::from_static(b"living")).await.unwrap();
    let [living] = &folder.unfinished()[..] else { panic!("one process writes") };
    let other = LocalStore::open(folder.home.path()).unwrap();
    put(&store_of(&other), b"another process's").await;
    assert!(living.exists());
    drop(other);
    assert_eq!(folder.unfinished(), [living.as_path()]);
    session.publish().await.unwrap();
    assert_eq!(folder.store.get_blob(&id).await.unwrap(), "living");
    // The last one takes its folder with it.
    let (home, living) = (folder.home, living.clone());
    drop((session, folder.store, folder.local));
    assert!(!living.exists());
    drop(home);
}

#[tokio::test]
async fn nothing_is_under_a_key_before_it_is_published() {
    let folder = Folder::new();
    let session = folder.store.session().await.unwrap();
    let (small, _) = session.put_blob(Bytes::from_static(b"small")).await.unwrap();
    let (tree, _) = session.put_tree(&Tree::default()).await.unwrap();
    for (kind, id) in [(Kind::Blob, small.hash()), (Kind::Tree, tree.hash())] {
        assert_eq!(folder.store.size(kind, id).await.unwrap(), None);
        assert!(!folder.path(&layout::object(kind, id)).exists());
    }
    session.publish().await.unwrap();
    assert_eq!(folder.store.get_blob(&small).await.unwrap(), "small");
    assert_eq!(folder.store.get_tree(&tree).await.unwrap(), Tree::default());
    // What is never published never appears, and takes no space.
    let dropped = folder.store.session().await.unwrap();
    let (id, _) = dropped.put_blob(Bytes::from_static(b"dropped")).await.unwrap();
    drop(dropped);
    assert!(!folder.blob(id).exists());
    let [own] = &folder.unfinished()[..] else { panic!("one process writes") };
    let shards = fs::read_dir(own).unwrap();
    let files = shards.map(|shard| fs::read_dir(shard.unwrap().path()).unwrap().count());
    assert_eq!(files.sum::<usize>(), 0);
}

#[tokio::test]
async fn two_sessions_may_publish_the_same_object() {
    let folder = Folder::new();
    let (one, two) = (folder.store.session().await.unwrap(), folder.store.session().await.unwrap());
    let bytes = Bytes::from_static(b"same");
    let (id, new) = one.put_blob(bytes.clone()).await.unwrap();
    assert!(new);
    two.put_blob(bytes.clone()).await.unwrap();
    one.publish().await.unwrap();
    two.publish().await.unwrap();
    assert_eq!(folder.store.get_blob(&id).await.unwrap(), bytes);
}

#[tokio::test]
async fn an_object_of_the_wrong_length_is_written_again() {
    let folder = Folder::new();
    let id = put(&folder.store, b"whole content").await;
    for damaged in [&b"whole"[..], b"", b"whole content and more"] {
        overwrite(&folder.blob(id), damaged);
        let session = folder.store.session().await.unwrap();
        assert!(!session.contains_blob(id, 13).await.unwrap());
        let whole = Bytes::from_static(b"whole content");
        assert!(session.put_blob(whole.clone()).await.unwrap().1);
        session.publish().await.unwrap();
        assert_eq!(folder.store.get_blob(&id).await.unwrap(), whole);
    }
    // The same without the shortcut for folders: a bucket looks at the length as well.
    overwrite(&folder.blob(id), b"whole");
    let plain = Bucket::new(Arc::new(folder.local.clone()));
    put(&Store::in_bucket(&plain, &test_env(0)), b"whole content").await;
    assert_eq!(folder.store.get_blob(&id).await.unwrap(), "whole content");
}

#[tokio::test]
async fn truncated_and_flipped_objects_are_damaged_and_named() {
    let folder = Folder::new();
    let large = vec![7; 5 * 1024 * 1024];
    let session = folder.store.session().await.unwrap();
    let (tree, _) = session.put_tree(&Tree::default()).await.unwrap();
    let commit = session.put_commit(&commit_of(tree)).await.unwrap();
    session.publish().await.unwrap();
    let blobs = [put(&folder.store, b"small").await, put(&folder.store, &large).await];
    let objects = [
        (Kind::Blob, *blobs[0].hash()),
        (Kind::Blob, *blobs[1].hash()),
        (Kind::Tree, *tree.hash()),
        (Kind::Commit, *commit.hash()),
    ];
    for (kind, id) in objects {
        let path = folder.path(&layout::object(kind, &id));
        let good = fs::read(&path).unwrap();
        let mut flipped = good.clone();
        *flipped.last_mut().unwrap() ^= 1;
        let mut longer = good.clone();
        longer.push(0);
        for bad in [flipped, good[..good.len() - 1].to_vec(), longer, Vec::new()] {
            overwrite(&path, &bad);
            let error = match kind {
                Kind::Blob => folder.store.spool_blob(&BlobId(id)).await.err(),
                Kind::Tree => folder.store.get_tree(&TreeId(id)).await.err(),
                Kind::Commit => folder.store.get_commit(&CommitId(id)).await.err(),
            };
            let error = error.unwrap();
            assert!(
                matches!(error, StoreError::Damaged { kind: k, id: i, .. } if (k, i) == (kind, id)),
                "{error}"
            );
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            assert!(error.to_string().contains(&id.to_hex()), "{error}");
        }
        overwrite(&path, &good);
    }
    assert!(folder.store.spool_blob(&blobs[1]).await.is_ok());
}

#[tokio::test]
async fn a_damaged_stream_never_comes_to_its_end() {
    let folder = Folder::new();
    let large = vec![7; 3 * 1024 * 1024];
    let id = put(&folder.store, &large).await;
    let mut flipped = large.clone();
    flipped[0] ^= 1;
    overwrite(&folder.blob(id), &flipped);
    let mut stream = folder.store.stream_blob(&id).await.unwrap();
    let (mut passed, mut error) = (0, None);
    while let Some(piece) = stream.pieces.next().await {
        match piece {
            Ok(piece) => passed += piece.len(),
            Err(damaged) => error = Some(damaged),
        }
    }
    assert!(passed < large.len(), "the last piece was held back");
    assert_eq!(error.unwrap().kind(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn an_altered_ref_entry_is_damaged() {
    let folder = Folder::new();
    let commit = commit_in(&folder.store).await;
    for n in 1..=3 {
        moved(&folder.store, &update(Some(commit), n)).await;
    }
    let slot = |seq| folder.path(&layout::slot(&book(), &RefName::main(), seq));
    let refs = folder.store.refs();
    for seq in 1..=3 {
        let good = fs::read(slot(seq)).unwrap();
        let mut flipped = good.clone();
        flipped[40] ^= 1;
        let neighbour = fs::read(slot(seq % 3 + 1)).unwrap();
        for bad in [flipped, good[..good.len() - 1].to_vec(), Vec::new(), neighbour] {
            overwrite(&slot(seq), &bad);
            let error = refs.entry(&book(), &RefName::main(), seq).await.unwrap_err();
            assert!(matches!(error, RefError::Damaged { seq: s, .. } if s == seq), "{error}");
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            // Another process, which never saw what was there.
            let fresh = store_of(&folder.local);
            let head = fresh.refs().head(&book(), &RefName::main()).await;
            assert_eq!(head.is_err(), seq == 3, "only the newest is the ref");
            // Nothing is added to a log whose end is damaged.
            assert!(fresh.refs().update(&update(Some(commit), 4)).await.is_err());
        }
        overwrite(&slot(seq), &good);
    }
    assert_eq!(moved(&folder.store, &update(None, 5)).await, 4);
}

#[tokio::test]
async fn lists_in_the_order_of_bytes() {
    let folder = Folder::new();
    let memory = InMemory::new();
    let keys = [
        "a b/c",
        "a!/x",
        "a-b",
        "a.b/c",
        "a/b",
        "a/b-c",
        "a/b.d/e",
        "a0/0",
        "ab",
        "b/é",
        "b/z",
        "b/\u{10ffff}",
        "b/\u{e000}",
        "~",
    ];
    let mut written = Vec::new();
    for key in keys {
        let key = Key::parse(key).unwrap();
        memory.put(&key, "x".into()).await.unwrap();
        folder.local.put(&key, "x".into()).await.unwrap();
        written.push(key);
    }
    written.sort_by(|a, b| a.as_ref().as_bytes().cmp(b.as_ref().as_bytes()));
    let list = async |store: &dyn ObjectStore, prefix: Option<&Key>, offset: &Key| -> Vec<Key> {
        let list = store.list_with_offset(prefix, offset);
        list.map_ok(|meta| meta.location).try_collect().await.unwrap()
    };
    let all: Vec<_> = folder.local.list(None).map_ok(|meta| meta.location).collect().await;
    let all: Vec<_> = all.into_iter().map(Result::unwrap).collect();
    assert_eq!(all, written);
    for prefix in [None, Some("b"), Some("a.b"), Some("a"), Some("absent")] {
        let prefix = prefix.map(|prefix| Key::parse(prefix).unwrap());
        for offset in &written {
            assert_eq!(
                list(&folder.local, prefix.as_ref(), offset).await,
                list(&memory, prefix.as_ref(), offset).await,
                "{prefix:?} after {offset}"
            );
        }
    }
}

#[tokio::test]
async fn the_folder_of_unfinished_files_holds_no_keys() {
    let folder = Folder::new();
    let (store, real) = (&folder.local, Key::from("real"));
    store.put(&real, "x".into()).await.unwrap();
    fs::write(folder.home.path().join("tmp/half"), b"half").unwrap();
    let unsupported =
        |error: Error| assert!(matches!(error, Error::NotSupported { .. }), "{error}");
    for key in ["tmp", "tmp/half", "tmp/a/b"] {
        let key = Key::from(key);
        unsupported(store.put(&key, "x".into()).await.unwrap_err());
        let create = store.put_opts(&key, "x".into(), PutMode::Create.into()).await;
        unsupported(create.unwrap_err());
        unsupported(store.put_multipart(&key).await.unwrap_err());
        unsupported(store.copy(&real, &key).await.unwrap_err());
        unsupported(store.copy(&key, &real).await.unwrap_err());
        unsupported(store.rename(&real, &key).await.unwrap_err());
        unsupported(store.delete(&key).await.unwrap_err());
        let absent = store.get(&key).await.unwrap_err();
        assert!(matches!(absent, Error::NotFound { .. }), "{absent}");
        let absent = store.head(&key).await.unwrap_err();
        assert!(matches!(absent, Error::NotFound { .. }), "{absent}");
        assert_eq!(store.list(Some(&key)).count().await, 0, "{key}");
        let level = store.list_with_delimiter(Some(&key)).await.unwrap();
        assert!(level.objects.is_empty() && level.common_prefixes.is_empty());
    }
    assert_eq!(store.list(None).count().await, 1);
    assert!(folder.home.path().join("tmp/half").exists());
    // A name that only begins so is like any other.
    store.put(&Key::from("tmpx/a"), "x".into()).await.unwrap();
}

#[tokio::test]
async fn a_folder_with_only_leftovers_is_empty() {
    let folder = Folder::new();
    let bucket = Bucket::local(folder.local.clone());
    fs::create_dir_all(folder.home.path().join("tmp/dead")).unwrap();
    fs::create_dir(folder.home.path().join("lost+found")).unwrap();
    let (_, new) = create(&bucket, "here", Writers::Any, &test_env(0)).await.unwrap();
    assert!(new);
    let other = Folder::new();
    fs::write(other.home.path().join("README.md"), b"mine").unwrap();
    let bucket = Bucket::local(other.local.clone());
    let error = create(&bucket, "here", Writers::Any, &test_env(0)).await.unwrap_err();
    assert!(matches!(error, StoreError::NotEmpty { .. }), "{error}");
}

#[tokio::test]
async fn a_read_only_folder_is_read_and_refuses_writes_as_permission_denied() {
    if rustix::process::geteuid().is_root() {
        cas_tests::skip_loudly("root may write to read-only folders; run this as another user");
        return;
    }
    let folder = Folder::new();
    let id = put(&folder.store, b"readable").await;
    let commit = commit_in(&folder.store).await;
    moved(&folder.store, &update(Some(commit), 1)).await;
    let set = |mode| {
        let mut queue = vec![folder.home.path().to_owned()];
        while let Some(path) = queue.pop() {
            if path.is_dir() {
                let entries = fs::read_dir(&path).unwrap();
                queue.extend(entries.map(|entry| entry.unwrap().path()));
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            }
        }
    };
    set(0o555);
    // Opened afresh, as another process would.
    let local = LocalStore::open(folder.home.path()).unwrap();
    let store = store_of(&local);
    assert_eq!(store.get_blob(&id).await.unwrap(), "readable");
    let head = store.refs().head(&book(), &RefName::main()).await.unwrap();
    assert_eq!(head.unwrap().entry.target, Some(commit));
    let session = store.session().await.unwrap();
    let error = session.put_blob(Bytes::from_static(b"new")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    let error = store.refs().update(&update(None, 2)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    let error = local.put(&Key::from("new"), "x".into()).await.unwrap_err();
    assert!(matches!(error, Error::PermissionDenied { .. }), "{error}");
    set(0o755);
    assert_eq!(moved(&store, &update(None, 2)).await, 2);
}

/// A process looks for leftovers when it first writes; one that starts at the same moment has a
/// folder but not yet its lock.
#[test]
fn writers_that_start_at_once_leave_each_other_alone() {
    const WRITERS: usize = 8;
    const ROUNDS: usize = 100;
    let folder = Folder::new();
    let barrier = Barrier::new(WRITERS);
    let run = |writer: usize| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut failed = Vec::new();
        for round in 0..ROUNDS {
            barrier.wait();
            let store = LocalStore::open(folder.home.path()).unwrap();
            let key = Key::from(format!("at-once/{writer}"));
            // Beginning an upload makes the file and needs no sync.
            if let Err(error) = runtime.block_on(store.put_multipart(&key)) {
                failed.push(format!("round {round}: {error}"));
            }
        }
        failed
    };
    let failed: Vec<String> = std::thread::scope(|scope| {
        let run = &run;
        let threads: Vec<_> = (0..WRITERS).map(|n| scope.spawn(move || run(n))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(failed, [""; 0]);
}

#[test]
fn of_sixteen_racing_puts_one_wins_every_time() {
    const WRITERS: usize = 16;
    const ROUNDS: usize = 50;
    let folder = Folder::new();
    // Two handles of one folder, as two processes have.
    let handles = [folder.local.clone(), LocalStore::open(folder.home.path()).unwrap()];
    let barrier = Barrier::new(WRITERS);
    let key = |round: usize| Key::from(format!("race/{}/{round}", round % 3));
    let run = |writer: usize| -> Vec<bool> {
        let store = &handles[writer % 2];
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let rounds = (0..ROUNDS).map(|round| {
            barrier.wait();
            let payload = format!("writer {writer}").into();
            let key = key(round);
            let put = store.put_opts(&key, payload, PutMode::Create.into());
            match runtime.block_on(put) {
                Ok(_) => true,
                Err(Error::AlreadyExists { .. }) => false,
                Err(error) => panic!("{error}"),
            }
        });
        rounds.collect()
    };
    let won: Vec<Vec<bool>> = std::thread::scope(|scope| {
        let run = &run;
        let threads: Vec<_> = (0..WRITERS).map(|n| scope.spawn(move || run(n))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for round in 0..ROUNDS {
        let winners: Vec<_> = won.iter().map(|rounds| rounds[round]).collect();
        assert_eq!(winners.iter().filter(|won| **won).count(), 1, "{round}");
        let winner = winners.iter().position(|won| *won).unwrap();
        let kept = fs::read_to_string(folder.path(&key(round))).unwrap();
        assert_eq!(kept, format!("writer {winner}"));
    }
}

async fn commit_in(store: &Store) -> CommitId {
    let session = store.session().await.unwrap();
    let (tree, _) = session.put_tree(&Tree::default()).await.unwrap();
    let commit = session.put_commit(&commit_of(tree)).await.unwrap();
    session.publish().await.unwrap();
    commit
}

fn commit_of(tree: TreeId) -> Commit {
    Commit {
        tree,
        parents: Vec::new(),
        author: Actor::parse("ada").unwrap(),
        committed_at: Timestamp::from_micros(1),
        message: "first".to_owned(),
        metadata: Metadata::new(),
    }
}

fn book() -> BookId {
    BookId::parse("book").unwrap()
}

/// Moves `main`, as request `n`.
fn update(target: Option<CommitId>, n: u32) -> RefUpdate {
    RefUpdate {
        book: book(),
        name: RefName::main(),
        expect: Expectation::Any,
        target,
        actor: Actor::parse("ada").unwrap(),
        operation: Operation::reset(),
        message: String::new(),
        request_id: RequestId::parse(&n.to_string()).unwrap(),
        metadata: Metadata::new(),
        began: Timestamp::from_micros(u64::MAX),
    }
}

/// The position of the entry that `update` makes.
async fn moved(store: &Store, update: &RefUpdate) -> u64 {
    match store.refs().update(update).await.unwrap() {
        UpdateOutcome::Moved(entry) => entry.entry.seq,
        UpdateOutcome::Refused(head) => panic!("refused at {head:?}"),
    }
}
