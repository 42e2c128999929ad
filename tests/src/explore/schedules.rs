//! Every order in which the calls of several processes can happen.
//!
//! A schedule says whose call is next, again and again. All of them are tried, depth first; from a
//! point at which the store holds the same and every process was told the same as at an earlier
//! one, nothing new can come, and the search turns back. Where that is too many, those with few
//! preemptions can be tried (`frontier.rs`).

use std::collections::BTreeSet;
use std::sync::Arc;

use cas_core::ErrorKind;
use cas_core::refs::RefError;
use cas_core::repo::RepoError;
use cas_core::store::StoreError;
use object_store::memory::InMemory;

use super::access::Accesses;
use super::checks::{self, Content};
use super::flaw::Flawed;
use super::frontier::{Frontier, Prefix};
use super::gate::{Grain, Turn};
use super::model::{Answer, Wish};
use super::op::{Op, Step};
use super::run::{Run, hash};
use super::search::runtime;
use super::subject::Told;
use super::world::{State, content};
use crate::invariants;

/// Several processes that begin at once.
#[derive(Debug, Clone)]
pub struct Scene {
    /// Where they begin.
    pub start: State,
    /// What each does, one step after the other.
    pub steps: Vec<Vec<Step>>,
    /// Which calls wait for one another.
    pub grain: Grain,
    /// What is wrong with all of them, on purpose.
    pub flaw: Option<Flawed>,
    /// How often at most another process goes next though the last one could have gone on; however
    /// often if nothing is said.
    pub preemptions: Option<usize>,
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
    /// What the processes did.
    met: Accesses,
}

/// For so many days collections go on after a schedule: what was condemned is deleted by then.
const DAYS: usize = 2;

/// A schedule after which something is wrong.
#[derive(Debug, Clone)]
pub struct Misled {
    /// What led to the scene and what each process does.
    pub steps: (Vec<Step>, Vec<Vec<Step>>),
    /// Each turn, by whose it is.
    pub calls: Vec<(Turn, String)>,
    /// What is wrong.
    pub found: Vec<String>,
}

impl Scene {
    /// Processes that begin after `before`. What each does are steps with `, then ` between them.
    ///
    /// # Panics
    ///
    /// If a line is no step, or something is wrong before they begin.
    pub fn after(before: &[&str], steps: &[&str], grain: Grain) -> Self {
        Self::begin(runtime().block_on(State::first()), before, steps, grain)
    }

    /// The same where collections are among what can be done. All calls of the processes `fine` wait,
    /// those of the others where they may meet.
    ///
    /// # Panics
    ///
    /// If a line is no step, or something is wrong before they begin.
    pub fn with_collections(before: &[&str], steps: &[&str], fine: Vec<usize>) -> Self {
        let start = runtime().block_on(State::first_aged());
        let mut scene = Self::begin(start, before, steps, Grain::Fine);
        let keys = scene.start.content.keys().cloned();
        let known = Arc::new(Accesses::of_store(scene.steps.len(), keys));
        scene.grain = Grain::Met { known, fine };
        scene
    }

    fn begin(start: State, before: &[&str], steps: &[&str], grain: Grain) -> Self {
        let step = |line: &str| Step::parse(line).expect("the scene is made of steps");
        let start = runtime().block_on(start.after(before));
        let steps = steps.iter().map(|line| {
            let who = line.split(' ').next().unwrap_or_default();
            let mut parts = line.split(", then ");
            let first = parts.next().map(step);
            first.into_iter().chain(parts.map(|part| step(&format!("{who} {part}")))).collect()
        });
        let steps = steps.collect();
        Self { start, steps, grain, flaw: None, preemptions: None }
    }

    /// Tries every schedule, until something is wrong.
    pub fn run(&self) -> Tried {
        self.run_telling(&mut |_, _| {})
    }

