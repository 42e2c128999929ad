//! What is wrong with a stream of objects.

use crate::error::ErrorKind;
use crate::name::Hash;
use crate::object::Kind;

/// A stream of objects that breaks a rule of `docs/wire.md`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// It does not begin as one.
    #[error("this is no stream of objects, or one of an unknown version")]
    NotAStream,
    /// The compression is broken.
    #[error("the stream cannot be decompressed")]
    Compression(#[source] std::io::Error),
    /// A frame of no known kind.
    #[error("a frame is of the unknown kind {0}")]
    UnknownKind(u8),
    /// An object that is larger than the reader takes.
    #[error("{kind} {id} is said to have {size} bytes, over the limit of {limit}")]
    TooLarge {
        /// Its kind.
        kind: Kind,
        /// Its id.
        id: Hash,
        /// Its size in bytes, as announced.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// More than the reader takes.
    #[error("the stream holds more than {limit} {what}")]
    TooMuch {
        /// Of what: `objects` or `bytes`.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// Bytes that are not what their id says.
    #[error("{kind} {id} came as bytes that hash to {found}")]
    Wrong {
        /// The kind.
        kind: Kind,
        /// The id that they came under.
        id: Hash,
        /// The hash that they have.
        found: Hash,
    },
    /// The end does not fit what came before it.
    #[error("the end of the stream does not match what came before it")]
    BadEnd,
    /// Something follows the end.
    #[error("something follows the end of the stream")]
    Trailing,
    /// The end is missing.
    #[error("the stream is cut off")]
    Truncated,
    /// The writer was given other bytes than announced.
    #[error("{kind} {id} was announced with {size} bytes and has {found}")]
    Misannounced {
        /// The kind.
        kind: Kind,
        /// The id.
        id: Hash,
        /// How many bytes were announced.
        size: u64,
        /// How many there are, or more than this.
        found: u64,
    },
}

impl WireError {
    /// What the caller should do.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            // A connection that broke looks like this.
            Self::Truncated => ErrorKind::Unavailable,
            Self::TooLarge { .. } | Self::TooMuch { .. } => ErrorKind::Invalid,
            Self::NotAStream
            | Self::Compression(_)
            | Self::UnknownKind(_)
            | Self::Wrong { .. }
            | Self::BadEnd
            | Self::Trailing
            | Self::Misannounced { .. } => ErrorKind::Corrupt,
        }
    }
}
