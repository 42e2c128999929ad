//! Invariants of refs, edits and imports under every failure at every call, on a store in memory.
//!
//! That each check can fail is shown in `ref_mutants`.

use std::sync::Arc;

use cas_core::ErrorKind;
use cas_core::folder::{FolderError, ImportOptions, NoProgress};
use cas_core::name::{BlobId, Operation, RefName, RequestId};
use cas_core::refs::{LogEntry, RefError, RefUpdate, UpdateOutcome};
use cas_core::repo::{EditOutcome, Precondition, RepoError, Repository};
use cas_tests::env::test_env;
use cas_tests::faulty::{Fault, FaultyStore, snapshot};
use cas_tests::invariants;

use super::world::*;

/// Runs the script with `fault` at every call in turn, and hands each outcome to `check`. The
/// last run is the one that the fault does not reach.
async fn for_each_call<Fut: Future<Output = ()>>(
    fault: Fault,
    check: impl Fn(World, FaultyStore, Vec<Step>, String) -> Fut,
) {
    let mut injected = 0;
    for n in 1.. {
        let world = World::new().await;
        let faulty = world.faulty().with_fault(n, fault);
        let repo = repository(Arc::new(faulty.clone()), 1, "ada");
        let steps = script(&repo, world.first).await;
        injected += faulty.injected();
        let over = faulty.calls() < n;
        check(world, faulty, steps, format!("{fault:?} at call {n}")).await;
        if over {
            assert!(injected > 0, "{fault:?} was never injected");
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn invariant_linear_and_closed_after_any_failure_at_any_call() {
    for fault in Fault::ALL {
        for_each_call(fault, |world, faulty, _, context| async move {
            world.check(&context).await;
            faulty.settle().await;
            world.check(&context).await;
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn invariant_certain_every_answer_is_what_happened() {
    for fault in Fault::ALL {
        for_each_call(fault, |world, faulty, steps, context| async move {
            faulty.settle().await;
            let log = world.log(&user()).await;
            assert_eq!(uncertain(&steps, &log), [""; 0], "{context}");
            if faulty.injected() == 0 {
                assert!(steps.iter().all(|step| step.answer.is_ok()), "{context}");
                assert_eq!(log.len(), steps.len(), "{context}");
            }
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn invariant_certain_a_repeated_edit_is_answered_as_the_first_time() {
    for fault in Fault::ALL {
        for_each_call(fault, |world, faulty, steps, context| async move {
            faulty.settle().await;
            let before = world.log(&user()).await;
            for (n, step) in [(1, &steps[1]), (2, &steps[2])] {
                let request = step.request.clone().unwrap();
                let again = world.plain.edit(&request, Operation::put(), &script_edits(n)).await;
                let landed =
                    before.iter().find(|entry| entry.entry.request_id == request.request_id);
                if let Some(landed) = landed {
                    let again = again.expect(&context);
                    assert_eq!(Some(again.commit), landed.entry.target, "{context}");
                    assert!(again.changed, "{context}");
                    if let Ok(Answer::Edit(first)) = &step.answer {
                        assert_eq!(again.results, first.results, "{context}");
                        assert_eq!(again.tree, first.tree, "{context}");
                    }
                }
                let log = world.log(&user()).await;
                let mine = |entry: &&LogEntry| entry.entry.request_id == request.request_id;
                assert!(log.iter().filter(mine).count() <= 1, "{context}");
            }
            world.check(&context).await;
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn invariant_isolated_no_failure_on_a_branch_touches_another() {
    for fault in Fault::ALL {
        for_each_call(fault, |world, faulty, _, context| async move {
            faulty.settle().await;
            let main = world.log(&RefName::main()).await;
            assert_eq!(main.len(), 1, "{context}");
            assert_eq!(main[0].entry.target, Some(world.first), "{context}");
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn invariant_immutable_no_failure_changes_what_was_written() {
    for fault in Fault::ALL {
        for n in 1.. {
            let world = World::new().await;
            let before = snapshot(&*world.memory).await.unwrap();
            let faulty = world.faulty().with_fault(n, fault);
            let repo = repository(Arc::new(faulty.clone()), 1, "ada");
            script(&repo, world.first).await;
            let between = snapshot(&*world.memory).await.unwrap();
            assert_eq!(invariants::immutable(&before, &between), [""; 0]);
            faulty.settle().await;
            let retried = script(&world.plain, world.first).await;
            assert_eq!(retried.len(), 6);
            let after = snapshot(&*world.memory).await.unwrap();
            assert_eq!(invariants::immutable(&between, &after), [""; 0]);
            if faulty.calls() < n {
                break;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn invariant_closed_and_certain_an_import_that_fails_at_any_call() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(home.path().join("part/deep")).unwrap();
    for file in ["index.md", "part/one.md", "part/two.md", "part/deep/three.md"] {
        std::fs::write(home.path().join(file), file).unwrap();
    }
    let (main, options) = (RefName::main(), ImportOptions::default());
    let import = async |repo: &Repository| {
        let request = request(&main, "import");
        let progress = Arc::new(NoProgress);
        repo.import(home.path(), &request, &options, progress).await
    };
    for fault in Fault::ALL {
        for n in 1.. {
            let world = World::new().await;
            let faulty = world.faulty().with_fault(n, fault);
            let repo = repository(Arc::new(faulty.clone()), 1, "ada");
            let answer = import(&repo).await;
            let over = faulty.calls() < n;
            faulty.settle().await;
            let context = format!("{fault:?} at call {n}");
            let store = world.plain.store();
            assert_eq!(invariants::closed(store).await, [""; 0], "{context}");
            assert_eq!(invariants::linear(store).await, [""; 0], "{context}");
            let log = world.log(&main).await;
            match answer {
                Ok(report) => assert_eq!(log[1].entry.target, report.commit, "{context}"),
                Err(FolderError::Repo(RepoError::Ref(RefError::FateUnknown { .. }))) => {}
                Err(error) => assert_eq!(log.len(), 1, "{context}: {error}"),
            }
            // Repeated, it is done, and once.
            let again = import(&world.plain).await.expect(&context);
            let log = world.log(&main).await;
            assert_eq!(log.len(), 2, "{context}");
            assert_eq!(log[1].entry.target, again.commit, "{context}");
            assert_eq!(world.files(&main).await.len(), 4, "{context}");
            assert_eq!(invariants::closed(store).await, [""; 0], "{context}");
            if over {
                break;
            }
        }
    }
}

/// Asks for every update, again after each error, with these faults by plan.
async fn ask_until_answered(world: &World, faulty: FaultyStore, context: &str) {
    let store = store_of(Arc::new(faulty.clone()), &test_env(1));
    let mut made = Vec::new();
    for update in updates(world.first, world.first) {
        let mut tries = 0;
        loop {
            tries += 1;
            assert!(tries < 5, "{context}: no answer");
            match store.refs().update(&update).await {
                Ok(UpdateOutcome::Moved(entry)) => {
                    made.push(entry);
                    break;
                }
                Ok(UpdateOutcome::Refused(head)) => panic!("{context}: refused at {head:?}"),
                Err(RefError::FateUnknown { .. }) => {}
                Err(error) => {
                    // Any other error promises that nothing was and nothing will be written.
                    faulty.settle().await;
                    let log = world.log(&user()).await;
                    assert_eq!(log, made, "{context}: {error}");
                }
            }
        }
    }
    faulty.settle().await;
    assert_eq!(world.log(&user()).await, made, "{context}");
    assert_eq!(made.len(), 5, "{context}");
    world.check(context).await;
}

#[tokio::test(start_paused = true)]
async fn invariant_certain_repeated_updates_are_done_once_after_one_failure() {
    for fault in Fault::ALL {
        for n in 1.. {
            let world = World::new().await;
            let faulty = world.faulty().with_fault(n, fault);
            let context = format!("{fault:?} at call {n}");
            ask_until_answered(&world, faulty.clone(), &context).await;
            if faulty.calls() < n {
                break;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn invariant_certain_repeated_updates_are_done_once_after_two_failures() {
    // A put that is not plainly done or refused, and another failure while finding out.
    let puts = [
        Fault::Refused,
        Fault::AnswerLost,
        Fault::FalselyTaken,
        Fault::TakenByItself,
        Fault::Late(2),
        Fault::Late(5),
    ];
    for first in puts {
        for second in Fault::ALL {
            for distance in 1..=3 {
                for n in 1.. {
                    let world = World::new().await;
                    let faulty =
                        world.faulty().with_fault(n, first).with_fault(n + distance, second);
                    let context = format!("{first:?} at call {n}, {second:?} {distance} after");
                    ask_until_answered(&world, faulty.clone(), &context).await;
                    if faulty.calls() < n {
                        break;
                    }
                }
            }
        }
    }
}

/// A write that fails, is taken for lost, and lands while other writers go on: the request that
/// made it must find it, wherever in the log it is by then.
#[tokio::test(start_paused = true)]
async fn invariant_certain_a_late_write_is_found_behind_those_of_others() {
    for late in 1..8 {
        for others in 1..4 {
            for hook in 1..8 {
                let world = World::new().await;
                let [create, _, any, ..] = &updates(world.first, world.first)[..] else {
                    unreachable!("there are five updates")
                };
                let refs = world.plain.store().clone();
                refs.refs().update(create).await.unwrap();
                let theirs = move || async move {
                    for n in 0..others {
                        let update = RefUpdate {
                            request_id: RequestId::parse(&format!("other-{n}")).unwrap(),
                            actor: actor("eve"),
                            ..updates(world.first, world.first)[2].clone()
                        };
                        refs.refs().update(&update).await.unwrap();
                    }
                };
                // Calls: list, read the head, put; the put is the third.
                let faulty = FaultyStore::new(world.memory.clone())
                    .with_fault(3, Fault::Late(late))
                    .with_hook(3 + hook, theirs);
                let store = store_of(Arc::new(faulty.clone()), &test_env(1));
                let answer = store.refs().update(any).await;
                faulty.settle().await;
                let log = invariants::log(world.plain.store(), &book(), &user()).await;
                let mine = |entry: &LogEntry| entry.entry.request_id == any.request_id;
                let made: Vec<_> = log.unwrap().into_iter().filter(mine).collect();
                let context = format!("late by {late}, {others} others at {hook}");
                match answer {
                    Ok(outcome) => {
                        assert_eq!(made.len(), 1, "{context}");
                        assert_eq!(outcome, UpdateOutcome::Moved(made[0].clone()), "{context}");
                    }
                    Err(error) => panic!("{context}: {error}"),
                }
            }
        }
    }
}

/// A deletion without a precondition that is repeated must not delete what another wrote since.
#[tokio::test(start_paused = true)]
async fn invariant_no_lost_update_a_repeated_deletion_spares_a_newer_file() {
    let world = world_with_a_file().await;
    let delete = || [remove("old.md")];
    let main = RefName::main();
    let repeated = request(&main, "delete");
    let first = world.plain.edit(&repeated, Operation::remove(), &delete()).await.unwrap();
    let newer = [put("old.md", b"newer", Precondition::Absent)];
    let other = request(&main, "other");
    world.plain.edit(&other, Operation::put(), &newer).await.unwrap();
    let again = world.plain.edit(&repeated, Operation::remove(), &delete()).await.unwrap();
    assert_eq!(again.commit, first.commit);
    assert_eq!(again.results, first.results);
    let newer = ("old.md".to_owned(), BlobId::of(b"newer"));
    assert_eq!(world.files(&main).await, [newer]);
}

/// A request id names one wish; another wish under it is refused, not answered with the first.
#[tokio::test(start_paused = true)]
async fn a_request_id_used_for_another_change_is_refused() {
    let world = world_with_a_file().await;
    let main = RefName::main();
    let used = request(&main, "old");
    let other = [put("other.md", b"other", Precondition::Absent)];
    let error = world.plain.edit(&used, Operation::put(), &other).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert_eq!(world.files(&main).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn invariant_idempotent_delete_what_is_not_there_is_deleted_already() {
    let world = world_with_a_file().await;
    let main = RefName::main();
    for (n, outcome) in [(1, EditOutcome::Deleted), (2, EditOutcome::Absent)] {
        let request = request(&main, &format!("delete-{n}"));
        let report = world.plain.edit(&request, Operation::remove(), &[remove("old.md")]).await;
        let report = report.unwrap();
        assert_eq!(report.results[0].outcome, outcome);
        assert_eq!(report.changed, outcome == EditOutcome::Deleted);
    }
    assert_eq!(world.log(&main).await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn invariant_shared_a_branch_is_one_entry_and_an_edit_only_what_differs() {
    let world = world_with_a_file().await;
    let forked = new_keys(&world, &world.plain, fork).await;
    assert_eq!(forked, [0, 0, 0, 1]);
    // Two files in folders 2 deep and the root: 2 blobs, and the trees root, a, a/b, c.
    let edited = new_keys(&world, &world.plain, async |repo: &Repository| {
        let edits = [
            put("a/b/x.md", b"x", Precondition::Absent),
            put("c/y.md", b"y", Precondition::Absent),
        ];
        let request = request(&user(), "two");
        repo.edit(&request, Operation::put(), &edits).await.unwrap();
    })
    .await;
    assert_eq!(edited, [2, 4, 1, 1]);
    // The same content at another path: no blob, and only the trees on that path.
    let moved = new_keys(&world, &world.plain, async |repo: &Repository| {
        let edits = [put("c/z.md", b"x", Precondition::Absent)];
        let request = request(&user(), "same content");
        repo.edit(&request, Operation::put(), &edits).await.unwrap();
    })
    .await;
    assert_eq!(moved, [0, 2, 1, 1]);
    // What is refused or changes nothing writes nothing.
    let none = new_keys(&world, &world.plain, async |repo: &Repository| {
        let refused = [put("c/z.md", b"new", Precondition::Absent)];
        let request = request(&user(), "refused");
        repo.edit(&request, Operation::put(), &refused).await.unwrap_err();
        let unchanged = [put("c/z.md", b"x", is(b"x"))];
        let report = repo.edit(&request, Operation::put(), &unchanged).await.unwrap();
        assert!(!report.changed);
    })
    .await;
    assert_eq!(none, [0; 4]);
}
