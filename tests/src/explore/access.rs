//! What processes do to a store, and which of it others can notice.
//!
//! Two calls of different processes change nothing for one another unless one of them writes what
//! the other reads or writes. A call that none of those that another process can ever make meets
//! may happen whenever it comes.

use std::collections::BTreeSet;
use std::fmt;

use object_store::path::Path as Key;

/// One call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Reads what is at a key.
    Get(Key),
    /// Looks at what is at a key.
    Head(Key),
    /// Writes a key.
    Put(Key),
    /// Deletes a key.
    Delete(Key),
    /// Lists everything below a key.
    List(Option<Key>),
    /// Lists what is right below a key.
    Level(Option<Key>),
}

/// All calls of several processes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accesses {
    by_process: Vec<BTreeSet<Access>>,
    /// Keys that are there from the beginning.
    first: BTreeSet<Key>,
}

impl Access {
    /// The key.
    pub const fn key(&self) -> Option<&Key> {
        match self {
            Self::Get(key) | Self::Head(key) | Self::Put(key) | Self::Delete(key) => Some(key),
            Self::List(key) | Self::Level(key) => key.as_ref(),
        }
    }

    /// Whether it changes something.
    pub const fn is_write(&self) -> bool {
        matches!(self, Self::Put(_) | Self::Delete(_))
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Self::Get(_) => "get",
            Self::Head(_) => "head",
            Self::Put(_) => "put",
            Self::Delete(_) => "delete",
            Self::List(_) => "list",
            Self::Level(_) => "list right",
        };
        write!(f, "{what} {}", self.key().map(Key::as_ref).unwrap_or_default())
    }
}

impl Accesses {
    /// None yet.
    pub fn new(processes: usize) -> Self {
        Self { by_process: vec![BTreeSet::new(); processes], first: BTreeSet::new() }
    }

    /// None yet, of a store that has these keys.
    pub fn of_store(processes: usize, keys: impl Iterator<Item = Key>) -> Self {
        Self { first: keys.collect(), ..Self::new(processes) }
    }

    /// One more.
    pub fn note(&mut self, process: usize, access: &Access) {
        self.by_process[process].insert(access.clone());
    }

    /// Takes over what another knows. Whether any of it is new.
    pub fn add(&mut self, other: &Self) -> bool {
        let mut is_new = false;
        for (own, others) in self.by_process.iter_mut().zip(&other.by_process) {
            for access in others {
                is_new |= own.insert(access.clone());
            }
        }
        is_new
    }

    /// Whether a call of one process may be noticed by another one, or notice it.
    pub fn meets(&self, process: usize, access: &Access) -> bool {
        let others = self.by_process.iter().enumerate().filter(|(at, _)| *at != process);
        others.flat_map(|(_, all)| all).any(|other| {
            (access.is_write() && self.notices(other, access))
                || (other.is_write() && self.notices(access, other))
        })
    }

    /// Whether a call notices that a key was written.
    fn notices(&self, access: &Access, write: &Access) -> bool {
        let Some(written) = write.key() else { return false };
        match access {
            Access::List(below) => below.as_ref().is_none_or(|below| written.prefix_matches(below)),
            Access::Level(below) => self.changes_level(below.as_ref(), written),
            _ => access.key() == Some(written),
        }
    }

    /// Whether what is right below a key may be another with a key written: not if that is in a
    /// folder that holds something that nobody ever deletes.
    fn changes_level(&self, below: Option<&Key>, written: &Key) -> bool {
        let root = Key::default();
        let below = below.unwrap_or(&root);
        let Some(mut rest) = written.prefix_match(below) else { return false };
        let Some(child) = rest.next() else { return false };
        if rest.next().is_none() {
            return true;
        }
        let folder: Key = below.parts().chain([child]).collect();
        let deleted = |key: &Key| {
            let delete = Access::Delete(key.clone());
            self.by_process.iter().any(|all| all.contains(&delete))
        };
        !self.first.iter().any(|key| key.prefix_matches(&folder) && !deleted(key))
    }
}
