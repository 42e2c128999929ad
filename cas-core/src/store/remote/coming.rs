//! Objects on their way: what one fetch brings, from the moment it was asked for.
//!
//! Whole objects are kept in an unnamed temporary file. A reader of an object that is still to come
//! waits for it; when nothing more comes, it is told that the object is not here.
//!
//! What may come is known: the tree that is wanted, and then what each tree that came names. So a
//! server cannot make its client keep anything else, nor go on for ever.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::limits;
use crate::name::Hash;
use crate::object::{Kind, Tree};
use crate::store::wire::Head;
use crate::store::{ByteStream, StoreError, Want};

/// What an object is known by.
type Key = (Kind, Hash);

/// What one fetch brings.
#[derive(Debug)]
pub(super) struct Coming {
    file: File,
    /// Whether files are to come, and not only trees.
    contents: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    slots: BTreeMap<Key, Slot>,
    waiting: BTreeMap<Key, Vec<oneshot::Sender<()>>>,
    /// Where the next object goes in the file.
    end: u64,
    /// How many objects are here.
    count: u64,
    /// Trees come first: none comes after the first blob.
    trees_are_over: bool,
    is_over: bool,
}

#[derive(Debug, Clone, Copy)]
enum Slot {
    /// It may come, with at most so many bytes.
    Expected { limit: u64 },
    /// It is here.
    Here(Place),
}

/// Where in the file an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    start: u64,
    pub(super) size: u64,
}

/// An object being taken in.
#[derive(Debug)]
pub(super) struct Arriving {
    head: Head,
    start: u64,
    written: u64,
    /// The bytes of a tree, which says what may come.
    tree: Vec<u8>,
}

impl Coming {
    /// Nothing yet of what is wanted.
    pub(super) fn new(want: &Want) -> Result<Self, StoreError> {
        let file = tempfile::tempfile().map_err(StoreError::io("make a temporary file"))?;
        let mut state = State::default();
        let contents = match want {
            Want::Tree { tree, contents, .. } => {
                state.expect((Kind::Tree, *tree.hash()), limits::TREE_BYTES as u64);
                *contents
            }
            Want::Blobs(blobs) => {
                for (id, size) in blobs {
                    state.expect((Kind::Blob, *id.hash()), *size);
                }
                true
            }
        };
        Ok(Self { file, contents, state: Mutex::new(state) })
    }

    /// Where the object is, waiting for it if it may still come; `None` if it is not here.
    pub(super) async fn find(&self, kind: Kind, id: &Hash) -> Option<Place> {
        let key = (kind, *id);
        loop {
            let arrived = {
                let mut state = self.lock();
                match state.slots.get(&key)? {
                    Slot::Here(place) => return Some(*place),
                    Slot::Expected { .. } if state.is_gone(kind) => return None,
                    Slot::Expected { .. } => {
                        let (sender, arrived) = oneshot::channel();
                        state.waiting.entry(key).or_default().push(sender);
                        arrived
                    }
                }
            };
            // Whatever it says, the slot tells.
            let _ = arrived.await;
        }
    }

    /// An object's bytes, all in memory.
    pub(super) fn read(&self, place: Place) -> Result<Bytes, StoreError> {
        let mut bytes = vec![0; usize::try_from(place.size).unwrap_or(usize::MAX)];
        self.file.read_exact_at(&mut bytes, place.start).map_err(read_failed())?;
        Ok(bytes.into())
    }

    /// An object's bytes in pieces.
    pub(super) fn stream(&self, place: Place) -> Result<ByteStream, StoreError> {
        let file = self.file.try_clone().map_err(read_failed())?;
        Ok(ByteStream::from_part(file, place.start, place.size, "a temporary file"))
    }

    /// How many objects are here.
    pub(super) fn count(&self) -> u64 {
        self.lock().count
    }

    /// Begins to take in an object. The inner error is a reason not to believe the server.
    pub(super) fn begin(&self, head: Head) -> Result<Arriving, String> {
        let mut state = self.lock();
        let Head { kind, id, size } = head;
        match state.slots.get(&(kind, id)) {
            None => return Err(format!("it sends {kind} {id}, which was not asked for")),
            Some(Slot::Here(_)) => return Err(format!("it sends {kind} {id} twice")),
            Some(Slot::Expected { limit }) if size > *limit => {
                return Err(format!("it sends {kind} {id} with {size} bytes instead of {limit}"));
            }
            Some(Slot::Expected { .. }) => {}
        }
        if kind == Kind::Blob && !state.trees_are_over {
            state.trees_are_over = true;
            state.wake_all();
        }
        Ok(Arriving { head, start: state.end, written: 0, tree: Vec::new() })
    }

    /// Takes in bytes of an object.
    pub(super) fn take(&self, arriving: &mut Arriving, bytes: &[u8]) -> Result<(), StoreError> {
        let at = arriving.start + arriving.written;
        let failed = StoreError::io("write a temporary file");
        self.file.write_all_at(bytes, at).map_err(failed)?;
        arriving.written += bytes.len() as u64;
        if arriving.head.kind == Kind::Tree {
            arriving.tree.extend_from_slice(bytes);
        }
        Ok(())
    }

