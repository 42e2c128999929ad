//! What trees say of what they name: its size, and how many files are in it.

use std::io;

use super::super::reach::Opened;
use super::super::records::Records;
use crate::name::Hash;
use crate::object::Totals;

/// An id, a size and a count of files, one after the other.
const BYTES: usize = 48;

/// What is said of trees and blobs, and what the trees are that were opened. Each different
/// statement once.
#[derive(Debug)]
pub(super) struct Claims {
    pub(super) trees: Records<BYTES>,
    pub(super) found: Records<BYTES>,
    pub(super) blobs: Records<BYTES>,
}

impl Claims {
    pub(super) fn new(bytes: usize) -> Self {
        let part = bytes / 3;
        Self { trees: Records::new(part), found: Records::new(part), blobs: Records::new(part) }
    }

    /// Takes in what a tree says, and what it is.
    pub(super) fn take(&mut self, id: &Hash, opened: &Opened) -> io::Result<()> {
        let Opened::Tree(tree) = opened else {
            return Ok(());
        };
        self.found.add(record(id, tree.totals()))?;
        for entry in tree.entries() {
            let said = if entry.kind.is_tree() { &mut self.trees } else { &mut self.blobs };
            said.add(record(&entry.id, entry.totals))?;
        }
        Ok(())
    }

    pub(super) fn settle(&mut self) -> io::Result<()> {
        self.trees.settle_all()?;
        self.found.settle_all()?;
        self.blobs.settle_all()
    }
}

fn record(id: &Hash, totals: Totals) -> [u8; BYTES] {
    let mut record = [0; BYTES];
    record[..32].copy_from_slice(id.as_bytes());
    record[32..40].copy_from_slice(&totals.size.to_be_bytes());
    record[40..].copy_from_slice(&totals.files.to_be_bytes());
    record
}

/// The statements of a shard, in the order of ids.
pub(super) fn statements(
    records: &Records<BYTES>,
    shard: usize,
) -> io::Result<Vec<(Hash, Totals)>> {
    let read = |record: [u8; BYTES]| {
        let (id, rest) = record.split_first_chunk::<32>()?;
        let (size, files) = rest.split_first_chunk::<8>()?;
        let totals = Totals {
            size: u64::from_be_bytes(*size),
            files: u64::from_be_bytes(*files.first_chunk()?),
        };
        Some((Hash::from_bytes(*id), totals))
    };
    Ok(records.shard(shard)?.into_iter().filter_map(read).collect())
}
