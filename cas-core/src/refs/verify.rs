//! Verifying a ref's whole log, and whatever else it has to prove.

use futures::StreamExt;

use super::group::group_fault;
use super::upstream::upstream_fault;
use super::{LogEntry, Position, RefEntry, RefError, Signed};
use crate::env::Timestamp;
use crate::name::{BookId, CommitId, EntryId, RefName};
use crate::object::Kind;
use crate::sign::VerifierKey;
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
    /// How many entries carry a good signature by a key that is trusted.
    pub signed: u64,
    /// Every fault, in the order of positions; but first that the log is shorter than it was.
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

/// Which entries must be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SignedFrom {
    /// All of them.
    Start,
    /// Those of this time and later. Whoever rewrites a log may also choose its times, so this says
    /// something only where the entries before are vouched for by a checkpoint.
    Time(Timestamp),
    /// Those that came after the checkpoint.
    Checkpoint,
    /// None; but whatever signature is there by a key that is trusted must be good.
    #[default]
    Never,
}

/// What a log has to prove beside being whole.
#[derive(Debug, Clone, Default)]
pub struct LogProof<'a> {
    /// The keys that are trusted.
    pub keys: &'a [VerifierKey],
    /// Which entries must be signed by one of them.
    pub signed_from: SignedFrom,
    /// What the log was once.
    pub checkpoint: Option<&'a Position>,
}

impl LogProof<'_> {
    /// What is wrong with an entry; whether it carries a good signature.
    fn check(&self, found: &LogEntry) -> (bool, Option<String>) {
        let LogEntry { id, entry } = found;
        let was = self.checkpoint.filter(|was| was.seq == entry.seq && was.id != *id);
        if let Some(was) = was {
            return (false, Some(format!("the checkpoint has entry {} here, not {id}", was.id)));
        }
        let fault = match entry.signed_by(self.keys) {
            Signed::By(_) => return (true, None),
            Signed::Malformed => Some("its signature is malformed".to_owned()),
            Signed::Forged(signer) => Some(format!("its signature by {signer} is forged")),
            Signed::Not if self.wants_signed(entry) => Some("it is not signed".to_owned()),
            Signed::ByStranger(signer) if self.wants_signed(entry) => {
                Some(format!("it is signed by {signer}, which is none of the keys given"))
            }
            Signed::Not | Signed::ByStranger(_) => None,
        };
        (false, fault)
    }

    fn wants_signed(&self, entry: &RefEntry) -> bool {
        match self.signed_from {
            SignedFrom::Start => true,
            SignedFrom::Time(time) => entry.time >= time,
            SignedFrom::Checkpoint => entry.seq > self.checkpoint.map_or(0, |was| was.seq),
            SignedFrom::Never => false,
        }
    }
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
    prove_log(store, book, name, &LogProof::default()).await
}

/// Checks that a log is whole, as [`verify_log`] does, and proves what else it has to prove.
pub async fn prove_log(
    store: &Store,
    book: &BookId,
    name: &RefName,
    proof: &LogProof<'_>,
) -> Result<LogReport, RefError> {
    let newest = match store.refs().head(book, name).await {
        Ok(None) => 0,
        Ok(Some(head)) => head.entry.seq,
        Err(RefError::Damaged { seq, .. }) => seq,
        Err(error) => return Err(error),
    };
    let (mut targets, mut forgotten) = (Vec::new(), 0);
    let mut report = check_chain(store, book, name, newest, proof, &mut |found| {
        targets.extend(found.entry.target.map(|target| (found.entry.seq, target)));
        if found.entry.forgets() {
            forgotten = found.entry.seq;
        }
    })
    .await?;
    for (seq, target) in targets {
        if report.faults.len() > FAULTS {
            break;
        }
        if let Some(reason) = check_target(store, target).await? {
            // What no branch, tag or kept entry reaches may have been collected, commits first.
            let is_gone = store.size(Kind::Commit, target.hash()).await?.is_none();
            if is_gone
                && (seq < forgotten || seq < newest && store.refs().may_be_collected().await?)
            {
                report.collected += 1;
                continue;
            }
            report.faults.push(LogFault { seq, reason });
        }
    }
    report.faults.sort_by_key(|fault| fault.seq);
    if let Some(was) = proof.checkpoint.filter(|was| was.seq > newest) {
        let reason = format!("the checkpoint has entry {} here: the log was cut", was.id);
        report.faults.insert(0, LogFault { seq: was.seq, reason });
    }
    Ok(report)
}

/// The same for the positions 1 to `newest`, without a look at what the entries point at: each
/// entry that is intact is shown to `seen`.
pub(crate) async fn check_chain(
    store: &Store,
    book: &BookId,
    name: &RefName,
    newest: u64,
    proof: &LogProof<'_>,
    seen: &mut (dyn FnMut(&LogEntry) + Send),
) -> Result<LogReport, RefError> {
    let mut report =
        LogReport { entries: newest, collected: 0, head: None, signed: 0, faults: Vec::new() };
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
        let (signed, reason) = proof.check(&found);
        if let Some(reason) = reason {
            fault(reason);
        }
        seen(&found);
        report.head = Some(found.id);
        report.signed += u64::from(signed);
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
