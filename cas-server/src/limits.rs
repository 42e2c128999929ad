//! What one client, and all of them together, may take of the server.

use std::num::NonZeroU32;
use std::time::Duration;

/// Limits on connections, requests and time. The defaults keep a machine of 4 GiB up whatever
/// clients do.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Most connections at once. Further ones wait to be taken.
    pub connections: usize,
    /// Most requests at once, each until the last byte of its answer is sent. Further ones are
    /// answered 503 `overloaded` at once.
    pub requests: usize,
    /// Longest head of a request, in bytes: request line and headers.
    pub header_bytes: usize,
    /// How long the head of a request may take from its first byte on, and the first byte of a
    /// connection, a TLS handshake included.
    pub header_timeout: Duration,
    /// How long a connection may be without a request.
    pub idle_timeout: Duration,
    /// How long the work on a request may take, until the answer begins, not counting the time in
    /// which its body comes.
    pub request_timeout: Duration,
    /// Least speed of a body on its way in and of an answer on its way out, in bytes a second,
    /// averaged over [`rate_window`](Self::rate_window) of waiting. Whoever is slower is dropped.
    pub least_rate: u64,
    /// Over how much waiting for a client its speed is averaged.
    pub rate_window: Duration,
    /// Most requests a second with one token, and four times as many at once; no limit if none.
    pub token_rate: Option<NonZeroU32>,
    /// How long what is known about a token, or that there is none, may be out of date.
    pub token_ttl: Duration,
    /// How long requests under way may take to end once the server is told to stop.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 16_384,
            requests: 1024,
            header_bytes: 64 * 1024,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_mins(1),
            request_timeout: Duration::from_mins(1),
            least_rate: 1024,
            rate_window: Duration::from_secs(20),
            token_rate: NonZeroU32::new(2000),
            token_ttl: Duration::from_secs(5),
            drain_timeout: Duration::from_secs(30),
        }
    }
}
