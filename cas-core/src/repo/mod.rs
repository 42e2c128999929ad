//! What users do with a store: one file for each group of operations.
//!
//! A [`Repository`] is a store, a clock and an actor. Every write follows one order: blobs,
//! trees, commit, publish, ref entry; and every write to a branch checks what it believed to be
//! there, so that no change is lost.

mod archive;
mod audit;
mod book;
mod branch;
mod content;
mod create;
mod diff;
mod edit;
mod edited;
mod editor;
mod error;
mod fetch;
mod follow;
mod forget;
mod globs;
mod group;
mod history;
mod live;
mod log_page;
mod merge;
mod merging;
mod open;
mod parallel;
mod personal;
mod queue;
mod read;
mod receive;
mod replay;
mod resolve;
mod restore;
mod schema;
mod search;
mod sources;
mod standing;
mod sync;
mod version;
mod walk;

pub use archive::{ARCHIVE_VERSION, Archive, ArchiveFormat, ArchiveRequest, Pieces};
pub use audit::{Audit, AuditCursor, AuditFilter, AuditItem, AuditPage, PathChange, PathState};
pub use branch::{BookSummary, Deletion, RefRequest, RefSummary};
pub use content::{Content, ContentWriter};
pub use create::{BRANCHES_AT_ONCE, BranchMade, BranchStart, UpstreamChoice};
pub use diff::{Change, ChangeStatus, Side};
pub use edit::{Edit, EditOutcome, EditReport, EditResult, PathEdit, Precondition};
pub use edited::EditedPaths;
pub use error::RepoError;
pub use fetch::{FetchRequest, OutgoingStream};
pub use follow::Following;
pub use globs::Globs;
pub use history::LogItem;
pub use log_page::{LogFilter, LogPage};
pub use merge::{
    Conflict, ConflictKind, MergeMemo, Merged, NewObject, OnConflict, SIMILAR_PERCENT,
};
pub use merging::{MergeReport, MergeRequest, MergeStatus};
pub use open::{Reading, Sides, Source};
pub use queue::EditQueue;
pub use read::{Found, ListItem};
pub use receive::{ReceiveError, Receiver};
pub use resolve::{FoundObject, Resolved};
pub use search::{
    LineMatch, LinePattern, PatternOptions, SearchReport, SearchRequest, Skipped, TEXT_BYTES,
};
pub use sources::Place;
pub use standing::{Follower, Standing};
pub use sync::{PathConflicts, RefFilter, SyncItem, SyncReport, SyncRequest, SyncStatus};
pub use version::VersionRequest;
pub use walk::{FILES_AT_ONCE, Leaf, Listing, PathFault, one_line};

pub(crate) use error::lines;
pub(crate) use parallel::for_each;
pub(crate) use schema::Unpublished;
pub(crate) use version::{Made, NewVersion};
pub(crate) use walk::KnownTrees;

use std::sync::Arc;

use crate::env::Env;
use crate::name::Actor;
use crate::store::Store;

/// A store, seen by one actor.
#[derive(Debug, Clone)]
pub struct Repository {
    pub(crate) store: Store,
    pub(crate) env: Env,
    pub(crate) actor: Actor,
    pub(crate) jobs: usize,
    merges: Arc<MergeMemo>,
}

impl Repository {
    /// The repository in `store`; whatever is written is written in `actor`'s name.
    ///
    /// `jobs` is how many objects are moved at once, at least 1.
    pub fn new(store: Store, env: Env, actor: Actor, jobs: usize) -> Self {
        Self { store, env, actor, jobs: jobs.max(1), merges: Arc::default() }
    }

    /// The same repository with what merges remember, so that others can share it.
    #[must_use]
    pub fn with_merges(self, merges: Arc<MergeMemo>) -> Self {
        Self { merges, ..self }
    }

    /// The store below.
    pub const fn store(&self) -> &Store {
        &self.store
    }
}
