//! Making branches: where they begin, and what they follow.
//!
//! A branch is one log entry; nothing is copied. Where branches begin is found and checked once
//! ([`BranchStart`]), for one of them or for many.

use super::{RefRequest, RepoError, Repository};
use crate::env::Timestamp;
use crate::name::{BookId, CommitId, Operation, RefName, RequestId, Revision};
use crate::object::Metadata;
use crate::refs::{Expectation, Follow, LogEntry, RefUpdate, UpdateOutcome, Upstream, subject_of};
use crate::schema::BookFile;

/// How many branches are made together: their entries are in memory at once.
pub const BRANCHES_AT_ONCE: usize = 1_024;

/// What a new branch is to follow.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum UpstreamChoice {
    /// The branch that it begins at the newest version of; nothing if it begins elsewhere.
    #[default]
    Default,
    /// Nothing.
    None,
    /// This branch of the same book.
    Named(RefName),
}

/// Where branches begin: a version that keeps the rules of its book, and what they follow.
#[derive(Debug, Clone)]
pub struct BranchStart {
    book: BookId,
    commit: CommitId,
    /// The upstream and the commit of it where they begin.
    upstream: Option<(RefName, CommitId)>,
    /// How they follow it; none if the book's rules say it for each name.
    follow: Option<Follow>,
    rules: Option<BookFile>,
    /// When it was begun to look where that is.
    began: Timestamp,
}

/// What became of one of many branches that were to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BranchMade {
    /// It was made, by this entry.
    Created(LogEntry),
    /// It is there, as if it had been made so: it points at the same commit, or follows the same
    /// upstream. This is its newest entry.
    Existing(LogEntry),
    /// Another branch has the name; this is its newest entry.
    InTheWay(LogEntry),
}

impl BranchMade {
    /// `created`, `existing` or `in the way`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Created(_) => "created",
            Self::Existing(_) => "existing",
            Self::InTheWay(_) => "in the way",
        }
    }

    /// The entry that made the branch, or the newest of one that is there.
    pub const fn head(&self) -> &LogEntry {
        match self {
            Self::Created(head) | Self::Existing(head) | Self::InTheWay(head) => head,
        }
    }
}

impl BranchStart {
    /// The commit at which branches begin.
    pub const fn commit(&self) -> CommitId {
        self.commit
    }

    /// What the branch `name` is to follow. Where nobody said how, the book's rule for the name
    /// does; without one the branch stays where it begins.
    pub fn upstream_of(&self, name: &RefName) -> Option<Upstream> {
        let (upstream, base) = self.upstream.clone().filter(|(upstream, _)| upstream != name)?;
        let rule = || Some(self.rules.as_ref()?.personal_for(name)?.follow());
        let follow = self.follow.or_else(rule).unwrap_or_default();
        Some(Upstream { name: upstream, follow, base })
    }

    fn metadata_of(&self, name: &RefName) -> Result<Metadata, RepoError> {
        let mut metadata = Metadata::new();
        match self.upstream_of(name) {
            Some(upstream) => upstream.write(&mut metadata)?,
            // A deleted branch of the same name may have followed something.
            None => Upstream::write_none(&mut metadata)?,
        }
        Ok(metadata)
    }

    /// What became of a branch, by what was answered to the update that was to make it.
    fn answer(&self, update: &RefUpdate, answer: UpdateOutcome) -> Result<BranchMade, RepoError> {
        let RefUpdate { book, name, request_id, .. } = update;
        Ok(match answer {
            UpdateOutcome::Moved(entry) if self.made(&entry) => BranchMade::Created(entry),
            UpdateOutcome::Moved(entry) => return Err(RepoError::request_used(&entry, request_id)),
            UpdateOutcome::Refused(Some(head)) if self.is_like(&head) => BranchMade::Existing(head),
            UpdateOutcome::Refused(Some(head)) => BranchMade::InTheWay(head),
            UpdateOutcome::Refused(None) => {
                let (book, name) = (book.clone(), name.clone());
                return Err(RepoError::RefMoved { book, name, current: None });
            }
        })
    }

    /// Whether an entry made a branch here, now or by an earlier try.
    fn made(&self, entry: &LogEntry) -> bool {
        entry.entry.operation == Operation::create() && self.is_like(entry)
    }

