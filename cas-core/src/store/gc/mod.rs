//! What a store says about garbage collection, and how writers heed it.
//!
//! Nobody can delete on a condition, so whoever deletes must announce it first. A collection
//! *condemns* objects by a list, and deletes what is on it at least [`GRACE`](limits::GRACE) later.
//! Between the two, and for as long again, every writer that moves a ref looks whether what it
//! relies on is on a list ([`GuardedRefs`]). A list is *open* until it is retired.
//!
//! [`GcLog`] is the record of all that: entries like those of a ref, each with all open lists, so
//! that the newest says everything. [`Open`] is what a process has read of it.

mod again;
mod entry;
mod guard;
mod late;
mod log;
mod open;

pub(crate) use entry::{CondemnedList, GcEntry, GcEvent, ListState, Part, RECORD_BYTES, record};
pub(crate) use guard::GuardedRefs;
pub(crate) use log::{GcLog, Step};
pub(crate) use open::{Open, read_part, records};
