//! Why an operation could not be done.

use std::sync::Arc;

use crate::error::ErrorKind;
use crate::name::{
    BlobId, BookId, BookPath, CommitId, Hash, HashPrefix, NameError, RefName, RequestId, Revision,
};
use crate::object::{Kind, TreeError};
use crate::refs::{LogEntry, RefError};
use crate::store::StoreError;

/// A failure of an operation on a repository. Nothing was written unless the source says that it
/// is not known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepoError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A ref could not be read or moved.
    #[error(transparent)]
    Ref(#[from] RefError),
    /// A bad name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// No book of this name.
    #[error("there is no book {book}")]
    NoBook {
        /// The book.
        book: BookId,
    },
    /// No such ref.
    #[error("there is no ref {book}@{name}")]
    NoRef {
        /// The book.
        book: BookId,
        /// The ref.
        name: RefName,
    },
    /// The ref was deleted.
    #[error("{book}@{name} is deleted")]
    Deleted {
        /// The book.
        book: BookId,
        /// The ref.
        name: RefName,
    },
    /// The ref was deleted for good.
    #[error("{book}@{name} is forgotten, so that it cannot be brought back")]
    Forgotten {
        /// The book.
        book: BookId,
        /// The ref.
        name: RefName,
    },
    /// The ref is there although it should not be.
    #[error("{book}@{name} exists already, at commit {commit}")]
    RefExists {
        /// The book.
        book: BookId,
        /// The ref.
        name: RefName,
        /// Where it points.
        commit: CommitId,
    },
    /// The ref is no branch, or no tag.
    #[error("{book}@{name}: {rule}")]
    WrongRef {
        /// The book.
        book: BookId,
        /// The ref.
        name: RefName,
        /// What is wanted.
        rule: &'static str,
    },
    /// The branch follows nothing.
    #[error("{book}@{name} has no upstream")]
    NoUpstream {
        /// The book.
        book: BookId,
        /// The branch.
        name: RefName,
    },
    /// The path is not of the kind that is wanted.
    #[error("{path}: {rule}", path = if path.is_root() { "the root" } else { path.as_str() })]
    NotAPath {
        /// The path.
        path: BookPath,
        /// What is wanted.
        rule: &'static str,
    },
    /// Two histories without a common commit.
    #[error(
        "commits {ours} and {theirs} have no history in common, so there is nothing to merge by"
    )]
    Unrelated {
        /// The one.
        ours: CommitId,
        /// The other.
        theirs: CommitId,
    },
    /// A branch cannot follow what it is to follow.
    #[error("{rule}")]
    Upstream {
        /// Why.
        rule: String,
    },
    /// Another writer moved the ref meanwhile.
    #[error("{book}@{name} moved meanwhile: it is now at {}", shown(current.as_ref()))]
    RefMoved {
        /// The book.
        book: BookId,
        /// The ref.
        name: RefName,
        /// Where it points now.
        current: Option<CommitId>,
    },
    /// The request id belongs to another change, which was made before.
    #[error("request {request_id} was another change, made as entry {seq} of {book}@{name}")]
    RequestUsed {
        /// The book.
        book: BookId,
        /// The ref.
        name: RefName,
        /// The position of the entry that it made.
        seq: u64,
        /// The request.
        request_id: RequestId,
    },
    /// No object has an id that begins so.
    #[error("no {what} has an id beginning with {prefix}")]
    NoObject {
        /// What was looked for.
        what: &'static str,
        /// The digits.
        prefix: HashPrefix,
    },
    /// Several objects have ids that begin so.
    #[error("{prefix} is ambiguous: {}", list(candidates))]
    Ambiguous {
        /// The digits.
        prefix: HashPrefix,
        /// What they may mean.
        candidates: Vec<(Kind, Hash)>,
    },
    /// The log has no such position.
    #[error("the log of {book}@{name} has no entry {seq}; it has {entries}")]
    NoLogEntry {
        /// The book.
        book: BookId,
        /// The ref.
        name: RefName,
        /// The position.
        seq: u64,
        /// How many there are.
        entries: u64,
    },
    /// The history is shorter.
    #[error("{revision} goes back beyond the first commit, which is {depth} back")]
    TooFarBack {
        /// The revision.
        revision: Revision,
        /// How far back the first commit is.
        depth: u64,
    },
    /// Nothing at this path.
    #[error("there is no {path} in this version")]
    NoPath {
        /// The path.
        path: BookPath,
    },
    /// A folder is needed, a file is there.
    #[error("{path} is a file; a folder is needed here")]
    NotAFolder {
        /// The path.
        path: BookPath,
    },
    /// A file is needed, a folder is there.
    #[error("{path} is a folder; a file is needed here")]
    IsAFolder {
        /// The path.
        path: BookPath,
    },
    /// A folder was to be removed as if it were a file.
    #[error("{path} is a folder")]
    RemoveFolder {
        /// The path.
        path: BookPath,
    },
    /// Something is there already.
    #[error("{path} exists already{}", current.map(|id| format!(", with id {id}")).unwrap_or_default())]
    Exists {
        /// The path.
        path: BookPath,
        /// The file's id; none for a folder.
        current: Option<BlobId>,
    },
    /// Not what the caller saw.
    #[error("{path} is not {expected}: it is {}", shown(current.as_ref()))]
    NotAsExpected {
        /// The path.
        path: BookPath,
        /// What the caller saw.
        expected: HashPrefix,
        /// What is there now.
        current: Option<BlobId>,
    },
    /// An existing file was to be overwritten blindly.
    #[error("{path} exists, with id {current}; say what you expect to be there")]
    PreconditionRequired {
        /// The path.
        path: BookPath,
        /// What is there now.
        current: BlobId,
    },
    /// A folder was to be moved into itself.
    #[error("cannot move {from} into itself, to {to}")]
    MoveIntoItself {
        /// The folder.
        from: BookPath,
        /// Where to.
        to: BookPath,
    },
    /// A directory that no book can hold.
    #[error("folder {:?} cannot be written", path.as_str())]
    Tree {
        /// The directory.
        path: BookPath,
        /// The rule.
        source: TreeError,
    },
    /// A version that cannot be laid out on a disk.
    #[error("this version breaks {} rule(s):{}", faults.len(), lines(faults))]
    BadTree {
        /// Every fault.
        faults: Vec<super::PathFault>,
    },
    /// A version that breaks the rules of its own `book.toml`.
    #[error("this version breaks {} rule(s) of its book:{}", violations.len(), lines(violations))]
    Schema {
        /// Every rule that it breaks, with the path.
        violations: Vec<crate::schema::Violation>,
    },
    /// More files than may be looked at in one go.
    #[error("there are {files} files; {most} are the most that are looked at in one go")]
    TooManyFiles {
        /// How many there are.
        files: u64,
        /// How many there may be.
        most: u64,
    },
    /// Content could not be read.
    #[error("cannot read {what}")]
    Content {
        /// What it is.
        what: String,
        /// Why.
        source: std::io::Error,
    },
    /// A pattern that is not one.
    #[error("bad pattern {pattern:?}: {reason}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// Why.
        reason: String,
    },
    /// An error that several requests met together.
    #[error(transparent)]
    Shared(#[from] Arc<RepoError>),
    /// A task ended abnormally.
    #[error("internal error: {0}")]
    Internal(String),
}

