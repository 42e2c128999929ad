//! Walking three trees, and building the merged one.
//!
//! A name may be a file on one side and a folder on another. Files and folders are merged apart,
//! each as if the other kind were not there; a name that is both in the end is a conflict.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};

use super::leaf::{Leaf, Three, merge_leaf};
use super::memo::Key;
use super::renames::settle;
use super::{Conflict, ConflictKind, MergeMemo, Merged, NewObject, OnConflict};
use crate::name::{BookPath, EntryName, Hash, TreeId};
use crate::object::{Entry, Kind, Tree, collisions};
use crate::repo::{RepoError, Repository};

/// How many directories are read at once.
const READS: usize = 16;

/// Merges the trees `ours` and `theirs`, which came of `base`.
///
/// The same result as ever for the same ids and policy, mostly from `memo`. Conflicts are no
/// error: see [`Merged::conflicts`].
pub(crate) async fn merge_trees(
    repo: &Repository,
    memo: &MergeMemo,
    (base, ours, theirs): (TreeId, TreeId, TreeId),
    on_conflict: OnConflict,
) -> Result<Arc<Merged>, RepoError> {
    if ours == theirs || base == theirs {
        return Ok(Arc::new(Merged::as_is(ours)));
    }
    if base == ours {
        return Ok(Arc::new(Merged::as_is(theirs)));
    }
    let key: Key = (base, ours, theirs, on_conflict);
    memo.result(key, async {
        let mut merge = Merge::new(repo, memo, (base, ours, theirs), on_conflict);
        merge.walk().await?;
        let root = merge.build()?;
        let root = settle(&mut merge, root).await?;
        Ok(merge.finish(root))
    })
    .await
}

/// A merge on its way.
pub(super) struct Merge<'a> {
    pub(super) repo: &'a Repository,
    memo: &'a MergeMemo,
    pub(super) roots: (TreeId, TreeId, TreeId),
    pub(super) on_conflict: OnConflict,
    /// The directories that were opened, each after the one that it is in.
    nodes: Vec<Node>,
    pub(super) conflicts: Vec<Conflict>,
    pub(super) merged_files: usize,
    /// Trees and blobs that were made.
    pub(super) made: BTreeMap<(Kind, Hash), Bytes>,
    /// Which of them the directories that were built name.
    named: BTreeMap<Hash, Vec<(Kind, Hash)>>,
    /// Files that one side or both removed and that may be elsewhere.
    pub(super) removed: Vec<Removed>,
}

/// A file that one side, or both, no longer has where the base has it, while the other did not
/// leave it alone.
#[derive(Debug)]
pub(super) struct Removed {
    pub(super) path: BookPath,
    pub(super) base: Option<Entry>,
    pub(super) ours: Option<Entry>,
    pub(super) theirs: Option<Entry>,
}

impl Removed {
    pub(super) fn three(&self) -> Three<'_> {
        Three { base: self.base.as_ref(), ours: self.ours.as_ref(), theirs: self.theirs.as_ref() }
    }
}

/// A directory that differs on both sides.
struct Node {
    path: BookPath,
    /// The directory that it is in, and its name there.
    parent: Option<(usize, EntryName)>,
    ids: [Option<TreeId>; 3],
    trees: [Arc<Tree>; 3],
    /// What is known to be in it. A name may come twice: as a file and as a folder.
    done: Vec<Entry>,
}

impl<'a> Merge<'a> {
    fn new(
        repo: &'a Repository,
        memo: &'a MergeMemo,
        roots: (TreeId, TreeId, TreeId),
        on_conflict: OnConflict,
    ) -> Self {
        Self {
            repo,
            memo,
            roots,
            on_conflict,
            nodes: Vec::new(),
            conflicts: Vec::new(),
            merged_files: 0,
            made: BTreeMap::new(),
            named: BTreeMap::new(),
            removed: Vec::new(),
        }
    }

    /// Opens what differs on both sides, level by level.
    async fn walk(&mut self) -> Result<(), RepoError> {
        let (base, ours, theirs) = self.roots;
        let ids = [Some(base), Some(ours), Some(theirs)];
        let mut level = vec![Node::new(BookPath::root(), None, ids)];
        while !level.is_empty() {
            let (memo, store) = (self.memo, &self.repo.store);
            let opened: Vec<_> = futures::stream::iter(level)
                .map(|mut node| async move {
                    for (tree, id) in node.trees.iter_mut().zip(node.ids) {
                        if let Some(id) = id {
                            *tree = memo.tree(store, id).await?;
                        }
                    }
                    Ok::<_, RepoError>(node)
                })
                .buffered(READS)
                .try_collect()
                .await?;
            level = Vec::new();
            for node in opened {
                self.compare(node, &mut level).await?;
            }
        }
        Ok(())
    }

