//! Which beginnings of schedules are still to be tried.
//!
//! A process is preempted where another goes next though it could have gone on. Faults of programs
//! that run at once mostly need few preemptions (Musuvathi and Qadeer, "Iterative context bounding
//! for systematic testing of multithreaded programs", 2007), so where all schedules are too many,
//! those with few are tried first, and up to a bound all of them.

use super::gate::Turn;

/// Beginnings of schedules still to be tried.
#[derive(Debug)]
pub(super) struct Frontier {
    /// With how many preemptions at most; however many if nothing is said.
    most: Option<usize>,
    /// By the number of preemptions; all in one where they are not bounded.
    left: Vec<Vec<Vec<Turn>>>,
}

/// A beginning of a schedule.
pub(super) struct Prefix {
    pub(super) turns: Vec<Turn>,
    /// How many preemptions it has; none are counted where they are not bounded.
    pub(super) preemptions: usize,
}

impl Frontier {
    /// All schedules, or those with so many preemptions at most.
    pub(super) fn new(most: Option<usize>) -> Self {
        let mut left = vec![Vec::new(); most.unwrap_or(0) + 1];
        left[0].push(Vec::new());
        Self { most, left }
    }

    /// What is to be tried next: one of those with the fewest preemptions, the latest first.
    pub(super) fn pop(&mut self) -> Option<Prefix> {
        let (preemptions, left) =
            self.left.iter_mut().enumerate().find(|(_, left)| !left.is_empty())?;
        left.pop().map(|turns| Prefix { turns, preemptions })
    }

    /// Leaves for later that `turn` is next after `turns`, where any of `next` could be, in a
    /// schedule that has had so many preemptions.
    pub(super) fn push(
        &mut self,
        turns: impl Iterator<Item = Turn>,
        turn: Turn,
        next: &[Turn],
        preemptions: usize,
    ) {
        let turns: Vec<_> = turns.collect();
        let last = turns.last().map(|last| last.process);
        // A process that waits for time to pass does not go on by itself.
        let goes_on = next.iter().any(|turn| Some(turn.process) == last && !turn.wakes);
        let preempts = self.most.is_some() && goes_on && Some(turn.process) != last;
        if let Some(left) = self.left.get_mut(preemptions + usize::from(preempts)) {
            left.push(turns.into_iter().chain([turn]).collect());
        }
    }

    /// Where preemptions are bounded, what comes next at no cost depends on who went last.
    pub(super) fn last<'a>(&self, turns: impl IntoIterator<Item = &'a Turn>) -> Option<usize> {
        self.most.and_then(|_| turns.into_iter().last()).map(|last| last.process)
    }

    /// How many are known that are still to be tried, by the number of preemptions.
    pub(super) fn left(&self) -> Vec<usize> {
        self.left.iter().map(Vec::len).collect()
    }
}
