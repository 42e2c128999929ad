//! Stores with a deliberate flaw, and bytes changed by hand: each check of an invariant must
//! notice, so that a check that can never fail does not go unnoticed.

use std::sync::Arc;

use cas_core::name::{Operation, RefName};
use cas_core::refs::RefLog;
use cas_core::repo::{Precondition, RepoError, Repository};
use cas_core::store::{Bucket, BucketObjects, Refs, Store, layout};
use cas_tests::env::test_env;
use cas_tests::faulty::{FaultyStore, snapshot};
use cas_tests::invariants;
use cas_tests::mutant::{Flaw, MutantRefs, RefFlaw};
use futures::channel::oneshot;
use object_store::{ObjectStore, ObjectStoreExt};

use super::world::*;

#[tokio::test(start_paused = true)]
async fn catches_a_store_that_ignores_put_if_absent() {
    // An entry overwritten before another follows it is a lost update; one overwritten after
    // that breaks the chain; either is a key that changed.
    let (mut lost, mut changed) = (0, 0);
    for n in 1.. {
        let race = crossed(n, 1_000, the_same_old_file, Some(Flaw::IgnoresPutIfAbsent)).await;
        let won = race.told.iter().filter(|told| told.is_ok()).count();
        lost += usize::from(won > 1 || !lost_updates(&race, the_same_old_file).await.is_empty());
        if race.over {
            break;
        }
    }
    assert!(lost > 0, "nothing was lost");
    let mut broken = 0;
    for n in 1.. {
        let world = world_with_a_file().await;
        let mutant = world.mutant(Flaw::IgnoresPutIfAbsent);
        let others = repository(mutant.clone(), 2, "eve");
        let memory = world.memory.clone();
        let (written, mut between) = oneshot::channel();
        let faulty = FaultyStore::new(mutant).with_hook(n, move || async move {
            for writer in [1, 2] {
                write_in(&others, writer, distinct_files).await.unwrap();
            }
            let _ = written.send(snapshot(&*memory).await.unwrap());
        });
        let _ = write(Arc::new(faulty.clone()), 0, distinct_files).await;
        broken += usize::from(!invariants::linear(world.plain.store()).await.is_empty());
        let after = snapshot(&*world.memory).await.unwrap();
        if let Ok(Some(between)) = between.try_recv() {
            changed += usize::from(!invariants::immutable(&between, &after).is_empty());
        }
        if faulty.calls() < n {
            break;
        }
    }
    assert!(broken > 0, "no chain was broken");
    assert!(changed > 0, "no key was changed");
}

