//! Where histories meet, and merging commits into branches.

mod branches;

use cas_core::name::{CommitId, TreeId};
use cas_core::object::{Commit, EntryKind, Metadata};
use cas_core::repo::{OnConflict, Repository};

use super::{Files, planted, shelf};
use crate::world::actor;

fn files(listed: &[(&str, &str)]) -> Files {
    let file = |(path, text): &(&str, &str)| {
        ((*path).to_owned(), (EntryKind::File, text.as_bytes().to_vec().into()))
    };
    listed.iter().map(file).collect()
}

/// A commit of files, with parents.
async fn commit(repo: &Repository, listed: &[(&str, &str)], parents: &[CommitId]) -> CommitId {
    let tree = planted(repo, &files(listed)).await;
    commit_tree(repo, tree, parents).await
}

async fn commit_tree(repo: &Repository, tree: TreeId, parents: &[CommitId]) -> CommitId {
    let session = repo.store().session().await.unwrap();
    let commit = Commit {
        tree,
        parents: parents.to_vec(),
        author: actor("ada"),
        committed_at: cas_core::env::Timestamp::from_micros(1),
        message: String::new(),
        metadata: Metadata::new(),
    };
    let id = session.put_commit(&commit).await.unwrap();
    session.publish().await.unwrap();
    id
}

async fn bases(repo: &Repository, ours: CommitId, theirs: CommitId) -> Vec<CommitId> {
    let found = repo.merge_bases(ours, theirs).await.unwrap();
    let mut back = repo.merge_bases(theirs, ours).await.unwrap();
    back.sort();
    let mut sorted = found.clone();
    sorted.sort();
    assert_eq!(sorted, back, "the same from either side");
    sorted
}

#[tokio::test]
async fn the_base_is_where_histories_meet() {
    let repo = shelf();
    let first = commit(&repo, &[("a", "1")], &[]).await;
    let b = commit(&repo, &[("a", "2")], &[first]).await;
    let c = commit(&repo, &[("a", "3")], &[b]).await;
    let d = commit(&repo, &[("a", "4")], &[b]).await;
    assert_eq!(bases(&repo, c, c).await, [c]);
    assert_eq!(bases(&repo, first, c).await, [first]);
    assert_eq!(bases(&repo, c, d).await, [b]);
    // The branch d is merged back, and both go on.
    let merged = commit(&repo, &[("a", "5")], &[c, d]).await;
    let later = commit(&repo, &[("a", "6")], &[d]).await;
    assert_eq!(bases(&repo, merged, later).await, [d]);
    let last = commit(&repo, &[("a", "7")], &[merged]).await;
    assert_eq!(bases(&repo, last, later).await, [d]);
}

#[tokio::test]
async fn the_base_is_right_after_many_merges() {
    let repo = shelf();
    let mut main = commit(&repo, &[("a", "0")], &[]).await;
    let mut branch = main;
    for n in 0..20 {
        let text = n.to_string();
        branch = commit(&repo, &[("a", &text)], &[branch]).await;
        let before = main;
        main = commit(&repo, &[("b", &text)], &[main]).await;
        assert_eq!(bases(&repo, branch, main).await, [before], "after {n} merges");
        branch = commit(&repo, &[("a", &text), ("b", &text)], &[branch, main]).await;
        assert_eq!(bases(&repo, branch, main).await, [main], "after {n} merges");
    }
}

#[tokio::test]
async fn unrelated_histories_have_no_base() {
    let repo = shelf();
    let a = commit(&repo, &[("a", "1")], &[]).await;
    let b = commit(&repo, &[("b", "1")], &[]).await;
    assert_eq!(bases(&repo, a, b).await, []);
}

/// A file, and what each of two made of it who merge each other's work criss-cross, and again.
struct CrissCross {
    case: &'static str,
    base: &'static [(&'static str, &'static str)],
    ours: &'static [(&'static str, &'static str)],
    theirs: &'static [(&'static str, &'static str)],
    /// How each settled the first merge.
    our_merge: &'static [(&'static str, &'static str)],
    their_merge: &'static [(&'static str, &'static str)],
    /// What the second merge comes to; none for a conflict.
    then: Option<&'static [(&'static str, &'static str)]>,
    /// Whether git takes one side where we see a conflict.
    git_decides: bool,
}

