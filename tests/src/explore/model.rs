//! The reference: what books are and do, written as plainly as can be.
//!
//! A version is a map of pages to texts with the numbers of its parents; a ref is the list of
//! where it was. Nothing here is stored, hashed, retried or shared, and nothing of the real code
//! is used but the names of answers.

use std::collections::BTreeMap;

use cas_core::ErrorKind;
use cas_core::repo::{EditOutcome, MergeStatus, SyncStatus};

use super::merging::{self, Dispute};
use super::op::{Belief, Op};
use super::scope::{Name, Page, Text, Who};

/// What a version holds.
pub type Files = BTreeMap<Page, Text>;

/// A version's number, in the order in which they were made.
pub type Number = usize;

/// One version of the book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its pages.
    pub files: Files,
    /// What it came of.
    pub parents: Vec<Number>,
    /// Who made it.
    pub author: Who,
    /// Whether it came so late that what it relied on may have been collected.
    pub late: bool,
}

/// One movement of a ref.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movement {
    /// Where it went; nowhere when it was deleted.
    pub target: Option<Number>,
    /// Who moved it.
    pub who: Who,
    /// By what operation.
    pub how: &'static str,
    /// By which request. A sync has no name for its own.
    pub request: Option<usize>,
    /// What it follows from then on, and where the two last met.
    pub follows: Option<(Name, Number)>,
}

/// A wish with all that it names.
#[derive(Debug, Clone, Copy)]
pub struct Wish {
    /// What.
    pub op: Op,
    /// Who.
    pub who: Who,
    /// Which request: a repeated one has the number of the first.
    pub request: usize,
    /// The version that the first try of it found where it was to look: at the head of what is
    /// merged or tagged, or before the head of what is reset.
    pub version: Option<Number>,
}

/// What somebody is told. `V` names versions: by number in the model, by id in the real thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<V> {
    /// What became of a page, and the version that has it.
    Edited(EditOutcome, V),
    /// Where a ref points now.
    Moved(Option<V>),
    /// A ref is gone; whether it was there.
    Deleted(bool),
    /// What came of a merge, and where the branch is now.
    Merged(MergeStatus, V),
    /// What came of a sync, and where the branch is now; nothing if there is no such branch.
    Synced(Option<(SyncStatus, Option<V>)>),
    /// The pages of a branch.
    Read(Files),
    /// The store was cared for.
    CaredFor,
    /// It was not done.
    Refused(ErrorKind),
}

/// The whole book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// Every version.
    pub versions: Vec<Version>,
    /// The log of every ref.
    pub refs: BTreeMap<Name, Vec<Movement>>,
}

impl Model {
    /// A book with an empty first version on `main`, made by Ada as request 0.
    pub fn new() -> Self {
        let first =
            Version { files: Files::new(), parents: Vec::new(), author: Who::Ada, late: false };
        let made = Movement {
            target: Some(0),
            who: Who::Ada,
            how: "create",
            request: Some(0),
            follows: None,
        };
        Self { versions: vec![first], refs: BTreeMap::from([(Name::Main, vec![made])]) }
    }

    /// The version that a ref points at.
    pub fn head(&self, name: Name) -> Option<Number> {
        self.refs.get(&name)?.last()?.target
    }

    /// The version that `op` names by where a ref is now.
    pub fn named(&self, op: Op) -> Option<Number> {
        match op {
            Op::Merge { from: name, .. } | Op::Tag(name) => self.head(name),
            Op::Reset(name) => self.versions[self.head(name)?].parents.first().copied(),
            Op::Undo(name) => self.left(name),
            _ => None,
        }
    }

    /// The version that a ref pointed at before it moved last.
    pub fn left(&self, name: Name) -> Option<Number> {
        self.refs.get(&name)?.iter().rev().nth(1)?.target
    }

    /// The versions that a collection must leave: those that the newest entry of each ref names.
    pub fn kept(&self) -> Vec<Number> {
        let newest = self.refs.values().filter_map(|log| log.last());
        let named =
            newest.flat_map(|last| last.target.into_iter().chain(last.follows.map(|f| f.1)));
        let mut kept: Vec<_> = named.flat_map(|version| self.ancestors(version)).collect();
        kept.sort_unstable();
        kept.dedup();
        kept
    }

    /// Does what is wished.
    pub fn apply(&mut self, wish: &Wish) -> Answer<Number> {
        let done = match wish.op {
            Op::Edit { branch, page, put, belief } => self.edit(wish, branch, page, put, belief),
            Op::Create { name, from } => self.create(wish, name, self.head(from), Some(from)),
            Op::Tag(_) => self.create(wish, Name::Tag, wish.version, None),
            Op::Delete(name) => self.delete(wish, name),
            Op::Restore(name) => self.restore(wish, name),
            Op::Merge { from, into } => self.merge(wish, from, into),
            Op::Sync(name) => Ok(Answer::Synced(self.sync(wish, name))),
            Op::Reset(name) | Op::Undo(name) => self.reset(wish, name),
            Op::Wait | Op::Collect { .. } | Op::Cancel => Ok(Answer::CaredFor),
            Op::Read(name) => self
                .head(name)
                .map(|head| Answer::Read(self.versions[head].files.clone()))
                .ok_or(ErrorKind::NotFound),
            // Whoever asks has looked up what is repeated.
            Op::Repeat(_) => Err(ErrorKind::NotFound),
        };
        done.unwrap_or_else(Answer::Refused)
    }

