//! Signatures: Ed25519 keys with names, and signed notes.
//!
//! Keys, signatures and notes have the text forms of C2SP's `signed-note`
//! (<https://c2sp.org/signed-note>), so that what is signed here can be checked by other programs,
//! and the other way round. This module does no I/O, and signs nothing by itself: ref log entries
//! are signed in [`refs`](crate::refs).

mod key;
mod note;

pub use key::{KeyName, KeySignature, SigningKey, VerifierKey};
pub use note::{Note, NoteError};
