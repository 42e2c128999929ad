//! A set of ids that may be larger than memory.
//!
//! Ids are in 256 shards by their first byte. What is added waits until its shard is settled, which
//! says what of it is new. As soon as all shards together are larger than the set may be, they move
//! to a temporary folder, and only what was added lately and the shard that is being settled are in
//! memory.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use tempfile::TempDir;

use crate::name::Hash;

/// How many shards there are: one for each first byte.
pub(crate) const SHARDS: usize = 256;

/// The length of an id.
const ID_BYTES: usize = 32;

/// A set of ids of one kind.
#[derive(Debug)]
pub(crate) struct IdSet {
    shards: Vec<Shard>,
    /// How many ids may be in memory.
    most: usize,
    /// How many are.
    held: usize,
    /// How many are settled.
    settled: u64,
    /// Where shards are that are not in memory.
    folder: Option<TempDir>,
}

#[derive(Debug, Default)]
struct Shard {
    /// Sorted, each once; empty if they are on disk.
    known: Vec<Hash>,
    /// In no order, and perhaps known.
    added: Vec<Hash>,
}

impl IdSet {
    /// An empty set that takes about so many bytes of memory.
    pub(crate) fn new(bytes: usize) -> Self {
        let shards = std::iter::repeat_with(Shard::default).take(SHARDS).collect();
        Self { shards, most: bytes / ID_BYTES, held: 0, settled: 0, folder: None }
    }

    /// Adds an id; it counts when its shard is settled.
    pub(crate) fn add(&mut self, id: Hash) -> io::Result<()> {
        self.shards[shard_of(&id)].added.push(id);
        self.held += 1;
        if self.held > self.most { self.spill() } else { Ok(()) }
    }

    /// Takes in what was added to a shard, and gives what of it is new, sorted.
    pub(crate) fn settle(&mut self, shard: usize) -> io::Result<Vec<Hash>> {
        let mut added = std::mem::take(&mut self.shards[shard].added);
        self.held -= added.len();
        added.extend(self.read(shard, "added")?);
        if added.is_empty() {
            return Ok(added);
        }
        added.sort_unstable();
        added.dedup();
        let known = self.shard(shard)?;
        added.retain(|id| known.binary_search(id).is_err());
        self.settled += added.len() as u64;
        let known = merged(known, &added);
        match self.file(shard, "added") {
            None => {
                self.held += added.len();
                self.shards[shard].known = known;
            }
            Some(waiting) => {
                self.write(shard, "known", &known, false)?;
                remove(&waiting)?;
            }
        }
        Ok(added)
    }

    /// What is settled of a shard, sorted.
    pub(crate) fn shard(&self, shard: usize) -> io::Result<Vec<Hash>> {
        match &self.folder {
            None => Ok(self.shards[shard].known.clone()),
            Some(_) => self.read(shard, "known"),
        }
    }

    /// How many ids are settled.
    pub(crate) const fn len(&self) -> u64 {
        self.settled
    }

    /// Moves everything to the temporary folder.
    fn spill(&mut self) -> io::Result<()> {
        if self.folder.is_none() {
            self.folder = Some(tempfile::Builder::new().prefix("cas-").tempdir()?);
        }
        for shard in 0..SHARDS {
            let Shard { known, added } = std::mem::take(&mut self.shards[shard]);
            if !known.is_empty() {
                self.write(shard, "known", &known, false)?;
            }
            if !added.is_empty() {
                self.write(shard, "added", &added, true)?;
            }
        }
        self.held = 0;
        Ok(())
    }

    fn file(&self, shard: usize, what: &str) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.path().join(format!("{shard:02x}.{what}")))
    }

    fn read(&self, shard: usize, what: &str) -> io::Result<Vec<Hash>> {
        let Some(file) = self.file(shard, what) else {
            return Ok(Vec::new());
        };
        let bytes = match fs::read(file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let (ids, rest) = bytes.as_chunks::<ID_BYTES>();
        if rest.is_empty() {
            Ok(ids.iter().copied().map(Hash::from_bytes).collect())
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }

    fn write(&self, shard: usize, what: &str, ids: &[Hash], append: bool) -> io::Result<()> {
        let Some(file) = self.file(shard, what) else {
            return Ok(());
        };
        let bytes: Vec<u8> = ids.iter().flat_map(|id| *id.as_bytes()).collect();
        let mut options = OpenOptions::new();
        options.create(true).write(true).append(append).truncate(!append);
        options.open(file)?.write_all(&bytes)
    }
}

/// The shard of an id.
pub(crate) fn shard_of(id: &Hash) -> usize {
    usize::from(id.as_bytes()[0])
}

/// Both of two sorted lists that have nothing in common.
fn merged(mut known: Vec<Hash>, fresh: &[Hash]) -> Vec<Hash> {
    known.extend(fresh);
    // Two runs that are each in order: this merges them.
    known.sort();
    known
}

fn remove(file: &PathBuf) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Ids in some order, many of them several times, in rounds; after each round every shard is
    /// settled.
    fn agrees_with_a_plain_set(bytes: usize) -> bool {
        let mut set = IdSet::new(bytes);
        let mut plain = BTreeSet::new();
        for round in 0..5_u32 {
            let mut fresh = BTreeSet::new();
            for n in 0..4_000_u32 {
                let id = Hash::of(&(n.wrapping_mul(7) % (1_000 * (round + 1))).to_be_bytes());
                set.add(id).unwrap();
                if plain.insert(id) {
                    fresh.insert(id);
                }
            }
            let found: Vec<Hash> =
                (0..SHARDS).flat_map(|shard| set.settle(shard).unwrap()).collect();
            assert!(found.iter().eq(fresh.iter()), "round {round}");
            assert_eq!(set.len(), plain.len() as u64);
        }
        let all: Vec<Hash> = (0..SHARDS).flat_map(|shard| set.shard(shard).unwrap()).collect();
        assert!(all.iter().eq(plain.iter()));
        set.folder.is_some()
    }

    #[test]
    fn a_set_in_memory_and_one_on_disk_are_as_a_plain_one() {
        assert!(!agrees_with_a_plain_set(1 << 20));
        assert!(agrees_with_a_plain_set(10_000));
        assert!(agrees_with_a_plain_set(0));
    }
}
