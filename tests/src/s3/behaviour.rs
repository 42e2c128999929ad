//! In which ways the server can be bad.

use std::time::Duration;

/// How the server behaves. The default is a good server; every field is one way to be bad.
///
/// The fields that count (`u64`) say how often more it is to happen and go down by one each time
/// it does. Answers to a get that have nothing to spoil, or a single byte, are left alone.
#[derive(Debug, Clone, Default)]
pub struct Behaviour {
    /// Conditions on writes are accepted and ignored, as s3s-fs and Garage do.
    pub ignore_conditions: bool,
    /// Conditions are checked some time before the write, so that racing writers all win.
    pub racy_conditions: bool,
    /// The next conditional writes are answered 409 `ConditionalRequestConflict`, and nothing is
    /// written, as if another write of the key were in flight.
    pub conflicts: u64,
    /// A second write of a key within that time is answered 429, as R2 does. A write that is
    /// refused for its condition counts as a write, one that is answered 429 does not.
    pub writes_per_key: Option<Duration>,
    /// Every write and deletion is answered 403 `AccessDenied`.
    pub refuse_writes: bool,

    /// How long every request waits before it is carried out.
    pub latency: Duration,
    /// How fast the bodies of requests and answers go, each on its own.
    pub bytes_per_second: Option<u64>,
    /// The next requests are answered 503 `SlowDown`.
    pub throttled: u64,
    /// After so many more requests, every request is answered 400 `ExpiredToken`.
    pub expire_after: Option<u64>,
    /// Every request is answered 403 `RequestTimeTooSkewed`.
    pub clock_skew: bool,
    /// The next puts that succeed are carried out, and then the connection is closed without an
    /// answer.
    pub lose_answers: u64,
    /// The same for the next completions of multipart uploads.
    pub lose_completions: u64,

    /// The next answers to a get end half-way by closing the connection.
    pub cut_bodies: u64,
    /// The next answers to a get have one wrong bit, in the middle.
    pub wrong_bytes: u64,
    /// The next answers to a get announce half of the bytes and give those, as if that were all.
    pub short_bodies: u64,
    /// After so many more answers to gets and lists, one is 200 and an error in place of what was
    /// asked for.
    pub error_after: Option<u64>,
    /// A key that is not there is answered 403, as without the permission to list.
    pub hide_missing: bool,

    /// Keys written within the last two seconds are not listed.
    pub late_lists: bool,
    /// Lists go from the last key to the first, pages too.
    pub reversed_lists: bool,
    /// A page of a list has at most so many items, however many were asked for.
    pub items_per_page: Option<usize>,
    /// A page of a list begins with the object that the page before ended with.
    pub repeated_items: bool,
}

/// Whether something counted is to happen now; if so, it is to happen once less.
pub(super) fn take(count: &mut u64) -> bool {
    let now = *count > 0;
    *count = count.saturating_sub(1);
    now
}
