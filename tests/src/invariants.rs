//! Checks of the invariants on a whole store. Each returns what it found wrong, as text.
//!
//! A check never stops at what it cannot read: that is a finding as well.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use cas_core::name::{BookId, CommitId, Hash, RefName, TreeId};
use cas_core::object::{Commit, Kind, Tree};
use cas_core::refs::{LogEntry, RefError, verify_log};
use cas_core::store::{Store, layout};
use object_store::path::Path as Key;

/// *Linear*: the entries of every ref are 1..n without gap or fork, each naming the one before.
pub async fn linear(store: &Store) -> Vec<String> {
    let mut faults = Vec::new();
    for (book, name) in all_refs(store, &mut faults).await {
        match verify_log(store, &book, &name).await {
            Ok(report) => faults.extend(
                report
                    .faults
                    .iter()
                    .map(|fault| format!("{book}@{name}#{}: {}", fault.seq, fault.reason)),
            ),
            Err(error) => faults.push(format!("{book}@{name}: {error}")),
        }
    }
    faults
}

/// *Closed*: whatever any entry of any ref names is completely present and intact.
pub async fn closed(store: &Store) -> Vec<String> {
    closed_from(store, |entries| entries.iter().filter_map(|entry| entry.entry.target).collect())
        .await
}

/// The same for the newest entry of each ref alone: what garbage collection never takes.
pub async fn closed_heads(store: &Store) -> Vec<String> {
    closed_from(store, |entries| {
        let base = |entry: &LogEntry| entry.entry.upstream().map(|upstream| upstream.base);
        entries
            .last()
            .map_or_else(Vec::new, |last| last.entry.target.into_iter().chain(base(last)).collect())
    })
    .await
}

/// What is not there or not intact of the commits that `choose` picks from each log.
async fn closed_from(store: &Store, choose: impl Fn(&[LogEntry]) -> Vec<CommitId>) -> Vec<String> {
    let mut faults = Vec::new();
    let mut commits = BTreeSet::new();
    for (book, name) in all_refs(store, &mut faults).await {
        match log(store, &book, &name).await {
            Ok(entries) => commits.extend(choose(&entries)),
            Err(error) => faults.push(format!("{book}@{name}: {error}")),
        }
    }
    let mut seen = BTreeSet::new();
    let mut queue: Vec<CommitId> = commits.into_iter().collect();
    while let Some(id) = queue.pop() {
        if !seen.insert(*id.hash()) {
            continue;
        }
        match store.get_commit(&id).await {
            Ok(commit) => {
                queue.extend(&commit.parents);
                faults.extend(closed_tree(store, commit.tree, &mut seen).await);
            }
            Err(error) => faults.push(error.to_string()),
        }
    }
    faults
}

/// What is not there or not intact at and below a tree, leaving out what was `seen` before.
async fn closed_tree(store: &Store, root: TreeId, seen: &mut BTreeSet<Hash>) -> Vec<String> {
    let mut faults = Vec::new();
    let mut queue = vec![root];
    while let Some(id) = queue.pop() {
        if !seen.insert(*id.hash()) {
            continue;
        }
        let tree = match store.get_tree(&id).await {
            Ok(tree) => tree,
            Err(error) => {
                faults.push(error.to_string());
                continue;
            }
        };
        for entry in tree.entries() {
            queue.extend(entry.tree_id());
            let Some(blob) = entry.blob_id() else {
                continue;
            };
            if let Err(error) = store.spool_blob(&blob).await {
                faults.push(error.to_string());
            }
        }
    }
    faults
}

/// *Closed*, for every object whether a ref names it or not: what a stored tree or commit names
/// is stored. It holds after every failure because objects are written from the leaves up.
pub fn leaves_first(snapshot: &BTreeMap<Key, Bytes>) -> Vec<String> {
    let mut faults = Vec::new();
    for (key, bytes) in snapshot {
        let mut named = Vec::new();
        if layout::object_id(Kind::Tree, key).is_some() {
            match Tree::decode(bytes) {
                Ok(tree) => named.extend(tree.entries().iter().map(|entry| {
                    let kind = if entry.kind.is_tree() { Kind::Tree } else { Kind::Blob };
                    (kind, entry.id)
                })),
                Err(error) => faults.push(format!("{key}: {error}")),
            }
        } else if layout::object_id(Kind::Commit, key).is_some() {
            match Commit::decode(bytes) {
                Ok(commit) => {
                    named.push((Kind::Tree, *commit.tree.hash()));
                    named.extend(commit.parents.iter().map(|id| (Kind::Commit, *id.hash())));
                }
                Err(error) => faults.push(format!("{key}: {error}")),
            }
        }
        for (kind, id) in named {
            if !snapshot.contains_key(&layout::object(kind, &id)) {
                faults.push(format!("{key} names {kind} {id}, which is not there"));
            }
        }
    }
    faults
}

/// *Immutable*: what a key held `before`, it holds `after`, and an object hashes to its key.
pub fn immutable(before: &BTreeMap<Key, Bytes>, after: &BTreeMap<Key, Bytes>) -> Vec<String> {
    let mut faults = Vec::new();
    for (key, bytes) in before {
        match after.get(key) {
            None => faults.push(format!("{key} is gone")),
            Some(now) if now != bytes => faults.push(format!("{key} holds other bytes")),
            Some(_) => {}
        }
    }
    for (key, bytes) in after {
        for kind in Kind::ALL {
            let id = layout::object_id(kind, key);
            if id.is_some_and(|id| id != Hash::of(bytes)) {
                faults.push(format!("{key} does not hash to its key"));
            }
        }
    }
    faults
}

/// The whole log of a ref, oldest first.
pub async fn log(store: &Store, book: &BookId, name: &RefName) -> Result<Vec<LogEntry>, RefError> {
    let newest = store.refs().head(book, name).await?;
    let mut entries = Vec::new();
    for seq in 1..=newest.map_or(0, |head| head.entry.seq) {
        entries.extend(store.refs().entry(book, name, seq).await?);
    }
    Ok(entries)
}

async fn all_refs(store: &Store, faults: &mut Vec<String>) -> Vec<(BookId, RefName)> {
    let mut all = Vec::new();
    let books = store.refs().books().await.unwrap_or_else(|error| {
        faults.push(error.to_string());
        Vec::new()
    });
    for book in books {
        match store.refs().names(&book).await {
            Ok(names) => all.extend(names.into_iter().map(|name| (book.clone(), name))),
            Err(error) => faults.push(error.to_string()),
        }
    }
    all
}
