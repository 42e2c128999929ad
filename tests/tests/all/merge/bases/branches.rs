//! Merging into a branch: what is written, and what is not.

use std::sync::Arc;

use cas_core::name::{CommitId, RefName, RequestId};
use cas_core::repo::{
    MergeReport, MergeRequest, MergeStatus, OnConflict, Precondition, RepoError, Repository,
};
use cas_tests::counting::CountingStore;
use cas_tests::planted::{Planted, plant};
use object_store::memory::InMemory;

use super::super::{Files, read};
use super::{commit, files};
use crate::world::{World, book, put, repository, request, user};

/// Merges `theirs` into a new branch at `ours`. `None` for a conflict.
pub(super) async fn merge_commits(
    repo: &Repository,
    ours: CommitId,
    theirs: CommitId,
    on_conflict: OnConflict,
) -> Option<Files> {
    branch(repo, ours).await;
    let report = repo.merge(&wish(theirs, "merge", on_conflict), false).await.unwrap();
    match report.status {
        MergeStatus::Conflict => None,
        _ => Some(read(repo, report.tree).await),
    }
}

async fn branch(repo: &Repository, at: CommitId) {
    repo.create_ref(&repo.ref_request(&book(), &user(), "fork"), at).await.unwrap();
}

fn wish(from: CommitId, id: &str, on_conflict: OnConflict) -> MergeRequest {
    MergeRequest {
        book: book(),
        into: user(),
        from,
        from_ref: Some(RefName::main()),
        on_conflict,
        message: None,
        request_id: RequestId::parse(id).unwrap(),
    }
}

/// A world with a base, and two commits that came of it.
async fn fork(
    base: &[(&str, &str)],
    ours: &[(&str, &str)],
    theirs: &[(&str, &str)],
) -> (World, [CommitId; 3]) {
    let world = World::new().await;
    let base = commit(&world.plain, base, &[]).await;
    let ours = commit(&world.plain, ours, &[base]).await;
    let theirs = commit(&world.plain, theirs, &[base]).await;
    (world, [base, ours, theirs])
}

/// How many blobs, trees, commits and entries an act made.
async fn made(
    world: &World,
    act: impl AsyncFnOnce(&Repository) -> MergeReport,
) -> (MergeReport, [usize; 4]) {
    let mut report = None;
    let keys = crate::world::new_keys(world, &world.plain, async |repo| {
        report = Some(act(repo).await);
    });
    let keys = keys.await;
    (report.unwrap(), keys)
}

const BASE: &[(&str, &str)] = &[("d/a", "1\n2\n3\n"), ("d/b", "1\n"), ("e/c", "1\n")];
const OURS: &[(&str, &str)] = &[("d/a", "I\n2\n3\n"), ("d/b", "1\n"), ("e/c", "1\n")];
const THEIRS: &[(&str, &str)] = &[("d/a", "1\n2\nIII\n"), ("d/b", "1\n"), ("e/c", "2\n")];
const AGAINST: &[(&str, &str)] = &[("d/a", "eins\n2\n3\n"), ("d/b", "1\n"), ("e/c", "2\n")];

#[tokio::test]
async fn what_came_of_the_branch_is_fast_forwarded() {
    let (world, [base, ours, _]) = fork(BASE, OURS, THEIRS).await;
    branch(&world.plain, base).await;
    let merge = async |repo: &Repository| {
        repo.merge(&wish(ours, "m", OnConflict::Fail), false).await.unwrap()
    };
    let (report, keys) = made(&world, merge).await;
    assert_eq!((report.status, report.commit), (MergeStatus::FastForward, ours));
    assert_eq!(keys, [0, 0, 0, 1], "an entry alone");
    assert_eq!(world.files(&user()).await.len(), 3);
    // Nothing is new to it then, nor is what it came of.
    for (from, id) in [(ours, "again"), (base, "older")] {
        let merge = async |repo: &Repository| {
            repo.merge(&wish(from, id, OnConflict::Fail), false).await.unwrap()
        };
        let (report, keys) = made(&world, merge).await;
        assert_eq!((report.status, report.commit), (MergeStatus::UpToDate, ours));
        assert_eq!(keys, [0; 4]);
        assert!(report.entry.is_none());
    }
}

#[tokio::test]
async fn a_merge_is_one_commit_with_what_is_new_and_is_done_once() {
    let (world, [base, ours, theirs]) = fork(BASE, OURS, THEIRS).await;
    branch(&world.plain, ours).await;
    let merge = async |dry_run: bool, id: &str| {
        let wish = wish(theirs, id, OnConflict::Fail);
        made(&world, async |repo| repo.merge(&wish, dry_run).await.unwrap()).await
    };
    let (preview, keys) = merge(true, "m").await;
    assert_eq!((preview.status, preview.commit), (MergeStatus::Merged, ours));
    assert_eq!(keys, [0; 4], "a preview writes nothing");
    let (report, keys) = merge(false, "m").await;
    assert_eq!((report.status, report.merged_files), (MergeStatus::Merged, 1));
    assert_eq!((&*report.bases, report.tree), (&vec![base], preview.tree));
    // The merged file, its folder and the root; `e` is theirs as it is.
    assert_eq!(keys, [1, 2, 1, 1]);
    let commit = world.plain.store().get_commit(&report.commit).await.unwrap();
    assert_eq!(commit.parents, [ours, theirs]);
    assert_eq!(commit.message, "Merge main into users/Ada");
    let wanted = files(&[("d/a", "I\n2\nIII\n"), ("d/b", "1\n"), ("e/c", "2\n")]);
    assert_eq!(read(&world.plain, commit.tree).await, wanted);
    let (again, keys) = merge(false, "m").await;
    assert_eq!((again.status, again.commit, keys), (MergeStatus::Merged, report.commit, [0; 4]));
    assert_eq!(again.entry, report.entry, "the same request is answered as the first time");
    let (after, keys) = merge(false, "another").await;
    assert_eq!((after.status, keys), (MergeStatus::UpToDate, [0; 4]));
    // The same request for something else.
    let other = world.plain.merge(&wish(base, "m", OnConflict::Fail), false).await;
    assert!(other.is_err(), "{other:?}");
    world.check("after a merge").await;
}

