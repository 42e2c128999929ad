//! Objects from somebody who is not trusted: taken in only when they are what they should be.
//!
//! Bytes must hash to their id; a tree or a commit must be canonical, and complete: everything that
//! it names is in the store, or came before it. So nothing that a ref may point at can lack
//! anything, whoever wrote it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::{RepoError, Repository, for_each};
use crate::name::{BlobId, CommitId, EntryName, Hash, TreeId};
use crate::object::{Commit, DecodeError, Entry, Kind, Totals, Tree};
use crate::store::{ByteStream, Session, Store, StoreError};

/// How many of the things that are missing are named.
const NAMED: usize = 100;

/// Takes in objects; they are there for certain when [`publish`](Self::publish) has returned.
#[derive(Debug)]
pub struct Receiver {
    store: Store,
    session: Session,
    jobs: usize,
    /// What came, and is not to be read from the store yet.
    came: Mutex<Came>,
    /// Whether what is there already is written again.
    replace: bool,
}

/// What came, as far as other objects may name it.
#[derive(Debug, Default)]
struct Came {
    trees: BTreeMap<TreeId, Totals>,
    commits: BTreeSet<CommitId>,
}

/// Why an object was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The bytes are not what their id says.
    #[error("the bytes sent as {kind} {id} hash to {found}")]
    WrongHash {
        /// The kind.
        kind: Kind,
        /// The id that was given.
        id: Hash,
        /// What the bytes hash to.
        found: Hash,
    },
    /// The bytes are no canonical encoding.
    #[error("what was sent as {kind} {id} is none")]
    Undecodable {
        /// The kind.
        kind: Kind,
        /// The id.
        id: Hash,
        /// The rule that it breaks.
        source: DecodeError,
    },
    /// It names what is not there.
    #[error("{kind} {id} names {count} object(s) that the store does not have")]
    Incomplete {
        /// The kind.
        kind: Kind,
        /// The id.
        id: Hash,
        /// How many there are.
        count: usize,
        /// The first of them.
        missing: Vec<(Kind, Hash)>,
    },
    /// A tree says something else of what it holds than that is.
    #[error("tree {id} says that {} has {said:?}; it has {found:?}", name.as_str())]
    WrongTotals {
        /// The tree.
        id: Hash,
        /// The entry.
        name: EntryName,
        /// What the tree says.
        said: Totals,
        /// What is so.
        found: Totals,
    },
}

impl Repository {
    /// Begins to take in objects. With `replace`, those that are there are written again, to put
    /// right what is damaged.
    pub async fn receive(&self, replace: bool) -> Result<Receiver, RepoError> {
        Ok(Receiver {
            store: self.store.clone(),
            session: self.store.session().await?,
            jobs: self.jobs,
            came: Mutex::default(),
            replace,
        })
    }
}

impl Receiver {
    /// Which of these objects, with their sizes, are not there.
    pub async fn missing(
        self: &Arc<Self>,
        objects: Vec<(Kind, Hash, u64)>,
    ) -> Result<Vec<(Kind, Hash, u64)>, StoreError> {
        let receiver = self.clone();
        let looked = for_each(objects, self.jobs, move |(kind, id, size)| {
            let receiver = receiver.clone();
            async move {
                let there = receiver.session.contains(kind, &id, size).await?;
                Ok::<_, StoreError>((!there).then_some((kind, id, size)))
            }
        });
        Ok(looked.await?.into_iter().flatten().collect())
    }

    /// Takes in small blobs whose bytes are known to hash to their ids, several at once. Says of
    /// each whether it was new.
    pub async fn blobs(
        self: &Arc<Self>,
        blobs: Vec<(BlobId, Bytes)>,
    ) -> Result<Vec<bool>, ReceiveError> {
        let receiver = self.clone();
        for_each(blobs, self.jobs, move |(id, bytes)| {
            let receiver = receiver.clone();
            async move { receiver.blob(id, ByteStream::from_bytes(bytes)).await }
        })
        .await
    }

    /// Takes in a blob of any size.
    pub async fn blob(&self, id: BlobId, stream: ByteStream) -> Result<bool, ReceiveError> {
        if self.replace {
            self.session.replace_blob(id, stream).await?;
            return Ok(false);
        }
        Ok(self.session.put_blob_stream(id, stream).await?)
    }

