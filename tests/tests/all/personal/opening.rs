//! What a reader sees of a branch that is there, and of one that is not.

use cas_core::error::ErrorKind;
use cas_core::name::{Operation, RefName};
use cas_core::refs::{Expectation, Follow, Upstream};
use cas_core::repo::{Following, Precondition, RepoError, Source, UpstreamChoice};

use super::{base_moves, guide, head, named, revision, target};
use crate::world::{World, book, put, request};

#[tokio::test]
async fn a_reader_without_a_branch_reads_the_upstream_as_it_is_now() {
    let world = guide().await;
    let repo = &world.plain;
    let main = target(repo, "main").await;
    let seen = repo.open(&revision("users/1")).await.unwrap();
    assert_eq!((seen.id, seen.tree, seen.source), (main, seen.commit.tree, Source::Upstream));
    assert_eq!(seen.name, Some(named("users/1")));
    let follows = Upstream { name: RefName::main(), follow: Follow::Live, base: main };
    assert_eq!(seen.upstream, Some(follows));
    let moved = base_moves(repo, b"a", b"b").await;
    assert_eq!(repo.open(&revision("users/1")).await.unwrap().id, moved);
    assert_eq!(repo.open(&revision("users/1~1")).await.unwrap().id, main);
    assert!(head(repo, "users/1").await.is_none(), "reading makes no branch");
}

#[tokio::test]
async fn a_branch_that_is_there_is_read_itself() {
    let world = guide().await;
    let repo = &world.plain;
    let start = repo.branch_start(&revision("main"), &UpstreamChoice::Default, None).await.unwrap();
    for (name, follow) in [("users/1", Follow::Pinned), ("users/2", Follow::Live)] {
        let create = repo.ref_request(&book(), &named(name), "");
        repo.create_branch(&create, &start).await.unwrap();
        let follows = Following { upstream: None, follow };
        repo.set_upstream(&repo.ref_request(&book(), &named(name), ""), Some(&follows))
            .await
            .unwrap();
    }
    let moved = base_moves(repo, b"a", b"b").await;
    let live = repo.open(&revision("users/2")).await.unwrap();
    assert_eq!((live.id, live.source), (start.commit(), Source::Upstream));
    assert_eq!(live.heads(), [start.commit(), moved]);
    let seen = repo.open(&revision("users/1")).await.unwrap();
    assert_eq!((seen.id, seen.source), (start.commit(), Source::Own));
    assert_eq!(seen.upstream.map(|upstream| upstream.base), Some(start.commit()));
}

#[tokio::test]
async fn a_deleted_branch_reads_as_one_that_never_was() {
    let world = guide().await;
    let repo = &world.plain;
    let edits = [put("docs/b.md", b"mine", Precondition::Absent)];
    let write = request(&named("users/1"), "write");
    let own = repo.edit(&write, Operation::put(), &edits).await.unwrap().commit;
    let delete = repo.ref_request(&book(), &named("users/1"), "");
    repo.delete_ref(&delete, Expectation::Any).await.unwrap();
    let seen = repo.open(&revision("users/1")).await.unwrap();
    assert_eq!((seen.id, seen.source), (target(repo, "main").await, Source::Upstream));
    // Its log is still there to be read.
    assert_eq!(repo.open(&revision("users/1#1")).await.unwrap().id, own);
    assert!(matches!(
        repo.open(&revision("users/1#2")).await.unwrap_err(),
        RepoError::Deleted { .. }
    ));
}

#[tokio::test]
async fn only_what_the_book_says_is_personal_falls_back() {
    let world = guide().await;
    let repo = &world.plain;
    // No pattern, a tag, another number of segments, an upstream that is not there.
    for absent in ["draft", "tags/v1", "users/1/2", "drafts/1"] {
        let error = repo.open(&revision(absent)).await.unwrap_err();
        assert!(matches!(error, RepoError::NoRef { .. }), "{absent}: {error}");
    }
    // Writers and those who ask for a position in a log are told what is there.
    for strict in ["users/1", "users/1#1"] {
        let error = repo.resolve(&revision(strict)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{strict}: {error}");
    }
    assert!(repo.open(&revision("users/1#1")).await.is_err());
    let plain = World::new().await;
    let error = plain.plain.open(&revision("users/1")).await.unwrap_err();
    assert!(matches!(error, RepoError::NoRef { .. }), "without rules: {error}");
    let error = repo.open(&"other@users/1".parse().unwrap()).await.unwrap_err();
    assert!(matches!(error, RepoError::NoBook { .. }), "{error}");
}

#[tokio::test]
async fn a_pattern_may_name_another_upstream() {
    let world = guide().await;
    let repo = &world.plain;
    let edits = [put("docs/c.md", b"c", Precondition::Absent)];
    let start = repo.branch_start(&revision("main"), &UpstreamChoice::Default, None).await.unwrap();
    let create = repo.ref_request(&book(), &named("draft"), "");
    repo.create_branch(&create, &start).await.unwrap();
    let write = request(&named("draft"), "draft");
    let draft = repo.edit(&write, Operation::put(), &edits).await.unwrap().commit;
    let seen = repo.open(&revision("drafts/1")).await.unwrap();
    assert_eq!((seen.id, seen.source), (draft, Source::Upstream));
    assert_eq!(seen.upstream.map(|found| (found.name, found.follow)), {
        Some((named("draft"), Follow::Pinned))
    });
}
