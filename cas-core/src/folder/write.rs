//! Carrying out a checkout's plan.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use futures::StreamExt;

use super::FolderError;
use super::handle::{Handle, Walked};
use super::index::Index;
use super::plan::{Write, split};
use super::progress::Progress;
use super::scan::join;
use super::stat::Fingerprint;
use crate::limits;
use crate::name::{Hash, TreeId};
use crate::object::EntryKind;
use crate::repo::{Leaf, Side};
use crate::store::{Store, StoreError};

/// How many files of one folder are written by one task, where reading them takes no time.
pub(super) const GROUP: usize = 16;

/// The state folder of a checkout: its index, what it is about to write, and unfinished files.
#[derive(Debug)]
pub(super) struct State {
    handle: Handle,
    temp: Handle,
}

impl State {
    const INDEX: &str = "index";
    const PENDING: &str = "pending";
    const TEMP: &str = "tmp";

    /// Makes the state folder in `root` and takes its lock; `None` if another process has it.
    pub(super) fn open(root: &Handle) -> std::io::Result<Option<Self>> {
        let handle = root.make(super::STATE_FOLDER)?;
        if !handle.lock()? {
            return Ok(None);
        }
        // Keeps the state out of a git repository that the checkout lies in.
        if let Ok(mut file) = handle.create(".gitignore", false) {
            file.write_all(b"*\n")?;
        }
        let temp = handle.make(Self::TEMP)?;
        for name in temp.names()? {
            temp.remove(&name)?;
        }
        Ok(Some(Self { handle, temp }))
    }

    /// What the state of the checkout in `root` is.
    pub(super) fn look(root: &Handle) -> Kept {
        let (index, pending) = Self::files(root);
        Kept::new(&index, &pending)
    }

    /// Tells whether the state is still what it was.
    pub(super) fn stamp(root: &Handle) -> Hash {
        let (index, pending) = Self::files(root);
        stamp(&index, &pending)
    }

    fn files(root: &Handle) -> (Vec<u8>, Vec<u8>) {
        let file = |name| read(root, name).unwrap_or_default();
        (file(Self::INDEX), file(Self::PENDING))
    }

    /// Says what is about to be written, before the first file is, besides what was said before
    /// and never finished.
    pub(super) fn begin(&self, mut pending: Vec<TreeId>, tree: TreeId) -> std::io::Result<()> {
        pending.retain(|before| *before != tree);
        pending.push(tree);
        let lines: String = pending.iter().map(|tree| format!("{tree}\n")).collect();
        self.replace(Self::PENDING, lines.as_bytes())
    }

    /// Says what the folder now is.
    pub(super) fn finish(&self, index: &Index) -> std::io::Result<()> {
        self.replace(Self::INDEX, &index.encode()?)?;
        self.handle.remove(Self::PENDING)
    }

    /// Leaves nothing of the state behind.
    pub(super) fn vanish(self, root: &Handle) -> std::io::Result<()> {
        for name in [Self::INDEX, Self::PENDING, ".gitignore"] {
            self.handle.remove(name)?;
        }
        self.handle.remove_empty(Self::TEMP)?;
        root.remove_empty(super::STATE_FOLDER)?;
        Ok(())
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> std::io::Result<()> {
        self.temp.remove(name)?;
        self.temp.create(name, false)?.write_all(bytes)?;
        self.temp.rename(name, &self.handle, name)
    }
}

/// What the state folder of a checkout says.
#[derive(Debug)]
pub(super) struct Kept {
    /// The index, if there is one that can be read.
    pub(super) index: Option<Index>,
    /// The trees that interrupted checkouts were writing, the last one last.
    pub(super) pending: Vec<TreeId>,
    /// Equal to another one when nothing was checked out between.
    pub(super) stamp: Hash,
}

impl Kept {
    fn new(index: &[u8], pending: &[u8]) -> Self {
        let text = std::str::from_utf8(pending).unwrap_or_default();
        let ids = text.lines().filter_map(|line| Hash::parse("tree id", line).ok());
        Self {
            index: Index::decode(index),
            pending: ids.map(TreeId).collect(),
            stamp: stamp(index, pending),
        }
    }
}

fn stamp(index: &[u8], pending: &[u8]) -> Hash {
    // An index ends with a hash of itself.
    let end = &index[index.len().saturating_sub(blake3::OUT_LEN)..];
    Hash::of(&[end, pending].concat())
}

impl Default for Kept {
    /// What a folder without state says.
    fn default() -> Self {
        Self::new(&[], &[])
    }
}

fn read(root: &Handle, name: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut file = root.folder(super::STATE_FOLDER).ok()?.read(name).ok()?;
    std::io::Read::read_to_end(&mut file, &mut bytes).ok()?;
    Some(bytes)
}

/// A file that was written.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) path: String,
    pub(super) stat: Fingerprint,
    pub(super) content: Side,
    /// Whether it is another name of the store's own object.
    pub(super) linked: bool,
}

