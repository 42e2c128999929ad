//! Random merges against `git merge-tree`: where both merge cleanly, to the same bytes; every
//! other difference is one that `docs/merge.md` explains.
//!
//! `CAS_GIT_MERGES` sets how many.

mod books;
mod program;

use std::collections::BTreeMap;

use cas_core::repo::{ConflictKind, OnConflict};

pub(super) use program::Git as Program;

use super::{merge, planted, shelf};
use books::{Case, Dice};
use program::{Git, GitMerge, say};

const UNCLEAR: &str = "where a file went is not certain, and git guesses";

/// What we made of a case: whether it was clean, the tree as git names it, and the conflicts.
struct Made {
    git: GitMerge,
    kinds: Vec<ConflictKind>,
}

#[tokio::test]
async fn merges_as_git_does() {
    let Some(git) = Git::new() else { return };
    let cases = std::env::var("CAS_GIT_MERGES").map_or(2_000, |cases| cases.parse().unwrap());
    let shown = std::env::var("CAS_GIT_SHOWN").map_or(3, |shown| shown.parse().unwrap());
    let mut dice = Dice::new(5);
    let cases: Vec<Case> = (0..cases).map(|_| Case::draw(&mut dice)).collect();
    let [default, no_folders, only_exact] = merged_by_git(&git, &cases);
    let ours = merged_by_us(&git, &cases).await;

    let mut classes = BTreeMap::<String, usize>::new();
    let mut unexplained = Vec::new();
    for (n, (case, ours)) in cases.iter().zip(&ours).enumerate() {
        let found = [&default[n], &no_folders[n], &only_exact[n]];
        let class = class(case, ours, found);
        if class.is_none() {
            unexplained.push(n);
        }
        *classes.entry(class.unwrap_or("unexplained").to_owned()).or_default() += 1;
    }
    say(&format!("merges compared with git: {classes:#?}"));
    for n in unexplained.iter().take(shown) {
        let (case, ours, theirs) = (&cases[*n], &ours[*n], &default[*n]);
        say(&format!(
            "case {n}, we are clean: {}, {:?}\n{}",
            ours.git.clean,
            ours.kinds,
            case.shown()
        ));
        say(&format!("ours:\n{}git's:\n{}", git.show(&ours.git.tree), git.show(&theirs.tree)));
    }
    assert_eq!(unexplained, [0; 0], "differences to git that no document explains");
    let same = classes["both clean, the same bytes"];
    assert!(same * 4 > cases.len(), "only {same} of the cases say anything about bytes");
}

/// What git makes of the cases: as it is, without its renames of folders, without
/// renames of what was edited as well.
fn merged_by_git(git: &Git, cases: &[Case]) -> [Vec<GitMerge>; 3] {
    let mut commits = Vec::new();
    for case in cases {
        let base = commits.len();
        commits.push((&case.base, vec![]));
        commits.push((&case.ours, vec![base]));
        commits.push((&case.theirs, vec![base]));
    }
    let ids = git.commits(&commits);
    let pairs: Vec<_> = ids.chunks(3).map(|ids| (ids[1].as_str(), ids[2].as_str())).collect();
    let settings: [&[&str]; 3] =
        [&[], &["-c", "merge.directoryRenames=false"], &["-X", "find-renames=100%"]];
    settings.map(|settings| git.merges(settings, &pairs))
}

async fn merged_by_us(git: &Git, cases: &[Case]) -> Vec<Made> {
    let repo = shelf();
    let mut found = Vec::new();
    for case in cases {
        let trees = [&case.base, &case.ours, &case.theirs];
        let [base, ours, theirs] = trees.map(|files| planted(&repo, files));
        let three = [base.await, ours.await, theirs.await];
        found.push(merge(&repo, three, OnConflict::Fail).await);
    }
    let commits: Vec<_> = found.iter().map(|found| (&found.files, vec![])).collect();
    let trees = git.trees(&git.commits(&commits));
    let made = found.iter().zip(trees).map(|(found, tree)| Made {
        git: GitMerge { clean: found.merged.is_clean(), tree },
        kinds: found.merged.conflicts.iter().map(|conflict| conflict.kind).collect(),
    });
    made.collect()
}

/// Of what class the difference is, or the agreement. `None` if it is not explained.
fn class(
    case: &Case,
    ours: &Made,
    [default, no_folders, only_exact]: [&GitMerge; 3],
) -> Option<&'static str> {
    let agrees =
        |git: &GitMerge| git.clean == ours.git.clean && (!git.clean || git.tree == ours.git.tree);
    if agrees(default) {
        return Some(if default.clean { "both clean, the same bytes" } else { "both in conflict" });
    }
    if agrees(no_folders) {
        return Some("git follows the rename of a folder");
    }
    if ours.kinds.contains(&ConflictKind::RenameUnclear) {
        return Some(UNCLEAR);
    }
    if case.endings && ours.git.clean && !default.clean {
        return Some("all line endings of a file were changed");
    }
    if default != only_exact && case.has_close_move() {
        return Some("a file was moved and is alike by about 50 to 60 percent");
    }
    case.has_twins().then_some(UNCLEAR)
}
