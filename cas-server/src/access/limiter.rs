//! How often somebody may ask.

use std::hash::Hash;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::Clock;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// How many keys are remembered at once. One that has not asked for a while is forgotten.
const KEYS: usize = 10_000;

/// What is answered when too many have asked of late to remember one more.
const CROWDED: Duration = Duration::from_secs(1);

/// A limit on how often each of many may ask.
#[derive(Debug)]
pub(crate) struct Limiter<K: Hash + Eq + Clone> {
    limiter: DefaultKeyedRateLimiter<K>,
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    /// `rate` a second for each, and up to `burst` at once.
    pub(crate) fn new(rate: NonZeroU32, burst: NonZeroU32) -> Self {
        Self { limiter: RateLimiter::keyed(Quota::per_second(rate).allow_burst(burst)) }
    }

    /// Counts one more for `key`; refused, how long it must wait.
    pub(crate) fn check(&self, key: &K) -> Result<(), Duration> {
        if self.limiter.len() >= KEYS {
            self.limiter.retain_recent();
            if self.limiter.len() >= KEYS {
                return Err(CROWDED);
            }
        }
        self.limiter
            .check_key(key)
            .map_err(|until| until.wait_time_from(self.limiter.clock().now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: NonZeroU32 = NonZeroU32::MIN;

    #[test]
    fn each_has_its_own_burst() {
        let limiter = Limiter::new(ONE, ONE.saturating_add(1));
        for _ in 0..2 {
            assert_eq!(limiter.check(&"a"), Ok(()));
        }
        let wait = limiter.check(&"a").unwrap_err();
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(1), "{wait:?}");
        assert_eq!(limiter.check(&"b"), Ok(()));
    }

    #[test]
    fn a_crowd_is_not_remembered_without_end() {
        let limiter = Limiter::new(ONE, ONE);
        let refused = (0..KEYS + 10).filter(|n| limiter.check(n).is_err()).count();
        assert!(limiter.limiter.len() <= KEYS);
        assert!(refused >= 10, "{refused}");
    }
}
