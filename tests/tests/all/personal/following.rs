//! Changing what a branch follows, and resetting one that follows.

use cas_core::name::{Operation, RefName};
use cas_core::refs::{Expectation, Follow, LogEntry, Upstream};
use cas_core::repo::{Following, Precondition, RepoError, Repository, UpstreamChoice};

use super::{base_moves, guide, named, revision, target, upstream};
use crate::world::{World, book, is, put, request};

async fn follow(
    repo: &Repository,
    name: &str,
    upstream: Option<&str>,
    follow: Option<Follow>,
) -> Result<LogEntry, RepoError> {
    let request = repo.ref_request(&book(), &named(name), "");
    let following = follow.map(|follow| Following { upstream: upstream.map(named), follow });
    repo.set_upstream(&request, following.as_ref()).await
}

/// `users/1`, forked from `main`, which has moved on.
async fn forked() -> World {
    let world = guide().await;
    let edits = [put("docs/own.md", b"mine", Precondition::Absent)];
    let write = request(&named("users/1"), "write");
    world.plain.edit(&write, Operation::put(), &edits).await.unwrap();
    base_moves(&world.plain, b"a", b"b").await;
    world
}

async fn reset(repo: &Repository, name: &str, to: &str) {
    let request = repo.ref_request(&book(), &named(name), "");
    let commit = repo.resolve_id(&revision(to)).await.unwrap();
    repo.reset_branch(&request, Expectation::Any, commit).await.unwrap();
}

#[tokio::test]
async fn following_in_another_way_is_one_entry_that_moves_nothing() {
    let world = forked().await;
    let repo = &world.plain;
    let (before, own) = (upstream(repo, "users/1").await.unwrap(), target(repo, "users/1").await);
    let entry = follow(repo, "users/1", None, Some(Follow::Pinned)).await.unwrap();
    assert_eq!((entry.entry.seq, entry.entry.target), (2, Some(own)));
    assert_eq!(entry.entry.operation, Operation::follow());
    // It last met its upstream where it did.
    assert_eq!(entry.entry.upstream(), Some(Upstream { follow: Follow::Pinned, ..before.clone() }));
    for same in [None, Some("main")] {
        let again = follow(repo, "users/1", same, Some(Follow::Pinned)).await.unwrap();
        assert_eq!(again.entry.seq, 2, "nothing changes");
    }
    let edits = [put("docs/more.md", b"mine", Precondition::Absent)];
    let write = request(&named("users/1"), "more");
    repo.edit(&write, Operation::put(), &edits).await.unwrap();
    assert_eq!(upstream(repo, "users/1").await.unwrap().follow, Follow::Pinned);
}

#[tokio::test]
async fn following_nothing_lasts_until_something_is_followed() {
    let world = forked().await;
    let repo = &world.plain;
    let base = upstream(repo, "users/1").await.unwrap().base;
    follow(repo, "users/1", None, None).await.unwrap();
    assert_eq!(upstream(repo, "users/1").await, None);
    assert_eq!(follow(repo, "users/1", None, None).await.unwrap().entry.seq, 2);
    let error = follow(repo, "users/1", None, Some(Follow::Live)).await.unwrap_err();
    assert!(error.to_string().contains("name an upstream"), "{error}");
    let error = follow(repo, "users/1", Some("users/1"), Some(Follow::Live)).await.unwrap_err();
    assert!(error.to_string().contains("itself"), "{error}");
    let entry = follow(repo, "users/1", Some("main"), Some(Follow::Live)).await.unwrap();
    let follows = Upstream { name: RefName::main(), follow: Follow::Live, base };
    assert_eq!(entry.entry.upstream(), Some(follows));
}

#[tokio::test]
async fn another_upstream_is_met_at_a_shared_commit() {
    let world = forked().await;
    let repo = &world.plain;
    let old = upstream(repo, "users/1").await.unwrap().base;
    let start = repo.branch_start(&revision("main"), &UpstreamChoice::None, None).await.unwrap();
    repo.create_branch(&repo.ref_request(&book(), &named("draft"), ""), &start).await.unwrap();
    let entry = follow(repo, "users/1", Some("draft"), Some(Follow::Live)).await.unwrap();
    let follows = entry.entry.upstream().unwrap();
    assert_eq!((follows.name, follows.base), (named("draft"), old));
    let tree = repo.store().get_commit(&old).await.unwrap().tree;
    crate::http_archive::publish(repo, book().as_str(), "stranger", tree).await;
    let error = follow(repo, "users/1", Some("stranger"), Some(Follow::Live)).await.unwrap_err();
    assert!(error.to_string().contains("share no history"), "{error}");
}

#[tokio::test]
async fn a_reset_meets_the_upstream_where_it_lands() {
    let world = forked().await;
    let repo = &world.plain;
    let (old, new) = (upstream(repo, "users/1").await.unwrap().base, target(repo, "main").await);
    let own = target(repo, "users/1").await;
    let base = || async { upstream(repo, "users/1").await.map(|upstream| upstream.base) };
    reset(repo, "users/1", "main").await;
    assert_eq!(base().await, Some(new), "the upstream's own version");
    reset(repo, "users/1", "users/1#1").await;
    // Its own version does not come after where it met `main` last.
    assert_eq!((target(repo, "users/1").await, base().await), (own, Some(old)));
    let edits = [put("docs/own.md", b"more", is(b"mine"))];
    repo.edit(&request(&named("users/1"), "more"), Operation::put(), &edits).await.unwrap();
    reset(repo, "users/1", "users/1~1").await;
    assert_eq!(base().await, Some(old), "still after it");
    reset(repo, "users/1", "main~1").await;
    assert_eq!(base().await, Some(old));
    let tree = repo.store().get_commit(&old).await.unwrap().tree;
    crate::http_archive::publish(repo, book().as_str(), "stranger", tree).await;
    reset(repo, "users/1", "stranger").await;
    assert_eq!(base().await, None, "no history in common");
}

#[tokio::test]
async fn a_repeated_wish_to_follow_is_done_once() {
    let world = forked().await;
    let repo = &world.plain;
    let wish = cas_core::repo::RefRequest {
        request_id: cas_core::name::RequestId::parse("wish").unwrap(),
        ..repo.ref_request(&book(), &named("users/1"), "")
    };
    let pinned = Following { upstream: None, follow: Follow::Pinned };
    let first = repo.set_upstream(&wish, Some(&pinned)).await.unwrap();
    follow(repo, "users/1", None, Some(Follow::Live)).await.unwrap();
    assert_eq!(repo.set_upstream(&wish, Some(&pinned)).await.unwrap(), first);
    assert_eq!(upstream(repo, "users/1").await.unwrap().follow, Follow::Live);
}
