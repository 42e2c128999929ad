//! The first write to a personal branch makes it.

use std::sync::Arc;

use bytes::Bytes;
use cas_core::folder::{ImportMode, ImportOptions, NoProgress};
use cas_core::name::{BlobId, CommitId, Operation, RefName, RequestId};
use cas_core::refs::{Expectation, Follow, Upstream};
use cas_core::repo::{EditQueue, Found, Precondition, RepoError, Repository, VersionRequest};
use futures::future::join_all;

use super::{base_moves, guide, head, named, target, upstream};
use crate::world::{book, is, put, remove, repository, request};

fn follows(base: CommitId) -> Upstream {
    Upstream { name: RefName::main(), follow: Follow::Live, base }
}

/// The text of a file of a branch.
async fn read(repo: &Repository, name: &str, path: &str) -> Option<Bytes> {
    let tree = repo.store().get_commit(&target(repo, name).await).await.unwrap().tree;
    let found = repo.find(tree, &crate::world::path(path)).await.unwrap();
    let Some(Found::Entry(entry)) = found else {
        return None;
    };
    Some(repo.store().get_blob(&BlobId(entry.id)).await.unwrap())
}

#[tokio::test]
async fn the_first_write_forks_the_upstream() {
    let world = guide().await;
    let repo = &world.plain;
    let main = target(repo, "main").await;
    let write = request(&named("users/1"), "write");
    let edits = [put("docs/a.md", b"mine", is(b"a"))];
    let report = repo.edit(&write, Operation::put(), &edits).await.unwrap();
    assert!(report.changed && report.forked);
    let log = world.log(&named("users/1")).await;
    let [entry] = &log[..] else { panic!("{log:?}") };
    assert_eq!(
        (entry.entry.target, entry.entry.upstream()),
        (Some(report.commit), Some(follows(main)))
    );
    assert_eq!(repo.store().get_commit(&report.commit).await.unwrap().parents, [main]);
    assert_eq!(read(repo, "users/1", "docs/a.md").await.unwrap(), "mine");
    assert_eq!(read(repo, "users/1", "book.toml").await.unwrap(), super::RULES);
    // Others read what they did.
    assert_eq!(target(repo, "main").await, main);
    assert!(head(repo, "users/2").await.is_none());
    // The next one is a plain edit.
    let again = request(&named("users/1"), "again");
    let edits = [put("docs/a.md", b"more", is(b"mine"))];
    let report = repo.edit(&again, Operation::put(), &edits).await.unwrap();
    assert!(report.changed && !report.forked);
    assert_eq!(upstream(repo, "users/1").await, Some(follows(main)));
    world.check("forked").await;
}

#[tokio::test]
async fn preconditions_are_about_the_upstream() {
    let world = guide().await;
    let repo = &world.plain;
    for (edit, fits) in [
        (put("docs/a.md", b"mine", Precondition::Absent), false),
        (put("docs/a.md", b"mine", is(b"other")), false),
        (put("docs/a.md", b"mine", Precondition::Unsaid), false),
        (put("docs/a.md", b"a", is(b"a")), true),
        (remove("docs/none.md"), true),
    ] {
        let write = request(&named("users/1"), "write");
        let report = repo.edit(&write, Operation::put(), &[edit]).await;
        assert_eq!(report.is_ok(), fits);
        assert!(report.is_err() || report.is_ok_and(|report| !report.changed && !report.forked));
        assert!(head(repo, "users/1").await.is_none(), "nothing changed, nothing is written");
    }
    // The rules of the book hold for a fork as well.
    let broken = [put("book.toml", b"nonsense", is(super::RULES))];
    let error = repo.edit(&request(&named("users/1"), "bad"), Operation::put(), &broken).await;
    assert!(matches!(error, Err(RepoError::Schema { .. })));
    assert!(head(repo, "users/1").await.is_none());
}

#[tokio::test]
async fn a_repeated_first_write_is_answered_as_the_first_time() {
    let world = guide().await;
    let repo = &world.plain;
    let write = request(&named("users/1"), "write");
    let edits = [put("docs/a.md", b"mine", is(b"a"))];
    let first = repo.edit(&write, Operation::put(), &edits).await.unwrap();
    let later = [put("docs/b.md", b"b", Precondition::Absent)];
    let wish = request(&named("users/1"), "later");
    let second = repo.edit(&wish, Operation::put(), &later).await.unwrap();
    for (wish, edits, report) in [(&write, &edits, &first), (&wish, &later, &second)] {
        let again = repo.edit(wish, Operation::put(), edits).await.unwrap();
        assert_eq!((again.commit, again.forked), (report.commit, report.forked));
    }
    assert_eq!(world.log(&named("users/1")).await.len(), 2);
}

#[tokio::test]
async fn first_writes_that_arrive_together_are_one_entry() {
    let world = guide().await;
    let repo = &world.plain;
    let main = target(repo, "main").await;
    let queue = EditQueue::default();
    let count = cas_core::refs::GROUP_REQUESTS;
    let wishes = (0..=count).map(|n| {
        let request = VersionRequest {
            request_id: RequestId::parse(&format!("wish-{n}")).unwrap(),
            ..request(&named("users/1"), "together")
        };
        let edit = put(&format!("docs/{n}.md"), b"mine", Precondition::Absent);
        queue.edit(repo, request, Operation::put(), vec![edit])
    });
    for report in join_all(wishes).await {
        assert!(report.unwrap().changed);
    }
    // All that wait when the first begins are its group; one is left.
    let log = world.log(&named("users/1")).await;
    assert_eq!(log.len(), 2);
    let made: Vec<_> = log.iter().map(|entry| entry.entry.requests().len()).collect();
    assert_eq!(made.iter().sum::<usize>(), count + 1);
    assert_eq!(made.iter().max(), Some(&count), "a full group fits beside what is followed");
    for entry in &log {
        assert_eq!(entry.entry.upstream(), Some(follows(main)));
    }
}

