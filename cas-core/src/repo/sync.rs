//! Bringing every branch of a pattern up to its upstream.
//!
//! Branches are taken in batches: heads are read and merges planned side by side, all new objects
//! of a batch are published together, and each branch is moved by an entry of its own. A branch
//! that is up to date is left alone, so that a run that was cut off is finished by running again,
//! and two runs at once disturb each other no more than any two writers: what one has brought
//! forward, the other finds up to date.
//!
//! Memory holds the names of the branches, a batch, and what merges remember, which is bounded.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt;
use futures::future::BoxFuture;
use tokio_util::task::AbortOnDropHandle;

use super::edited::{Edited, EditedPaths, Paths};
use super::merge::{Conflict, OnConflict};
use super::merging::{Bring, MergeReport, MergeStatus, Plan};
use super::{RepoError, Repository, for_each};
use crate::name::{BookId, BookPath, CommitId, Operation, RefName};
use crate::refs::{RefError, Upstream};

/// How many batches are on the way at once: while one waits for the disk, the next is merged.
const BATCHES: usize = 2;

/// How often a branch that keeps moving is planned again.
const ATTEMPTS: u32 = 20;

/// How many branches are named for each path in conflict.
const NAMED: usize = 20;

/// Which branches are to be brought up to their upstream, and how.
#[derive(Debug, Clone)]
pub struct SyncRequest {
    /// The book.
    pub book: BookId,
    /// Which branches: `*` stands for a segment or a part of one, `**` for several.
    pub pattern: String,
    /// What to do where both changed the same.
    pub on_conflict: OnConflict,
    /// Only say what would come of it.
    pub dry_run: bool,
    /// Take this version for what the upstreams are to become. Only for a dry run.
    pub against: Option<CommitId>,
    /// Look at so many branches only, chosen by the hash of their names. Only for a dry run.
    pub sample: Option<usize>,
    /// Why, or a message that says what was merged.
    pub message: Option<String>,
    /// Branches that it leaves out are as if they were not there.
    pub branches: RefFilter,
    /// Upstreams that it leaves out are as if they were not there.
    pub upstreams: RefFilter,
    /// What is known of the paths that branches changed. A dry run opens only branches that are not
    /// known or changed what their upstream changed, and adds what it learns.
    pub edited: Option<Arc<EditedPaths>>,
}

impl SyncRequest {
    /// All branches of a pattern, with nothing written where there is a conflict.
    pub fn new(book: BookId, pattern: impl Into<String>) -> Self {
        Self {
            book,
            pattern: pattern.into(),
            on_conflict: OnConflict::Fail,
            dry_run: false,
            against: None,
            sample: None,
            message: None,
            branches: RefFilter::default(),
            upstreams: RefFilter::default(),
            edited: None,
        }
    }
}

/// Says of refs whether they may be touched; all of them unless somebody says otherwise.
#[derive(Clone, Default)]
pub struct RefFilter(Option<Arc<Allows>>);

type Allows = dyn Fn(&RefName) -> bool + Send + Sync;

impl RefFilter {
    /// Those of which `allows` says so.
    pub fn new(allows: impl Fn(&RefName) -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(allows)))
    }

    fn allows(&self, name: &RefName) -> bool {
        self.0.as_ref().is_none_or(|allows| allows(name))
    }
}

impl fmt::Debug for RefFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "some" } else { "all" })
    }
}

/// What became of one branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SyncStatus {
    /// It had everything.
    UpToDate,
    /// It had nothing of its own, and is where its upstream is.
    FastForward,
    /// Both had changes, and a commit has both.
    Merged,
    /// Both changed the same; nothing was written.
    Conflict,
    /// It follows nothing, or something that is not there.
    Skipped,
    /// It could not be done; the others were.
    Failed,
}

/// One branch of a sync.
#[derive(Debug)]
pub struct SyncItem {
    /// The branch.
    pub name: RefName,
    /// What became of it.
    pub status: SyncStatus,
    /// The details, if there was something to merge by.
    pub report: Option<MergeReport>,
    /// Why it was skipped.
    pub reason: Option<&'static str>,
    /// Why it failed.
    pub error: Option<RepoError>,
}

