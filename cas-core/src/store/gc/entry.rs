//! Entries of the log of garbage collection, and their stored form.

use crate::env::Timestamp;
use crate::limits;
use crate::name::{Actor, Hash, RequestId};
use crate::object::Kind;
use crate::object::codec::{self, DecodeError};

/// The format version of encoded entries.
const VERSION: u64 = 1;

/// The length of the stored hash behind an entry: a CBOR byte string of 32 bytes.
const CHECK_BYTES: usize = 34;

/// The length of a record in a part of a list: a kind and an id.
pub(crate) const RECORD_BYTES: usize = 33;

/// One step of a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GcEntry {
    /// Its position, from 1.
    pub(crate) seq: u64,
    /// The hash of the entry before it; none for the first.
    pub(crate) previous: Option<Hash>,
    /// What was done.
    pub(crate) event: GcEvent,
    /// To which list, by the position of the entry that published it.
    pub(crate) list: u64,
    /// By whom.
    pub(crate) actor: Actor,
    /// When, by the clock of who did it.
    pub(crate) time: Timestamp,
    /// By which run.
    pub(crate) run: RequestId,
    /// How many objects were deleted.
    pub(crate) deleted: u64,
    /// How many bytes they had.
    pub(crate) deleted_bytes: u64,
    /// Every list that is open from now on, in the order of their positions.
    pub(crate) open: Vec<CondemnedList>,
}

/// What a step was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GcEvent {
    /// A list was published.
    Condemned = 1,
    /// What is on a list begins to be deleted. Where somebody alone deletes at once everything that
    /// nothing reaches, the list is published by this.
    Deleting = 2,
    /// All of a list that was to be deleted is.
    Deleted = 3,
    /// A list was taken back before anything on it was deleted.
    Cancelled = 4,
    /// No writer can rely any more on what it saw before a list was deleted.
    Retired = 5,
    /// Everything that nothing reaches was deleted at once, by somebody who said that nobody else
    /// uses the store. Earlier versions wrote one also before the first deletion.
    Swept = 6,
}

/// A list of condemned objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CondemnedList {
    /// The position of the entry that published it.
    pub(crate) seq: u64,
    /// What became of it.
    pub(crate) state: ListState,
    /// The run that made it: names its parts.
    pub(crate) run: RequestId,
    /// How many bytes the objects have.
    pub(crate) bytes: u64,
    /// Its parts, in the order of their shards.
    pub(crate) parts: Vec<Part>,
}

/// What became of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListState {
    /// It is published.
    Condemned = 1,
    /// It is being deleted.
    Deleting = 2,
    /// It was deleted.
    Deleted = 3,
}

/// The objects of a list whose ids begin with one byte: records of a kind and an id, sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    /// The byte.
    pub(crate) shard: u8,
    /// How many there are.
    pub(crate) count: u64,
    /// The hash of the part's bytes.
    pub(crate) hash: Hash,
}

impl CondemnedList {
    /// How many objects are on it.
    pub(crate) fn objects(&self) -> u64 {
        self.parts.iter().map(|part| part.count).sum()
    }
}

/// The record of an object in a part of a list.
pub(crate) fn record(kind: Kind, id: &Hash) -> [u8; RECORD_BYTES] {
    let mut record = [0; RECORD_BYTES];
    record[0] = match kind {
        Kind::Blob => 0,
        Kind::Tree => 1,
        Kind::Commit => 2,
    };
    record[1..].copy_from_slice(id.as_bytes());
    record
}

type ListWire = (u64, u64, RequestId, u64, Vec<(u64, u64, Hash)>);

/// The encoded fields, in order.
type Wire =
    (u64, u64, Option<Hash>, u64, u64, Actor, Timestamp, RequestId, u64, u64, Vec<ListWire>);

impl GcEntry {
    /// The canonical encoding.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let list = |list: &CondemnedList| -> ListWire {
            let part = |part: &Part| (u64::from(part.shard), part.count, part.hash);
            let parts = list.parts.iter().map(part).collect();
            (list.seq, list.state as u64, list.run.clone(), list.bytes, parts)
        };
        codec::encode(&(
            VERSION,
            self.seq,
            self.previous,
            self.event as u64,
            self.list,
            &self.actor,
            self.time,
            &self.run,
            self.deleted,
            self.deleted_bytes,
            self.open.iter().map(list).collect::<Vec<_>>(),
        ))
    }

    /// Reads the canonical encoding.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let wire: Wire = codec::decode_version(bytes, limits::GC_ENTRY_BYTES, VERSION)?;
        let (_, seq, previous, event, list, actor, time, run, deleted, deleted_bytes, open) = wire;
        let event = match event {
            1 => GcEvent::Condemned,
            2 => GcEvent::Deleting,
            3 => GcEvent::Deleted,
            4 => GcEvent::Cancelled,
            5 => GcEvent::Retired,
            6 => GcEvent::Swept,
            other => return Err(rule(format!("{other} is no step of a collection"))),
        };
        if !(1..=limits::SEQ_MAX).contains(&seq) || (seq == 1) != previous.is_none() {
            return Err(rule("only the first entry has none before it".to_owned()));
        }
        let open = open.into_iter().map(read_list).collect::<Result<Vec<_>, _>>()?;
        if !open.is_sorted_by(|a, b| a.seq < b.seq) || open.iter().any(|list| list.seq > seq) {
            return Err(rule("lists are in the order of their entries".to_owned()));
        }
        let counts = open.iter().flat_map(|list| &list.parts).map(|part| part.count);
        if sum(counts).and(sum(open.iter().map(|list| list.bytes))).is_none() {
            return Err(rule("no store holds as much as its lists say".to_owned()));
        }
        Ok(Self { seq, previous, event, list, actor, time, run, deleted, deleted_bytes, open })
    }

    /// The bytes kept in the slot, as those of a ref log entry: the entry and its hash.
    pub(crate) fn to_stored(&self) -> (Hash, Vec<u8>) {
        let mut bytes = self.encode();
        let hash = Hash::of(&bytes);
        bytes.extend(codec::encode(&hash));
        (hash, bytes)
    }

    /// Reads what a slot keeps, and verifies it against the hash behind it.
    pub(crate) fn from_stored(bytes: &[u8]) -> Result<(Hash, Self), DecodeError> {
        let Some(at) = bytes.len().checked_sub(CHECK_BYTES) else {
            return Err(DecodeError::Malformed { reason: "shorter than a hash".to_owned() });
        };
        let (body, check) = bytes.split_at(at);
        let hash: Hash = codec::decode(check, CHECK_BYTES)?;
        if Hash::of(body) != hash {
            return Err(rule("the bytes do not hash to the hash behind them".to_owned()));
        }
        Ok((hash, Self::decode(body)?))
    }
}

