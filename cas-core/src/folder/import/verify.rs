//! Checking what the store claims to have, and putting right what it has lost or damaged.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::files::{Target, Work, job};
use super::trees::Trees;
use super::{Place, Settled};
use crate::folder::FolderError;
use crate::folder::progress::Step;
use crate::folder::read::Data;
use crate::folder::scan::Scan;
use crate::name::{BlobId, Hash, TreeId};
use crate::object::Kind;
use crate::repo::for_each;
use crate::store::{ByteStream, Health, Store};

/// What is checked, once each.
enum Item {
    Blob(BlobId, Place),
    Tree(TreeId),
}

impl Item {
    const fn key(&self) -> (Kind, Hash) {
        match self {
            Self::Blob(id, _) => (Kind::Blob, *id.hash()),
            Self::Tree(id) => (Kind::Tree, *id.hash()),
        }
    }
}

impl Work {
    /// Reads every object of the folder's version from the store and writes those again that are
    /// missing or damaged. Returns how many those were.
    ///
    /// A dry run only counts them. It has put nothing, so what is missing is lost only if the
    /// store is to hold all of it already, as `is_stored` says.
    pub(super) async fn verify(
        self: &Arc<Self>,
        store: &Store,
        scan: &Arc<Scan>,
        settled: &Arc<Settled>,
        trees: &Arc<Trees>,
        is_stored: bool,
        jobs: usize,
    ) -> Result<u64, FolderError> {
        let groups = groups(scan, settled, trees);
        self.progress.begin(Step::Verify, groups.iter().map(Vec::len).sum::<usize>() as u64);
        let repaired = Arc::new(AtomicU64::new(0));
        for items in groups {
            let shared =
                (store.clone(), self.clone(), scan.clone(), settled.clone(), trees.clone());
            let count = repaired.clone();
            let done = for_each(items, jobs, move |item| {
                let (store, work, scan, settled, trees) = shared.clone();
                let count = count.clone();
                async move {
                    let (kind, id) = item.key();
                    let health = store.check(kind, &id).await?;
                    let is_lost = match work.target {
                        Target::DryRun { .. } if !is_stored => health == Health::Damaged,
                        Target::Session(_) | Target::DryRun { .. } => health != Health::Intact,
                    };
                    if is_lost {
                        count.fetch_add(1, Ordering::Relaxed);
                        work.put_right(&scan, &settled, &trees, item).await?;
                    }
                    work.progress.advance(1);
                    Ok::<_, FolderError>(())
                }
            });
            done.await?;
        }
        Ok(repaired.load(Ordering::Relaxed))
    }

    /// Writes one object, whatever the store has of it.
    async fn put_right(
        &self,
        scan: &Scan,
        settled: &Settled,
        trees: &Trees,
        item: Item,
    ) -> Result<(), FolderError> {
        match item {
            Item::Blob(id, place) => self.repair(scan, settled, id, place).await,
            Item::Tree(id) => {
                if let (Some(session), Some(tree)) = (self.session(), trees.all.get(&id)) {
                    session.replace_tree(tree).await?;
                }
                Ok(())
            }
        }
    }

    /// Writes one file's content, whatever the store has of it.
    async fn repair(
        &self,
        scan: &Scan,
        settled: &Settled,
        id: BlobId,
        place: Place,
    ) -> Result<(), FolderError> {
        let Some(session) = self.session() else {
            return Ok(());
        };
        let job = job(scan, settled, place);
        let found = self.read(&job.path, job.kind)?;
        let found = found.map_err(|fault| self.cannot_import(vec![fault]))?;
        let stream = match found.data {
            Data::Whole(bytes) => ByteStream::from_bytes(bytes),
            Data::Large(file) => ByteStream::from_file(file, found.content.size, &job.path),
        };
        self.unchanged(&job.path, session.replace_blob(id, stream).await)
    }
}

/// Everything once, in groups, so that what is named is looked at before what names it.
fn groups(scan: &Scan, settled: &Settled, trees: &Trees) -> Vec<Vec<Item>> {
    let mut blobs: BTreeMap<Hash, Place> = BTreeMap::new();
    for (at, files) in settled.iter().enumerate() {
        for (nth, known) in files.iter().enumerate() {
            if let Some(known) = known {
                blobs.entry(*known.content().id.hash()).or_insert((at, nth));
            }
        }
    }
    let blobs = blobs.into_iter().map(|(id, place)| Item::Blob(BlobId(id), place));
    let levels = trees.levels(scan, &trees.all.keys().copied().collect());
    let trees = levels.into_iter().map(|level| level.into_iter().map(Item::Tree).collect());
    std::iter::once(blobs.collect()).chain(trees).collect()
}
