//! Why care for a store could not be finished.

use crate::access::AccessError;
use crate::error::ErrorKind;
use crate::refs::RefError;
use crate::store::StoreError;

/// A failure that ended the work. What is wrong with what is stored is no such error but in the
/// report.
#[derive(Debug, thiserror::Error)]
pub enum UpkeepError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A ref could not be read.
    #[error(transparent)]
    Ref(#[from] RefError),
    /// The tokens could not be read.
    #[error(transparent)]
    Access(#[from] AccessError),
}

impl UpkeepError {
    /// What the caller should do.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Store(source) => source.kind(),
            Self::Ref(source) => source.kind(),
            Self::Access(source) => source.kind(),
        }
    }
}