    /// Keeps an object that is whole and what its id says.
    pub(super) fn keep(&self, arriving: Arriving) {
        let Arriving { head: Head { kind, id, size }, start, tree, .. } = arriving;
        // What cannot be read as a tree is for whoever reads it to refuse.
        let named = match kind {
            Kind::Tree => Tree::decode_with_faults(&tree).map(|(tree, _)| tree).unwrap_or_default(),
            Kind::Blob | Kind::Commit => Tree::default(),
        };
        let mut state = self.lock();
        for entry in named.entries() {
            match (entry.tree_id(), entry.blob_id()) {
                (Some(id), _) => state.expect((Kind::Tree, id.0), limits::TREE_BYTES as u64),
                (None, Some(id)) if self.contents => {
                    state.expect((Kind::Blob, id.0), entry.totals.size);
                }
                (None, _) => {}
            }
        }
        state.slots.insert((kind, id), Slot::Here(Place { start, size }));
        state.end = start + size;
        state.count += 1;
        // Dropping a sender wakes whoever waits for it.
        drop(state.waiting.remove(&(kind, id)));
    }

    /// Nothing more comes.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.is_over = true;
        state.wake_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn expect(&mut self, key: Key, limit: u64) {
        let slot = self.slots.entry(key).or_insert(Slot::Expected { limit });
        if let Slot::Expected { limit: known } = slot {
            *known = limit.max(*known);
        }
    }

    /// Whether what is not here of this kind will not come any more.
    const fn is_gone(&self, kind: Kind) -> bool {
        self.is_over || matches!(kind, Kind::Tree) && self.trees_are_over
    }

    fn wake_all(&mut self) {
        self.waiting.clear();
    }
}

fn read_failed() -> impl FnOnce(std::io::Error) -> StoreError {
    StoreError::io("read a temporary file")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::{BlobId, EntryName, TreeId};
    use crate::object::{Entry, EntryKind};
    use std::sync::Arc;

    fn tree() -> (TreeId, Vec<u8>, BlobId) {
        let blob = BlobId::of(b"text");
        let name = EntryName::parse("a.md").unwrap();
        let tree = Tree::from_entries([Entry::blob(name, EntryKind::File, blob, 4)]).unwrap();
        let (id, bytes) = tree.encode_with_id();
        (id, bytes, blob)
    }

    fn arrive(coming: &Coming, kind: Kind, bytes: &[u8]) -> Result<(), String> {
        let head = Head { kind, id: Hash::of(bytes), size: bytes.len() as u64 };
        let mut arriving = coming.begin(head)?;
        for piece in bytes.chunks(3) {
            coming.take(&mut arriving, piece).unwrap();
        }
        coming.keep(arriving);
        Ok(())
    }

    #[tokio::test]
    async fn readers_wait_for_what_may_come_and_only_for_that() {
        let (id, bytes, blob) = tree();
        let want = Want::Tree { tree: id, have: Vec::new(), contents: true };
        let coming = Arc::new(Coming::new(&want).unwrap());
        assert_eq!(coming.find(Kind::Blob, blob.hash()).await, None, "nothing names it yet");
        let waits = |kind, id: Hash| {
            let coming = coming.clone();
            tokio::spawn(async move { coming.find(kind, &id).await })
        };
        let reader = waits(Kind::Tree, *id.hash());
        arrive(&coming, Kind::Tree, &bytes).unwrap();
        let place = reader.await.unwrap().unwrap();
        assert_eq!(coming.read(place).unwrap(), bytes);
        let reader = waits(Kind::Blob, *blob.hash());
        arrive(&coming, Kind::Blob, b"text").unwrap();
        assert_eq!(coming.read(reader.await.unwrap().unwrap()).unwrap(), "text");
        assert_eq!(coming.count(), 2);
    }

    #[tokio::test]
    async fn readers_are_told_when_nothing_more_comes() {
        let (id, bytes, blob) = tree();
        let want = Want::Tree { tree: id, have: Vec::new(), contents: true };
        let coming = Arc::new(Coming::new(&want).unwrap());
        arrive(&coming, Kind::Tree, &bytes).unwrap();
        let reader = {
            let coming = coming.clone();
            tokio::spawn(async move { coming.find(Kind::Blob, blob.hash()).await })
        };
        coming.end();
        assert_eq!(reader.await.unwrap(), None);
    }

    #[test]
    fn what_nobody_asked_for_is_not_taken() {
        let (id, bytes, _) = tree();
        let want = Want::Tree { tree: id, have: Vec::new(), contents: true };
        let coming = Coming::new(&want).unwrap();
        assert!(arrive(&coming, Kind::Blob, b"text").is_err(), "before the tree that names it");
        arrive(&coming, Kind::Tree, &bytes).unwrap();
        assert!(arrive(&coming, Kind::Tree, &bytes).is_err(), "twice");
        assert!(arrive(&coming, Kind::Blob, b"other").is_err());
        let long = Head { kind: Kind::Blob, id: *BlobId::of(b"text").hash(), size: 5 };
        assert!(coming.begin(long).is_err(), "longer than its tree says");
        arrive(&coming, Kind::Blob, b"text").unwrap();
        let without = Want::Tree { tree: id, have: Vec::new(), contents: false };
        let coming = Coming::new(&without).unwrap();
        arrive(&coming, Kind::Tree, &bytes).unwrap();
        assert!(arrive(&coming, Kind::Blob, b"text").is_err(), "only trees were wanted");
    }

    #[tokio::test]
    async fn half_an_object_is_overwritten_by_the_next() {
        let (id, bytes, _) = tree();
        let want = Want::Tree { tree: id, have: Vec::new(), contents: false };
        let coming = Coming::new(&want).unwrap();
        let head = Head { kind: Kind::Tree, id: *id.hash(), size: bytes.len() as u64 };
        let mut broken = coming.begin(head).unwrap();
        coming.take(&mut broken, b"xxxx").unwrap();
        drop(broken);
        arrive(&coming, Kind::Tree, &bytes).unwrap();
        let place = coming.find(Kind::Tree, id.hash()).await.unwrap();
        assert_eq!(coming.read(place).unwrap(), bytes);
    }
}
