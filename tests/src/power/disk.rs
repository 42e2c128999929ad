//! A disk of which only what was synced is sure to be there after a power cut.
//!
//! POSIX promises no more than that: `fsync` of a file makes its bytes durable and not its name,
//! `fsync` of a folder the names in it and not what they name. Everything else may be on the disk or
//! not, each by itself and in any order: bytes may be missing, cut off or zeros, a name may be there
//! before what it names, one half of a rename without the other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use cas_core::store::record::Call;

/// The folder of unfinished files: what of it survives decides nothing.
const UNFINISHED: &str = "tmp";

/// What is left: a file's bytes, or a folder, at each path.
pub type Image = BTreeMap<String, Option<Vec<u8>>>;

/// How much of the bytes that were not synced is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bytes {
    /// All.
    All,
    /// Those of the last sync; none if there was no sync.
    Synced,
    /// The first half.
    Half,
    /// As many as there were, all of them zero.
    Zeros,
}

#[derive(Debug, Clone)]
enum Node {
    File { synced: Vec<u8>, now: Vec<u8> },
    Folder { synced: BTreeMap<String, usize>, now: BTreeMap<String, usize> },
}

/// A name in a folder that names something else since, or nothing, and was not synced.
#[derive(Debug, Clone)]
struct Change {
    folder: usize,
    name: String,
    node: Option<usize>,
    unfinished: bool,
}

/// The disk: what was done, and what of it was synced.
#[derive(Debug, Clone)]
pub struct Disk {
    nodes: Vec<Node>,
    changes: Vec<Change>,
}

impl Default for Disk {
    fn default() -> Self {
        Self { nodes: vec![folder()], changes: Vec::new() }
    }
}

fn folder() -> Node {
    Node::Folder { synced: BTreeMap::new(), now: BTreeMap::new() }
}

impl Disk {
    /// Does what a call did.
    ///
    /// # Panics
    ///
    /// If it is about what is not there: then something was done that nobody recorded.
    pub fn apply(&mut self, call: &Call) {
        match call {
            Call::Create(path) => {
                let node = self.add(Node::File { synced: Vec::new(), now: Vec::new() });
                self.set(path, Some(node));
            }
            Call::Append(path, bytes) => self.bytes(path).extend_from_slice(bytes),
            Call::WriteAt(path, offset, bytes) => {
                let at = usize::try_from(*offset).expect("files of tests are small");
                let file = self.bytes(path);
                file.resize(file.len().max(at + bytes.len()), 0);
                file[at..at + bytes.len()].copy_from_slice(bytes);
            }
            Call::Link(from, to) => {
                let node = self.find(from);
                self.set(to, Some(node));
            }
            Call::Rename(from, to) => {
                let node = self.find(from);
                self.set(to, Some(node));
                self.set(from, None);
            }
            Call::Remove(path) | Call::RemoveFolder(path) => {
                self.find(path);
                self.set(path, None);
            }
            Call::MakeFolder(path) => {
                let node = self.add(folder());
                self.set(path, Some(node));
            }
            Call::SyncFile(path) => {
                let node = self.find(path);
                self.sync_bytes(node);
            }
            Call::SyncFolder(path) => {
                let folder = self.find(path);
                self.sync_names(|change| change.folder == folder);
            }
            Call::SyncAll => {
                (0..self.nodes.len()).for_each(|node| self.sync_bytes(node));
                self.sync_names(|_| true);
            }
        }
    }

    /// What may be left when the power goes now: nothing that was not synced; everything; all names
    /// without their bytes, or with a part of them; and some at random. If it is to be `thorough`,
    /// also each change alone, and all without it.
    pub fn cuts(&self, thorough: bool, random: usize, mut seed: u64) -> Vec<Image> {
        let mut coin = || {
            seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            seed >> 61
        };
        let mut images = vec![self.cut(|_| false, |_| Bytes::Synced)];
        for bytes in [Bytes::All, Bytes::Synced, Bytes::Half, Bytes::Zeros] {
            images.push(self.cut(|_| true, |_| bytes));
        }
        for (one, change) in self.changes.iter().enumerate() {
            if thorough && !change.unfinished {
                images.push(self.cut(|nth| nth != one, |_| Bytes::All));
                images.push(self.cut(|nth| nth == one, |_| Bytes::All));
            }
        }
        for one in (0..self.nodes.len()).filter(|node| thorough && self.is_dirty(*node)) {
            let only = |node| if node == one { Bytes::Half } else { Bytes::All };
            images.push(self.cut(|_| true, only));
        }
        for _ in 0..random {
            let kept: Vec<_> = self.changes.iter().map(|_| coin() % 2 == 0).collect();
            let choices = [Bytes::All, Bytes::Synced, Bytes::Half, Bytes::Zeros];
            let bytes: Vec<_> = self.nodes.iter().map(|_| choices[(coin() % 4) as usize]).collect();
            images.push(self.cut(|nth| kept[nth], |node| bytes[node]));
        }
        images
    }

