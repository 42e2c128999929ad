//! What a caller asks of a ref, and the answer.

use super::LogEntry;
use crate::env::Timestamp;
use crate::limits;
use crate::name::{Actor, BookId, CommitId, Operation, RefName, RequestId};
use crate::object::Metadata;
use crate::store::StoreError;

/// A wish to move a ref.
#[derive(Debug, Clone)]
pub struct RefUpdate {
    /// The book.
    pub book: BookId,
    /// The ref.
    pub name: RefName,
    /// What the caller believes to be there.
    pub expect: Expectation,
    /// Where the ref is to point; none to delete it.
    pub target: Option<CommitId>,
    /// Who moves it.
    pub actor: Actor,
    /// By what operation.
    pub operation: Operation,
    /// Why.
    pub message: String,
    /// Names this wish: repeating it with the same id never does it twice.
    pub request_id: RequestId,
    /// Small facts by name.
    pub metadata: Metadata,
    /// When the work began whose result this is: what it relies on was seen no earlier. An update
    /// that comes half a grace period later ([`limits::GRACE`](crate::limits::GRACE)) is refused.
    pub began: Timestamp,
}

impl RefUpdate {
    /// Refuses an update whose work took so long that what it relies on may have been collected.
    pub(crate) fn check_duration(&self, now: Timestamp) -> Result<(), StoreError> {
        limits::check_duration(self.began, now).map_err(|hours| StoreError::TookTooLong { hours })
    }
}

/// What the caller believes a ref to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expectation {
    /// Never created, or deleted.
    Absent,
    /// Pointing at this commit.
    Is(CommitId),
    /// Whatever it is.
    Any,
}

/// What became of a [`RefUpdate`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpdateOutcome {
    /// The ref moved, by this entry.
    Moved(LogEntry),
    /// The expectation does not hold, or there is nothing to delete; this is the newest entry.
    /// Nothing was written.
    Refused(Option<LogEntry>),
}

impl Expectation {
    /// Whether a ref whose newest entry is `head` is as expected.
    pub fn holds(self, head: Option<&LogEntry>) -> bool {
        let target = head.and_then(|head| head.entry.target);
        match self {
            Self::Absent => target.is_none(),
            Self::Is(commit) => target == Some(commit),
            Self::Any => true,
        }
    }

    /// Expects what `target` says: this commit, or nothing.
    pub fn from_target(target: Option<CommitId>) -> Self {
        target.map_or(Self::Absent, Self::Is)
    }
}
