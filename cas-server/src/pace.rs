//! How fast a client gives and takes, measured over the time that is spent waiting for it.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::limits::Limits;

/// The speed of one direction of one client.
///
/// Only waiting counts: a client is not slow while the server is busy with something else. After
/// each window of waiting, what moved during it and since is compared with the least rate.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Fewest bytes in one window.
    least: u64,
    window: Duration,
    /// What moved in this window.
    moved: u64,
    /// How long was waited in this window, up to the present wait.
    waited: Duration,
    /// Since when is being waited.
    since: Option<Instant>,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Pace {
    pub(crate) fn new(limits: &Limits) -> Self {
        let window = limits.rate_window;
        let least = limits.least_rate.saturating_mul(window.as_secs().max(1));
        Self { least, window, moved: 0, waited: Duration::ZERO, since: None, alarm: None }
    }

    /// Something moved, or there was nothing to wait for.
    pub(crate) fn moved(&mut self, bytes: u64) {
        if let Some(since) = self.since.take() {
            self.waited += since.elapsed();
        }
        self.moved = self.moved.saturating_add(bytes);
    }

    /// The client is being waited for. Ready once it is too slow; until then the task is woken in
    /// time to ask again.
    pub(crate) fn wait(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let since = *self.since.get_or_insert_with(Instant::now);
            let end = since + self.window.saturating_sub(self.waited);
            let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(end)));
            if alarm.deadline() != end {
                alarm.as_mut().reset(end);
            }
            if alarm.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            if self.moved < self.least {
                return Poll::Ready(());
            }
            self.moved = 0;
            self.waited = Duration::ZERO;
            self.since = Some(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    fn pace() -> Pace {
        let window = Duration::from_secs(10);
        Pace::new(&Limits { least_rate: 100, rate_window: window, ..Limits::default() })
    }

    /// Waits for `time`; how long it took until the client was found too slow, if it was.
    async fn wait(pace: &mut Pace, time: Duration) -> Option<Duration> {
        let start = Instant::now();
        let slow = tokio::time::timeout(time, poll_fn(|context| pace.wait(context))).await;
        slow.ok().map(|()| start.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_too_slow_after_one_window() {
        let slow = wait(&mut pace(), Duration::from_mins(1)).await.unwrap();
        assert!(slow >= Duration::from_secs(10) && slow < Duration::from_secs(11), "{slow:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_above_the_least_rate_is_kept() {
        let mut pace = pace();
        for _ in 0..100 {
            assert_eq!(wait(&mut pace, Duration::from_secs(1)).await, None);
            pace.moved(120);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_below_it_is_dropped_though_it_always_moves() {
        let mut pace = pace();
        let mut dropped = None;
        for second in 0..100 {
            if wait(&mut pace, Duration::from_secs(1)).await.is_some() {
                dropped = Some(second);
                break;
            }
            pace.moved(50);
        }
        assert!(dropped.is_some_and(|second| second <= 10), "{dropped:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn time_that_is_not_waited_does_not_count() {
        let mut pace = pace();
        for _ in 0..100 {
            assert_eq!(wait(&mut pace, Duration::from_millis(50)).await, None);
            pace.moved(1);
            tokio::time::advance(Duration::from_mins(1)).await;
        }
    }
}
