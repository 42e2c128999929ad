//! A store whose calls wait until they are let through, one at a time, so that whoever holds the
//! gate decides in which order the calls of several processes happen, and when time passes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cas_core::env::Timestamp;
use cas_core::limits;
use futures::FutureExt;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::sync::oneshot;

use super::access::{Access, Accesses};
use crate::clocked::HandClock;

/// Which calls wait.
#[derive(Debug, Clone)]
pub enum Grain {
    /// Every call.
    Fine,
    /// Those to refs. Calls to objects go through when they come: what an object's key holds never
    /// differs, so those of different processes change nothing for one another.
    Refs,
    /// Those that another process may meet, and all of some processes. The others go through when
    /// they come: nobody can tell when they were.
    Met {
        /// What each process may do.
        known: Arc<Accesses>,
        /// The processes all of whose calls wait, so that time may pass before any.
        fine: Vec<usize>,
    },
}

/// The gate of several processes.
#[derive(Debug, Clone)]
pub struct Gate {
    grain: Grain,
    processes: Arc<Mutex<Vec<Process>>>,
    accesses: Arc<Mutex<Accesses>>,
    clock: Option<HandClock>,
}

#[derive(Debug)]
struct Process {
    /// Calls that wait, in the order in which they came.
    waiting: VecDeque<Waiting>,
    /// Until when it waits for time to pass.
    sleeping: Vec<(Timestamp, oneshot::Sender<()>)>,
    /// All that it was told so far, hashed: what it does next depends on nothing else.
    history: blake3::Hash,
}

/// A call that waits.
#[derive(Debug)]
struct Waiting {
    call: String,
    access: Access,
    issued: Timestamp,
    /// What lets it through.
    permit: oneshot::Sender<()>,
    /// Where it goes.
    store: Arc<dyn ObjectStore>,
}

/// What may happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Turn {
    /// To which process.
    pub process: usize,
    /// Whether the time passes that it waits for; else its first call goes through.
    pub wakes: bool,
}

impl Gate {
    /// A gate for so many processes.
    pub fn new(processes: usize, grain: Grain, clock: Option<HandClock>) -> Self {
        let new = |_| Process {
            waiting: VecDeque::new(),
            sleeping: Vec::new(),
            history: blake3::hash(b""),
        };
        let accesses = Arc::new(Mutex::new(Accesses::new(processes)));
        let processes = Arc::new(Mutex::new((0..processes).map(new).collect()));
        Self { grain, processes, accesses, clock }
    }

    /// Whether a process waits, for its turn or for time to pass.
    pub fn is_waiting(&self, process: usize) -> bool {
        let process = &self.lock()[process];
        process.waiting.iter().any(|call| !call.permit.is_closed())
            || process.sleeping.iter().any(|(_, alarm)| !alarm.is_closed())
    }

    /// What may happen next. Time does not pass while a write is on its way that would come too
    /// late.
    pub fn turns(&self) -> Vec<Turn> {
        let mut turns = Vec::new();
        let mut processes = self.lock();
        for process in processes.iter_mut() {
            // Of what was given up only a deletion may still be on its way.
            process.waiting.retain(|call| !call.permit.is_closed() || call.is_delete());
            process.sleeping.retain(|(_, alarm)| !alarm.is_closed());
        }
        let writes = processes.iter().flat_map(|process| &process.waiting);
        let deadline = writes.filter(|call| call.access.is_write()).map(Waiting::deadline).min();
        for (at, process) in processes.iter().enumerate() {
            if !process.waiting.is_empty() {
                turns.push(Turn { process: at, wakes: false });
            }
            let wakes = process.sleeping.iter().map(|(until, _)| *until).min();
            if wakes.is_some_and(|until| deadline.is_none_or(|deadline| until < deadline)) {
                turns.push(Turn { process: at, wakes: true });
            }
        }
        turns
    }

    /// Lets the first call of a process through or time pass, and says what it was. `None` if there
    /// is no such turn.
    pub fn take(&self, turn: Turn) -> Option<String> {
        if turn.wakes { self.wake(turn.process) } else { self.let_through(turn.process) }
    }

    fn let_through(&self, process: usize) -> Option<String> {
        let Waiting { call, access, permit, store, .. } =
            self.lock()[process].waiting.pop_front()?;
        if permit.send(()).is_err()
            && let Access::Delete(key) = access
        {
            // Whoever sent it no longer waits for the answer. It takes effect all the same, at once
            // because memory is at hand.
            let _ = store.delete(&key).now_or_never();
        }
        Some(call)
    }

