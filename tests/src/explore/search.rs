//! Every sequence of operations up to a length, breadth first: the first counterexample is a
//! shortest one.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Builder, Runtime};

use super::digest::{Digest, aged_digest, digest, exact_digest};
use super::flaw::Flawed;
use super::op::{Op, Step};
use super::world::{State, Stepped};

/// What is searched.
#[derive(Debug, Clone)]
pub struct Search {
    /// How many operations a sequence has at most.
    pub depth: usize,
    /// What is wrong with the program that is searched, on purpose.
    pub flaw: Option<Flawed>,
    /// What can be done.
    pub ops: Vec<Op>,
    /// How many threads search.
    pub threads: usize,
    /// Whether states that differ in names alone are one.
    pub renames: bool,
    /// Whether one request of each sequence is sent again, after every step behind it.
    pub marks: bool,
    /// Whether collections are among what can be done.
    pub collects: bool,
    /// What was done before the first of the operations that count.
    pub before: &'static [&'static str],
}

/// What there is before collections are searched: a branch with a version of its own.
const A_BRANCH: [&str; 3] = [
    "ada puts A at x/one.md in main",
    "bob creates users/a from main",
    "ada puts A at y/two.md in users/a",
];

/// What a search came to.
#[derive(Debug, Default)]
pub struct Searched {
    /// How many states there are, by how many operations lead to them at least.
    pub states: Vec<usize>,
    /// How many more there are with one request that made something marked, to be sent again.
    pub marked: usize,
    /// How many operations were done and checked.
    pub transitions: usize,
    /// A shortest sequence after which something is wrong.
    pub found: Option<Counterexample>,
}

/// A sequence after which something is wrong.
#[derive(Debug, Clone)]
pub struct Counterexample {
    /// What was wrong with the program on purpose.
    pub flaw: Option<Flawed>,
    /// The sequence.
    pub steps: Vec<Step>,
    /// What is wrong.
    pub found: Vec<String>,
}

impl Search {
    /// Everything that can be done, up to so many operations, by two threads.
    pub fn new(depth: usize) -> Self {
        Self {
            depth,
            flaw: None,
            ops: Op::all(),
            threads: 2,
            renames: true,
            marks: false,
            collects: false,
            before: &[],
        }
    }

    /// Everything that collections meet, up to so many operations on a book that has a branch, by two
    /// threads.
    pub fn of_collections(depth: usize) -> Self {
        Self { ops: Op::of_collections(), collects: true, before: &A_BRANCH, ..Self::new(depth) }
    }

    /// The same with one request of each sequence sent again.
    #[must_use]
    pub fn with_marks(self) -> Self {
        Self { marks: true, ..self }
    }

    /// The same with other operations.
    #[must_use]
    pub fn with_ops(self, ops: Vec<Op>) -> Self {
        Self { ops, ..self }
    }

    /// The same of a program with a flaw, until what it breaks is found.
    #[must_use]
    pub fn of_flawed(self, flaw: Flawed) -> Self {
        Self { flaw: Some(flaw), ..self }
    }

    /// Searches; `tell` hears of each length that is done, with the states that are new.
    pub fn run(&self, tell: &mut dyn FnMut(&Searched, &[State])) -> Searched {
        let first = self.first();
        let mut seen = BTreeSet::from([self.digest(&first, None)]);
        let mut searched = Searched { states: vec![1], ..Searched::default() };
        let mut frontier = vec![first];
        for _ in 0..self.depth {
            let level = self.level(&frontier, &seen);
            searched.transitions += level.transitions;
            searched.found = level.found.map(|(_, found)| found);
            frontier = Vec::new();
            for (_, digest, state) in level.reached {
                if seen.insert(digest) {
                    frontier.push(state);
                }
            }
            let plain = frontier.iter().filter(|state| state.marked.is_none()).count();
            searched.states.push(plain);
            searched.marked += frontier.len() - plain;
            tell(&searched, &frontier);
            if searched.found.is_some() {
                break;
            }
        }
        searched
    }

