//! The clock and the source of randomness: the only module that asks the machine for either.
//!
//! Everything else receives an [`Env`], so that tests are deterministic and replayable.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::name::RequestId;

/// A point in time: microseconds since the Unix epoch, UTC.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The time `micros` microseconds after the Unix epoch.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the Unix epoch.
    pub const fn as_micros(self) -> u64 {
        self.0
    }
}

/// RFC 3339, UTC, to the microsecond: as answers to programs say it.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = i64::try_from(self.0).unwrap_or(i64::MAX);
        match jiff::Timestamp::from_microsecond(micros) {
            Ok(time) => write!(f, "{time:.6}"),
            // Beyond the year 9999 there is no such form.
            Err(_) => write!(f, "{micros} µs"),
        }
    }
}

/// Tells the time.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;

    /// Waits until so much time has passed. A clock that a test sets waits until it is set.
    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        tokio::time::sleep(time).boxed()
    }
}

/// Gives random bytes, unpredictable enough that two never meet by accident.
pub trait Entropy: fmt::Debug + Send + Sync {
    /// Sixteen random bytes.
    fn bytes(&self) -> [u8; 16];
}

/// What a repository takes from outside: time and randomness.
#[derive(Debug, Clone)]
pub struct Env {
    /// Tells the time of commits and ref log entries.
    pub clock: Arc<dyn Clock>,
    /// Feeds request ids and temporary names.
    pub entropy: Arc<dyn Entropy>,
}

impl Env {
    /// The machine's own clock and randomness.
    pub fn system() -> Self {
        Self { clock: Arc::new(SystemClock), entropy: Arc::new(SystemEntropy) }
    }

    /// A request id that nobody used before.
    pub fn request_id(&self) -> RequestId {
        RequestId::from_bytes(self.entropy.bytes())
    }

    /// How long to wait before trying again, for the `attempt`-th time: doubling from 1 ms to
    /// 128 ms, half of it random, so that writers that met once do not meet again.
    pub fn backoff(&self, attempt: u32) -> Duration {
        let ceiling_us = 1000_u64 << attempt.min(7);
        let jitter = u64::from_le_bytes(self.entropy.bytes()[..8].try_into().unwrap_or_default());
        Duration::from_micros(ceiling_us / 2 + jitter % (ceiling_us / 2))
    }
}

/// The machine's clock.
#[derive(Debug)]
struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }
}

/// The operating system's random number generator.
#[derive(Debug)]
struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks for randomness")]
    fn bytes(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("the operating system has a random number generator");
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339() {
        let shown = |micros| Timestamp::from_micros(micros).to_string();
        assert_eq!(shown(1_700_000_000_123_456), "2023-11-14T22:13:20.123456Z");
        assert_eq!(shown(0), "1970-01-01T00:00:00.000000Z");
    }
}
