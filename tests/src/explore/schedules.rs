//! Every order in which the calls of several processes can happen.
//!
//! A schedule says whose call is next, again and again. All of them are tried, depth first; from a
//! point at which the store holds the same and every process was told the same as at an earlier
//! one, nothing new can come, and the search turns back.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;

use cas_core::ErrorKind;
use object_store::memory::InMemory;

use super::checks::{self, Content, Ids};
use super::flaw::Flawed;
use super::gate::{Gate, Grain};
use super::model::{Answer, Model, Wish};
use super::op::{Op, Step};
use super::scope::Who;
use super::search::runtime;
use super::subject::{Subject, Told};
use super::world::{State, content};
use crate::invariants;

/// Several processes that begin at once.
#[derive(Debug, Clone)]
pub struct Scene {
    /// Where they begin.
    pub start: State,
    /// What each does.
    pub steps: Vec<Step>,
    /// Which calls wait for one another.
    pub grain: Grain,
    /// What is wrong with all of them, on purpose.
    pub flaw: Option<Flawed>,
}

/// What trying every schedule came to.
#[derive(Debug, Default)]
pub struct Tried {
    /// How many different points there are at which some process is next.
    pub points: usize,
    /// How many schedules were run to their end.
    pub ends: usize,
    /// How many calls the longest of them has.
    pub longest: usize,
    /// A schedule after which something is wrong.
    pub found: Option<Misled>,
}

/// A schedule after which something is wrong.
#[derive(Debug, Clone)]
pub struct Misled {
    /// What led to the scene and what each process does.
    pub steps: (Vec<Step>, Vec<Step>),
    /// Each call, by whose it is.
    pub calls: Vec<(usize, String)>,
    /// What is wrong.
    pub found: Vec<String>,
}

impl Scene {
    /// Processes that begin after `before`, each taking one step.
    ///
    /// # Panics
    ///
    /// If a line is no step, or something is wrong before they begin.
    pub fn after(before: &[&str], steps: &[&str], grain: Grain) -> Self {
        let parse = |lines: &[&str]| -> Vec<Step> {
            let step = |line: &&str| Step::parse(line).expect("the scene is made of steps");
            lines.iter().map(step).collect()
        };
        let start = runtime().block_on(async {
            let mut state = State::first().await;
            for step in parse(before) {
                let memory = state.open().await;
                let stepped = state.step(&memory, step, None).await;
                assert!(stepped.found.is_empty(), "{step}: {:?}", stepped.found);
                state = stepped.state;
            }
            state
        });
        Self { start, steps: parse(steps), grain, flaw: None }
    }

    /// Tries every schedule, until something is wrong.
    pub fn run(&self) -> Tried {
        runtime().block_on(async {
            let memory = self.start.open().await;
            let mut tried = Tried::default();
            let mut seen = Seen::default();
            let mut prefixes = vec![Vec::new()];
            while let Some(prefix) = prefixes.pop() {
                self.follow(&memory, &prefix, &mut seen, &mut prefixes, &mut tried).await;
                if tried.found.is_some() {
                    break;
                }
            }
            tried.points = seen.points.len();
            tried
        })
    }

