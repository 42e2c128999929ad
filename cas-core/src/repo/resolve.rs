//! From text to versions: revisions and ids.

use std::collections::{BTreeSet, VecDeque};

use super::{RepoError, Repository};
use crate::name::{Base, BookId, CommitId, Hash, HashPrefix, RefName, Revision};
use crate::object::{Commit, Kind};
use crate::refs::RefError;

/// A revision, found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The book.
    pub book: BookId,
    /// The ref that was named, if one was.
    pub name: Option<RefName>,
    /// The commit's id.
    pub id: CommitId,
    /// The commit.
    pub commit: Commit,
}

/// An object found by the first digits of its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoundObject {
    /// Its kind.
    pub kind: Kind,
    /// Its id.
    pub id: Hash,
}

impl Repository {
    /// The commit that `revision` names.
    pub async fn resolve(&self, revision: &Revision) -> Result<Resolved, RepoError> {
        let (name, start) = match &revision.base {
            Base::Ref(name) => {
                (Some(name.clone()), self.resolve_ref(&revision.book, name, revision.seq).await?)
            }
            Base::Commit(prefix) => (None, self.resolve_commit(&revision.book, prefix).await?),
        };
        let commit = self.store.get_commit(&start).await?;
        let (id, commit) = self.go_back(revision, start, commit).await?;
        Ok(Resolved { book: revision.book.clone(), name, id, commit })
    }

    /// The commit that is as many before the one at `id` as `revision` says.
    pub(super) async fn go_back(
        &self,
        revision: &Revision,
        mut id: CommitId,
        mut commit: Commit,
    ) -> Result<(CommitId, Commit), RepoError> {
        for depth in 0..revision.back {
            let Some(parent) = commit.parents.first() else {
                return Err(RepoError::TooFarBack { revision: revision.clone(), depth });
            };
            id = *parent;
            commit = self.store.get_commit(&id).await?;
        }
        Ok((id, commit))
    }

    /// The id of the commit that `revision` names, without reading it where that can be spared: a
    /// ref names only what is there.
    pub async fn resolve_id(&self, revision: &Revision) -> Result<CommitId, RepoError> {
        match &revision.base {
            Base::Ref(name) if revision.back == 0 => {
                self.resolve_ref(&revision.book, name, revision.seq).await
            }
            Base::Commit(prefix) if revision.back == 0 => {
                self.resolve_commit(&revision.book, prefix).await
            }
            _ => Ok(self.resolve(revision).await?.id),
        }
    }

    /// The object whose id begins with `prefix`, of whatever kind; there must be just one.
    pub async fn find_object(&self, prefix: &HashPrefix) -> Result<FoundObject, RepoError> {
        let mut candidates = Vec::new();
        for kind in Kind::ALL {
            candidates
                .extend(self.store.list(kind, prefix).await?.into_iter().map(|id| (kind, id)));
        }
        match candidates.as_slice() {
            [] => Err(RepoError::NoObject { what: "object", prefix: prefix.clone() }),
            [(kind, id)] => Ok(FoundObject { kind: *kind, id: *id }),
            _ => Err(RepoError::Ambiguous { prefix: prefix.clone(), candidates }),
        }
    }

    /// The commit that a ref points at, now or at a position of its log.
    async fn resolve_ref(
        &self,
        book: &BookId,
        name: &RefName,
        seq: Option<u64>,
    ) -> Result<CommitId, RepoError> {
        let Some(head) = self.store.refs().head(book, name).await? else {
            return Err(self.no_ref(book, name).await?);
        };
        let entry = match seq {
            None => head,
            Some(seq) => match self.store.refs().entry(book, name, seq).await? {
                Some(entry) => entry,
                None if (1..head.entry.seq).contains(&seq) => {
                    return Err(RefError::gap(book, name, seq).into());
                }
                None => {
                    let (book, name, entries) = (book.clone(), name.clone(), head.entry.seq);
                    return Err(RepoError::NoLogEntry { book, name, seq, entries });
                }
            },
        };
        entry
            .entry
            .target
            .ok_or_else(|| RepoError::Deleted { book: book.clone(), name: name.clone() })
    }

    /// The error for a ref that is not there.
    pub async fn missing_ref(&self, book: &BookId, name: &RefName) -> RepoError {
        self.no_ref(book, name).await.unwrap_or_else(|error| error)
    }

    /// The error for a ref that is not there, or was deleted.
    pub(super) async fn not_live(
        &self,
        book: &BookId,
        name: &RefName,
        deleted: bool,
    ) -> Result<RepoError, RepoError> {
        if deleted {
            return Ok(RepoError::Deleted { book: book.clone(), name: name.clone() });
        }
        self.no_ref(book, name).await
    }

    /// Whether the book or only the ref is missing.
    pub(crate) async fn no_ref(
        &self,
        book: &BookId,
        name: &RefName,
    ) -> Result<RepoError, RepoError> {
        let names = self.store.refs().names(book).await?;
        Ok(if names.is_empty() {
            RepoError::NoBook { book: book.clone() }
        } else {
            RepoError::NoRef { book: book.clone(), name: name.clone() }
        })
    }

    /// The one commit in the history of `book` whose id begins with `prefix`.
    ///
    /// A commit of another book is not found, even if it is in the store. The history is walked
    /// only as far as it takes to meet every candidate.
    async fn resolve_commit(
        &self,
        book: &BookId,
        prefix: &HashPrefix,
    ) -> Result<CommitId, RepoError> {
        let candidates: BTreeSet<CommitId> =
            self.store.list(Kind::Commit, prefix).await?.into_iter().map(CommitId).collect();
        let found = if candidates.is_empty() {
            BTreeSet::new()
        } else {
            self.within(book, &candidates).await?
        };
        let mut found = found.into_iter();
        match (found.next(), found.next()) {
            (None, _) => {
                Err(RepoError::NoObject { what: "commit of this book", prefix: prefix.clone() })
            }
            (Some(id), None) => Ok(id),
            (Some(first), Some(second)) => {
                let all = [first, second].into_iter().chain(found);
                let candidates = all.map(|id| (Kind::Commit, id.0)).collect();
                Err(RepoError::Ambiguous { prefix: prefix.clone(), candidates })
            }
        }
    }

    /// Those of `candidates` that are in the history of any ref of `book`.
    async fn within(
        &self,
        book: &BookId,
        candidates: &BTreeSet<CommitId>,
    ) -> Result<BTreeSet<CommitId>, RepoError> {
        let mut names = self.store.refs().names(book).await?;
        if names.is_empty() {
            return Err(RepoError::NoBook { book: book.clone() });
        }
        // Most commits are in the history of main: look there first.
        names.sort_by_key(|name| *name != RefName::main());
        let mut seen = BTreeSet::new();
        let mut found = BTreeSet::new();
        for name in names {
            let Some(head) = self.store.refs().head(book, &name).await? else {
                continue;
            };
            for seq in (1..=head.entry.seq).rev() {
                let entry = self.store.refs().entry(book, &name, seq).await?;
                let mut queue: VecDeque<_> =
                    entry.and_then(|entry| entry.entry.target).into_iter().collect();
                while let Some(id) = queue.pop_front() {
                    if !seen.insert(id) {
                        continue;
                    }
                    if candidates.contains(&id) {
                        found.insert(id);
                        if found.len() == candidates.len() {
                            return Ok(found);
                        }
                    }
                    queue.extend(self.store.get_commit(&id).await?.parents);
                }
            }
        }
        Ok(found)
    }
}
