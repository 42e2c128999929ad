//! The real thing: a repository over a store, as one process of one person sees it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cas_core::env::Timestamp;
use cas_core::folder::NoProgress;
use cas_core::name::{BookPath, CommitId, HashPrefix, Operation, RequestId, Revision};
use cas_core::object::{Commit, Metadata, Tree};
use cas_core::refs::{Expectation, RefLog};
use cas_core::repo::{
    Change, Content, Edit, EditOutcome, MergeReport, MergeRequest, MergeStatus, OnConflict,
    PathEdit, Precondition, RefRequest, RepoError, Repository, SyncRequest, SyncStatus,
    UpstreamChoice, VersionRequest,
};
use cas_core::store::{Bucket, BucketObjects, Refs, Store};
use cas_core::upkeep::{GcRequest, Grace, Retention, Upkeep, UpkeepError};
use cas_core::{ErrorKind, limits};
use futures::FutureExt;
use object_store::ObjectStore;

use super::aged::DAY;
use super::broken::Broken;
use super::flaw::{Flawed, ProgramFlaw};
use super::model::{Answer, Files, Wish};
use super::op::{Belief, Op};
use super::scope::{Name, Page, Text, Who, book};
use super::time::Time;
use crate::env::test_env;
use crate::mutant::{MutantRefs, MutantStore, RefFlaw, RefsOf};

/// What somebody was really told.
pub type Told = Result<Answer<CommitId>, RepoError>;

/// How far the clock of whoever collects is ahead of the store's.
const COLLECTOR_IS_AHEAD: Duration = Duration::from_hours(1);

/// What is added to the number of a request that is tried again under another name.
const OTHER: usize = 1_000;

/// One process.
#[derive(Debug, Clone)]
pub struct Subject {
    repo: Repository,
    flaw: Option<ProgramFlaw>,
    /// Where collections are among what can be done.
    care: Option<(Upkeep, Time)>,
}

impl Subject {
    /// A process that has just begun. No two with the same `seed` in one history: request ids that
    /// are made up would meet.
    pub fn new(store: Arc<dyn ObjectStore>, who: Who, seed: usize, flaw: Option<Flawed>) -> Self {
        let seed = u32::try_from(seed).unwrap_or(u32::MAX);
        let env = test_env(seed);
        let store = match flaw {
            Some(Flawed::Store(flaw)) => Arc::new(MutantStore::new(store, flaw)),
            _ => store,
        };
        let bucket = Bucket::new(store);
        let mut refs: Arc<dyn Refs> = Arc::new(RefLog::new(bucket.clone(), env.clone()));
        if let Some(Flawed::Refs(flaw)) = flaw {
            refs = Arc::new(MutantRefs::new(refs, flaw, test_env(u32::MAX - seed)));
        }
        let store = Store::new(Arc::new(BucketObjects::new(bucket, env.clone())), refs);
        let flaw = match flaw {
            Some(Flawed::Program(flaw)) => Some(flaw),
            _ => None,
        };
        Self { repo: Repository::new(store, env, who.actor(), 1), flaw, care: None }
    }

    /// A process that has just begun over a store that collections work on, with the refs that heed
    /// them. No clock of two people, and of those who collect, is right.
    pub fn in_time(
        store: Arc<dyn ObjectStore>,
        time: Time,
        who: Who,
        seed: usize,
        flaw: Option<Flawed>,
    ) -> Self {
        let seed = u32::try_from(seed).unwrap_or(u32::MAX);
        let bucket = Bucket::new(store);
        let env = time.env(seed, who.is_ahead());
        let mut store = Store::in_bucket(&bucket, &env);
        if let Some(Flawed::Collection(Broken::TakesAnyTime)) = flaw {
            let objects = Arc::new(BucketObjects::new(bucket.clone(), env.clone()));
            let forgets = RefFlaw::ForgetsWhenItBegan;
            let refs = MutantRefs::new(Arc::new(RefsOf(store)), forgets, env.clone());
            store = Store::new(objects, Arc::new(refs));
        }
        let repo = Repository::new(store, env, who.actor(), 1);
        let env = time.env(u32::MAX - seed, COLLECTOR_IS_AHEAD);
        let upkeep = Upkeep::new(bucket, env, 1, Arc::new(NoProgress));
        Self { repo, flaw: None, care: Some((upkeep, time)) }
    }

