//! Every small instance of the store against the model: see `docs/explorer.md`.
//!
//! The example `explore` goes further.

use std::collections::BTreeSet;
use std::path::Path;

use cas_tests::explore::broken::Broken;
use cas_tests::explore::digest::digest;
use cas_tests::explore::failures::Failures;
use cas_tests::explore::flaw::Flawed;
use cas_tests::explore::op::Op;
use cas_tests::explore::schedules::{Scene, Tried};
use cas_tests::explore::search::{Search, Searched};
use cas_tests::explore::{collected, mutations, scenes, trace};
use cas_tests::mutant::{Flaw, RefFlaw};
use cas_tests::tell;

/// How many states each number of operations leads to first. Whoever adds an operation changes it;
/// if it changes by itself, the search does not see what it saw.
const STATES: [usize; 6] = [1, 4, 16, 80, 513, 3774];

/// The same with one request marked, to be sent again.
const MARKED: usize = 3858;

/// Nothing is wrong after any sequence of so many operations.
fn search(depth: usize, marks: bool) -> Searched {
    let searched = Search { marks, ..Search::new(depth) }.run(&mut |_, _| {});
    if let Some(found) = &searched.found {
        panic!("keep this in tests/explore/:\n{}", found.to_text());
    }
    let (states, marked, transitions) = (&searched.states, searched.marked, searched.transitions);
    tell(&format!("{states:?} states, {marked} with a request marked, {transitions} transitions"));
    assert_eq!(searched.states, STATES[..=depth]);
    searched
}

#[test]
fn invariants_hold_after_every_short_sequence() {
    search(5, false);
}

#[test]
fn invariants_hold_wherever_a_request_is_sent_again() {
    assert_eq!(search(4, true).marked, MARKED);
}

/// How many states each number of operations leads to first where collections are among them.
const COLLECTED: [usize; 5] = [1, 6, 28, 117, 478];

#[test]
fn invariants_hold_after_every_short_sequence_with_collections() {
    let searched = Search::of_collections(COLLECTED.len() - 1).run(&mut |_, _| {});
    if let Some(found) = &searched.found {
        panic!("keep this in tests/explore/:\n{}", found.to_text());
    }
    let (states, transitions) = (&searched.states, searched.transitions);
    tell(&format!("{states:?} states with collections, {transitions} transitions"));
    assert_eq!(searched.states, COLLECTED);
}

/// Leaving out what differs in names alone leaves out nothing else: without that there are more
/// states, nothing is wrong in them, and they are the same but for names.
#[test]
fn exchanged_names_are_no_other_states() {
    let depth = 3;
    let all = Search { renames: false, ..Search::new(depth) }.reach();
    let few: BTreeSet<_> = all.iter().map(|state| digest(&state.model, None)).collect();
    tell(&format!("{} states are {} but for names", all.len(), few.len()));
    assert_eq!(few.len(), STATES[..=depth].iter().sum::<usize>());
    assert!(all.len() > 4 * few.len(), "{} states", all.len());
}

/// Every schedule was run, and nothing was wrong.
fn all_right(tried: &Tried, ends: usize) {
    if let Some(found) = &tried.found {
        panic!("{}", found.to_text());
    }
    tell(&format!("{} points, {} ends, {} calls", tried.points, tried.ends, tried.longest));
    assert!(tried.ends >= ends, "only {} schedules ended", tried.ends);
}

#[test]
fn invariants_hold_in_every_schedule_of_two_at_every_call() {
    all_right(&scenes::try_all(&scenes::fine_pairs()), 90);
}

#[test]
fn invariants_hold_in_every_schedule_of_any_two_at_refs() {
    all_right(&scenes::try_all(&scenes::all_pairs()), 300);
}

#[test]
fn invariants_hold_in_every_schedule_of_three_at_refs() {
    all_right(&scenes::try_all(&scenes::threes(false)), 90);
}

#[test]
fn invariants_hold_in_every_schedule_of_a_collection_and_one_other() {
    all_right(&scenes::try_all(&collected::twos()), 20);
}

/// With a bound a race is found that has as many preemptions, and not one that has more. A bound that
/// is never reached leaves out nothing.
#[test]
fn preemptions_can_be_bounded() {
    let run = |scene: &Scene, most| Scene { preemptions: most, ..scene.clone() }.run();
    for flaw in
        [Flawed::Store(Flaw::IgnoresPutIfAbsent), Flawed::Refs(RefFlaw::ForgetsExpectations)]
    {
        let race = scenes::flawed(flaw);
        assert!(run(&race, Some(0)).found.is_none(), "{flaw:?} without any preemption");
        assert!(run(&race, Some(2)).found.is_some(), "{flaw:?} with two");
    }
    for scene in scenes::fine_pairs() {
        let [few, some, more] = [0, 1, 1_000].map(|most| run(&scene, Some(most)));
        let all = run(&scene, None);
        assert!(few.points < some.points && some.points <= more.points);
        assert!(all.points <= more.points && all.ends <= more.ends);
        assert_eq!(all.longest, more.longest);
    }
}

#[test]
fn catches_every_broken_rule_of_collections() {
    let mut missed = Vec::new();
    for rule in Broken::ALL.into_iter().filter(|rule| !Broken::HARMLESS.contains(rule)) {
        let mutations::Hunted { flaw, found } = mutations::hunt_collection(rule);
        match found {
            Some(found) => tell(&format!("{flaw:?}, {} -> {}", flaw.breaks(), found.length)),
            None => missed.push(flaw),
        }
    }
    assert_eq!(missed, []);
}

#[test]
fn invariants_hold_after_every_failure_in_every_sequence_of_two() {
    let states = Search::new(1).reach();
    let failed = Failures::of(Op::all()).run(&states);
    if let Some(found) = &failed.found {
        panic!("{}", found.to_text());
    }
    tell(&format!("{} states, {} failures", states.len(), failed.runs));
    assert!(failed.runs > 6_000, "only {} failures were met", failed.runs);
}

#[test]
fn catches_every_flaw() {
    let mut missed = Vec::new();
    for mutations::Hunted { flaw, found } in mutations::hunt_all() {
        match found {
            Some(found) => tell(&format!("{flaw:?}, {} -> {}", flaw.breaks(), found.length)),
            None => missed.push(flaw),
        }
    }
    assert_eq!(missed, []);
}

/// What was found once is not found again, unless the file says that something is wrong.
#[test]
fn kept_sequences_are_replayed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("explore");
    let mut replayed = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let found = trace::replay(&text, &mut |_, _| {}).unwrap();
        let (flaw, steps) = trace::parse(&text).unwrap();
        assert!(!steps.is_empty(), "{}", path.display());
        assert_eq!(found.is_empty(), flaw.is_none(), "{}: {found:?}", path.display());
        replayed += 1;
    }
    assert!(replayed >= 4, "only {replayed} files");
}
