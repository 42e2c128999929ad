//! Telling somebody how far long work is.

use std::fmt::Debug;

/// Hears how far long work is. Called from several threads at once.
pub trait Progress: Debug + Send + Sync {
    /// A step begins that will handle `total` files, branches or objects; 0 if nobody knows how
    /// many.
    fn begin(&self, step: Step, total: u64);

    /// So many more files of the step are done.
    fn advance(&self, files: u64);

    /// The work is over, done or not. The caller who gave the listener says so.
    fn end(&self);
}

/// One step of an import or checkout, or of making branches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Reading files.
    Read,
    /// Reading and storing files.
    Store,
    /// Checking what the store has.
    Verify,
    /// Comparing the folder with what it is to become.
    Compare,
    /// Writing files.
    Write,
    /// Bringing branches up to their upstream: what is counted are branches.
    Merge,
    /// Making branches.
    Branch,
    /// Reading the logs of refs: what is counted are refs.
    Logs,
    /// Opening what refs name: what is counted are versions and folders.
    Follow,
    /// Looking at what may be collected: what is counted are objects, or parts of the store.
    Collect,
    /// Copying refs into another store.
    Copy,
    /// Putting right what is missing or damaged.
    Repair,
}

/// Tells nobody.
#[derive(Debug, Clone, Copy)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn begin(&self, _: Step, _: u64) {}

    fn advance(&self, _: u64) {}

    fn end(&self) {}
}
