//! What a collection did, and what is under way.

use std::collections::BTreeMap;

use crate::env::Timestamp;
use crate::object::Kind;
use crate::store::gc::{CondemnedList, ListState};

/// How many unknown keys are told by name.
const UNKNOWN_KEYS: usize = 1_000;

/// What a collection did, or with a dry run would have done.
#[derive(Debug, Clone, Default)]
pub struct GcReport {
    /// How many refs there are, those deleted with them.
    pub refs: u64,
    /// What stays because something reaches it, by kind: a ref, or what is too young to be judged.
    pub kept: BTreeMap<Kind, Tally>,
    /// What nothing reaches and is too young to be judged.
    pub young: Tally,
    /// What nothing reaches and was condemned by this run.
    pub condemned: Tally,
    /// What was deleted by this run.
    pub deleted: Tally,
    /// What had been condemned and stays: something reaches it again, or it was put again.
    pub rescued: Tally,
    /// How many lists nobody depends on any more.
    pub retired: u64,
    /// The list that is published and not due yet.
    pub waiting: Option<OpenList>,
    /// From when on there is something to delete, by the store's clock.
    pub next_due: Option<Timestamp>,
    /// How many keys are none of the format's. They are left alone.
    pub unknown: u64,
    /// The first thousand of them.
    pub unknown_keys: Vec<String>,
}

/// Some objects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What is under way.
#[derive(Debug, Clone, Default)]
pub struct GcStatus {
    /// The lists that are open, oldest first.
    pub lists: Vec<OpenList>,
}

/// A list of condemned objects that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenList {
    /// Its number.
    pub seq: u64,
    /// `condemned`, `deleting` or `deleted`.
    pub state: &'static str,
    /// What is on it.
    pub tally: Tally,
    /// When it was published, by the store's clock.
    pub published: Timestamp,
}

impl OpenList {
    pub(super) fn of(list: &CondemnedList, published: Timestamp) -> Self {
        let state = match list.state {
            ListState::Condemned => "condemned",
            ListState::Deleting => "deleting",
            ListState::Deleted => "deleted",
        };
        let tally = Tally { objects: list.objects(), bytes: list.bytes };
        Self { seq: list.seq, state, tally, published }
    }
}

impl Tally {
    pub(super) const fn add(&mut self, bytes: u64) {
        self.objects += 1;
        self.bytes += bytes;
    }
}

impl GcReport {
    pub(super) fn note_unknown(&mut self, keys: Vec<String>) {
        self.unknown += keys.len() as u64;
        let room = UNKNOWN_KEYS.saturating_sub(self.unknown_keys.len());
        self.unknown_keys.extend(keys.into_iter().take(room));
    }
}