    /// The same. After every schedule `each` is told what it came to so far, and how many beginnings
    /// of schedules are known that are still to be tried, by the number of preemptions where that is
    /// bounded. All of it begins anew where some call has to wait that went through.
    pub fn run_telling(&self, each: &mut dyn FnMut(&Tried, &[usize])) -> Tried {
        let mut scene = self.clone();
        loop {
            let mut tried = scene.try_all(each);
            if let Grain::Met { known, fine } = &scene.grain {
                let mut wider = Accesses::clone(known);
                // Some call may have to wait that went through.
                if tried.found.is_none() && wider.add(&tried.met) {
                    scene.grain = Grain::Met { known: Arc::new(wider), fine: fine.clone() };
                    continue;
                }
            }
            tried.met = Accesses::default();
            return tried;
        }
    }

    fn try_all(&self, each: &mut dyn FnMut(&Tried, &[usize])) -> Tried {
        runtime().block_on(async {
            let memory = self.start.open().await;
            let met = Accesses::new(self.steps.len());
            let mut tried = Tried { met, ..Tried::default() };
            let mut seen = Seen::default();
            let mut frontier = Frontier::new(self.preemptions);
            while let Some(prefix) = frontier.pop() {
                self.follow(&memory, &prefix, &mut seen, &mut frontier, &mut tried).await;
                tried.points = seen.points.len();
                if tried.found.is_some() {
                    break;
                }
                each(&tried, &frontier.left());
            }
            tried
        })
    }

    /// Runs one schedule that begins so, and leaves for later what else could be next.
    async fn follow(
        &self,
        memory: &InMemory,
        prefix: &Prefix,
        seen: &mut Seen,
        frontier: &mut Frontier,
        tried: &mut Tried,
    ) {
        let mut run = Run::start(self, memory);
        let mut before = (*self.start.content).clone();
        let mut calls: Vec<(Turn, String)> = Vec::new();
        loop {
            run.settle().await;
            let mut next = run.turns();
            let at = calls.len();
            if at >= prefix.turns.len() {
                let after = content(&*run.memory).await;
                let mut found = self.unchanged(&before, &after);
                found.extend(seen.closed(&after, &run, self.may_be_late(&run)).await);
                if next.is_empty() {
                    found.extend(self.explain(&run.told, &after));
                    found.extend(seen.finale(&after, &run, self.flaw).await);
                    tried.ends += 1;
                    tried.longest = tried.longest.max(at);
                }
                Flawed::keep_shown(self.flaw, &mut found);
                tried.met.add(&run.gate.accesses());
                if !found.is_empty() {
                    let steps = (self.start.steps.clone(), self.steps.clone());
                    tried.found = Some(Misled { steps, calls, found });
                    return;
                }
                let last = frontier.last(calls.iter().map(|(turn, _)| turn));
                if next.is_empty() || !seen.points.insert((run.seen_as(&after), last)) {
                    return;
                }
                before = after;
                // Whoever went last goes on: what is found has few changes of turn.
                if let Some((last, _)) = calls.last() {
                    next.sort_by_key(|turn| (turn.process != last.process, turn.wakes));
                }
                for other in next.iter().skip(1) {
                    let so_far = calls.iter().map(|(turn, _)| *turn);
                    frontier.push(so_far, *other, &next, prefix.preemptions);
                }
            }
            let turn = prefix.turns.get(at).copied().unwrap_or_else(|| next[0]);
            let Some(call) = run.gate.take(turn) else {
                return;
            };
            calls.push((turn, call));
        }
    }

    /// Whether somebody is under way who may have slept for days: where it moved a ref too late, it
    /// is about to take that back.
    fn may_be_late(&self, run: &Run) -> bool {
        self.slow().iter().any(|process| run.told[*process].is_none())
    }

    /// The processes that may sleep for days before any call.
    fn slow(&self) -> &[usize] {
        match &self.grain {
            Grain::Met { fine, .. } => fine,
            Grain::Fine | Grain::Refs => &[],
        }
    }

    /// *Immutable*: what was there is as it was. Where there are collections, they take objects.
    fn unchanged(&self, before: &Content, after: &Content) -> Vec<String> {
        match self.start.aged {
            None => checks::immutable(before, after),
            Some(_) => checks::immutable_but_collected(true, before, after),
        }
    }

