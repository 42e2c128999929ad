//! Holds what a store has against what the model says. What is found begins with the name of the
//! invariant that it breaks.

use std::collections::BTreeMap;

use bytes::Bytes;
use cas_core::name::{CommitId, TreeId};
use cas_core::object::{Commit, Kind, Tree};
use cas_core::refs::{LogEntry, RefEntry};
use cas_core::store::layout;
use object_store::path::Path as Key;

use super::aged::is_object;
use super::model::{Answer, Files, Model, Movement, Number};
use super::op::Op;
use super::scope::{Name, Page, Text, book};
use super::subject::{Told, request_id};
use crate::invariants;

/// Everything in a store.
pub type Content = BTreeMap<Key, Bytes>;

/// The commits of the model's versions, as far as they are known.
pub type Ids = BTreeMap<Number, CommitId>;

/// *Immutable*: what was there before is there as it was, and what is new hashes to its key.
pub fn immutable(before: &Content, after: &Content) -> Vec<String> {
    let mut found = Vec::new();
    for (key, bytes) in before {
        if after.get(key) != Some(bytes) {
            found.push(format!("immutable: {key} was changed"));
        }
    }
    let new = after.iter().filter(|(key, _)| !before.contains_key(*key));
    let new: Content = new.map(|(key, bytes)| (key.clone(), bytes.clone())).collect();
    let wrong = invariants::immutable(&Content::new(), &new);
    found.extend(wrong.into_iter().map(|what| format!("immutable: {what}")));
    found
}

/// The same where collections are among what can be done: they may take objects, and what they say
/// of themselves comes and goes.
/// `takes` is whether one may have run.
pub fn immutable_but_collected(takes: bool, before: &Content, after: &Content) -> Vec<String> {
    let own = ["gc/lists/", "gc/clock/"];
    let stays = |key: &Key| {
        let may_go =
            takes && is_object(key) || own.iter().any(|folder| key.as_ref().starts_with(folder));
        after.contains_key(key) || !may_go
    };
    let before = before.iter().filter(|(key, _)| stays(key));
    immutable(&before.map(|(key, bytes)| (key.clone(), bytes.clone())).collect(), after)
}

/// The logs are the model's, and so is every version that they name, which is complete. Entries
/// that were there `before` are taken for checked. Versions that are met are added to `ids`.
pub fn logs(
    model: &Model,
    changes: Option<Name>,
    before: &Content,
    after: &Content,
    ids: &mut Ids,
) -> Vec<String> {
    let mut found = Vec::new();
    for name in Name::ALL {
        let log = model.refs.get(&name).map_or(&[][..], Vec::as_slice);
        let folder = layout::log(&book(), &name.name());
        let entries = after.keys().filter(|key| key.prefix_matches(&folder)).count();
        if entries != log.len() {
            let what = if changes == Some(name) { "certain" } else { "isolated" };
            let (name, right) = (name.as_str(), log.len());
            found.push(format!("{what}: {name} has {entries} entries instead of {right}"));
        }
        for (at, movement) in log.iter().enumerate() {
            let key = layout::slot(&book(), &name.name(), at as u64 + 1);
            if before.contains_key(&key) {
                continue;
            }
            let place = format!("{}#{}", name.as_str(), at + 1);
            let previous =
                at.checked_sub(1).map(|at| layout::slot(&book(), &name.name(), at as u64 + 1));
            let entry = after.get(&key).map(|bytes| RefEntry::from_stored(bytes));
            match entry {
                None => found.push(format!("certain: {place} is not there")),
                Some(Err(error)) => found.push(format!("linear: {place}: {error}")),
                Some(Ok(entry)) => {
                    let previous =
                        previous.and_then(|key| RefEntry::from_stored(after.get(&key)?).ok());
                    found.extend(
                        entry_is(model, &entry, previous.as_ref(), movement, after, ids)
                            .into_iter()
                            .map(|what| format!("{what} ({place})")),
                    );
                }
            }
        }
    }
    found
}

/// An entry is what the model says, and so is the version that it names.
fn entry_is(
    model: &Model,
    entry: &LogEntry,
    previous: Option<&LogEntry>,
    movement: &Movement,
    after: &Content,
    ids: &mut Ids,
) -> Vec<String> {
    let mut found = Vec::new();
    let LogEntry { entry, .. } = entry;
    if entry.previous != previous.map(|previous| previous.id) {
        found.push("linear: it does not name the entry before it".to_owned());
    }
    if entry.actor != movement.who.actor() {
        let right = movement.who.as_str();
        found.push(format!("attributed: it is {}'s instead of {right}'s", entry.actor));
    }
    if entry.operation.as_str() != movement.how {
        let (said, right) = (entry.operation.as_str(), movement.how);
        found.push(format!("attributed: it is a {said} instead of a {right}"));
    }
    if let Some(right) = movement.request.map(request_id)
        && entry.request_id != right
    {
        let said = entry.request_id.as_str();
        found.push(format!("certain: it is of request {said} instead of {}", right.as_str()));
    }
    match (entry.target, movement.target) {
        (None, None) => {}
        (Some(commit), Some(number)) => match ids.get(&number) {
            Some(known) if *known == commit => {}
            Some(_) => found.push("no lost update: it points elsewhere".to_owned()),
            None => {
                ids.insert(number, commit);
                found.extend(version_is(model, number, commit, after, ids));
            }
        },
        (said, _) => found.push(format!("certain: it points at {said:?}")),
    }
    let follows = entry.upstream().map(|upstream| (upstream.name, upstream.base));
    let right = movement.follows.map(|(name, base)| (name.name(), ids.get(&base).copied()));
    if follows.clone().map(|(name, base)| (name, Some(base))) != right {
        found.push(format!("certain: it follows {follows:?} instead of {right:?}"));
    }
    found
}

