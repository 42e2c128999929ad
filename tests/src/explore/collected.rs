//! Who meets collections: writers, readers and others who collect, at every moment of a run.

use super::broken::Broken;
use super::flaw::Flawed;
use super::schedules::{Scene, Tried};

/// A version of `main` that was left, with a folder, a text and a root of its own; old enough to be
/// condemned.
const LEFT: [&str; 5] = [
    "ada puts A at x/one.md in main",
    "bob puts A at y/two.md in main",
    "ada resets main",
    "bob waits a day",
    "ada waits a day",
];

/// The same, condemned and due to be deleted.
const DUE: [&str; 6] = [
    "ada puts A at x/one.md in main",
    "bob puts A at y/two.md in main",
    "ada resets main",
    "bob waits a day",
    "ada collects a day later",
    "bob waits a day",
];

/// A branch that was deleted, condemned and due.
const DELETED: [&str; 6] = [
    "ada puts A at x/one.md in main",
    "bob creates users/a from main",
    "ada puts A at y/two.md in users/a",
    "bob deletes users/a",
    "ada collects a day later",
    "bob waits a day",
];

/// Two sides whose merge has what is condemned and due.
const MERGED: [&str; 7] = [
    "ada creates users/a from main",
    "bob puts A at y/two.md in users/a",
    "ada puts A at x/one.md in main",
    "bob puts A at y/two.md in main",
    "ada resets main",
    "bob collects a day later",
    "ada waits a day",
];

/// Where they begin, what each does, and which of them are slow: time may pass before any call of
/// theirs.
type Meeting = (&'static [&'static str], &'static [&'static str], &'static [usize]);

/// A run that deletes, or condemns, with somebody beside it.
const TWOS: [Meeting; 6] = [
    (&DUE, &["ada creates users/a from main", "bob collects"], &[]),
    (&DUE, &["ada reads main", "bob collects"], &[]),
    (&LEFT, &["ada undoes main", "bob collects"], &[]),
    (&LEFT, &["ada puts A at y/two.md in main", "bob collects"], &[]),
    (&LEFT, &["ada undoes main", "bob collects, then collects"], &[]),
    (&DUE, &["ada cancels", "bob collects"], &[]),
];

/// What takes longer: writers who bring back or put what is just being deleted, writers who take days, two who
/// collect, and three at once.
const LONG: [Meeting; 13] = [
    (&DELETED, &["ada restores users/a", "bob collects"], &[]),
    (&DUE, &["ada removes x/one.md in main", "bob collects"], &[]),
    (&DUE, &["ada undoes main", "bob collects"], &[]),
    (&DUE, &["ada puts A at y/two.md in main", "bob collects"], &[]),
    (&DELETED, &["ada puts A at y/two.md in main", "bob collects"], &[]),
    (&MERGED, &["ada merges users/a into main", "bob collects"], &[]),
    (&LEFT, &["ada undoes main", DAYS], &[0]),
    (&LEFT, &["ada puts A at y/two.md in main", DAYS], &[0]),
    (&DUE, &["ada undoes main", "bob collects", "ada reads main"], &[]),
    (&LEFT, &["ada collects", "bob collects"], &[]),
    (&DUE, &["ada collects", "bob collects"], &[]),
    (&DUE, &["ada undoes main", "bob collects", "ada collects"], &[]),
    (&DUE, &["ada undoes main", "bob puts A at y/two.md in main", "ada collects"], &[]),
];

/// Somebody who collects for days.
const DAYS: &str = "bob collects, then collects a day later, then collects a day later";

fn scenes(meetings: &[Meeting]) -> Vec<Scene> {
    let scene =
        |(before, steps, slow): &Meeting| Scene::with_collections(before, steps, slow.to_vec());
    meetings.iter().map(scene).collect()
}

/// A collection and one other.
pub fn twos() -> Vec<Scene> {
    scenes(&TWOS)
}

/// What takes longer.
pub fn long() -> Vec<Scene> {
    scenes(&LONG)
}

/// With so many preemptions every rule that is needed shows.
const PREEMPTIONS: usize = 2;

/// The first schedule of two in which a broken rule does harm.
pub fn hunt(rule: Broken) -> Tried {
    let meetings: &[Meeting] = match rule {
        Broken::CondemnsTheYoung | Broken::ListsObjectsFirst => &TWOS,
        Broken::DeletesByOldMarks => &[(&LEFT, &["ada undoes main", "bob collects"], &[])],
        Broken::DeletesAtOnce | Broken::GoesByItsOwnClock => {
            &[(&LEFT, &["ada undoes main", "bob collects, then collects"], &[])]
        }
        Broken::LooksForListsOnce => &[(&LEFT, &[TWICE, TWO_DAYS], &[0])],
        Broken::TakesAnyTime => &[(&LEFT, &["ada undoes main", DAYS], &[0])],
        Broken::NeverLooksAgain => {
            &[(&DUE, &["ada puts A at y/two.md in main", "bob collects"], &[])]
        }
        _ => &[(&DUE, &["ada undoes main", "bob collects"], &[])],
    };
    let flaw = Some(Flawed::Collection(rule));
    let preemptions = (!Broken::HARMLESS.contains(&rule)).then_some(PREEMPTIONS);
    let mut all = Tried::default();
    for scene in scenes(meetings) {
        let tried = Scene { flaw, preemptions, ..scene }.run();
        all.points += tried.points;
        all.ends += tried.ends;
        all.found = tried.found;
        if all.found.is_some() {
            break;
        }
    }
    all
}

/// A writer that lives on.
const TWICE: &str = "ada removes x/one.md in main, then undoes main";

/// Somebody who collects until what was left is deleted.
const TWO_DAYS: &str = "bob collects, then collects a day later";
