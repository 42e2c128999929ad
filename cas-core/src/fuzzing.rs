//! Decoders that nothing outside this crate needs, for the fuzz targets alone (`fuzz/`).
//!
//! Each reads bytes with the decoder that the crate itself uses, and gives back what it writes for
//! the value that it read. No promise is made about any of this.

use crate::folder::index_again;
use crate::store::gc::{GcEntry, ListState};

/// Reads a stored entry of the log of garbage collection; gives what is stored for it, and how many
/// objects it says that its open lists hold.
pub fn gc_entry(bytes: &[u8]) -> Option<(Vec<u8>, u64)> {
    let (_, entry) = GcEntry::from_stored(bytes).ok()?;
    let open = entry.open.iter().filter(|list| list.state != ListState::Deleted);
    let objects = open.fold(0_u64, |sum, list| sum.saturating_add(list.objects()));
    Some((entry.to_stored().1, objects))
}

/// Reads a part of a list of condemned objects; gives its records, one after the other.
pub fn gc_part(bytes: &[u8], count: u64) -> Option<Vec<u8>> {
    let records = crate::store::gc::records(bytes, count).ok()?;
    Some(records.concat())
}

/// Reads the index of a folder; gives its stored form again, and how many trees its files make.
pub fn folder_index(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    index_again(bytes)
}