/// What became of all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SyncReport {
    /// How many names match, with those of branches that were deleted.
    pub matching: u64,
    /// How many branches were looked at: all that are there, unless only a sample was wanted.
    pub branches: u64,
    /// How many have each outcome. The sum is `branches`.
    pub outcomes: BTreeMap<SyncStatus, u64>,
    /// How many of them had to be opened to find out.
    pub opened: u64,
    /// How many have conflicts, be they resolved or not.
    pub with_conflicts: u64,
    /// The paths in conflict.
    pub conflicts: BTreeMap<BookPath, PathConflicts>,
}

/// The branches that have a conflict at one path.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct PathConflicts {
    /// How many.
    pub branches: u64,
    /// The first of them, by name.
    pub named: Vec<RefName>,
}

impl SyncStatus {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::UpToDate,
        Self::FastForward,
        Self::Merged,
        Self::Conflict,
        Self::Skipped,
        Self::Failed,
    ];

    /// `up-to-date`, `fast-forward`, `merged`, `conflict`, `skipped` or `failed`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UpToDate => "up-to-date",
            Self::FastForward => "fast-forward",
            Self::Merged => "merged",
            Self::Conflict => "conflict",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }
}

impl From<MergeStatus> for SyncStatus {
    fn from(status: MergeStatus) -> Self {
        match status {
            MergeStatus::UpToDate => Self::UpToDate,
            MergeStatus::FastForward => Self::FastForward,
            MergeStatus::Merged => Self::Merged,
            MergeStatus::Conflict => Self::Conflict,
        }
    }
}

impl SyncReport {
    fn add(&mut self, item: &SyncItem) {
        self.branches += 1;
        *self.outcomes.entry(item.status).or_default() += 1;
        let opened = matches!(item.status, SyncStatus::Merged | SyncStatus::Conflict);
        self.opened += u64::from(opened && item.report.is_some());
        let conflicts = item.report.iter().flat_map(|report| &report.conflicts);
        let mut paths: Vec<_> = conflicts.map(|conflict: &Conflict| &conflict.path).collect();
        paths.dedup();
        self.with_conflicts += u64::from(!paths.is_empty());
        for path in paths {
            let found = self.conflicts.entry(path.clone()).or_default();
            found.branches += 1;
            if found.named.len() < NAMED {
                found.named.push(item.name.clone());
            }
        }
    }

    /// How many have this outcome.
    pub fn count(&self, status: SyncStatus) -> u64 {
        self.outcomes.get(&status).copied().unwrap_or(0)
    }
}

/// A sync on its way.
#[derive(Debug, Clone)]
struct Syncing {
    repo: Repository,
    request: Arc<SyncRequest>,
    /// Where the upstreams were when they were first asked for. All branches meet the same
    /// version, so that the report says one thing.
    upstreams: Arc<Mutex<BTreeMap<RefName, Option<CommitId>>>>,
    /// What upstreams changed between two commits.
    changed: Arc<Mutex<Changed>>,
}

/// Paths that differ between two commits.
type Changed = BTreeMap<(CommitId, CommitId), Arc<Paths>>;

/// What is to be done with one branch.
enum Step {
    /// The branch is deleted.
    Gone,
    Done(Box<SyncItem>),
    Bring(Box<Bring>),
}

impl Repository {
    /// Brings every branch that matches up to its upstream. `each` is told what became of each and
    /// how many there are, batch by batch in the order of names; whoever is slow to be told slows
    /// the work.
    ///
    /// Conflicts and failures of single branches are in the report; an error is one of the store,
    /// after which running again does the rest.
    pub async fn sync(
        &self,
        request: &SyncRequest,
        each: &mut (dyn FnMut(SyncItem, u64) -> BoxFuture<'static, ()> + Send),
    ) -> Result<SyncReport, RepoError> {
        let mut names = self.ref_names(&request.book, Some(&request.pattern)).await?;
        names.retain(|name| !name.is_tag() && request.branches.allows(name));
        let mut report = SyncReport { matching: names.len() as u64, ..SyncReport::default() };
        if let Some(sample) = request.sample {
            names.sort_by_cached_key(|name| {
                blake3::hash(name.as_str().as_bytes()).as_bytes().to_owned()
            });
            names.truncate(sample);
            names.sort();
        }
        let total = names.len() as u64;
        let sync = Syncing {
            repo: self.clone(),
            request: Arc::new(request.clone()),
            upstreams: Arc::default(),
            changed: Arc::default(),
        };
        let batches: Vec<_> =
            names.chunks(self.store.refs().updates_together()).map(<[RefName]>::to_vec).collect();
        let mut batches = futures::stream::iter(batches)
            .map(|names| {
                let sync = sync.clone();
                AbortOnDropHandle::new(tokio::spawn(async move { sync.batch(names).await }))
            })
            .buffered(BATCHES);
        while let Some(items) = batches.next().await {
            let items = items.unwrap_or_else(|error| match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(error) => Err(RepoError::Internal(error.to_string())),
            });
            for item in items? {
                report.add(&item);
                each(item, total).await;
            }
        }
        Ok(report)
    }
}