    fn wake(&self, process: usize) -> Option<String> {
        let clock = self.clock.as_ref()?;
        let mut processes = self.lock();
        let until = processes[process].sleeping.iter().map(|(until, _)| *until).min()?;
        let passes = until.as_micros().saturating_sub(clock.read().as_micros());
        clock.advance(Duration::from_micros(passes));
        let now = clock.read();
        for process in processes.iter_mut() {
            let (over, on): (Vec<_>, Vec<_>) =
                std::mem::take(&mut process.sleeping).into_iter().partition(|(at, _)| *at <= now);
            process.sleeping = on;
            for (_, alarm) in over {
                if alarm.send(()).is_ok() {
                    process.history =
                        blake3::hash(&[process.history.as_bytes(), &b"woke"[..]].concat());
                }
            }
        }
        Some(format!("{} minutes pass", passes.div_ceil(60_000_000)))
    }

    /// What all processes were told so far, and how late it is for those who wait, as one hash.
    pub fn histories(&self) -> blake3::Hash {
        let turns = self.turns();
        let mut hasher = blake3::Hasher::new();
        for process in &*self.lock() {
            hasher.update(process.history.as_bytes());
        }
        for turn in turns.iter().filter(|turn| turn.wakes) {
            hasher.update(&turn.process.to_be_bytes());
        }
        if let Some(clock) = &self.clock {
            hasher.update(&hours(clock.read()).to_be_bytes());
        }
        hasher.finalize()
    }

    /// What every process did so far.
    pub fn accesses(&self) -> Accesses {
        self.accesses.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for the turn of a call, unless it is one that need not wait.
    pub(super) async fn enter(
        &self,
        process: usize,
        access: &Access,
        store: &Arc<dyn ObjectStore>,
    ) {
        self.accesses.lock().unwrap_or_else(PoisonError::into_inner).note(process, access);
        let waits = match &self.grain {
            Grain::Fine => true,
            Grain::Refs => access.key().is_some_and(|key| key.as_ref().starts_with("refs")),
            Grain::Met { known, fine } => fine.contains(&process) || known.meets(process, access),
        };
        let call = access.to_string();
        if waits {
            let (permit, permitted) = oneshot::channel();
            let issued = self.now();
            let (access, store) = (access.clone(), store.clone());
            let waiting = Waiting { call, access, issued, permit, store };
            self.lock()[process].waiting.push_back(waiting);
            // The gate lives as long as the processes are driven.
            let _ = permitted.await;
        }
    }

    /// Waits until so much time has passed; from now on, not from when it is first waited for.
    pub(super) fn sleep(
        &self,
        process: usize,
        time: Duration,
    ) -> impl Future<Output = ()> + Send + 'static {
        let time = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let until = Timestamp::from_micros(self.now().as_micros().saturating_add(time));
        let (alarm, rings) = oneshot::channel();
        self.lock()[process].sleeping.push((until, alarm));
        async move {
            let _ = rings.await;
        }
    }

    /// Notes what a process was told.
    pub(super) fn tell(&self, process: usize, said: &blake3::Hash) {
        let process = &mut self.lock()[process];
        process.history = blake3::hash(&[*process.history.as_bytes(), *said.as_bytes()].concat());
    }

    /// How late it is, as finely as it may count; nothing where time does not.
    pub(super) fn shown(&self, time: chrono::DateTime<chrono::Utc>) -> u64 {
        let micros = u64::try_from(time.timestamp_micros()).unwrap_or_default();
        if self.clock.is_some() { hours(Timestamp::from_micros(micros)) } else { 0 }
    }

    fn now(&self) -> Timestamp {
        self.clock.as_ref().map_or(Timestamp::from_micros(0), HandClock::read)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Process>> {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Times that matter are many hours apart.
fn hours(time: Timestamp) -> u64 {
    time.as_micros() / 3_600_000_000
}

impl Waiting {
    const fn is_delete(&self) -> bool {
        matches!(self.access, Access::Delete(_))
    }

    /// When it has taken effect.
    fn deadline(&self) -> Timestamp {
        let most = u64::try_from(limits::DELETE_DEADLINE.as_micros()).unwrap_or(u64::MAX);
        Timestamp::from_micros(self.issued.as_micros().saturating_add(most))
    }
}
