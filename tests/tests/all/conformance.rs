//! One suite that every store passes, whatever keeps it: [`conforms`], and [`marks`] for what
//! makes a place a store.
//!
//! The suite gets a function that makes an empty store, so that each claim starts afresh.

use std::cell::Cell;
use std::sync::Arc;

use bytes::Bytes;
use cas_core::ErrorKind;
use cas_core::env::Timestamp;
use cas_core::limits;
use cas_core::name::{
    Actor, BlobId, BookId, CommitId, EntryName, Hash, HashPrefix, Operation, RefName, RequestId,
    TreeId,
};
use cas_core::object::{Commit, Entry, EntryKind, Kind, Metadata, Tree, TreeBuilder};
use cas_core::refs::{Expectation, LogEntry, RefError, RefUpdate, UpdateOutcome, verify_log};
use cas_core::store::{
    Bucket, ByteStream, LocalStore, Marker, Store, StoreError, Writers, create, layout, open,
};
use cas_tests::env::test_env;
use cas_tests::faulty::{Fault, FaultyStore, snapshot};
use cas_tests::invariants;
use futures::{StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt};

/// A mebibyte, in bytes.
const MIB: usize = 1024 * 1024;

#[tokio::test(start_paused = true)]
async fn memory_conforms() {
    let make = || Bucket::new(Arc::new(InMemory::new()));
    conforms(|| Store::in_bucket(&make(), &test_env(0))).await;
    marks(make).await;
}

#[tokio::test(start_paused = true)]
async fn folder_conforms() {
    let home = tempfile::tempdir().unwrap();
    let next = Cell::new(0);
    let make = || {
        next.set(next.get() + 1);
        let root = home.path().join(next.get().to_string());
        Bucket::local(LocalStore::create(&root).unwrap())
    };
    conforms(|| Store::in_bucket(&make(), &test_env(0))).await;
    marks(make).await;
}

#[tokio::test(start_paused = true)]
async fn memory_behind_a_plan_without_faults_conforms() {
    let make = || Bucket::new(Arc::new(FaultyStore::new(Arc::new(InMemory::new()))));
    conforms(|| Store::in_bucket(&make(), &test_env(0))).await;
    marks(make).await;
}

/// A folder used as a plain bucket, without the shortcuts for folders: what the shortcuts skip
/// must say the same.
#[tokio::test(start_paused = true)]
async fn folder_without_its_shortcuts_conforms() {
    let home = tempfile::tempdir().unwrap();
    let next = Cell::new(0);
    let make = || {
        next.set(next.get() + 1);
        let root = home.path().join(next.get().to_string());
        Bucket::new(Arc::new(LocalStore::create(&root).unwrap()))
    };
    conforms(|| Store::in_bucket(&make(), &test_env(0))).await;
    marks(make).await;
}

/// What every store does. `make` gives a new, empty one each time.
pub(crate) async fn conforms(make: impl Fn() -> Store) {
    blobs_of_every_size_round_trip(make()).await;
    trees_and_commits_round_trip(make()).await;
    wrong_content_leaves_nothing(make()).await;
    duplicates_are_not_new(make()).await;
    absent_objects_are_missing(make()).await;
    objects_are_found_by_their_first_digits(make()).await;
    refs_move_only_as_expected(make()).await;
    deleted_refs_keep_their_log_and_come_back(make()).await;
    tags_take_one_commit_and_then_only_deletion(make()).await;
    requests_are_done_exactly_once(make()).await;
    logs_are_chains_from_one_upwards(make()).await;
    names_never_meet(make()).await;
    books_are_listed(make()).await;
    each_position_has_one_winner(make()).await;
}

