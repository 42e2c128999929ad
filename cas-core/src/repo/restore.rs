//! Making paths of a branch what they are in another version.

use super::read::Found;
use super::{Edit, EditReport, PathEdit, Precondition, RepoError, Repository, VersionRequest};
use crate::name::{BookPath, Operation, TreeId};
use crate::refs::earlier_try;

impl Repository {
    /// Makes paths of a branch what they are in the tree `from`, which a commit of the book has:
    /// files and folders are put back, and what is not there is removed. One commit, unless
    /// nothing changes.
    pub async fn restore_paths(
        &self,
        request: &VersionRequest,
        from: TreeId,
        paths: &[BookPath],
    ) -> Result<EditReport, RepoError> {
        let edits = self.restoring(from, paths).await?;
        self.edit(request, Operation::revert(), &edits).await
    }

    /// The edits that make paths what they are in the tree `from`, whatever is there now.
    pub async fn restoring(
        &self,
        from: TreeId,
        paths: &[BookPath],
    ) -> Result<Vec<PathEdit>, RepoError> {
        let mut edits = Vec::with_capacity(paths.len());
        for path in paths {
            let entry = match self.find(from, path).await? {
                Some(Found::Root(_)) => {
                    let rule = "name files or folders, or reset the whole branch";
                    return Err(RepoError::NotAPath { path: path.clone(), rule });
                }
                Some(Found::Entry(entry)) => Some(entry),
                None => None,
            };
            let (path, edit) = (path.clone(), Edit::Place(entry));
            edits.push(PathEdit { path, edit, precondition: Precondition::Unsaid });
        }
        Ok(edits)
    }

    /// What an earlier try of `request` left when it restored paths; `None` if there was none.
    ///
    /// The version that paths are restored from may have moved since. A try that is repeated has to
    /// restore what it did the first time, and finds it here.
    pub async fn restored_before(
        &self,
        request: &VersionRequest,
    ) -> Result<Option<TreeId>, RepoError> {
        let VersionRequest { book, branch, request_id, .. } = request;
        if request_id.is_fresh() {
            return Ok(None);
        }
        let Some(head) = self.store.refs().head(book, branch).await? else {
            return Ok(None);
        };
        let Some(entry) = earlier_try(self.store.refs(), &head, request_id).await? else {
            return Ok(None);
        };
        let made = entry.entry.made_by(request_id);
        let restored = made.filter(|made| made.operation == Operation::revert());
        match restored.and_then(|made| made.commit) {
            Some(commit) => Ok(Some(self.tree_id(commit).await?)),
            None => Err(RepoError::request_used(&entry, request_id)),
        }
    }
}