#[tokio::test]
async fn a_conflict_writes_nothing_unless_a_policy_resolves_it() {
    let (world, [_, ours, theirs]) = fork(BASE, OURS, AGAINST).await;
    branch(&world.plain, ours).await;
    let merge = async |policy| {
        let wish = wish(theirs, "m", policy);
        made(&world, async |repo| repo.merge(&wish, false).await.unwrap()).await
    };
    let (report, keys) = merge(OnConflict::Fail).await;
    assert_eq!((report.status, report.commit, keys), (MergeStatus::Conflict, ours, [0; 4]));
    assert_eq!(report.conflicts.len(), 1);
    assert_eq!(world.log(&user()).await.len(), 1);
    let (report, keys) = merge(OnConflict::Theirs).await;
    assert_eq!((report.status, report.conflicts.len()), (MergeStatus::Merged, 1));
    // All of it is in theirs.
    assert_eq!(keys, [0, 0, 1, 1]);
    world.check("after a conflict").await;
}

#[tokio::test]
async fn unrelated_histories_are_refused() {
    let (world, [_, ours, _]) = fork(BASE, OURS, THEIRS).await;
    branch(&world.plain, ours).await;
    let refused = world.plain.merge(&wish(world.first, "m", OnConflict::Fail), false).await;
    let Err(error @ RepoError::Unrelated { .. }) = refused else { panic!("{refused:?}") };
    assert!(error.to_string().contains("no history in common"), "{error}");
}

#[tokio::test]
async fn a_merge_cannot_break_the_rules_of_the_book() {
    let rules = "[[schema.allow]]\npattern = \"content/**\"\nmessage = \"pages live there\"\n";
    let base = &[("content/a", "1\n"), ("b", "1\n")];
    let (world, [_, ours, theirs]) = fork(
        base,
        &[("book.toml", rules), ("content/a", "1\n")],
        &[("content/a", "1\n"), ("b", "1\n"), ("c", "1\n")],
    )
    .await;
    branch(&world.plain, ours).await;
    let refused = world.plain.merge(&wish(theirs, "m", OnConflict::Fail), false).await;
    let Err(RepoError::Schema { violations }) = refused else { panic!("{refused:?}") };
    let paths: Vec<_> = violations.iter().map(|found| found.path.clone()).collect();
    assert_eq!(paths, ["c"]);
    assert_eq!(world.log(&user()).await.len(), 1);
}

/// The branch moves at any of the store's calls: the merge holds what was written then.
#[tokio::test]
async fn invariant_no_lost_update_when_a_branch_moves_while_it_is_merged() {
    for n in 1.. {
        let (world, [_, ours, theirs]) = fork(BASE, OURS, THEIRS).await;
        branch(&world.plain, ours).await;
        let plain = world.plain.clone();
        let meanwhile = move || {
            let plain = plain.clone();
            async move {
                let edit = put("new", b"x", Precondition::Absent);
                let put = cas_core::name::Operation::put();
                plain.edit(&request(&user(), "meanwhile"), put, &[edit]).await.unwrap();
            }
        };
        let store = Arc::new(world.faulty().with_hook(n, meanwhile));
        let repo = repository(store.clone(), 7, "bob");
        let merged = repo.merge(&wish(theirs, "m", OnConflict::Fail), false).await.unwrap();
        assert_eq!(merged.status, MergeStatus::Merged, "moved at call {n}");
        if store.calls() < n {
            assert!(n > 5, "there is something to move at");
            return;
        }
        let paths: Vec<_> = world.files(&user()).await.into_iter().map(|file| file.0).collect();
        assert_eq!(paths, ["d/a", "d/b", "e/c", "new"], "moved at call {n}");
        world.check(&format!("moved at call {n}")).await;
    }
}

/// A folder that one side left alone is not opened, however much is in it.
#[tokio::test]
async fn only_what_differs_on_both_sides_is_opened() {
    let memory = Arc::new(CountingStore::new(Arc::new(InMemory::new())));
    let setup = repository(memory.clone(), 0, "ada");
    let tree = async |edited: &[(usize, &str)]| {
        let mut all = Vec::new();
        for folder in 0..20 {
            for file in ["a", "b"] {
                let text = if edited.contains(&(folder, file)) { "new" } else { "old" };
                all.push(Planted::file(format!("d{folder}/deep/{file}"), text));
            }
        }
        plant(setup.store(), &all).await
    };
    let base = tree(&[]).await;
    let cases = [
        // Different folders: the three roots.
        (tree(&[(1, "a")]).await, tree(&[(2, "a"), (3, "a")]).await, 3),
        // One folder of both, with what is in it.
        (tree(&[(1, "a")]).await, tree(&[(1, "b"), (3, "a")]).await, 9),
    ];
    for (ours, theirs, reads) in cases {
        let repo = repository(memory.clone(), 1, "ada");
        memory.take();
        let (merged, _) = repo.merge_trees(base, ours, theirs, OnConflict::Fail).await.unwrap();
        assert!(merged.is_clean());
        let counts = memory.take().without_bytes();
        assert_eq!((counts.get, counts.put, counts.list), (reads, 0, 0));
        // The same again is remembered.
        repo.merge_trees(base, ours, theirs, OnConflict::Fail).await.unwrap();
        assert_eq!(memory.take().without_bytes().get, 0);
    }
}
