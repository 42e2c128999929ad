//! Refs: names that point at commits, each kept as a log of every value it ever had.
//!
//! The newest entry of the log *is* the ref, so a ref cannot move without leaving who moved it,
//! when, from where and to where.

mod checkpoint;
mod entry;
mod group;
mod known;
mod log;
mod many;
mod signature;
mod update;
mod upstream;
mod verify;

pub use checkpoint::{Checkpoint, CheckpointError, Position};
pub use entry::{LogEntry, RefEntry};
pub use group::{GROUP_REQUESTS, Request};
pub use log::RefLog;
pub use signature::Signed;
pub use update::{Expectation, RefUpdate, UpdateOutcome};
pub use upstream::{Follow, Upstream, upstream_update_fault};
pub use verify::{LogFault, LogProof, LogReport, SignedFrom, prove_log, verify_log};

pub(crate) use entry::subject_of;
pub(crate) use group::group_metadata;
pub(crate) use log::{REPLAY_ENTRIES, earlier_try, entry_at};
pub(crate) use many::one_by_one;
pub(crate) use verify::check_chain;

use crate::error::ErrorKind;
use crate::name::{BookId, NameError, RefName, RequestId};
use crate::object::DecodeError;
use crate::store::StoreError;

/// Whether a metadata key is one of those that only whoever writes an entry may set: it names a
/// request, or is the signature.
pub fn is_reserved(key: &str) -> bool {
    group::names_request(key) || signature::is_signature(key)
}

/// Why a ref could not be read or moved. A lost race is no error but an
/// [`UpdateOutcome::Refused`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RefError {
    /// The store failed before anything was written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An entry that is not what it should be.
    #[error("ref log entry {seq} of {book}@{name} is damaged")]
    Damaged {
        /// The book.
        book: BookId,
        /// The ref.
        name: RefName,
        /// The entry's position.
        seq: u64,
        /// What is wrong.
        source: DecodeError,
    },
    /// A key under `refs/` whose position cannot be read.
    #[error("unknown key {key} among the refs")]
    UnknownKey {
        /// The key.
        key: String,
    },
    /// The write may or may not have happened.
    #[error("it is not known whether {book}@{name} moved (request {request_id})")]
    FateUnknown {
        /// The book.
        book: BookId,
        /// The ref.
        name: RefName,
        /// The request to ask about or repeat.
        request_id: RequestId,
        /// What the store said last.
        source: StoreError,
    },
    /// A tag was to move.
    #[error("tag {book}@{name} cannot change: a tag points at one commit for ever")]
    TagMoves {
        /// The book.
        book: BookId,
        /// The tag.
        name: RefName,
    },
    /// Two logs that began alike went different ways.
    #[error(
        "{book}@{name} went another way here: entry {seq} is not the one that was to be copied"
    )]
    Diverged {
        /// The book.
        book: BookId,
        /// The ref.
        name: RefName,
        /// The position.
        seq: u64,
    },
    /// The new entry would break a rule.
    #[error(transparent)]
    Invalid(#[from] NameError),
    /// Too many writers at once.
    #[error("{book}@{name} moved {attempts} times while this change waited its turn")]
    Contended {
        /// The book.
        book: BookId,
        /// The ref.
        name: RefName,
        /// How often it was tried.
        attempts: u32,
    },
}

impl RefError {
    /// The error for an entry that is missing although later ones are there.
    pub(crate) fn gap(book: &BookId, name: &RefName, seq: u64) -> Self {
        Self::Damaged {
            book: book.clone(),
            name: name.clone(),
            seq,
            source: DecodeError::Rule("it is missing, but later entries are there".to_owned()),
        }
    }

    /// What the caller should do.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Store(source) => source.kind(),
            Self::Damaged { .. } | Self::UnknownKey { .. } => ErrorKind::Corrupt,
            Self::FateUnknown { .. } | Self::Contended { .. } => ErrorKind::Unavailable,
            Self::TagMoves { .. } | Self::Diverged { .. } => ErrorKind::Conflict,
            Self::Invalid(source) => source.kind(),
        }
    }
}
