//! Stores that are as they should be, and what is told of them.

use cas_core::store::layout;
use cas_tests::faulty::snapshot;
use object_store::ObjectStoreExt;

use super::*;

#[tokio::test]
async fn a_sound_store_is_told_to_be_so_and_counted() {
    let world = library().await;
    let whole = snapshot(&*world.memory).await.unwrap();
    let report = checked(&world.memory).await;
    assert_eq!(told(&report), [""; 0]);
    assert_eq!((report.refs, report.entries, report.unknown), (4, 8, 0));
    for kind in Kind::ALL {
        let keys = objects(&whole, kind);
        let bytes: usize = keys.iter().map(|key| whole[key].len()).sum();
        let found = report.objects[&kind];
        assert_eq!((found.count, found.bytes), (keys.len() as u64, bytes as u64), "{kind}");
        assert_eq!(found.unnamed, 0, "{kind}");
    }
    assert_eq!(report.blobs_read, report.objects[&Kind::Blob].count);
    assert_eq!(snapshot(&*world.memory).await.unwrap(), whole, "a check writes nothing");
}

#[tokio::test]
async fn what_nothing_names_is_counted_and_no_fault() {
    let world = library().await;
    let session = world.plain.store().session().await.unwrap();
    session.put_blob(Bytes::from_static(b"left by a writer that died")).await.unwrap();
    session.publish().await.unwrap();
    // A tree of such a writer may have come before what it names.
    let whole = snapshot(&*world.memory).await.unwrap();
    let tree = cas_tests::planted::Planted::file("a/b.md", "never seen");
    cas_tests::planted::plant(world.plain.store(), &[tree]).await;
    let blob = cas_core::name::BlobId::of(b"never seen");
    world.memory.delete(&layout::object(Kind::Blob, blob.hash())).await.unwrap();
    let report = checked(&world.memory).await;
    assert_eq!(told(&report), [""; 0]);
    let unnamed = |kind| report.objects[&kind].unnamed;
    assert_eq!((unnamed(Kind::Blob), unnamed(Kind::Tree), unnamed(Kind::Commit)), (1, 2, 0));
    assert!(snapshot(&*world.memory).await.unwrap().len() > whole.len());
}

#[tokio::test]
async fn damage_to_what_nothing_names_is_told_all_the_same() {
    // A writer with the same content would find it there and rely on it.
    let world = library().await;
    let session = world.plain.store().session().await.unwrap();
    let (id, _) = session.put_blob(Bytes::from_static(b"left")).await.unwrap();
    session.publish().await.unwrap();
    let key = layout::object(Kind::Blob, id.hash());
    world.memory.put(&key, Bytes::from_static(b"lost").into()).await.unwrap();
    let report = checked(&world.memory).await;
    assert_eq!(told(&report), [format!("damaged blob {id}")]);
    assert!(matches!(&report.faults[0], Fault::Object { named: false, .. }));
}

#[tokio::test]
async fn keys_of_somebody_else_are_told_and_left_alone() {
    let world = library().await;
    let strange = [
        "notes.txt",
        "backup/blobs/aa/x",
        "blobs/README",
        "blobs/zz/00",
        "blobs/aa/00",
        "refs/Not A Book/main/x",
        "refs/book/%zz/x",
        "refs/book/main/zzz",
        "tokens/x",
    ];
    for key in strange {
        world.memory.put(&Key::from(key), Bytes::from_static(b"?").into()).await.unwrap();
    }
    let whole = snapshot(&*world.memory).await.unwrap();
    let report = checked(&world.memory).await;
    assert_eq!(told(&report), [""; 0]);
    assert_eq!(report.unknown, strange.len() as u64, "{:?}", report.unknown_keys);
    assert_eq!(snapshot(&*world.memory).await.unwrap(), whole);
}

#[tokio::test]
async fn a_sample_reads_a_part_and_looks_at_the_length_of_all() {
    let world = library().await;
    let whole = snapshot(&*world.memory).await.unwrap();
    let key = objects(&whole, Kind::Blob).remove(0);
    let id = layout::object_id(Kind::Blob, &key).unwrap();
    let none = FsckRequest { sample_ppm: 0, repair_from: None };
    let report = upkeep(&world.memory).fsck(&none).await.unwrap();
    assert_eq!((report.blobs_read, told(&report)), (0, Vec::new()));
    world.memory.put(&key, Bytes::from_static(b"of another length").into()).await.unwrap();
    let report = upkeep(&world.memory).fsck(&none).await.unwrap();
    assert_eq!((report.blobs_read, told(&report)), (1, vec![format!("damaged blob {id}")]));
}
