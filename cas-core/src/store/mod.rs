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
mod cache;
mod cause;
mod connect;
mod doctor;
mod error;
pub(crate) mod gc;
pub mod layout;
mod local;
mod location;
mod marker;
mod objects;
mod once;
mod overlay;
mod prefetch;
mod remote;
mod session;
mod spool;
mod stream;
mod transfer;
mod typed;
pub mod wire;

pub use backend::{ObjectWriter, Objects, Refs};
pub use bucket::Bucket;
pub(crate) use bucket::{Looked, Put};
pub use cache::{Cache, CacheStats, MemoryCache};
pub use cause::Cause;
pub use connect::{
    Connection, ServerConnection, Setting, Source, Variables, connect, connect_server,
};
pub use doctor::{Check, Examination, Finding, Findings, Measured, examine};
pub use error::StoreError;
pub use local::LocalStore;
#[doc(hidden)]
pub use local::record;
pub use location::{Location, R2Account, S3Location};
pub use marker::{Marker, Writers, create, look, open, restrict};
/// What the object store's client says.
pub use object_store::Error as BackendError;
pub use objects::BucketObjects;
pub use prefetch::{Prefetch, Want};
pub use remote::RemoteError;
pub use session::Session;
pub use spool::Spooled;
pub use stream::ByteStream;
pub use typed::{Health, Store};