const CRISS_CROSS: &[CrissCross] = &[
    CrissCross {
        case: "lines of both, and one more each",
        base: &[("a", "1\n2\n3\n4\n5\n6\n7\n")],
        ours: &[("a", "I\n2\n3\n4\n5\n6\n7\n")],
        theirs: &[("a", "1\n2\n3\n4\n5\n6\nVII\n")],
        our_merge: &[("a", "I\n2\nIII\n4\n5\n6\nVII\n")],
        their_merge: &[("a", "I\n2\n3\n4\nV\n6\nVII\n")],
        then: Some(&[("a", "I\n2\nIII\n4\nV\n6\nVII\n")]),
        git_decides: false,
    },
    CrissCross {
        case: "a conflict that each settled for himself",
        base: &[("a", "1\n2\n3\n")],
        ours: &[("a", "one\n2\n3\n")],
        theirs: &[("a", "eins\n2\n3\n")],
        our_merge: &[("a", "one\n2\n3\n")],
        their_merge: &[("a", "eins\n2\n3\n")],
        then: None,
        git_decides: false,
    },
    CrissCross {
        case: "a conflict that both settled alike",
        base: &[("a", "1\n2\n3\n")],
        ours: &[("a", "one\n2\n3\n")],
        theirs: &[("a", "eins\n2\n3\n")],
        our_merge: &[("a", "eins\n2\n3\n")],
        their_merge: &[("a", "eins\n2\n3\n")],
        then: Some(&[("a", "eins\n2\n3\n")]),
        git_decides: false,
    },
    CrissCross {
        case: "removed by one and edited by the other, settled otherwise by each",
        base: &[("a", "1\n2\n3\n"), ("z", "1\n")],
        ours: &[("a", "one\n2\n3\n"), ("z", "1\n")],
        theirs: &[("z", "1\n")],
        our_merge: &[("a", "one\n2\n3\n"), ("z", "1\n")],
        their_merge: &[("z", "1\n")],
        then: None,
        git_decides: false,
    },
    CrissCross {
        case: "not text, settled otherwise by each",
        base: &[("a", "\0 1\n")],
        ours: &[("a", "\0 one\n")],
        theirs: &[("a", "\0 eins\n")],
        our_merge: &[("a", "\0 one\n")],
        their_merge: &[("a", "\0 eins\n")],
        then: None,
        git_decides: false,
    },
    CrissCross {
        case: "moved by each, settled otherwise by each",
        base: &[("a", "1\n2\n3\n"), ("z", "1\n")],
        ours: &[("b", "1\n2\n3\n"), ("z", "1\n")],
        theirs: &[("c", "1\n2\n3\n"), ("z", "1\n")],
        our_merge: &[("b", "1\n2\n3\n"), ("z", "1\n")],
        their_merge: &[("c", "1\n2\n3\n"), ("z", "1\n")],
        then: None,
        git_decides: true,
    },
    CrissCross {
        case: "added by both, not text, settled otherwise by each",
        base: &[("z", "1\n")],
        ours: &[("a", "\0 one\n"), ("z", "1\n")],
        theirs: &[("a", "\0 eins\n"), ("z", "1\n")],
        our_merge: &[("a", "\0 one\n"), ("z", "1\n")],
        their_merge: &[("a", "\0 eins\n"), ("z", "1\n")],
        then: None,
        git_decides: false,
    },
];

/// As git does, which merges the bases first. A conflict in there must not decide anything.
#[tokio::test]
async fn criss_cross_is_merged_as_git_does() {
    let git = super::git::Program::new();
    for cross in CRISS_CROSS {
        let case = cross.case;
        let world = crate::world::World::new().await;
        let repo = &world.plain;
        let base = commit(repo, cross.base, &[]).await;
        let (a, b) =
            (commit(repo, cross.ours, &[base]).await, commit(repo, cross.theirs, &[base]).await);
        let ours = commit(repo, cross.our_merge, &[a, b]).await;
        let theirs = commit(repo, cross.their_merge, &[b, a]).await;
        let mut both = vec![a, b];
        both.sort();
        assert_eq!(bases(repo, ours, theirs).await, both, "{case}");

        let found = branches::merge_commits(repo, ours, theirs, OnConflict::Fail).await;
        assert_eq!(found, cross.then.map(files), "{case}");

        let Some(git) = &git else { continue };
        let trees = [cross.base, cross.ours, cross.theirs, cross.our_merge, cross.their_merge];
        let trees = trees.map(files);
        let parents = [vec![], vec![0], vec![0], vec![1, 2], vec![2, 1]];
        let ids = git.commits(&trees.iter().zip(parents).collect::<Vec<_>>());
        let merged = &git.merges(&[], &[(&ids[3], &ids[4])])[0];
        assert_eq!(merged.clean, cross.then.is_some() || cross.git_decides, "{case}, by git");
        if let Some(then) = cross.then {
            let then = files(then);
            let wanted = git.trees(&git.commits(&[(&then, vec![])]));
            assert_eq!(merged.tree, wanted[0], "{case}, by git");
        }
    }
}