    /// Takes in a tree, if it is complete.
    pub async fn tree(self: &Arc<Self>, id: TreeId, bytes: &Bytes) -> Result<bool, ReceiveError> {
        check_hash(Kind::Tree, id.0, bytes)?;
        let tree = Tree::decode(bytes).map_err(undecodable(Kind::Tree, id.0))?;
        let receiver = self.clone();
        let entries = tree.entries().to_vec();
        let looked = for_each(entries, self.jobs, move |entry| {
            let receiver = receiver.clone();
            async move { receiver.look(id, &entry).await }
        });
        let missing = looked.await?.into_iter().flatten().collect();
        check_complete(Kind::Tree, id.0, missing)?;
        let new = if self.replace {
            self.session.replace_tree(&tree).await?;
            false
        } else {
            self.session.put_tree(&tree).await?.1
        };
        self.came().trees.insert(id, tree.totals());
        Ok(new)
    }

    /// Takes in a commit, if it is complete.
    pub async fn commit(&self, id: CommitId, bytes: &Bytes) -> Result<bool, ReceiveError> {
        check_hash(Kind::Commit, id.0, bytes)?;
        let commit = Commit::decode(bytes).map_err(undecodable(Kind::Commit, id.0))?;
        let mut missing = Vec::new();
        if self.totals_of(commit.tree).await?.is_none() {
            missing.push((Kind::Tree, commit.tree.0));
        }
        for parent in &commit.parents {
            if !self.has_commit(parent).await? {
                missing.push((Kind::Commit, parent.0));
            }
        }
        check_complete(Kind::Commit, id.0, missing)?;
        if self.session.contains(Kind::Commit, id.hash(), bytes.len() as u64).await? {
            return Ok(false);
        }
        self.session.put_commit(&commit).await?;
        self.came().commits.insert(id);
        Ok(true)
    }

    /// Makes everything that was taken in, or found to be there, visible and durable.
    pub async fn publish(&self) -> Result<(), StoreError> {
        self.session.publish().await
    }

    /// What an entry names, if it is not there.
    async fn look(
        &self,
        tree: TreeId,
        entry: &Entry,
    ) -> Result<Option<(Kind, Hash)>, ReceiveError> {
        let wrong = |found| ReceiveError::WrongTotals {
            id: tree.0,
            name: entry.name.clone(),
            said: entry.totals,
            found,
        };
        let Some(id) = entry.tree_id() else {
            let size = entry.totals.size;
            if self.session.contains(Kind::Blob, &entry.id, size).await? {
                return Ok(None);
            }
            // There, but of another size? What the store keeps is what counts.
            return match self.store.size(Kind::Blob, &entry.id).await? {
                Some(found) if found != size => Err(wrong(Totals::file(found))),
                _ => Ok(Some((Kind::Blob, entry.id))),
            };
        };
        match self.totals_of(id).await? {
            None => Ok(Some((Kind::Tree, entry.id))),
            Some(found) if found != entry.totals => Err(wrong(found)),
            Some(_) => Ok(None),
        }
    }

    async fn has_commit(&self, id: &CommitId) -> Result<bool, StoreError> {
        let came = self.came().commits.contains(id);
        Ok(came || self.store.size(Kind::Commit, id.hash()).await?.is_some())
    }

    fn came(&self) -> MutexGuard<'_, Came> {
        self.came.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The totals of a tree that came or that is there.
    async fn totals_of(&self, id: TreeId) -> Result<Option<Totals>, StoreError> {
        let came = self.came().trees.get(&id).copied();
        if came.is_some() {
            return Ok(came);
        }
        match self.store.get_tree(&id).await {
            Ok(tree) => Ok(Some(tree.totals())),
            Err(StoreError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn check_hash(kind: Kind, id: Hash, bytes: &Bytes) -> Result<(), ReceiveError> {
    let found = Hash::of(bytes);
    if found == id { Ok(()) } else { Err(ReceiveError::WrongHash { kind, id, found }) }
}

fn check_complete(
    kind: Kind,
    id: Hash,
    mut missing: Vec<(Kind, Hash)>,
) -> Result<(), ReceiveError> {
    if missing.is_empty() {
        return Ok(());
    }
    let count = missing.len();
    missing.truncate(NAMED);
    Err(ReceiveError::Incomplete { kind, id, count, missing })
}

fn undecodable(kind: Kind, id: Hash) -> impl FnOnce(DecodeError) -> ReceiveError {
    move |source| ReceiveError::Undecodable { kind, id, source }
}
