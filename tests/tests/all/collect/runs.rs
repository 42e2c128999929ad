//! What the runs do, one after the other.

use cas_core::store::layout;
use cas_core::upkeep::{FsckRequest, Tally};
use cas_tests::faulty::snapshot;
use object_store::ObjectStoreExt;

use super::*;

/// The objects of a store: without refs and the record of collections.
async fn objects(shelf: &Shelf) -> usize {
    let keys = snapshot(&*shelf.memory).await.unwrap();
    let kinds = cas_core::object::Kind::ALL;
    keys.keys().filter(|key| kinds.iter().any(|k| layout::object_id(*k, key).is_some())).count()
}

#[tokio::test]
async fn what_nothing_reaches_goes_in_two_runs() {
    let shelf = Shelf::new().await;
    let all = objects(&shelf).await as u64;
    // Everything is young.
    let report = shelf.gc().await;
    assert_eq!(report.condemned, Tally::default());
    // The orphan; what else nothing reaches stays with the young commit that names it.
    assert_eq!(report.young.objects, 1);
    shelf.wait();
    // A commit, its two trees and its blob, and the orphan.
    let report = shelf.gc().await;
    assert_eq!((report.condemned.objects, report.young.objects), (5, 0));
    assert_eq!(report.kept.values().map(|kept| kept.objects).sum::<u64>(), all - 5);
    assert_eq!(report.deleted, Tally::default());
    // Not due yet: nothing is done.
    shelf.clock.advance(Duration::from_hours(1));
    let report = shelf.gc().await;
    assert_eq!(report.waiting.map(|list| (list.tally.objects, list.state)), Some((5, "condemned")));
    assert_eq!(objects(&shelf).await as u64, all);
    shelf.wait();
    let report = shelf.gc().await;
    assert_eq!((report.deleted.objects, report.rescued, report.retired), (5, Tally::default(), 0));
    assert_eq!(objects(&shelf).await as u64, all - 5);
    assert!(!shelf.has(shelf.left).await);
    shelf.check("after deleting").await;
    // Then there is nothing to do, and the list is retired when nobody can depend on it.
    assert_eq!(shelf.gc().await.retired, 0);
    shelf.wait();
    let report = shelf.gc().await;
    assert_eq!((report.deleted.objects, report.retired), (0, 1));
    let keys = snapshot(&*shelf.memory).await.unwrap();
    assert!(!keys.keys().any(|key| key.as_ref().starts_with("gc/lists/")), "parts are removed");
    assert!(!keys.keys().any(|key| key.as_ref().starts_with("gc/clock/")), "as are probes");
    let fsck = FsckRequest { sample_ppm: 1_000_000, repair_from: None };
    let report = upkeep(&shelf.store, &shelf.clock).fsck(&fsck).await.unwrap();
    assert!(report.is_sound(), "{:?}", report.faults);
    assert_eq!((report.collected, report.unknown), (1, 0));
}

#[tokio::test]
async fn what_logs_keep_stays() {
    let shelf = Shelf::new().await;
    shelf.wait();
    // All entries; the two newest, of which the older names what was left; a window that began
    // before it was left.
    for keeps in [Retention::All, Retention::Newest(2), Retention::Since(GRACE * 2)] {
        let report = shelf.gc_keeping(keeps).await;
        let orphan = Tally { objects: 1, bytes: 6 };
        assert_eq!(report.condemned, orphan, "{keeps:?}");
        assert!(upkeep(&shelf.store, &shelf.clock).gc_cancel(&actor("ada")).await.unwrap());
    }
    for drops in [Retention::Newest(1), Retention::Newest(0), Retention::Since(Duration::ZERO)] {
        assert_eq!(shelf.gc_keeping(drops).await.condemned.objects, 5, "{drops:?}");
        assert!(upkeep(&shelf.store, &shelf.clock).gc_cancel(&actor("ada")).await.unwrap());
    }
    shelf.check("nothing was deleted").await;
    assert!(shelf.has(shelf.left).await);
}

