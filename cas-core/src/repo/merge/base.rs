//! Where two histories meet.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::{ConflictKind, MergeMemo, Merged, OnConflict, merge_trees};
use crate::name::{BookPath, CommitId, TreeId};
use crate::object::{Kind, Tree};
use crate::repo::editor::TreeEditor;
use crate::repo::read::Found;
use crate::repo::{RepoError, Repository};
use crate::store::Store;

/// How far the short way looks back on either side.
const SHORT: usize = 4_096;

/// Finding the merge base of commits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bases<'a> {
    pub(crate) repo: &'a Repository,
    pub(crate) memo: &'a MergeMemo,
}

impl Bases<'_> {
    fn store(&self) -> &Store {
        &self.repo.store
    }

    /// The best common ancestors of two commits: those that are no ancestor of another one. None
    /// if the histories have nothing in common.
    ///
    /// `hint` is a commit that the two are believed to have met at last. If the way from there to
    /// both is plain, nothing else is read; if not, it does no harm.
    pub(crate) async fn common(
        &self,
        ours: CommitId,
        theirs: CommitId,
        hint: Option<CommitId>,
    ) -> Result<Arc<Vec<CommitId>>, RepoError> {
        if ours == theirs {
            return Ok(Arc::new(vec![ours]));
        }
        if let Some(found) = self.memo.bases(ours, theirs) {
            return Ok(found);
        }
        let short = match hint {
            Some(hint) => self.met_at(ours, theirs, hint).await?,
            None => None,
        };
        let found = Arc::new(match short {
            Some(base) => vec![base],
            None => self.best(&[ours], theirs).await?,
        });
        self.memo.set_bases(ours, theirs, &found);
        Ok(found)
    }

    /// The base if `hint` is it, as far as a short look can tell.
    ///
    /// Theirs must come from the hint one commit after the other. Ours must come from it likewise,
    /// or from a commit that merged it: had anything of theirs behind the hint been merged before,
    /// merging the hint would have had nothing to do. So only what is newer on our side can be a
    /// better base, and is looked at.
    async fn met_at(
        &self,
        ours: CommitId,
        theirs: CommitId,
        hint: CommitId,
    ) -> Result<Option<CommitId>, RepoError> {
        let Some(their_way) = self.way(theirs, hint).await? else {
            return Ok(None);
        };
        let Some(our_way) = self.own_way(ours, hint).await? else {
            return Ok(None);
        };
        // One history may be the beginning of the other.
        Ok(our_way.into_iter().find(|commit| their_way.contains(commit)).or(Some(hint)))
    }

    /// The commits from `ours` back to where `hint` is the commit before, by first parents: what a
    /// branch has of its own since it met `hint`. `None` if the way is not so plain.
    pub(crate) async fn own_way(
        &self,
        ours: CommitId,
        hint: CommitId,
    ) -> Result<Option<Vec<CommitId>>, RepoError> {
        let mut way = Vec::new();
        let mut at = ours;
        while at != hint {
            if way.len() >= SHORT {
                return Ok(None);
            }
            way.push(at);
            match &self.memo.step(self.store(), at).await?.parents[..] {
                parents if parents.contains(&hint) => return Ok(Some(way)),
                [parent] => at = *parent,
                _ => return Ok(None),
            }
        }
        Ok(Some(way))
    }

    /// The commits from `from` back to `to`, without `to`, if each has one parent.
    pub(crate) async fn way(
        &self,
        from: CommitId,
        to: CommitId,
    ) -> Result<Option<HashSet<CommitId>>, RepoError> {
        let mut way = HashSet::new();
        let mut at = from;
        while at != to {
            if way.len() >= SHORT {
                return Ok(None);
            }
            way.insert(at);
            match &self.memo.step(self.store(), at).await?.parents[..] {
                [parent] => at = *parent,
                _ => return Ok(None),
            }
        }
        Ok(Some(way))
    }

    /// The best common ancestors of all of `ours` on one side and `theirs` on the other, by looking
    /// at both histories whole.
    async fn best(&self, ours: &[CommitId], theirs: CommitId) -> Result<Vec<CommitId>, RepoError> {
        let parents = self.history(ours.iter().copied().chain([theirs]).collect()).await?;
        let of_ours = ancestors(&parents, ours.iter().copied());
        let of_theirs = ancestors(&parents, [theirs]);
        let common: BTreeSet<CommitId> = of_ours.intersection(&of_theirs).copied().collect();
        // What is behind another common one is not among the best.
        let behind = common.iter().filter_map(|id| parents.get(id)).flat_map(|ids| ids.iter());
        let behind = ancestors(&parents, behind.copied());
        Ok(common.difference(&behind).copied().collect())
    }

    /// The parents of every commit in the histories of `heads`.
    async fn history(
        &self,
        heads: Vec<CommitId>,
    ) -> Result<BTreeMap<CommitId, Box<[CommitId]>>, RepoError> {
        let mut parents = BTreeMap::new();
        let mut todo = heads;
        while let Some(id) = todo.pop() {
            if parents.contains_key(&id) {
                continue;
            }
            let step = self.memo.step(self.store(), id).await?;
            todo.extend(step.parents.iter().copied());
            parents.insert(id, step.parents.clone());
        }
        Ok(parents)
    }

    /// The commits that each of two histories has and the other has not.
    ///
    /// `base` is one that both have. If the ways from there are plain, nothing before it is read.
    pub(crate) async fn apart(
        &self,
        ours: CommitId,
        theirs: CommitId,
        base: Option<CommitId>,
    ) -> Result<(HashSet<CommitId>, HashSet<CommitId>), RepoError> {
        if let Some(base) = base
            && let Some(our_way) = self.way(ours, base).await?
            && let Some(their_way) = self.way(theirs, base).await?
        {
            return Ok((&our_way - &their_way, &their_way - &our_way));
        }
        let parents = self.history(vec![ours, theirs]).await?;
        let (ours, theirs) = (ancestors(&parents, [ours]), ancestors(&parents, [theirs]));
        let apart = |a: &BTreeSet<CommitId>, b| a.difference(b).copied().collect();
        Ok((apart(&ours, &theirs), apart(&theirs, &ours)))
    }

    /// The tree that two commits with these best common ancestors came of, and a repository that
    /// sees it. Of several, as after merging to and fro, it is their merge in turn, which is in
    /// memory. None if there is none.
    pub(crate) async fn tree(
        &self,
        repo: Repository,
        bases: &[CommitId],
    ) -> Result<Option<(TreeId, Repository)>, RepoError> {
        let Some((first, rest)) = bases.split_first() else {
            return Ok(None);
        };
        let mut repo = repo;
        let mut tree = self.memo.step(self.store(), *first).await?.tree;
        for (at, next) in rest.iter().enumerate() {
            let theirs = self.memo.step(self.store(), *next).await?.tree;
            let common = self.best(&bases[..=at], *next).await?;
            let (base, seen) = match Box::pin(self.tree(repo.clone(), &common)).await? {
                Some(found) => found,
                None => empty(repo),
            };
            let three = (base, tree, theirs);
            let merged = merge_trees(&seen, self.memo, three, OnConflict::Markers).await?;
            (tree, repo) = undecided(seen.seeing(&merged, None), base, &merged).await?;
        }
        Ok(Some((tree, repo)))
    }
}