/// What makes a place a store. `make` gives a new, empty place each time.
pub(crate) async fn marks(make: impl Fn() -> Bucket) {
    let env = test_env(1);

    let place = make();
    let error = open(&place, "here").await.unwrap_err();
    assert!(matches!(error, StoreError::NoStore { .. }), "{error}");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let (marker, new) = create(&place, "here", Writers::Any, &env).await.unwrap();
    assert!(new);
    assert_eq!(open(&place, "here").await.unwrap(), marker);
    // Making it again opens it, and does not change when it was made.
    let again = create(&place, "here", Writers::Any, &env).await.unwrap();
    assert_eq!(again, (marker, false));

    // A place in use for something else is left alone.
    let place = make();
    let store = Store::in_bucket(&place, &env);
    put(&store, b"not a store's").await;
    let error = create(&place, "here", Writers::Any, &env).await.unwrap_err();
    assert!(matches!(error, StoreError::NotEmpty { .. }), "{error}");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(open(&place, "here").await.is_err());
}

#[tokio::test]
async fn a_store_that_nobody_may_write_to_is_closed_by_opening_and_by_making_it() {
    let env = test_env(1);
    let raw: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let closed = Marker { created_at: Timestamp::from_micros(7), writers: Writers::Nobody };
    raw.put(&Key::from(layout::MARKER), closed.encode().into()).await.unwrap();
    for making in [false, true] {
        let place = Bucket::new(raw.clone());
        let found = if making {
            create(&place, "here", Writers::Any, &env).await.unwrap().0
        } else {
            open(&place, "here").await.unwrap()
        };
        assert_eq!(found, closed);
        let session = Store::in_bucket(&place, &env).session().await.unwrap();
        let error = session.put_blob(Bytes::from_static(b"late")).await.unwrap_err();
        assert!(matches!(error, StoreError::Closed), "making: {making}: {error}");
    }
}

/// A marker of a newer version, or one that is damaged, is refused by opening and by making.
async fn refuses_marker(place: &Bucket, raw: &dyn ObjectStore, marker: Vec<u8>) -> StoreError {
    let key = Key::from(layout::MARKER);
    raw.put(&key, marker.clone().into()).await.unwrap();
    let error = create(place, "here", Writers::Any, &test_env(1)).await.unwrap_err();
    assert!(matches!(error, StoreError::BadMarker { .. }), "{error}");
    let kept = raw.get(&key).await.unwrap().bytes().await.unwrap();
    assert_eq!(kept, marker);
    open(place, "here").await.unwrap_err()
}

#[tokio::test]
async fn unknown_versions_and_damaged_markers_are_refused() {
    let raw = Arc::new(InMemory::new());
    let place = Bucket::new(raw.clone());
    let good = Marker { created_at: Timestamp::from_micros(7), writers: Writers::Any };
    let mut newer = good.encode();
    newer[1] += 2;
    let error = refuses_marker(&place, &*raw, newer).await;
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains('3'), "names the version found: {source}");
    let mut long = good.encode();
    long.extend([0; limits::MARKER_BYTES]);
    for bad in [Vec::new(), b"# my notes\n".to_vec(), long] {
        let error = refuses_marker(&place, &*raw, bad).await;
        assert_eq!(error.kind(), ErrorKind::Corrupt);
    }
}