#[tokio::test(start_paused = true)]
async fn catches_a_store_that_drops_blobs_trees_or_commits() {
    for folder in ["blobs/", "trees/", "commits/"] {
        let world = World::new().await;
        let repo = repository(world.mutant(Flaw::Drops(folder)), 1, "ada");
        let edits = [put("a/b.md", b"b", Precondition::Absent)];
        let request = request(&RefName::main(), "edit");
        repo.edit(&request, Operation::put(), &edits).await.unwrap();
        let faults = invariants::closed(world.plain.store()).await;
        assert!(!faults.is_empty(), "{folder} dropped and not missed");
        if folder != "commits/" {
            let all = snapshot(&*world.memory).await.unwrap();
            assert!(!invariants::leaves_first(&all).is_empty(), "{folder}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn catches_a_store_that_drops_ref_entries() {
    let world = World::new().await;
    let repo = repository(world.mutant(Flaw::Drops("refs/")), 1, "ada");
    let steps = script(&repo, world.first).await;
    let faults = uncertain(&steps, &world.log(&user()).await);
    assert!(!faults.is_empty());
}

#[tokio::test(start_paused = true)]
async fn catches_an_answer_of_failure_to_what_was_done() {
    let world = World::new().await;
    let mut steps = script(&world.plain, world.first).await;
    let log = world.log(&user()).await;
    assert_eq!(uncertain(&steps, &log), [""; 0]);
    for step in 0..steps.len() {
        let refused = Err(RepoError::NoBook { book: book() });
        let true_answer = std::mem::replace(&mut steps[step].answer, refused);
        assert!(!uncertain(&steps, &log).is_empty());
        steps[step].answer = true_answer;
    }
}

#[tokio::test(start_paused = true)]
async fn catches_refs_that_forget_expectations() {
    let mut lost = 0;
    for n in 1.. {
        let world = world_with_a_file().await;
        let memory = world.memory.clone();
        let (second, mut second_told) = oneshot::channel();
        let faulty = world.faulty().with_hook(n, move || async move {
            let _ = second.send(write(memory, 1, distinct_files).await);
        });
        let repo = mutant(Arc::new(faulty.clone()), RefFlaw::ForgetsExpectations);
        let mut told = vec![write_in(&repo, 0, distinct_files).await];
        told.extend(second_told.try_recv().ok().flatten());
        let race = Race { world, told, over: faulty.calls() < n, inner_over: true };
        lost += usize::from(!lost_updates(&race, distinct_files).await.is_empty());
        if race.over {
            break;
        }
    }
    assert!(lost > 0, "nothing was lost");
}

#[tokio::test(start_paused = true)]
async fn catches_refs_that_move_another_branch_along() {
    let world = World::new().await;
    let repo = mutant(world.memory.clone(), RefFlaw::MovesMainToo);
    script(&repo, world.first).await;
    assert!(world.log(&RefName::main()).await.len() > 1);
}

#[tokio::test(start_paused = true)]
async fn catches_refs_that_forget_requests() {
    let world = World::new().await;
    let repo = mutant(world.memory.clone(), RefFlaw::ForgetsRequests);
    let create = &updates(world.first, world.first)[2];
    for _ in 0..2 {
        repo.store().refs().update(create).await.unwrap();
    }
    assert_eq!(world.log(&user()).await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn catches_branching_that_copies() {
    let world = world_with_a_file().await;
    let repo = repository(world.mutant(Flaw::CopiesAlong), 1, "ada");
    assert_ne!(new_keys(&world, &repo, fork).await, [0, 0, 0, 1]);
}

/// Every flipped byte of every entry is noticed, wherever in the log it is.
#[tokio::test(start_paused = true)]
async fn invariant_attributed_a_changed_entry_is_noticed() {
    let world = World::new().await;
    script(&world.plain, world.first).await;
    let entries = world.log(&user()).await.len() as u64;
    for seq in 1..=entries {
        let key = layout::slot(&book(), &user(), seq);
        let good = world.memory.get(&key).await.unwrap().bytes().await.unwrap();
        for at in (0..good.len()).step_by(7) {
            let mut bad = good.to_vec();
            bad[at] ^= 0x20;
            world.memory.put(&key, bad.into()).await.unwrap();
            assert!(!invariants::linear(world.plain.store()).await.is_empty());
        }
        // A whole entry of another ref in its place is noticed as well.
        let other = layout::slot(&book(), &RefName::main(), 1);
        let other = world.memory.get(&other).await.unwrap().bytes().await.unwrap();
        world.memory.put(&key, other.into()).await.unwrap();
        assert!(!invariants::linear(world.plain.store()).await.is_empty());
        world.memory.put(&key, good.into()).await.unwrap();
    }
    // So is one that is gone from the middle.
    let key = layout::slot(&book(), &user(), 2);
    world.memory.delete(&key).await.unwrap();
    assert!(!invariants::linear(world.plain.store()).await.is_empty());
}

/// A repository whose refs have a flaw.
fn mutant(store: Arc<dyn ObjectStore>, flaw: RefFlaw) -> Repository {
    let (env, bucket) = (test_env(9), Bucket::new(store));
    let refs: Arc<dyn Refs> = Arc::new(RefLog::new(bucket.clone(), env.clone()));
    let refs = Arc::new(MutantRefs::new(refs, flaw, test_env(10)));
    let store = Store::new(Arc::new(BucketObjects::new(bucket, env.clone())), refs);
    Repository::new(store, env, actor("ada"), 1)
}
