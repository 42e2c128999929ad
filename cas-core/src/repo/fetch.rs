//! Everything that one tree has and others have not, as a stream for the network.
//!
//! The order is always the same, so that a stream that was cut can be gone on with after the
//! objects that came: trees first, level by level, then files in the order of a walk through the
//! tree. Each object comes once, wherever it is named.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};

use super::{RepoError, Repository, for_each};
use crate::limits;
use crate::name::{BlobId, Hash, TreeId};
use crate::object::{Kind, Tree};
use crate::store::wire::Outgoing;
use crate::store::{ByteStream, Store, StoreError};

/// How many trees of one level are held at once.
const TREES_AT_ONCE: usize = 16;

/// How many bytes of small files are read at once; two such waves are held.
const WAVE_BYTES: u64 = 4 * 1024 * 1024;

/// How many small files are read at once.
const WAVE_FILES: usize = 64;

/// What is thought of a file whose size is not known, in bytes.
const USUAL_BYTES: u64 = 128 * 1024;

/// What a reader asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchRequest {
    /// The tree.
    pub want: TreeId,
    /// Trees of which the reader has everything. Those that are not in this store say nothing.
    pub have: Vec<TreeId>,
    /// Whether files are wanted, and not only trees.
    pub contents: bool,
    /// How many objects came before.
    pub skip: u64,
}

/// Objects on their way out.
pub type OutgoingStream = BoxStream<'static, Result<Outgoing, StoreError>>;

/// A file to send, and its size if that is known.
type File = (BlobId, Option<u64>);

impl Repository {
    /// What `want` reaches and `have` does not. A tree that is not in this store is an error here;
    /// anything that is missing or damaged below it is one of the stream.
    pub async fn fetch(&self, request: FetchRequest) -> Result<OutgoingStream, RepoError> {
        let FetchRequest { want, have, contents, skip } = request;
        self.store.get_bytes(Kind::Tree, want.hash()).await?;
        let had = reach(&self.store, self.jobs, have).await?;
        let walk = Walk {
            store: self.store.clone(),
            jobs: self.jobs,
            seen: BTreeSet::from([want]),
            level: if had.contains(&(Kind::Tree, want.0)) { Vec::new() } else { vec![want] },
            next: Vec::new(),
            below: BTreeMap::new(),
            had,
            want,
            contents,
            skip,
        };
        let groups = stream::try_unfold(Some(Stage::Trees(Box::new(walk))), |stage| async {
            match stage {
                None => Ok(None),
                Some(stage) => stage.next().await,
            }
        });
        Ok(groups.map_ok(|group| stream::iter(group).map(Ok)).try_flatten().boxed())
    }

    /// These blobs, in their order, without the first `skip`.
    pub fn fetch_blobs(&self, blobs: Vec<BlobId>, skip: u64) -> OutgoingStream {
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        let files = blobs.into_iter().skip(skip).map(|id| (id, None)).collect();
        let groups = contents_of(self.store.clone(), self.jobs, files);
        groups.map_ok(|group| stream::iter(group).map(Ok)).try_flatten().boxed()
    }
}

/// Objects that are sent together.
type Group = Vec<Outgoing>;

