//! The schema of a book, held against every version that a ref is to point at.
//!
//! A book without `book.toml` costs one look into its root tree, which whoever makes a version has
//! at hand. With one, only folders that differ from an accepted version with the same `book.toml`
//! are read: what was accepted before keeps the rules, so only what is new can break one. If the
//! file itself differs, or documents came to live elsewhere, everything is looked at.
//!
//! Doors, and where they ask: edits in `group.rs`, imports in `version.rs`, branches and tags made
//! or reset in `branch.rs`, refs moved by a client that wrote its own objects in the server's
//! `api/raw.rs`. Deleting needs no check, and bringing a branch back gives it a value that it had.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::{RepoError, Repository, for_each};
use crate::name::{BlobId, BookId, BookPath, CommitId, RefName, TreeId};
use crate::object::{Commit, Entry, Kind, Tree};
use crate::schema::{
    BOOK_FILE, BOOK_FILE_BYTES, BookFile, BookFileError, Folder, Preset, SchemaFile, Violation,
    sorted,
};
use crate::store::StoreError;

/// Trees that were made just now, and may not be readable in the store yet.
pub(crate) type NewTrees = BTreeMap<TreeId, Arc<Tree>>;

/// What is at hand beyond the store: objects that are not published yet.
#[derive(Debug, Clone, Default)]
pub(crate) struct Unpublished {
    pub(crate) trees: Arc<NewTrees>,
    /// Contents that may be the book's file.
    pub(crate) contents: BTreeMap<BlobId, Bytes>,
}

impl Unpublished {
    /// Just the root of a version.
    pub(crate) fn root(id: TreeId, tree: &Tree) -> Self {
        let trees = Arc::new(BTreeMap::from([(id, Arc::new(tree.clone()))]));
        Self { trees, contents: BTreeMap::new() }
    }
}

/// A directory to look into, and the one that stood there in the version before.
struct Pair {
    path: BookPath,
    new: TreeId,
    old: Option<TreeId>,
}

impl Repository {
    /// Refuses the version `tree` if it breaks the rules of its own `book.toml`; otherwise the
    /// warnings about what is new in it since `before`, a version that a ref of the book points
    /// at. What is not in the store yet is in `unpublished`.
    pub(crate) async fn check_schema(
        &self,
        unpublished: &Unpublished,
        tree: TreeId,
        before: Option<TreeId>,
    ) -> Result<Vec<Violation>, RepoError> {
        if before == Some(tree) {
            return Ok(Vec::new());
        }
        let found = self.broken_rules(unpublished, tree, before, None).await?;
        let (errors, warnings): (Vec<_>, Vec<_>) = found.into_iter().partition(Violation::is_error);
        if errors.is_empty() { Ok(warnings) } else { Err(RepoError::Schema { violations: errors }) }
    }

    /// Refuses to point a ref of `book` at a commit whose tree breaks the rules of its own
    /// `book.toml`. The commit is in the store.
    ///
    /// It is compared with what the ref points at now, or else with the newest version of `main`:
    /// both were accepted. A commit of the book's history keeps its own rules as it did when it
    /// was made, so there is no exception for one.
    pub async fn check_target(
        &self,
        book: &BookId,
        name: &RefName,
        commit: CommitId,
    ) -> Result<(), RepoError> {
        self.checked_target(book, name, commit).await.map(|_| ())
    }

    /// The commit that a ref is to point at, and its root. One that older entries of a log name, and
    /// nothing else, may have been collected, also meanwhile: that is no damage.
    pub(super) async fn kept_version(&self, id: CommitId) -> Result<(Commit, Tree), RepoError> {
        let found = async {
            let commit = self.store.get_commit(&id).await?;
            let root = self.store.get_tree(&commit.tree).await?;
            Ok((commit, root))
        };
        match found.await {
            Err(StoreError::Missing { kind, id: missing })
                // Commits go first.
                if self.store.size(Kind::Commit, id.hash()).await?.is_none()
                    && self.store.refs().may_be_collected().await? =>
            {
                Err(StoreError::Collected { kind, id: missing }.into())
            }
            other => Ok(other?),
        }
    }

    /// As [`check_target`](Self::check_target); says the commit's tree if it has a `book.toml`.
    pub(super) async fn checked_target(
        &self,
        book: &BookId,
        name: &RefName,
        commit: CommitId,
    ) -> Result<Option<TreeId>, RepoError> {
        let (Commit { tree, .. }, root) = self.kept_version(commit).await?;
        if root.get(BOOK_FILE).is_none() {
            return Ok(None);
        }
        let mut before = None;
        for name in [name, &RefName::main()] {
            let head = self.store.refs().head(book, name).await?;
            before = head.and_then(|head| head.entry.target);
            if before.is_some() {
                break;
            }
        }
        let before = self.tree_of(before).await;
        self.check_schema(&Unpublished::root(tree, &root), tree, before).await?;
        Ok(Some(tree))
    }

    /// Every rule that the version `tree` breaks, sorted by path; with `preset`, as if its
    /// `book.toml` named that one. Nothing is written.
    pub async fn validate(
        &self,
        tree: TreeId,
        preset: Option<Preset>,
    ) -> Result<Vec<Violation>, RepoError> {
        self.broken_rules(&Unpublished::default(), tree, None, preset).await
    }

