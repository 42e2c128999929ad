//! What can be wrong with a [`Subject`](super::subject::Subject): one deliberate flaw for each
//! thing that a check must be able to notice.

use std::collections::BTreeSet;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path as Key;

use super::broken::{Broken, Role};
use crate::mutant::{Flaw, RefFlaw};

/// A flaw, by where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flawed {
    /// In the object store.
    Store(Flaw),
    /// In the refs.
    Refs(RefFlaw),
    /// In what is done with them.
    Program(ProgramFlaw),
    /// In how a rule of garbage collection is kept.
    Collection(Broken),
}

/// What is wrong with a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgramFlaw {
    /// A merge of two changed sides has both as parents and only what ours has.
    MergeDropsTheirs,
    /// A merge takes our side where both changed the same, and does not say so.
    MergeGuesses,
    /// Removing a page that is not there fails.
    RemoveWantsThePage,
    /// An update is answered with `created`.
    SaysCreated,
    /// Of a difference of several pages the last is left out.
    DiffForgets,
    /// What failed is tried again under the name of another request.
    TriesAgainAsAnother,
}

impl Flawed {
    /// Every flaw that some sequence of single operations must show.
    pub const SEQUENTIAL: [Self; 15] = [
        Self::Store(Flaw::TouchesOld),
        Self::Store(Flaw::Drops("blobs/")),
        Self::Store(Flaw::Drops("trees/")),
        Self::Store(Flaw::Drops("commits/")),
        Self::Store(Flaw::Drops("refs/")),
        Self::Store(Flaw::CopiesAlong),
        Self::Store(Flaw::ForksLogs),
        Self::Refs(RefFlaw::MovesMainToo),
        Self::Refs(RefFlaw::ForgetsRequests),
        Self::Refs(RefFlaw::ForgetsActors),
        Self::Program(ProgramFlaw::MergeDropsTheirs),
        Self::Program(ProgramFlaw::MergeGuesses),
        Self::Program(ProgramFlaw::RemoveWantsThePage),
        Self::Program(ProgramFlaw::SaysCreated),
        Self::Program(ProgramFlaw::DiffForgets),
    ];

    /// Every flaw that only shows when somebody comes between the calls of another.
    pub const CONCURRENT: [Self; 3] = [
        Self::Store(Flaw::IgnoresPutIfAbsent),
        Self::Store(Flaw::EntryFirst),
        Self::Refs(RefFlaw::ForgetsExpectations),
    ];

    /// Every flaw that only shows when a call fails.
    pub const FAILING: [Self; 2] =
        [Self::Store(Flaw::TakesTakenForDone), Self::Program(ProgramFlaw::TriesAgainAsAnother)];

    /// The store as a process with this flaw sees it; `past` is what was ever there.
    pub fn show(
        flaw: Option<Self>,
        role: Role,
        store: Arc<dyn ObjectStore>,
        past: &BTreeSet<Key>,
    ) -> Arc<dyn ObjectStore> {
        match flaw {
            Some(Self::Collection(rule)) => rule.show(role, store, past),
            _ => store,
        }
    }

    /// Leaves of what was found only what a flaw is to show; all of it if there is none.
    pub fn keep_shown(flaw: Option<Self>, found: &mut Vec<String>) {
        if let Some(flaw) = flaw {
            found.retain(|what| what.starts_with(flaw.breaks()));
        }
    }

    /// Which invariant it breaks, by the word that findings of it begin with.
    pub fn breaks(self) -> &'static str {
        match self {
            Self::Store(Flaw::TouchesOld) => "immutable",
            Self::Store(Flaw::TakesTakenForDone | Flaw::Drops("refs/"))
            | Self::Refs(RefFlaw::ForgetsRequests)
            | Self::Program(ProgramFlaw::SaysCreated | ProgramFlaw::TriesAgainAsAnother) => {
                "certain"
            }
            Self::Collection(Broken::DeletesNothing) => "collected",
            Self::Store(Flaw::Drops(_) | Flaw::EntryFirst)
            | Self::Refs(RefFlaw::ForgetsWhenItBegan)
            | Self::Collection(_) => "closed",
            Self::Store(Flaw::CopiesAlong) => "shared",
            Self::Store(Flaw::ForksLogs) => "linear",
            Self::Store(Flaw::IgnoresPutIfAbsent) | Self::Refs(RefFlaw::ForgetsExpectations) => {
                "no lost update"
            }
            Self::Refs(RefFlaw::MovesMainToo) => "isolated",
            Self::Refs(RefFlaw::ForgetsActors) => "attributed",
            Self::Program(ProgramFlaw::MergeDropsTheirs | ProgramFlaw::MergeGuesses) => {
                "merge sound"
            }
            Self::Program(ProgramFlaw::RemoveWantsThePage) => "idempotent delete",
            Self::Program(ProgramFlaw::DiffForgets) => "delta exact",
        }
    }
}