    /// Runs one schedule that begins so, and leaves for later where another process could be next.
    async fn follow(
        &self,
        memory: &InMemory,
        prefix: &[usize],
        seen: &mut Seen,
        prefixes: &mut Vec<Vec<usize>>,
        tried: &mut Tried,
    ) {
        let mut run = Run::start(self, memory);
        let mut before = (*self.start.content).clone();
        let mut calls: Vec<(usize, String)> = Vec::new();
        loop {
            run.settle().await;
            let mut next: Vec<_> = run.waiting();
            let at = calls.len();
            if at >= prefix.len() {
                let after = content(&*run.memory).await;
                let mut found = checks::immutable(&before, &after);
                found.extend(seen.closed(&after, &run).await);
                if next.is_empty() {
                    found.extend(self.explain(&run.told, &after));
                    tried.ends += 1;
                    tried.longest = tried.longest.max(at);
                }
                Flawed::keep_shown(self.flaw, &mut found);
                if !found.is_empty() {
                    let steps = (self.start.steps.clone(), self.steps.clone());
                    tried.found = Some(Misled { steps, calls, found });
                    return;
                }
                if next.is_empty() || !seen.points.insert(seen_as(&run, &after)) {
                    return;
                }
                before = after;
                // Whoever went last goes on: what is found has few changes of turn.
                if let Some((last, _)) = calls.last() {
                    next.sort_by_key(|process| process != last);
                }
                let so_far: Vec<_> = calls.iter().map(|(process, _)| *process).collect();
                for other in next.iter().skip(1) {
                    prefixes.push(so_far.iter().copied().chain([*other]).collect());
                }
            }
            let process = prefix.get(at).copied().unwrap_or_else(|| next[0]);
            let Some(call) = run.gate.let_through(process) else {
                return;
            };
            calls.push((process, call));
        }
    }

    /// The wish of each process. What it names by where a ref is, it found before it began. One
    /// that repeats a step behind those before the scene sends the request of another process.
    fn wishes(&self) -> Vec<Wish> {
        let first = self.start.steps.len() + 1;
        let mut wishes: Vec<Wish> = Vec::new();
        for (at, step) in self.steps.iter().enumerate() {
            let wish = match step.op {
                Op::Repeat(again) if again >= first => wishes.get(again - first).copied(),
                Op::Repeat(_) => self.start.wish(*step).map(|(wish, _)| wish),
                _ => self.start.wish(*step).map(|(wish, _)| Wish { request: first + at, ..wish }),
            };
            wishes.extend(wish);
        }
        wishes
    }

    /// *No lost update*, *Certain*, *Isolated*: some order in which the wishes were done one after
    /// the other explains what each was told, and what there is now. What is wrong with the order
    /// that explains most, if none does.
    fn explain(&self, told: &[Option<Told>], after: &Content) -> Vec<String> {
        let wishes = self.wishes();
        let orders = orders(wishes.len());
        let tries = orders.iter().map(|order| {
            let (mut model, mut ids) = (self.start.model.clone(), self.start.ids.clone());
            let mut answers: Vec<(usize, Answer<usize>)> = Vec::new();
            for at in order {
                if gave_way(&wishes[*at], told[*at].as_ref()) {
                    continue;
                }
                answers.push((*at, model.apply(&wishes[*at])));
            }
            self.differs(&model, &mut ids, &wishes, told, &answers, after)
        });
        let least: Vec<String> = tries.min_by_key(Vec::len).unwrap_or_default();
        least.into_iter().map(|what| format!("no lost update: in no order: {what}")).collect()
    }

    fn differs(
        &self,
        model: &Model,
        ids: &mut Ids,
        wishes: &[Wish],
        told: &[Option<Told>],
        answers: &[(usize, Answer<usize>)],
        after: &Content,
    ) -> Vec<String> {
        let mut found = checks::logs(model, None, &self.start.content, after, ids);
        for (at, right) in answers {
            match &told[*at] {
                Some(told) => found.extend(checks::answers(wishes[*at].op, told, right, ids)),
                None => found.push("certain: there was no answer".to_owned()),
            }
        }
        found
    }
}

impl Misled {
    /// How often another process is next.
    pub fn turns(&self) -> usize {
        self.calls.windows(2).filter(|pair| pair[0].0 != pair[1].0).count()
    }

    /// The schedule as text.
    pub fn to_text(&self) -> String {
        let mut text: String = self.found.iter().map(|found| format!("# {found}\n")).collect();
        for step in &self.steps.0 {
            text.push_str(&format!("{step}\n"));
        }
        for (at, step) in self.steps.1.iter().enumerate() {
            text.push_str(&format!("at once, as {at}: {step}\n"));
        }
        for (process, call) in &self.calls {
            text.push_str(&format!("  {process}: {call}\n"));
        }
        text
    }
}