    /// Whether a branch that is there is as if it had been made here.
    fn is_like(&self, head: &LogEntry) -> bool {
        let follows = head.entry.upstream().map(|upstream| upstream.name);
        match &self.upstream {
            _ if head.entry.target == Some(self.commit) => true,
            Some((upstream, _)) => follows.as_ref() == Some(upstream),
            None => false,
        }
    }
}

impl Repository {
    /// Where branches begin that are made from `from`. The version must keep the rules of its own
    /// `book.toml`, and share some history with the upstream.
    pub async fn branch_start(
        &self,
        from: &Revision,
        upstream: &UpstreamChoice,
        follow: Option<Follow>,
    ) -> Result<BranchStart, RepoError> {
        self.store.refs().will_update();
        let began = self.env.clock.now();
        let book = from.book.clone();
        let newest = Revision::head(book.clone(), RefName::main());
        let commit = self.resolve_id(from).await?;
        let ruled = self.checked_target(&book, &RefName::main(), commit).await?;
        let upstream = match upstream {
            UpstreamChoice::None => None,
            UpstreamChoice::Named(name) => {
                let base = self.upstream_base(&book, name, commit).await?;
                Some((name.clone(), base))
            }
            UpstreamChoice::Default => {
                let begun = from.head_ref().filter(|name| !name.is_tag());
                begun.map(|name| (name.clone(), commit))
            }
        };
        if upstream.is_none() && follow.is_some() {
            let rule = format!("a branch from {from} has no upstream to follow: name one");
            return Err(RepoError::Upstream { rule });
        }
        let rules = match (&upstream, ruled) {
            (Some(_), Some(tree)) if follow.is_none() && *from == newest => {
                self.book_file(tree).await?.and_then(Result::ok)
            }
            (Some(_), _) if follow.is_none() && *from != newest => self.newest_rules(&book).await?,
            _ => None,
        };
        Ok(BranchStart { book, commit, upstream, follow, rules, began })
    }

    /// Makes a branch of the book of `start`.
    ///
    /// A repeated request is answered with the entry that it made, also where the version to begin
    /// at moved since.
    pub async fn create_branch(
        &self,
        request: &RefRequest,
        start: &BranchStart,
    ) -> Result<LogEntry, RepoError> {
        let RefRequest { name, message, request_id, .. } = request;
        let update = self.making(name, start, message, request_id.clone())?;
        let answer = self.store.refs().update(&update).await?;
        match start.answer(&update, answer)? {
            BranchMade::Created(entry) => Ok(entry),
            BranchMade::Existing(head) | BranchMade::InTheWay(head) => {
                let (book, name, current) = (update.book, update.name, head.entry.target);
                Err(match current {
                    Some(commit) => RepoError::RefExists { book, name, commit },
                    None => RepoError::RefMoved { book, name, current },
                })
            }
        }
    }

    /// Makes branches, at most [`BRANCHES_AT_ONCE`] of them; the answers are in the same order.
    /// Those that are there already are left alone, so that what was interrupted can be repeated.
    ///
    /// With a request id, what it made is answered as made again, also where the version to begin
    /// at moved since; without one, each branch is a wish that nobody had before.
    pub async fn create_branches(
        &self,
        names: &[RefName],
        start: &BranchStart,
        message: &str,
        request_id: Option<&RequestId>,
    ) -> Result<Vec<Result<BranchMade, RepoError>>, RepoError> {
        let update = |name| {
            let request_id = request_id.cloned().unwrap_or_else(|| self.env.request_id());
            self.making(name, start, message, request_id)
        };
        let updates = names.iter().map(update).collect::<Result<Vec<_>, _>>()?;
        let answers = self.store.refs().update_all(&updates).await;
        let made = answers.into_iter().zip(&updates);
        let made = made.map(|(answer, update)| start.answer(update, answer?));
        Ok(made.collect())
    }

    /// The update that makes a branch.
    fn making(
        &self,
        name: &RefName,
        start: &BranchStart,
        message: &str,
        request_id: RequestId,
    ) -> Result<RefUpdate, RepoError> {
        Self::check_branch(&start.book, name)?;
        Ok(RefUpdate {
            book: start.book.clone(),
            name: name.clone(),
            expect: Expectation::Absent,
            target: Some(start.commit),
            actor: self.actor.clone(),
            operation: Operation::create(),
            message: subject_of(message),
            request_id,
            metadata: start.metadata_of(name)?,
            began: start.began,
        })
    }
}
