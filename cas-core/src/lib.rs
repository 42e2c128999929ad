//! A content-addressed store for books.
//!
//! Every file is an immutable blob named by its BLAKE3 hash, every version of a book an immutable
//! Merkle tree, and the only thing that ever changes is which version a name points at.
//!
//! Dependencies between the modules run one way:
//!
//! ```text
//! name  →  object  →  schema, sign, store ⇄ refs  →  repo  →  folder
//! ```
//!
//! - [`name`]: validated names and ids.
//! - [`object`]: blobs, trees and commits as values, and their encodings. Pure.
//! - [`store`]: where objects are kept, over any object store; verified on every read.
//! - [`refs`]: the logs of names that point at commits.
//! - [`schema`]: what a book says about itself in `book.toml`, and the rules it keeps. Pure.
//! - [`sign`]: keys, signatures and signed notes. Pure.
//! - [`repo`]: what users do: resolve, edit, list, compare, branch.
//! - [`access`]: who may do what: tokens and their scopes.
//! - [`folder`]: import from and checkout to a folder of the disk.
//! - [`upkeep`]: care for a store as a whole: check it, repair it, measure it, copy it.
//!
//! This crate parses no arguments, serves no HTTP and prints nothing. Time and randomness come
//! in through [`env::Env`].

#[cfg(not(unix))]
compile_error!(
    "cas runs on Unix systems; other systems have no directory handles in this code yet"
);

pub mod access;
pub mod env;
pub mod error;
pub mod folder;
#[doc(hidden)]
pub mod fuzzing;
pub mod limits;
pub mod name;
mod noatime;
pub mod object;
pub mod refs;
pub mod repo;
pub mod schema;
pub mod sign;
pub mod store;
pub mod upkeep;

pub use error::ErrorKind;
