//! Time and randomness that are the same in every run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cas_core::env::{Clock, Entropy, Env, Timestamp};

/// A clock that goes on by one microsecond each time it is asked.
#[derive(Debug, Default)]
pub struct StepClock(AtomicU64);

impl Clock for StepClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_000_000 + self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// Counts upwards from a seed instead of being random.
#[derive(Debug)]
pub struct CountingEntropy(AtomicU64);

impl Entropy for CountingEntropy {
    fn bytes(&self) -> [u8; 16] {
        u128::from(self.0.fetch_add(1, Ordering::Relaxed)).to_be_bytes()
    }
}

/// An environment of its own for each `seed`: request ids of two never meet.
pub fn test_env(seed: u32) -> Env {
    Env {
        clock: Arc::new(StepClock::default()),
        entropy: Arc::new(CountingEntropy(AtomicU64::new(u64::from(seed) << 32))),
    }
}
