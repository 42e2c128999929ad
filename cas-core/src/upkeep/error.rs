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
    /// The grace period is shorter than writers may take.
    #[error("a store that others may write to needs a grace period of at least {hours} hours")]
    ShortGrace {
        /// The shortest.
        hours: u64,
    },
    /// Two collections at once.
    #[error("another collection is under way")]
    OtherCollection,
    /// Marking and listing took so long that what came meanwhile is older than a deletion heeds.
    #[error("it took more than {hours} hours to find what nothing reaches, so it is not condemned")]
    SlowList {
        /// How long it may take.
        hours: u64,
    },
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
            Self::ShortGrace { .. } => ErrorKind::Invalid,
            Self::OtherCollection => ErrorKind::Conflict,
            Self::SlowList { .. } => ErrorKind::Unavailable,
            Self::Ref(source) => source.kind(),
            Self::Access(source) => source.kind(),
        }
    }
}
