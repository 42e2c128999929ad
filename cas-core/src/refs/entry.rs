//! Ref log entries and their stored form.

use crate::env::Timestamp;
use crate::limits;
use crate::name::{Actor, BookId, CommitId, EntryId, Operation, RefName, RequestId};
use crate::object::codec::{self, DecodeError};
use crate::object::{Metadata, MetadataWire, check_message};

/// The format version of encoded entries.
const VERSION: u64 = 1;

/// The length of the stored id behind an entry: a CBOR byte string of 32 bytes.
const CHECK_BYTES: usize = 34;

/// One movement of a ref.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefEntry {
    /// The book.
    pub book: BookId,
    /// The ref.
    pub name: RefName,
    /// Its position in the log, from 1.
    pub seq: u64,
    /// The entry before it; none for the first.
    pub previous: Option<EntryId>,
    /// The commit that the ref points at from now on; none when the ref was deleted.
    pub target: Option<CommitId>,
    /// Who moved it.
    pub actor: Actor,
    /// When: never before the previous entry's time.
    pub time: Timestamp,
    /// By what operation.
    pub operation: Operation,
    /// Why: at most 1,024 bytes, without NUL.
    pub message: String,
    /// Which request: a repeated request is known by it.
    pub request_id: RequestId,
    /// Small facts by name.
    pub metadata: Metadata,
}

/// An entry that is in the log, with its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// The hash of the entry's encoding.
    pub id: EntryId,
    /// The entry.
    pub entry: RefEntry,
}

/// The encoded fields, in order.
type Wire = (
    u64,
    BookId,
    RefName,
    u64,
    Option<EntryId>,
    Option<CommitId>,
    Actor,
    Timestamp,
    Operation,
    String,
    RequestId,
    MetadataWire,
);

impl RefEntry {
    /// The canonical encoding.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(&(
            VERSION,
            &self.book,
            &self.name,
            self.seq,
            self.previous,
            self.target,
            &self.actor,
            self.time,
            &self.operation,
            &self.message,
            &self.request_id,
            self.metadata.to_wire(),
        ))
    }

    /// Reads the canonical encoding.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let wire: Wire = codec::decode_version(bytes, limits::ENTRY_BYTES, VERSION)?;
        let (
            _,
            book,
            name,
            seq,
            previous,
            target,
            actor,
            time,
            operation,
            message,
            request_id,
            metadata,
        ) = wire;
        let metadata = metadata.check()?;
        check_message(&message, limits::ENTRY_MESSAGE_BYTES)?;
        if !(1..=limits::SEQ_MAX).contains(&seq) || (seq == 1) != previous.is_none() {
            let rule = "positions are 1 to 2^53 - 1, and only the first has no entry before it";
            return Err(DecodeError::Rule(rule.to_owned()));
        }
        Ok(Self {
            book,
            name,
            seq,
            previous,
            target,
            actor,
            time,
            operation,
            message,
            request_id,
            metadata,
        })
    }

    /// The bytes kept in the slot: a CBOR sequence (RFC 8742) of the entry and its id.
    ///
    /// Every other object is named by its hash; an entry is named by its position, so it carries
    /// its hash with it, and a flipped bit is noticed also in the newest entry, which no other
    /// entry vouches for yet.
    pub fn to_stored(&self) -> (EntryId, Vec<u8>) {
        let mut bytes = self.encode();
        let id = EntryId::of(&bytes);
        bytes.extend(codec::encode(&id));
        (id, bytes)
    }

    /// Reads what a slot keeps, and verifies it against the id behind it.
    pub fn from_stored(bytes: &[u8]) -> Result<LogEntry, DecodeError> {
        if bytes.len() > limits::ENTRY_BYTES {
            return Err(DecodeError::TooLong { len: bytes.len(), limit: limits::ENTRY_BYTES });
        }
        let Some(at) = bytes.len().checked_sub(CHECK_BYTES) else {
            return Err(DecodeError::Malformed { reason: "shorter than an id".to_owned() });
        };
        let (body, check) = bytes.split_at(at);
        let id: EntryId = codec::decode(check, CHECK_BYTES)?;
        if EntryId::of(body) != id {
            return Err(DecodeError::Rule(
                "the bytes do not hash to the id behind them".to_owned(),
            ));
        }
        Ok(LogEntry { id, entry: Self::decode(body)? })
    }

    /// Whether the branch was forgotten by this entry: what the entries before it name is not kept
    /// on their account.
    pub fn forgets(&self) -> bool {
        self.target.is_none() && self.operation == Operation::forget()
    }
}

/// The first line of `message`, cut to what a ref log entry may hold.
pub(crate) fn subject_of(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let mut end = line.len().min(limits::ENTRY_MESSAGE_BYTES);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    line[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> RefEntry {
        RefEntry {
            book: BookId::parse("book").unwrap(),
            name: RefName::parse("users/Ada").unwrap(),
            seq: 1,
            previous: None,
            target: Some(CommitId::of(b"c")),
            actor: Actor::parse("ada").unwrap(),
            time: Timestamp::from_micros(7),
            operation: Operation::import(),
            message: "first".to_owned(),
            request_id: RequestId::from_bytes([1; 16]),
            metadata: Metadata::new(),
        }
    }

    #[test]
    fn reads_back_what_it_stored() {
        let (id, bytes) = entry().to_stored();
        assert_eq!(RefEntry::from_stored(&bytes).unwrap(), LogEntry { id, entry: entry() });
    }

    #[test]
    fn invariant_attributed_every_flipped_bit_is_noticed() {
        let (_, bytes) = entry().to_stored();
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(RefEntry::from_stored(&bad).is_err(), "bit {bit}");
        }
        for len in 0..bytes.len() {
            assert!(RefEntry::from_stored(&bytes[..len]).is_err(), "{len} bytes");
        }
    }

    #[test]
    fn first_entry_has_no_previous_and_later_ones_do() {
        let second = RefEntry { seq: 2, ..entry() };
        assert!(RefEntry::decode(&second.encode()).is_err());
        let linked = RefEntry { previous: Some(EntryId::of(b"e")), ..second };
        assert!(RefEntry::decode(&linked.encode()).is_ok());
        let first = RefEntry { seq: 1, ..linked };
        assert!(RefEntry::decode(&first.encode()).is_err());
    }

    #[test]
    fn subjects_are_one_line_cut_between_characters() {
        assert_eq!(subject_of("a\nb"), "a");
        let long = "é".repeat(600);
        assert_eq!(subject_of(&long).len(), 1024);
        assert_eq!(subject_of(&format!("x{long}")).len(), 1023);
    }
}