#[tokio::test(start_paused = true)]
async fn invariant_certain_a_store_is_made_once_whatever_fails() {
    for fault in Fault::ALL {
        for n in 1.. {
            let memory = Arc::new(InMemory::new());
            let faulty = FaultyStore::new(memory.clone()).with_fault(n, fault);
            let bucket = Bucket::new(Arc::new(faulty.clone()));
            let env = test_env(1);
            let answer = create(&bucket, "here", Writers::Any, &env).await;
            faulty.settle().await;
            let context = format!("{fault:?} at call {n}");
            let over = faulty.calls() < n;
            let bucket = Bucket::new(memory.clone());
            let (marker, new) = create(&bucket, "here", Writers::Any, &env).await.expect(&context);
            match answer {
                Ok(made) => assert_eq!((made, new), ((marker, true), false), "{context}"),
                // What the put left behind, if anything, is opened the second time.
                Err(error) => {
                    let refused = matches!(fault, Fault::FalselyTaken | Fault::TakenByItself);
                    assert!(!refused, "{context}: {error}");
                }
            }
            assert_eq!(snapshot(&*memory).await.unwrap().len(), 1, "{context}");
            if over {
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_store_that_another_makes_at_any_moment_is_opened() {
    for n in 1..=4 {
        let memory = Arc::new(InMemory::new());
        let others = Bucket::new(memory.clone());
        let hook = move || async move {
            let env = test_env(2);
            // Another time, so that the markers differ.
            env.clock.now();
            create(&others, "here", Writers::Any, &env).await.unwrap();
        };
        let bucket = Bucket::new(Arc::new(FaultyStore::new(memory).with_hook(n, hook)));
        let (_, made) = create(&bucket, "here", Writers::Any, &test_env(1)).await.unwrap();
        // After its own put it was the first.
        assert_eq!(made, n > 3, "another came before call {n}");
    }
}

/// How far back a request is remembered is promised nowhere, but it is not just the last few.
#[tokio::test(start_paused = true)]
async fn requests_are_remembered_while_sixty_others_follow() {
    let bucket = Bucket::new(Arc::new(InMemory::new()));
    let store = Store::in_bucket(&bucket, &test_env(0));
    let [a, b] = commits(&store).await;
    let first = move_to(Expectation::Any, Some(a), "first");
    let made = moved(&store, &first).await;
    for n in 0..60 {
        let later = move_to(Expectation::Any, Some(b), &format!("later{n}"));
        moved(&store, &later).await;
    }
    assert_eq!(moved(&store, &first).await, made);
    assert_eq!(head(&store, "main").await.unwrap().entry.seq, 61);
}

async fn blobs_of_every_size_round_trip(store: Store) {
    for size in [0, 1, 4 * MIB - 1, 4 * MIB, 4 * MIB + 1, 9 * MIB + 17] {
        let bytes = bytes_of(size);
        let id = BlobId::of(&bytes);
        let session = store.session().await.unwrap();
        let new = session.put_blob_stream(id, pieces(&bytes, size)).await;
        assert!(new.unwrap(), "{size} bytes are new");
        session.publish().await.unwrap();
        let found = store.size(Kind::Blob, id.hash()).await.unwrap();
        assert_eq!(found, Some(size as u64));
        let spooled = store.spool_blob(&id).await.unwrap();
        let spooled = spooled.into_bytes(size as u64).unwrap().unwrap();
        assert!(spooled == bytes, "{size} bytes come back whole");
        let stream = store.stream_blob(&id).await.unwrap();
        assert_eq!(stream.size, size as u64);
        let streamed: Vec<Bytes> = stream.pieces.try_collect().await.unwrap();
        assert!(streamed.concat() == bytes, "{size} bytes come back in pieces");
        if size as u64 <= limits::WHOLE_BYTES {
            assert!(store.get_blob(&id).await.unwrap() == bytes);
        } else {
            let error = store.get_blob(&id).await.unwrap_err();
            assert!(matches!(error, StoreError::TooLarge { .. }), "{error}");
        }
    }
    let session = store.session().await.unwrap();
    let (id, new) = session.put_blob(Bytes::from_static(b"whole")).await.unwrap();
    assert!(new);
    session.publish().await.unwrap();
    assert_eq!(store.get_blob(&id).await.unwrap(), "whole");
}

async fn trees_and_commits_round_trip(store: Store) {
    let session = store.session().await.unwrap();
    let (blob, _) = session.put_blob(Bytes::from_static(b"text")).await.unwrap();
    let mut builder = TreeBuilder::new();
    let name = EntryName::parse("a.md").unwrap();
    builder.insert(Entry::blob(name, EntryKind::File, blob, 4));
    let tree = builder.build().unwrap();
    let (id, new) = session.put_tree(&tree).await.unwrap();
    assert!(new);
    let commit = commit_of(id, "first");
    let commit_id = session.put_commit(&commit).await.unwrap();
    session.publish().await.unwrap();
    assert_eq!(store.get_tree(&id).await.unwrap(), tree);
    assert_eq!(store.get_commit(&commit_id).await.unwrap(), commit);
}

async fn wrong_content_leaves_nothing(store: Store) {
    let good = bytes_of(9 * MIB);
    let id = BlobId::of(&good);
    let mut flipped = good.to_vec();
    flipped[8 * MIB] ^= 1;
    let short = good.slice(..good.len() - 1);
    let long = [good.as_ref(), b"x"].concat();
    let session = store.session().await.unwrap();
    for wrong in [flipped.into(), short, long.into()] {
        let put = session.put_blob_stream(id, pieces(&wrong, good.len())).await;
        let error = put.unwrap_err();
        assert!(matches!(error, StoreError::ContentChanged { .. }), "{error}");
        assert_eq!(error.kind(), ErrorKind::Conflict);
    }
    let broken = pieces(&good, good.len()).pieces.take(3);
    let broken = broken.chain(futures::stream::iter([Err(StoreError::NoStore {
        location: "elsewhere".to_owned(),
    })]));
    let stream = ByteStream { size: good.len() as u64, pieces: broken.boxed() };
    let error = session.put_blob_stream(id, stream).await.unwrap_err();
    assert!(matches!(error, StoreError::NoStore { .. }), "{error}");
    session.publish().await.unwrap();
    assert_eq!(store.size(Kind::Blob, id.hash()).await.unwrap(), None);
    let listed = store.list(Kind::Blob, &prefix(id.hash(), 8)).await.unwrap();
    assert_eq!(listed, []);
    // What is refused for its announced size alone is not read at all.
    let stream =
        ByteStream { size: limits::BLOB_BYTES + 1, pieces: futures::stream::iter([]).boxed() };
    let error = session.put_blob_stream(id, stream).await.unwrap_err();
    assert!(matches!(error, StoreError::TooLarge { .. }), "{error}");
}

async fn duplicates_are_not_new(store: Store) {
    let bytes = Bytes::from_static(b"twice");
    let first = store.session().await.unwrap();
    let (id, new) = first.put_blob(bytes.clone()).await.unwrap();
    assert!(new);
    assert!(!first.put_blob(bytes.clone()).await.unwrap().1);
    assert!(!first.put_blob_stream(id, pieces(&bytes, 5)).await.unwrap());
    assert!(first.contains_blob(id, 5).await.unwrap());
    first.publish().await.unwrap();
    let second = store.session().await.unwrap();
    assert!(second.contains_blob(id, 5).await.unwrap());
    assert!(!second.contains_blob(id, 6).await.unwrap());
    assert!(!second.contains_blob(BlobId::of(b"never"), 5).await.unwrap());
    assert!(!second.put_blob(bytes.clone()).await.unwrap().1);
    assert!(!second.put_blob_stream(id, pieces(&bytes, 5)).await.unwrap());
    let empty = Tree::default();
    assert!(second.put_tree(&empty).await.unwrap().1);
    assert!(!second.put_tree(&empty).await.unwrap().1);
    second.publish().await.unwrap();
    assert_eq!(store.get_blob(&id).await.unwrap(), bytes);
    // Equal bytes of another kind are another object.
    assert_eq!(store.size(Kind::Tree, id.hash()).await.unwrap(), None);
}

async fn absent_objects_are_missing(store: Store) {
    let hash = Hash::of(b"nobody put this");
    let missing = [
        store.get_blob(&BlobId(hash)).await.unwrap_err(),
        store.stream_blob(&BlobId(hash)).await.err().unwrap(),
        store.spool_blob(&BlobId(hash)).await.unwrap_err(),
        store.get_tree(&TreeId(hash)).await.unwrap_err(),
        store.get_commit(&CommitId(hash)).await.unwrap_err(),
    ];
    for error in missing {
        assert!(matches!(error, StoreError::Missing { id, .. } if id == hash), "{error}");
        assert_eq!(error.kind(), ErrorKind::Corrupt);
    }
    for kind in Kind::ALL {
        assert_eq!(store.size(kind, &hash).await.unwrap(), None);
    }
    let refs = store.refs();
    assert_eq!(refs.head(&book("b"), &RefName::main()).await.unwrap(), None);
    let entry = refs.entry(&book("b"), &RefName::main(), 1).await.unwrap();
    assert_eq!(entry, None);
    assert_eq!(refs.names(&book("b")).await.unwrap(), []);
    assert_eq!(refs.books().await.unwrap(), []);
}

async fn objects_are_found_by_their_first_digits(store: Store) {
    let session = store.session().await.unwrap();
    let mut ids = Vec::new();
    for n in 0_u32..300 {
        ids.push(session.put_blob(n.to_be_bytes().to_vec().into()).await.unwrap().0);
    }
    session.publish().await.unwrap();
    for id in ids {
        for digits in [8, 9, 64] {
            let prefix = prefix(id.hash(), digits);
            let found = store.list(Kind::Blob, &prefix).await.unwrap();
            assert_eq!(found, [*id.hash()]);
        }
        let full = prefix(id.hash(), 64);
        assert_eq!(store.list(Kind::Tree, &full).await.unwrap(), []);
    }
    let absent = prefix(&Hash::of(b"absent"), 8);
    assert_eq!(store.list(Kind::Blob, &absent).await.unwrap(), []);
}

async fn refs_move_only_as_expected(store: Store) {
    use Expectation::{Absent, Any, Is};
    let [a, b] = commits(&store).await;
    let never = move_to(Is(a), Some(b), "r0");
    assert_eq!(store.refs().update(&never).await.unwrap(), UpdateOutcome::Refused(None));
    let first = moved(&store, &move_to(Absent, Some(a), "r1")).await;
    assert_eq!((first.entry.seq, first.entry.target), (1, Some(a)));
    for (n, wrong) in [Absent, Is(b)].into_iter().enumerate() {
        let update = move_to(wrong, Some(b), &format!("wrong{n}"));
        let outcome = store.refs().update(&update).await.unwrap();
        assert_eq!(outcome, UpdateOutcome::Refused(Some(first.clone())));
    }
    let second = moved(&store, &move_to(Is(a), Some(b), "r2")).await;
    assert_eq!((second.entry.seq, second.entry.target), (2, Some(b)));
    let third = moved(&store, &move_to(Any, Some(a), "r3")).await;
    assert_eq!((third.entry.seq, third.entry.target), (3, Some(a)));
    assert_eq!(head(&store, "main").await, Some(third));
    // What an entry cannot hold is refused before anything is written.
    let long = RefUpdate {
        message: "x".repeat(limits::ENTRY_MESSAGE_BYTES + 1),
        ..move_to(Any, Some(a), "r4")
    };
    let error = store.refs().update(&long).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(head(&store, "main").await.unwrap().entry.seq, 3);
}

async fn deleted_refs_keep_their_log_and_come_back(store: Store) {
    use Expectation::{Absent, Is};
    let [a, b] = commits(&store).await;
    let first = moved(&store, &move_to(Absent, Some(a), "r1")).await;
    let gone = moved(&store, &move_to(Is(a), None, "r2")).await;
    assert_eq!((gone.entry.seq, gone.entry.target), (2, None));
    let refs = store.refs();
    assert_eq!(head(&store, "main").await, Some(gone.clone()));
    assert_eq!(refs.names(&book("b")).await.unwrap(), [RefName::main()]);
    assert_eq!(refs.books().await.unwrap(), [book("b")]);
    let update = move_to(Is(a), Some(b), "r3");
    let outcome = refs.update(&update).await.unwrap();
    assert_eq!(outcome, UpdateOutcome::Refused(Some(gone)));
    let back = moved(&store, &move_to(Absent, Some(a), "r4")).await;
    assert_eq!((back.entry.seq, back.entry.target), (3, Some(a)));
    let oldest = refs.entry(&book("b"), &RefName::main(), 1).await.unwrap();
    assert_eq!(oldest, Some(first));
}

async fn tags_take_one_commit_and_then_only_deletion(store: Store) {
    use Expectation::{Absent, Any, Is};
    let [a, b] = commits(&store).await;
    let tag = |expect, target, id| RefUpdate {
        name: RefName::tag("v1").unwrap(),
        ..move_to(expect, target, id)
    };
    moved(&store, &tag(Absent, Some(a), "r1")).await;
    let refuses = |update: RefUpdate| {
        let store = store.clone();
        async move {
            let error = store.refs().update(&update).await.unwrap_err();
            assert!(matches!(error, RefError::TagMoves { .. }), "{error}");
            assert_eq!(error.kind(), ErrorKind::Conflict);
        }
    };
    refuses(tag(Is(a), Some(b), "r2")).await;
    refuses(tag(Any, Some(a), "r3")).await;
    let gone = moved(&store, &tag(Is(a), None, "r4")).await;
    assert_eq!((gone.entry.seq, gone.entry.target), (2, None));
    refuses(tag(Absent, Some(a), "r5")).await;
    refuses(tag(Any, None, "r6")).await;
    assert_eq!(head(&store, "tags/v1").await, Some(gone));
}

async fn requests_are_done_exactly_once(store: Store) {
    use Expectation::{Absent, Any, Is};
    let [a, b] = commits(&store).await;
    // Every expectation, among them those that hold again when the request is repeated.
    let updates = [
        move_to(Absent, Some(a), "create"),
        move_to(Is(a), Some(b), "forth"),
        move_to(Is(b), Some(a), "back"),
        move_to(Any, Some(b), "any"),
        move_to(Is(b), None, "delete"),
        move_to(Absent, Some(a), "restore"),
        move_to(Is(a), None, "delete-again"),
        move_to(Absent, Some(a), "restore-again"),
    ];
    let mut entries: Vec<LogEntry> = Vec::new();
    for update in &updates {
        entries.push(moved(&store, update).await);
        for (earlier, made) in updates.iter().zip(&entries) {
            assert_eq!(moved(&store, earlier).await, *made);
        }
    }
    let log = invariants::log(&store, &book("b"), &RefName::main()).await;
    assert_eq!(log.unwrap(), entries);
    // The same request id on another ref is another request.
    let other = RefUpdate { name: RefName::parse("other").unwrap(), ..updates[0].clone() };
    assert_eq!(moved(&store, &other).await.entry.name, other.name);
}

async fn logs_are_chains_from_one_upwards(store: Store) {
    let [a, b] = commits(&store).await;
    let mut entries: Vec<LogEntry> = Vec::new();
    for n in 0..8_u64 {
        let target = if n % 2 == 0 { a } else { b };
        let update = move_to(Expectation::Any, Some(target), &format!("r{n}"));
        let entry = moved(&store, &update).await;
        assert_eq!(entry.entry.seq, n + 1);
        assert_eq!(entry.entry.previous, entries.last().map(|last| last.id));
        assert_eq!(entry.entry.actor, update.actor);
        assert_eq!(entry.entry.request_id, update.request_id);
        entries.push(entry);
    }
    let refs = store.refs();
    for seq in [0, 9, u64::MAX] {
        let found = refs.entry(&book("b"), &RefName::main(), seq).await;
        assert_eq!(found.unwrap(), None, "entry {seq}");
    }
    assert_eq!(head(&store, "main").await.as_ref(), entries.last());
    let report = verify_log(&store, &book("b"), &RefName::main()).await;
    let report = report.unwrap();
    assert_eq!((report.entries, report.faults), (8, vec![]));
    assert_eq!(report.head, entries.last().map(|last| last.id));
}

async fn names_never_meet(store: Store) {
    let [a, _] = commits(&store).await;
    let names =
        ["Main", "main", "main/x", "main/X", "users/Ada", "users/a/da", "users/ada", "users=ada"];
    let mut expected: Vec<_> = names.map(|name| RefName::parse(name).unwrap()).into();
    for name in &expected {
        let update = RefUpdate {
            name: name.clone(),
            ..move_to(
                Expectation::Absent,
                Some(a),
                name.escaped().replace('%', "_").replace('=', "-").as_str(),
            )
        };
        let entry = moved(&store, &update).await;
        assert_eq!((entry.entry.seq, &entry.entry.name), (1, name));
    }
    for name in &expected {
        let found = head(&store, name.as_str()).await.unwrap();
        assert_eq!((found.entry.seq, &found.entry.name), (1, name));
    }
    expected.sort();
    assert_eq!(store.refs().names(&book("b")).await.unwrap(), expected);
    // A book whose name another's begins with has its own refs.
    assert_eq!(store.refs().names(&book("b.1")).await.unwrap(), []);
}

async fn books_are_listed(store: Store) {
    let [a, _] = commits(&store).await;
    for name in ["b2", "b", "b-1", "b.1"] {
        let update = RefUpdate { book: book(name), ..move_to(Expectation::Absent, Some(a), "r") };
        moved(&store, &update).await;
    }
    let books = store.refs().books().await.unwrap();
    assert_eq!(books, ["b", "b-1", "b.1", "b2"].map(book));
}

async fn each_position_has_one_winner(store: Store) {
    let [a, b] = commits(&store).await;
    moved(&store, &move_to(Expectation::Absent, Some(a), "first")).await;
    let race = |expect, round: &'static str| {
        let writers = (0..8).map(|n| {
            let (store, id) = (store.clone(), format!("{round}{n}"));
            let update = move_to(expect, Some(b), &id);
            tokio::spawn(async move { store.refs().update(&update).await.unwrap() })
        });
        futures::future::try_join_all(writers)
    };
    let outcomes = race(Expectation::Is(a), "is").await.unwrap();
    let won = |outcome: &&UpdateOutcome| matches!(outcome, UpdateOutcome::Moved(_));
    assert_eq!(outcomes.iter().filter(won).count(), 1);
    let outcomes = race(Expectation::Any, "any").await.unwrap();
    let mut seqs: Vec<_> = outcomes
        .into_iter()
        .map(|outcome| match outcome {
            UpdateOutcome::Moved(entry) => entry.entry.seq,
            UpdateOutcome::Refused(head) => panic!("refused at {head:?}"),
        })
        .collect();
    seqs.sort_unstable();
    assert_eq!(seqs, (3..=10).collect::<Vec<_>>());
}

/// `size` bytes that do not repeat within a piece.
fn bytes_of(size: usize) -> Bytes {
    let mut bytes = vec![0; size];
    let mut reader = blake3::Hasher::new().finalize_xof();
    reader.fill(&mut bytes);
    bytes.into()
}

/// `bytes` in uneven pieces, announced as `size` bytes.
fn pieces(bytes: &Bytes, size: usize) -> ByteStream {
    let (mut rest, mut pieces) = (bytes.clone(), Vec::new());
    while !rest.is_empty() {
        let piece = rest.split_to(rest.len().min(MIB + 1));
        pieces.push(Ok(piece));
    }
    ByteStream { size: size as u64, pieces: futures::stream::iter(pieces).boxed() }
}

async fn put(store: &Store, bytes: &'static [u8]) -> BlobId {
    let session = store.session().await.unwrap();
    let (id, _) = session.put_blob(Bytes::from_static(bytes)).await.unwrap();
    session.publish().await.unwrap();
    id
}

/// Two commits that are there.
async fn commits(store: &Store) -> [CommitId; 2] {
    let session = store.session().await.unwrap();
    let (tree, _) = session.put_tree(&Tree::default()).await.unwrap();
    let mut ids = [CommitId::of(b""); 2];
    for (id, message) in ids.iter_mut().zip(["a", "b"]) {
        *id = session.put_commit(&commit_of(tree, message)).await.unwrap();
    }
    session.publish().await.unwrap();
    ids
}

fn commit_of(tree: TreeId, message: &str) -> Commit {
    Commit {
        tree,
        parents: Vec::new(),
        author: Actor::parse("ada").unwrap(),
        committed_at: Timestamp::from_micros(1),
        message: message.to_owned(),
        metadata: Metadata::new(),
    }
}

/// Moves `main` of book `b`.
fn move_to(expect: Expectation, target: Option<CommitId>, request_id: &str) -> RefUpdate {
    RefUpdate {
        book: book("b"),
        name: RefName::main(),
        expect,
        target,
        actor: Actor::parse("ada").unwrap(),
        operation: Operation::reset(),
        message: "move".to_owned(),
        request_id: RequestId::parse(request_id).unwrap(),
        metadata: Metadata::new(),
        began: Timestamp::from_micros(u64::MAX),
    }
}

async fn moved(store: &Store, update: &RefUpdate) -> LogEntry {
    match store.refs().update(update).await.unwrap() {
        UpdateOutcome::Moved(entry) => entry,
        UpdateOutcome::Refused(head) => panic!("{} refused at {head:?}", update.request_id),
    }
}

async fn head(store: &Store, name: &str) -> Option<LogEntry> {
    let name = RefName::parse(name).unwrap();
    store.refs().head(&book("b"), &name).await.unwrap()
}

fn book(name: &str) -> BookId {
    BookId::parse(name).unwrap()
}

fn prefix(id: &Hash, digits: usize) -> HashPrefix {
    HashPrefix::parse(&id.to_hex()[..digits]).unwrap()
}

mod object_store_suite {
    //! What the `object_store` crate asks of every implementation of its trait.

    use object_store::integration as suite;

    use super::*;

    fn folder() -> (LocalStore, tempfile::TempDir) {
        let home = tempfile::tempdir().unwrap();
        (LocalStore::create(home.path()).unwrap(), home)
    }

    // Not called:
    // - `put_get_attributes`: a folder keeps bytes only; nothing here sets attributes.
    // - `put_opts(.., true)`: there is no `PutMode::Update`, because no key is ever changed.
    // - `multipart`, `multipart_with_opts`, `multipart_put_part_out_of_order`,
    //   `list_paginated`, `signing`, `tagging`, `response_extensions`: they test further traits
    //   and HTTP features of cloud buckets.
    #[tokio::test]
    async fn folder_passes_what_object_store_asks_of_every_store() {
        let (store, _home) = folder();
        suite::put_get_delete_list(&store).await;
        suite::get_opts(&store).await;
        suite::put_opts(&store, false).await;
        suite::list_uses_directories_correctly(&store).await;
        suite::list_with_delimiter(&store).await;
        suite::rename_and_copy(&store).await;
        suite::copy_if_not_exists(&store).await;
        suite::copy_rename_nonexistent_object(&store).await;
        suite::list_with_offset_exclusivity(&store).await;
        let error = suite::get_nonexistent_object(&store, None).await.unwrap_err();
        assert!(matches!(error, object_store::Error::NotFound { .. }), "{error}");
    }

    #[tokio::test]
    async fn folder_takes_uploads_in_parts_in_any_order() {
        let (store, _home) = folder();
        suite::stream_get(&store).await;
        suite::multipart_race_condition(&store, true).await;
        suite::multipart_out_of_order(&store).await;
    }
}
