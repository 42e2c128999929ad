//! Edits that wait for their turn, a queue for each branch.
//!
//! A branch that nobody is editing is edited at once. What arrives while an edit is being written
//! waits, and is then taken together as one group (`group.rs`). An edit that was taken is finished
//! also if whoever asked for it goes away.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::group::Wish;
use super::replay::Replay;
use super::{EditReport, PathEdit, RepoError, Repository, VersionRequest};
use crate::name::{BookId, Operation, RefName};
use crate::refs::GROUP_REQUESTS;

/// The edits that one process does, grouped by branch. Clones share the queues.
#[derive(Debug, Clone, Default)]
pub struct EditQueue {
    branches: Arc<Mutex<BTreeMap<Branch, VecDeque<Job>>>>,
}

type Branch = (BookId, RefName);

/// An edit that waits.
#[derive(Debug)]
struct Job {
    repo: Repository,
    request: VersionRequest,
    operation: Operation,
    edits: Vec<PathEdit>,
    answer: oneshot::Sender<Result<EditReport, RepoError>>,
}

impl EditQueue {
    /// As [`Repository::edit`], together with what else arrives for the same branch.
    pub async fn edit(
        &self,
        repo: &Repository,
        request: VersionRequest,
        operation: Operation,
        edits: Vec<PathEdit>,
    ) -> Result<EditReport, RepoError> {
        let (answer, answered) = oneshot::channel();
        let branch = (request.book.clone(), request.branch.clone());
        let job = Job { repo: repo.clone(), request, operation, edits, answer };
        let is_idle = {
            let mut branches = self.lock();
            let is_idle = !branches.contains_key(&branch);
            branches.entry(branch.clone()).or_default().push_back(job);
            is_idle
        };
        if is_idle {
            tokio::spawn(Turn { queue: self.clone(), branch, over: false }.run());
        }
        let dropped = || Err(RepoError::Internal("an edit was dropped".to_owned()));
        answered.await.unwrap_or_else(|_| dropped())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Branch, VecDeque<Job>>> {
        self.branches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Works off one branch's queue. While there is one, the branch is in the map.
struct Turn {
    queue: EditQueue,
    branch: Branch,
    /// Whether the branch was taken out of the map: it may be there again, for another turn.
    over: bool,
}

impl Turn {
    async fn run(mut self) {
        let mut replay = Replay::default();
        while let Some(jobs) = self.take() {
            done_together(jobs, &mut replay).await;
        }
    }

    /// The jobs of the next group; `None` if none are left, and the branch is idle again.
    fn take(&mut self) -> Option<Vec<Job>> {
        let mut branches = self.queue.lock();
        let waiting = branches.get_mut(&self.branch)?;
        let mut jobs: Vec<_> = waiting.pop_front().into_iter().collect();
        if jobs.iter().all(|job| Wish::can_be_grouped(&job.edits)) && !jobs.is_empty() {
            while jobs.len() < GROUP_REQUESTS
                && let Some(next) = waiting.front()
                && Wish::can_be_grouped(&next.edits)
                // The same request twice: the second waits for what became of the first.
                && jobs.iter().all(|job| job.request.request_id != next.request.request_id)
            {
                jobs.extend(waiting.pop_front());
            }
        }
        if jobs.is_empty() {
            branches.remove(&self.branch);
            self.over = true;
            return None;
        }
        Some(jobs)
    }
}

impl Drop for Turn {
    /// Also after a panic the branch can be edited again; what waited is told that it was dropped.
    fn drop(&mut self) {
        if !self.over {
            self.queue.lock().remove(&self.branch);
        }
    }
}

async fn done_together(jobs: Vec<Job>, replay: &mut Replay) {
    let Some(repo) = jobs.first().map(|job| job.repo.clone()) else {
        return;
    };
    let wishes: Vec<_> = jobs
        .iter()
        .map(|job| Wish {
            request: &job.request,
            operation: &job.operation,
            actor: &job.repo.actor,
            edits: &job.edits,
        })
        .collect();
    // Whoever asked may be gone: then nobody is told.
    match repo.edit_together(&wishes, replay).await {
        Ok(reports) => {
            for (job, report) in jobs.into_iter().zip(reports) {
                let _ = job.answer.send(report);
            }
        }
        Err(error) => {
            let error = Arc::new(error);
            for job in jobs {
                let _ = job.answer.send(Err(RepoError::Shared(error.clone())));
            }
        }
    }
}
