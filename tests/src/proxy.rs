//! A reverse proxy that disturbs what passes, the same way in every run with the same seed.
//!
//! It forwards HTTP as it is: method, path, headers (the host too, so signatures hold) and body.
//! What happens to a request is decided by nothing but the seed and the request's number, counted
//! from 0 in the order in which the heads of requests arrive: see [`Chaos::decide`]. With a client
//! that asks one thing at a time the whole run is therefore the same each time.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Request, Response};

use crate::loopback::{self, Body, Closed, Loopback};

/// How often each disturbance is decided on, per mille of the requests, and how long delays are.
///
/// If the rates add up to more than 1,000, those further down happen less often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chaos {
    /// The request is not forwarded and the connection closed.
    pub drop_request: u64,
    /// The request is forwarded and the connection closed without an answer.
    pub drop_answer: u64,
    /// The request is forwarded after a while.
    pub delay: u64,
    /// The request is forwarded twice, one after the other, and the second answer given.
    pub duplicate: u64,
    /// The request is forwarded and answered, and forwarded again some time after the answer.
    pub late_duplicate: u64,
    /// Half of the request's body is forwarded and both connections are closed.
    pub cut_request: u64,
    /// Half of the answer's body is given and the connection closed.
    pub cut_answer: u64,
    /// Delays, and times until late duplicates, are up to this long.
    pub max_delay: Duration,
}

impl Default for Chaos {
    /// A quarter of the requests, and delays to 50 ms.
    fn default() -> Self {
        Self {
            drop_request: 40,
            drop_answer: 40,
            delay: 50,
            duplicate: 35,
            late_duplicate: 25,
            cut_request: 30,
            cut_answer: 30,
            max_delay: Duration::from_millis(50),
        }
    }
}

impl Chaos {
    /// No disturbance at all.
    pub const NONE: Self = Self {
        drop_request: 0,
        drop_answer: 0,
        delay: 0,
        duplicate: 0,
        late_duplicate: 0,
        cut_request: 0,
        cut_answer: 0,
        max_delay: Duration::ZERO,
    };

    /// What is to happen to the request of this number, counted from 0.
    ///
    /// The outputs `2 * number` and `2 * number + 1` of splitmix64 decide: the first which
    /// disturbance, the second how long it takes.
    pub fn decide(&self, seed: u64, number: u64) -> Disturbance {
        let which = splitmix64(seed, number.wrapping_mul(2)) % 1_000;
        let amount = splitmix64(seed, number.wrapping_mul(2).wrapping_add(1));
        let micros = u64::try_from(self.max_delay.as_micros()).unwrap_or(u64::MAX);
        let time = Duration::from_micros(amount % micros.saturating_add(1));
        let rates = [
            (self.drop_request, Disturbance::DropRequest),
            (self.drop_answer, Disturbance::DropAnswer),
            (self.delay, Disturbance::Delay(time)),
            (self.duplicate, Disturbance::Duplicate),
            (self.late_duplicate, Disturbance::LateDuplicate(time)),
            (self.cut_request, Disturbance::CutRequest),
            (self.cut_answer, Disturbance::CutAnswer),
        ];
        let mut below = 0;
        for (rate, disturbance) in rates {
            below += rate;
            if which < below {
                return disturbance;
            }
        }
        Disturbance::Pass
    }
}

/// What happens to one request; [`Chaos`] says what each means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disturbance {
    /// Nothing.
    Pass,
    /// See [`Chaos::drop_request`].
    DropRequest,
    /// See [`Chaos::drop_answer`].
    DropAnswer,
    /// See [`Chaos::delay`]; for how long.
    Delay(Duration),
    /// See [`Chaos::duplicate`].
    Duplicate,
    /// See [`Chaos::late_duplicate`]; how long after the answer.
    LateDuplicate(Duration),
    /// See [`Chaos::cut_request`]. A request without a body passes.
    CutRequest,
    /// See [`Chaos::cut_answer`]. An answer without a body passes.
    CutAnswer,
}

/// How many requests were disturbed in which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChaosCounts {
    /// Passed as they were, also because there was no body to cut.
    pub passed: u64,
    /// See [`Chaos::drop_request`].
    pub dropped_requests: u64,
    /// See [`Chaos::drop_answer`].
    pub dropped_answers: u64,
    /// See [`Chaos::delay`].
    pub delayed: u64,
    /// See [`Chaos::duplicate`].
    pub duplicated: u64,
    /// See [`Chaos::late_duplicate`]; counted when the duplicate is planned.
    pub duplicated_late: u64,
    /// See [`Chaos::cut_request`].
    pub cut_requests: u64,
    /// See [`Chaos::cut_answer`].
    pub cut_answers: u64,
}

impl ChaosCounts {
    /// How often each kind happened, those that passed first.
    pub const fn kinds(&self) -> [u64; 8] {
        [
            self.passed,
            self.dropped_requests,
            self.dropped_answers,
            self.delayed,
            self.duplicated,
            self.duplicated_late,
            self.cut_requests,
            self.cut_answers,
        ]
    }

    /// How many requests there were, disturbed or not.
    pub const fn requests(&self) -> u64 {
        self.passed + self.disturbed()
    }