    /// The wishes of each process. What they name by where a ref is, it found before it began. One
    /// that repeats a step behind those before the scene sends the request of another process.
    pub fn wishes(&self) -> Vec<Vec<Wish>> {
        let first = self.start.steps.len() + 1;
        let mut all: Vec<Wish> = Vec::new();
        let mut wishes = Vec::new();
        for steps in &self.steps {
            let mut own = Vec::new();
            for step in steps {
                let request = first + all.len();
                let wish = match step.op {
                    Op::Repeat(again) if again >= first => all.get(again - first).copied(),
                    Op::Repeat(_) => self.start.wish(*step).map(|(wish, _)| wish),
                    _ => self.start.wish(*step).map(|(wish, _)| Wish { request, ..wish }),
                };
                all.extend(wish);
                own.extend(wish);
            }
            wishes.push(own);
        }
        wishes
    }

    /// *No lost update*, *Certain*, *Isolated*: some order in which the wishes were done one after
    /// the other explains what each was told, and what there is now. What is wrong with the order
    /// that explains most, if none does.
    fn explain(&self, told: &[Option<Vec<Told>>], after: &Content) -> Vec<String> {
        let mut asked = Vec::new();
        for (process, wishes) in self.wishes().into_iter().enumerate() {
            for (at, wish) in wishes.into_iter().enumerate() {
                let told = told[process].as_ref().and_then(|told| told.get(at));
                asked.push(Asked { process, wish, told });
            }
        }
        let late = !self.slow().is_empty();
        let mut found: Vec<_> = asked.iter().filter_map(|asked| asked.is_wrong(late)).collect();
        asked.retain(|asked| !asked.wish.op.is_upkeep());
        let tries = orders(asked.len()).into_iter().filter_map(|order| {
            let order: Vec<_> = order.into_iter().map(|at| (at, &asked[at])).collect();
            // What one process did it did in its own order.
            let kept = order.iter().enumerate().all(|(at, (nth, one))| {
                order[at..]
                    .iter()
                    .all(|(later, other)| one.process != other.process || nth <= later)
            });
            kept.then(|| self.differs(&order, after))
        });
        let least: Vec<String> = tries.min_by_key(Vec::len).unwrap_or_default();
        found.extend(least.into_iter().map(|what| format!("no lost update: in no order: {what}")));
        found
    }

    /// What the model makes differently of these wishes in this order.
    fn differs(&self, order: &[(usize, &Asked<'_>)], after: &Content) -> Vec<String> {
        let (mut model, mut ids) = (self.start.model.clone(), self.start.ids.clone());
        let mut answers: Vec<(&Asked<'_>, Answer<usize>)> = Vec::new();
        for (_, asked) in order {
            if asked.was_taken_back() {
                model.apply_late(&asked.wish);
            } else if !asked.gave_way(self.start.aged.is_some()) {
                answers.push((*asked, model.apply(&asked.wish)));
            }
        }
        let mut found = checks::logs(&model, None, &self.start.content, after, &mut ids);
        for (asked, right) in answers {
            match &asked.told {
                Some(told) => found.extend(checks::answers(asked.wish.op, told, &right, &ids)),
                None => found.push("certain: there was no answer".to_owned()),
            }
        }
        found
    }
}

/// A wish, and what came of it.
struct Asked<'a> {
    process: usize,
    wish: Wish,
    told: Option<&'a Told>,
}

impl Asked<'_> {
    /// Changes of where a ref points are refused when it moved meanwhile, and say so: then nothing
    /// was done. Edits never give way for that alone. Where there are collections, anything may be
    /// refused whose parts were just being collected.
    fn gave_way(&self, collects: bool) -> bool {
        let op = self.wish.op;
        let may = matches!(op, Op::Delete(_) | Op::Restore(_) | Op::Reset(_) | Op::Undo(_));
        let refused = |error: &RepoError| match error.kind() {
            ErrorKind::Conflict => may,
            ErrorKind::Unavailable => collects,
            // It slept for days, and the list that it had begun to read is over.
            ErrorKind::Corrupt => {
                matches!(error, RepoError::Ref(RefError::Store(StoreError::BadGcLog { .. })))
            }
            _ => false,
        };
        matches!(self.told, Some(Err(error)) if refused(error))
    }

    /// It slept for days right before the ref moved, and took that back when it woke.
    fn was_taken_back(&self) -> bool {
        matches!(
            self.told,
            Some(Err(RepoError::Ref(RefError::Store(StoreError::TakenBack { .. }))))
        )
    }

    /// What is wrong with a collection by itself: it ends, or gives way to another one, or to a
    /// deletion that takes too long. Where somebody may have moved a ref too `late`, it may have met
    /// that before it was taken back, or what is missing was put again, and have ended there.
    fn is_wrong(&self, late: bool) -> Option<String> {
        let Some(Err(error)) = self.told else {
            return None;
        };
        let ends = error.kind() == ErrorKind::Unavailable
            || late && matches!(error, RepoError::Store(StoreError::Missing { .. }));
        let fails = self.wish.op.is_upkeep() && !ends;
        fails.then(|| format!("certain: a collection fails: {error:?}"))
    }
}

impl Misled {
    /// How often another process is next.
    pub fn turns(&self) -> usize {
        self.calls.windows(2).filter(|pair| pair[0].0.process != pair[1].0.process).count()
    }

