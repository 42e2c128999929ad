//! What a book says about itself in `book.toml`: its title, its schema, its personal branches.
//!
//! Pure: text and lists of files go in, violations come out. Who refuses a commit for them is
//! `repo/schema.rs`; `docs/schema.md` is normative.
//!
//! **Architecture invariant:** no rule is about `book.toml` itself but that it can be read, so that
//! a book can always be put right by changing it.

mod check;
mod file;
mod pattern;
mod preset;
mod violation;

pub use check::SchemaFile;
pub(crate) use check::{Folder, sorted};
pub use file::{BookFile, BookFileError, Personal, Preset};
pub use violation::{Severity, Violation};

/// The name of the file, at the root of a book.
pub const BOOK_FILE: &str = "book.toml";

/// The most bytes that it may have.
pub const BOOK_FILE_BYTES: u64 = 64 * 1024;
