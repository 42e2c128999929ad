//! Many objects in one stream of bytes, as they travel between a server and its clients.
//!
//! `docs/wire.md` is normative. In short, before compression:
//!
//! ```text
//! "casobj01"
//! for each object:  kind (1 byte)  id (32)  size (8, big-endian)  the object's bytes
//! at the end:       0              seal (32)                      how many objects (8)
//! ```
//!
//! The seal is the hash of the magic and of all heads, so that nothing can be cut off, added or
//! changed unnoticed: the ids vouch for the bytes, the seal for the ids. The whole is one frame of
//! zstd with a small window.
//!
//! The [`Decoder`] hashes every object, holds a bounded part of the stream whatever that claims,
//! and compares every size with its [`Limits`] before it takes the first byte.

mod decode;
mod encode;
mod error;

pub use decode::{Decoder, Limits, Part};
pub use encode::{Encoder, Outgoing, encode};
pub use error::WireError;

use crate::name::Hash;
use crate::object::Kind;

/// The media type.
pub const MEDIA_TYPE: &str = "application/vnd.cas.objects+zstd";

/// Begins every stream; the digits count its versions.
const MAGIC: &[u8; 8] = b"casobj01";

/// The length of a head: kind, id, size.
const HEAD_BYTES: usize = 1 + 32 + 8;

/// The kind byte of the end.
const END: u8 = 0;

/// The base-2 logarithm of the largest window that a decoder allows, in bytes: 8 MiB, which is
/// what RFC 8878 asks every decoder to have.
const WINDOW_LOG_MAX: u32 = 23;

/// What stands before an object's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The object's kind.
    pub kind: Kind,
    /// Its id.
    pub id: Hash,
    /// How many bytes follow.
    pub size: u64,
}

impl Head {
    fn encode(&self) -> [u8; HEAD_BYTES] {
        frame(number(self.kind), self.id.as_bytes(), self.size)
    }
}

/// A head, or the end, which has the same form.
fn frame(kind: u8, id: &[u8; 32], size: u64) -> [u8; HEAD_BYTES] {
    let mut bytes = [0; HEAD_BYTES];
    bytes[0] = kind;
    bytes[1..33].copy_from_slice(id);
    bytes[33..].copy_from_slice(&size.to_be_bytes());
    bytes
}

/// The byte that stands for a kind.
const fn number(kind: Kind) -> u8 {
    match kind {
        Kind::Blob => 1,
        Kind::Tree => 2,
        Kind::Commit => 3,
    }
}

const fn kind_of(number: u8) -> Option<Kind> {
    match number {
        1 => Some(Kind::Blob),
        2 => Some(Kind::Tree),
        3 => Some(Kind::Commit),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