impl Syncing {
    /// Brings a batch of branches forward.
    async fn batch(&self, names: Vec<RefName>) -> Result<Vec<SyncItem>, RepoError> {
        let sync = self.clone();
        let steps = for_each(names, self.repo.jobs, move |name| {
            let sync = sync.clone();
            async move { sync.step(name).await }
        });
        let mut items = Vec::new();
        let mut brings = Vec::new();
        for step in steps.await? {
            match step {
                Step::Gone => {}
                Step::Done(item) => items.push(*item),
                Step::Bring(bring) => brings.push(*bring),
            }
        }
        if !brings.is_empty() {
            let names: Vec<_> = brings.iter().map(|bring| bring.head.entry.name.clone()).collect();
            let answers = self.repo.bring_forward(brings).await?;
            for (name, answer) in names.into_iter().zip(answers) {
                items.push(match answer {
                    Ok(Some(report)) => SyncItem::of(name, report),
                    Ok(None) => self.alone(name).await?,
                    Err(error) => SyncItem::failed(name, error),
                });
            }
        }
        items.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(items)
    }

    /// A branch that moved while its batch was on the way.
    async fn alone(&self, name: RefName) -> Result<SyncItem, RepoError> {
        let book = &self.request.book;
        for attempt in 0..ATTEMPTS {
            let bring = match self.step(name.clone()).await? {
                Step::Gone => return Ok(SyncItem::skipped(name, "it was deleted meanwhile")),
                Step::Done(item) => return Ok(*item),
                Step::Bring(bring) => *bring,
            };
            match self.repo.bring_forward(vec![bring]).await?.pop() {
                Some(Ok(Some(report))) => return Ok(SyncItem::of(name, report)),
                Some(Err(error)) => return Ok(SyncItem::failed(name, error)),
                Some(Ok(None)) | None => {}
            }
            tokio::time::sleep(self.repo.env.backoff(attempt)).await;
        }
        let error =
            RefError::Contended { book: book.clone(), name: name.clone(), attempts: ATTEMPTS };
        Ok(SyncItem::failed(name, error.into()))
    }

    /// What is to be done with a branch, as it is now.
    async fn step(&self, name: RefName) -> Result<Step, RepoError> {
        let began = self.repo.env.clock.now();
        let head = match self.repo.store.refs().head(&self.request.book, &name).await {
            Ok(head) => head,
            Err(error) => return of_the_branch(name, error.into()),
        };
        let Some((commit, head)) = head.and_then(|head| Some((head.entry.target?, head))) else {
            return Ok(Step::Gone);
        };
        let Some(upstream) = head.entry.upstream() else {
            return Ok(Step::done(SyncItem::skipped(name, "it has no upstream")));
        };
        let Some(theirs) = self.theirs(&upstream).await? else {
            return Ok(Step::done(SyncItem::skipped(name, "its upstream is not there")));
        };
        if self.need_not_open(&name, commit, theirs, upstream.base).await? {
            let report = None;
            let item =
                SyncItem { name, status: SyncStatus::Merged, report, reason: None, error: None };
            return Ok(Step::done(item));
        }
        let policy = self.request.on_conflict;
        let plan = self.repo.plan_merge(commit, theirs, Some(upstream.base), policy).await;
        let plan: Plan = match plan {
            Ok(plan) => plan,
            Err(error) => return of_the_branch(name, error),
        };
        self.learn(&name, &plan, upstream.base).await?;
        if self.request.dry_run || !plan.writes() {
            return Ok(Step::done(SyncItem::of(name, plan.report(None))));
        }
        let said = || format!("Sync with {}", upstream.name);
        Ok(Step::Bring(Box::new(Bring {
            head,
            plan,
            began,
            operation: Operation::sync(),
            message: self.request.message.clone().unwrap_or_else(said),
            request_id: self.repo.env.request_id(),
            meets_upstream: true,
        })))
    }

