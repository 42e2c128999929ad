//! What a store in a folder asks of the file system, told to whoever wants to know.
//!
//! For tests of what a power cut leaves (`docs/testing.md`): nothing is recorded in a program.

use std::fmt::Debug;

/// A call that changed the folder or made a change durable, after it succeeded. Paths are relative
/// to the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// A new, empty file was made.
    Create(String),
    /// Bytes were appended to a file.
    Append(String, Vec<u8>),
    /// Bytes were written into a file from an offset on.
    WriteAt(String, u64, Vec<u8>),
    /// The file at the first path has the second as well.
    Link(String, String),
    /// The file at the first path has the second instead.
    Rename(String, String),
    /// A file was removed.
    Remove(String),
    /// A folder was made.
    MakeFolder(String),
    /// An empty folder was removed.
    RemoveFolder(String),
    /// The bytes of a file are durable.
    SyncFile(String),
    /// The names in a folder are durable; the empty path is the folder of the store.
    SyncFolder(String),
    /// All that was done before is durable.
    SyncAll,
}

/// Is told of each call, in the order in which they were made.
pub trait Recorder: Debug + Send + Sync {
    /// A call succeeded.
    fn record(&self, call: Call);
}
