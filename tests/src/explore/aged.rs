//! What a state has besides where time counts: when each object was written, what collections are
//! under way, and what must be gone by now.
//!
//! All times are a grace period and a bit apart, or next to nothing: an object is young or old.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use cas_core::env::Timestamp;
use cas_core::limits;
use object_store::memory::InMemory;
use object_store::path::Path as Key;

use super::checks::{Content, Ids};
use super::lists::{DELETED, GcEntry, OpenList};
use super::model::Model;
use super::things::{self, Thing};
use crate::clocked::{ClockedStore, HandClock};

/// How long is waited at a time.
pub const DAY: Duration = Duration::from_hours(25);

/// After so many collections, a day apart, what nobody needed since is gone: one may have to wait
/// for the list before, one condemns, one deletes.
const COLLECTIONS: u32 = 3;

/// The folders of objects.
const OBJECTS: [&str; 3] = ["blobs/", "trees/", "commits/"];

/// Where in time a store is.
#[derive(Debug, Clone)]
pub struct Aged {
    /// The present moment.
    pub now: Timestamp,
    /// When each key was written.
    pub written: BTreeMap<Key, Timestamp>,
    /// How many collections ran, each a day after what was before, since an object was needed last:
    /// written, or named by what a ref keeps.
    useless: BTreeMap<Key, u32>,
    /// Every object that was ever there.
    pub past: BTreeSet<Key>,
}

/// An open list, as far as it decides what happens next.
#[derive(Debug)]
pub struct Listed {
    state: u64,
    published: Timestamp,
    deleted: Option<Timestamp>,
    keys: BTreeSet<Key>,
}

impl Aged {
    /// The beginning.
    pub fn first() -> Self {
        let now = HandClock::new().read();
        Self { now, written: BTreeMap::new(), useless: BTreeMap::new(), past: BTreeSet::new() }
    }

    /// The store in `memory` with the ages of its objects, and its clock.
    pub fn open(&self, memory: Arc<InMemory>) -> (ClockedStore, HandClock) {
        let clock = HandClock::at(self.now);
        (ClockedStore::with_times(memory, clock.clone(), self.written.clone()), clock)
    }

    /// Takes over what was written and how late it is. `quiet` is whether all that happened was a
    /// collection a day later; then what was of no use is of no use for longer.
    pub fn went_on(
        &mut self,
        (store, clock): (&ClockedStore, &HandClock),
        content: &Content,
        kept: &BTreeSet<Key>,
        quiet: bool,
    ) {
        let before = self.now;
        self.now = clock.read();
        self.written = store.times();
        self.written.retain(|key, _| content.contains_key(key));
        let objects = content.keys().filter(|key| is_object(key));
        let useless = objects.map(|key| {
            let known = self.useless.get(key).copied().unwrap_or_default();
            let needed =
                kept.contains(key) || self.written.get(key).is_some_and(|at| *at >= before);
            (key.clone(), if needed || !quiet { 0 } else { known + 1 })
        });
        self.useless = useless.collect();
        self.past.extend(content.keys().filter(|key| is_object(key)).cloned());
    }

    /// What is there although it must be gone.
    pub fn left_behind(&self) -> Vec<String> {
        let left = self.useless.iter().filter(|(_, collections)| **collections >= COLLECTIONS);
        left.map(|(key, _)| format!("collected: {key} is of no use and still there")).collect()
    }

    fn is_old(&self, time: Timestamp) -> bool {
        let passed = self.now.as_micros().saturating_sub(time.as_micros());
        u128::from(passed) >= limits::GRACE.as_micros()
    }

    /// The lists that are open.
    fn lists(&self, content: &Content) -> Vec<Listed> {
        let entries = GcEntry::all(content);
        let Some((_, newest)) = entries.first() else {
            return Vec::new();
        };
        let at = |key: &Key| self.written.get(key).copied().unwrap_or(Timestamp::from_micros(0));
        let time = |found: &dyn Fn(&GcEntry) -> bool| {
            entries.iter().find(|(_, entry)| found(entry)).map(|(key, _)| at(key))
        };
        let listed = |list: &OpenList| Listed {
            state: list.state,
            published: time(&|entry| entry.seq == list.seq).unwrap_or(self.now),
            deleted: time(&|entry| entry.list == list.seq && entry.event == DELETED),
            keys: list.keys(content).into_iter().collect(),
        };
        newest.open.iter().map(listed).collect()
    }

    /// All of it that decides what happens next, each object by the number that `name` gives it.
    pub fn write(
        &self,
        content: &Content,
        model: &Model,
        ids: &Ids,
        name: &mut dyn FnMut(&Thing) -> Vec<u8>,
    ) -> Vec<u8> {
        let lists = self.lists(content);
        let half = u64::try_from(limits::GRACE.as_micros()).unwrap_or(u64::MAX) / 2;
        let mut bytes = Vec::new();
        for list in &lists {
            let deleted = list.deleted.map_or(2, |at| u8::from(self.is_old(at)));
            let state = u8::try_from(list.state).unwrap_or(u8::MAX);
            bytes.extend([state, u8::from(self.is_old(list.published)), deleted]);
        }
        bytes.push(u8::MAX);
        let mut objects = Vec::new();
        for (thing, key) in things::all(model, ids) {
            let written = self.written.get(&key).filter(|_| content.contains_key(&key)).copied();
            let mut about = vec![written.map_or(2, |at| u8::from(self.is_old(at)))];
            for list in &lists {
                let since = list.published.as_micros().saturating_sub(half);
                let again = written.is_some_and(|at| at.as_micros() >= since);
                about.push(u8::from(list.keys.contains(&key)) + 2 * u8::from(again));
            }
            // What is not there and on no list is as if it had never been.
            if about.iter().any(|said| *said != 0) && (written.is_some() || about[1..].contains(&1))
            {
                let mut object = name(&thing);
                object.extend(about);
                objects.push(object);
            }
        }
        bytes.extend(objects.into_iter().flatten());
        bytes
    }
}

/// Whether a key is that of an object.
pub fn is_object(key: &Key) -> bool {
    OBJECTS.iter().any(|folder| key.as_ref().starts_with(folder))
}