#[tokio::test]
async fn a_dry_run_says_the_same_and_writes_nothing() {
    let shelf = Shelf::new().await;
    shelf.wait();
    let before = snapshot(&*shelf.memory).await.unwrap();
    let grace = Grace::Shared(Duration::from_hours(24));
    let request =
        GcRequest { actor: actor("gc"), retention: Retention::Newest(1), grace, dry_run: true };
    let said = upkeep(&shelf.store, &shelf.clock).gc(&request).await.unwrap();
    assert_eq!(snapshot(&*shelf.memory).await.unwrap(), before);
    let done = shelf.gc().await;
    assert_eq!((said.condemned, said.kept), (done.condemned, done.kept));
    shelf.wait();
    let before = snapshot(&*shelf.memory).await.unwrap();
    let said = upkeep(&shelf.store, &shelf.clock).gc(&request).await.unwrap();
    assert_eq!(snapshot(&*shelf.memory).await.unwrap(), before);
    assert_eq!(
        (said.deleted, shelf.gc().await.deleted.objects),
        (said.deleted, said.deleted.objects)
    );
    assert_eq!(said.deleted.objects, 5);
}

#[tokio::test]
async fn what_is_taken_back_stays_and_what_is_half_deleted_is_not() {
    let shelf = Shelf::new().await;
    let cancel = || async { upkeep(&shelf.store, &shelf.clock).gc_cancel(&actor("ada")).await };
    assert!(!cancel().await.unwrap(), "there is nothing to take back");
    shelf.wait();
    shelf.gc().await;
    assert!(cancel().await.unwrap());
    assert!(!cancel().await.unwrap());
    shelf.wait();
    // Condemned anew, and due a grace period later only.
    let report = shelf.gc().await;
    assert_eq!((report.condemned.objects, report.deleted.objects), (5, 0));
    shelf.wait();
    assert_eq!(shelf.gc().await.deleted.objects, 5);
    assert!(!cancel().await.unwrap());
}

#[tokio::test]
async fn alone_everything_goes_at_once() {
    let shelf = Shelf::new().await;
    let request = GcRequest {
        actor: actor("gc"),
        retention: Retention::Newest(1),
        grace: Grace::Alone(Duration::ZERO),
        dry_run: false,
    };
    shelf.clock.advance(Duration::from_secs(1));
    let report = upkeep(&shelf.store, &shelf.clock).gc(&request).await.unwrap();
    assert_eq!((report.deleted.objects, report.young.objects), (5, 0));
    shelf.check("alone").await;
    let short = GcRequest { grace: Grace::Shared(Duration::from_hours(1)), ..request };
    let refused = upkeep(&shelf.store, &shelf.clock).gc(&short).await;
    assert!(matches!(refused, Err(UpkeepError::ShortGrace { hours: 24 })));
}

#[tokio::test]
async fn an_object_that_cannot_be_read_ends_the_run_before_anything_is_deleted() {
    let shelf = Shelf::new().await;
    shelf.wait();
    shelf.gc().await;
    shelf.wait();
    let before = objects(&shelf).await;
    let tree = shelf.plain().get_commit(&shelf.base).await.unwrap().tree;
    let key = layout::object(cas_core::object::Kind::Tree, tree.hash());
    let bytes = snapshot(&*shelf.memory).await.unwrap()[&key].clone();
    shelf.memory.delete(&key).await.unwrap();
    assert!(collect(&shelf.store, &shelf.clock, Retention::Newest(1)).await.is_err());
    assert_eq!(objects(&shelf).await, before - 1);
    shelf.memory.put(&key, bytes.into()).await.unwrap();
    assert_eq!(shelf.gc().await.deleted.objects, 5);
}

#[tokio::test]
async fn what_a_young_tree_names_stays_with_it() {
    let shelf = Shelf::new().await;
    shelf.wait();
    // A writer found the old blob there and put a new tree that names it, and no ref yet.
    let planted = cas_tests::planted::Planted::file("new.md", "orphan");
    cas_tests::planted::plant(shelf.repo.store(), &[planted]).await;
    let report = shelf.gc().await;
    assert_eq!((report.condemned.objects, report.young.objects), (4, 0));
    shelf.check("young").await;
}

#[tokio::test]
async fn what_was_taken_when_fewer_entries_were_kept_stops_no_later_run() {
    let shelf = Shelf::new().await;
    for _ in 0..2 {
        shelf.wait();
        shelf.gc().await;
    }
    assert!(!shelf.has(shelf.left).await);
    // The log still names what was left; the one who keeps all entries now cannot have it back.
    let report = shelf.gc_keeping(Retention::All).await;
    assert_eq!(report.deleted, Tally::default());
    // Anything else that is missing stops the run, also of the same entries.
    let tree = shelf.plain().get_commit(&shelf.base).await.unwrap().tree;
    let key = layout::object(cas_core::object::Kind::Tree, tree.hash());
    shelf.memory.delete(&key).await.unwrap();
    assert!(collect(&shelf.store, &shelf.clock, Retention::All).await.is_err());
}
