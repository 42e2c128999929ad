//! What holds of every merge, over trees and edits that nobody thought of.
//!
//! Every run draws the same cases: the seed is fixed and failures are not kept in files.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use cas_core::object::EntryKind;
use cas_core::repo::OnConflict;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use tokio::runtime::Runtime;

use super::{Files, Outcome, POLICIES, merge, planted, shelf};

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(0x00ca_5008),
        ..ProptestConfig::default()
    }
}

/// What one side does to a path.
#[derive(Debug, Clone)]
enum Edit {
    Write(String),
    Executable,
    Remove,
}

const PATHS: [&str; 9] = ["a", "b", "d/a", "d/b", "d/e/a", "d/e/f/a", "g/a", "g/b", "h"];

fn path() -> impl Strategy<Value = String> {
    prop::sample::select(&PATHS[..]).prop_map(str::to_owned)
}

/// Lines of which many are equal, so that differences are hard to tell.
fn text() -> impl Strategy<Value = String> {
    let line = prop::sample::select(&["x", "y", "z", "", "one", "two", "three", "four"][..]);
    (prop::collection::vec(line, 0..12), any::<bool>()).prop_map(|(lines, ends)| {
        let text = lines.join("\n");
        if ends && !text.is_empty() { text + "\n" } else { text }
    })
}

fn tree() -> impl Strategy<Value = Files> {
    let kind = prop::sample::select(&[EntryKind::File, EntryKind::File, EntryKind::Executable][..]);
    let file = (kind, text()).prop_map(|(kind, text)| (kind, Bytes::from(text)));
    prop::collection::btree_map(path(), file, 0..8)
}

fn edits() -> impl Strategy<Value = BTreeMap<String, Edit>> {
    let edit = prop_oneof![
        4 => text().prop_map(Edit::Write),
        1 => Just(Edit::Executable),
        1 => Just(Edit::Remove),
    ];
    prop::collection::btree_map(path(), edit, 0..6)
}

fn edited<'a>(tree: &Files, edits: impl IntoIterator<Item = (&'a String, &'a Edit)>) -> Files {
    let mut tree = tree.clone();
    for (path, edit) in edits {
        match edit {
            Edit::Write(text) => {
                let kind = tree.get(path).map_or(EntryKind::File, |file| file.0);
                tree.insert(path.clone(), (kind, text.clone().into()));
            }
            Edit::Executable => {
                tree.entry(path.clone()).and_modify(|file| file.0 = EntryKind::Executable);
            }
            Edit::Remove => drop(tree.remove(path)),
        }
    }
    tree
}

/// Merges trees of a store of their own, under each policy.
fn merged(base: &Files, ours: &Files, theirs: &Files) -> Vec<Outcome> {
    Runtime::new().unwrap().block_on(async {
        let repo = shelf();
        let three = [planted(&repo, base), planted(&repo, ours), planted(&repo, theirs)];
        let [base, ours, theirs] = three;
        let three = [base.await, ours.await, theirs.await];
        let mut found = Vec::new();
        for policy in POLICIES {
            found.push(merge(&repo, three, policy).await);
        }
        found
    })
}

fn lines(text: &[u8]) -> BTreeMap<Vec<u8>, i64> {
    let mut counts = BTreeMap::new();
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        *counts.entry(line.to_vec()).or_default() += 1;
    }
    counts
}

