//! A writer at every moment of a collection, and a collection at every moment of a writer.

use cas_core::repo::RepoError;
use cas_tests::faulty::{Fault, FaultyStore};
use futures::FutureExt;

use super::*;

/// What a writer does that relies on what nothing reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Write {
    /// Points `main` at the version that was left.
    Reset,
    /// Makes a branch of it.
    Branch,
    /// Puts content that an orphan has already.
    Put,
    /// Puts what makes the very folders of the version that was left.
    Folder,
}

const WRITES: [Write; 4] = [Write::Reset, Write::Branch, Write::Put, Write::Folder];

async fn write(repo: &Repository, what: Write, left: CommitId) -> Result<(), RepoError> {
    match what {
        Write::Reset => {
            let asked = repo.ref_request(&book(), &RefName::main(), "again");
            repo.reset_branch(&asked, Expectation::Any, left).await.map(|_| ())
        }
        Write::Branch => {
            let name = RefName::parse("again").unwrap();
            repo.create_ref(&repo.ref_request(&book(), &name, ""), left).await.map(|_| ())
        }
        Write::Put => {
            let edits = [put("new.md", b"orphan", Precondition::Absent)];
            let asked = request(&RefName::main(), "new");
            repo.edit(&asked, Operation::put(), &edits).await.map(|_| ())
        }
        Write::Folder => {
            let edits = [put("d/b.md", b"left", is(b"b"))];
            let asked = request(&RefName::main(), "same");
            repo.edit(&asked, Operation::put(), &edits).await.map(|_| ())
        }
    }
}

/// A shelf whose garbage is condemned and due.
async fn due() -> Shelf {
    let shelf = Shelf::new().await;
    shelf.wait();
    assert_eq!(shelf.gc().await.condemned.objects, 5);
    shelf.wait();
    shelf
}

/// What is wrong after the store's newest entries are looked at.
async fn faults(shelf: &Shelf) -> Vec<String> {
    invariants::closed_heads(&shelf.plain()).await
}

type Writer = fn(&Arc<dyn ObjectStore>, &HandClock, u32) -> Repository;

/// Writes before the n-th call of the run that deletes. Says what is wrong after both, whether the
/// write was done, and whether there was an n-th call.
async fn writer_in_a_run(n: u64, what: Write, writer: Writer) -> (Vec<String>, bool, bool) {
    let shelf = due().await;
    let (tell, told) = futures::channel::oneshot::channel();
    let (store, clock, left) = (shelf.store.clone(), shelf.clock.clone(), shelf.left);
    let faulty = FaultyStore::new(shelf.store.clone()).with_hook(n, move || async move {
        let written = write(&writer(&store, &clock, 2), what, left).await;
        let _ = tell.send(written.is_ok());
    });
    let counted = faulty.clone();
    let crossed: Arc<dyn ObjectStore> = Arc::new(faulty);
    // A writer that waits in the middle of a deletion makes it come too late: then it is given up.
    let _ = collect(&crossed, &shelf.clock, Retention::Newest(1)).await;
    let over = counted.calls() < n;
    let written = told.now_or_never().is_some_and(|told| told == Ok(true));
    (faults(&shelf).await, written, over)
}

/// Deletes before the n-th call of a writer, who has or has not looked at the log before.
async fn run_in_a_writer(n: u64, what: Write, writer: Writer) -> (Vec<String>, bool, bool) {
    let shelf = due().await;
    let (store, clock) = (shelf.store.clone(), shelf.clock.clone());
    let faulty = FaultyStore::new(shelf.store.clone()).with_hook(n, move || async move {
        collect(&store, &clock, Retention::Newest(1)).await.unwrap();
    });
    let counted = faulty.clone();
    let crossed: Arc<dyn ObjectStore> = Arc::new(faulty);
    let written = write(&writer(&crossed, &shelf.clock, 2), what, shelf.left).await;
    let over = counted.calls() < n;
    (faults(&shelf).await, written.is_ok(), over)
}

#[tokio::test(start_paused = true)]
async fn invariant_gc_safe_a_writer_at_every_call_of_a_run() {
    for what in WRITES {
        let mut done = 0;
        for n in 1.. {
            let (faults, written, over) = writer_in_a_run(n, what, repository).await;
            assert_eq!(faults, [""; 0], "{what:?} before call {n}");
            done += u32::from(written);
            if over {
                break;
            }
        }
        assert!(done > 5, "{what:?} was done {done} times");
    }
}

#[tokio::test(start_paused = true)]
async fn invariant_gc_safe_a_run_at_every_call_of_a_writer() {
    for what in WRITES {
        let mut done = 0;
        for n in 1.. {
            let (faults, written, over) = run_in_a_writer(n, what, repository).await;
            assert_eq!(faults, [""; 0], "{what:?}, deleted before call {n}");
            done += u32::from(written);
            if over {
                break;
            }
        }
        assert!(done > 0, "{what:?} was never done");
    }
}

#[tokio::test(start_paused = true)]
async fn catches_a_writer_that_does_not_heed_the_lists() {
    for what in WRITES {
        let mut hurt = 0;
        for n in 1.. {
            let (in_run, _, run_over) = writer_in_a_run(n, what, heedless).await;
            let (in_writer, _, writer_over) = run_in_a_writer(n, what, heedless).await;
            hurt += u32::from(!in_run.is_empty()) + u32::from(!in_writer.is_empty());
            if run_over && writer_over {
                break;
            }
        }
        assert!(hurt > 0, "{what:?} was never hurt, so the rule was for nothing");
    }
}