    /// Decides about every name in a directory; those to be opened become the next level.
    async fn compare(&mut self, mut node: Node, level: &mut Vec<Node>) -> Result<(), RepoError> {
        let at = self.nodes.len();
        let trees = node.trees.clone();
        for [base, ours, theirs] in names(&trees) {
            let Some(name) = ours.or(theirs).or(base).map(|entry| &entry.name) else {
                continue;
            };
            let tree = |entry: Option<&Entry>| entry.and_then(Entry::tree_id);
            let (b, o, t) = (tree(base), tree(ours), tree(theirs));
            let is_tree = |entry: &&Entry| entry.kind.is_tree();
            // What both made the same of a directory is opened all the same: a file that neither
            // has there any more may have been moved by each to another place.
            if b == t || (o == t && b.is_none()) {
                node.done.extend(ours.filter(is_tree).cloned());
            } else if b == o {
                node.done.extend(theirs.filter(is_tree).cloned());
            } else {
                let path = node.path.join(name)?;
                level.push(Node::new(path, Some((at, name.clone())), [b, o, t]));
            }
            let three = Three {
                base: base.filter(|entry| !entry.kind.is_tree()),
                ours: ours.filter(|entry| !entry.kind.is_tree()),
                theirs: theirs.filter(|entry| !entry.kind.is_tree()),
            };
            if three.base.or(three.ours).or(three.theirs).is_some() {
                self.leaf(&mut node, name, three).await?;
            }
        }
        self.nodes.push(node);
        Ok(())
    }

    async fn leaf(
        &mut self,
        node: &mut Node,
        name: &EntryName,
        three: Three<'_>,
    ) -> Result<(), RepoError> {
        match merge_leaf(&self.repo.store, three, self.on_conflict).await? {
            Leaf::Clean(entry) => node.done.extend(entry),
            Leaf::Both(merged) => {
                self.merged_files += 1;
                if let Some(kind) = merged.conflict {
                    self.conflicts.push(three.conflict(&node.path.join(name)?, kind));
                }
                self.keep(merged.object);
                node.done.push(merged.entry);
            }
            Leaf::EditDelete | Leaf::Gone => self.removed.push(Removed {
                path: node.path.join(name)?,
                base: three.base.cloned(),
                ours: three.ours.cloned(),
                theirs: three.theirs.cloned(),
            }),
        }
        Ok(())
    }

    /// Remembers an object that was made.
    pub(super) fn keep(&mut self, object: Option<NewObject>) {
        self.made.extend(object.map(|object| ((object.kind, object.id), object.bytes)));
    }

    /// Builds the directories that were opened, the deepest first, and returns the root's tree.
    fn build(&mut self) -> Result<TreeId, RepoError> {
        while let Some(mut node) = self.nodes.pop() {
            let entries = std::mem::take(&mut node.done);
            let tree = self.tree(&node, entries)?;
            let (id, bytes) = tree.encode_with_id();
            // What only the base has may be in no store: of several bases it is made in memory.
            if !node.ids[1..].contains(&Some(id)) {
                let named = tree.entries().iter().map(object_of);
                let named = named.filter(|object| self.made.contains_key(object)).collect();
                self.named.insert(*id.hash(), named);
                self.made.insert((Kind::Tree, *id.hash()), bytes.into());
            }
            match node.parent {
                None => {
                    // It is looked at right after, to be held against its schema.
                    self.memo.keep_tree(id, tree);
                    return Ok(id);
                }
                Some(_) if tree.is_empty() => {}
                Some((parent, name)) => {
                    self.nodes[parent].done.push(Entry::tree(name, id, &tree));
                }
            }
        }
        Err(RepoError::Internal("a merge without a root".to_owned()))
    }