    /// Everything that was done: what is there while the power is on.
    pub fn now(&self) -> Image {
        self.cut(|_| true, |_| Bytes::All)
    }

    /// What is left if these changes of names are on the disk, and so much of the bytes.
    fn cut(&self, keep: impl Fn(usize) -> bool, bytes: impl Fn(usize) -> Bytes) -> Image {
        let mut names: Vec<Option<BTreeMap<String, usize>>> = Vec::new();
        for node in &self.nodes {
            names.push(match node {
                Node::Folder { synced, .. } => Some(synced.clone()),
                Node::File { .. } => None,
            });
        }
        for (nth, change) in self.changes.iter().enumerate() {
            if let (true, Some(names)) = (keep(nth), &mut names[change.folder]) {
                match change.node {
                    Some(node) => names.insert(change.name.clone(), node),
                    None => names.remove(&change.name),
                };
            }
        }
        let mut image = Image::new();
        let mut waiting = vec![(String::new(), 0)];
        while let Some((path, folder)) = waiting.pop() {
            for (name, node) in names[folder].iter().flatten() {
                let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
                let content = match &self.nodes[*node] {
                    Node::Folder { .. } => {
                        waiting.push((path.clone(), *node));
                        None
                    }
                    Node::File { synced, now } if synced == now => Some(now.clone()),
                    Node::File { synced, now } => Some(match bytes(*node) {
                        Bytes::All => now.clone(),
                        Bytes::Synced => synced.clone(),
                        Bytes::Half => now[..now.len() / 2].to_vec(),
                        Bytes::Zeros => vec![0; now.len()],
                    }),
                };
                image.insert(path, content);
            }
        }
        image
    }

    fn is_dirty(&self, node: usize) -> bool {
        matches!(&self.nodes[node], Node::File { synced, now } if synced != now)
    }

    fn add(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn find(&self, path: &str) -> usize {
        path.split('/').filter(|name| !name.is_empty()).fold(0, |at, name| match &self.nodes[at] {
            Node::Folder { now, .. } => {
                *now.get(name).unwrap_or_else(|| panic!("{path} is not there"))
            }
            Node::File { .. } => panic!("{path} is below a file"),
        })
    }

    fn bytes(&mut self, path: &str) -> &mut Vec<u8> {
        let node = self.find(path);
        match &mut self.nodes[node] {
            Node::File { now, .. } => now,
            Node::Folder { .. } => panic!("{path} is a folder"),
        }
    }

    fn set(&mut self, path: &str, node: Option<usize>) {
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        let folder = self.find(above);
        let Node::Folder { now, .. } = &mut self.nodes[folder] else { panic!("{above} is a file") };
        match node {
            Some(node) => now.insert(name.to_owned(), node),
            None => now.remove(name),
        };
        let unfinished = path.split('/').next() == Some(UNFINISHED);
        self.changes.push(Change { folder, name: name.to_owned(), node, unfinished });
    }

    fn sync_bytes(&mut self, node: usize) {
        if let Node::File { synced, now } = &mut self.nodes[node] {
            synced.clone_from(now);
        }
    }

    fn sync_names(&mut self, of: impl Fn(&Change) -> bool) {
        let (done, left): (Vec<_>, Vec<_>) = self.changes.drain(..).partition(of);
        self.changes = left;
        for Change { folder, name, node, .. } in done {
            if let Node::Folder { synced, .. } = &mut self.nodes[folder] {
                match node {
                    Some(node) => synced.insert(name, node),
                    None => synced.remove(&name),
                };
            }
        }
    }
}

/// The images that differ in something that decides.
pub fn distinct(images: Vec<Image>, seen: &mut BTreeSet<[u8; 32]>) -> Vec<Image> {
    images.into_iter().filter(|image| seen.insert(digest(image))).collect()
}

fn digest(image: &Image) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for (path, content) in image {
        if path.split('/').next() == Some(UNFINISHED) {
            continue;
        }
        hasher.update(&path.len().to_be_bytes()).update(path.as_bytes());
        if let Some(bytes) = content {
            hasher.update(&bytes.len().to_be_bytes()).update(bytes);
        }
    }
    hasher.finalize().into()
}

/// Makes a folder that looks like an image.
pub fn write(image: &Image, root: &Path) -> io::Result<()> {
    for (path, content) in image {
        match content {
            None => fs::create_dir_all(root.join(path))?,
            Some(bytes) => fs::write(root.join(path), bytes)?,
        }
    }
    Ok(())
}

/// A new folder, where the machine has memory in place of a disk: what is synced there, thousands
/// of times, need not wait for one.
///
/// # Panics
///
/// If none can be made.
pub fn scratch() -> tempfile::TempDir {
    let memory = tempfile::tempdir_in("/dev/shm");
    memory.or_else(|_| tempfile::tempdir()).expect("a folder can be made")
}
