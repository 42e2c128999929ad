//! The checks can fail: each flaw is found, and how much it takes.

use super::broken::Broken;
use super::failures::Failures;
use super::flaw::Flawed;
use super::op::Op;
use super::search::Search;
use super::{collected, scenes};

/// A flaw that was searched for.
#[derive(Debug)]
pub struct Hunted {
    /// Which.
    pub flaw: Flawed,
    /// How it was found; `None` if it was not.
    pub found: Option<Found>,
}

/// A counterexample.
#[derive(Debug)]
pub struct Found {
    /// How long it is, in words.
    pub length: String,
    /// All of it.
    pub text: String,
}

/// Searches for what comes of breaking a rule of garbage collection: in sequences, or in schedules.
pub fn hunt_collection(rule: Broken) -> Hunted {
    let flaw = Flawed::Collection(rule);
    let found = if rule.is_sequential() {
        let scope = Search::of_collections(COLLECTIONS).with_ops(Op::of_few_collections());
        scope.of_flawed(flaw).run(&mut |_, _| {}).found.map(|found| Found {
            length: format!("{} operations", found.steps.len()),
            text: found.to_text(),
        })
    } else {
        collected::hunt(rule).found.map(|found| Found {
            length: format!("{} calls, {} changes of turn", found.calls.len(), found.turns()),
            text: found.to_text(),
        })
    };
    Hunted { flaw, found }
}

/// So many operations on a book that has a branch are enough to show what harm collections do that
/// do it one after the other.
const COLLECTIONS: usize = 5;

/// So many operations are enough to show any flaw.
const DEPTH: usize = 5;

/// Searches for every flaw, each where it can show.
pub fn hunt_all() -> Vec<Hunted> {
    let search = Search::new(DEPTH).with_ops(Op::of_branches());
    let sequences = Flawed::SEQUENTIAL.into_iter().map(|flaw| {
        let found = search.clone().of_flawed(flaw).run(&mut |_, _| {}).found;
        let found = found.map(|found| Found {
            length: format!("{} operations", found.steps.len()),
            text: found.to_text(),
        });
        Hunted { flaw, found }
    });
    let schedules = Flawed::CONCURRENT.into_iter().map(|flaw| {
        let found = scenes::flawed(flaw).run().found.map(|found| Found {
            length: format!("{} calls, {} changes of turn", found.calls.len(), found.turns()),
            text: found.to_text(),
        });
        Hunted { flaw, found }
    });
    let states = Search::new(1).with_ops(Op::of_branches()).reach();
    let failures = Flawed::FAILING.into_iter().map(|flaw| {
        let failures = Failures { flaw: Some(flaw), ..Failures::of(Op::of_branches()) };
        let found = failures.run(&states).found.map(|found| Found {
            length: format!(
                "{} operations, {:?} at call {}",
                found.steps.len(),
                found.fault,
                found.call
            ),
            text: found.to_text(),
        });
        Hunted { flaw, found }
    });
    sequences.chain(schedules).chain(failures).collect()
}
