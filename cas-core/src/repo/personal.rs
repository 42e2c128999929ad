//! What stands in for a personal branch that is not there.
//!
//! The newest `book.toml` of `main` says which branches are personal and what they follow
//! (`[[personal]]`). Until a reader writes something, there is no branch: its upstream is read, and
//! the first write forks it. So a reader who changed nothing has cost nothing.

use super::{RepoError, Repository};
use crate::name::{BookId, CommitId, RefName};
use crate::object::Commit;
use crate::refs::Upstream;
use crate::schema::BookFile;

/// What is read in place of a branch that is not there.
#[derive(Debug, Clone)]
pub(crate) struct StandIn {
    /// What the branch is to follow when it is made; its base is the upstream's newest commit.
    pub(crate) upstream: Upstream,
    /// That commit.
    pub(crate) commit: Commit,
}

/// What `main` says of its book.
struct Rules {
    id: CommitId,
    commit: Commit,
    file: BookFile,
}

impl Repository {
    /// What stands in for a branch that is not there; nothing unless a rule covers its name and the
    /// upstream is there.
    ///
    /// An upstream has to be a branch itself: nothing stands in for it.
    pub(crate) async fn stand_in(
        &self,
        book: &BookId,
        name: &RefName,
    ) -> Result<Option<StandIn>, RepoError> {
        if name.is_tag() || *name == RefName::main() {
            return Ok(None);
        }
        let Some(rules) = self.rules(book).await? else {
            return Ok(None);
        };
        let Some(personal) = rules.file.personal_for(name) else {
            return Ok(None);
        };
        let (name, follow) = (personal.upstream().clone(), personal.follow());
        if name == RefName::main() {
            let upstream = Upstream { name, follow, base: rules.id };
            return Ok(Some(StandIn { upstream, commit: rules.commit }));
        }
        let head = self.store.refs().head(book, &name).await?;
        let Some(base) = head.and_then(|head| head.entry.target) else {
            return Ok(None);
        };
        let commit = self.store.get_commit(&base).await?;
        Ok(Some(StandIn { upstream: Upstream { name, follow, base }, commit }))
    }

    /// The rules of a book for new branches: the newest `book.toml` of its `main`.
    pub(super) async fn newest_rules(&self, book: &BookId) -> Result<Option<BookFile>, RepoError> {
        Ok(self.rules(book).await?.map(|rules| rules.file))
    }

    async fn rules(&self, book: &BookId) -> Result<Option<Rules>, RepoError> {
        let head = self.store.refs().head(book, &RefName::main()).await?;
        let Some(id) = head.and_then(|head| head.entry.target) else {
            return Ok(None);
        };
        let commit = self.store.get_commit(&id).await?;
        // A broken file says nothing: a version with one is refused before a ref points at it.
        let file = self.book_file(commit.tree).await?.and_then(Result::ok);
        Ok(file.map(|file| Rules { id, commit, file }))
    }
}
