//! Copying a store into another.

use cas_core::store::layout;
use cas_core::upkeep::{CopyReport, UpkeepError};
use cas_tests::faulty::{Fault, FaultyStore, snapshot};
use cas_tests::invariants;
use object_store::ObjectStore;

use super::*;

async fn copied(from: &World, to: Arc<dyn ObjectStore>) -> Result<CopyReport, UpkeepError> {
    let upkeep = Upkeep::new(Bucket::new(to), test_env(910), 1, Arc::new(NoProgress));
    upkeep.copy_from(from.plain.store(), &[]).await
}

/// What a store holds but for what nothing names.
async fn named(memory: &InMemory) -> Contents {
    snapshot(memory).await.unwrap()
}

#[tokio::test]
async fn a_copy_is_as_good_as_the_original_and_is_brought_up() {
    let world = library().await;
    let copy = Arc::new(InMemory::new());
    let report = copied(&world, copy.clone()).await.unwrap();
    assert_eq!((report.refs, report.refs_moved, report.entries), (4, 4, 8));
    assert_eq!(named(&copy).await, named(&world.memory).await);
    assert!(checked(&copy).await.is_sound());
    let again = copied(&world, copy.clone()).await.unwrap();
    assert_eq!(again, CopyReport { refs: 4, ..CopyReport::default() });
    // One file in two folders: a blob, three trees, a commit.
    let edits = [put("docs/deep/new.md", b"new", Precondition::Absent)];
    let main = request(&RefName::main(), "later");
    world.plain.edit(&main, Operation::put(), &edits).await.unwrap();
    let more = copied(&world, copy.clone()).await.unwrap();
    assert_eq!((more.refs_moved, more.entries, more.objects), (1, 1, 5));
    assert_eq!(named(&copy).await, named(&world.memory).await);
}

#[tokio::test]
async fn a_log_that_went_another_way_is_told_and_left_alone() {
    let world = library().await;
    let copy = Arc::new(InMemory::new());
    copied(&world, copy.clone()).await.unwrap();
    let other = crate::world::repository(copy.clone(), 5, "eve");
    let edits = [put("mine.md", b"mine", Precondition::Absent)];
    other.edit(&request(&RefName::main(), "mine"), Operation::put(), &edits).await.unwrap();
    let edits = [put("theirs.md", b"theirs", Precondition::Absent)];
    let main = request(&RefName::main(), "theirs");
    world.plain.edit(&main, Operation::put(), &edits).await.unwrap();
    let before = named(&copy).await;
    let report = copied(&world, copy.clone()).await.unwrap();
    assert_eq!(report.diverged, [(book(), RefName::main(), 4)]);
    assert_eq!(named(&copy).await, before);
}

#[tokio::test(start_paused = true)]
async fn invariant_closed_a_copy_that_fails_at_any_call_is_whole_and_is_gone_on_with() {
    let world = library().await;
    for fault in Fault::ALL {
        for n in 1.. {
            let copy = Arc::new(InMemory::new());
            let faulty = FaultyStore::new(copy.clone()).with_fault(n, fault);
            let _ = copied(&world, Arc::new(faulty.clone())).await;
            let store = Store::in_bucket(&Bucket::new(copy.clone()), &test_env(911));
            let context = format!("{fault:?} at call {n}");
            assert_eq!(invariants::closed(&store).await, [""; 0], "{context}");
            faulty.settle().await;
            copied(&world, copy.clone()).await.unwrap();
            assert_eq!(named(&copy).await, named(&world.memory).await, "{context}");
            if faulty.calls() < n {
                break;
            }
        }
    }
}

#[tokio::test]
async fn what_is_damaged_is_not_copied() {
    let world = library().await;
    let whole = snapshot(&*world.memory).await.unwrap();
    for kind in Kind::ALL {
        let key = objects(&whole, kind).remove(0);
        let id = layout::object_id(kind, &key).unwrap();
        world.memory.put(&key, Bytes::from_static(b"?").into()).await.unwrap();
        let copy = Arc::new(InMemory::new());
        let failed = copied(&world, copy.clone()).await.unwrap_err().to_string();
        assert!(failed.contains(&id.to_string()), "{failed}");
        let store = Store::in_bucket(&Bucket::new(copy.clone()), &test_env(911));
        assert_eq!(invariants::closed(&store).await, [""; 0], "{kind}");
        assert!(!snapshot(&*copy).await.unwrap().contains_key(&key));
        world.memory.put(&key, whole[&key].clone().into()).await.unwrap();
    }
}

#[tokio::test]
async fn a_file_with_the_bytes_of_a_tree_is_not_taken_for_it() {
    use cas_core::name::{BlobId, EntryName};
    use cas_core::object::{Entry, EntryKind, Tree};
    let world = World::new().await;
    let name = EntryName::parse("x.md").unwrap();
    let blob = BlobId::of(b"x");
    let tree = Tree::from_entries([Entry::blob(name, EntryKind::File, blob, 1)]).unwrap();
    // First a version with the file, then one with the folder whose tree has the same id.
    let bytes: &'static [u8] = tree.encode().leak();
    let steps = [("file", "as-file.md", bytes), ("folder", "folder/x.md", b"x".as_slice())];
    for (id, at, content) in steps {
        let edits = [put(at, content, Precondition::Absent)];
        let main = request(&RefName::main(), id);
        world.plain.edit(&main, Operation::put(), &edits).await.unwrap();
    }
    let copy = Arc::new(InMemory::new());
    copied(&world, copy.clone()).await.unwrap();
    let report = checked(&copy).await;
    assert!(report.is_sound(), "{:?}", told(&report));
    assert_eq!(named(&copy).await, named(&world.memory).await);
}