/// How far a fetch is.
enum Stage {
    Trees(Box<Walk>),
    Files(BoxStream<'static, Result<Group, StoreError>>),
}

impl Stage {
    /// The next objects, and what comes after them; `None` when nothing does.
    async fn next(mut self) -> Result<Option<(Group, Option<Self>)>, StoreError> {
        loop {
            self = match self {
                Self::Trees(mut walk) if !walk.level.is_empty() => {
                    let group = walk.step().await?;
                    return Ok(Some((group, Some(Self::Trees(walk)))));
                }
                Self::Trees(walk) if walk.contents => {
                    let (store, jobs) = (walk.store.clone(), walk.jobs);
                    Self::Files(contents_of(store, jobs, walk.files()))
                }
                Self::Trees(_) => return Ok(None),
                Self::Files(mut groups) => {
                    let group = groups.try_next().await?;
                    return Ok(group.map(|group| (group, Some(Self::Files(groups)))));
                }
            }
        }
    }
}

/// A walk through the trees that are wanted, level by level.
struct Walk {
    store: Store,
    jobs: usize,
    /// What is not sent.
    had: BTreeSet<(Kind, Hash)>,
    seen: BTreeSet<TreeId>,
    /// What is left of this level, in reverse.
    level: Vec<TreeId>,
    next: Vec<TreeId>,
    /// What each tree holds of what is sent.
    below: BTreeMap<TreeId, Vec<Below>>,
    want: TreeId,
    contents: bool,
    /// How many objects are still to be left out.
    skip: u64,
}

#[derive(Clone, Copy)]
enum Below {
    Tree(TreeId),
    File(BlobId, u64),
}

impl Walk {
    /// Reads some trees of this level, and gives those that are to be sent.
    async fn step(&mut self) -> Result<Group, StoreError> {
        let some = self.level.split_off(self.level.len().saturating_sub(TREES_AT_ONCE));
        let store = self.store.clone();
        let read = for_each(some.into_iter().rev().collect(), self.jobs, move |id: TreeId| {
            let store = store.clone();
            async move {
                let bytes = store.get_bytes(Kind::Tree, id.hash()).await?;
                Ok::<_, StoreError>((id, bytes))
            }
        });
        let mut group = Vec::new();
        for (id, bytes) in read.await? {
            self.open(id, &bytes);
            match self.skip.checked_sub(1) {
                Some(left) => self.skip = left,
                None => group.push(whole(Kind::Tree, id.0, bytes)),
            }
        }
        if self.level.is_empty() {
            self.level = std::mem::take(&mut self.next);
            self.level.reverse();
        }
        Ok(group)
    }

    /// Notes what a tree holds. What cannot be read as a tree holds nothing: it is for the reader
    /// to refuse.
    fn open(&mut self, id: TreeId, bytes: &Bytes) {
        let (tree, _) = Tree::decode_with_faults(bytes).unwrap_or_default();
        let mut below = Vec::new();
        for entry in tree.entries() {
            if let Some(id) = entry.tree_id()
                && !self.had.contains(&(Kind::Tree, id.0))
            {
                below.push(Below::Tree(id));
                if self.seen.insert(id) {
                    self.next.push(id);
                }
            }
            if let Some(id) = entry.blob_id().filter(|_| self.contents)
                && !self.had.contains(&(Kind::Blob, id.0))
            {
                below.push(Below::File(id, entry.totals.size));
            }
        }
        self.below.insert(id, below);
    }