    /// Does what is wished, and takes it back at once: it came too late.
    pub fn apply_late(&mut self, wish: &Wish) {
        let before = self.clone();
        self.apply(wish);
        self.versions.iter_mut().skip(before.versions.len()).for_each(|made| made.late = true);
        for (name, log) in &mut self.refs {
            let was = before.refs.get(name).map_or(&[][..], Vec::as_slice);
            if log.len() > was.len() {
                let target = was.last().and_then(|last| last.target);
                let follows = was.last().and_then(|last| last.follows);
                let how = if target.is_some() { "reset" } else { "delete" };
                log.push(Movement { target, who: wish.who, how, request: None, follows });
            }
        }
    }

    fn edit(
        &mut self,
        wish: &Wish,
        branch: Name,
        page: Page,
        put: Option<Text>,
        belief: Belief,
    ) -> Told {
        self.refs.get(&branch).ok_or(ErrorKind::NotFound)?;
        if let Some(made) = self.earlier(branch, wish.request) {
            let made = made.target.ok_or(ErrorKind::Conflict)?;
            let before = &self.versions[self.versions[made].parents[0]].files;
            let outcome = outcome(before.get(&page).copied(), put, belief)?;
            return Ok(Answer::Edited(outcome, made));
        }
        let head = self.head(branch).ok_or(ErrorKind::NotFound)?;
        let mut files = self.versions[head].files.clone();
        let outcome = outcome(files.get(&page).copied(), put, belief)?;
        match put {
            Some(text) => files.insert(page, text),
            None => files.remove(&page),
        };
        if files == self.versions[head].files {
            return Ok(Answer::Edited(outcome, head));
        }
        let made = self.commit(files, vec![head], wish.who);
        let how = if put.is_some() { "put" } else { "remove" };
        self.go(wish, branch, Some(made), how, self.follows(branch));
        Ok(Answer::Edited(outcome, made))
    }

    /// A branch begins at the head of what it follows, a tag where it is told to.
    fn create(
        &mut self,
        wish: &Wish,
        name: Name,
        at: Option<Number>,
        follows: Option<Name>,
    ) -> Told {
        let at = at.ok_or(ErrorKind::NotFound)?;
        if let Some(made) = self.earlier(name, wish.request) {
            // Also where the version to begin at moved since.
            return Ok(Answer::Moved(made.target));
        }
        if self.head(name).is_some() {
            return Err(ErrorKind::Conflict);
        }
        if name == Name::Tag && self.refs.contains_key(&name) {
            return Err(ErrorKind::Invalid);
        }
        self.go(wish, name, Some(at), "create", follows.map(|follows| (follows, at)));
        Ok(Answer::Moved(Some(at)))
    }

    fn delete(&mut self, wish: &Wish, name: Name) -> Told {
        self.refs.get(&name).ok_or(ErrorKind::NotFound)?;
        if self.earlier(name, wish.request).is_some() {
            return Ok(Answer::Deleted(true));
        }
        if self.head(name).is_none() {
            return Ok(Answer::Deleted(false));
        }
        self.go(wish, name, None, "delete", self.follows(name));
        Ok(Answer::Deleted(true))
    }

    fn restore(&mut self, wish: &Wish, name: Name) -> Told {
        let log = self.refs.get(&name).ok_or(ErrorKind::NotFound)?;
        if let Some(made) = self.earlier(name, wish.request) {
            return Ok(Answer::Moved(made.target));
        }
        if self.head(name).is_some() {
            return Err(ErrorKind::Conflict);
        }
        let last = log.iter().rev().find_map(|movement| movement.target);
        self.go(wish, name, last, "restore", self.follows(name));
        Ok(Answer::Moved(last))
    }

    fn reset(&mut self, wish: &Wish, name: Name) -> Told {
        let to = wish.version.ok_or(ErrorKind::NotFound)?;
        if self.earlier(name, wish.request).is_some() {
            return Ok(Answer::Moved(Some(to)));
        }
        let head = self.head(name).ok_or(ErrorKind::NotFound)?;
        if head != to {
            let follows = self.follows_after_reset(name, to);
            self.go(wish, name, Some(to), "reset", follows);
        }
        Ok(Answer::Moved(Some(to)))
    }

    /// It met its upstream at `to` if that has it, where it met it before if `to` comes after
    /// that, and else where their histories part.
    fn follows_after_reset(&self, name: Name, to: Number) -> Option<(Name, Number)> {
        let (upstream, met) = self.follows(name)?;
        let parting = self.head(upstream).map(|theirs| self.bases(theirs, to)[0]);
        if parting != Some(to) && self.ancestors(to).contains(&met) {
            return Some((upstream, met));
        }
        Some((upstream, parting?))
    }

