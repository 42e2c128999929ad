//! A failure of every kind at every call of every operation.
//!
//! From each of some states every operation is done over a store that fails once, at the first
//! call, at the second, and so on until the operation ends before the failure. What was answered
//! must be what happened: a success was done, a refusal was not, and only an answer that says so
//! leaves it open. Then the same request is sent again over a store that works: it must be done
//! once, and answered as the model says.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cas_core::ErrorKind;
use cas_core::refs::RefError;
use cas_core::repo::RepoError;
use object_store::memory::InMemory;

use super::checks::{self, Content, Ids};
use super::flaw::Flawed;
use super::model::{Model, Wish};
use super::op::{Op, Step};
use super::search::runtime;
use super::subject::{Subject, Told};
use super::world::{State, content};
use crate::faulty::{Fault, FaultyStore};
use crate::invariants;

/// Which operations are to fail.
#[derive(Debug, Clone)]
pub struct Failures {
    /// What is wrong with the program, on purpose.
    pub flaw: Option<Flawed>,
    /// How many threads work.
    pub threads: usize,
    /// What is done.
    pub ops: Vec<Op>,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Failed {
    /// How many failures were met.
    pub runs: usize,
    /// A failure after which something is wrong.
    pub found: Option<Failure>,
}

/// A failure after which something is wrong.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The steps; the failure is in the last.
    pub steps: Vec<Step>,
    /// Which.
    pub fault: Fault,
    /// At which call.
    pub call: u64,
    /// What is wrong.
    pub found: Vec<String>,
}

impl Failure {
    /// The failure as text.
    pub fn to_text(&self) -> String {
        let mut text: String = self.found.iter().map(|found| format!("# {found}\n")).collect();
        for step in &self.steps {
            text.push_str(&format!("{step}\n"));
        }
        text + &format!(
            "  {:?} at call {} of the last, which is then repeated\n",
            self.fault, self.call
        )
    }
}

impl Failures {
    /// Failures of these operations, by two threads.
    pub fn of(ops: Vec<Op>) -> Self {
        Self { flaw: None, threads: 2, ops }
    }

    /// Lets every operation from every state fail in every way, until something is wrong.
    pub fn run(&self, states: &[State]) -> Failed {
        let next = AtomicUsize::new(0);
        let work = || {
            let mut failed = Failed::default();
            let runtime = runtime();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                // One operation at a time: states are few.
                let Some(state) = states.get(at / self.ops.len()) else {
                    return failed;
                };
                let step = Step { who: state.turn(), op: self.ops[at % self.ops.len()] };
                runtime.block_on(self.fail(state, step, &mut failed));
                if failed.found.is_some() {
                    next.store(usize::MAX / 2, Ordering::Relaxed);
                    return failed;
                }
            }
        };
        let mut all = Failed::default();
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.threads).map(|_| scope.spawn(work)).collect();
            for thread in threads {
                let failed = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                all.runs += failed.runs;
                let shorter = |known: &Failure, new: &Failure| known.steps.len() <= new.steps.len();
                if let Some(new) = failed.found
                    && !all.found.as_ref().is_some_and(|known| shorter(known, &new))
                {
                    all.found = Some(new);
                }
            }
        });
        all
    }

    /// Lets one operation fail in every way.
    async fn fail(&self, state: &State, step: Step, failed: &mut Failed) {
        let Some((wish, _)) = state.wish(step) else { return };
        let memory = state.open().await;
        for fault in Fault::ALL {
            for call in 1.. {
                let once = self.fail_once(state, &memory, &wish, fault, call).await;
                failed.runs += usize::from(once.injected);
                if !once.found.is_empty() {
                    let steps = state.steps.iter().copied().chain([step]).collect();
                    failed.found = Some(Failure { steps, fault, call, found: once.found });
                    return;
                }
                if once.over {
                    break;
                }
            }
        }
    }

    async fn fail_once(
        &self,
        state: &State,
        memory: &InMemory,
        wish: &Wish,
        fault: Fault,
        call: u64,
    ) -> Once {
        let memory = Arc::new(memory.fork());
        let faulty = FaultyStore::new(memory.clone()).with_fault(call, fault);
        let seed = state.steps.len() + 1;
        let version = wish.version.and_then(|number| state.ids.get(&number)).copied();
        let subject = Subject::new(Arc::new(faulty.clone()), wish.who, seed, self.flaw);
        let told = subject.act(wish, version).await;
        faulty.settle().await;
        let (injected, over) = (faulty.injected() > 0, faulty.calls() < call);
        if !injected {
            return Once { injected, over, found: Vec::new() };
        }
        let after = content(&*memory).await;
        let mut found = checks::immutable(&state.content, &after);
        found.extend(
            invariants::leaves_first(&after).into_iter().map(|what| format!("closed: {what}")),
        );
        let (mut model, mut ids, wrong) = became(state, wish, &told, &after);
        found.extend(wrong);
        // And again, over a store that works.
        let right = model.apply(wish);
        let subject = Subject::new(memory.clone(), wish.who, seed + 1, self.flaw);
        let again = subject.act(wish, version).await;
        let done = content(&*memory).await;
        found.extend(checks::immutable(&after, &done));
        let logs = checks::logs(&model, wish.op.changes(), &after, &done, &mut ids);
        let answers = checks::answers(wish.op, &again, &right, &ids);
        found.extend(logs.into_iter().chain(answers).map(|what| format!("{what}, when repeated")));
        Flawed::keep_shown(self.flaw, &mut found);
        Once { injected, over, found }
    }
}

/// What one failure came to.
struct Once {
    injected: bool,
    /// Whether the operation ended before the call that was to fail.
    over: bool,
    found: Vec<String>,
}

/// What the store means after an answer, and what is wrong with that: the model with the wish done
/// or without, whichever the answer allows and the store shows.
fn became(state: &State, wish: &Wish, told: &Told, after: &Content) -> (Model, Ids, Vec<String>) {
    let holds = |model: &Model| {
        let mut ids = state.ids.clone();
        let found = checks::logs(model, wish.op.changes(), &state.content, after, &mut ids);
        (ids, found)
    };
    let mut done = state.model.clone();
    let right = done.apply(wish);
    let (ids, mut found) = holds(&done);
    let wrong = checks::answers(wish.op, told, &right, &ids);
    if wrong.is_empty() {
        return (done, ids, found);
    }
    match told {
        Err(error) if may_fail(error) => {
            let (before_ids, undone) = holds(&state.model);
            if undone.is_empty() {
                return (state.model.clone(), before_ids, undone);
            }
            if !is_open(error) {
                found.push(format!("certain: it was done, and the answer is {error:?}"));
            }
        }
        _ => found.extend(wrong),
    }
    (done, ids, found)
}

/// Whether a store that fails excuses this answer.
fn may_fail(error: &RepoError) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Corrupt)
}

/// Whether the answer says that it is not known what happened.
fn is_open(error: &RepoError) -> bool {
    matches!(error, RepoError::Ref(RefError::FateUnknown { .. }))
}
