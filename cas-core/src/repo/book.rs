//! Beginning a book.

use super::{RefRequest, RepoError, Repository};
use crate::name::{Operation, RefName};
use crate::object::{Commit, Metadata, Tree};
use crate::refs::{Expectation, LogEntry};

impl Repository {
    /// Begins a book: its branch `main`, at a first version without files. The request's ref is
    /// `main`.
    pub async fn create_book(&self, request: &RefRequest) -> Result<LogEntry, RepoError> {
        let began = self.env.clock.now();
        let session = self.store.session().await?;
        let (tree, _) = session.put_tree(&Tree::default()).await?;
        let commit = Commit {
            tree,
            parents: Vec::new(),
            author: self.actor.clone(),
            committed_at: self.env.clock.now(),
            message: request.message.clone(),
            metadata: Metadata::new(),
        };
        let commit = session.put_commit(&commit).await?;
        session.publish().await?;
        let create = Operation::create();
        match self.move_ref(request, began, Expectation::Absent, Some(commit), create).await {
            Err(RepoError::RefMoved { book, name, current: Some(commit) }) => {
                Err(RepoError::RefExists { book, name, commit })
            }
            // An earlier try made the book with a commit of its own, at another time.
            Err(RepoError::RequestUsed { .. }) => self.made_book(request).await,
            other => other,
        }
    }

    /// The entry by which `request` made the book.
    async fn made_book(&self, request: &RefRequest) -> Result<LogEntry, RepoError> {
        let RefRequest { book, request_id, .. } = request;
        let first = self.store.refs().entry(book, &RefName::main(), 1).await?;
        let is_it = |entry: &LogEntry| {
            entry.entry.request_id == *request_id && entry.entry.operation == Operation::create()
        };
        match first {
            Some(entry) if is_it(&entry) => Ok(entry),
            Some(entry) => Err(RepoError::request_used(&entry, request_id)),
            None => Err(RepoError::NoBook { book: book.clone() }),
        }
    }
}