/// What all tasks of one checkout share.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) store: Store,
    pub(super) root: Handle,
    pub(super) state: State,
    /// The folder as the user named it, for errors.
    pub(super) path: PathBuf,
    pub(super) progress: Arc<dyn Progress>,
    pub(super) next: AtomicU64,
    /// Whether files become other names of the store's objects.
    pub(super) link: bool,
    /// The store's folder, opened when it is needed.
    pub(super) objects: OnceLock<Handle>,
}

impl Writer {
    /// Removes files, and the folders that become empty by it or are in `prune` and empty.
    pub(super) fn remove(
        &self,
        paths: &[String],
        prune: &BTreeSet<String>,
    ) -> Result<(), FolderError> {
        let mut folders: BTreeSet<&str> = prune.iter().map(String::as_str).collect();
        for path in paths {
            let (folder, name) = split(path);
            if let Walked::Opened(handle) = self.walk(folder)? {
                handle.remove(name).map_err(|source| self.io("remove", path, source))?;
            }
            folders.insert(folder);
        }
        // The reverse of their order: a folder before the one that holds it.
        for folder in folders.iter().rev() {
            let mut at = *folder;
            while !at.is_empty() {
                let (above, name) = split(at);
                let Walked::Opened(handle) = self.walk(above)? else {
                    break;
                };
                if !handle.remove_empty(name).map_err(|source| self.io("remove", at, source))? {
                    break;
                }
                at = above;
            }
        }
        Ok(())
    }

    /// Removes whatever is at these paths: with `force` everything, else only empty folders.
    pub(super) fn clear(&self, paths: &[String], force: bool) -> Result<(), FolderError> {
        for path in paths {
            let mut folders = Vec::new();
            let mut todo = vec![path.clone()];
            while let Some(at) = todo.pop() {
                let failed = |source| self.io("remove", &at, source);
                let (above, name) = split(&at);
                let Walked::Opened(above) = self.walk(above)? else {
                    continue;
                };
                match above.folder(name) {
                    Ok(folder) => {
                        todo.extend(
                            folder.names().map_err(failed)?.iter().map(|name| join(&at, name)),
                        );
                        folders.push(at);
                    }
                    Err(_) if force => above.remove(name).map_err(failed)?,
                    Err(_) => {}
                }
            }
            // Each folder was met before those in it.
            for folder in folders.iter().rev() {
                let (above, name) = split(folder);
                if let Walked::Opened(above) = self.walk(above)? {
                    above.remove_empty(name).map_err(|source| self.io("remove", folder, source))?;
                }
            }
        }
        Ok(())
    }

    /// Writes the files of one group, which are all in one folder.
    pub(super) async fn group(
        self: Arc<Self>,
        group: (String, Vec<Write>),
    ) -> Result<Vec<Written>, FolderError> {
        let (folder, writes) = group;
        let handle =
            self.root.make(&folder).map_err(|source| self.io("make folder", &folder, source))?;
        let mut done = Vec::with_capacity(writes.len());
        for write in writes {
            done.push(self.file(&handle, &write).await?);
            self.progress.advance(1);
        }
        Ok(done)
    }

