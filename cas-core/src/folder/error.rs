//! Why an import or checkout could not be done.

use std::fmt;
use std::path::PathBuf;

use crate::error::ErrorKind;
use crate::name::BookPath;
use crate::repo::{PathFault, RepoError, lines, one_line};
use crate::store::StoreError;

/// A failure of an operation on a folder.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// The repository failed.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The folder itself cannot be used.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// What is in the folder cannot become a version. Nothing was written.
    #[error("{} cannot be imported, because of {}:{}", path.display(), count(faults.len()), lines(faults))]
    CannotImport {
        /// The folder.
        path: PathBuf,
        /// Every fault.
        faults: Vec<PathFault>,
    },
    /// A version cannot be laid out in a folder. Nothing was written.
    #[error("this version cannot be checked out, because of {}:{}", count(faults.len()), lines(faults))]
    CannotCheckOut {
        /// Every fault.
        faults: Vec<PathFault>,
    },
    /// Files of the folder cannot be links to the store's objects.
    #[error("cannot link the files of {} to the store: {reason}", path.display())]
    CannotLink {
        /// The folder.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A file changed while it was being read.
    #[error("{} changed while it was being imported", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// An empty folder would empty the branch.
    #[error("{} has no files, but the branch has {files} file{}", path.display(), if *files == 1 { "" } else { "s" })]
    WouldEmpty {
        /// The folder.
        path: PathBuf,
        /// How many files the branch has.
        files: u64,
    },
    /// Files that this program did not write stand in the way. Nothing was written.
    #[error("{} in the way:{}", count(files.len()), lines(files))]
    InTheWay {
        /// Every file.
        files: Vec<InTheWay>,
    },
    /// The content of one file cannot be had. What was written before stays, and the next
    /// checkout goes on from there.
    #[error("cannot check out {path}")]
    Content {
        /// The file.
        path: BookPath,
        /// Why.
        source: StoreError,
    },
    /// The folder is no checkout.
    #[error("{} is not a checkout: it has no index that can be read", path.display())]
    NotACheckout {
        /// The folder.
        path: PathBuf,
    },
    /// The folder's first checkout was never finished, so there is nothing to compare it with.
    #[error("the first checkout into {} was interrupted", path.display())]
    Unfinished {
        /// The folder.
        path: PathBuf,
    },
}

/// A file that is not this program's to overwrite or delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InTheWay {
    /// Its path in the folder.
    pub path: String,
    /// Why it stays.
    pub reason: &'static str,
}

impl fmt::Display for InTheWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", one_line(&self.path), self.reason)
    }
}

impl FolderError {
    /// What the caller should do.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Repo(source) => source.kind(),
            Self::Store(source) | Self::Content { source, .. } => source.kind(),
            Self::Io { source, .. } => source.into(),
            Self::CannotImport { .. }
            | Self::CannotCheckOut { .. }
            | Self::CannotLink { .. }
            | Self::WouldEmpty { .. } => ErrorKind::Invalid,
            Self::Changed { .. } | Self::InTheWay { .. } => ErrorKind::Conflict,
            Self::NotACheckout { .. } | Self::Unfinished { .. } => ErrorKind::NotFound,
        }
    }
}

fn count(n: usize) -> String {
    if n == 1 { "1 path".to_owned() } else { format!("{n} paths") }
}
