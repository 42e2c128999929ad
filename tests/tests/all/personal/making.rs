//! Making branches that follow others, one or many.

use cas_core::error::ErrorKind;
use cas_core::name::RefName;
use cas_core::refs::{Expectation, Follow, Upstream};
use cas_core::repo::{BranchMade, BranchStart, Repository, UpstreamChoice};

use super::{base_moves, guide, head, named, revision, target, upstream};
use crate::world::book;

async fn start(repo: &Repository, from: &str, upstream: UpstreamChoice) -> BranchStart {
    repo.branch_start(&revision(from), &upstream, None).await.unwrap()
}

async fn make(repo: &Repository, name: &str, start: &BranchStart) {
    let request = repo.ref_request(&book(), &named(name), "");
    repo.create_branch(&request, start).await.unwrap();
}

#[tokio::test]
async fn a_branch_follows_the_branch_that_it_begins_at() {
    let world = guide().await;
    let repo = &world.plain;
    let main = target(repo, "main").await;
    let begin = start(repo, "main", UpstreamChoice::Default).await;
    make(repo, "users/1", &begin).await;
    make(repo, "other", &begin).await;
    let follows = |follow| Some(Upstream { name: RefName::main(), follow, base: main });
    // As the book says for the name, else it stays where it begins.
    assert_eq!(upstream(repo, "users/1").await, follows(Follow::Live));
    assert_eq!(upstream(repo, "other").await, follows(Follow::Pinned));
    let pinned = repo
        .branch_start(&revision("main"), &UpstreamChoice::Default, Some(Follow::Pinned))
        .await
        .unwrap();
    make(repo, "users/2", &pinned).await;
    assert_eq!(upstream(repo, "users/2").await, follows(Follow::Pinned));
    make(repo, "users/3", &start(repo, "main", UpstreamChoice::None).await).await;
    assert_eq!(upstream(repo, "users/3").await, None);
}

#[tokio::test]
async fn from_elsewhere_an_upstream_is_named() {
    let world = guide().await;
    let repo = &world.plain;
    let old = target(repo, "main").await;
    let new = base_moves(repo, b"a", b"b").await;
    for from in ["main~1", "main#2", &old.to_string()[..12]] {
        let begin = start(repo, from, UpstreamChoice::Default).await;
        assert_eq!((begin.commit(), begin.upstream_of(&named("users/1"))), (old, None), "{from}");
        let begin = start(repo, from, UpstreamChoice::Named(RefName::main())).await;
        let follows = begin.upstream_of(&named("users/1")).unwrap();
        assert_eq!((follows.name, follows.base), (RefName::main(), old), "{from}");
    }
    let nothing = repo
        .branch_start(&revision("main~1"), &UpstreamChoice::Default, Some(Follow::Live))
        .await
        .unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::Invalid, "{nothing}");
    // A branch that went its own way shares what it began at.
    make(repo, "draft", &start(repo, "main~1", UpstreamChoice::None).await).await;
    let ahead = start(repo, "main", UpstreamChoice::Named(named("draft"))).await;
    let follows = ahead.upstream_of(&named("users/1")).unwrap();
    assert_eq!((ahead.commit(), follows.base), (new, old));
}

#[tokio::test]
async fn what_shares_no_history_is_not_followed() {
    let world = guide().await;
    let repo = &world.plain;
    let tree = repo.store().get_commit(&target(repo, "main").await).await.unwrap().tree;
    let stranger = crate::http_archive::publish(repo, book().as_str(), "stranger", tree).await;
    let named_main = UpstreamChoice::Named(RefName::main());
    let error = repo.branch_start(&revision("stranger"), &named_main, None).await.unwrap_err();
    assert!(error.to_string().contains("share no history"), "{error}");
    assert!(error.to_string().contains(&stranger[..12]), "{error}");
    for (upstream, said) in [("tags/v1", "name a branch"), ("nobody", "no ref")] {
        let choice = UpstreamChoice::Named(named(upstream));
        let error = repo.branch_start(&revision("main"), &choice, None).await.unwrap_err();
        assert!(error.to_string().contains(said), "{upstream}: {error}");
    }
}

#[tokio::test]
async fn many_are_made_together_and_again_without_harm() {
    let world = guide().await;
    let repo = &world.plain;
    let begin = start(repo, "main", UpstreamChoice::Default).await;
    let names: Vec<_> = (0..10).map(|n| named(&format!("users/{n}"))).collect();
    let kinds = |made: Vec<Result<BranchMade, _>>| -> Vec<&str> {
        made.into_iter().map(|made| made.unwrap().as_str()).collect()
    };
    let made = repo.create_branches(&names[..4], &begin, "", None).await.unwrap();
    assert_eq!(kinds(made), ["created"; 4]);
    // One was written to since, one was deleted, and one is something else.
    let write = crate::world::request(&names[0], "write");
    let edits = [crate::world::put("docs/a.md", b"mine", crate::world::is(b"a"))];
    repo.edit(&write, cas_core::name::Operation::put(), &edits).await.unwrap();
    let delete = repo.ref_request(&book(), &names[1], "");
    repo.delete_ref(&delete, Expectation::Any).await.unwrap();
    make(repo, "users/5", &start(repo, "main~1", UpstreamChoice::None).await).await;
    base_moves(repo, b"a", b"b").await;
    let begin = start(repo, "main", UpstreamChoice::Default).await;
    let made = repo.create_branches(&names, &begin, "", None).await.unwrap();
    let expected = ["existing", "created", "existing", "existing", "created", "in the way"];
    assert_eq!(kinds(made), [&expected[..], &["created"; 4]].concat());
    assert_eq!(head(repo, "users/0").await.unwrap().entry.seq, 2);
    assert_eq!(upstream(repo, "users/9").await.unwrap().base, begin.commit());
}
