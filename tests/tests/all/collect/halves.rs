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

/// Several versions, one upon the other, are the log's alone, and the run that deletes them is
/// broken off at its n-th call; the one that finishes it keeps all. Says what is there by half then,
/// how many of the versions are there, and whether there was an n-th call.
async fn deletion_broken_off(n: u64) -> (Vec<String>, usize, bool) {
    let shelf = Shelf::new().await;
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
    shelf.wait();
    shelf.gc().await;
    shelf.wait();
    let faulty = FaultyStore::new(shelf.store.clone()).with_fault(n, Fault::Refused);
    let store: Arc<dyn ObjectStore> = Arc::new(faulty.clone());
    let _ = collect(&store, &shelf.clock, Retention::Newest(1)).await;
    shelf.gc_keeping(Retention::All).await;
    shelf.check("after deleting").await;
    let mut left = 0;
    for version in versions {
        left += usize::from(shelf.has(version).await);
    }
    (halves(&shelf).await, left, faulty.calls() < n)
}

#[tokio::test(start_paused = true)]
async fn invariant_gc_safe_a_deletion_broken_off_leaves_no_version_without_its_history() {
    let mut left = BTreeSet::new();
    for n in 1.. {
        let (halves, versions, over) = deletion_broken_off(n).await;
        assert_eq!(halves, [""; 0], "broken off at call {n}");
        left.insert(versions);
        if over {
            break;
        }
    }
    // All that is asked to be kept is, unless its deletion had begun.
    assert!(left.contains(&6) && left.contains(&0) && left.len() > 2, "{left:?}");
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
