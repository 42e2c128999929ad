//! What a store asked of the disk, and where between those calls it said that something was done.

use std::sync::{Mutex, PoisonError};

use cas_core::store::record::{Call, Recorder};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The disk did something.
    Call(Call),
    /// Whoever asked for it was told that so many commands are done.
    Done(usize),
}

/// All that happened, in order.
#[derive(Debug, Default)]
pub struct Recording(Mutex<Vec<Event>>);

impl Recording {
    /// Notes that so many commands are done.
    pub fn done(&self, commands: usize) {
        self.push(Event::Done(commands));
    }

    /// What happened so far.
    pub fn events(&self) -> Vec<Event> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The calls among it.
    pub fn calls(&self) -> Vec<Call> {
        let calls = self.events().into_iter().filter_map(|event| match event {
            Event::Call(call) => Some(call),
            Event::Done(_) => None,
        });
        calls.collect()
    }

    fn push(&self, event: Event) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }
}

impl Recorder for Recording {
    fn record(&self, call: Call) {
        self.push(Event::Call(call));
    }
}
