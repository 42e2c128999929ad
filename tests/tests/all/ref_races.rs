//! Invariants of several writers of one branch, for every point at which one comes between the
//! calls of another.
//!
//! That each check can fail is shown in `ref_mutants`.

use std::sync::Arc;

use cas_core::ErrorKind;
use cas_core::name::{RefName, RequestId};
use futures::channel::oneshot;

use super::world::*;

/// The same request, sent twice at once, as by a client that lost patience: one entry, and both
/// are told of it, also when others write before and after.
#[tokio::test(start_paused = true)]
async fn invariant_certain_a_request_sent_twice_at_once_is_done_once() {
    for others in [false, true] {
        for n in 1.. {
            let world = world_with_a_file().await;
            let plain = world.plain.clone();
            let (second, mut second_told) = oneshot::channel();
            let faulty = world.faulty().with_hook(n, move || async move {
                if others {
                    write_in(&plain, 1, distinct_files).await.unwrap();
                }
                let told = write_in(&plain, 0, distinct_files).await.unwrap();
                if others {
                    write_in(&plain, 2, distinct_files).await.unwrap();
                }
                let _ = second.send(told);
            });
            let first = write(Arc::new(faulty.clone()), 0, distinct_files).await;
            let context = format!("call {n}, others: {others}");
            let first = first.expect(&context);
            let log = world.log(&RefName::main()).await;
            let request = RequestId::parse("writer-0").unwrap();
            let made = log.iter().filter(|entry| entry.entry.request_id == request);
            let made: Vec<_> = made.map(|entry| entry.entry.target).collect();
            assert_eq!(made, [Some(first.commit)], "{context}");
            world.check(&context).await;
            if faulty.calls() < n {
                break;
            }
            let second = second_told.try_recv().unwrap().unwrap();
            assert_eq!(second.commit, first.commit, "{context}");
            assert_eq!(second.results, first.results, "{context}");
        }
    }
}

/// Runs writer 0 up to its `n`-th call, there the whole of writer 1 and inside it, at *its*
/// `m`-th call, the whole of writer 2.
async fn nested(n: u64, m: u64, edits: Edits) -> Race {
    let world = world_with_a_file().await;
    let (second, mut second_told) = oneshot::channel();
    let (third, mut third_told) = oneshot::channel();
    let memory = world.memory.clone();
    let inner = world.faulty().with_hook(m, move || async move {
        let _ = third.send(write(memory, 2, edits).await);
    });
    let counted = inner.clone();
    let outer = world.faulty().with_hook(n, move || async move {
        let _ = second.send(write(Arc::new(inner), 1, edits).await);
    });
    let mut told = vec![write(Arc::new(outer.clone()), 0, edits).await];
    told.extend(second_told.try_recv().ok().flatten());
    told.extend(third_told.try_recv().ok().flatten());
    Race { world, told, over: outer.calls() < n, inner_over: counted.calls() < m }
}

/// Runs a race for every two points, and checks that it ends with every writer or with exactly
/// one of them winning.
async fn race_everywhere<Fut: Future<Output = Race>>(
    race: impl Fn(u64, u64) -> Fut,
    edits: Edits,
    all_win: bool,
) {
    let mut interleaved = 0;
    for n in 1.. {
        for m in 1.. {
            let race = race(n, m).await;
            let context = format!("calls {n} and {m}");
            let expected = if all_win { race.told.len() } else { 1 };
            assert_eq!(winners(&race, &context), expected, "{context}");
            let lost = lost_updates(&race, edits).await;
            assert_eq!(lost, [""; 0], "{context}");
            let log = race.world.log(&RefName::main()).await;
            assert_eq!(log.len(), 2 + expected, "{context}");
            race.world.check(&context).await;
            if race.over {
                assert!(interleaved > 50, "only {interleaved} races");
                return;
            }
            interleaved += 1;
            if race.inner_over {
                break;
            }
        }
    }
}

/// How many were told that it is done. The others must have been told that it conflicts.
fn winners(race: &Race, context: &str) -> usize {
    let mut winners = 0;
    for told in &race.told {
        match told {
            Ok(report) => {
                assert!(report.changed, "{context}");
                winners += 1;
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{context}: {error}"),
        }
    }
    winners
}

#[tokio::test(start_paused = true)]
async fn invariant_no_lost_update_two_writers_of_distinct_files_both_succeed() {
    let edits = distinct_files;
    race_everywhere(|n, m| crossed(n, m, edits, None), edits, true).await;
}

#[tokio::test(start_paused = true)]
async fn invariant_no_lost_update_three_writers_of_distinct_files_all_succeed() {
    let edits = distinct_files;
    race_everywhere(|n, m| nested(n, m, edits), edits, true).await;
}

#[tokio::test(start_paused = true)]
async fn invariant_no_lost_update_one_of_two_writers_of_one_file_wins() {
    for edits in [the_same_new_file, the_same_old_file, moves_of_one_file] {
        race_everywhere(|n, m| crossed(n, m, edits, None), edits, false).await;
    }
}

#[tokio::test(start_paused = true)]
async fn invariant_no_lost_update_one_of_three_writers_of_one_file_wins() {
    let edits = the_same_old_file;
    race_everywhere(|n, m| nested(n, m, edits), edits, false).await;
}
