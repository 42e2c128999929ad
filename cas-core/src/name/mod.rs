//! Names of things, each a type that cannot hold a bad value.
//!
//! Parsing is the only way to make one from text, and every rule that a name obeys is stated at
//! its type. This module does no I/O.

mod actor;
mod book;
mod entry;
mod fault;
mod id;
mod path;
mod reference;
mod revision;

pub use actor::{Actor, Operation, RequestId};
pub use book::BookId;
pub use entry::{EntryName, collision_key};
pub use fault::NameError;
pub use id::{BlobId, CommitId, EntryId, Hash, HashPrefix, TreeId};
pub use path::BookPath;
pub use reference::RefName;
pub use revision::{Base, Revision};
