//! Merging commits into branches: planning, and doing it for one branch or many.
//!
//! A plan reads and writes nothing. Doing several at once puts the new objects of all of them into
//! one session, publishes, and then moves every branch by an entry of its own, in that order, so
//! that a crash between leaves objects that nothing names, and branches that are either merged or
//! untouched. A branch that moved meanwhile is planned again.

use std::sync::Arc;

use super::merge::{Bases, Conflict, Merged, OnConflict, merge_trees};
use super::{RepoError, Repository, Unpublished, for_each};
use crate::env::Timestamp;
use crate::name::{BookId, CommitId, Operation, RefName, RequestId, TreeId};
use crate::object::{Commit, Metadata, Tree};
use crate::refs::{
    Expectation, LogEntry, RefError, RefUpdate, UpdateOutcome, Upstream, earlier_try, subject_of,
};
use crate::schema::BOOK_FILE;
use crate::store::Session;

/// How often a merge is planned again for a branch that keeps moving.
const ATTEMPTS: u32 = 100;

/// What is to be merged into a branch.
#[derive(Debug, Clone)]
pub struct MergeRequest {
    /// The book.
    pub book: BookId,
    /// The branch that is to get it.
    pub into: RefName,
    /// The commit to merge.
    pub from: CommitId,
    /// The ref that it was found by.
    pub from_ref: Option<RefName>,
    /// What to do where both changed the same.
    pub on_conflict: OnConflict,
    /// Why, or a message that says what was merged.
    pub message: Option<String>,
    /// Names this wish: repeating it with the same id never does it twice.
    pub request_id: RequestId,
}

/// What became of a merge, or would.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MergeStatus {
    /// Everything was there already.
    UpToDate,
    /// The branch had nothing of its own: it points at the merged commit itself.
    FastForward,
    /// A commit with both parents was made.
    Merged,
    /// Both changed the same, and nothing was written.
    Conflict,
}

impl MergeStatus {
    /// `up-to-date`, `fast-forward`, `merged` or `conflict`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UpToDate => "up-to-date",
            Self::FastForward => "fast-forward",
            Self::Merged => "merged",
            Self::Conflict => "conflict",
        }
    }
}

/// What became of a merge into one branch, or would.
#[derive(Debug, Clone)]
pub struct MergeReport {
    /// What.
    pub status: MergeStatus,
    /// Where the branch pointed.
    pub ours: CommitId,
    /// What was merged.
    pub theirs: CommitId,
    /// Where the two had met: mostly one commit.
    pub bases: Arc<Vec<CommitId>>,
    /// Where the branch points now; as a preview and for a conflict, where it pointed.
    pub commit: CommitId,
    /// The merged tree.
    pub tree: TreeId,
    /// What was in conflict; unless the merge failed, resolved as the policy says.
    pub conflicts: Vec<Conflict>,
    /// How many files hold changes of both sides.
    pub merged_files: usize,
    /// The entry that moved the branch, if one did.
    pub entry: Option<LogEntry>,
}

/// What a merge comes to.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) status: MergeStatus,
    pub(crate) ours: CommitId,
    pub(crate) theirs: CommitId,
    pub(crate) bases: Arc<Vec<CommitId>>,
    pub(crate) our_tree: TreeId,
    pub(crate) their_tree: TreeId,
    pub(crate) merged: Arc<Merged>,
}

/// One branch that is to be brought forward.
#[derive(Debug, Clone)]
pub(crate) struct Bring {
    pub(crate) head: LogEntry,
    pub(crate) plan: Plan,
    /// When the plan was made.
    pub(crate) began: Timestamp,
    pub(crate) operation: Operation,
    pub(crate) message: String,
    pub(crate) request_id: RequestId,
    /// Whether what is merged is what the branch follows.
    pub(crate) meets_upstream: bool,
}

impl Repository {
    /// Merges the trees `ours` and `theirs`, which came of `base`. Returns the result and a
    /// repository that sees it; nothing is written.
    pub async fn merge_trees(
        &self,
        base: TreeId,
        ours: TreeId,
        theirs: TreeId,
        on_conflict: OnConflict,
    ) -> Result<(Arc<Merged>, Self), RepoError> {
        let merged = merge_trees(self, &self.merges, (base, ours, theirs), on_conflict).await?;
        let sees = self.seeing(&merged, Some(theirs));
        Ok((merged, sees))
    }

    /// The best common ancestors of two commits: mostly one; several after merging to and fro;
    /// none if the histories have nothing in common.
    pub async fn merge_bases(
        &self,
        ours: CommitId,
        theirs: CommitId,
    ) -> Result<Vec<CommitId>, RepoError> {
        Ok(self.bases().common(ours, theirs, None).await?.to_vec())
    }