    /// The repository.
    pub const fn repo(&self) -> &Repository {
        &self.repo
    }

    /// Makes the book with its empty first version.
    pub async fn begin(&self) -> Result<CommitId, RepoError> {
        let session = self.repo.store().session().await?;
        let (tree, _) = session.put_tree(&Tree::default()).await?;
        let commit = Commit {
            tree,
            parents: Vec::new(),
            author: Who::Ada.actor(),
            committed_at: Timestamp::from_micros(1),
            message: request_id(0).as_str().to_owned(),
            metadata: Metadata::new(),
        };
        let first = session.put_commit(&commit).await?;
        session.publish().await?;
        self.repo.create_ref(&ref_request(Name::Main, 0), first).await?;
        Ok(first)
    }

    /// The commit that `op` names by where a ref is now: as [`Model::named`](super::model::Model::named).
    pub async fn named(&self, op: Op) -> Result<Option<CommitId>, RepoError> {
        let (name, back) = match op {
            Op::Merge { from: name, .. } | Op::Tag(name) => (name, 0),
            Op::Reset(name) => (name, 1),
            Op::Undo(name) => return self.left(name).await,
            _ => return Ok(None),
        };
        let revision = Revision { back, ..Revision::head(book(), name.name()) };
        match self.repo.resolve_id(&revision).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The commit that a ref pointed at before it moved last.
    async fn left(&self, name: Name) -> Result<Option<CommitId>, RepoError> {
        let (refs, name) = (self.repo.store().refs(), name.name());
        let Some(head) = refs.head(&book(), &name).await? else {
            return Ok(None);
        };
        let before = match head.entry.seq.checked_sub(1).filter(|before| *before > 0) {
            Some(before) => refs.entry(&book(), &name, before).await?,
            None => None,
        };
        Ok(before.and_then(|before| before.entry.target))
    }

    /// Does what is wished. `version` is the commit of the wish's.
    pub async fn act(&self, wish: &Wish, version: Option<CommitId>) -> Told {
        let told = self.act_once(wish, version).await;
        let failed = matches!(&told, Err(error) if error.kind() == ErrorKind::Unavailable);
        if failed && self.flaw == Some(ProgramFlaw::TriesAgainAsAnother) {
            let other = Wish { request: wish.request + OTHER, ..*wish };
            return self.act_once(&other, version).await;
        }
        told
    }

    async fn act_once(&self, wish: &Wish, version: Option<CommitId>) -> Told {
        let repo = &self.repo;
        let refers = |name| ref_request(name, wish.request);
        let no_version = || RepoError::NoRef { book: book(), name: Name::Tag.name() };
        Ok(match wish.op {
            Op::Edit { branch, page, put, belief } => {
                self.edit(wish, branch, page, put, belief).await?
            }
            Op::Create { name, from } => {
                let from = Revision::head(book(), from.name());
                let start = repo.branch_start(&from, &UpstreamChoice::Default, None).await?;
                let entry = repo.create_branch(&refers(name), &start).await?;
                Answer::Moved(entry.entry.target)
            }
            Op::Tag(_) => {
                let at = version.ok_or_else(no_version)?;
                let entry = repo.create_ref(&refers(Name::Tag), at).await?;
                Answer::Moved(entry.entry.target)
            }
            Op::Delete(name) => {
                Answer::Deleted(repo.delete_ref(&refers(name), Expectation::Any).await?.existed)
            }
            Op::Restore(name) => {
                Answer::Moved(repo.restore_branch(&refers(name)).await?.entry.target)
            }
            Op::Reset(name) | Op::Undo(name) => {
                let to = version.ok_or_else(no_version)?;
                let entry = repo.reset_branch(&refers(name), Expectation::Any, to).await?;
                Answer::Moved(entry.entry.target)
            }
            Op::Merge { from, into } => {
                let theirs = version.ok_or_else(no_version)?;
                let report = self.merge(wish, from, into, theirs).await?;
                Answer::Merged(report.status, report.commit)
            }
            Op::Sync(name) => Answer::Synced(self.sync(wish, name).await?),
            Op::Read(name) => Answer::Read(self.read(name).await?),
            Op::Repeat(_) => return Err(no_version()),
            Op::Wait | Op::Collect { .. } | Op::Cancel => self.care(wish).await?,
        })
    }

    /// Does what is due of a collection a day later.
    pub async fn collect_a_day_later(&self) -> Told {
        let op = Op::Collect { later: true };
        self.care(&Wish { op, who: Who::Ada, request: 0, version: None }).await
    }

    /// Lets time pass or does what is due of a collection.
    async fn care(&self, wish: &Wish) -> Told {
        if let Some((upkeep, time)) = &self.care {
            let actor = wish.who.actor();
            if matches!(wish.op, Op::Wait | Op::Collect { later: true }) {
                time.pass(DAY).await;
            }
            if matches!(wish.op, Op::Collect { .. }) {
                let (grace, retention) = (Grace::Shared(limits::GRACE), Retention::Newest(1));
                let request = GcRequest { actor, retention, grace, dry_run: false };
                return cared_for(upkeep.gc(&request).await.map(|_| ()));
            }
            if wish.op == Op::Cancel {
                return cared_for(upkeep.gc_cancel(&actor).await.map(|_| ()));
            }
        }
        Ok(Answer::CaredFor)
    }

    async fn edit(
        &self,
        wish: &Wish,
        branch: Name,
        page: Page,
        put: Option<Text>,
        belief: Belief,
    ) -> Told {
        let (edit, operation) = match put {
            Some(text) => (Edit::Put(Content::from_bytes(text.of(page))), Operation::put()),
            None => (Edit::Remove { recursive: false }, Operation::remove()),
        };
        let precondition = match belief {
            Belief::Unsaid => Precondition::Unsaid,
            Belief::Absent => Precondition::Absent,
            Belief::Says(text) => {
                Precondition::Is(text.id(page).hash().to_hex().parse::<HashPrefix>()?)
            }
        };
        let request = VersionRequest {
            book: book(),
            branch: branch.name(),
            message: request_id(wish.request).as_str().to_owned(),
            request_id: request_id(wish.request),
        };
        let edits = [PathEdit { path: page.path(), edit, precondition }];
        let report = self.repo.edit(&request, operation, &edits).await?;
        let outcome = report.results[0].outcome;
        match (self.flaw, outcome) {
            (Some(ProgramFlaw::RemoveWantsThePage), EditOutcome::Absent) => {
                Err(RepoError::NoPath { path: page.path() })
            }
            (Some(ProgramFlaw::SaysCreated), EditOutcome::Updated) => {
                Ok(Answer::Edited(EditOutcome::Created, report.commit))
            }
            _ => Ok(Answer::Edited(outcome, report.commit)),
        }
    }

    async fn merge(
        &self,
        wish: &Wish,
        from: Name,
        into: Name,
        theirs: CommitId,
    ) -> Result<MergeReport, RepoError> {
        let guesses = self.flaw == Some(ProgramFlaw::MergeGuesses);
        let request = MergeRequest {
            book: book(),
            into: into.name(),
            from: theirs,
            from_ref: Some(from.name()),
            on_conflict: if guesses { OnConflict::Ours } else { OnConflict::Fail },
            message: Some(request_id(wish.request).as_str().to_owned()),
            request_id: request_id(wish.request),
        };
        if self.flaw == Some(ProgramFlaw::MergeDropsTheirs) {
            let plan = self.repo.merge(&request, true).await?;
            if plan.status == MergeStatus::Merged {
                return self.pretend_to_merge(wish, into, plan).await;
            }
        }
        self.repo.merge(&request, false).await
    }

    /// A commit with both parents and our tree.
    async fn pretend_to_merge(
        &self,
        wish: &Wish,
        into: Name,
        plan: MergeReport,
    ) -> Result<MergeReport, RepoError> {
        let store = self.repo.store();
        let ours = store.get_commit(&plan.ours).await?;
        let parents = vec![plan.ours, plan.theirs];
        let session = store.session().await?;
        let commit = session.put_commit(&Commit { parents, ..ours }).await?;
        session.publish().await?;
        let update = cas_core::refs::RefUpdate {
            book: book(),
            name: into.name(),
            expect: Expectation::Is(plan.ours),
            target: Some(commit),
            actor: wish.who.actor(),
            operation: Operation::merge(),
            message: String::new(),
            request_id: request_id(wish.request),
            metadata: Metadata::new(),
            began: Timestamp::from_micros(u64::MAX),
        };
        store.refs().update(&update).await?;
        Ok(MergeReport { commit, ..plan })
    }

    async fn sync(
        &self,
        wish: &Wish,
        name: Name,
    ) -> Result<Option<(SyncStatus, Option<CommitId>)>, RepoError> {
        let mut request = SyncRequest::new(book(), name.as_str());
        request.message = Some(request_id(wish.request).as_str().to_owned());
        let mut items = Vec::new();
        self.repo
            .sync(&request, &mut |item, _| {
                items.push(item);
                std::future::ready(()).boxed()
            })
            .await?;
        let Some(item) = items.pop() else {
            return Ok(None);
        };
        if let Some(error) = item.error {
            return Err(error);
        }
        Ok(Some((item.status, item.report.map(|report| report.commit))))
    }

    async fn read(&self, name: Name) -> Result<Files, RepoError> {
        let head = self.repo.find_ref(&book(), &name.name()).await?;
        let store = self.repo.store();
        let tree = store.get_commit(&head.commit).await?.tree;
        let mut files = BTreeMap::new();
        for item in self.repo.list(tree, &BookPath::root(), true).await? {
            let page = Page::ALL.into_iter().find(|page| page.as_str() == item.path.as_str());
            let Some(page) = page else { continue };
            let bytes = store.get_blob(&cas_core::name::BlobId(item.id)).await?;
            let text = Text::ALL.into_iter().find(|text| text.of(page) == bytes);
            files.extend(text.map(|text| (page, text)));
        }
        Ok(files)
    }

    /// How the tree of one commit differs from that of another.
    pub async fn diff(&self, old: CommitId, new: CommitId) -> Result<Vec<Change>, RepoError> {
        let store = self.repo.store();
        let (old, new) = (store.get_commit(&old).await?.tree, store.get_commit(&new).await?.tree);
        let mut changes = self.repo.diff(old, new, &BookPath::root()).await?;
        if self.flaw == Some(ProgramFlaw::DiffForgets) && changes.len() > 1 {
            changes.pop();
        }
        Ok(changes)
    }
}

/// What comes of caring for a store. To give way to another who does is no failure.
fn cared_for(done: Result<(), UpkeepError>) -> Told {
    match done {
        Ok(()) => Ok(Answer::CaredFor),
        Err(UpkeepError::Store(error)) => Err(error.into()),
        Err(UpkeepError::Ref(error)) => Err(error.into()),
        Err(other) => Ok(Answer::Refused(other.kind())),
    }
}

/// The id of the `n`-th request. It may have been used before.
///
/// # Panics
///
/// Never: the id keeps the rules.
pub fn request_id(n: usize) -> RequestId {
    RequestId::parse(&format!("request-{n}")).expect("the request has a good id")
}

fn ref_request(name: Name, request: usize) -> RefRequest {
    let message = String::new();
    RefRequest { book: book(), name: name.name(), message, request_id: request_id(request) }
}
