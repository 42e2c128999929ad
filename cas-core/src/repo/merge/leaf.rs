//! Merging one file: its content and its mode apart, as far as it is a file on both sides.

use bytes::Bytes;

use super::text::{is_text, merge_text};
use super::{Conflict, ConflictKind, NewObject, OnConflict, is_regular};
use crate::limits;
use crate::name::{BlobId, BookPath};
use crate::object::{Entry, EntryKind, Kind, Totals};
use crate::repo::{RepoError, Side};
use crate::store::Store;

/// What is at one path in the base and on both sides, as far as it is no folder.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Three<'a> {
    pub(super) base: Option<&'a Entry>,
    pub(super) ours: Option<&'a Entry>,
    pub(super) theirs: Option<&'a Entry>,
}

/// What becomes of one path.
#[derive(Debug)]
pub(super) enum Leaf {
    /// This, or nothing.
    Clean(Option<Entry>),
    /// A file that both changed.
    Both(MergedLeaf),
    /// One side changed it, the other removed it: perhaps it went elsewhere.
    EditDelete,
    /// Both removed it: perhaps it went elsewhere.
    Gone,
}

/// A file that both sides changed.
#[derive(Debug)]
pub(super) struct MergedLeaf {
    pub(super) entry: Entry,
    pub(super) conflict: Option<ConflictKind>,
    /// Its content, if it is new.
    pub(super) object: Option<NewObject>,
}

impl Three<'_> {
    pub(super) fn conflict(&self, path: &BookPath, kind: ConflictKind) -> Conflict {
        let side = |entry: Option<&Entry>| entry.and_then(side_of);
        let (base, ours, theirs) = (side(self.base), side(self.ours), side(self.theirs));
        Conflict { path: path.clone(), kind, other: None, base, ours, theirs }
    }
}

/// A file as one side of a change.
pub(super) fn side_of(entry: &Entry) -> Option<Side> {
    entry.blob_id().map(|id| Side { kind: entry.kind, id, size: entry.totals.size })
}

/// Whether two sides have the same, which may be nothing.
pub(super) fn same(a: Option<&Entry>, b: Option<&Entry>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => a.same_content(b),
        _ => false,
    }
}

/// Merges what is at one path.
pub(super) async fn merge_leaf(
    store: &Store,
    three: Three<'_>,
    on_conflict: OnConflict,
) -> Result<Leaf, RepoError> {
    let Three { base, ours, theirs } = three;
    if same(ours, theirs) {
        let gone = ours.is_none() && base.is_some();
        return Ok(if gone { Leaf::Gone } else { Leaf::Clean(ours.cloned()) });
    }
    if same(base, ours) {
        return Ok(Leaf::Clean(theirs.cloned()));
    }
    if same(base, theirs) {
        return Ok(Leaf::Clean(ours.cloned()));
    }
    match (ours, theirs) {
        (Some(ours), Some(theirs)) => {
            Ok(Leaf::Both(merge_files(store, base, ours, theirs, on_conflict).await?))
        }
        _ => Ok(Leaf::EditDelete),
    }
}

/// Merges two files that differ from each other, and from the base if there is one.
pub(super) async fn merge_files(
    store: &Store,
    base: Option<&Entry>,
    ours: &Entry,
    theirs: &Entry,
    on_conflict: OnConflict,
) -> Result<MergedLeaf, RepoError> {
    let taken = |kind| {
        let entry = if on_conflict == OnConflict::Theirs { theirs } else { ours };
        MergedLeaf { entry: entry.clone(), conflict: Some(kind), object: None }
    };
    let all_regular = [Some(ours), Some(theirs), base].into_iter().flatten();
    if !all_regular.into_iter().all(|entry| is_regular(entry.kind)) {
        let kind = if base.is_some() { ConflictKind::Kind } else { ConflictKind::AddAdd };
        return Ok(taken(kind));
    }
    let Some(kind) = merged_mode(base.map(|base| base.kind), ours.kind, theirs.kind) else {
        // Added by both with different modes: a conflict, whatever the content.
        let taken = taken(ConflictKind::AddAdd);
        if ours.id == theirs.id {
            return Ok(taken);
        }
        let merged = merge_content(store, base, ours, theirs, taken.entry.kind, on_conflict);
        return Ok(MergedLeaf { conflict: taken.conflict, ..merged.await? });
    };
    let unchanged = |entry: &Entry| base.is_some_and(|base| base.id == entry.id);
    let content = if ours.id == theirs.id || unchanged(theirs) {
        Some(ours)
    } else if unchanged(ours) {
        Some(theirs)
    } else {
        None
    };
    match content {
        Some(content) => {
            let entry = Entry { kind, ..content.clone() };
            Ok(MergedLeaf { entry, conflict: None, object: None })
        }
        None => merge_content(store, base, ours, theirs, kind, on_conflict).await,
    }
}

async fn merge_content(
    store: &Store,
    base: Option<&Entry>,
    ours: &Entry,
    theirs: &Entry,
    kind: EntryKind,
    on_conflict: OnConflict,
) -> Result<MergedLeaf, RepoError> {
    let conflict = if base.is_some() { ConflictKind::Content } else { ConflictKind::AddAdd };
    let taken = |conflict| {
        let content = if on_conflict == OnConflict::Theirs { theirs } else { ours };
        let entry = Entry { kind, ..content.clone() };
        MergedLeaf { entry, conflict: Some(conflict), object: None }
    };
    let binary = if base.is_some() { ConflictKind::Binary } else { ConflictKind::AddAdd };
    let (Some(before), Some(our_text), Some(their_text)) = (
        text_of(store, base).await?,
        text_of(store, Some(ours)).await?,
        text_of(store, Some(theirs)).await?,
    ) else {
        return Ok(taken(binary));
    };
    let merged = merge_text(&before, &our_text, &their_text, on_conflict);
    if merged.bytes.len() as u64 > limits::WHOLE_BYTES {
        return Ok(taken(binary));
    }
    let bytes = Bytes::from(merged.bytes);
    let id = BlobId::of(&bytes);
    let totals = Totals::file(bytes.len() as u64);
    let entry = Entry { name: ours.name.clone(), kind, id: *id.hash(), totals };
    // What only the base has may be in no store: of several bases it is made in memory.
    let known = ours.id == entry.id || theirs.id == entry.id;
    let object = (!known).then(|| NewObject { kind: Kind::Blob, id: entry.id, bytes });
    Ok(MergedLeaf { entry, conflict: (merged.conflicts > 0).then_some(conflict), object })
}

/// The content of a file that may be merged by lines; empty where there is no file.
async fn text_of(store: &Store, entry: Option<&Entry>) -> Result<Option<Bytes>, RepoError> {
    let Some(entry) = entry else {
        return Ok(Some(Bytes::new()));
    };
    if entry.totals.size > limits::WHOLE_BYTES {
        return Ok(None);
    }
    let bytes = store.get_blob(&BlobId(entry.id)).await?;
    Ok(is_text(&bytes).then_some(bytes))
}

/// Whether the file is executable: as the side says that changed it. `None` if both added it and
/// differ.
fn merged_mode(base: Option<EntryKind>, ours: EntryKind, theirs: EntryKind) -> Option<EntryKind> {
    if ours == theirs {
        return Some(ours);
    }
    base.map(|base| if base == ours { theirs } else { ours })
}
