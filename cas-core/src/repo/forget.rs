//! Forgetting a branch: deleting it for good.

use super::{RefRequest, RepoError, Repository};
use crate::name::{Operation, RefName};
use crate::object::Metadata;
use crate::refs::{Expectation, LogEntry, Upstream};

impl Repository {
    /// Deletes a branch, also one that is deleted already, so that what its log names is kept no
    /// more on its account: collection removes what nothing else reaches. One more log entry; the
    /// others stay. A branch that is forgotten already is as wanted.
    ///
    /// It cannot be restored, but its name may be used again.
    pub async fn forget_branch(&self, request: &RefRequest) -> Result<LogEntry, RepoError> {
        let RefRequest { book, name, .. } = request;
        Self::check_forgettable(request)?;
        let began = self.env.clock.now();
        let head = self.newest(book, name).await?;
        let forget = Operation::forget();
        if let Some(entry) =
            self.earlier(request, &head, &forget, |target| target.is_none()).await?
        {
            return Ok(entry);
        }
        if head.entry.forgets() {
            return Ok(head);
        }
        let mut metadata = Metadata::new();
        // The base that it met is a version of its upstream, and no more kept than the rest.
        Upstream::write_none(&mut metadata)?;
        self.move_ref_with(request, began, Expectation::Any, None, forget, metadata).await
    }

    /// Refuses to forget what is no branch of somebody's own.
    pub fn check_forgettable(request: &RefRequest) -> Result<(), RepoError> {
        let RefRequest { book, name, .. } = request;
        let rule = if name.is_tag() {
            "only a branch can be forgotten, and this is a tag"
        } else if *name == RefName::main() {
            "main is what other branches are made from, and is never forgotten"
        } else {
            return Ok(());
        };
        Err(RepoError::WrongRef { book: book.clone(), name: name.clone(), rule })
    }
}
