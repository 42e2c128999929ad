//! A tree being edited: only the directories on edited paths are loaded and written.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::RepoError;
use super::schema::NewTrees;
use crate::name::{BookPath, TreeId};
use crate::object::{Entry, Tree, TreeBuilder};
use crate::store::{Session, Store, StoreError};

/// A tree with changes that are not written yet. A clone shares what neither changes.
#[derive(Debug, Clone)]
pub(in crate::repo) struct TreeEditor<'a> {
    store: &'a Store,
    root: TreeId,
    /// The directories loaded so far, by path.
    folders: BTreeMap<BookPath, Arc<Folder>>,
    /// The directories written so far, which may not be readable in the store yet.
    written: Arc<NewTrees>,
}

#[derive(Debug, Clone, Default)]
struct Folder {
    entries: TreeBuilder,
    changed: bool,
}

impl<'a> TreeEditor<'a> {
    /// Begins to edit the tree `root`.
    pub(in crate::repo) async fn new(store: &'a Store, root: TreeId) -> Result<Self, RepoError> {
        let mut editor = Self { store, root, folders: BTreeMap::new(), written: Arc::default() };
        editor.load(BookPath::root(), root).await?;
        Ok(editor)
    }

    /// What is at `path`, which is not the root; `None` if nothing is.
    pub(in crate::repo) async fn get(
        &mut self,
        path: &BookPath,
    ) -> Result<Option<Entry>, RepoError> {
        let (Some(parent), Some(name)) = (path.parent(), path.name()) else {
            return Ok(None);
        };
        if !self.open(&parent).await? {
            return Ok(None);
        }
        Ok(self.folders.get(&parent).and_then(|folder| folder.entries.get(name.as_str()).cloned()))
    }

    /// Puts `entry` at `path`, replacing what is there and making directories as needed. A file
    /// on the way is an error.
    pub(in crate::repo) async fn set(
        &mut self,
        path: &BookPath,
        mut entry: Entry,
    ) -> Result<(), RepoError> {
        let (Some(parent), Some(name)) = (path.parent(), path.name()) else {
            return Err(RepoError::IsAFolder { path: path.clone() });
        };
        self.make(&parent).await?;
        entry.name = name;
        self.touch(&parent);
        if let Some(folder) = self.folder(&parent) {
            folder.entries.insert(entry);
        }
        Ok(())
    }

    /// Removes what is at `path`.
    pub(in crate::repo) async fn remove(
        &mut self,
        path: &BookPath,
    ) -> Result<Option<Entry>, RepoError> {
        let (Some(parent), Some(name)) = (path.parent(), path.name()) else {
            return Ok(None);
        };
        if !self.open(&parent).await? {
            return Ok(None);
        }
        self.folders.retain(|folder, _| !folder.starts_with(path));
        let removed = self.folder(&parent).and_then(|folder| folder.entries.remove(name.as_str()));
        if removed.is_some() {
            self.touch(&parent);
        }
        Ok(removed)
    }

    /// Moves the entry at `from` to `to`, with what has been changed below it.
    pub(in crate::repo) async fn rename(
        &mut self,
        from: &BookPath,
        to: &BookPath,
        entry: Entry,
    ) -> Result<(), RepoError> {
        let below: Vec<_> =
            self.folders.keys().filter(|folder| folder.starts_with(from)).cloned().collect();
        let mut moved = Vec::new();
        for folder in below {
            let rest = folder.as_str()[from.as_str().len()..].trim_start_matches('/');
            let target =
                if rest.is_empty() { to.clone() } else { BookPath::parse(rest)?.below(to)? };
            moved.extend(self.folders.remove(&folder).map(|folder| (target, folder)));
        }
        self.remove(from).await?;
        self.set(to, entry).await?;
        self.folders.extend(moved);
        Ok(())
    }