    /// The files to send, each once, in the order of a walk.
    fn files(mut self) -> Vec<File> {
        let mut met = BTreeSet::new();
        let mut files = Vec::new();
        let mut walk: Vec<std::vec::IntoIter<Below>> = Vec::new();
        walk.extend(self.below.remove(&self.want).map(IntoIterator::into_iter));
        while let Some(folder) = walk.last_mut() {
            match folder.next() {
                // A tree that was walked through is not there any more.
                Some(Below::Tree(id)) => {
                    walk.extend(self.below.remove(&id).map(IntoIterator::into_iter));
                }
                Some(Below::File(id, size)) if met.insert(id) => files.push((id, Some(size))),
                Some(Below::File(..)) => {}
                None => drop(walk.pop()),
            }
        }
        let skip = usize::try_from(self.skip).unwrap_or(usize::MAX).min(files.len());
        files.split_off(skip)
    }
}

/// Everything at and below these trees, as far as it is there.
async fn reach(
    store: &Store,
    jobs: usize,
    roots: Vec<TreeId>,
) -> Result<BTreeSet<(Kind, Hash)>, StoreError> {
    let mut reached = BTreeSet::new();
    let mut level: Vec<TreeId> = roots;
    while !level.is_empty() {
        level.retain(|id| reached.insert((Kind::Tree, id.0)));
        let mut next = Vec::new();
        while !level.is_empty() {
            let some = level.split_off(level.len().saturating_sub(TREES_AT_ONCE));
            let store = store.clone();
            let read = for_each(some, jobs, move |id| {
                let store = store.clone();
                async move {
                    match store.get_tree_with_faults(&id).await {
                        Ok((tree, _)) => Ok(tree),
                        // Whoever says to have it need not have it from here.
                        Err(
                            StoreError::Missing { .. }
                            | StoreError::Damaged { .. }
                            | StoreError::Undecodable { .. },
                        ) => Ok(Tree::default()),
                        Err(error) => Err(error),
                    }
                }
            });
            for tree in read.await? {
                next.extend(tree.entries().iter().filter_map(crate::object::Entry::tree_id));
                let blobs = tree.entries().iter().filter_map(crate::object::Entry::blob_id);
                reached.extend(blobs.map(|id| (Kind::Blob, id.0)));
            }
        }
        level = next;
    }
    Ok(reached)
}

/// The contents of files, in their order: small ones read several at once, large ones in pieces.
fn contents_of(
    store: Store,
    jobs: usize,
    files: Vec<File>,
) -> BoxStream<'static, Result<Group, StoreError>> {
    let waves = stream::iter(waves(files)).map(move |wave| {
        let store = store.clone();
        async move {
            for_each(wave, jobs, move |file| {
                let store = store.clone();
                async move { content_of(&store, file).await }
            })
            .await
        }
    });
    // While one wave is sent the next is read.
    waves.buffered(2).boxed()
}

/// One file's content. What has more bytes than it is said to have is not held.
async fn content_of(store: &Store, (id, size): File) -> Result<Outgoing, StoreError> {
    match store.get_small_blob(&id, size.unwrap_or(limits::WHOLE_BYTES)).await {
        Ok(bytes) => Ok(whole(Kind::Blob, id.0, bytes)),
        Err(StoreError::TooLarge { .. }) => {
            Ok(Outgoing { kind: Kind::Blob, id: id.0, content: store.stream_blob(&id).await? })
        }
        Err(error) => Err(error),
    }
}

/// Files that are read at once, one wave after the other.
fn waves(files: Vec<File>) -> impl Iterator<Item = Vec<File>> + Send {
    let mut files = files.into_iter().peekable();
    std::iter::from_fn(move || {
        let mut wave = Vec::new();
        let mut bytes = 0;
        while let Some((_, size)) = files.peek() {
            let size = size.unwrap_or(USUAL_BYTES).min(limits::WHOLE_BYTES);
            if !wave.is_empty() && (bytes + size > WAVE_BYTES || wave.len() >= WAVE_FILES) {
                break;
            }
            bytes += size;
            wave.extend(files.next());
        }
        (!wave.is_empty()).then_some(wave)
    })
}

fn whole(kind: Kind, id: Hash, bytes: Bytes) -> Outgoing {
    Outgoing { kind, id, content: ByteStream::from_bytes(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waves_are_bounded_in_bytes_and_files() {
        let id = |n: u64| BlobId::of(&n.to_be_bytes());
        let many: Vec<File> = (0..200).map(|n| (id(n), Some(10))).collect();
        assert_eq!(waves(many).map(|wave| wave.len()).collect::<Vec<_>>(), [64, 64, 64, 8]);
        let large: Vec<File> = (0..3).map(|n| (id(n), Some(u64::MAX))).collect();
        assert_eq!(waves(large).map(|wave| wave.len()).collect::<Vec<_>>(), [1, 1, 1]);
        let unknown: Vec<File> = (0..33).map(|n| (id(n), None)).collect();
        assert_eq!(waves(unknown).map(|wave| wave.len()).collect::<Vec<_>>(), [32, 1]);
    }
}
