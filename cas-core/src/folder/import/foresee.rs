//! What the book's rules will say of a folder: for a dry run, which puts nothing into the store.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::io;
use super::trees::Trees;
use crate::folder::FolderError;
use crate::folder::validate::read_book_file;
use crate::name::{BlobId, TreeId};
use crate::repo::{Repository, Unpublished};
use crate::schema::{BOOK_FILE, BookFileError, Violation};

impl Repository {
    /// Refuses the folder as an import would, if it breaks the rules of its own `book.toml`;
    /// otherwise the warnings that the import would give.
    pub(super) async fn foresee(
        &self,
        path: &Path,
        trees: &Trees,
        before: Option<TreeId>,
    ) -> Result<Vec<Violation>, FolderError> {
        let Some(entry) = trees.all.get(&trees.root).and_then(|root| root.get(BOOK_FILE)) else {
            return Ok(Vec::new());
        };
        let mut contents = BTreeMap::new();
        if BookFileError::of_entry(entry.kind, entry.totals.size).is_none() {
            let bytes =
                read_book_file(path).map_err(|source| io("read book.toml in", path, source))?;
            contents.insert(BlobId::of(&bytes), bytes.into());
        }
        let all = trees.all.iter().map(|(id, tree)| (*id, Arc::new(tree.clone()))).collect();
        let unpublished = Unpublished { trees: Arc::new(all), contents };
        Ok(self.check_schema(&unpublished, trees.root, before).await?)
    }
}
