//! A collection that meets a failure at every call, and the one after it.

use cas_tests::faulty::{Fault, FaultyStore};

use super::*;

/// Runs until nothing is left to do, each a grace period after the one before.
async fn to_the_end(shelf: &Shelf) -> u64 {
    let mut deleted = 0;
    for _ in 0..4 {
        shelf.wait();
        deleted += shelf.gc().await.deleted.objects;
    }
    deleted
}

#[tokio::test(start_paused = true)]
async fn invariant_gc_safe_a_failure_at_every_call_of_both_runs() {
    for fault in Fault::ALL {
        for first in [true, false] {
            for n in 1.. {
                let shelf = Shelf::new().await;
                shelf.wait();
                if !first {
                    shelf.gc().await;
                    shelf.wait();
                }
                let faulty = FaultyStore::new(shelf.store.clone()).with_fault(n, fault);
                let store: Arc<dyn ObjectStore> = Arc::new(faulty.clone());
                let failed = collect(&store, &shelf.clock, Retention::Newest(1)).await;
                let context = format!("{fault:?} at call {n}, first run: {first}: {failed:?}");
                shelf.check(&context).await;
                faulty.settle().await;
                to_the_end(&shelf).await;
                shelf.check(&context).await;
                assert!(!shelf.has(shelf.left).await, "what is left goes in the end: {context}");
                if faulty.calls() < n {
                    break;
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn invariant_gc_safe_a_failure_at_every_call_of_who_is_alone() {
    for fault in Fault::ALL {
        for n in 1.. {
            let shelf = Shelf::new().await;
            let faulty = FaultyStore::new(shelf.store.clone()).with_fault(n, fault);
            let store: Arc<dyn ObjectStore> = Arc::new(faulty.clone());
            let failed = sweep(&store, &shelf.clock, Retention::Newest(1)).await;
            let context = format!("{fault:?} at call {n}, alone: {failed:?}");
            shelf.check(&context).await;
            faulty.settle().await;
            sweep(&shelf.store, &shelf.clock, Retention::Newest(1)).await.unwrap();
            shelf.check(&context).await;
            assert!(!shelf.has(shelf.left).await, "what is left goes: {context}");
            assert_eq!(shelf.gc().await.condemned.objects, 0, "nothing is left over: {context}");
            if faulty.calls() < n {
                break;
            }
        }
    }
}
