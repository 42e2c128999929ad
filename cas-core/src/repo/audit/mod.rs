//! What happened to a book: every movement of its refs, or every change of one path, newest first.
//!
//! Nothing is kept for it: the logs of the refs are the record, and are read from their newest
//! entries on, merged by time. What `new` of a line is, `previous` of the next line of the same ref
//! is, because both are the same entry's target.

mod change;
mod cursor;
mod walk;

pub use change::{PathChange, PathState};
pub use cursor::AuditCursor;
pub use walk::Audit;

use super::{LogFilter, RepoError, Repository};
use crate::name::{BookId, BookPath, CommitId, RefName};
use crate::refs::{LogEntry, Request};

/// How many entries one page looks at, at most: a filter that fits nothing must end.
const LOOKED_AT: usize = 10_000;

/// The same where a path is looked at: of each entry a commit is read, and the trees above the path.
const COMPARED: usize = 1_000;

/// What is wanted of what happened.
#[derive(Debug, Clone)]
pub struct AuditFilter {
    /// Which entries.
    pub entries: LogFilter,
    /// Only what changed this path, and how; the root for every movement.
    pub path: BookPath,
}

impl Default for AuditFilter {
    /// Everything.
    fn default() -> Self {
        Self { entries: LogFilter::default(), path: BookPath::root() }
    }
}

/// One movement of a ref; with a path, one change of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditItem {
    /// The entry by which the ref moved.
    pub entry: LogEntry,
    /// Who did it, by which request. Of several that moved the ref together the last; of a change
    /// of a path the one that changed it.
    pub request: Request,
    /// Why.
    pub message: String,
    /// Where the ref pointed before; none if nowhere.
    pub previous: Option<CommitId>,
    /// Where it points since; none if it was deleted.
    pub new: Option<CommitId>,
    /// What became of the path, if one was named.
    pub change: Option<PathChange>,
}

/// A part of what happened, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditPage {
    /// What is wanted of it.
    pub items: Vec<AuditItem>,
    /// Where to go on; none at the end. There may be one although nothing of this page was wanted.
    pub next: Option<AuditCursor>,
}

impl Repository {
    /// What happened to refs, from the newest on. Refs that are not there are passed over.
    pub async fn audit(
        &self,
        places: Vec<(BookId, RefName)>,
        filter: AuditFilter,
    ) -> Result<Audit, RepoError> {
        Audit::begin(self.clone(), places, filter, None).await
    }

    /// A part of what happened to refs of a book, from `after` or the newest on.
    ///
    /// What is written between two pages changes nothing of what the second shows, but that what is
    /// newer than the first is not shown.
    pub async fn audit_page(
        &self,
        book: &BookId,
        names: Vec<RefName>,
        filter: AuditFilter,
        after: Option<&AuditCursor>,
        limit: usize,
    ) -> Result<AuditPage, RepoError> {
        let places = names.into_iter().map(|name| (book.clone(), name)).collect();
        let most = if filter.path.is_root() { LOOKED_AT } else { COMPARED };
        let mut audit = Audit::begin(self.clone(), places, filter, after).await?;
        let mut items = Vec::new();
        for _ in 0..most {
            let Some(here) = audit.cursor() else {
                break;
            };
            if items.len() >= limit {
                return Ok(AuditPage { items, next: Some(here) });
            }
            let told = after.filter(|after| after.is_at(&here)).map_or(0, |after| after.told);
            let found = audit.step().await?.unwrap_or_default();
            let (room, more) = (limit - items.len(), found.len().saturating_sub(told));
            items.extend(found.into_iter().skip(told).take(room));
            if more > room {
                return Ok(AuditPage { items, next: Some(here.having_told(told + room)) });
            }
        }
        Ok(AuditPage { items, next: audit.cursor() })
    }
}
