//! What a store says of collections, read as the description of the format says and not by the code
//! that writes it.

use bytes::Bytes;
use cas_core::name::Hash;
use cas_core::object::Kind;
use cas_core::store::layout;
use ciborium::Value;
use object_store::path::Path as Key;

use super::checks::Content;

/// Where the entries of the log of collections are.
pub const LOG: &str = "gc/log";

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GcEntry {
    /// Its position.
    pub seq: u64,
    /// What happened, by the number that the format gives it.
    pub event: u64,
    /// To which list.
    pub list: u64,
    /// The lists that are open from then on.
    pub open: Vec<OpenList>,
}

/// A list of condemned objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenList {
    /// The position of the entry that published it.
    pub seq: u64,
    /// What became of it, by the number that the format gives it.
    pub state: u64,
    /// The run that names its parts.
    pub run: String,
}

/// The event of an entry that publishes a list.
pub const CONDEMNED: u64 = 1;

/// The event of an entry that says that a list was deleted.
pub const DELETED: u64 = 3;

impl GcEntry {
    /// Reads an entry; `None` if it is none.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        // The first of two items; the other is the hash of the first.
        let Value::Array(fields) = ciborium::from_reader(bytes).ok()? else {
            return None;
        };
        let number = |at: usize| -> Option<u64> { fields.get(at)?.as_integer()?.try_into().ok() };
        let open = fields.get(10)?.as_array()?.iter().map(OpenList::of).collect::<Option<_>>()?;
        Some(Self { seq: number(1)?, event: number(3)?, list: number(4)?, open })
    }

    /// All entries of a store, with their keys, newest first.
    pub fn all(content: &Content) -> Vec<(Key, Self)> {
        let below = Key::from(LOG);
        let slots = content.iter().filter(|(key, _)| key.prefix_matches(&below));
        slots.filter_map(|(key, bytes)| Some((key.clone(), Self::parse(bytes)?))).collect()
    }
}

impl OpenList {
    fn of(value: &Value) -> Option<Self> {
        let fields = value.as_array()?;
        let number = |at: usize| -> Option<u64> { fields.get(at)?.as_integer()?.try_into().ok() };
        let run = fields.get(2)?.as_text()?.to_owned();
        Some(Self { seq: number(0)?, state: number(1)?, run })
    }

    /// The keys of the objects that are on it.
    pub fn keys(&self, content: &Content) -> Vec<Key> {
        let below = Key::from(format!("gc/lists/{}", self.run));
        let parts = content.iter().filter(|(key, _)| key.prefix_matches(&below));
        parts.flat_map(|(_, bytes)| objects(bytes)).collect()
    }
}

/// The keys of the objects that a part of a list names.
fn objects(part: &Bytes) -> Vec<Key> {
    let object = |record: &[u8]| {
        let (kind, id) = record.split_first()?;
        let kind = [Kind::Blob, Kind::Tree, Kind::Commit].get(usize::from(*kind))?;
        Some(layout::object(*kind, &Hash::from_bytes(id.try_into().ok()?)))
    };
    part.chunks_exact(33).filter_map(object).collect()
}
