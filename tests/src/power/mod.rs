//! Power cuts, replayed: what a store in a folder asked of the disk is recorded, and every folder
//! that a cut may leave is made from it.

mod disk;
mod recording;

pub use disk::{Bytes, Disk, Image, distinct, scratch, write};
pub use recording::{Event, Recording};
