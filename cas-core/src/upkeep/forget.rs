//! What goes with branches that are forgotten, and the proof that it went.

use std::collections::{BTreeMap, BTreeSet};

use super::gc::Retention;
use super::reach::{Opened, Reach, keeping};
use super::records::SHARDS;
use super::{LISTS_BYTES, Upkeep, UpkeepError};
use crate::folder::Step;
use crate::name::{BookId, BookPath, CommitId, Hash, RefName, TreeId};
use crate::object::{Entry, Kind};
use crate::refs::RefError;
use crate::store::gc::GcLog;
use crate::store::{StoreError, layout};

/// How many objects are opened before what they name is taken in.
const TOGETHER: usize = 512;

/// An object, by its kind and id.
type Object = (Kind, Hash);

/// A branch that is forgotten, or is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForgottenBranch {
    /// The book.
    pub book: BookId,
    /// The branch.
    pub name: RefName,
    /// How many entries its log has up to where it was forgotten. They stay.
    pub entries: u64,
    /// How many versions these name.
    pub versions: u64,
}

/// An object that the versions of forgotten branches have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForgottenObject {
    /// What it is.
    pub kind: Kind,
    /// Its id.
    pub id: Hash,
    /// Its bytes.
    pub size: u64,
    /// Where it is in one of the versions; none of a commit.
    pub path: Option<BookPath>,
}

/// What goes with branches that are forgotten.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Forgetting {
    /// The branches.
    pub branches: Vec<ForgottenBranch>,
    /// What nothing else reaches: collection removes it.
    pub goes: Vec<ForgottenObject>,
    /// What others have too: it stays as long as they have it.
    pub stays: Vec<ForgottenObject>,
    /// How many versions are gone already.
    pub gone: u64,
}

/// What became of objects that were to go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// How many are not there any more.
    pub gone: u64,
    /// Those that nothing reaches, and that collection has not removed yet.
    pub waiting: Vec<(Kind, Hash)>,
    /// Those that something reaches again: since then somebody wrote the very same.
    pub needed: Vec<(Kind, Hash)>,
}

/// What the versions of the branches have.
#[derive(Debug, Default)]
struct Found {
    objects: BTreeMap<(Kind, Hash), (u64, Option<BookPath>)>,
    /// The trees that are to be opened.
    trees: Vec<(BookPath, TreeId)>,
    gone: u64,
}

impl Upkeep {
    /// What goes and what stays when these branches are forgotten, whether they are already or
    /// not: held against everything that all other refs keep by whatever entry of their logs.
    ///
    /// Takes memory for the objects of the branches' own versions; everything else is kept as for
    /// a collection.
    pub async fn forgetting(
        &self,
        branches: &BTreeSet<(BookId, RefName)>,
    ) -> Result<Forgetting, UpkeepError> {
        let mut report = Forgetting::default();
        let mut named = BTreeSet::new();
        let mut over = BTreeSet::new();
        for (book, name) in branches {
            let (branch, commits, live) = self.forgotten_log(book, name).await?;
            report.branches.push(branch);
            named.extend(commits);
            if !live {
                over.insert((book.clone(), name.clone()));
            }
        }
        let mut refs = self.ref_folders().await?.refs;
        refs.retain(|other| !over.contains(other));
        let mut reach = Reach::new(LISTS_BYTES);
        self.mark_kept(&mut reach, &refs).await?;
        let mut found = Found::default();
        self.find_commits(&mut found, &mut reach, named).await?;
        self.find_trees(&mut found).await?;
        self.progress.end();
        report.gone = found.gone;
        for ((kind, id), is_kept) in kept(&mut reach, found.objects.keys().copied())? {
            let (size, path) = found.objects.remove(&(kind, id)).unwrap_or_default();
            let object = ForgottenObject { kind, id, size, path };
            if is_kept { report.stays.push(object) } else { report.goes.push(object) }
        }
        Ok(report)
    }

    /// Marks everything that these refs reach by any entry.
    async fn mark_kept(
        &self,
        reach: &mut Reach,
        refs: &[(BookId, RefName)],
    ) -> Result<(), UpkeepError> {
        let head = GcLog::new(self.bucket.clone(), self.env.clone()).head().await?;
        let severed = self.severed(head.as_ref().and_then(|(_, entry)| entry.pending())).await?;
        self.mark_refs(reach, refs, Retention::All, &severed).await
    }

    /// What became of objects that were to go.
    pub async fn forgotten(&self, objects: &[(Kind, Hash)]) -> Result<Forgotten, UpkeepError> {
        let mut report = Forgotten::default();
        let mut there = Vec::new();
        self.progress.begin(Step::Collect, objects.len() as u64);
        for &(kind, id) in objects {
            match self.bucket.look(&layout::object(kind, &id)).await? {
                Some(_) => there.push((kind, id)),
                None => report.gone += 1,
            }
            self.progress.advance(1);
        }
        if !there.is_empty() {
            let mut reach = Reach::new(LISTS_BYTES);
            let refs = self.ref_folders().await?.refs;
            self.mark_kept(&mut reach, &refs).await?;
            for (object, is_kept) in kept(&mut reach, there.into_iter())? {
                if is_kept { report.needed.push(object) } else { report.waiting.push(object) }
            }
        }
        self.progress.end();
        Ok(report)
    }

