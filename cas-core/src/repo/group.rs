//! Edits that arrive together become few ref entries.
//!
//! Writing a ref entry costs a sync on a disk and a request to a bucket, and the entries of one ref
//! can only be written one after the other. So edits of one branch that wait for their turn at the
//! same time are taken together: each is applied to what the one before it left and becomes a
//! commit of its own, in its author's name and with its message; all are published at once; and
//! one entry moves the branch to the last of them and names every request with its actor,
//! operation and commit (`refs/group.rs`).
//!
//! Each is answered for itself: one whose preconditions do not hold is refused without disturbing
//! the others. Nobody is answered before the branch has moved, because what an edit found may have
//! been left by another one of the group.
//!
//! A personal branch that is not there is made by the first edit that changes something: the chain
//! begins at its upstream's newest version, and the one entry that makes the branch says what it
//! follows (`personal.rs`).

use std::collections::BTreeMap;

use bytes::Bytes;

use super::edit::put_contents;
use super::editor::TreeEditor;
use super::personal::StandIn;
use super::replay::Replay;
use super::{
    Edit, EditOutcome, EditReport, EditResult, PathEdit, RepoError, Repository, Unpublished,
    VersionRequest,
};
use crate::env::Timestamp;
use crate::error::ErrorKind;
use crate::name::{Actor, BlobId, CommitId, Operation, TreeId};
use crate::object::{Commit, Metadata};
use crate::refs::{
    Expectation, RefError, RefUpdate, Request, UpdateOutcome, Upstream, group_metadata, subject_of,
};
use crate::schema::BOOK_FILE_BYTES;
use crate::store::Session;

/// How often edits are applied again on a branch that keeps moving.
const ATTEMPTS: u32 = 1_000;

/// Edits that are to become one commit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish<'a> {
    pub(super) request: &'a VersionRequest,
    pub(super) operation: &'a Operation,
    pub(super) actor: &'a Actor,
    pub(super) edits: &'a [PathEdit],
}

impl Wish<'_> {
    /// Whether it may be one of several. Moving a folder looks at trees below it, which are not
    /// there yet if an edit of the same group made them.
    pub(super) fn can_be_grouped(edits: &[PathEdit]) -> bool {
        !edits.iter().any(|edit| matches!(edit.edit, Edit::Move { .. }))
    }
}

/// A branch while a group of edits is applied to it.
struct Chain<'a> {
    editor: TreeEditor<'a>,
    commit: CommitId,
    tree: TreeId,
    /// The small contents put so far, which are not published yet.
    contents: BTreeMap<BlobId, Bytes>,
    /// The requests that made a commit each.
    requests: Vec<Request>,
    /// What the branch follows, if the chain begins it: it is not there yet.
    forks: Option<Upstream>,
    /// When it began.
    began: Timestamp,
}

impl Repository {
    /// Does `wishes`, all for the same branch, in order, as far as each can be done; the answers
    /// are in the same order. At most [`GROUP_REQUESTS`](crate::refs::GROUP_REQUESTS) of them.
    ///
    /// An error is one of the store: then none was done, or it is not known.
    pub(super) async fn edit_together(
        &self,
        wishes: &[Wish<'_>],
        replay: &mut Replay,
    ) -> Result<Vec<Result<EditReport, RepoError>>, RepoError> {
        let Some(Wish { request: VersionRequest { book, branch, .. }, .. }) = wishes.last() else {
            return Ok(Vec::new());
        };
        Self::check_branch(book, branch)?;
        let session = self.store.session().await?;
        let mut contents_put = vec![false; wishes.len()];
        for attempt in 0..ATTEMPTS {
            let head = self.store.refs().head(book, branch).await?;
            let target = head.as_ref().and_then(|head| head.entry.target);
            let mut chain = match (target, &head) {
                (Some(commit), _) => {
                    let tree = self.store.get_commit(&commit).await?.tree;
                    Some(self.chain(commit, tree, None).await?)
                }
                (None, head) => match (self.stand_in(book, branch).await?, head) {
                    (Some(StandIn { upstream, commit }), _) => {
                        Some(self.chain(upstream.base, commit.tree, Some(upstream)).await?)
                    }
                    (None, None) => return Err(self.no_ref(book, branch).await?),
                    // What was done before it was deleted is still answered.
                    (None, Some(_)) => None,
                },
            };
            let mut answers = Vec::with_capacity(wishes.len());
            for (wish, put) in wishes.iter().zip(&mut contents_put) {
                let request = &wish.request.request_id;
                let earlier = match &head {
                    Some(head) => replay.find(&self.store, head, request).await?,
                    None => None,
                };
                let answer = match (earlier, &mut chain) {
                    // Done before, wherever the branch is by now, and be it deleted.
                    (Some(entry), _) => self.report_again(&entry, request, wish.edits).await,
                    (None, Some(chain)) => self.extend(&session, chain, wish, put).await,
                    (None, None) => {
                        Err(RepoError::Deleted { book: book.clone(), name: branch.clone() })
                    }
                };
                match answer {
                    Err(error) if !is_about_the_request(&error) => return Err(error),
                    answer => answers.push(answer),
                }
            }
            let made = chain.filter(|chain| !chain.requests.is_empty());
            let done = match &made {
                None => true,
                Some(chain) => self.move_along(&session, wishes, target, chain).await?,
            };
            if done {
                return Ok(answers);
            }
            tokio::time::sleep(self.env.backoff(attempt)).await;
        }
        Err(RefError::Contended { book: book.clone(), name: branch.clone(), attempts: ATTEMPTS }
            .into())
    }

    /// A chain that begins at `commit`, which has this tree.
    async fn chain(
        &self,
        commit: CommitId,
        tree: TreeId,
        forks: Option<Upstream>,
    ) -> Result<Chain<'_>, RepoError> {
        let began = self.env.clock.now();
        let editor = TreeEditor::new(&self.store, tree).await?;
        Ok(Chain {
            editor,
            commit,
            tree,
            contents: BTreeMap::new(),
            requests: Vec::new(),
            forks,
            began,
        })
    }

