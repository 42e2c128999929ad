//! What must be there after a cut.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use cas_core::folder::NoProgress;
use cas_core::name::{BookId, EntryId, Hash, RefName};
use cas_core::object::Kind;
use cas_core::store::{Bucket, LocalStore, Store, open};
use cas_core::upkeep::{FsckRequest, Upkeep};
use cas_tests::env::test_env;
use object_store::ObjectStore;

use futures::TryStreamExt;

/// What a store was said to hold.
#[derive(Debug, Clone, Default)]
pub(super) struct Promise {
    /// Whether there was a store at all.
    pub(super) store: bool,
    /// The newest entry of each ref.
    heads: Vec<(BookId, RefName, u64, EntryId)>,
    /// Every object.
    objects: BTreeSet<(Kind, Hash)>,
}

fn opened(root: &Path) -> (Bucket, Store) {
    let bucket = Bucket::local(LocalStore::open(root).unwrap());
    let store = Store::in_bucket(&bucket, &test_env(950));
    (bucket, store)
}

impl Promise {
    /// What the store at `root` holds.
    pub(super) async fn of(root: &Path) -> Self {
        let (bucket, store) = opened(root);
        let mut promise = Self { store: open(&bucket, "it").await.is_ok(), ..Self::default() };
        for book in store.refs().books().await.unwrap() {
            for name in store.refs().names(&book).await.unwrap() {
                let head = store.refs().head(&book, &name).await.unwrap().unwrap();
                promise.heads.push((book.clone(), name, head.entry.seq, head.id));
            }
        }
        let local = LocalStore::open(root).unwrap();
        let keys: Vec<_> =
            local.list(None).map_ok(|meta| meta.location).try_collect().await.unwrap();
        for kind in Kind::ALL {
            let ids = keys.iter().filter_map(|key| cas_core::store::layout::object_id(kind, key));
            promise.objects.extend(ids.map(|id| (kind, id)));
        }
        promise
    }

    /// What of it must hold while a command runs after which `next` holds: the rest may be deleted.
    pub(super) fn while_becoming(&self, next: &Self) -> Self {
        let objects = self.objects.intersection(&next.objects).copied().collect();
        Self { objects, ..self.clone() }
    }

    /// What of it is the same whenever a command is run: not commits, which say when.
    pub(super) fn content(&self) -> Self {
        let kept = self.objects.iter().filter(|(kind, _)| *kind != Kind::Commit);
        Self { store: self.store, heads: Vec::new(), objects: kept.copied().collect() }
    }

    /// How it is broken in the store at `root`. Everything that is there is read and verified, as
    /// `cas fsck` does it: objects by their hashes, logs by their chains, and all that they name.
    pub(super) async fn faults(&self, root: &Path) -> Vec<String> {
        if !self.store {
            return Vec::new();
        }
        let (bucket, store) = opened(root);
        if let Err(error) = open(&bucket, "it").await {
            return vec![format!("the store does not open: {error}")];
        }
        let mut faults = Vec::new();
        for (book, name, seq, id) in &self.heads {
            match store.refs().entry(book, name, *seq).await {
                Ok(Some(entry)) if entry.id == *id => {}
                Ok(_) => faults.push(format!("{book}@{name}#{seq} is another entry")),
                Err(error) => faults.push(format!("{book}@{name}#{seq}: {error}")),
            }
        }
        for (kind, id) in &self.objects {
            match store.size(*kind, id).await {
                Ok(Some(_)) => {}
                other => faults.push(format!("{kind} {id}: {other:?}")),
            }
        }
        let upkeep = Upkeep::new(bucket, test_env(951), 1, Arc::new(NoProgress));
        match upkeep.fsck(&FsckRequest { sample_ppm: 1_000_000, repair_from: None }).await {
            Ok(report) => {
                faults.extend(report.faults.iter().map(|fault| format!("fsck: {fault:?}")));
            }
            Err(error) => faults.push(format!("fsck: {error}")),
        }
        faults
    }
}