proptest! {
    #![proptest_config(config(300))]

    /// What only one side changed is in the result, and nothing else is.
    #[test]
    fn invariant_merge_sound_one_sided_edits_are_the_union(
        base in tree(),
        edits in edits(),
        owners in any::<u16>(),
    ) {
        // Each path belongs to one side.
        let mine = |path: &String| {
            let at = PATHS.iter().position(|known| known == path).unwrap();
            owners >> at & 1 == 0
        };
        let (our_edits, their_edits): (Vec<_>, Vec<_>) =
            edits.iter().partition(|(path, _)| mine(path));
        let ours = edited(&base, our_edits.clone());
        let theirs = edited(&base, their_edits.clone());
        let union = edited(&ours, their_edits);
        for found in merged(&base, &ours, &theirs) {
            prop_assert!(found.merged.is_clean(), "{:?}", found.merged.conflicts);
            prop_assert_eq!(&found.files, &union);
        }
    }

    #[test]
    fn invariant_merge_sound_a_side_that_did_nothing_changes_nothing(
        base in tree(),
        edits in edits(),
    ) {
        let side = edited(&base, &edits);
        for (ours, theirs) in [(&side, &side), (&base, &side), (&side, &base)] {
            for found in merged(&base, ours, theirs) {
                prop_assert!(found.merged.is_clean());
                prop_assert_eq!(&found.files, &side);
                prop_assert!(found.merged.objects.is_empty());
            }
        }
    }

    /// Whoever is called ours: the same if clean, and the same paths in conflict if not.
    #[test]
    fn invariant_merge_sound_either_order_gives_the_same(
        base in tree(),
        ours in edits(),
        theirs in edits(),
    ) {
        let (ours, theirs) = (edited(&base, &ours), edited(&base, &theirs));
        let (there, back) = (merged(&base, &ours, &theirs), merged(&base, &theirs, &ours));
        let paths = |found: &Outcome| -> BTreeSet<_> {
            found.merged.conflicts.iter().map(|c| (c.path.to_string(), c.kind)).collect()
        };
        prop_assert_eq!(paths(&there[1]), paths(&back[2]));
        prop_assert_eq!(there[1].merged.tree, back[2].merged.tree);
        prop_assert_eq!(there[2].merged.tree, back[1].merged.tree);
        if there[0].merged.is_clean() {
            let all = there.iter().chain(&back).map(|found| found.merged.tree);
            prop_assert_eq!(all.collect::<BTreeSet<_>>().len(), 1);
        }
    }

    /// Whatever both changed differently is merged by lines, or named; and every policy names it.
    #[test]
    fn invariant_merge_sound_no_conflict_is_resolved_in_silence(
        base in tree(),
        ours in edits(),
        theirs in edits(),
    ) {
        let (ours, theirs) = (edited(&base, &ours), edited(&base, &theirs));
        let found = merged(&base, &ours, &theirs);
        for path in PATHS {
            let (b, o, t) = (base.get(path), ours.get(path), theirs.get(path));
            if o == t || b == o || b == t {
                continue;
            }
            for found in &found {
                let named = found.merged.conflicts.iter().any(|conflict| {
                    conflict.path.to_string() == path
                        || conflict.other.as_ref().is_some_and(|other| other.to_string() == path)
                });
                let sums = b.zip(o).zip(t).map(|((b, o), t)| (lines(&b.1), lines(&o.1), lines(&t.1)));
                let kept = match (sums, found.files.get(path)) {
                    // As many of each line as there were, and what either side added or removed.
                    (Some((b, o, t)), Some(file)) => {
                        let r = lines(&file.1);
                        let all: BTreeSet<_> = [&b, &o, &t, &r].into_iter().flat_map(|l| l.keys()).collect();
                        all.into_iter().all(|line| {
                            let count = |lines: &BTreeMap<_, _>| lines.get(line).copied().unwrap_or(0);
                            count(&r) == count(&o) + count(&t) - count(&b)
                                || both_did(&[count(&b), count(&o), count(&t), count(&r)])
                        })
                    }
                    // One added an empty file, or one that was moved.
                    (None, Some(file)) => Some(file) == o || Some(file) == t,
                    (_, None) => false,
                };
                prop_assert!(named || kept, "{path}: {b:?} {o:?} {t:?} {:?}", found.files.get(path));
            }
        }
    }
}

/// Whether both sides may have done the same to a line somewhere, so that it counts once: the
/// result is between what one side has and what both changes come to.
fn both_did(&[base, ours, theirs, result]: &[i64; 4]) -> bool {
    let (o, t) = (ours - base, theirs - base);
    let changed = result - base;
    o.signum() == t.signum() && (o.abs().max(t.abs())..=(o + t).abs()).contains(&changed.abs())
}

proptest! {
    #![proptest_config(config(400))]

    /// Edits of lines that do not touch: all of them, and no line more or less.
    #[test]
    fn invariant_merge_sound_no_line_is_lost_or_invented(
        size in 6..40_usize,
        places in prop::collection::btree_map(0..40_usize, (any::<bool>(), 0..3_u8), 1..12),
        crlf in any::<bool>(),
    ) {
        let ending = if crlf { "\r\n" } else { "\n" };
        let write = |acting: &dyn Fn(bool) -> bool| {
            let mut text = String::new();
            for line in 0..size {
                // An edit at every second line at most, so that none touches another.
                let edit = places.get(&(line / 2)).filter(|(mine, _)| line % 2 == 1 && acting(*mine));
                match edit {
                    None => text += &format!("line {line}{ending}"),
                    Some((_, 0)) => {}
                    Some((mine, 1)) => text += &format!("{mine} {line}{ending}"),
                    Some((mine, _)) => {
                        text += &format!("line {line}{ending}{mine} new{ending}line {line}, too{ending}");
                    }
                }
            }
            Files::from([("a".to_owned(), (EntryKind::File, Bytes::from(text)))])
        };
        let (base, both) = (write(&|_| false), write(&|_| true));
        let (ours, theirs) = (write(&|mine| mine), write(&|mine| !mine));
        for (found, policy) in merged(&base, &ours, &theirs).iter().zip(POLICIES) {
            prop_assert!(found.merged.is_clean(), "{}", policy.as_str());
            prop_assert_eq!(&found.files, &both);
        }
    }
}

#[test]
fn policies_are_those_of_the_properties() {
    // The properties take outcomes by their place.
    assert_eq!(POLICIES[1..3], [OnConflict::Ours, OnConflict::Theirs]);
}