#[tokio::test(start_paused = true)]
async fn invariant_gc_safe_a_writer_who_looked_before_the_list_was_published() {
    // The whole of a collection passes while a writer is at work, and it comes too late.
    for what in WRITES {
        for hours in [1, 11, 13, 30] {
            let shelf = Shelf::new().await;
            shelf.wait();
            let writer = repository(&shelf.store, &shelf.clock, 2);
            // It has looked: its first write takes nothing of the rest.
            let other = [put("other.md", b"other", Precondition::Absent)];
            edit(&writer, "other", &other).await;
            shelf.gc().await;
            shelf.clock.advance(Duration::from_hours(hours));
            let written = write(&writer, what, shelf.left).await;
            assert!(written.is_ok(), "{what:?}: {written:?}");
            shelf.wait();
            shelf.gc().await;
            assert_eq!(faults(&shelf).await, [""; 0], "{what:?} after {hours} hours");
        }
    }
}

/// A writer stands still before its n-th call for days, in which a collection begins and ends, and
/// may die after that call. Says what is wrong then, what the writer was told, and whether there was
/// an n-th call.
async fn days_in_a_writer(
    shelf: &Shelf,
    n: u64,
    what: Write,
    dies: bool,
) -> (Vec<String>, Result<(), RepoError>, bool) {
    shelf.wait();
    let (store, clock) = (shelf.store.clone(), shelf.clock.clone());
    let mut faulty = FaultyStore::new(shelf.store.clone()).with_hook(n, move || async move {
        for _ in 0..4 {
            collect(&store, &clock, Retention::Newest(1)).await.unwrap();
            clock.advance(GRACE);
        }
    });
    if dies {
        for call in n + 1..=n + DEAD_FOR {
            faulty = faulty.with_fault(call, Fault::Refused);
        }
    }
    let counted = faulty.clone();
    let crossed: Arc<dyn ObjectStore> = Arc::new(faulty);
    let written = write(&repository(&crossed, &shelf.clock, 2), what, shelf.left).await;
    (faults(shelf).await, written, counted.calls() < n)
}

/// More calls than anybody makes who is told that each has failed.
const DEAD_FOR: u64 = 200;

#[tokio::test(start_paused = true)]
async fn invariant_gc_safe_a_ref_that_moved_days_too_late_is_taken_back() {
    for what in WRITES {
        let mut taken_back = 0;
        for n in 1.. {
            let shelf = Shelf::new().await;
            let (faults, written, over) = days_in_a_writer(&shelf, n, what, false).await;
            assert_eq!(faults, [""; 0], "{what:?} slept before call {n}: {written:?}");
            let said = written.err().map(|error| error.to_string()).unwrap_or_default();
            taken_back += u32::from(said.contains("the ref was taken back"));
            if over {
                break;
            }
        }
        assert!(taken_back > 0, "{what:?} was never taken back");
    }
}

#[tokio::test(start_paused = true)]
async fn a_ref_that_moved_days_too_late_by_who_died_is_told_and_mended_by_moving_it_back() {
    for what in WRITES {
        let mut left = 0;
        for n in 1.. {
            let shelf = Shelf::new().await;
            let (faults, _, over) = days_in_a_writer(&shelf, n, what, true).await;
            if !faults.is_empty() {
                left += 1;
                let context = format!("{what:?} died after call {n}");
                let collected = collect(&shelf.store, &shelf.clock, Retention::All).await;
                let told = collected.unwrap_err().to_string();
                assert!(told.contains("is missing from the store"), "{context}: {told}");
                move_back(&shelf, what).await;
                assert_eq!(self::faults(&shelf).await, [""; 0], "{context}");
                for day in 1..4 {
                    shelf.wait();
                    let collected = collect(&shelf.store, &shelf.clock, Retention::All).await;
                    assert!(collected.is_ok(), "{context}, day {day}: {collected:?}");
                    assert_eq!(self::faults(&shelf).await, [""; 0], "{context}");
                }
            }
            if over {
                break;
            }
        }
        assert!(left > 0, "{what:?} was never left");
    }
}

/// Moves the ref that was moved too late to where it was.
async fn move_back(shelf: &Shelf, what: Write) {
    let repo = repository(&shelf.store, &shelf.clock, 3);
    if what == Write::Branch {
        let asked = repo.ref_request(&book(), &RefName::parse("again").unwrap(), "mended");
        repo.delete_ref(&asked, Expectation::Any).await.unwrap();
    } else {
        let asked = repo.ref_request(&book(), &RefName::main(), "mended");
        repo.reset_branch(&asked, Expectation::Any, shelf.base).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn invariant_gc_safe_a_write_that_took_too_long_is_refused() {
    use cas_core::refs::{RefError, RefUpdate};
    use cas_core::store::StoreError;
    let shelf = due().await;
    let now = cas_core::env::Clock::now(&shelf.clock);
    let update = RefUpdate {
        book: book(),
        name: RefName::main(),
        expect: Expectation::Any,
        target: Some(shelf.left),
        actor: actor("ada"),
        operation: Operation::reset(),
        message: String::new(),
        request_id: cas_core::name::RequestId::parse("slow").unwrap(),
        metadata: cas_core::object::Metadata::new(),
        began: now,
    };
    shelf.clock.advance(Duration::from_hours(12));
    let refused = shelf.plain().refs().update(&update).await;
    let late = RefError::Store(StoreError::TookTooLong { hours: 12 });
    assert_eq!(refused.unwrap_err().to_string(), late.to_string());
    shelf.check("refused").await;
}