    pub(crate) fn bases(&self) -> Bases<'_> {
        Bases { repo: self, memo: &self.merges }
    }

    /// The tree of a commit, mostly remembered.
    pub(crate) async fn tree_id(&self, commit: CommitId) -> Result<TreeId, RepoError> {
        Ok(self.merges.step(&self.store, commit).await?.tree)
    }

    /// What merging `theirs` into `ours` comes to. `hint` is where they are believed to have met.
    pub(crate) async fn plan_merge(
        &self,
        ours: CommitId,
        theirs: CommitId,
        hint: Option<CommitId>,
        on_conflict: OnConflict,
    ) -> Result<Plan, RepoError> {
        let bases = self.bases().common(ours, theirs, hint).await?;
        let our_tree = self.tree_id(ours).await?;
        let their_tree = self.tree_id(theirs).await?;
        let plan = |status, merged| Plan {
            status,
            ours,
            theirs,
            bases: bases.clone(),
            our_tree,
            their_tree,
            merged,
        };
        if *bases == [theirs] {
            return Ok(plan(MergeStatus::UpToDate, Arc::new(Merged::as_is(our_tree))));
        }
        if *bases == [ours] {
            return Ok(plan(MergeStatus::FastForward, Arc::new(Merged::as_is(their_tree))));
        }
        let Some((base, seeing)) = self.bases().tree(self.clone(), &bases).await? else {
            return Err(RepoError::Unrelated { ours, theirs });
        };
        let three = (base, our_tree, their_tree);
        let merged = merge_trees(&seeing, &self.merges, three, on_conflict).await?;
        let fails = on_conflict == OnConflict::Fail && !merged.is_clean();
        let status = if fails { MergeStatus::Conflict } else { MergeStatus::Merged };
        Ok(plan(status, merged))
    }

    /// Merges a commit into a branch; with `dry_run`, only says what would come of it.
    pub async fn merge(
        &self,
        request: &MergeRequest,
        dry_run: bool,
    ) -> Result<MergeReport, RepoError> {
        let MergeRequest { book, into, from, .. } = request;
        Self::check_branch(book, into)?;
        let operation = Operation::merge();
        for attempt in 0..ATTEMPTS {
            let head = self.newest(book, into).await?;
            // Also into a branch that was deleted since.
            if let Some(entry) = earlier_try(self.store.refs(), &head, &request.request_id).await? {
                return self.merge_again(entry, request).await;
            }
            let ours = Self::target_of(&head)?;
            let upstream = head.entry.upstream();
            let followed = upstream
                .clone()
                .filter(|upstream| request.from_ref.as_ref() == Some(&upstream.name));
            let hint = followed.as_ref().map(|upstream| upstream.base);
            let began = self.env.clock.now();
            let plan = self.plan_merge(ours, *from, hint, request.on_conflict).await?;
            if dry_run || !plan.writes() {
                return Ok(plan.report(None));
            }
            let message = request.message.clone().unwrap_or_else(|| said(request));
            let bring = Bring {
                head,
                plan,
                began,
                operation: operation.clone(),
                message,
                request_id: request.request_id.clone(),
                meets_upstream: followed.is_some(),
            };
            let mut reports = self.bring_forward(vec![bring]).await?;
            match reports.pop() {
                Some(Ok(Some(report))) => return Ok(report),
                Some(Err(error)) => return Err(error),
                Some(Ok(None)) | None => {}
            }
            tokio::time::sleep(self.env.backoff(attempt)).await;
        }
        let (book, name) = (book.clone(), into.clone());
        Err(RefError::Contended { book, name, attempts: ATTEMPTS }.into())
    }

    /// The report of a merge that `entry` was made by.
    async fn merge_again(
        &self,
        entry: LogEntry,
        request: &MergeRequest,
    ) -> Result<MergeReport, RepoError> {
        let other = || RepoError::request_used(&entry, &request.request_id);
        let target = entry.entry.target.filter(|_| entry.entry.operation == Operation::merge());
        let commit = target.ok_or_else(other)?;
        let parents = self.store.get_commit(&commit).await?.parents;
        let tree = self.tree_id(commit).await?;
        let (status, ours) = match parents[..] {
            _ if commit == request.from => {
                let (book, name) = (&request.book, &request.into);
                let before = self.store.refs().entry(book, name, entry.entry.seq - 1).await?;
                let before = before.and_then(|before| before.entry.target).ok_or_else(other)?;
                (MergeStatus::FastForward, before)
            }
            [ours, theirs] if theirs == request.from => (MergeStatus::Merged, ours),
            _ => return Err(other()),
        };
        let plan = self.plan_merge(ours, request.from, None, request.on_conflict).await?;
        Ok(MergeReport { status, commit, tree, entry: Some(entry), ..plan.report(None) })
    }

    /// Writes what `brings` come to, and answers in their order: what became of each, or `None`
    /// if the branch moved meanwhile and nothing was done to it.
    ///
    /// An error instead of answers is one of the store: then no branch moved.
    pub(crate) async fn bring_forward(
        &self,
        brings: Vec<Bring>,
    ) -> Result<Vec<Result<Option<MergeReport>, RepoError>>, RepoError> {
        self.store.refs().will_update();
        let session = Arc::new(self.store.session().await?);
        let (repo, writing) = (self.clone(), session.clone());
        let staged = for_each(brings, self.jobs, move |bring| {
            let (repo, session) = (repo.clone(), writing.clone());
            async move {
                let target = repo.stage(&session, &bring).await?;
                Ok::<_, RepoError>((bring, target))
            }
        });
        let staged = staged.await?;
        session.publish().await?;
        let mut answers: Vec<Option<Result<Option<MergeReport>, RepoError>>> = Vec::new();
        let mut updates = Vec::with_capacity(staged.len());
        for (bring, target) in &staged {
            // After publishing, because the new trees can be read then. What is refused is named
            // by nothing.
            match self.check_merged(&bring.plan).await {
                Ok(()) => {
                    updates.push(bring.update(self, *target)?);
                    answers.push(None);
                }
                Err(error) => answers.push(Some(Err(error))),
            }
        }
        let mut outcomes = self.store.refs().update_all(&updates).await.into_iter();
        let answered = staged.into_iter().zip(answers).map(|((bring, target), answer)| {
            answer.unwrap_or_else(|| match outcomes.next() {
                Some(Ok(UpdateOutcome::Moved(entry))) if entry.entry.target == Some(target) => {
                    Ok(Some(MergeReport { commit: target, ..bring.plan.report(Some(entry)) }))
                }
                Some(Ok(_)) | None => Ok(None),
                Some(Err(error)) => Err(error.into()),
            })
        });
        Ok(answered.collect())
    }

    /// Puts the new objects of one merge and its commit into the session.
    async fn stage(&self, session: &Session, bring: &Bring) -> Result<CommitId, RepoError> {
        let Plan { status, ours, theirs, merged, .. } = &bring.plan;
        if *status == MergeStatus::FastForward {
            return Ok(*theirs);
        }
        for object in merged.objects.iter() {
            session.put_object(object.kind, &object.id, object.bytes.clone()).await?;
        }
        let commit = Commit {
            tree: merged.tree,
            parents: vec![*ours, *theirs],
            author: self.actor.clone(),
            committed_at: self.env.clock.now(),
            message: bring.message.clone(),
            metadata: Metadata::new(),
        };
        Ok(session.put_commit(&commit).await?)
    }

    /// Holds the merged version against its own schema: only what differs from the side that has
    /// the same `book.toml`.
    async fn check_merged(&self, plan: &Plan) -> Result<(), RepoError> {
        let tree = plan.merged.tree;
        let root: Arc<Tree> = self.merges.tree(&self.store, tree).await?;
        let Some(file) = root.get(BOOK_FILE) else {
            return Ok(());
        };
        let theirs = self.merges.tree(&self.store, plan.their_tree).await?;
        let same = theirs.get(BOOK_FILE).is_some_and(|there| there.same_content(file));
        let before = if same { plan.their_tree } else { plan.our_tree };
        let at_hand = Unpublished::root(tree, &root);
        self.check_schema(&at_hand, tree, Some(before)).await.map(|_| ())
    }
}

