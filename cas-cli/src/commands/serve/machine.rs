//! What the machine gives to a server: open files, threads, signals.

use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Open files that are not connections: the store's, temporary ones, the program's own.
const OTHER_FILES: u64 = 1024;

/// Fewest threads. A folder store does its disk work on the calling thread, so that a thread is
/// often busy with waiting for a disk.
const THREADS: usize = 8;

/// How many threads answer requests: more than cores, because of those that wait for a disk.
pub(super) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).saturating_mul(4).max(THREADS)
}

/// Asks for as many open files as the system allows, and says how many connections fit, if fewer
/// than `wanted`.
pub(super) fn room_for(wanted: usize) -> Result<(), usize> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // What cannot be raised stays as it is.
    let _ = setrlimit(Resource::Nofile, limit);
    let Some(files) = getrlimit(Resource::Nofile).current else { return Ok(()) };
    let room = files.saturating_sub(OTHER_FILES).max(files / 2).max(1);
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    if room < wanted { Err(room) } else { Ok(()) }
}

/// The signals that end a server.
#[derive(Debug)]
pub(super) struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    pub(super) fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next one, and gives its number.
    pub(super) async fn next(&mut self) -> i32 {
        tokio::select! {
            _ = self.terminate.recv() => SignalKind::terminate().as_raw_value(),
            _ = self.interrupt.recv() => SignalKind::interrupt().as_raw_value(),
        }
    }
}

/// The signal by which a server is asked to read its certificate again.
pub(super) fn hangups() -> std::io::Result<Signal> {
    signal(SignalKind::hangup())
}