    /// The directory of `entries`, after resolving what cannot be together.
    fn tree(&mut self, node: &Node, mut entries: Vec<Entry>) -> Result<Tree, RepoError> {
        let side = self.preferred();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        let mut kept: Vec<Entry> = Vec::with_capacity(entries.len());
        for entry in entries {
            let Some(there) = kept.last_mut().filter(|there| there.name == entry.name) else {
                kept.push(entry);
                continue;
            };
            let [base, ours, theirs] = node.trees.each_ref().map(|t| t.get(entry.name.as_str()));
            let path = node.path.join(&entry.name)?;
            let conflict = Three { base, ours, theirs }.conflict(&path, ConflictKind::FileFolder);
            self.conflicts.push(conflict);
            let wanted = node.trees[side].get(entry.name.as_str());
            if wanted.is_none_or(|wanted| wanted.kind.is_tree() == entry.kind.is_tree()) {
                *there = entry;
            }
        }
        loop {
            let pairs = collisions(kept.iter().map(|entry| &entry.name));
            if pairs.is_empty() {
                break;
            }
            let mut out = BTreeSet::new();
            for (a, b) in pairs {
                let (loser, winner) =
                    if node.trees[side].get(a.as_str()).is_some() { (b, a) } else { (a, b) };
                if out.insert(loser.clone()) {
                    self.collision(node, &loser, &winner)?;
                }
            }
            kept.retain(|entry| !out.contains(&entry.name));
        }
        let path = || node.path.clone();
        Tree::from_entries(kept).map_err(|source| RepoError::Tree { path: path(), source })
    }

    fn collision(
        &mut self,
        node: &Node,
        loser: &EntryName,
        winner: &EntryName,
    ) -> Result<(), RepoError> {
        let [base, ours, theirs] = node.trees.each_ref().map(|tree| tree.get(loser.as_str()));
        let three = Three { base, ours, theirs };
        let conflict = three.conflict(&node.path.join(loser)?, ConflictKind::NameCollision);
        let other = Some(node.path.join(winner)?);
        self.conflicts.push(Conflict { other, ..conflict });
        Ok(())
    }

    /// Whose things stay where only one can: the place in a node's trees.
    fn preferred(&self) -> usize {
        if self.on_conflict == OnConflict::Theirs { 2 } else { 1 }
    }

    /// Moves the object and those that it names from what was made to `objects`, what is named
    /// first.
    fn take_objects(&mut self, (kind, id): (Kind, Hash), objects: &mut Vec<NewObject>) {
        let Some(bytes) = self.made.remove(&(kind, id)) else {
            return;
        };
        let named = match self.named.remove(&id) {
            _ if kind != Kind::Tree => Vec::new(),
            Some(named) => named,
            // Made when renames were settled, so it can be read.
            None => {
                let tree = Tree::decode(&bytes).unwrap_or_default();
                tree.entries().iter().map(object_of).collect()
            }
        };
        for object in named {
            self.take_objects(object, objects);
        }
        objects.push(NewObject { kind, id, bytes });
    }

    /// The result, with the objects that its tree needs and the merge made.
    fn finish(mut self, tree: TreeId) -> Merged {
        let mut objects = Vec::new();
        self.take_objects((Kind::Tree, *tree.hash()), &mut objects);
        let mut conflicts = self.conflicts;
        let key = |conflict: &Conflict| (conflict.path.clone(), conflict.kind);
        conflicts.sort_by_cached_key(key);
        conflicts.dedup_by_key(|conflict| key(conflict));
        Merged { tree, conflicts, merged_files: self.merged_files, objects: Arc::new(objects) }
    }
}

/// The object that an entry names.
fn object_of(entry: &Entry) -> (Kind, Hash) {
    (if entry.kind.is_tree() { Kind::Tree } else { Kind::Blob }, entry.id)
}

impl Node {
    fn new(path: BookPath, parent: Option<(usize, EntryName)>, ids: [Option<TreeId>; 3]) -> Self {
        Self { path, parent, ids, trees: std::array::from_fn(|_| Arc::default()), done: Vec::new() }
    }
}

/// What each of three directories has under each name that any of them has, in the order of names.
fn names(trees: &[Arc<Tree>; 3]) -> Vec<[Option<&Entry>; 3]> {
    let mut sides = trees.each_ref().map(|tree| tree.entries().iter().peekable());
    let mut names = Vec::new();
    loop {
        let heads = sides.iter_mut().filter_map(|side| side.peek().copied());
        let Some(next) = heads.map(|entry| &entry.name).min() else {
            return names;
        };
        names.push(sides.each_mut().map(|side| side.next_if(|entry| entry.name == *next)));
    }
}
