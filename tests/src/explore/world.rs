//! A state: what a store holds, what the model says of it, and how it came to be.

use std::sync::Arc;

use cas_core::ErrorKind;
use cas_core::repo::ChangeStatus;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};

use super::aged::Aged;
use super::broken::Role;
use super::checks::{self, Content, Ids};
use super::flaw::Flawed;
use super::model::{Answer, Files, Model, Number, Wish};
use super::op::{Op, Step};
use super::scope::{Name, Page, Who};
use super::subject::{Subject, Told};
use super::things;
use super::time::Time;
use crate::clocked::{ClockedStore, HandClock};
use crate::faulty::snapshot;
use crate::invariants;

/// A state of the small world.
#[derive(Debug, Clone)]
pub struct State {
    /// What the store holds.
    pub content: Arc<Content>,
    /// What it should mean.
    pub model: Model,
    /// The commits of the model's versions.
    pub ids: Ids,
    /// How it came to be.
    pub steps: Vec<Step>,
    /// The wish of each step.
    pub wishes: Vec<Wish>,
    /// The step whose request is to be sent again, counted from 1.
    pub marked: Option<usize>,
    /// Where in time it is, if collections are among what can be done.
    pub aged: Option<Aged>,
}

/// What a step comes to.
#[derive(Debug)]
pub struct Stepped {
    /// The state after it.
    pub state: State,
    /// Whether any ref moved.
    pub moved: bool,
    /// What is wrong with it.
    pub found: Vec<String>,
}

