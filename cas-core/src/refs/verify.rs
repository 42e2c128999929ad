//! Verifying a ref's whole log.

use futures::StreamExt;

use super::group::group_fault;
use super::upstream::upstream_fault;
use super::{LogEntry, RefError};
use crate::name::{BookId, CommitId, EntryId, RefName};
use crate::object::Kind;
use crate::store::{Store, StoreError};

/// How many faults are told. A log may claim to have 2^53 entries, all of them missing.
const FAULTS: usize = 1_000;

/// How many entries are read at once.
const READS: usize = 16;

/// What a verified log looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogReport {
    /// How many entries there are, positions 1 to this.
    pub entries: u64,
    /// How many entries name a version that is no longer kept.
    pub collected: u64,
    /// The newest entry's id.
    pub head: Option<EntryId>,
    /// Every fault, in the order of positions.
    pub faults: Vec<LogFault>,
}

/// Something wrong with a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFault {
    /// The position.
    pub seq: u64,
    /// What is wrong there.
    pub reason: String,
}

/// Checks that a log is whole: positions 1 to n without a gap, each entry intact and naming the
/// one before it, times never going back, and every target a readable commit whose tree is there.
///
/// An error means that the log could not be read; what is wrong with it is in the report.
pub async fn verify_log(
    store: &Store,
    book: &BookId,
    name: &RefName,
) -> Result<LogReport, RefError> {
    let newest = match store.refs().head(book, name).await {
        Ok(None) => 0,
        Ok(Some(head)) => head.entry.seq,
        Err(RefError::Damaged { seq, .. }) => seq,
        Err(error) => return Err(error),
    };
    let mut targets = Vec::new();
    let mut report = check_chain(store, book, name, newest, &mut |found| {
        targets.extend(found.entry.target.map(|target| (found.entry.seq, target)));
    })
    .await?;
    for (seq, target) in targets {
        if report.faults.len() > FAULTS {
            break;
        }
        if let Some(reason) = check_target(store, target).await? {
            // What no branch, tag or kept entry reaches may have been collected, commits first.
            let is_gone = store.size(Kind::Commit, target.hash()).await?.is_none();
            if seq < newest && is_gone && store.refs().may_be_collected().await? {
                report.collected += 1;
                continue;
            }
            report.faults.push(LogFault { seq, reason });
        }
    }
    report.faults.sort_by_key(|fault| fault.seq);
    Ok(report)
}

/// The same for the positions 1 to `newest`, without a look at what the entries point at: each
/// entry that is intact is shown to `seen`.
pub(crate) async fn check_chain(
    store: &Store,
    book: &BookId,
    name: &RefName,
    newest: u64,
    seen: &mut (dyn FnMut(&LogEntry) + Send),
) -> Result<LogReport, RefError> {
    let mut report = LogReport { entries: newest, collected: 0, head: None, faults: Vec::new() };
    let mut before: Option<LogEntry> = None;
    let entries = futures::stream::iter(1..=newest)
        .map(|seq| async move { (seq, store.refs().entry(book, name, seq).await) })
        .buffered(READS);
    let mut entries = std::pin::pin!(entries);
    while let Some((seq, found)) = entries.next().await {
        if report.faults.len() >= FAULTS {
            let reason = format!("{FAULTS} faults so far: the rest of the log was not looked at");
            report.faults.push(LogFault { seq, reason });
            break;
        }
        let mut fault = |reason: String| report.faults.push(LogFault { seq, reason });
        let found = match found {
            Ok(Some(found)) => found,
            Ok(None) => {
                fault("the entry is missing".to_owned());
                before = None;
                continue;
            }
            Err(RefError::Damaged { source, .. }) => {
                fault(format!("the entry is damaged: {source}"));
                before = None;
                continue;
            }
            Err(error) => return Err(error),
        };
        if let Some(before) = &before {
            if found.entry.previous != Some(before.id) {
                fault("the entry does not name the one before it".to_owned());
            }
            if found.entry.time < before.entry.time {
                fault("the entry is older than the one before it".to_owned());
            }
        }
        if let Some(reason) = group_fault(&found.entry) {
            fault(reason.to_owned());
        }
        if let Some(reason) = upstream_fault(&found.entry.metadata) {
            fault(reason.to_owned());
        }
        if let Some(reason) = check_tag(name, &found) {
            fault(reason.to_owned());
        }
        seen(&found);
        report.head = Some(found.id);
        before = Some(found);
    }
    Ok(report)
}

/// A tag is created, perhaps deleted, and that is all.
fn check_tag(name: &RefName, found: &LogEntry) -> Option<&'static str> {
    let right = match found.entry.seq {
        1 => found.entry.target.is_some(),
        2 => found.entry.target.is_none(),
        _ => false,
    };
    (name.is_tag() && !right).then_some("a tag moved")
}

/// What is wrong with the commit that an entry points at.
async fn check_target(store: &Store, target: CommitId) -> Result<Option<String>, RefError> {
    let commit = match store.get_commit(&target).await {
        Ok(commit) => commit,
        Err(
            error @ (StoreError::Missing { .. }
            | StoreError::Damaged { .. }
            | StoreError::Undecodable { .. }),
        ) => {
            return Ok(Some(error.to_string()));
        }
        Err(error) => return Err(error.into()),
    };
    match store.size(Kind::Tree, commit.tree.hash()).await? {
        Some(_) => Ok(None),
        None => Ok(Some(format!("tree {} of commit {target} is missing", commit.tree))),
    }
}