    async fn file(&self, handle: &Handle, write: &Write) -> Result<Written, FolderError> {
        let Leaf { path, kind, id, size } = &write.leaf;
        let (_, name) = split(path.as_str());
        let failed = |source| self.io("write", path.as_str(), source);
        let content = |source| FolderError::Content { path: path.clone(), source };
        // New small files are written in place; everything else under another name first, so that
        // nobody ever sees half of it.
        let in_place = !write.replaces && *size <= limits::WHOLE_BYTES;
        let temp = format!("{:x}", self.next.fetch_add(1, Ordering::Relaxed));
        let (folder, target) =
            if in_place { (handle, name) } else { (&self.state.temp, temp.as_str()) };
        let linked = if self.link { self.link_object(write, folder, target).await? } else { None };
        if linked.is_some() {
            // It is the store's own file.
        } else if *size <= limits::WHOLE_BYTES {
            let bytes = match self.store.get_blob(id).await {
                // Its tree says that it is small: one of the two is wrong.
                Err(StoreError::TooLarge { size: found, .. }) => {
                    return Err(content(wrong_size(id, found, *size)));
                }
                other => other.map_err(content)?,
            };
            check_size(id, bytes.len() as u64, *size).map_err(content)?;
            if *kind == EntryKind::Symlink {
                folder.symlink(target, &bytes).map_err(failed)?;
            } else {
                let mut file =
                    folder.create(target, *kind == EntryKind::Executable).map_err(failed)?;
                file.write_all(&bytes).map_err(failed)?;
            }
        } else {
            let mut stream = self.store.stream_blob(id).await.map_err(content)?;
            check_size(id, stream.size, *size).map_err(content)?;
            let mut file = folder.create(target, *kind == EntryKind::Executable).map_err(failed)?;
            while let Some(piece) = stream.pieces.next().await {
                file.write_all(&piece.map_err(content)?).map_err(failed)?;
            }
        }
        if !in_place {
            folder.rename(target, handle, name).map_err(failed)?;
            // Of two names of one file none is moved.
            folder.remove(target).map_err(failed)?;
        }
        let stat = match linked.filter(|_| in_place) {
            Some(stat) => stat,
            None => {
                let found = handle.stat(name).map_err(failed)?;
                found.ok_or_else(|| failed(std::io::ErrorKind::NotFound.into()))?
            }
        };
        let content = Side { kind: *kind, id: *id, size: *size };
        Ok(Written { path: path.to_string(), stat, content, linked: linked.is_some() })
    }

    fn walk(&self, folder: &str) -> Result<Walked, FolderError> {
        self.root.walk(folder).map_err(|source| self.io("open", folder, source))
    }

    pub(super) fn io(
        &self,
        action: &'static str,
        path: &str,
        source: std::io::Error,
    ) -> FolderError {
        FolderError::Io { action, path: self.path.join(path), source }
    }
}

/// Puts files of one folder together, at most `size` at a time.
pub(super) fn groups(writes: Vec<Write>, size: usize) -> Vec<(String, Vec<Write>)> {
    let mut folders: BTreeMap<String, Vec<Write>> = BTreeMap::new();
    for write in writes {
        let (folder, _) = split(write.leaf.path.as_str());
        match folders.get_mut(folder) {
            Some(writes) => writes.push(write),
            None => {
                folders.insert(folder.to_owned(), vec![write]);
            }
        }
    }
    let mut groups = Vec::new();
    for (folder, mut writes) in folders {
        while writes.len() > size {
            let rest = writes.split_off(size);
            groups.push((folder.clone(), std::mem::replace(&mut writes, rest)));
        }
        groups.push((folder, writes));
    }
    groups
}

/// A blob is what its id says, but the tree that names it may lie about its size.
pub(super) fn check_size(
    id: &crate::name::BlobId,
    found: u64,
    said: u64,
) -> Result<(), StoreError> {
    if found == said { Ok(()) } else { Err(wrong_size(id, found, said)) }
}

fn wrong_size(id: &crate::name::BlobId, found: u64, said: u64) -> StoreError {
    StoreError::Damaged {
        kind: crate::object::Kind::Blob,
        id: *id.hash(),
        reason: format!("it has {found} bytes, but its tree says {said}"),
    }
}