impl State {
    /// A book with an empty version.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    pub async fn first() -> Self {
        let memory = Arc::new(InMemory::new());
        let made = Subject::new(memory.clone(), Who::Ada, 0, None).begin().await;
        let first = made.expect("a book can be made in memory");
        Self {
            content: Arc::new(content(&*memory).await),
            model: Model::new(),
            ids: Ids::from([(0, first)]),
            steps: Vec::new(),
            wishes: Vec::new(),
            marked: None,
            aged: None,
        }
    }

    /// The same where collections are among what can be done.
    pub async fn first_aged() -> Self {
        Self { aged: Some(Aged::first()), ..Self::first().await }
    }

    /// The state after some steps.
    ///
    /// # Panics
    ///
    /// If a line is no step, or something is wrong after one.
    pub async fn after(mut self, lines: &[&str]) -> Self {
        for line in lines {
            let step = Step::parse(line).expect("the beginning is made of steps");
            let stepped = self.step(&self.open().await, step, None).await;
            assert!(stepped.found.is_empty(), "{step}: {:?}", stepped.found);
            self = stepped.state;
        }
        self
    }

    /// A store in memory with this content.
    ///
    /// # Panics
    ///
    /// Never: memory takes everything.
    pub async fn open(&self) -> InMemory {
        let memory = InMemory::new();
        for (key, bytes) in &*self.content {
            let put = memory.put(key, bytes.clone().into()).await;
            put.expect("memory takes everything");
        }
        memory
    }

    /// Who has the next turn.
    pub fn turn(&self) -> Who {
        Who::ALL[self.steps.len() % Who::ALL.len()]
    }

    /// The steps that are worth taking next: what `ops` has, by whose turn it is. If a request is
    /// marked, that request again, and of `ops` only what moves a ref: the same state without a mark
    /// has taken the others.
    pub fn steps_from(&self, ops: &[Op]) -> Vec<Step> {
        let who = self.turn();
        let mut steps: Vec<_> = ops.iter().map(|op| Step { who, op: *op }).collect();
        if let Some(marked) = self.marked {
            steps.retain(|step| self.moves(*step));
            steps.push(Step { who: self.wishes[marked - 1].who, op: Op::Repeat(marked) });
        }
        steps
    }

    /// Whether the model moves a ref by this step.
    fn moves(&self, step: Step) -> bool {
        let mut model = self.model.clone();
        self.wish(step).is_some_and(|(wish, _)| {
            model.apply(&wish);
            model.movements() > self.model.movements()
        })
    }

    /// The wish of a step, and whether it was had before. `None` if it repeats what is not there.
    pub fn wish(&self, step: Step) -> Option<(Wish, bool)> {
        let (op, who, request, version) = match step.op {
            Op::Repeat(at) => {
                let wish = self.wishes.get(at.checked_sub(1)?)?;
                (wish.op, wish.who, wish.request, wish.version)
            }
            op => (op, step.who, self.steps.len() + 1, None),
        };
        let repeated = version.is_some();
        let version = version.or_else(|| self.model.named(op));
        Some((Wish { op, who, request, version }, repeated))
    }

    /// Takes a step, in a copy of `memory`, which holds what the store does, and checks everything
    /// that it may have touched.
    pub async fn step(&self, memory: &InMemory, step: Step, flaw: Option<Flawed>) -> Stepped {
        let memory = Arc::new(memory.fork());
        let mut state = self.clone();
        state.steps.push(step);
        let Some((wish, repeated)) = self.wish(step) else {
            let found = vec![format!("{step}: there is nothing to repeat")];
            return Stepped { state, moved: false, found };
        };
        state.wishes.push(wish);
        let right = if self.is_collected(&wish) {
            Answer::Refused(ErrorKind::Unavailable)
        } else {
            state.model.apply(&wish)
        };
        let (subject, time) = self.process(memory.clone(), wish.who, wish.op.role(), flaw);
        let (told, mut found) = self.ask(&subject, &wish, repeated).await;
        let after = content(&*memory).await;
        let versions = state.model.versions.len() - self.model.versions.len();
        let movements = state.model.movements() - self.model.movements();
        // Where nothing was to change and nothing did, all is as it was.
        if movements > 0 || after != *self.content {
            found.extend(match self.aged {
                None => checks::immutable(&self.content, &after),
                Some(_) => {
                    let takes = matches!(wish.op, Op::Collect { .. });
                    checks::immutable_but_collected(takes, &self.content, &after)
                }
            });
            let changes = wish.op.changes();
            let ids = &mut state.ids;
            found.extend(checks::logs(&state.model, changes, &self.content, &after, ids));
            found.extend(checks::shared(wish.op, versions, movements, &self.content, &after));
            state.content = Arc::new(after);
        }
        found.extend(checks::answers(wish.op, &told, &right, &state.ids));
        if let Some((store, clock)) = &time {
            let mut kept = self.model.kept();
            kept.extend(state.model.kept());
            let kept = things::keys_of(&state.model, &state.ids, &kept);
            let quiet = wish.op == Op::Collect { later: true };
            if let Some(aged) = &mut state.aged {
                aged.went_on((store, clock), &state.content, &kept, quiet);
                found.extend(aged.left_behind());
            }
        }
        Stepped { state, moved: movements > 0, found }
    }

    /// A process that has just begun, and where time counts its store and the clock of that.
    fn process(
        &self,
        memory: Arc<InMemory>,
        who: Who,
        role: Role,
        flaw: Option<Flawed>,
    ) -> (Subject, Option<(ClockedStore, HandClock)>) {
        let seed = self.steps.len() + 1;
        let Some(aged) = &self.aged else {
            return (Subject::new(memory, who, seed, flaw), None);
        };
        let (store, clock) = aged.open(memory);
        let shown = Flawed::show(flaw, role, Arc::new(store.clone()), &aged.past);
        let subject = Subject::in_time(shown, Time::alone(clock.clone()), who, seed, flaw);
        (subject, Some((store, clock)))
    }

    /// Whether a ref was to point at a version that was collected.
    fn is_collected(&self, wish: &Wish) -> bool {
        if self.aged.is_none() {
            return false;
        }
        let mut model = self.model.clone();
        model.apply(wish);
        let head = wish.op.changes().and_then(|name| model.head(name));
        let head = head.filter(|head| *head < self.model.versions.len());
        let keys = things::keys_of(&self.model, &self.ids, head.as_slice());
        model.movements() > self.model.movements()
            && keys.iter().any(|key| !self.content.contains_key(key))
    }

    /// What is really answered to a wish. A version that it names by where a ref is must be found
    /// there, unless it was found by the first try.
    async fn ask(&self, subject: &Subject, wish: &Wish, repeated: bool) -> (Told, Vec<String>) {
        let version = wish.version.and_then(|number| self.ids.get(&number)).copied();
        let mut found = Vec::new();
        if !repeated {
            match subject.named(wish.op).await {
                Ok(named) if named == version => {}
                other => found.push(format!("certain: {} finds {other:?}", wish.op)),
            }
        }
        (subject.act(wish, version).await, found)
    }

    /// Checks the whole state, which takes longer than checking a step.
    pub async fn check(&self, memory: &InMemory, flaw: Option<Flawed>) -> Vec<String> {
        let (subject, _) = self.process(Arc::new(memory.fork()), Who::Ada, Role::Writer, flaw);
        let store = subject.repo().store();
        let linear = invariants::linear(store).await;
        let closed = match self.aged {
            None => invariants::closed(store).await,
            Some(_) => self.kept_is_there(),
        };
        let order = invariants::leaves_first(&self.content);
        let mut found: Vec<_> = linear.into_iter().map(|what| format!("linear: {what}")).collect();
        found.extend(closed.into_iter().chain(order).map(|what| format!("closed: {what}")));
        let mut heads: Vec<_> =
            Name::ALL.iter().filter_map(|name| self.model.head(*name)).collect();
        heads.push(0);
        heads.sort_unstable();
        heads.dedup();
        for old in &heads {
            for new in heads.iter().filter(|new| *new != old) {
                found.extend(self.delta_exact(&subject, *old, *new).await);
            }
        }
        found
    }

    /// *GC safe*: all is there of what the newest entries name.
    fn kept_is_there(&self) -> Vec<String> {
        let kept = things::keys_of(&self.model, &self.ids, &self.model.kept());
        let gone = kept.iter().filter(|key| !self.content.contains_key(key));
        gone.map(|key| format!("{key} is kept and not there")).collect()
    }

    /// *Delta exact*: two versions differ where the model says.
    async fn delta_exact(&self, subject: &Subject, old: Number, new: Number) -> Option<String> {
        let (before, after) = (self.ids.get(&old)?, self.ids.get(&new)?);
        let changes = match subject.diff(*before, *after).await {
            Ok(changes) => changes,
            Err(error) => return Some(format!("delta exact: {error}")),
        };
        let said: Vec<_> = changes
            .iter()
            .map(|change| {
                let side = |side: Option<cas_core::repo::Side>| side.map(|side| side.id);
                (change.path.to_string(), change.status, side(change.old), side(change.new))
            })
            .collect();
        let files = |number: Number| &self.model.versions[number].files;
        let right = delta(files(old), files(new));
        (said != right).then(|| format!("delta exact: {said:?} instead of {right:?}"))
    }
}

type Difference =
    (String, ChangeStatus, Option<cas_core::name::BlobId>, Option<cas_core::name::BlobId>);

/// How two versions differ, page by page.
fn delta(old: &Files, new: &Files) -> Vec<Difference> {
    let one = |page: Page| {
        let (old, new) = (old.get(&page).copied(), new.get(&page).copied());
        let status = match (old, new) {
            _ if old == new => return None,
            (None, _) => ChangeStatus::Added,
            (_, None) => ChangeStatus::Removed,
            _ => ChangeStatus::Changed,
        };
        let id = |text: super::scope::Text| text.id(page);
        Some((page.as_str().to_owned(), status, old.map(id), new.map(id)))
    };
    Page::ALL.into_iter().filter_map(one).collect()
}

impl Model {
    /// How many entries all logs have.
    pub fn movements(&self) -> usize {
        self.refs.values().map(Vec::len).sum()
    }
}

/// Everything in a store.
///
/// # Panics
///
/// If it cannot be read.
pub async fn content(store: &dyn ObjectStore) -> Content {
    snapshot(store).await.expect("memory can be read")
}
