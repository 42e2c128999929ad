//! Books, branches and tags: listing them, and moving, deleting and restoring refs.

use super::{Globs, RepoError, Repository, for_each};
use crate::name::{BookId, CommitId, Operation, RefName, RequestId};
use crate::object::Metadata;
use crate::refs::{Expectation, LogEntry, RefError, RefUpdate, UpdateOutcome};

/// A book that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookSummary {
    /// Its name.
    pub book: BookId,
    /// How many branches it has.
    pub branches: usize,
    /// How many tags.
    pub tags: usize,
    /// The newest entry of `main`, if there is one.
    pub main: Option<LogEntry>,
}

/// A ref that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefSummary {
    /// Its name.
    pub name: RefName,
    /// Where it points.
    pub commit: CommitId,
    /// The newest entry of its log.
    pub head: LogEntry,
}

/// A ref about to be moved.
struct Move<'a> {
    book: &'a BookId,
    name: &'a RefName,
    expect: Expectation,
    target: Option<CommitId>,
    operation: Operation,
    message: String,
    request_id: RequestId,
}

impl Repository {
    /// All books that have a ref, in order.
    pub async fn books(&self) -> Result<Vec<BookSummary>, RepoError> {
        let mut summaries = Vec::new();
        for book in self.store.refs().books().await? {
            let refs = self.refs(&book, None).await?;
            if refs.is_empty() {
                continue;
            }
            let tags = refs.iter().filter(|found| found.name.is_tag()).count();
            let branches = refs.len() - tags;
            let main = refs
                .into_iter()
                .find(|found| found.name == RefName::main())
                .map(|found| found.head);
            summaries.push(BookSummary { book, branches, tags, main });
        }
        Ok(summaries)
    }

    /// The refs of a book that are not deleted, in order; with a pattern, those whose names it
    /// matches (`*` within a segment, `**` across).
    pub async fn refs(
        &self,
        book: &BookId,
        pattern: Option<&str>,
    ) -> Result<Vec<RefSummary>, RepoError> {
        let mut names = self.store.refs().names(book).await?;
        if let Some(pattern) = pattern {
            let globs = Globs::parse([pattern])?;
            names.retain(|name| globs.is_match(name.as_str()));
        }
        let (store, book) = (self.store.clone(), book.clone());
        let found = for_each(names, self.jobs, move |name| {
            let (store, book) = (store.clone(), book.clone());
            async move {
                let head = store.refs().head(&book, &name).await?;
                let target = head.as_ref().and_then(|head| head.entry.target);
                Ok::<_, RepoError>(head.zip(target).map(|(head, commit)| RefSummary {
                    name,
                    commit,
                    head,
                }))
            }
        });
        Ok(found.await?.into_iter().flatten().collect())
    }

    /// The branches of a book, which must exist.
    pub async fn branches(
        &self,
        book: &BookId,
        pattern: Option<&str>,
    ) -> Result<Vec<RefSummary>, RepoError> {
        let mut refs = self.existing_refs(book, pattern).await?;
        refs.retain(|found| !found.name.is_tag());
        Ok(refs)
    }

    /// The tags of a book, which must exist.
    pub async fn tags(&self, book: &BookId) -> Result<Vec<RefSummary>, RepoError> {
        let mut refs = self.existing_refs(book, None).await?;
        refs.retain(|found| found.name.is_tag());
        Ok(refs)
    }

    async fn existing_refs(
        &self,
        book: &BookId,
        pattern: Option<&str>,
    ) -> Result<Vec<RefSummary>, RepoError> {
        let refs = self.refs(book, pattern).await?;
        if refs.is_empty() && self.store.refs().names(book).await?.is_empty() {
            return Err(RepoError::NoBook { book: book.clone() });
        }
        Ok(refs)
    }

    /// Creates a branch or tag that points at `commit`. Copies nothing: one log entry.
    pub async fn create_ref(
        &self,
        book: &BookId,
        name: &RefName,
        commit: CommitId,
        message: &str,
    ) -> Result<LogEntry, RepoError> {
        let change = Move {
            book,
            name,
            expect: Expectation::Absent,
            target: Some(commit),
            operation: Operation::create(),
            message: message.to_owned(),
            request_id: self.env.request_id(),
        };
        match self.move_ref(change).await {
            Err(RepoError::RefMoved { book, name, current: Some(commit) }) => {
                Err(RepoError::RefExists { book, name, commit })
            }
            Err(RepoError::Ref(RefError::TagMoves { book, name })) => Err(RepoError::WrongRef {
                book,
                name,
                rule: "a deleted tag is never made again, so that its name cannot come to mean something else",
            }),
            other => other,
        }
    }