    /// Every state that some sequence leads to, the first one included, without marks.
    ///
    /// # Panics
    ///
    /// If something is wrong on the way.
    pub fn reach(&self) -> Vec<State> {
        let mut states = vec![self.first()];
        let searched = self.run(&mut |_, new| {
            states.extend(new.iter().filter(|state| state.marked.is_none()).cloned());
        });
        assert!(searched.found.is_none(), "{:?}", searched.found);
        states
    }

    fn first(&self) -> State {
        runtime().block_on(async {
            let first =
                if self.collects { State::first_aged().await } else { State::first().await };
            first.after(self.before).await
        })
    }

    fn digest(&self, state: &State, marked: Option<usize>) -> Digest {
        if let Some(aged) = &state.aged {
            return aged_digest(&state.model, &state.ids, aged, &state.content);
        }
        let wish = marked.and_then(|step| state.wishes.get(step.checked_sub(1)?));
        if self.renames { digest(&state.model, wish) } else { exact_digest(&state.model, wish) }
    }

    /// Takes every step from every state of `frontier`.
    fn level(&self, frontier: &[State], seen: &BTreeSet<Digest>) -> Level {
        let next = AtomicUsize::new(0);
        let work = || {
            let mut level = Level::default();
            let mut own = BTreeSet::new();
            let runtime = runtime();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(state) = frontier.get(at) else {
                    return level;
                };
                runtime.block_on(self.expand(at, state, seen, &mut own, &mut level));
            }
        };
        let mut all = Level::default();
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.threads).map(|_| scope.spawn(work)).collect();
            for thread in threads {
                all.add(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            }
        });
        // Whichever thread was faster, the result is the same.
        all.reached.sort_by_key(|(at, ..)| *at);
        all
    }

    async fn expand(
        &self,
        at: usize,
        state: &State,
        seen: &BTreeSet<Digest>,
        own: &mut BTreeSet<Digest>,
        level: &mut Level,
    ) {
        let memory = state.open().await;
        for (nth, step) in state.steps_from(&self.ops).into_iter().enumerate() {
            level.transitions += 1;
            let Stepped { state: next, moved, mut found } =
                state.step(&memory, step, self.flaw).await;
            let place = (at, nth);
            // Where time counts it goes on.
            let mut marks = if moved || self.collects { vec![next.marked] } else { Vec::new() };
            if moved && next.marked.is_none() && self.marks {
                marks.push(Some(next.steps.len()));
            }
            let mut reached = Vec::new();
            for marked in marks {
                let digest = self.digest(&next, marked);
                if !seen.contains(&digest) && own.insert(digest) {
                    reached.push((place, digest, State { marked, ..next.clone() }));
                }
            }
            if found.is_empty() && reached.iter().any(|(.., state)| state.marked.is_none()) {
                found = next.check(&next.open().await, self.flaw).await;
            }
            Flawed::keep_shown(self.flaw, &mut found);
            if !found.is_empty() {
                let example = Counterexample { flaw: self.flaw, steps: next.steps, found };
                level.found_at(place, example);
                continue;
            }
            level.reached.extend(reached);
        }
    }
}

/// The place of a transition: its state's and its own.
type Place = (usize, usize);

/// What taking one more step came to.
#[derive(Default)]
struct Level {
    transitions: usize,
    reached: Vec<(Place, Digest, State)>,
    found: Option<(Place, Counterexample)>,
}

impl Level {
    fn found_at(&mut self, place: Place, example: Counterexample) {
        if self.found.as_ref().is_none_or(|(first, _)| place < *first) {
            self.found = Some((place, example));
        }
    }

    fn add(&mut self, other: Self) {
        self.transitions += other.transitions;
        self.reached.extend(other.reached);
        if let Some((place, example)) = other.found {
            self.found_at(place, example);
        }
    }
}

/// A runtime of one thread whose clock goes on when there is nothing to do, so that waiting takes
/// no time.
///
/// # Panics
///
/// If the machine has none.
pub fn runtime() -> Runtime {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime can be made")
}
