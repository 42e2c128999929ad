//! The time of one process where collections are among what can be done: its clock, and how it waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cas_core::env::{Clock, Env, Timestamp};
use futures::FutureExt;
use futures::future::BoxFuture;

use super::gate::Gate;
use crate::clocked::HandClock;
use crate::env::test_env;

/// Where a process has its time from.
#[derive(Debug, Clone)]
pub struct Time {
    /// The store's clock.
    pub clock: HandClock,
    /// The gate at which it waits for time to pass, and which process it is there; none where it is
    /// alone and time passes when it says so.
    pub gate: Option<(Gate, usize)>,
    /// Whether the process does not wait where it should, on purpose.
    pub rushes: bool,
}

impl Time {
    /// That of a process that is alone.
    pub const fn alone(clock: HandClock) -> Self {
        Self { clock, gate: None, rushes: false }
    }

    /// An environment of its own for each `seed`, with a clock ahead of the store's by so much.
    pub fn env(&self, seed: u32, ahead: Duration) -> Env {
        match &self.gate {
            None => self.clock.env(seed, ahead),
            Some((gate, process)) => {
                let (clock, asked) = (self.clock.clone(), AtomicU64::new(0));
                let gate = gate.clone();
                let clock = GatedClock {
                    gate,
                    process: *process,
                    clock,
                    ahead,
                    asked,
                    rushes: self.rushes,
                };
                Env { clock: Arc::new(clock), ..test_env(seed) }
            }
        }
    }

    /// Waits until so much time has passed.
    pub async fn pass(&self, time: Duration) {
        match &self.gate {
            None => self.clock.advance(time),
            Some((gate, process)) => gate.sleep(*process, time).await,
        }
    }
}

/// The clock of one process: ahead of the store's, and whoever sleeps by it waits at the gate.
///
/// It goes on by a microsecond each time it is asked, so that what it says depends on nothing that
/// others do meanwhile: what takes no time is not to make states differ.
#[derive(Debug)]
struct GatedClock {
    gate: Gate,
    process: usize,
    clock: HandClock,
    ahead: Duration,
    asked: AtomicU64,
    rushes: bool,
}

impl Clock for GatedClock {
    fn now(&self) -> Timestamp {
        let second = self.clock.read().as_micros() / 1_000_000 * 1_000_000;
        let ahead = u64::try_from(self.ahead.as_micros()).unwrap_or(u64::MAX);
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        Timestamp::from_micros(second.saturating_add(ahead).saturating_add(asked))
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        if self.rushes {
            return std::future::ready(()).boxed();
        }
        self.gate.sleep(self.process, time).boxed()
    }
}
