//! Why a store could not do what it was asked.

use super::wire::WireError;
use super::{Cause, RemoteError};
use crate::error::ErrorKind;
use crate::name::Hash;
use crate::object::{DecodeError, Kind};

/// A failure of the store, or of what is in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The object store below failed.
    #[error("cannot {action} {key}")]
    Backend {
        /// What was tried, e.g. `read`.
        action: &'static str,
        /// The key, or the folder of keys.
        key: String,
        /// What it said.
        source: object_store::Error,
    },
    /// The machine failed.
    #[error("cannot {action}")]
    Io {
        /// What was tried, with the file's name.
        action: String,
        /// What it said.
        source: std::io::Error,
    },
    /// An object that something names is not there.
    #[error("{kind} {id} is missing from the store")]
    Missing {
        /// Its kind.
        kind: Kind,
        /// Its id.
        id: Hash,
    },
    /// Stored bytes do not hash to their id.
    #[error("{kind} {id} is damaged: {reason}")]
    Damaged {
        /// Its kind.
        kind: Kind,
        /// Its id.
        id: Hash,
        /// How it shows.
        reason: String,
    },
    /// Stored bytes hash to their id but are no valid object: whoever wrote them broke a rule.
    #[error("{kind} {id} breaks a rule of the format")]
    Undecodable {
        /// Its kind.
        kind: Kind,
        /// Its id.
        id: Hash,
        /// The rule.
        source: DecodeError,
    },
    /// Content given under an id that is not its own: it changed while it was being written.
    #[error("content changed while it was being written as {kind} {id}")]
    ContentChanged {
        /// Its kind.
        kind: Kind,
        /// The id that it had.
        id: Hash,
    },
    /// An object too large for what it was asked for.
    #[error("{kind} {id} has {size} bytes, over the limit of {limit}")]
    TooLarge {
        /// Its kind.
        kind: Kind,
        /// Its id.
        id: Hash,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A value to be written breaks a rule.
    #[error("cannot write this {kind}")]
    Unwritable {
        /// Its kind.
        kind: Kind,
        /// The rule.
        source: DecodeError,
    },
    /// There is no store at this place.
    #[error("there is no store at {location}")]
    NoStore {
        /// The place.
        location: String,
    },
    /// The place is in use for something else.
    #[error("{location} is not empty and not a store")]
    NotEmpty {
        /// The place.
        location: String,
    },
    /// The store's format marker cannot be used.
    #[error("the store at {location} cannot be used")]
    BadMarker {
        /// The place.
        location: String,
        /// Why.
        source: DecodeError,
    },
    /// The record of garbage collection is not what it should be. Nothing is moved or deleted.
    #[error("{key} is damaged: it is part of the record of garbage collection")]
    BadGcLog {
        /// Its key.
        key: String,
        /// What is wrong.
        source: DecodeError,
    },
    /// What was just written is not there.
    #[error("{key} was written and is not there")]
    Lost {
        /// Its key.
        key: String,
    },
    /// Something that a version relies on was collected while the version was being made.
    #[error("{kind} {id} was removed by garbage collection meanwhile")]
    Collected {
        /// Its kind.
        kind: Kind,
        /// Its id.
        id: Hash,
    },
    /// A ref came to name a version so late that something of it had been collected, and was moved
    /// back where it was.
    #[error(
        "this came too late: {kind} {id} was removed by garbage collection, and the ref was taken back"
    )]
    TakenBack {
        /// Its kind.
        kind: Kind,
        /// Its id.
        id: Hash,
    },
    /// What was being written took so long that what it relies on may be collected.
    #[error("this took more than {hours} hours, and what it relies on may be gone")]
    TookTooLong {
        /// How long it may take.
        hours: u64,
    },
    /// The store failed the proof that racing writers need, and nobody took that upon themselves.
    #[error("the store is closed for writing: its bucket failed the proof of put-if-absent")]
    Closed,
    /// The bucket failed the proof that racing writers need.
    #[error("{location} cannot hold a store: {reason}")]
    Unsafe {
        /// The place.
        location: String,
        /// What it did.
        reason: String,
    },
    /// There are no usable credentials for a bucket.
    #[error("{reason}")]
    Credentials {
        /// What is missing, and where it is looked for.
        reason: String,
    },
    /// An upload was given up, because something else failed or the user wanted to stop.
    #[error("the upload was given up")]
    GivenUp,
    /// Objects on their way between a server and a client that break a rule.
    #[error("what came over the network cannot be used")]
    Wire(#[from] WireError),
    /// A server keeps the store, and what is in its bucket is not to be got at from here.
    #[error("{location} is a server: its store is made, proved and repaired where it is kept")]
    NoBucket {
        /// The server.
        location: String,
    },
    /// A server failed, or the way to it.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// The place is given in a way that this program does not know.
    #[error("{location:?} is no store location: {rule}")]
    BadLocation {
        /// The place.
        location: String,
        /// The rule that it breaks.
        rule: &'static str,
    },
}

impl StoreError {
    /// What the caller should do.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Backend { source, .. } => Cause::of(source).kind,
            Self::Credentials { .. } => ErrorKind::PermissionDenied,
            Self::Collected { .. } | Self::TookTooLong { .. } | Self::GivenUp => {
                ErrorKind::Unavailable
            }
            Self::Io { source, .. } => source.into(),
            Self::Missing { .. }
            | Self::Damaged { .. }
            | Self::Undecodable { .. }
            | Self::Lost { .. } => ErrorKind::Corrupt,
            Self::Wire(source) => source.kind(),
            Self::Remote(source) => source.kind(),
            Self::ContentChanged { .. } | Self::TakenBack { .. } => ErrorKind::Conflict,
            Self::NoStore { .. } => ErrorKind::NotFound,
            Self::Closed
            | Self::Unsafe { .. }
            | Self::TooLarge { .. }
            | Self::Unwritable { .. }
            | Self::NotEmpty { .. }
            | Self::NoBucket { .. }
            | Self::BadLocation { .. } => ErrorKind::Invalid,
            // A version that is not known here is no damage.
            Self::BadMarker { source, .. } | Self::BadGcLog { source, .. } => match source {
                DecodeError::UnknownVersion { .. } => ErrorKind::Invalid,
                _ => ErrorKind::Corrupt,
            },
        }
    }

    /// Whether it says what is wrong with one object, and not that it could not be looked at.
    pub(crate) const fn is_of_object(&self) -> bool {
        matches!(
            self,
            Self::Missing { .. }
                | Self::Damaged { .. }
                | Self::Undecodable { .. }
                | Self::TooLarge { .. }
        )
    }

    /// What a bucket's error means; `None` for any other.
    pub fn cause(&self) -> Option<Cause> {
        match self {
            Self::Backend { source, .. } => Some(Cause::of(source)),
            _ => None,
        }
    }

    pub(crate) fn backend(
        action: &'static str,
        key: &(impl ToString + ?Sized),
    ) -> impl FnOnce(object_store::Error) -> Self {
        let key = key.to_string();
        move |source| Self::Backend { action, key, source }
    }

    pub(crate) fn io(action: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let action = action.into();
        move |source| Self::Io { action, source }
    }
}