impl Plan {
    /// Whether doing it moves the branch.
    pub(crate) const fn writes(&self) -> bool {
        matches!(self.status, MergeStatus::FastForward | MergeStatus::Merged)
    }

    pub(crate) fn report(&self, entry: Option<LogEntry>) -> MergeReport {
        MergeReport {
            status: self.status,
            ours: self.ours,
            theirs: self.theirs,
            bases: self.bases.clone(),
            commit: self.ours,
            tree: self.merged.tree,
            conflicts: self.merged.conflicts.clone(),
            merged_files: self.merged.merged_files,
            entry,
        }
    }
}

impl Bring {
    fn update(&self, repo: &Repository, target: CommitId) -> Result<RefUpdate, RepoError> {
        let mut metadata = Metadata::new();
        if self.meets_upstream {
            Upstream::write_base(&mut metadata, self.plan.theirs)?;
        }
        Ok(RefUpdate {
            book: self.head.entry.book.clone(),
            name: self.head.entry.name.clone(),
            expect: Expectation::Is(self.plan.ours),
            target: Some(target),
            actor: repo.actor.clone(),
            operation: self.operation.clone(),
            message: subject_of(&self.message),
            request_id: self.request_id.clone(),
            metadata,
            began: self.began,
        })
    }
}

/// A message that says what was merged.
fn said(request: &MergeRequest) -> String {
    match &request.from_ref {
        Some(name) => format!("Merge {name} into {}", request.into),
        None => format!("Merge {} into {}", request.from, request.into),
    }
}
