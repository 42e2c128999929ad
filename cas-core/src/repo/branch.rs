//! Books, branches and tags: listing them, and moving, deleting and restoring refs.

use super::{Globs, RepoError, Repository, for_each};
use crate::env::Timestamp;
use crate::name::{BookId, CommitId, Operation, RefName, RequestId};
use crate::object::Metadata;
use crate::refs::{Expectation, LogEntry, RefError, RefUpdate, UpdateOutcome, earlier_try};

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

/// Which ref is to be changed, and why.
#[derive(Debug, Clone)]
pub struct RefRequest {
    /// The book.
    pub book: BookId,
    /// The ref.
    pub name: RefName,
    /// Why.
    pub message: String,
    /// Names this wish: repeating it with the same id never does it twice.
    pub request_id: RequestId,
}

/// What became of the wish to delete a ref.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    /// The newest entry: the deletion.
    pub entry: LogEntry,
    /// Whether the ref was there; it is not if it had been deleted before.
    pub existed: bool,
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
        let names = self.names(book, pattern).await?;
        self.live_refs(book, names).await
    }

    /// The names of the refs that a book ever had, in order; with a pattern, those that it matches.
    /// The book must exist.
    pub async fn ref_names(
        &self,
        book: &BookId,
        pattern: Option<&str>,
    ) -> Result<Vec<RefName>, RepoError> {
        let names = self.names(book, pattern).await?;
        if names.is_empty() && self.store.refs().names(book).await?.is_empty() {
            return Err(RepoError::NoBook { book: book.clone() });
        }
        Ok(names)
    }

    async fn names(&self, book: &BookId, pattern: Option<&str>) -> Result<Vec<RefName>, RepoError> {
        let mut names = self.store.refs().names(book).await?;
        if let Some(pattern) = pattern {
            let globs = Globs::parse([pattern])?;
            names.retain(|name| globs.is_match(name.as_str()));
        }
        Ok(names)
    }

    /// Those refs of a book with these names that are not deleted.
    pub async fn live_refs(
        &self,
        book: &BookId,
        names: Vec<RefName>,
    ) -> Result<Vec<RefSummary>, RepoError> {
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

    /// One ref, which must be there.
    pub async fn find_ref(&self, book: &BookId, name: &RefName) -> Result<RefSummary, RepoError> {
        let (head, commit) = self.live(book, name).await?;
        Ok(RefSummary { name: name.clone(), commit, head })
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

    /// A wish to change a ref that nobody had before.
    pub fn ref_request(&self, book: &BookId, name: &RefName, message: &str) -> RefRequest {
        let (book, name) = (book.clone(), name.clone());
        RefRequest { book, name, message: message.to_owned(), request_id: self.env.request_id() }
    }

    /// Creates a branch that follows nothing, or a tag, that points at `commit`. Copies nothing: one
    /// log entry.
    pub async fn create_ref(
        &self,
        request: &RefRequest,
        commit: CommitId,
    ) -> Result<LogEntry, RepoError> {
        self.store.refs().will_update();
        let began = self.env.clock.now();
        self.check_target(&request.book, &request.name, commit).await?;
        let (expect, create) = (Expectation::Absent, Operation::create());
        match self.move_ref(request, began, expect, Some(commit), create).await {
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

    /// Deletes a ref that is as expected: one more log entry; its history stays. One that is
    /// deleted already is as wanted, whatever was expected of it.
    pub async fn delete_ref(
        &self,
        request: &RefRequest,
        expect: Expectation,
    ) -> Result<Deletion, RepoError> {
        let began = self.env.clock.now();
        let RefRequest { book, name, .. } = request;
        let head = self.newest(book, name).await?;
        let delete = Operation::delete();
        if let Some(entry) =
            self.earlier(request, &head, &delete, |target| target.is_none()).await?
        {
            return Ok(Deletion { entry, existed: true });
        }
        let Some(commit) = head.entry.target else {
            return Ok(Deletion { entry: head, existed: false });
        };
        let expect = match expect {
            Expectation::Any => Expectation::Is(commit),
            said => said,
        };
        let entry = self.move_ref(request, began, expect, None, delete).await?;
        Ok(Deletion { entry, existed: true })
    }

    /// Brings a deleted branch back to where it pointed last.
    pub async fn restore_branch(&self, request: &RefRequest) -> Result<LogEntry, RepoError> {
        let RefRequest { book, name, .. } = request;
        Self::check_branch(book, name)?;
        let began = self.env.clock.now();
        let head = self.newest(book, name).await?;
        let restore = Operation::restore();
        if let Some(entry) =
            self.earlier(request, &head, &restore, |target| target.is_some()).await?
        {
            return Ok(entry);
        }
        if let Some(commit) = head.entry.target {
            return Err(RepoError::RefExists { book: book.clone(), name: name.clone(), commit });
        }
        if head.entry.forgets() {
            return Err(RepoError::Forgotten { book: book.clone(), name: name.clone() });
        }
        // An entry without a target follows one that had it: a deletion is refused otherwise.
        let before = self.store.refs().entry(book, name, head.entry.seq - 1).await?;
        let Some(target) = before.and_then(|entry| entry.entry.target) else {
            return Err(RepoError::Deleted { book: book.clone(), name: name.clone() });
        };
        // Nothing keeps the version of a branch that is deleted, once older entries keep none.
        self.kept_version(target).await?;
        self.move_ref(request, began, Expectation::Absent, Some(target), restore).await
    }

    /// Points a branch that is there and as expected at `commit`: one more log entry, unless it
    /// points there already. What it follows stays, as far as the two share some history.
    pub async fn reset_branch(
        &self,
        request: &RefRequest,
        expect: Expectation,
        commit: CommitId,
    ) -> Result<LogEntry, RepoError> {
        self.store.refs().will_update();
        let RefRequest { book, name, .. } = request;
        Self::check_branch(book, name)?;
        let began = self.env.clock.now();
        let head = self.newest(book, name).await?;
        let reset = Operation::reset();
        let same = |target: Option<CommitId>| target == Some(commit);
        // Also of a branch that was deleted since.
        if let Some(entry) = self.earlier(request, &head, &reset, same).await? {
            return Ok(entry);
        }
        let current = Self::target_of(&head)?;
        let expect = match expect {
            Expectation::Any => Expectation::Is(current),
            said => said,
        };
        if !expect.holds(Some(&head)) {
            let (book, name) = (book.clone(), name.clone());
            return Err(RepoError::RefMoved { book, name, current: Some(current) });
        }
        if current == commit {
            return Ok(head);
        }
        self.check_target(book, name, commit).await?;
        let metadata = self.upstream_after_reset(&head, commit).await?;
        self.move_ref_with(request, began, expect, Some(commit), reset, metadata).await
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
        let rest = self.entries(book, name, (oldest + 1..newest).rev().collect());
        let mut entries = if limit == 0 { Vec::new() } else { vec![head] };
        entries.extend(rest.await?);
        Ok(entries)
    }

    /// Moves a ref by work that began then: before anything was seen that it relies on.
    pub(super) async fn move_ref(
        &self,
        request: &RefRequest,
        began: Timestamp,
        expect: Expectation,
        target: Option<CommitId>,
        operation: Operation,
    ) -> Result<LogEntry, RepoError> {
        self.move_ref_with(request, began, expect, target, operation, Metadata::new()).await
    }

    pub(super) async fn move_ref_with(
        &self,
        request: &RefRequest,
        began: Timestamp,
        expect: Expectation,
        target: Option<CommitId>,
        operation: Operation,
        metadata: Metadata,
    ) -> Result<LogEntry, RepoError> {
        let RefRequest { book, name, message, request_id } = request;
        let update = RefUpdate {
            book: book.clone(),
            name: name.clone(),
            expect,
            target,
            actor: self.actor.clone(),
            operation: operation.clone(),
            message: crate::refs::subject_of(message),
            request_id: request_id.clone(),
            metadata,
            began,
        };
        match self.store.refs().update(&update).await? {
            // By this request or by an earlier try of it, if it was one for the same thing.
            UpdateOutcome::Moved(entry)
                if entry.entry.target == target && entry.entry.operation == operation =>
            {
                Ok(entry)
            }
            UpdateOutcome::Moved(entry) => Err(RepoError::request_used(&entry, request_id)),
            UpdateOutcome::Refused(head) => {
                let current = head.and_then(|head| head.entry.target);
                Err(RepoError::RefMoved { book: book.clone(), name: name.clone(), current })
            }
        }
    }

    /// The entry that an earlier try of `request` made; an error if it was for something else.
    pub(super) async fn earlier(
        &self,
        request: &RefRequest,
        head: &LogEntry,
        operation: &Operation,
        is_wanted: impl Fn(Option<CommitId>) -> bool,
    ) -> Result<Option<LogEntry>, RepoError> {
        match earlier_try(self.store.refs(), head, &request.request_id).await? {
            Some(found)
                if found.entry.operation != *operation || !is_wanted(found.entry.target) =>
            {
                Err(RepoError::request_used(&found, &request.request_id))
            }
            found => Ok(found),
        }
    }
}
