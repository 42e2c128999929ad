//! Making a version: a commit, published, and then a branch that points at it.

use super::{RepoError, Repository, Unpublished};
use crate::env::Timestamp;
use crate::name::{BookId, CommitId, Operation, RefName, RequestId, TreeId};
use crate::object::{Commit, Metadata, Tree};
use crate::refs::{
    Expectation, LogEntry, RefEntry, RefUpdate, UpdateOutcome, Upstream, subject_of,
};
use crate::schema::{BOOK_FILE, Violation};
use crate::store::Session;

/// Which branch is to get a new version, and why.
#[derive(Debug, Clone)]
pub struct VersionRequest {
    /// The book.
    pub book: BookId,
    /// The branch.
    pub branch: RefName,
    /// Why.
    pub message: String,
    /// Names this wish: repeating it with the same id never does it twice.
    pub request_id: RequestId,
}

/// A version about to be made.
#[derive(Debug)]
pub(crate) struct NewVersion<'a> {
    pub(crate) request: &'a VersionRequest,
    pub(crate) operation: Operation,
    /// When the work began that it is made of.
    pub(crate) began: Timestamp,
    /// The version before: what the branch is believed to point at, unless it is forked.
    pub(crate) parent: Option<CommitId>,
    /// What the branch follows, if it is not there yet and begins at its upstream.
    pub(crate) forks: Option<Upstream>,
    pub(crate) tree: TreeId,
    /// Its root, which is at hand.
    pub(crate) root: &'a Tree,
}

/// What became of it.
#[derive(Debug)]
pub(crate) enum Made {
    /// The branch points at the new commit, with this to be said of it.
    Done(CommitId, Vec<Violation>),
    /// An earlier try of the same request landed, by this entry. The new commit is named by
    /// nothing.
    Earlier(Box<LogEntry>),
    /// The branch moved meanwhile and points here now. The commit is named by nothing.
    Lost(Option<CommitId>),
}

impl Repository {
    /// Commits a tree whose objects are in `session`, publishes, and moves the branch if it still
    /// points where it is believed to.
    pub(crate) async fn make_version(
        &self,
        session: &Session,
        new: NewVersion<'_>,
    ) -> Result<Made, RepoError> {
        let NewVersion { request, operation, began, parent, forks, tree, root } = new;
        let commit = Commit {
            tree,
            parents: parent.into_iter().collect(),
            author: self.actor.clone(),
            committed_at: self.env.clock.now(),
            message: request.message.clone(),
            metadata: Metadata::new(),
        };
        self.store.refs().will_update();
        let id = session.put_commit(&commit).await?;
        session.publish().await?;
        // After publishing, because the new trees can be read then. What is refused is named by
        // nothing, as if another writer had been faster.
        let warnings = if root.get(BOOK_FILE).is_some() {
            let before = self.tree_of(parent).await;
            self.check_schema(&Unpublished::root(tree, root), tree, before).await?
        } else {
            Vec::new()
        };
        let mut metadata = Metadata::new();
        if let Some(upstream) = &forks {
            upstream.write(&mut metadata)?;
        }
        let update = RefUpdate {
            book: request.book.clone(),
            name: request.branch.clone(),
            expect: Expectation::from_target(parent.filter(|_| forks.is_none())),
            target: Some(id),
            actor: self.actor.clone(),
            operation,
            message: subject_of(&request.message),
            request_id: request.request_id.clone(),
            metadata,
            began,
        };
        Ok(match self.store.refs().update(&update).await? {
            UpdateOutcome::Moved(entry) if entry.entry.target == Some(id) => {
                Made::Done(id, warnings)
            }
            UpdateOutcome::Moved(entry) => Made::Earlier(Box::new(entry)),
            UpdateOutcome::Refused(head) => Made::Lost(head.and_then(|head| head.entry.target)),
        })
    }

    /// A ref that is there, and where it points.
    pub(crate) async fn live(
        &self,
        book: &BookId,
        name: &RefName,
    ) -> Result<(LogEntry, CommitId), RepoError> {
        let head = self.newest(book, name).await?;
        let commit = Self::target_of(&head)?;
        Ok((head, commit))
    }

    /// The newest entry of a ref that is there or was, and is deleted.
    pub(crate) async fn newest(
        &self,
        book: &BookId,
        name: &RefName,
    ) -> Result<LogEntry, RepoError> {
        match self.store.refs().head(book, name).await? {
            Some(head) => Ok(head),
            None => Err(self.no_ref(book, name).await?),
        }
    }

    /// Where a ref points that must not be deleted, by its newest entry.
    pub(crate) fn target_of(head: &LogEntry) -> Result<CommitId, RepoError> {
        let RefEntry { book, name, target, .. } = &head.entry;
        target.ok_or_else(|| RepoError::Deleted { book: book.clone(), name: name.clone() })
    }

    /// Refuses tags where a branch is needed.
    pub(crate) fn check_branch(book: &BookId, name: &RefName) -> Result<(), RepoError> {
        if name.is_tag() {
            let (book, name) = (book.clone(), name.clone());
            return Err(RepoError::WrongRef {
                book,
                name,
                rule: "a tag never moves; name a branch",
            });
        }
        Ok(())
    }
}
