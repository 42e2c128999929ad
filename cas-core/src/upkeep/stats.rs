//! How large a store is, and how much of it is shared.

use std::collections::BTreeMap;
use std::pin::pin;

use futures::StreamExt;

use super::inventory::{Listed, by_shard};
use super::records::SHARDS;
use super::{ObjectCount, Upkeep, UpkeepError};
use crate::folder::Step;
use crate::name::{BlobId, BookId, CommitId, RefName};
use crate::object::{Kind, Totals};
use crate::refs::LogEntry;
use crate::repo::for_each;

/// How many refs are read before what they say is taken in.
const TOGETHER: usize = 4_096;

/// How large a store is.
#[derive(Debug, Clone, Default)]
pub struct StoreStats {
    /// Each book.
    pub books: BTreeMap<BookId, BookStats>,
    /// What is stored, by kind. What nothing names is among it.
    pub objects: BTreeMap<Kind, ObjectCount>,
    /// The largest blobs, largest first.
    pub largest: Vec<(BlobId, u64)>,
    /// The longest logs, longest first.
    pub longest: Vec<(BookId, RefName, u64)>,
}

/// How large a book is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BookStats {
    /// Branches that are there.
    pub branches: u64,
    /// Of them those that follow another.
    pub followers: u64,
    /// Tags that are there.
    pub tags: u64,
    /// Refs that were deleted.
    pub deleted: u64,
    /// Entries of all logs.
    pub entries: u64,
    /// Files and bytes of all branches and tags together, each counted as if it had its own.
    pub files: u64,
    /// The bytes of these.
    pub bytes: u64,
}

/// What is known of one ref.
struct Known {
    book: BookId,
    name: RefName,
    head: LogEntry,
    totals: Totals,
}

impl StoreStats {
    /// The bytes of all branches and tags, each counted as if it had its own.
    pub fn logical_bytes(&self) -> u64 {
        self.books.values().map(|book| book.bytes).fold(0, u64::saturating_add)
    }

    /// The bytes that are stored.
    pub fn stored_bytes(&self) -> u64 {
        self.objects.values().map(|count| count.bytes).sum()
    }
}

impl Upkeep {
    /// Measures the store, and tells so many of the largest blobs and the longest logs.
    pub async fn stats(&self, top: usize) -> Result<StoreStats, UpkeepError> {
        let mut stats = StoreStats::default();
        let refs = self.ref_folders().await?.refs;
        self.progress.begin(Step::Logs, refs.len() as u64);
        for refs in refs.chunks(TOGETHER) {
            let this = self.clone();
            let known = for_each(refs.to_vec(), self.jobs, move |(book, name)| {
                let this = this.clone();
                async move { this.known(book, name).await }
            });
            for known in known.await?.into_iter().flatten() {
                stats.add(known, top);
            }
            self.progress.advance(refs.len() as u64);
        }
        stats.shorten(top);
        self.progress.begin(Step::Collect, SHARDS as u64);
        let mut lists = pin!(self.listed(by_shard()).await?);
        while let Some(listed) = lists.next().await {
            let Listed { kind, stored, .. } = listed?;
            let count = stats.objects.entry(kind).or_default();
            count.count += stored.len() as u64;
            count.bytes += stored.iter().map(|stored| stored.size).sum::<u64>();
            if kind == Kind::Blob {
                let sizes = stored.iter().map(|stored| (BlobId(stored.id), stored.size));
                stats.largest.extend(sizes);
                stats.largest.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
                stats.largest.truncate(top);
                self.progress.advance(1);
            }
        }
        self.progress.end();
        Ok(stats)
    }

    async fn known(&self, book: BookId, name: RefName) -> Result<Option<Known>, UpkeepError> {
        let Some(head) = self.store.refs().head(&book, &name).await? else {
            return Ok(None);
        };
        let totals = match head.entry.target {
            None => Totals::default(),
            Some(commit) => self.totals_of(commit).await?,
        };
        Ok(Some(Known { book, name, head, totals }))
    }

    async fn totals_of(&self, commit: CommitId) -> Result<Totals, UpkeepError> {
        let tree = self.store.get_commit(&commit).await?.tree;
        Ok(self.store.get_tree(&tree).await?.totals())
    }
}

impl StoreStats {
    fn add(&mut self, known: Known, top: usize) {
        let Known { book, name, head, totals } = known;
        let of = self.books.entry(book.clone()).or_default();
        match head.entry.target {
            None => of.deleted += 1,
            Some(_) if name.is_tag() => of.tags += 1,
            Some(_) => of.branches += 1,
        }
        of.followers += u64::from(head.entry.target.is_some() && head.entry.upstream().is_some());
        of.entries += head.entry.seq;
        of.files = of.files.saturating_add(totals.files);
        of.bytes = of.bytes.saturating_add(totals.size);
        self.longest.push((book, name, head.entry.seq));
        if self.longest.len() > 2 * top.max(512) {
            self.shorten(top);
        }
    }

    fn shorten(&mut self, top: usize) {
        self.longest.sort_by_key(|(_, _, entries)| std::cmp::Reverse(*entries));
        self.longest.truncate(top);
    }
}
