//! Doing what several tasks want done, once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

/// What was begun, by key. Whoever comes second waits for the first, and does it if that failed.
#[derive(Debug)]
pub(super) struct Once<K>(Mutex<BTreeMap<K, Arc<OnceCell<()>>>>);

impl<K> Default for Once<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Ord + Clone> Once<K> {
    /// Does `act` unless it was done for this key before; what it says, or else `false`.
    pub(super) async fn run<F, E>(&self, key: &K, act: F) -> Result<bool, E>
    where
        F: Future<Output = Result<bool, E>>,
    {
        let cell = {
            let mut begun = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            begun.entry(key.clone()).or_default().clone()
        };
        let mut new = false;
        cell.get_or_try_init(|| async {
            new = act.await?;
            Ok(())
        })
        .await?;
        Ok(new)
    }

    /// How many keys there were.
    pub(super) fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}
