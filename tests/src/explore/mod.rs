//! The explorer: every small instance of the store, checked against a plain model.
//!
//! The real code runs over a store in memory, with a clock and randomness of its own, and after
//! every step what it wrote and answered is held against the model.
//!
//! - [`search`]: all sequences of operations up to a length.
//! - [`schedules`]: all orders of the calls of several processes.
//! - [`failures`]: a failure of every kind at every call of every operation.
//! - [`mutations`]: that all of these find what is wrong.
//!
//! See `docs/explorer.md`.

pub mod access;
pub mod aged;
pub mod broken;
pub mod checks;
pub mod collected;
pub mod digest;
pub mod failures;
pub mod flaw;
mod frontier;
pub mod gate;
pub mod gated;
pub mod lists;
pub mod merging;
pub mod model;
pub mod mutations;
pub mod op;
pub mod run;
pub mod scenes;
pub mod schedules;
pub mod scope;
pub mod search;
pub mod subject;
pub mod things;
pub mod time;
pub mod trace;
pub mod world;
