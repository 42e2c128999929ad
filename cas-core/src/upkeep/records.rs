//! A set of short records that may be larger than memory.
//!
//! Records are in 256 shards by their first byte, which is that of an id. What is added waits until
//! its shard is settled, which says what of it is new. When all shards together are larger than
//! the set may be, they move to a temporary folder; from then on only what was added lately and the
//! shard that is being settled are in memory. What is added again and again is thrown out on the
//! way, so that the folder holds about twice the distinct records, however often each was added.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use tempfile::TempDir;

/// How many shards there are: one for each first byte.
pub(crate) const SHARDS: usize = 256;

/// Up to this length the records that wait on disk are not looked through for equal ones.
const SMALL_BYTES: u64 = 256 * 1024;

/// A set of records of `N` bytes each.
#[derive(Debug)]
pub(crate) struct Records<const N: usize> {
    shards: Vec<Shard<N>>,
    /// How many records may be in memory.
    most: usize,
    /// How many are.
    held: usize,
    /// Where shards are that are not in memory.
    folder: Option<TempDir>,
}

#[derive(Debug)]
struct Shard<const N: usize> {
    /// Sorted, each once; empty if they are on disk.
    known: Vec<[u8; N]>,
    /// In no order, and perhaps known.
    added: Vec<[u8; N]>,
    /// The bytes that wait on disk.
    waiting: u64,
    /// From how many on they are looked through.
    thin_at: u64,
}

impl<const N: usize> Records<N> {
    /// An empty set that takes about so many bytes of memory.
    pub(crate) fn new(bytes: usize) -> Self {
        let shard =
            || Shard { known: Vec::new(), added: Vec::new(), waiting: 0, thin_at: SMALL_BYTES };
        let shards = std::iter::repeat_with(shard).take(SHARDS).collect();
        Self { shards, most: bytes / N, held: 0, folder: None }
    }

    /// Adds a record; it counts when its shard is settled.
    pub(crate) fn add(&mut self, record: [u8; N]) -> io::Result<()> {
        self.shards[usize::from(record[0])].added.push(record);
        self.held += 1;
        if self.held > self.most { self.make_room() } else { Ok(()) }
    }

    /// Takes in what was added to a shard, and gives what of it is new, sorted.
    pub(crate) fn settle(&mut self, shard: usize) -> io::Result<Vec<[u8; N]>> {
        let mut added = std::mem::take(&mut self.shards[shard].added);
        self.held -= added.len();
        added.extend(self.read(shard, "added")?);
        if added.is_empty() {
            return Ok(added);
        }
        let known = self.shard(shard)?;
        keep_new(&mut added, &known);
        let known = merged(known, &added);
        match self.file(shard, "added") {
            None => {
                self.held += added.len();
                self.shards[shard].known = known;
            }
            Some(waiting) => {
                self.write(shard, "known", &known, false)?;
                self.shards[shard].waiting = 0;
                remove(&waiting)?;
            }
        }
        Ok(added)
    }

    /// Settles every shard.
    pub(crate) fn settle_all(&mut self) -> io::Result<()> {
        for shard in 0..SHARDS {
            self.settle(shard)?;
        }
        Ok(())
    }

    /// What is settled of a shard, sorted.
    pub(crate) fn shard(&self, shard: usize) -> io::Result<Vec<[u8; N]>> {
        match &self.folder {
            None => Ok(self.shards[shard].known.clone()),
            Some(_) => self.read(shard, "known"),
        }
    }

    /// Throws out what was added twice, and if that is not much moves everything to the temporary
    /// folder.
    fn make_room(&mut self) -> io::Result<()> {
        for shard in &mut self.shards {
            keep_new(&mut shard.added, &shard.known);
        }
        self.held = self.shards.iter().map(|shard| shard.known.len() + shard.added.len()).sum();
        if self.held <= self.most / 2 {
            return Ok(());
        }
        if self.folder.is_none() {
            self.folder = Some(tempfile::Builder::new().prefix("cas-").tempdir()?);
        }
        for shard in 0..SHARDS {
            let known = std::mem::take(&mut self.shards[shard].known);
            let added = std::mem::take(&mut self.shards[shard].added);
            if !known.is_empty() {
                self.write(shard, "known", &known, false)?;
            }
            if !added.is_empty() {
                self.write(shard, "added", &added, true)?;
                self.shards[shard].waiting += (added.len() * N) as u64;
                self.thin(shard)?;
            }
        }
        self.held = 0;
        Ok(())
    }

