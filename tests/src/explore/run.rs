//! Processes on their way, all of whose calls wait at a gate.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use object_store::ObjectStore;
use object_store::memory::InMemory;

use super::broken::{Broken, Role};
use super::checks::Content;
use super::flaw::Flawed;
use super::gate::{Gate, Turn};
use super::gated::GatedStore;
use super::schedules::Scene;
use super::scope::Who;
use super::subject::{Subject, Told};
use super::time::Time;
use crate::clocked::{ClockedStore, HandClock};

/// What one process does: it is told something for each of its steps.
type Going = Pin<Box<dyn Future<Output = Vec<Told>>>>;

/// Processes on their way.
pub struct Run {
    /// What they share.
    pub memory: Arc<InMemory>,
    /// The same with the times at which it was written, and the store's clock, where time counts.
    pub timed: Option<(ClockedStore, HandClock)>,
    /// Where their calls wait.
    pub gate: Gate,
    processes: Vec<Option<Going>>,
    /// What each was told, once it has ended.
    pub told: Vec<Option<Vec<Told>>>,
}

impl Run {
    /// All processes of a scene at their beginnings.
    pub fn start(scene: &Scene, memory: &InMemory) -> Self {
        let memory = Arc::new(memory.fork());
        let timed = scene.start.aged.as_ref().map(|aged| aged.open(memory.clone()));
        let wishes = scene.wishes();
        let clock = timed.as_ref().map(|(_, clock)| clock.clone());
        let gate = Gate::new(wishes.len(), scene.grain.clone(), clock);
        let processes = wishes.into_iter().enumerate().map(|(at, wishes)| {
            let inner: Arc<dyn ObjectStore> = match &timed {
                None => memory.clone(),
                Some((store, _)) => {
                    let role = wishes
                        .iter()
                        .find(|wish| wish.op.is_upkeep())
                        .map_or(Role::Writer, |_| Role::Collector);
                    Flawed::show(scene.flaw, role, Arc::new(store.clone()), &BTreeSet::new())
                }
            };
            let store = Arc::new(GatedStore::new(&gate, inner, at));
            let seed = scene.start.steps.len() + 1 + at;
            let who = wishes[0].who;
            let subject = match &timed {
                None => Subject::new(store, who, seed, scene.flaw),
                Some((_, clock)) => {
                    let rushes = scene.flaw == Some(Flawed::Collection(Broken::LooksAgainAtOnce));
                    let time =
                        Time { clock: clock.clone(), gate: Some((gate.clone(), at)), rushes };
                    Subject::in_time(store, time, who, seed, scene.flaw)
                }
            };
            let ids = scene.start.ids.clone();
            let process = async move {
                let mut told = Vec::new();
                for wish in &wishes {
                    let version = wish.version.and_then(|number| ids.get(&number)).copied();
                    told.push(subject.act(wish, version).await);
                }
                told
            };
            Some(Box::pin(process) as Going)
        });
        let processes: Vec<_> = processes.collect();
        let told = processes.iter().map(|_| None).collect();
        Self { memory, timed, gate, processes, told }
    }

    /// Lets every process go on until it waits at the gate or has ended.
    pub async fn settle(&mut self) {
        loop {
            // Tasks of its own come first: a call that was let through is to happen before the next.
            tokio::task::yield_now().await;
            let mut settled = true;
            for (at, process) in self.processes.iter_mut().enumerate() {
                let Some(going) = process else { continue };
                if let Poll::Ready(told) = futures::poll!(going.as_mut()) {
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
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// What may happen next; nothing when all have ended.
    pub fn turns(&self) -> Vec<Turn> {
        self.gate.turns()
    }

    /// All that decides what can still happen, as one hash.
    pub fn seen_as(&self, content: &Content) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&hash(content));
        if let Some((store, _)) = &self.timed {
            for (key, time) in store.times() {
                if content.contains_key(&key) {
                    hasher.update(&(time.as_micros() / 3_600_000_000).to_be_bytes());
                }
            }
        }
        hasher.update(self.gate.histories().as_bytes());
        *hasher.finalize().as_bytes()
    }

    /// A process that looks at the store from outside the gate.
    pub fn onlooker(&self, flaw: Option<Flawed>) -> Subject {
        match &self.timed {
            None => Subject::new(self.memory.clone(), Who::Ada, 0, None),
            Some((store, clock)) => {
                // A clock of its own: looking is not to make time pass.
                let clock = HandClock::at(clock.read());
                let store =
                    ClockedStore::with_times(self.memory.clone(), clock.clone(), store.times());
                let store = Flawed::show(flaw, Role::Collector, Arc::new(store), &BTreeSet::new());
                Subject::in_time(store, Time::alone(clock), Who::Ada, 0, None)
            }
        }
    }
}

/// What a store holds, as one hash.
pub fn hash(content: &Content) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for (key, bytes) in content {
        hasher.update(key.as_ref().as_bytes());
        hasher.update(&bytes.len().to_be_bytes());
        hasher.update(bytes);
    }
    *hasher.finalize().as_bytes()
}