#[tokio::test]
async fn of_two_first_writes_the_loser_is_done_on_the_new_branch() {
    let world = guide().await;
    let main = target(&world.plain, "main").await;
    let processes: Vec<_> =
        (1..=4).map(|seed| repository(world.memory.clone(), seed, "ada")).collect();
    let writes = processes.iter().enumerate().map(|(n, repo)| async move {
        let write = request(&named("users/1"), &format!("write {n}"));
        let edits = [put(&format!("docs/new-{n}.md"), b"mine", Precondition::Absent)];
        repo.edit(&write, Operation::put(), &edits).await.unwrap()
    });
    let reports = join_all(writes).await;
    assert_eq!(reports.iter().filter(|report| report.forked).count(), 1);
    let files = world.files(&named("users/1")).await;
    assert_eq!(files.len(), 2 + 4, "{files:?}");
    assert_eq!(world.log(&named("users/1")).await.len(), 4);
    assert_eq!(upstream(&world.plain, "users/1").await, Some(follows(main)));
    world.check("raced").await;
}

#[tokio::test]
async fn a_deleted_branch_is_forked_anew_and_restored_as_it_was() {
    let world = guide().await;
    let repo = &world.plain;
    let first = target(repo, "main").await;
    let name = named("users/1");
    let edits = [put("docs/a.md", b"mine", is(b"a"))];
    repo.edit(&request(&name, "one"), Operation::put(), &edits).await.unwrap();
    let delete = || repo.ref_request(&book(), &name, "");
    repo.delete_ref(&delete(), Expectation::Any).await.unwrap();
    repo.restore_branch(&delete()).await.unwrap();
    assert_eq!(upstream(repo, "users/1").await, Some(follows(first)));
    assert_eq!(read(repo, "users/1", "docs/a.md").await.unwrap(), "mine");
    let second = base_moves(repo, b"a", b"b").await;
    repo.delete_ref(&delete(), Expectation::Any).await.unwrap();
    let edits = [put("docs/new.md", b"mine", Precondition::Absent)];
    let report = repo.edit(&request(&name, "two"), Operation::put(), &edits).await.unwrap();
    assert!(report.forked);
    assert_eq!(upstream(repo, "users/1").await, Some(follows(second)));
    assert_eq!(read(repo, "users/1", "docs/a.md").await.unwrap(), "b");
    let again = repo.edit(&request(&name, "two"), Operation::put(), &edits).await.unwrap();
    assert!(again.forked, "also behind a deletion");
}

#[tokio::test]
async fn a_write_shows_on_no_other_branch() {
    let world = guide().await;
    let repo = &world.plain;
    let names: Vec<_> = (0..6).map(|n| format!("users/{n}")).collect();
    for (n, name) in names.iter().enumerate() {
        let own = format!("of {n}");
        let edits = [put("docs/a.md", own.as_bytes(), is(b"a"))];
        let write = request(&named(name), "write");
        repo.edit(&write, Operation::put(), &edits).await.unwrap();
        for (m, other) in names.iter().enumerate() {
            let there = if m > n { None } else { read(repo, other, "docs/a.md").await };
            let expected = (m <= n).then(|| Bytes::from(format!("of {m}")));
            assert_eq!(there, expected, "{other} after {name} was written");
            assert_eq!(head(repo, other).await.is_some(), m <= n);
        }
        assert_eq!(read(repo, "main", "docs/a.md").await.unwrap(), "a");
    }
}

#[tokio::test]
async fn an_import_forks_as_well() {
    let world = guide().await;
    let repo = &world.plain;
    let main = target(repo, "main").await;
    let folder = tempfile::tempdir().unwrap();
    let docs = folder.path().join("docs");
    std::fs::create_dir(&docs).unwrap();
    std::fs::write(folder.path().join("book.toml"), super::RULES).unwrap();
    std::fs::write(docs.join("a.md"), "a").unwrap();
    let options = ImportOptions::default();
    let import = |id: &str| {
        let request = request(&named("users/1"), id);
        let (path, options) = (folder.path(), &options);
        async move {
            let progress = Arc::new(NoProgress);
            repo.import(path, &request, options, progress).await.unwrap()
        }
    };
    let same = import("same").await;
    assert_eq!((same.mode, same.forked), (ImportMode::Unchanged, false));
    assert!(head(repo, "users/1").await.is_none());
    std::fs::write(docs.join("a.md"), "mine").unwrap();
    let report = import("own").await;
    assert_eq!((report.mode, report.forked, report.changed), (ImportMode::Updated, true, 1));
    let commit = report.commit.unwrap();
    assert_eq!(repo.store().get_commit(&commit).await.unwrap().parents, [main]);
    assert_eq!(upstream(repo, "users/1").await, Some(follows(main)));
    assert!(!import("again").await.forked);
}
