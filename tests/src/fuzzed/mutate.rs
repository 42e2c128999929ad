//! Small changes of seeds, always the same: what a fuzzer does first, for where there is none.

use super::Seed;

/// Numbers at the edges of the lengths that encodings have.
const EDGES: [u8; 10] = [0x00, 0x01, 0x17, 0x18, 0x1b, 0x5f, 0x7f, 0x80, 0x9b, 0xff];

/// Changed seeds, without end.
#[derive(Debug)]
pub struct Mutations<'a> {
    seeds: &'a [Seed],
    state: u64,
}

impl<'a> Mutations<'a> {
    /// Changes of these seeds; another `start` gives others.
    pub const fn new(seeds: &'a [Seed], start: u64) -> Self {
        Self { seeds, state: start }
    }

    /// A number below `end`, or 0 if that is 0 (`SplitMix64`).
    fn below(&mut self, end: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % (end.max(1) as u64)).unwrap_or_default()
    }

    /// One change.
    fn change(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len());
        match self.below(8) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
            1 if !bytes.is_empty() => bytes[at] = EDGES[self.below(EDGES.len())],
            2 => bytes.truncate(at),
            3 => bytes.insert(at, EDGES[self.below(EDGES.len())]),
            4 if !bytes.is_empty() => drop(bytes.remove(at)),
            // A run of bytes again, behind itself or somewhere else.
            5 => {
                let run = bytes[at..].iter().copied().take(1 + self.below(16)).collect::<Vec<_>>();
                let to = self.below(bytes.len());
                drop(bytes.splice(to..to, run));
            }
            // The beginning of this one and the end of another.
            6 => {
                let other = &self.seeds[self.below(self.seeds.len())].bytes;
                let from = self.below(other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            _ => bytes.push(EDGES[self.below(EDGES.len())]),
        }
    }
}

impl Iterator for Mutations<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        if self.seeds.is_empty() {
            return None;
        }
        let mut bytes = self.seeds[self.below(self.seeds.len())].bytes.clone();
        for _ in 0..=self.below(3) {
            self.change(&mut bytes);
        }
        Some(bytes)
    }
}