/// Changes of where a ref points are refused when it moved meanwhile, and say so: then nothing was
/// done. Edits never give way for that alone.
fn gave_way(wish: &Wish, told: Option<&Told>) -> bool {
    let may = matches!(wish.op, Op::Delete(_) | Op::Restore(_) | Op::Reset(_));
    let refused = |error: &cas_core::repo::RepoError| error.kind() == ErrorKind::Conflict;
    may && matches!(told, Some(Err(error)) if refused(error))
}

/// Every order of `0..n`.
fn orders(n: usize) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for next in 0..n {
        all = all
            .into_iter()
            .flat_map(|order: Vec<usize>| {
                (0..=order.len()).map(move |at| {
                    let mut order = order.clone();
                    order.insert(at, next);
                    order
                })
            })
            .collect();
    }
    all
}

/// What was met before.
#[derive(Default)]
struct Seen {
    points: BTreeSet<[u8; 32]>,
    /// Contents that were found to be closed.
    closed: BTreeSet<[u8; 32]>,
}

impl Seen {
    /// *Closed* and *Linear*, at any moment.
    async fn closed(&mut self, after: &Content, run: &Run) -> Vec<String> {
        if !self.closed.insert(hash(after)) {
            return Vec::new();
        }
        let store = Subject::new(run.memory.clone(), Who::Ada, 0, None);
        let store = store.repo().store();
        let closed = invariants::closed(store).await;
        let linear = invariants::linear(store).await;
        let found = closed.into_iter().map(|what| format!("closed: {what}"));
        found.chain(linear.into_iter().map(|what| format!("linear: {what}"))).collect()
    }
}

fn seen_as(run: &Run, after: &Content) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&hash(after));
    hasher.update(run.gate.histories().as_bytes());
    *hasher.finalize().as_bytes()
}

fn hash(content: &Content) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for (key, bytes) in content {
        hasher.update(key.as_ref().as_bytes());
        hasher.update(&bytes.len().to_be_bytes());
        hasher.update(bytes);
    }
    *hasher.finalize().as_bytes()
}

/// Processes on their way.
struct Run {
    memory: Arc<InMemory>,
    gate: Gate,
    processes: Vec<Option<Pin<Box<dyn Future<Output = Told>>>>>,
    told: Vec<Option<Told>>,
}

impl Run {
    fn start(scene: &Scene, memory: &InMemory) -> Self {
        let memory = Arc::new(memory.fork());
        let wishes = scene.wishes();
        let gate = Gate::new(wishes.len(), scene.grain);
        let processes = wishes.iter().enumerate().map(|(at, wish)| {
            let store = Arc::new(gate.store(memory.clone(), at));
            let seed = scene.start.steps.len() + 1 + at;
            let subject = Subject::new(store, wish.who, seed, scene.flaw);
            let version = wish.version.and_then(|number| scene.start.ids.get(&number)).copied();
            let wish = *wish;
            let process = async move { subject.act(&wish, version).await };
            Some(Box::pin(process) as Pin<Box<dyn Future<Output = Told>>>)
        });
        let processes: Vec<_> = processes.collect();
        let told = wishes.iter().map(|_| None).collect();
        Self { memory, gate, processes, told }
    }

    /// Lets every process go on until it waits at the gate or has ended.
    async fn settle(&mut self) {
        loop {
            let mut settled = true;
            for (at, process) in self.processes.iter_mut().enumerate() {
                let Some(going) = process else { continue };
                if let std::task::Poll::Ready(told) = futures::poll!(going.as_mut()) {
                    self.told[at] = Some(told);
                    *process = None;
                } else if !self.gate.is_waiting(at) {
                    settled = false;
                }
            }
            if settled {
                return;
            }
            // It waits for a task of its own, or for some time to pass.
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }

    /// The processes that wait.
    fn waiting(&self) -> Vec<usize> {
        (0..self.told.len()).filter(|at| self.processes[*at].is_some()).collect()
    }
}
