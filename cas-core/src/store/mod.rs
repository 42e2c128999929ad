//! The store: objects by id and the refs that name them.
//!
//! Two traits are the seam between what a repository does and where things are kept:
//! [`Objects`] for blobs, trees and commits by id, and [`Refs`] for ref logs. [`Bucket`]
//! implements both over any [`object_store::ObjectStore`]: a folder ([`LocalStore`]), memory, or a
//! cloud bucket. A server's client implements the same traits, so that every operation runs
//! unchanged against it.
//!
//! [`Store`] is what everything above uses: typed, and every byte verified against its id.
//!
//! **Architecture invariant:** bytes whose hash is not their id never leave this module.

mod backend;
mod bucket;
mod error;
pub mod layout;
mod local;
mod marker;
mod objects;
mod session;
mod spool;
mod stream;
mod typed;

pub use backend::{ObjectWriter, Objects, Refs};
pub use bucket::Bucket;
pub(crate) use bucket::Put;
pub use error::StoreError;
pub use local::LocalStore;
pub use marker::{Marker, create, open};
pub use objects::BucketObjects;
pub use session::Session;
pub use spool::Spooled;
pub use stream::ByteStream;
pub use typed::Store;