    /// Whether a preview knows without opening the branch that it can be merged: it changed other
    /// paths than its upstream.
    async fn need_not_open(
        &self,
        name: &RefName,
        ours: CommitId,
        theirs: CommitId,
        base: CommitId,
    ) -> Result<bool, RepoError> {
        let Some(edited) = self.request.edited.as_ref().filter(|_| self.request.dry_run) else {
            return Ok(false);
        };
        let known = edited.get(&self.request.book, name, ours, base);
        let Some(known) = known.filter(|_| base != theirs) else {
            return Ok(false);
        };
        let way = self.repo.bases().way(theirs, base).await?;
        if way.is_none_or(|way| known.own.iter().any(|commit| way.contains(commit))) {
            return Ok(false);
        }
        Ok(known.paths.is_apart(&*self.changed(base, theirs).await?))
    }

    /// What an upstream changed between two of its commits.
    async fn changed(&self, base: CommitId, theirs: CommitId) -> Result<Arc<Paths>, RepoError> {
        let changed = |all: &Mutex<Changed>| {
            all.lock().unwrap_or_else(PoisonError::into_inner).get(&(base, theirs)).cloned()
        };
        if let Some(found) = changed(&self.changed) {
            return Ok(found);
        }
        let (old, new) = (self.repo.tree_id(base).await?, self.repo.tree_id(theirs).await?);
        let found = Arc::new(Paths::of(&self.repo.diff(old, new, &BookPath::root()).await?));
        let mut all = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(all.entry((base, theirs)).or_insert(found).clone())
    }

    /// Remembers which paths a branch changed, for the next preview.
    async fn learn(&self, name: &RefName, plan: &Plan, base: CommitId) -> Result<(), RepoError> {
        let Some(edited) = self.request.edited.as_ref().filter(|_| self.request.dry_run) else {
            return Ok(());
        };
        let met = *plan.bases == [base] && base != plan.ours;
        let book = &self.request.book;
        if !met || edited.get(book, name, plan.ours, base).is_some() {
            return Ok(());
        }
        let Some(own) = self.repo.bases().own_way(plan.ours, base).await? else {
            return Ok(());
        };
        let before = self.repo.tree_id(base).await?;
        let changes = self.repo.diff(before, plan.our_tree, &BookPath::root()).await?;
        let found = Edited { ours: plan.ours, base, own, paths: Paths::of(&changes) };
        edited.set(book, name, found);
        Ok(())
    }

    /// The version of an upstream that this sync brings.
    async fn theirs(&self, upstream: &Upstream) -> Result<Option<CommitId>, RepoError> {
        if !self.request.upstreams.allows(&upstream.name) {
            return Ok(None);
        }
        if let Some(against) = self.request.against {
            return Ok(Some(against));
        }
        let known = |upstreams: &Mutex<BTreeMap<RefName, Option<CommitId>>>| {
            let upstreams = upstreams.lock().unwrap_or_else(PoisonError::into_inner);
            upstreams.get(&upstream.name).copied()
        };
        if let Some(found) = known(&self.upstreams) {
            return Ok(found);
        }
        let head = self.repo.store.refs().head(&self.request.book, &upstream.name).await?;
        let target = head.and_then(|head| head.entry.target);
        let mut upstreams = self.upstreams.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever looked first decides for all.
        Ok(*upstreams.entry(upstream.name.clone()).or_insert(target))
    }
}

impl Step {
    fn done(item: SyncItem) -> Self {
        Self::Done(Box::new(item))
    }
}

impl SyncItem {
    fn of(name: RefName, report: MergeReport) -> Self {
        let status = report.status.into();
        Self { name, status, report: Some(report), reason: None, error: None }
    }

    fn skipped(name: RefName, reason: &'static str) -> Self {
        let status = SyncStatus::Skipped;
        Self { name, status, report: None, reason: Some(reason), error: None }
    }

    fn failed(name: RefName, error: RepoError) -> Self {
        let status = SyncStatus::Failed;
        Self { name, status, report: None, reason: None, error: Some(error) }
    }
}

/// An error that is of one branch alone, as when its objects are damaged: the others can be brought
/// forward. Any other ends the sync.
fn of_the_branch(name: RefName, error: RepoError) -> Result<Step, RepoError> {
    use crate::error::ErrorKind::{Conflict, Corrupt, Invalid, NotFound};
    match error.kind() {
        Conflict | Corrupt | Invalid | NotFound => Ok(Step::done(SyncItem::failed(name, error))),
        _ => Err(error),
    }
}