    /// Applies one wish to the end of the chain, if it can be done.
    async fn extend(
        &self,
        session: &Session,
        chain: &mut Chain<'_>,
        wish: &Wish<'_>,
        contents_put: &mut bool,
    ) -> Result<EditReport, RepoError> {
        let mut editor = chain.editor.clone();
        let results = self.apply_all(&mut editor, wish.edits).await?;
        // Contents first: a tree never names what is not there.
        let changed = |result: &EditResult| result.outcome != EditOutcome::Unchanged;
        if !*contents_put && results.iter().any(changed) {
            put_contents(session, wish.edits).await?;
            *contents_put = true;
        }
        let tree = editor.write(Some(session)).await?;
        if tree == chain.tree {
            let (commit, warnings) = (chain.commit, Vec::new());
            return Ok(EditReport {
                commit,
                tree,
                changed: false,
                forked: false,
                results,
                warnings,
            });
        }
        let mut contents = chain.contents.clone();
        contents.extend(small_contents(wish.edits));
        let unpublished = Unpublished { trees: editor.written(), contents };
        let warnings = self.check_schema(&unpublished, tree, Some(chain.tree)).await?;
        chain.contents = unpublished.contents;
        let commit = Commit {
            tree,
            parents: vec![chain.commit],
            author: wish.actor.clone(),
            committed_at: self.env.clock.now(),
            message: wish.request.message.clone(),
            metadata: Metadata::new(),
        };
        self.store.refs().will_update();
        let commit = session.put_commit(&commit).await?;
        chain.requests.push(Request {
            request_id: wish.request.request_id.clone(),
            operation: wish.operation.clone(),
            actor: wish.actor.clone(),
            commit: Some(commit),
        });
        (chain.editor, chain.commit, chain.tree) = (editor, commit, tree);
        let forked = chain.forks.is_some();
        Ok(EditReport { commit, tree, changed: true, forked, results, warnings })
    }

    /// Moves the branch to the end of the chain, if it still is where it was. Says whether it did.
    async fn move_along(
        &self,
        session: &Session,
        wishes: &[Wish<'_>],
        target: Option<CommitId>,
        chain: &Chain<'_>,
    ) -> Result<bool, RepoError> {
        let Some(last) = chain.requests.last() else {
            return Ok(true);
        };
        session.publish().await?;
        // The wish's own request, which knows whether it is fresh.
        let made_last = wishes.iter().rfind(|wish| wish.request.request_id == last.request_id);
        let Some(Wish { request, .. }) = made_last else {
            return Err(RepoError::Internal("an edit is nobody's".to_owned()));
        };
        let mut metadata = group_metadata(&chain.requests)?;
        if let Some(upstream) = &chain.forks {
            upstream.write(&mut metadata)?;
        }
        let update = RefUpdate {
            book: request.book.clone(),
            name: request.branch.clone(),
            expect: Expectation::from_target(target),
            target: last.commit,
            actor: last.actor.clone(),
            operation: last.operation.clone(),
            message: subject_of(&request.message),
            request_id: request.request_id.clone(),
            metadata,
            began: chain.began,
        };
        // An entry with another target is an earlier try's, found in the log the next time.
        Ok(match self.store.refs().update(&update).await? {
            UpdateOutcome::Moved(entry) => entry.entry.target == last.commit,
            UpdateOutcome::Refused(_) => false,
        })
    }
}

/// What edits put, as far as it may be a `book.toml`.
fn small_contents(edits: &[PathEdit]) -> impl Iterator<Item = (BlobId, Bytes)> {
    edits.iter().filter_map(|edit| match &edit.edit {
        Edit::Put(content) if content.size() <= BOOK_FILE_BYTES => {
            Some((content.id(), content.in_memory()?.clone()))
        }
        _ => None,
    })
}

/// Whether an error says that a request cannot be done, rather than that the store failed.
pub(super) fn is_about_the_request(error: &RepoError) -> bool {
    matches!(error.kind(), ErrorKind::Conflict | ErrorKind::NotFound | ErrorKind::Invalid)
}