impl RepoError {
    /// The error for a request whose id made `entry`, which is not what it asks for.
    pub(crate) fn request_used(entry: &LogEntry, request: &RequestId) -> Self {
        Self::RequestUsed {
            book: entry.entry.book.clone(),
            name: entry.entry.name.clone(),
            seq: entry.entry.seq,
            request_id: request.clone(),
        }
    }

    /// What the caller should do.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Store(source) => source.kind(),
            Self::Ref(source) => source.kind(),
            Self::Name(source) => source.kind(),
            Self::Shared(source) => source.kind(),
            Self::NoBook { .. }
            | Self::NoRef { .. }
            | Self::Deleted { .. }
            | Self::Forgotten { .. }
            | Self::NoObject { .. }
            | Self::NoLogEntry { .. }
            | Self::TooFarBack { .. }
            | Self::NoPath { .. } => ErrorKind::NotFound,
            Self::RefExists { .. }
            | Self::RefMoved { .. }
            | Self::RequestUsed { .. }
            | Self::Exists { .. }
            | Self::NotAsExpected { .. }
            | Self::Unrelated { .. }
            | Self::NoUpstream { .. }
            | Self::PreconditionRequired { .. } => ErrorKind::Conflict,
            Self::WrongRef { .. }
            | Self::NotAPath { .. }
            | Self::Upstream { .. }
            | Self::Ambiguous { .. }
            | Self::NotAFolder { .. }
            | Self::IsAFolder { .. }
            | Self::RemoveFolder { .. }
            | Self::MoveIntoItself { .. }
            | Self::Tree { .. }
            | Self::BadTree { .. }
            | Self::Schema { .. }
            | Self::TooManyFiles { .. }
            | Self::Pattern { .. } => ErrorKind::Invalid,
            Self::Content { source, .. } => source.into(),
            Self::Internal(_) => ErrorKind::Internal,
        }
    }
}

fn shown<T: ToString>(id: Option<&T>) -> String {
    id.map_or_else(|| "nothing".to_owned(), T::to_string)
}

fn list(candidates: &[(Kind, Hash)]) -> String {
    let shown: Vec<_> = candidates.iter().map(|(kind, id)| format!("{kind} {id}")).collect();
    shown.join(", ")
}

/// One line for each fault, and how many more there are.
pub(crate) fn lines<T: std::fmt::Display>(faults: &[T]) -> String {
    const SHOWN: usize = 50;
    let mut text: String = faults.iter().take(SHOWN).map(|fault| format!("\n  {fault}")).collect();
    if faults.len() > SHOWN {
        text.push_str(&format!("\n  and {} more", faults.len() - SHOWN));
    }
    text
}