    /// Writes every changed directory into `session`, if there is one, the deepest first, leaves
    /// out those that became empty, and returns the new root.
    pub(in crate::repo) async fn write(
        &mut self,
        session: Option<&Session>,
    ) -> Result<TreeId, RepoError> {
        let mut changed: Vec<_> = self
            .folders
            .iter()
            .filter(|(_, folder)| folder.changed)
            .map(|(path, _)| path.clone())
            .collect();
        changed.sort_by_key(|path| std::cmp::Reverse(path.segments().count()));
        for path in changed {
            let Some(folder) = self.folder(&path) else {
                continue;
            };
            folder.changed = false;
            let tree = folder
                .entries
                .clone()
                .build()
                .map_err(|source| RepoError::Tree { path: path.clone(), source })?;
            match (path.parent(), path.name()) {
                (Some(parent), Some(name)) if tree.is_empty() => {
                    self.folders.remove(&path);
                    if let Some(parent) = self.folder(&parent) {
                        parent.entries.remove(name.as_str());
                    }
                }
                (Some(parent), Some(name)) => {
                    let id = self.put(session, &tree).await?;
                    if let Some(parent) = self.folder(&parent) {
                        parent.entries.insert(Entry::tree(name, id, &tree));
                    }
                }
                _ => self.root = self.put(session, &tree).await?,
            }
        }
        Ok(self.root)
    }

    /// Loads the directories down to `path`. Says `false` if there is none.
    async fn open(&mut self, path: &BookPath) -> Result<bool, RepoError> {
        let mut at = BookPath::root();
        for segment in path.segments() {
            let entry =
                self.folders.get(&at).and_then(|folder| folder.entries.get(segment).cloned());
            let Some(entry) = entry else { return Ok(false) };
            at = at.join(&entry.name)?;
            if self.folders.contains_key(&at) {
                continue;
            }
            let Some(id) = entry.tree_id() else {
                return Ok(false);
            };
            self.load(at.clone(), id).await?;
        }
        Ok(true)
    }

    /// Loads the directories down to `path`, making those that are missing.
    async fn make(&mut self, path: &BookPath) -> Result<(), RepoError> {
        let mut at = BookPath::root();
        for segment in path.segments() {
            let entry =
                self.folders.get(&at).and_then(|folder| folder.entries.get(segment).cloned());
            let below = at.join(&crate::name::EntryName::parse(segment)?)?;
            match entry.map(|entry| entry.tree_id()) {
                _ if self.folders.contains_key(&below) => {}
                None => {
                    self.folders.insert(below.clone(), Arc::default());
                }
                Some(Some(id)) => self.load(below.clone(), id).await?,
                Some(None) => return Err(RepoError::NotAFolder { path: below }),
            }
            at = below;
        }
        Ok(())
    }

    /// Marks `path` and every directory above it as changed.
    fn touch(&mut self, path: &BookPath) {
        let mut at = Some(path.clone());
        while let Some(path) = at {
            if let Some(folder) = self.folder(&path) {
                folder.changed = true;
            }
            at = path.parent();
        }
    }

    async fn load(&mut self, path: BookPath, id: TreeId) -> Result<(), RepoError> {
        let tree: Tree = self.store.get_tree(&id).await?;
        let folder = Folder { entries: TreeBuilder::from(&tree), changed: false };
        self.folders.insert(path, Arc::new(folder));
        Ok(())
    }

    /// Puts a tree, if there is a session to put it into, and returns its id.
    async fn put(&mut self, session: Option<&Session>, tree: &Tree) -> Result<TreeId, StoreError> {
        let id = match session {
            Some(session) => session.put_tree(tree).await?.0,
            None => tree.encode_with_id().0,
        };
        Arc::make_mut(&mut self.written).insert(id, Arc::new(tree.clone()));
        Ok(id)
    }

    /// Every directory that was written.
    pub(in crate::repo) fn written(&self) -> Arc<NewTrees> {
        self.written.clone()
    }

    /// A loaded directory, to be changed.
    fn folder(&mut self, path: &BookPath) -> Option<&mut Folder> {
        self.folders.get_mut(path).map(Arc::make_mut)
    }
}
