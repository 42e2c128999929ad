//! Refs that moved so late that what they name may have been deleted.
//!
//! A process can be paused between its last look at the clock and the write that moves the ref.

use super::again::gone;
use super::guard::{Guard, Waiting, Walk};
use crate::name::{CommitId, Operation};
use crate::object::{Kind, Metadata};
use crate::refs::{Expectation, LogEntry, RefEntry, RefError, RefUpdate, UpdateOutcome, Upstream};
use crate::store::{Refs, StoreError};

/// Why a ref went back.
const TAKEN_BACK: &str = "taken back: the move came too late, and what it names was collected";

impl Guard {
    /// Makes sure that a ref that moved late names what is there. Takes it back where it was if not,
    /// unless somebody has moved it since, and says so: only whoever made the version has what is
    /// missing.
    pub(super) async fn check_late(
        &self,
        update: &RefUpdate,
        outcome: &UpdateOutcome,
    ) -> Result<(), RefError> {
        let UpdateOutcome::Moved(entry) = outcome else {
            return Ok(());
        };
        let Some(target) = entry.entry.target else {
            return Ok(());
        };
        if self.check_duration(update).is_ok() {
            return Ok(());
        }
        match self.keep_whole(target, Upstream::base_of(&update.metadata)).await {
            Err(StoreError::Collected { kind, id }) => {
                self.take_back(update, entry, target).await?;
                Err(StoreError::TakenBack { kind, id }.into())
            }
            looked => Ok(looked?),
        }
    }

    /// Makes sure that what these commits reach is there, and not just being deleted by a run that
    /// looked where refs are before this one moved. Fails if it is gone.
    async fn keep_whole(&self, target: CommitId, also: Option<CommitId>) -> Result<(), StoreError> {
        self.secure(target, None, also).await?;
        let mut walk = Walk::default();
        for commit in [Some(target), also].into_iter().flatten() {
            walk.push(Kind::Commit, *commit.hash(), None, true);
        }
        while let Some(next) = walk.waiting.pop() {
            let Waiting { kind, id, .. } = next;
            if !walk.seen.insert((kind, id)) {
                continue;
            }
            match kind {
                Kind::Blob => self.objects.must_be_there(kind, id).await?,
                Kind::Tree => self.look_into(&mut walk, next, true).await?,
                Kind::Commit => {
                    let commit =
                        self.objects.store.get_commit(&CommitId(id)).await.map_err(gone)?;
                    for parent in &commit.parents {
                        walk.push(Kind::Commit, *parent.hash(), None, true);
                    }
                    walk.push(Kind::Tree, *commit.tree.hash(), None, true);
                }
            }
        }
        Ok(())
    }

    /// Moves a ref from where `entry` moved it to where it was before.
    async fn take_back(
        &self,
        update: &RefUpdate,
        entry: &LogEntry,
        target: CommitId,
    ) -> Result<(), RefError> {
        let RefEntry { book, name, seq, .. } = &entry.entry;
        let before = match seq - 1 {
            0 => None,
            before => self.inner.entry(book, name, before).await?,
        };
        let back = before.as_ref().and_then(|before| before.entry.target);
        let mut metadata = Metadata::new();
        let written = match before.and_then(|before| before.entry.upstream()) {
            Some(upstream) => upstream.write(&mut metadata),
            None => Upstream::write_none(&mut metadata),
        };
        written?;
        let back = RefUpdate {
            expect: Expectation::Is(target),
            target: back,
            operation: if back.is_some() { Operation::reset() } else { Operation::delete() },
            message: TAKEN_BACK.to_owned(),
            request_id: self.objects.env.request_id(),
            metadata,
            began: self.objects.env.clock.now(),
            ..update.clone()
        };
        self.inner.update(&back).await.map(|_| ())
    }
}