/// The tree of two histories that begin apart: nothing.
fn empty(repo: Repository) -> (TreeId, Repository) {
    let (id, bytes) = Tree::default().encode_with_id();
    let store = repo.store.overlaid([(Kind::Tree, *id.hash(), bytes.into())], None);
    (id, Repository { store, ..repo })
}

/// The tree of `merged`, which `repo` sees, without what it took from one side in a conflict:
/// there it is as in `base` again. Were it not, the side that was taken would look as if it had
/// done nothing, and the other would win without a word. Texts keep their markers.
async fn undecided(
    repo: Repository,
    base: TreeId,
    merged: &Merged,
) -> Result<(TreeId, Repository), RepoError> {
    let mut editor = TreeEditor::new(&repo.store, merged.tree).await?;
    for conflict in &merged.conflicts {
        let now = editor.get(&conflict.path).await?.and_then(|entry| entry.blob_id());
        let sides = [conflict.ours, conflict.theirs];
        let is_new = now.is_some_and(|id| sides.iter().flatten().all(|side| side.id != id));
        if is_new && matches!(conflict.kind, ConflictKind::Content | ConflictKind::AddAdd) {
            continue;
        }
        for path in std::iter::once(&conflict.path).chain(&conflict.other) {
            match repo.find(base, path).await? {
                Some(Found::Entry(entry)) => {
                    for way in std::iter::successors(path.parent(), BookPath::parent) {
                        if editor.get(&way).await?.is_some_and(|entry| !entry.kind.is_tree()) {
                            editor.remove(&way).await?;
                        }
                    }
                    editor.set(path, entry).await?;
                }
                _ => drop(editor.remove(path).await?),
            }
        }
    }
    let tree = editor.write(None).await?;
    let trees = editor.written();
    let made = trees.iter().map(|(id, tree)| (Kind::Tree, *id.hash(), tree.encode().into()));
    let store = repo.store.overlaid(made, None);
    Ok((tree, Repository { store, ..repo }))
}

/// The commits reachable from `from`, with those.
fn ancestors(
    parents: &BTreeMap<CommitId, Box<[CommitId]>>,
    from: impl IntoIterator<Item = CommitId>,
) -> BTreeSet<CommitId> {
    let mut seen = BTreeSet::new();
    let mut todo: Vec<_> = from.into_iter().collect();
    while let Some(id) = todo.pop() {
        if seen.insert(id) {
            todo.extend(parents.get(&id).into_iter().flat_map(|ids| ids.iter().copied()));
        }
    }
    seen
}