    /// Throws out what waits twice on disk, once it has doubled.
    fn thin(&mut self, shard: usize) -> io::Result<()> {
        if self.shards[shard].waiting < self.shards[shard].thin_at {
            return Ok(());
        }
        let mut added = self.read(shard, "added")?;
        keep_new(&mut added, &self.shard(shard)?);
        self.write(shard, "added", &added, false)?;
        let waiting = (added.len() * N) as u64;
        self.shards[shard].waiting = waiting;
        self.shards[shard].thin_at = SMALL_BYTES.max(waiting * 2);
        Ok(())
    }

    fn file(&self, shard: usize, what: &str) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.path().join(format!("{shard:02x}.{what}")))
    }

    fn read(&self, shard: usize, what: &str) -> io::Result<Vec<[u8; N]>> {
        let Some(file) = self.file(shard, what) else {
            return Ok(Vec::new());
        };
        let bytes = match fs::read(file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let (records, rest) = bytes.as_chunks::<N>();
        if rest.is_empty() {
            Ok(records.to_vec())
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }

    fn write(&self, shard: usize, what: &str, records: &[[u8; N]], append: bool) -> io::Result<()> {
        let Some(file) = self.file(shard, what) else {
            return Ok(());
        };
        let mut options = OpenOptions::new();
        options.create(true).write(true).append(append).truncate(!append);
        options.open(file)?.write_all(records.as_flattened())
    }
}

/// Sorts records and keeps each once, and none that is known.
fn keep_new<const N: usize>(added: &mut Vec<[u8; N]>, known: &[[u8; N]]) {
    added.sort_unstable();
    added.dedup();
    added.retain(|record| known.binary_search(record).is_err());
}

/// Both of two sorted lists that have nothing in common.
fn merged<const N: usize>(mut known: Vec<[u8; N]>, fresh: &[[u8; N]]) -> Vec<[u8; N]> {
    known.extend(fresh);
    known.sort_unstable();
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
    use crate::name::Hash;

    /// Records in some order, many of them several times, in rounds; after each round every shard
    /// is settled.
    fn agrees_with_a_plain_set(bytes: usize) -> bool {
        let mut set = Records::<32>::new(bytes);
        let mut plain = BTreeSet::new();
        for round in 0..5_u32 {
            let mut fresh = BTreeSet::new();
            for n in 0..4_000_u32 {
                let n = n.wrapping_mul(7) % (1_000 * (round + 1));
                let id = *Hash::of(&n.to_be_bytes()).as_bytes();
                set.add(id).unwrap();
                if plain.insert(id) {
                    fresh.insert(id);
                }
            }
            let found: Vec<_> = (0..SHARDS).flat_map(|shard| set.settle(shard).unwrap()).collect();
            assert!(found.iter().eq(fresh.iter()), "round {round}");
        }
        let all: Vec<_> = (0..SHARDS).flat_map(|shard| set.shard(shard).unwrap()).collect();
        assert!(all.iter().eq(plain.iter()));
        set.folder.is_some()
    }

    #[test]
    fn a_set_in_memory_and_one_on_disk_are_as_a_plain_one() {
        assert!(!agrees_with_a_plain_set(1 << 20));
        assert!(agrees_with_a_plain_set(10_000));
        assert!(agrees_with_a_plain_set(0));
    }

    #[test]
    fn what_is_added_again_and_again_takes_no_room() {
        let mut set = Records::<32>::new(32 * 1_000);
        for n in 0..1_000_000_u32 {
            set.add(*Hash::of(&(n % 400).to_be_bytes()).as_bytes()).unwrap();
        }
        set.settle_all().unwrap();
        let settled: usize = (0..SHARDS).map(|shard| set.shard(shard).unwrap().len()).sum();
        assert_eq!((settled, set.folder.is_some()), (400, false));
    }

    #[test]
    fn what_waits_on_disk_is_thinned() {
        let mut set = Records::<32>::new(0);
        // All of one shard, so that it alone grows.
        let record = |n: u32| {
            let mut record = *Hash::of(&n.to_be_bytes()).as_bytes();
            record[0] = 7;
            record
        };
        for n in 0..20_000 {
            set.add(record(n % 10)).unwrap();
        }
        let waiting = fs::metadata(set.file(7, "added").unwrap()).unwrap().len();
        assert!(waiting <= SMALL_BYTES, "{waiting} bytes wait");
        assert_eq!(set.settle(7).unwrap().len(), 10);
    }
}