    /// The schedule as text.
    pub fn to_text(&self) -> String {
        let mut text: String = self.found.iter().map(|found| format!("# {found}\n")).collect();
        for step in &self.steps.0 {
            text.push_str(&format!("{step}\n"));
        }
        for (at, steps) in self.steps.1.iter().enumerate() {
            text.push_str(&format!("at once, as {at}: {}\n", said(steps)));
        }
        for (turn, call) in &self.calls {
            text.push_str(&format!("  {}: {call}\n", turn.process));
        }
        text
    }
}

/// The steps of one process as text.
fn said(steps: &[Step]) -> String {
    let mut said = steps.first().map(Step::to_string).unwrap_or_default();
    steps.iter().skip(1).for_each(|step| said.push_str(&format!(", then {}", step.op)));
    said
}

impl Scene {
    /// What each process does, as text.
    pub fn said(&self) -> String {
        self.steps.iter().map(|steps| said(steps)).collect::<Vec<_>>().join(" | ")
    }
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
    points: BTreeSet<([u8; 32], Option<usize>)>,
    /// Contents that were found to be closed.
    closed: BTreeSet<[u8; 32]>,
    /// Ends after which collections did no harm.
    finales: BTreeSet<[u8; 32]>,
}

impl Seen {
    /// *Closed* and *Linear*, at any moment; *GC safe* where there are collections. Where somebody
    /// `may_be_late`, newest entries may name for a while what is gone.
    async fn closed(&mut self, after: &Content, run: &Run, may_be_late: bool) -> Vec<String> {
        let content = hash(after);
        if self.closed.contains(&content) {
            return Vec::new();
        }
        let onlooker = run.onlooker(None);
        let store = onlooker.repo().store();
        let closed = match &run.timed {
            None => invariants::closed(store).await,
            Some(_) => invariants::closed_heads(store).await,
        };
        if may_be_late && !closed.is_empty() {
            return Vec::new();
        }
        self.closed.insert(content);
        let mut linear = invariants::linear(store).await;
        if run.timed.is_some() {
            // A version that only older entries name is taken, or put again, piece by piece.
            linear.retain(|what| !what.ends_with("is missing"));
        }
        let found = closed.into_iter().map(|what| format!("closed: {what}"));
        found.chain(linear.into_iter().map(|what| format!("linear: {what}"))).collect()
    }

    /// *GC safe*, also when those who collect go on for some days.
    async fn finale(&mut self, after: &Content, run: &Run, flaw: Option<Flawed>) -> Vec<String> {
        let mut found = Vec::new();
        if run.timed.is_none() || !self.finales.insert(run.seen_as(after)) {
            return found;
        }
        let (collector, onlooker) = (run.onlooker(flaw), run.onlooker(None));
        for day in 1..=DAYS {
            if let Err(error) = collector.collect_a_day_later().await {
                found.push(format!("certain: {day} days later a collection fails: {error:?}"));
            }
            let gone = invariants::closed_heads(onlooker.repo().store()).await;
            found.extend(gone.into_iter().map(|what| format!("closed: {day} days later: {what}")));
        }
        found
    }
}