/// A commit is what the model says, and complete.
fn version_is(
    model: &Model,
    number: Number,
    commit: CommitId,
    after: &Content,
    ids: &Ids,
) -> Vec<String> {
    let Some(version) = model.versions.get(number) else {
        return vec![format!("certain: there is no version {number}")];
    };
    let Some(bytes) = after.get(&layout::object(Kind::Commit, commit.hash())) else {
        return vec!["closed: the commit is not there".to_owned()];
    };
    let commit = match Commit::decode(bytes) {
        Ok(commit) => commit,
        Err(error) => return vec![format!("immutable: the commit is none: {error}")],
    };
    let mut found = Vec::new();
    let parents: Vec<_> = version.parents.iter().map(|parent| ids.get(parent).copied()).collect();
    let named: Vec<_> = commit.parents.iter().copied().map(Some).collect();
    if parents != named {
        found.push("merge sound: the commit has other parents".to_owned());
    }
    if commit.author != version.author.actor() {
        found.push(format!("attributed: the commit is {}'s", commit.author));
    }
    match files(commit.tree, after) {
        Err(_) if version.late => {}
        Err(missing) => found.push(format!("closed: {missing} is not there")),
        Ok(files) if files != version.files => {
            let what = if named.len() > 1 { "merge sound" } else { "no lost update" };
            found.push(format!("{what}: it has {files:?} instead of {:?}", version.files));
        }
        Ok(_) => {}
    }
    found
}

/// The pages in a tree, or what is missing. What is no page of the small world counts as missing
/// as well: nobody wrote it.
pub fn files(tree: TreeId, content: &Content) -> Result<Files, String> {
    let mut files = Files::new();
    let mut folders = vec![(String::new(), tree)];
    while let Some((path, tree)) = folders.pop() {
        let key = layout::object(Kind::Tree, tree.hash());
        let bytes = content.get(&key).ok_or_else(|| format!("the tree of /{path}"))?;
        let tree = Tree::decode(bytes).map_err(|error| format!("a tree of /{path}: {error}"))?;
        for entry in tree.entries() {
            let path = format!("{path}{}", entry.name.as_str());
            if let Some(tree) = entry.tree_id() {
                folders.push((format!("{path}/"), tree));
                continue;
            }
            let bytes = content.get(&layout::object(Kind::Blob, &entry.id));
            let page = Page::ALL.into_iter().find(|page| page.as_str() == path);
            let said = page.zip(bytes).and_then(|(page, bytes)| {
                let text = Text::ALL.into_iter().find(|text| text.of(page) == *bytes);
                Some((page, text?))
            });
            files.extend([said.ok_or_else(|| format!("what {path} says"))?]);
        }
    }
    Ok(files)
}

/// *Certain*: somebody was told what the model says.
pub fn answers(op: Op, told: &Told, right: &Answer<Number>, ids: &Ids) -> Vec<String> {
    let said = match told {
        Ok(said) => said.clone(),
        Err(error) => Answer::Refused(error.kind()),
    };
    if right.with_ids(ids).as_ref() == Some(&said) {
        return Vec::new();
    }
    let what = match op {
        Op::Edit { put: None, .. } | Op::Delete(_) if matches!(said, Answer::Refused(_)) => {
            "idempotent delete"
        }
        Op::Merge { .. } | Op::Sync(_) => "merge sound",
        _ => "certain",
    };
    vec![format!("{what}: the answer is {told:?} instead of {right:?}")]
}

impl Answer<Number> {
    /// The same answer with commits for numbers; `None` if one is not known.
    pub fn with_ids(&self, ids: &Ids) -> Option<Answer<CommitId>> {
        let id = |number: &Number| ids.get(number).copied();
        Some(match self {
            Self::Edited(outcome, version) => Answer::Edited(*outcome, id(version)?),
            Self::Moved(None) => Answer::Moved(None),
            Self::Moved(Some(version)) => Answer::Moved(Some(id(version)?)),
            Self::Deleted(existed) => Answer::Deleted(*existed),
            Self::Merged(status, version) => Answer::Merged(*status, id(version)?),
            Self::Synced(None) => Answer::Synced(None),
            Self::Synced(Some((status, None))) => Answer::Synced(Some((*status, None))),
            Self::Synced(Some((status, Some(version)))) => {
                Answer::Synced(Some((*status, Some(id(version)?))))
            }
            Self::Read(files) => Answer::Read(files.clone()),
            Self::CaredFor => Answer::CaredFor,
            Self::Refused(kind) => Answer::Refused(*kind),
        })
    }
}

/// *Shared*: no more was written than the change needs. `versions` and `movements` are how many of
/// each the model made.
pub fn shared(
    op: Op,
    versions: usize,
    movements: usize,
    before: &Content,
    after: &Content,
) -> Vec<String> {
    let new = ["blobs/", "trees/", "commits/", "refs/"].map(|folder| {
        let new = after.keys().filter(|key| !before.contains_key(*key));
        new.filter(|key| key.as_ref().starts_with(folder)).count()
    });
    // A page is in a folder of its own below the root.
    let most = match op {
        Op::Edit { put: Some(_), .. } if versions > 0 => [1, 2],
        Op::Edit { .. } if versions > 0 => [0, 2],
        _ if versions > 0 => [0, 1 + Page::ALL.len()],
        _ => [0, 0],
    };
    let right = new[0] <= most[0] && new[1] <= most[1] && new[2..] == [versions, movements];
    let limits = (most, versions, movements);
    if right { Vec::new() } else { vec![format!("shared: {new:?} are new instead of {limits:?}")] }
}
