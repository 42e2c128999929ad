//! Copying a store into another: entries as they are, and everything that they name before them.
//!
//! What the other store has already is not sent again. It is known by its logs: what an entry names
//! is complete there, so a copy of a change opens only what changed. Entries keep their ids, so the
//! copy's logs are beginnings of the original's, verify as they do, and can be gone on with by the
//! next copy. A log that went another way in the copy is refused, and nothing of it is changed.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::StreamExt;

use super::{Upkeep, UpkeepError};
use crate::folder::Step;
use crate::name::{BlobId, BookId, CommitId, Hash, RefName, TreeId};
use crate::object::{Commit, Kind, Tree};
use crate::refs::{LogEntry, RefError};
use crate::repo::for_each;
use crate::store::{Session, Store, StoreError};

/// How many blobs are looked for and sent before what follows is opened.
const TOGETHER: usize = 512;

/// How many entries of a log are read at once.
const READS: usize = 16;

/// What a copy did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CopyReport {
    /// How many refs were looked at.
    pub refs: u64,
    /// How many of them were brought forward.
    pub refs_moved: u64,
    /// How many entries were copied.
    pub entries: u64,
    /// How many objects were written.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many versions that older entries name are kept nowhere any more, or were forgotten.
    pub collected: u64,
    /// Refs whose logs went different ways: nothing of them was changed.
    pub diverged: Vec<(BookId, RefName, u64)>,
}

/// The copying of one ref.
struct Copying<'a> {
    from: &'a Store,
    to: &'a Upkeep,
    session: Arc<Session>,
    /// What is known to be complete in the other store, or was written by this run. By kind: a
    /// file may hold the very bytes of a tree.
    complete: &'a mut BTreeSet<(Kind, Hash)>,
    report: &'a mut CopyReport,
}

impl Upkeep {
    /// Copies books of another store, or all of them, into this one.
    ///
    /// Everything that is read is verified. Entries come last, in their order: whenever it ends,
    /// what this store names is complete, but for what older entries name that is kept no more.
    pub async fn copy_from(
        &self,
        from: &Store,
        books: &[BookId],
    ) -> Result<CopyReport, UpkeepError> {
        let mut report = CopyReport::default();
        let mut complete = BTreeSet::new();
        let books = if books.is_empty() { from.refs().books().await? } else { books.to_vec() };
        let mut refs = Vec::new();
        for book in books {
            for name in from.refs().names(&book).await? {
                refs.push((book.clone(), name));
            }
        }
        // What others are made from comes first: then most of theirs is there.
        refs.sort_by_key(|(_, name)| *name != RefName::main());
        self.progress.begin(Step::Copy, refs.len() as u64);
        for (book, name) in refs {
            report.refs += 1;
            let session = Arc::new(self.store.session().await?);
            let (to, report) = (self, &mut report);
            let mut copying = Copying { from, to, session, complete: &mut complete, report };
            copying.copy_ref(&book, &name).await?;
            self.progress.advance(1);
        }
        self.progress.end();
        Ok(report)
    }
}