/// The sum; none if it is more than a number holds.
fn sum(mut numbers: impl Iterator<Item = u64>) -> Option<u64> {
    numbers.try_fold(0, u64::checked_add)
}

fn read_list((seq, state, run, bytes, parts): ListWire) -> Result<CondemnedList, DecodeError> {
    let state = match state {
        1 => ListState::Condemned,
        2 => ListState::Deleting,
        3 => ListState::Deleted,
        other => return Err(rule(format!("{other} is no state of a list"))),
    };
    let part = |(shard, count, hash): (u64, u64, Hash)| {
        let shard = u8::try_from(shard).map_err(|_| rule(format!("{shard} is no byte")))?;
        Ok(Part { shard, count, hash })
    };
    let parts = parts.into_iter().map(part).collect::<Result<Vec<_>, DecodeError>>()?;
    if !parts.is_sorted_by(|a, b| a.shard < b.shard) {
        return Err(rule("parts are in the order of their bytes".to_owned()));
    }
    Ok(CondemnedList { seq, state, run, bytes, parts })
}

const fn rule(text: String) -> DecodeError {
    DecodeError::Rule(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What [`entry`] was stored as by the first version that knew it: it never changes.
    const GOLDEN: &str = "8b0109582018c52a7ed981fbffa12fbf611b593c451f6a5700af2206c612b5c3dd2888909b020763\
        61646101782030373037303730373037303730373037303730373037303730373037303730370318\
        63828504037820303730373037303730373037303730373037303730373037303730373037303718\
        468283000258202d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e21383\
        18ff02582099d44d377bc5936d8cb7f5df90713d84c7587739b4724d3d2f9af1ee0e4c8efd850702\
        78203037303730373037303730373037303730373037303730373037303730373037184682830002\
        58202d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e2138318ff025820\
        99d44d377bc5936d8cb7f5df90713d84c7587739b4724d3d2f9af1ee0e4c8efd582090f642dd9e88\
        df4316e9d53f7cc1622d98fdc10df5e638e624acea8303c5dcdb";

    fn entry() -> GcEntry {
        let run = RequestId::from_bytes([7; 16]);
        let part = |shard| Part { shard, count: 2, hash: Hash::of(&[shard]) };
        let list = |seq, state| CondemnedList {
            seq,
            state,
            run: run.clone(),
            bytes: 70,
            parts: vec![part(0), part(255)],
        };
        GcEntry {
            seq: 9,
            previous: Some(Hash::of(b"before")),
            event: GcEvent::Deleting,
            list: 7,
            actor: Actor::parse("ada").unwrap(),
            time: Timestamp::from_micros(1),
            run: run.clone(),
            deleted: 3,
            deleted_bytes: 99,
            open: vec![list(4, ListState::Deleted), list(7, ListState::Deleting)],
        }
    }

    #[test]
    fn reads_back_what_it_stored() {
        let (hash, bytes) = entry().to_stored();
        assert_eq!(GcEntry::from_stored(&bytes).unwrap(), (hash, entry()));
    }

    #[test]
    fn golden_entry() {
        let (_, bytes) = entry().to_stored();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, GOLDEN);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let (_, bytes) = entry().to_stored();
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(GcEntry::from_stored(&bad).is_err(), "bit {bit}");
        }
        for len in 0..bytes.len() {
            assert!(GcEntry::from_stored(&bytes[..len]).is_err(), "{len} bytes");
        }
    }

    #[test]
    fn rules_across_fields_are_kept() {
        let broken = [
            GcEntry { seq: 0, ..entry() },
            GcEntry { seq: 1, ..entry() },
            GcEntry { previous: None, ..entry() },
            GcEntry { seq: 6, ..entry() },
            GcEntry { open: entry().open.into_iter().rev().collect(), ..entry() },
        ];
        for broken in broken.into_iter().chain(sums_beyond_all_numbers()) {
            assert!(GcEntry::decode(&broken.encode()).is_err(), "{broken:?}");
        }
    }

    fn sums_beyond_all_numbers() -> [GcEntry; 2] {
        let (mut counts, mut bytes) = (entry(), entry());
        counts.open[0].parts[0].count = u64::MAX;
        bytes.open[0].bytes = u64::MAX;
        [counts, bytes]
    }
}
