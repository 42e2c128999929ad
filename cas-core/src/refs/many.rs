//! Many refs moved at once.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures::StreamExt;
use object_store::path::Path as Key;

use super::log::{Plan, fate_unknown};
use super::{LogEntry, RefEntry, RefError, RefLog, RefUpdate, UpdateOutcome};
use crate::store::{Refs, StoreError, layout};

/// How many updates are under way at once where each is a matter of its own.
const AT_ONCE: usize = 32;

/// How many entries are written to a folder together: their unfinished files and their bytes, a
/// kilobyte each at most times, are held at once. Two syncs for so many are a small part of the
/// time that making them takes, though each writes the folders again that new files came to.
pub(super) const CHUNK: usize = 2_048;

/// What became of one update of many.
type Answer = Result<UpdateOutcome, RefError>;

/// Makes each update by itself, some at once; several of one ref one after the other.
pub(crate) async fn one_by_one<R: Refs + ?Sized>(refs: &R, updates: &[RefUpdate]) -> Vec<Answer> {
    let mut of_one_ref = BTreeMap::<_, Vec<usize>>::new();
    for (at, update) in updates.iter().enumerate() {
        of_one_ref.entry((&update.book, &update.name)).or_default().push(at);
    }
    let of_one_ref: Vec<_> = of_one_ref.into_values().collect();
    let answers = futures::stream::iter(of_one_ref)
        .map(|places| async move {
            let mut answers = Vec::with_capacity(places.len());
            for at in places {
                answers.push((at, refs.update(&updates[at]).await));
            }
            answers
        })
        .buffer_unordered(AT_ONCE);
    in_order(answers.collect::<Vec<_>>().await.into_iter().flatten().collect())
}

/// Makes all updates in a folder, the entries of a chunk written together. What does not go the
/// plain way, as a ref that another writer moves at the same time, goes it alone, as any update.
pub(super) async fn in_folder(log: &RefLog, updates: &[RefUpdate]) -> Vec<Answer> {
    let mut met = BTreeSet::new();
    let (firsts, others): (Vec<_>, Vec<_>) =
        (0..updates.len()).partition(|at| met.insert((&updates[*at].book, &updates[*at].name)));
    let mut answers = Vec::with_capacity(updates.len());
    let mut left = Vec::new();
    for chunk in firsts.chunks(CHUNK) {
        let mut entries = Vec::with_capacity(chunk.len());
        for &at in chunk {
            match log.plan(&updates[at]).await {
                Ok(Plan::Write(entry)) => entries.push((at, entry)),
                Ok(Plan::Answer(outcome)) => answers.push((at, Ok(outcome))),
                Err(error) => answers.push((at, Err(error))),
            }
        }
        write(log, updates, entries, &mut answers, &mut left);
        // The disk's work was done right here, and took a while.
        tokio::task::yield_now().await;
    }
    for at in left {
        // An answer that something failed is not taken at its word: the entry may be there.
        let request_id = updates[at].request_id.to_repeat();
        let update = RefUpdate { request_id, ..updates[at].clone() };
        answers.push((at, log.update(&update).await));
    }
    for at in others {
        answers.push((at, log.update(&updates[at]).await));
    }
    in_order(answers)
}

/// Writes entries together, each for the update at its place. Those that were not made are added
/// to what is left to do.
fn write(
    log: &RefLog,
    updates: &[RefUpdate],
    entries: Vec<(usize, RefEntry)>,
    answers: &mut Vec<(usize, Answer)>,
    left: &mut Vec<usize>,
) {
    let stored = entries.into_iter().map(|(at, entry)| {
        let key = layout::slot(&entry.book, &entry.name, entry.seq);
        let (id, bytes) = entry.to_stored();
        ((at, LogEntry { id, entry }), (key, bytes.into()))
    });
    let (entries, objects): (Vec<_>, Vec<(Key, Bytes)>) = stored.unzip();
    let fresh = log.bucket().put_new(&objects);
    for ((at, entry), made) in entries.into_iter().zip(fresh.made) {
        match &fresh.durable {
            _ if !made => left.push(at),
            Ok(()) => {
                log.met(&entry);
                answers.push((at, Ok(UpdateOutcome::Moved(entry))));
            }
            Err(error) => {
                let source = std::io::Error::new(error.kind(), error.to_string());
                let source = StoreError::io("make ref log entries durable")(source);
                answers.push((at, Err(fate_unknown(&updates[at], source))));
            }
        }
    }
}

/// The answers by the places of their updates.
fn in_order(mut answers: Vec<(usize, Answer)>) -> Vec<Answer> {
    answers.sort_unstable_by_key(|(at, _)| *at);
    answers.into_iter().map(|(_, answer)| answer).collect()
}
