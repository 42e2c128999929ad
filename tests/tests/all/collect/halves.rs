//! Versions that are neither there nor gone: a collection leaves none, whoever comes between.

use std::collections::BTreeSet;

use cas_core::object::Kind;
use cas_core::store::layout;
use cas_tests::faulty::{Fault, FaultyStore, snapshot};
use object_store::ObjectStoreExt;

use super::*;

/// What is named by something that is there, and is not there itself.
async fn halves(shelf: &Shelf) -> Vec<String> {
    invariants::leaves_first(&snapshot(&*shelf.memory).await.unwrap())
}

async fn reset(repo: &Repository, id: &str, to: CommitId) -> Result<(), cas_core::repo::RepoError> {
    let asked = repo.ref_request(&book(), &RefName::main(), id);
    repo.reset_branch(&asked, Expectation::Any, to).await.map(|_| ())
}

/// A version with old content is made before the n-th call of the run that condemns that content,
/// and is the log's alone when it is deleted. Says what is there by half, and whether there was an
/// n-th call.
async fn version_in_a_run(n: u64) -> (Vec<String>, bool) {
    let shelf = Shelf::new().await;
    shelf.wait();
    let (store, clock, base) = (shelf.store.clone(), shelf.clock.clone(), shelf.base);
    let faulty = FaultyStore::new(shelf.store.clone()).with_hook(n, move || async move {
        let writer = repository(&store, &clock, 2);
        edit(&writer, "new", &[put("new.md", b"orphan", Precondition::Absent)]).await;
        reset(&writer, "away", base).await.unwrap();
    });
    let counted = faulty.clone();
    let crossed: Arc<dyn ObjectStore> = Arc::new(faulty);
    collect(&crossed, &shelf.clock, Retention::Newest(1)).await.unwrap();
    shelf.wait();
    shelf.gc().await;
    shelf.check("after deleting").await;
    (halves(&shelf).await, counted.calls() < n)
}

#[tokio::test(start_paused = true)]
async fn invariant_gc_safe_a_version_that_is_made_while_a_list_is_is_whole_or_gone() {
    for n in 1.. {
        let (halves, over) = version_in_a_run(n).await;
        assert_eq!(halves, [""; 0], "a version before call {n}");
        if over {
            assert!(n > 50, "a run has many calls");
            break;
        }
    }
}

/// A writer brings back a version and its parent, which are on a list that is due, and the parent's
/// deletion, decided before that, takes effect before the writer's n-th call. Says what is there by
/// half when the collection is done, whether the writer was done, and whether there was an n-th
/// call.
async fn parent_deleted_in_a_writer(n: u64) -> (Vec<String>, bool, bool) {
    let shelf = Shelf::new().await;
    let parent = edit(&shelf.repo, "three", &[put("c.md", b"c", Precondition::Absent)]).await;
    let child = edit(&shelf.repo, "four", &[put("c.md", b"cc", is(b"c"))]).await;
    reset(&shelf.repo, "back once more", shelf.base).await.unwrap();
    shelf.wait();
    shelf.gc().await;
    shelf.wait();
    let (memory, began) = (shelf.memory.clone(), tokio::time::Instant::now());
    let faulty = FaultyStore::new(shelf.store.clone()).with_hook(n, move || async move {
        // A deletion takes effect no later than a minute after it was decided: here, before the
        // commits were put again, which waits a minute for their content.
        if began.elapsed() < Duration::from_mins(2) {
            memory.delete(&layout::object(Kind::Commit, parent.hash())).await.unwrap();
        }
    });
    let counted = faulty.clone();
    let crossed: Arc<dyn ObjectStore> = Arc::new(faulty);
    let written = reset(&repository(&crossed, &shelf.clock, 2), "again", child).await;
    let over = counted.calls() < n;
    shelf.gc().await;
    shelf.check("after deleting").await;
    (halves(&shelf).await, written.is_ok(), over)
}

#[tokio::test(start_paused = true)]
async fn invariant_gc_safe_a_version_that_is_brought_back_is_whole_or_gone() {
    let mut refused = 0;
    for n in 1.. {
        let (halves, done, over) = parent_deleted_in_a_writer(n).await;
        assert_eq!(halves, [""; 0], "its parent was deleted before call {n}");
        refused += u32::from(!done);
        if over {
            assert!(refused > 0 && u64::from(refused) < n - 1, "{refused} of {n} were refused");
            break;
        }
    }
}

/// Six versions, one upon the other, that are the log's alone.
async fn six_left(shelf: &Shelf) -> Vec<CommitId> {
    let mut versions = Vec::new();
    for text in [b"0", b"1", b"2", b"3", b"4", b"5"] {
        let before = match versions.len() {
            0 => Precondition::Absent,
            many => is(format!("{}", many - 1).as_bytes()),
        };
        let id = format!("version {}", versions.len());
        versions.push(edit(&shelf.repo, &id, &[put("c.md", text, before)]).await);
    }
    reset(&shelf.repo, "back once more", shelf.base).await.unwrap();
    versions
}