    /// Deletes a ref: one more log entry; its history stays.
    pub async fn delete_ref(&self, book: &BookId, name: &RefName) -> Result<LogEntry, RepoError> {
        let (_, commit) = self.live(book, name).await?;
        self.move_ref(Move {
            book,
            name,
            expect: Expectation::Is(commit),
            target: None,
            operation: Operation::delete(),
            message: format!("delete {book}@{name}"),
            request_id: self.env.request_id(),
        })
        .await
    }

    /// Brings a deleted branch back to where it pointed last.
    pub async fn restore_branch(
        &self,
        book: &BookId,
        name: &RefName,
    ) -> Result<LogEntry, RepoError> {
        Self::check_branch(book, name)?;
        let Some(head) = self.store.refs().head(book, name).await? else {
            return Err(self.no_ref(book, name).await?);
        };
        if let Some(commit) = head.entry.target {
            return Err(RepoError::RefExists { book: book.clone(), name: name.clone(), commit });
        }
        // An entry without a target follows one that had it: a deletion is refused otherwise.
        let before = self.store.refs().entry(book, name, head.entry.seq - 1).await?;
        let Some(target) = before.and_then(|entry| entry.entry.target) else {
            return Err(RepoError::Deleted { book: book.clone(), name: name.clone() });
        };
        self.move_ref(Move {
            book,
            name,
            expect: Expectation::Absent,
            target: Some(target),
            operation: Operation::restore(),
            message: format!("restore {book}@{name}"),
            request_id: self.env.request_id(),
        })
        .await
    }

    /// Points a branch at `commit`, wherever that is: one more log entry.
    pub async fn reset_branch(
        &self,
        book: &BookId,
        name: &RefName,
        commit: CommitId,
        message: &str,
    ) -> Result<LogEntry, RepoError> {
        Self::check_branch(book, name)?;
        let (head, current) = self.live(book, name).await?;
        if current == commit {
            return Ok(head);
        }
        self.move_ref(Move {
            book,
            name,
            expect: Expectation::Is(current),
            target: Some(commit),
            operation: Operation::reset(),
            message: message.to_owned(),
            request_id: self.env.request_id(),
        })
        .await
    }

    /// The log of a ref, newest first, at most `limit` entries.
    pub async fn ref_log(
        &self,
        book: &BookId,
        name: &RefName,
        limit: usize,
    ) -> Result<Vec<LogEntry>, RepoError> {
        let Some(head) = self.store.refs().head(book, name).await? else {
            return Err(self.no_ref(book, name).await?);
        };
        let newest = head.entry.seq;
        let oldest = newest.saturating_sub(limit as u64);
        let older: Vec<u64> = (oldest + 1..newest).rev().collect();
        let (store, key) = (self.store.clone(), (book.clone(), name.clone()));
        let rest = for_each(older, self.jobs, move |seq| {
            let (store, (book, name)) = (store.clone(), key.clone());
            async move {
                match store.refs().entry(&book, &name, seq).await? {
                    Some(entry) => Ok::<_, RepoError>(entry),
                    None => Err(RefError::gap(&book, &name, seq).into()),
                }
            }
        });
        let mut entries = if limit == 0 { Vec::new() } else { vec![head] };
        entries.extend(rest.await?);
        Ok(entries)
    }

    async fn move_ref(&self, change: Move<'_>) -> Result<LogEntry, RepoError> {
        let Move { book, name, expect, target, operation, message, request_id } = change;
        let update = RefUpdate {
            book: book.clone(),
            name: name.clone(),
            expect,
            target,
            actor: self.actor.clone(),
            operation,
            message: crate::refs::subject_of(&message),
            request_id,
            metadata: Metadata::new(),
        };
        match self.store.refs().update(&update).await? {
            UpdateOutcome::Moved(entry) => Ok(entry),
            UpdateOutcome::Refused(head) => {
                let current = head.and_then(|head| head.entry.target);
                Err(RepoError::RefMoved { book: book.clone(), name: name.clone(), current })
            }
        }
    }
}