    /// What a branch's log named up to where it was forgotten last, or all of it if it never was;
    /// and whether there is more behind that, which counts like any other branch.
    async fn forgotten_log(
        &self,
        book: &BookId,
        name: &RefName,
    ) -> Result<(ForgottenBranch, BTreeSet<CommitId>, bool), UpkeepError> {
        let head = self.store.refs().head(book, name).await?;
        let newest = head.map_or(0, |head| head.entry.seq);
        let (mut commits, mut forgotten) = (BTreeSet::new(), None);
        let mut since = BTreeSet::new();
        for seq in 1..=newest {
            let entry = self.store.refs().entry(book, name, seq).await?;
            let entry = entry.ok_or_else(|| RefError::gap(book, name, seq))?.entry;
            since.extend(entry.target);
            if entry.forgets() {
                commits.append(&mut since);
                forgotten = Some(seq);
            }
        }
        let live = forgotten.is_some_and(|seq| seq < newest);
        if forgotten.is_none() {
            commits = since;
        }
        let (entries, versions) = (forgotten.unwrap_or(newest), commits.len() as u64);
        let (book, name) = (book.clone(), name.clone());
        Ok((ForgottenBranch { book, name, entries, versions }, commits, live))
    }

    /// Finds the commits: those that the logs named, and before them those that nothing keeps.
    async fn find_commits(
        &self,
        found: &mut Found,
        reach: &mut Reach,
        named: BTreeSet<CommitId>,
    ) -> Result<(), UpkeepError> {
        let named = named.into_iter().map(|id| (Kind::Commit, *id.hash()));
        let mut next: BTreeMap<_, _> = kept(reach, named)?.into_iter().collect();
        while !next.is_empty() {
            let ids = next.keys().map(|(_, id)| *id).collect();
            let mut parents = BTreeSet::new();
            for (id, opened) in self.open_all(Kind::Commit, ids).await? {
                let commit = match opened {
                    Ok(Opened::Commit(commit)) => commit,
                    Err(StoreError::Missing { .. }) => {
                        found.gone += 1;
                        continue;
                    }
                    Ok(Opened::Tree(_)) => continue,
                    Err(error) => return Err(error.into()),
                };
                let size = commit.encode().len() as u64;
                found.objects.insert((Kind::Commit, id), (size, None));
                found.trees.push((BookPath::root(), commit.tree));
                if !next[&(Kind::Commit, id)] {
                    parents.extend(commit.parents.iter().map(|id| (Kind::Commit, *id.hash())));
                }
            }
            next = kept(reach, parents.into_iter())?
                .into_iter()
                .filter(|(object, is_kept)| !is_kept && !found.objects.contains_key(object))
                .collect();
        }
        Ok(())
    }

    /// Finds everything that is in the trees.
    async fn find_trees(&self, found: &mut Found) -> Result<(), UpkeepError> {
        self.progress.begin(Step::Follow, 0);
        while !found.trees.is_empty() {
            let mut paths = BTreeMap::new();
            for (path, id) in std::mem::take(&mut found.trees) {
                if !found.objects.contains_key(&(Kind::Tree, *id.hash())) {
                    paths.entry(*id.hash()).or_insert(path);
                }
            }
            let ids: Vec<_> = paths.keys().copied().collect();
            for ids in ids.chunks(TOGETHER) {
                for (id, opened) in self.open_all(Kind::Tree, ids.to_vec()).await? {
                    let tree = match opened {
                        Ok(Opened::Tree(tree)) => tree,
                        // Its commit is there, but a collection is at work.
                        Err(StoreError::Missing { .. }) | Ok(Opened::Commit(_)) => continue,
                        Err(error) => return Err(error.into()),
                    };
                    let at = paths.remove(&id).unwrap_or_else(BookPath::root);
                    for entry in tree.entries() {
                        found.meet(&at, entry);
                    }
                    let size = tree.encode().len() as u64;
                    found.objects.insert((Kind::Tree, id), (size, Some(at)));
                }
                self.progress.advance(ids.len() as u64);
            }
        }
        Ok(())
    }
}

impl Found {
    fn meet(&mut self, at: &BookPath, entry: &Entry) {
        // A path that is too long names no place, but what is there is found all the same.
        let path = at.join(&entry.name).unwrap_or_else(|_| BookPath::root());
        match entry.tree_id() {
            Some(id) => self.trees.push((path, id)),
            None => {
                let blob = (entry.totals.size, Some(path));
                self.objects.entry((Kind::Blob, entry.id)).or_insert(blob);
            }
        }
    }
}

/// Whether each of these objects is reached, in the order of kinds and ids.
fn kept(
    reach: &mut Reach,
    objects: impl Iterator<Item = Object>,
) -> Result<Vec<(Object, bool)>, StoreError> {
    let objects: BTreeSet<_> = objects.collect();
    let mut told = Vec::with_capacity(objects.len());
    let mut shard = None;
    for (kind, id) in objects {
        let at = (kind, usize::from(id.as_bytes()[0]));
        debug_assert!(at.1 < SHARDS, "a shard for each first byte");
        let ids = match shard.take() {
            Some((of, ids)) if of == at => ids,
            _ => reach.of(kind).shard(at.1).map_err(keeping())?,
        };
        told.push(((kind, id), ids.binary_search(id.as_bytes()).is_ok()));
        shard = Some((at, ids));
    }
    Ok(told)
}