    /// The `book.toml` of a version; `None` if it has none, an error of its own if it is broken.
    pub async fn book_file(
        &self,
        tree: TreeId,
    ) -> Result<Option<Result<BookFile, BookFileError>>, RepoError> {
        let none = Unpublished::default();
        let root = self.tree_at_hand(&none, tree).await?;
        self.parsed(&none, &root).await
    }

    /// The tree of an accepted commit. One that cannot be read vouches for nothing.
    pub(super) async fn tree_of(&self, commit: Option<CommitId>) -> Option<TreeId> {
        self.store.get_commit(&commit?).await.ok().map(|commit| commit.tree)
    }

    async fn broken_rules(
        &self,
        unpublished: &Unpublished,
        tree: TreeId,
        before: Option<TreeId>,
        preset: Option<Preset>,
    ) -> Result<Vec<Violation>, RepoError> {
        let root = self.tree_at_hand(unpublished, tree).await?;
        let file = match (self.parsed(unpublished, &root).await?, preset) {
            (None, None) => return Ok(Vec::new()),
            (Some(Err(error)), _) => return Ok(vec![error.violation()]),
            (Some(Ok(file)), None) => file,
            (Some(Ok(file)), Some(preset)) => file.with_preset(preset),
            (None, Some(preset)) => BookFile::of_preset(preset),
        };
        let root_folder = folder_of(&BookPath::root(), &root);
        let place = root_folder.content_root();
        let before = match before {
            Some(id) => self.tree_at_hand(unpublished, id).await.ok().map(|tree| (id, tree)),
            None => None,
        };
        let same_rules = |old: &Tree| {
            old.get(BOOK_FILE) == root.get(BOOK_FILE)
                && folder_of(&BookPath::root(), old).content_root() == place
        };
        let before = before.filter(|(_, old)| same_rules(old)).map(|(id, _)| id);
        let mut violations = Vec::new();
        for path in file.required() {
            if !self.is_there(unpublished, &root, path).await? {
                violations.extend(file.missing(|other| other != path));
            }
        }
        let mut level = vec![Pair { path: BookPath::root(), new: tree, old: before }];
        while !level.is_empty() {
            let (repo, at_hand) = (self.clone(), unpublished.clone());
            let read = for_each(level, self.jobs, move |pair| {
                let (repo, at_hand) = (repo.clone(), at_hand.clone());
                async move {
                    let new = repo.tree_at_hand(&at_hand, pair.new).await?;
                    let old = match pair.old {
                        // What cannot be read vouches for nothing.
                        Some(id) => repo.tree_at_hand(&at_hand, id).await.unwrap_or_default(),
                        None => Arc::default(),
                    };
                    Ok::<_, RepoError>((pair.path, new, old))
                }
            });
            level = Vec::new();
            for (path, new, old) in read.await? {
                violations.extend(file.check_folder(&place, &folder_of(&path, &new)));
                for entry in new.entries() {
                    let there = old.get(entry.name.as_str());
                    if there.is_some_and(|there| there.same_content(entry)) {
                        continue;
                    }
                    let below = path.join(&entry.name)?;
                    match entry.tree_id() {
                        Some(new) => {
                            let old = there.and_then(Entry::tree_id);
                            level.push(Pair { path: below, new, old });
                        }
                        None => violations.extend(file.check_file(&SchemaFile {
                            path: below,
                            kind: entry.kind,
                            size: entry.totals.size,
                        })),
                    }
                }
            }
        }
        Ok(sorted(violations))
    }

    /// The book's file, if the root has one.
    async fn parsed(
        &self,
        unpublished: &Unpublished,
        root: &Tree,
    ) -> Result<Option<Result<BookFile, BookFileError>>, RepoError> {
        let Some(entry) = root.get(BOOK_FILE) else {
            return Ok(None);
        };
        if let Some(error) = BookFileError::of_entry(entry.kind, entry.totals.size) {
            return Ok(Some(Err(error)));
        }
        let id = BlobId(entry.id);
        let bytes = match unpublished.contents.get(&id) {
            Some(bytes) => bytes.clone(),
            None => self.store.get_small_blob(&id, BOOK_FILE_BYTES).await?,
        };
        Ok(Some(BookFile::parse(&bytes)))
    }

    /// Whether a file is at `path`.
    async fn is_there(
        &self,
        unpublished: &Unpublished,
        root: &Arc<Tree>,
        path: &BookPath,
    ) -> Result<bool, RepoError> {
        let mut at = Some(root.clone());
        let mut is_file = false;
        for segment in path.segments() {
            let Some(entry) = at.as_ref().and_then(|tree| tree.get(segment)) else {
                return Ok(false);
            };
            is_file = entry.tree_id().is_none();
            at = match entry.tree_id() {
                Some(id) => Some(self.tree_at_hand(unpublished, id).await?),
                None => None,
            };
        }
        Ok(is_file)
    }

    async fn tree_at_hand(
        &self,
        unpublished: &Unpublished,
        id: TreeId,
    ) -> Result<Arc<Tree>, StoreError> {
        match unpublished.trees.get(&id) {
            Some(tree) => Ok(tree.clone()),
            None => self.store.get_tree(&id).await.map(Arc::new),
        }
    }
}

/// A directory, as the rules see it.
fn folder_of(path: &BookPath, tree: &Tree) -> Folder {
    let mut folder = Folder { path: path.as_str().to_owned(), ..Folder::default() };
    for entry in tree.entries() {
        let name = entry.name.to_string();
        if entry.kind.is_tree() {
            folder.folders.insert(name);
        } else {
            folder.files.insert(name, entry.totals.size);
        }
    }
    folder
}
