//! Versions that a deletion left without their history when it was broken off.
//!
//! Commits are deleted in the order of their ids, so a deletion that ends half-way may have taken a
//! commit and left another that has it in its history. The run that finishes it may keep more log
//! entries. They keep no such version: it would be there by half, and a ref could be moved to it
//! when no list warns of it any more.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Upkeep, UpkeepError};
use super::delete::id_of;
use crate::name::{CommitId, Hash};
use crate::object::Kind;
use crate::repo::for_each;
use crate::store::StoreError;
use crate::store::gc::{CondemnedList, ListState, read_part};

impl Upkeep {
    /// The commits of a list that are there and have one of the list in their history that is gone:
    /// none, unless it is being deleted.
    ///
    /// Holds in memory the ids of the list's commits and, of those that are there, of their
    /// parents.
    pub(in crate::upkeep) async fn severed(
        &self,
        list: Option<&CondemnedList>,
    ) -> Result<BTreeSet<Hash>, UpkeepError> {
        let Some(list) = list.filter(|list| list.state == ListState::Deleting) else {
            return Ok(BTreeSet::new());
        };
        let mut gone = Vec::new();
        let mut children = BTreeMap::<Hash, Vec<Hash>>::new();
        for part in &list.parts {
            let records = read_part(&self.bucket, list, part.shard).await?;
            let ids = records.iter().filter_map(|found| id_of(Kind::Commit, found)).collect();
            let this = self.clone();
            let read = for_each(ids, self.jobs, move |id| {
                let this = this.clone();
                async move { this.parents(id).await }
            });
            for (id, parents) in read.await? {
                match parents {
                    None => gone.push(id),
                    Some(parents) => {
                        for parent in parents {
                            children.entry(*parent.hash()).or_default().push(id);
                        }
                    }
                }
            }
        }
        let mut severed = BTreeSet::new();
        while let Some(id) = gone.pop() {
            for child in children.remove(&id).unwrap_or_default() {
                if severed.insert(child) {
                    gone.push(child);
                }
            }
        }
        Ok(severed)
    }

    /// The parents of a commit, `None` if it is gone. One that is damaged has none: whatever needs
    /// it fails, and nothing condemned does.
    async fn parents(&self, id: Hash) -> Result<(Hash, Option<Vec<CommitId>>), StoreError> {
        match self.store.get_commit(&CommitId(id)).await {
            Ok(commit) => Ok((id, Some(commit.parents))),
            Err(StoreError::Missing { .. }) => Ok((id, None)),
            Err(error) if error.is_of_object() => Ok((id, Some(Vec::new()))),
            Err(error) => Err(error),
        }
    }
}
