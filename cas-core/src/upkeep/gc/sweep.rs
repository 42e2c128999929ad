//! Both runs in one, for a store that nobody else uses meanwhile.

use super::super::UpkeepError;
use super::Run;
use crate::env::Timestamp;
use crate::store::gc::{CondemnedList, GcEvent, ListState};

impl Run<'_> {
    /// Deletes everything that nothing reaches and is old enough, at once, and closes all lists.
    ///
    /// It goes by a list of its own: whatever ends it, that says what is missing because it was
    /// deleted, and warns of versions that are left by half until a later run has finished.
    pub(super) async fn sweep(&mut self) -> Result<(), UpkeepError> {
        let over = self.open().to_vec();
        let parts = self.write_parts().await?;
        let listed = std::mem::take(&mut self.report.condemned);
        if self.request.dry_run {
            self.report.deleted = listed;
            return Ok(());
        }
        if parts.is_empty() && over.is_empty() {
            return Ok(());
        }
        self.report.retired = over.len() as u64;
        if !parts.is_empty() {
            // What was on other lists and nothing reaches is on this one.
            let (event, state) = (GcEvent::Deleting, ListState::Deleting);
            let list = self.publish(event, state, parts, listed.bytes, Vec::new()).await?;
            self.remove_parts(&over).await?;
            // Nobody puts anything again: nobody else is there.
            self.delete_listed(&list, Timestamp::from_micros(u64::MAX)).await?;
        }
        let done = self.open().to_vec();
        let step = self.deleted(GcEvent::Swept, None);
        self.append(step, |_| Vec::new()).await?;
        self.remove_parts(&done).await
    }

    async fn remove_parts(&self, lists: &[CondemnedList]) -> Result<(), UpkeepError> {
        for list in lists {
            self.upkeep.remove_parts(list).await?;
        }
        Ok(())
    }
}