    fn merge(&mut self, wish: &Wish, from: Name, into: Name) -> Told {
        let theirs = wish.version.ok_or(ErrorKind::NotFound)?;
        if let Some(made) = self.earlier(into, wish.request).and_then(|made| made.target) {
            let status =
                if made == theirs { MergeStatus::FastForward } else { MergeStatus::Merged };
            return Ok(Answer::Merged(status, made));
        }
        let ours = self.head(into).ok_or(ErrorKind::NotFound)?;
        let (status, target) = self.bring(wish.who, ours, theirs);
        if target != ours {
            let met = |(name, met)| (name, if name == from { theirs } else { met });
            let follows = self.follows(into).map(met);
            self.go(wish, into, Some(target), "merge", follows);
        }
        Ok(Answer::Merged(status, target))
    }

    fn sync(&mut self, wish: &Wish, name: Name) -> Option<(SyncStatus, Option<Number>)> {
        let ours = self.head(name)?;
        let upstream = self.follows(name).map(|(upstream, _)| upstream);
        let Some((upstream, theirs)) = upstream.and_then(|up| Some((up, self.head(up)?))) else {
            return Some((SyncStatus::Skipped, None));
        };
        let (status, target) = self.bring(wish.who, ours, theirs);
        if target != ours {
            self.go(wish, name, Some(target), "sync", Some((upstream, theirs)));
        }
        Some((status.into(), Some(target)))
    }

    /// The version that has both; `ours` if there is nothing to do or it cannot be done.
    fn bring(&mut self, who: Who, ours: Number, theirs: Number) -> (MergeStatus, Number) {
        let bases = self.bases(ours, theirs);
        if bases == [theirs] {
            return (MergeStatus::UpToDate, ours);
        }
        if bases == [ours] {
            return (MergeStatus::FastForward, theirs);
        }
        match self.merged(&bases, ours, theirs) {
            Ok(files) => (MergeStatus::Merged, self.commit(files, vec![ours, theirs], who)),
            Err(Dispute) => (MergeStatus::Conflict, ours),
        }
    }

    fn merged(&self, bases: &[Number], ours: Number, theirs: Number) -> Result<Files, Dispute> {
        let base = merging::base(self, bases);
        merging::merge(&base, &self.versions[ours].files, &self.versions[theirs].files)
    }

    /// A version and all before it.
    pub fn ancestors(&self, of: Number) -> Vec<Number> {
        let mut all = vec![of];
        let mut at = 0;
        while let Some(version) = all.get(at) {
            for parent in &self.versions[*version].parents {
                if !all.contains(parent) {
                    all.push(*parent);
                }
            }
            at += 1;
        }
        all.sort_unstable();
        all
    }

    /// The best common ancestors: those that are behind no other.
    pub fn bases(&self, ours: Number, theirs: Number) -> Vec<Number> {
        let (of_ours, of_theirs) = (self.ancestors(ours), self.ancestors(theirs));
        let common: Vec<_> = of_ours.into_iter().filter(|one| of_theirs.contains(one)).collect();
        let is_behind = |one: &Number| {
            common.iter().any(|other| other != one && self.ancestors(*other).contains(one))
        };
        common.iter().copied().filter(|one| !is_behind(one)).collect()
    }

    fn follows(&self, name: Name) -> Option<(Name, Number)> {
        self.refs.get(&name)?.last()?.follows
    }

    /// What `request` did to a ref.
    fn earlier(&self, name: Name, request: usize) -> Option<&Movement> {
        self.refs.get(&name)?.iter().find(|movement| movement.request == Some(request))
    }

    fn commit(&mut self, files: Files, parents: Vec<Number>, author: Who) -> Number {
        self.versions.push(Version { files, parents, author, late: false });
        self.versions.len() - 1
    }

    fn go(
        &mut self,
        wish: &Wish,
        name: Name,
        target: Option<Number>,
        how: &'static str,
        follows: Option<(Name, Number)>,
    ) {
        let request = (how != "sync").then_some(wish.request);
        let movement = Movement { target, who: wish.who, how, request, follows };
        self.refs.entry(name).or_default().push(movement);
    }
}

impl Default for Model {
    fn default() -> Self {
        Self::new()
    }
}

type Told = Result<Answer<Number>, ErrorKind>;

/// What becomes of a page that says `now`.
fn outcome(now: Option<Text>, put: Option<Text>, belief: Belief) -> Result<EditOutcome, ErrorKind> {
    if now.is_none() && put.is_none() {
        return Ok(EditOutcome::Absent);
    }
    let believed = match belief {
        Belief::Unsaid => now.is_none() || put.is_none(),
        Belief::Absent => now.is_none(),
        Belief::Says(text) => now == Some(text),
    };
    match (now, put) {
        _ if !believed => Err(ErrorKind::Conflict),
        (None, _) => Ok(EditOutcome::Created),
        (_, None) => Ok(EditOutcome::Deleted),
        (now, put) if now == put => Ok(EditOutcome::Unchanged),
        _ => Ok(EditOutcome::Updated),
    }
}