    /// How many requests were disturbed.
    pub const fn disturbed(&self) -> u64 {
        self.dropped_requests
            + self.dropped_answers
            + self.delayed
            + self.duplicated
            + self.duplicated_late
            + self.cut_requests
            + self.cut_answers
    }
}

/// A running proxy. Dropping it stops it, and late duplicates are not sent any more.
#[derive(Debug)]
pub struct ChaosProxy {
    state: State,
    loopback: Loopback,
}

impl ChaosProxy {
    /// A proxy on a free port of 127.0.0.1, in front of `upstream`.
    ///
    /// # Panics
    ///
    /// If there is no port or thread to be had.
    pub fn start(upstream: SocketAddr, seed: u64, rates: Chaos) -> Self {
        let state = State { upstream, seed, rates, counts: Arc::default() };
        let forwarding = state.clone();
        let loopback = Loopback::serve(0, move |request| forwarding.clone().forward(request))
            .expect("a free port and a thread are to be had");
        Self { state, loopback }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.loopback.address())
    }

    /// What happened so far. A request counts when it is known what happens to it.
    pub fn counts(&self) -> ChaosCounts {
        self.state.counts().1
    }
}

/// What the requests share.
#[derive(Debug, Clone)]
struct State {
    upstream: SocketAddr,
    seed: u64,
    rates: Chaos,
    /// How many requests arrived, and what happened to them.
    counts: Arc<Mutex<(u64, ChaosCounts)>>,
}

impl State {
    async fn forward(self, request: Request<Incoming>) -> Result<Response<Body>, Closed> {
        let number = {
            let mut counts = self.counts();
            counts.0 += 1;
            counts.0 - 1
        };
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Closed)?.to_bytes();
        let request = Request::from_parts(head, body);
        let decided = self.rates.decide(self.seed, number);
        match decided {
            Disturbance::Pass => {}
            Disturbance::DropRequest => {
                self.count(|counts| counts.dropped_requests += 1);
                return Err(Closed);
            }
            Disturbance::DropAnswer => {
                self.count(|counts| counts.dropped_answers += 1);
                let _ = self.ask(&request).await;
                return Err(Closed);
            }
            Disturbance::Delay(time) => {
                self.count(|counts| counts.delayed += 1);
                tokio::time::sleep(time).await;
                return self.answer(&request).await;
            }
            Disturbance::Duplicate => {
                self.count(|counts| counts.duplicated += 1);
                let _ = self.ask(&request).await;
                return self.answer(&request).await;
            }
            Disturbance::LateDuplicate(time) => {
                self.count(|counts| counts.duplicated_late += 1);
                let answer = self.answer(&request).await?;
                tokio::spawn(async move {
                    tokio::time::sleep(time).await;
                    // Nobody waits for this answer.
                    let _ = self.ask(&request).await;
                });
                return Ok(answer);
            }
            Disturbance::CutRequest if request.body().is_empty() => {}
            Disturbance::CutRequest => {
                self.count(|counts| counts.cut_requests += 1);
                let half = request.map(|body| loopback::cut(loopback::half(&body)));
                let _ = loopback::send(self.upstream, half).await;
                return Err(Closed);
            }
            Disturbance::CutAnswer => {
                let (head, body) = self.ask(&request).await?.into_parts();
                if !body.is_empty() {
                    self.count(|counts| counts.cut_answers += 1);
                    let half = loopback::cut(loopback::half(&body));
                    return Ok(Response::from_parts(head, half));
                }
                self.count(|counts| counts.passed += 1);
                return Ok(Response::from_parts(head, loopback::whole(body)));
            }
        }
        self.count(|counts| counts.passed += 1);
        self.answer(&request).await
    }

    /// Sends all of a request and gives all of the answer.
    async fn answer(&self, request: &Request<Bytes>) -> Result<Response<Body>, Closed> {
        Ok(self.ask(request).await?.map(loopback::whole))
    }

    /// Sends all of a request.
    async fn ask(&self, request: &Request<Bytes>) -> Result<Response<Bytes>, Closed> {
        loopback::send(self.upstream, request.clone().map(loopback::whole)).await
    }

    fn count(&self, change: impl FnOnce(&mut ChaosCounts)) {
        change(&mut self.counts().1);
    }

    fn counts(&self) -> MutexGuard<'_, (u64, ChaosCounts)> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The `nth` output, counted from 0, of the generator splitmix64 (Steele, Lea, Flood 2014) that
/// starts from `seed`.
fn splitmix64(seed: u64, nth: u64) -> u64 {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut bits = seed.wrapping_add(STEP.wrapping_mul(nth.wrapping_add(1)));
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_splitmix64() {
        // The first outputs for this seed, from the reference implementation.
        let outputs = [0, 1, 2].map(|nth| splitmix64(1_234_567, nth));
        let expected =
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!(outputs, expected);
    }

    #[test]
    fn the_default_disturbs_a_quarter() {
        let disturbed = (0..10_000)
            .filter(|number| Chaos::default().decide(7, *number) != Disturbance::Pass)
            .count();
        assert!((2_300..2_700).contains(&disturbed), "{disturbed}");
    }
}