/// How a deletion that was broken off is gone on with.
#[derive(Debug, Clone, Copy)]
enum Finish {
    /// By a run that shares the store, when it is due.
    Shared,
    /// By somebody alone, at once.
    Alone,
}

/// Versions that are the log's alone, and a run that deletes them, for somebody alone or not, and is
/// broken off at its n-th call. Whether there was an n-th call.
async fn broken_off(n: u64, alone: bool) -> (Shelf, Vec<CommitId>, bool) {
    let shelf = Shelf::new().await;
    let versions = six_left(&shelf).await;
    let faulty = FaultyStore::new(shelf.store.clone()).with_fault(n, Fault::Refused);
    let store: Arc<dyn ObjectStore> = Arc::new(faulty.clone());
    if alone {
        let _ = sweep(&store, &shelf.clock, Retention::Newest(1)).await;
    } else {
        shelf.wait();
        shelf.gc().await;
        shelf.wait();
        let _ = collect(&store, &shelf.clock, Retention::Newest(1)).await;
    }
    (shelf, versions, faulty.calls() < n)
}

/// The run that finishes what was broken off keeps more. Says what is there by half then, how many of
/// the versions are there, and whether there was an n-th call.
async fn finished(
    n: u64,
    alone: bool,
    finish: Finish,
    kept: Retention,
) -> (Vec<String>, usize, bool) {
    let (shelf, versions, over) = broken_off(n, alone).await;
    match finish {
        Finish::Alone => sweep(&shelf.store, &shelf.clock, kept).await,
        Finish::Shared => {
            shelf.wait();
            collect(&shelf.store, &shelf.clock, kept).await
        }
    }
    .unwrap();
    shelf.check("after deleting").await;
    let mut left = 0;
    for version in versions {
        left += usize::from(shelf.has(version).await);
    }
    (halves(&shelf).await, left, over)
}

/// Breaks a deletion off at every call. Says how many versions were there in the end.
async fn break_off(alone: bool, finish: Finish, kept: Retention) -> BTreeSet<usize> {
    let mut left = BTreeSet::new();
    for n in 1.. {
        let (halves, versions, over) = finished(n, alone, finish, kept).await;
        assert_eq!(halves, [""; 0], "broken off at call {n}, then {finish:?}");
        left.insert(versions);
        if over {
            break;
        }
    }
    left
}

#[tokio::test(start_paused = true)]
async fn invariant_gc_safe_a_deletion_broken_off_leaves_no_version_without_its_history() {
    for alone in [false, true] {
        for finish in [Finish::Shared, Finish::Alone] {
            // All that is asked to be kept is, unless its deletion had begun.
            let left = break_off(alone, finish, Retention::All).await;
            assert!(left.contains(&6) && left.contains(&0) && left.len() > 2, "{left:?}");
            // The last versions are kept, and those before them on their account only.
            let left = break_off(alone, finish, Retention::Newest(4)).await;
            assert!(left.contains(&6) && left.contains(&0), "{left:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn invariant_gc_safe_nobody_goes_back_to_a_version_whose_deletion_was_broken_off() {
    for alone in [false, true] {
        let mut refused = 0;
        for n in 1.. {
            let (shelf, versions, over) = broken_off(n, alone).await;
            let writer = repository(&shelf.store, &shelf.clock, 3);
            for (nth, version) in versions.into_iter().enumerate() {
                let done = reset(&writer, &format!("there {nth}"), version).await;
                shelf.check(&format!("set back to {nth}, after call {n}: {done:?}")).await;
                refused += u32::from(done.is_err());
            }
            if over {
                break;
            }
        }
        assert!(refused > 6, "{refused} were refused");
    }
}

/// A writer that has seen which lists are open.
async fn knowing(shelf: &Shelf) -> Repository {
    let writer = repository(&shelf.store, &shelf.clock, 2);
    edit(&writer, "other", &[put("other.md", b"other", Precondition::Absent)]).await;
    writer
}

#[tokio::test(start_paused = true)]
async fn a_list_that_was_taken_back_hinders_no_writer_who_saw_it() {
    let shelf = Shelf::new().await;
    shelf.wait();
    shelf.gc().await;
    let writer = knowing(&shelf).await;
    assert!(upkeep(&shelf.store, &shelf.clock).gc_cancel(&actor("ada")).await.unwrap());
    reset(&writer, "again", shelf.left).await.unwrap();
    shelf.check("taken back").await;
}

#[tokio::test(start_paused = true)]
async fn a_list_that_was_retired_hinders_no_writer_who_saw_it() {
    let shelf = Shelf::new().await;
    for _ in 0..2 {
        shelf.wait();
        shelf.gc().await;
    }
    shelf.wait();
    let writer = knowing(&shelf).await;
    assert_eq!(shelf.gc().await.retired, 1);
    edit(&writer, "new", &[put("new.md", b"orphan", Precondition::Absent)]).await;
    shelf.check("retired").await;
}