impl Copying<'_> {
    async fn copy_ref(&mut self, book: &BookId, name: &RefName) -> Result<(), UpkeepError> {
        let Some(newest) = self.from.refs().head(book, name).await? else {
            return Ok(());
        };
        let have = self.to.store.refs().head(book, name).await?;
        let from_seq = have.as_ref().map_or(1, |have| have.entry.seq + 1);
        if let Some(have) = &have {
            let seq = have.entry.seq;
            let there = self.from.refs().entry(book, name, seq).await?;
            if there.is_none_or(|there| there.id != have.id) {
                self.report.diverged.push((book.clone(), name.clone(), seq));
                return Ok(());
            }
            let target = have.entry.target.map(|target| (Kind::Commit, *target.hash()));
            self.complete.extend(target);
        }
        if from_seq > newest.entry.seq {
            return Ok(());
        }
        let forgotten = self.forgotten(&newest, from_seq).await?;
        for seq in from_seq..=newest.entry.seq {
            let entry = self.entry(book, name, seq).await?;
            if seq < forgotten {
                // What a reader asked to be forgotten goes nowhere else.
                self.report.collected += u64::from(entry.entry.target.is_some());
            } else {
                self.copy_version(&entry, seq == newest.entry.seq).await?;
                self.session.publish().await?;
            }
            self.to.store.refs().adopt(&entry).await?;
            self.report.entries += 1;
        }
        self.report.refs_moved += 1;
        Ok(())
    }

    async fn entry(
        &self,
        book: &BookId,
        name: &RefName,
        seq: u64,
    ) -> Result<LogEntry, UpkeepError> {
        let found = self.from.refs().entry(book, name, seq).await?;
        Ok(found.ok_or_else(|| RefError::gap(book, name, seq))?)
    }

    /// Where a ref was forgotten last, not before `from_seq`; 0 if it was not.
    async fn forgotten(&self, newest: &LogEntry, from_seq: u64) -> Result<u64, UpkeepError> {
        if newest.entry.forgets() {
            return Ok(newest.entry.seq);
        }
        let (book, name) = (&newest.entry.book, &newest.entry.name);
        let entries = futures::stream::iter((from_seq..newest.entry.seq).rev())
            .map(|seq| self.entry(book, name, seq))
            .buffered(READS);
        let mut entries = std::pin::pin!(entries);
        while let Some(entry) = entries.next().await {
            let entry = entry?;
            if entry.entry.forgets() {
                return Ok(entry.entry.seq);
            }
        }
        Ok(0)
    }

    /// Copies what an entry names. A version that only older entries name may be kept no more.
    async fn copy_version(&mut self, entry: &LogEntry, newest: bool) -> Result<(), UpkeepError> {
        let base = entry.entry.upstream().map(|upstream| upstream.base);
        for commit in [entry.entry.target, base].into_iter().flatten() {
            match self.copy_commit(commit).await {
                Err(StoreError::Missing { kind: Kind::Commit, id })
                    if !newest
                        && id == *commit.hash()
                        && self.from.refs().may_be_collected().await? =>
                {
                    self.report.collected += 1;
                }
                other => other?,
            }
        }
        Ok(())
    }

    /// Copies a commit after everything that it names.
    async fn copy_commit(&mut self, commit: CommitId) -> Result<(), StoreError> {
        // Those that are still to be written, the one that names the others first.
        let mut waiting = vec![commit];
        let mut opened: Vec<(CommitId, Commit)> = Vec::new();
        let mut seen = BTreeSet::new();
        while let Some(id) = waiting.pop() {
            if self.complete.contains(&(Kind::Commit, *id.hash())) || !seen.insert(id) {
                continue;
            }
            let commit = self.from.get_commit(&id).await?;
            waiting.extend(&commit.parents);
            opened.push((id, commit));
        }
        // Parents were opened after what names them.
        for (id, commit) in opened.into_iter().rev() {
            self.copy_tree(commit.tree).await?;
            self.put(Kind::Commit, *id.hash(), commit.encode()).await?;
        }
        Ok(())
    }

    /// Copies a tree after everything that it names.
    async fn copy_tree(&mut self, root: TreeId) -> Result<(), StoreError> {
        let mut waiting = vec![root];
        let mut opened: Vec<(TreeId, Tree)> = Vec::new();
        let mut blobs = Vec::new();
        let mut seen = BTreeSet::new();
        while let Some(id) = waiting.pop() {
            if self.complete.contains(&(Kind::Tree, *id.hash())) || !seen.insert(id) {
                continue;
            }
            let tree = self.from.get_tree(&id).await?;
            waiting.extend(tree.entries().iter().filter_map(crate::object::Entry::tree_id));
            let named = tree.entries().iter().filter(|entry| !entry.kind.is_tree());
            let fresh = named.filter(|entry| !self.complete.contains(&(Kind::Blob, entry.id)));
            blobs.extend(fresh.map(|entry| (BlobId(entry.id), entry.totals.size)));
            opened.push((id, tree));
        }
        blobs.sort_unstable();
        blobs.dedup();
        for blobs in blobs.chunks(TOGETHER) {
            self.copy_blobs(blobs).await?;
        }
        for (id, tree) in opened.into_iter().rev() {
            self.put(Kind::Tree, *id.hash(), tree.encode()).await?;
        }
        Ok(())
    }

    async fn copy_blobs(&mut self, blobs: &[(BlobId, u64)]) -> Result<(), StoreError> {
        let shared = (self.from.clone(), self.session.clone());
        let copied = for_each(blobs.to_vec(), self.to.jobs, move |(id, size)| {
            let (from, session) = shared.clone();
            async move {
                if session.contains_blob(id, size).await? {
                    return Ok::<_, StoreError>(0);
                }
                let stream = from.stream_blob(&id).await?;
                let size = stream.size;
                Ok(if session.put_blob_stream(id, stream).await? { size + 1 } else { 0 })
            }
        });
        for written in copied.await? {
            // One more than the bytes: a blob of none counts as well.
            self.report.objects += u64::from(written > 0);
            self.report.bytes += written.saturating_sub(1);
        }
        self.complete.extend(blobs.iter().map(|(id, _)| (Kind::Blob, *id.hash())));
        Ok(())
    }

    /// Writes an object after everything that it names.
    async fn put(&mut self, kind: Kind, id: Hash, bytes: Vec<u8>) -> Result<(), StoreError> {
        let size = bytes.len() as u64;
        if self.session.put_object(kind, &id, bytes.into()).await? {
            self.report.objects += 1;
            self.report.bytes += size;
        }
        self.complete.insert((kind, id));
        Ok(())
    }
}
