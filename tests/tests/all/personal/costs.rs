//! What personal branches cost, in objects and log entries; the numbers of `docs/costs.md`.

use std::collections::BTreeMap;

use cas_core::name::Operation;
use cas_core::repo::{Precondition, Repository, UpstreamChoice};
use cas_tests::faulty::snapshot;

use super::{guide, named, revision};
use crate::world::{World, book, is, put, request};

/// How many keys of each kind there are: blobs, trees, commits, entries.
async fn kept(world: &World) -> [usize; 4] {
    let mut kinds = BTreeMap::<String, usize>::new();
    for key in snapshot(&*world.memory).await.unwrap().keys() {
        let kind = key.as_ref().split('/').next().unwrap_or_default().to_owned();
        *kinds.entry(kind).or_default() += 1;
    }
    ["blobs", "trees", "commits", "refs"].map(|kind| kinds.get(kind).copied().unwrap_or_default())
}

/// What `action` adds to the store.
async fn added(world: &World, action: impl Future<Output = ()>) -> [usize; 4] {
    let before = kept(world).await;
    action.await;
    let after = kept(world).await;
    std::array::from_fn(|at| after[at] - before[at])
}

async fn write(repo: &Repository, name: &str, path: &str, text: &str) {
    let request = request(&named(name), &format!("{name} {path}").replace(['/', '.'], "-"));
    let edits = [put(path, text.as_bytes(), Precondition::Absent)];
    assert!(repo.edit(&request, Operation::put(), &edits).await.unwrap().changed);
}

#[tokio::test]
async fn branching_is_one_entry_and_no_object() {
    let world = guide().await;
    let repo = &world.plain;
    let one = async {
        let start = repo.branch_start(&revision("main"), &UpstreamChoice::Default, None).await;
        let request = repo.ref_request(&book(), &named("users/1"), "");
        repo.create_branch(&request, &start.unwrap()).await.unwrap();
    };
    assert_eq!(added(&world, one).await, [0, 0, 0, 1]);
    let many = async {
        let start = repo.branch_start(&revision("main"), &UpstreamChoice::Default, None).await;
        let names: Vec<_> = (0..100).map(|n| named(&format!("users/many-{n}"))).collect();
        repo.create_branches(&names, &start.unwrap(), "", None).await.unwrap();
    };
    assert_eq!(added(&world, many).await, [0, 0, 0, 100]);
}

#[tokio::test]
async fn readers_who_only_read_cost_nothing() {
    let world = guide().await;
    let repo = &world.plain;
    let read = async {
        for n in 0..1_000 {
            repo.open(&revision(&format!("users/{n}"))).await.unwrap();
        }
    };
    assert_eq!(added(&world, read).await, [0; 4]);
}

#[tokio::test]
async fn the_first_write_is_a_blob_the_trees_above_it_a_commit_and_an_entry() {
    let world = guide().await;
    let repo = &world.plain;
    for (name, path, depth) in
        [("users/1", "x.md", 1), ("users/2", "docs/x.md", 2), ("users/3", "docs/deep/er/x.md", 4)]
    {
        let cost = added(&world, write(repo, name, path, path)).await;
        assert_eq!(cost, [1, depth, 1, 1], "{path}");
        // As does every other write to a branch that is there.
        let next = format!("{path}.next");
        assert_eq!(
            added(&world, write(repo, name, &next, &next)).await,
            [1, depth, 1, 1],
            "{next}"
        );
    }
}

#[tokio::test]
async fn a_first_write_that_changes_nothing_costs_nothing() {
    let world = guide().await;
    let same = async {
        let edits = [put("docs/a.md", b"a", is(b"a"))];
        let write = request(&named("users/1"), "same");
        world.plain.edit(&write, Operation::put(), &edits).await.unwrap();
    };
    assert_eq!(added(&world, same).await, [0; 4]);
}
