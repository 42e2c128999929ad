//! The few primitives that everything is made of, over any object store.

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::path::Path as Key;
use object_store::{
    Error, GetOptions, GetResult, GetResultPayload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMode, PutOptions, PutPayload,
};

use super::local::Fresh;
use super::transfer::{PART_BYTES, Transfers};
use super::{ByteStream, LocalStore, StoreError, cause, layout};
use crate::env::{Env, Timestamp};
use crate::error::ErrorKind;

/// How often a put-if-absent of an object is tried: it may be refused although nothing is there,
/// or fail without anybody knowing whether it landed. What a key names never changes, so putting
/// it again is always right.
const PUT_ATTEMPTS: u32 = 8;

/// An object store, with the shortcuts that a folder or a bucket offers.
///
/// Keys are those of [`layout`]; where in the bucket the store is, only this type knows.
#[derive(Debug, Clone)]
pub struct Bucket {
    store: Arc<dyn ObjectStore>,
    local: Option<LocalStore>,
    /// Lists by pages, where the store can.
    pages: Option<Arc<dyn Pages>>,
    /// The same store, asked once only, where the client otherwise tries again by itself.
    once: Option<Arc<dyn ObjectStore>>,
    /// Where in the bucket the store is.
    root: Key,
    /// Set once the store is known to be closed for writing.
    closed: Arc<AtomicBool>,
    /// Where the store is said to be, once its marker was seen here.
    seen: Arc<OnceLock<String>>,
    pub(super) transfers: Arc<Transfers>,
}

/// A store that lists by pages, and can be printed.
trait Pages: PaginatedListStore + std::fmt::Debug {}

impl<S: PaginatedListStore + std::fmt::Debug> Pages for S {}

/// What became of a put-if-absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Put {
    /// The store says that it wrote the object.
    Created,
    /// The store says that the key was taken. By whom is for the caller to find out: the store
    /// may mean our own write, repeated after its answer was lost.
    Refused,
}

/// What there is to know of an object without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Looked {
    /// Its size in bytes.
    pub(crate) size: u64,
    /// When it was written, by the store's clock.
    pub(crate) modified: Timestamp,
}

impl Looked {
    fn of(meta: &ObjectMeta) -> Self {
        let micros = meta.last_modified.timestamp_micros();
        let modified = Timestamp::from_micros(u64::try_from(micros).unwrap_or_default());
        Self { size: meta.size, modified }
    }
}

impl Bucket {
    /// A bucket of any kind; each put is durable by itself.
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self {
            store,
            local: None,
            pages: None,
            once: None,
            root: Key::default(),
            closed: Arc::default(),
            seen: Arc::default(),
            transfers: Arc::default(),
        }
    }

    /// A bucket over the network, with the store at `root` in it. `pages` is the same bucket, able
    /// to list as few keys as are wanted.
    pub fn remote<P>(store: Arc<dyn ObjectStore>, pages: Arc<P>, root: Key) -> Self
    where
        P: PaginatedListStore + std::fmt::Debug,
    {
        Self { pages: Some(pages), root, ..Self::new(store) }
    }

    /// The same bucket, with a way to ask it without trying again.
    pub(super) fn with_single_tries(self, once: Arc<dyn ObjectStore>) -> Self {
        Self { once: Some(once), ..self }
    }

    /// A folder, where many puts are made durable together.
    pub fn local(store: LocalStore) -> Self {
        Self { local: Some(store.clone()), ..Self::new(Arc::new(store)) }
    }

    /// A folder, of which `seen` answers what any object store is asked; `seen` may have another
    /// clock, and must hand on to `store`.
    #[doc(hidden)]
    pub fn local_seen_as(store: LocalStore, seen: Arc<dyn ObjectStore>) -> Self {
        Self { local: Some(store), ..Self::new(seen) }
    }

    /// The folder, if this is one.
    pub(crate) fn as_local(&self) -> Option<&LocalStore> {
        self.local.as_ref()
    }

    /// Whether requests cross a network, so that they are worth saving.
    pub fn is_remote(&self) -> bool {
        self.local.is_none()
    }

    /// Whether every request takes a round trip.
    pub(crate) const fn is_over_network(&self) -> bool {
        self.pages.is_some()
    }

    /// Refuses every write from now on, through this and all its clones.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    /// Notes that the marker of the store at `location` was seen here.
    pub(crate) fn saw_marker(&self, location: &str) {
        self.seen.get_or_init(|| location.to_owned());
    }

    /// Fails if the marker was seen here and is gone: somebody emptied the bucket.
    pub async fn check_not_emptied(&self) -> Result<(), StoreError> {
        let Some(location) = self.seen.get() else { return Ok(()) };
        let marker = Key::from(layout::MARKER);
        match self.get(&marker, GetOptions::default()).await? {
            Some(_) => Ok(()),
            None => Err(StoreError::NoStore { location: location.clone() }),
        }
    }

    /// Waits until uploads that were given up are cleaned away; their parts would otherwise be
    /// kept and billed.
    pub async fn finish(&self) {
        self.transfers.finish().await;
    }

    /// Whether nothing at all is there, but for what a proof of the store may have left.
    pub(crate) async fn is_empty(&self) -> Result<bool, StoreError> {
        if let Some(local) = &self.local {
            return local.is_empty().map_err(StoreError::io("list the store's folder"));
        }
        let proofs = self.at(&Key::from(layout::PROOFS));
        let mut keys = self.store.list(self.prefix().as_ref());
        while let Some(found) = keys.next().await {
            let found = found.map_err(StoreError::backend("list", "the bucket"))?;
            if !found.location.prefix_matches(&proofs) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The whole object at `key` of at most `limit` bytes, or its size if it has more.
    pub(crate) async fn read(
        &self,
        key: &Key,
        limit: u64,
    ) -> Result<Option<Result<Bytes, u64>>, StoreError> {
        let Some(result) = self.get(key, GetOptions::default()).await? else {
            return Ok(None);
        };
        let size = result.meta.size;
        if size > limit {
            return Ok(Some(Err(size)));
        }
        let bytes = match result.payload {
            // Read here and now: a hop to another thread costs several times the read.
            GetResultPayload::File(file, _) => {
                // No look for more: whoever wants to know whether this is all of it hashes it.
                let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
                let read = file.take(size).read_to_end(&mut bytes);
                read.map_err(StoreError::io(format!("read {key}")))?;
                bytes.into()
            }
            GetResultPayload::Stream(pieces) => {
                let key = key.clone();
                let pieces =
                    pieces.map(move |piece| piece.map_err(StoreError::backend("read", &key)));
                ByteStream { size, pieces: pieces.boxed() }.collect(limit).await?
            }
        };
        Ok(Some(Ok(bytes)))
    }

    /// The object at `key` in pieces; a large one over the network in several requests at once.
    pub(crate) async fn stream(&self, key: &Key) -> Result<Option<ByteStream>, StoreError> {
        if self.pages.is_some() {
            return self.stream_parts(key).await;
        }
        let Some(result) = self.get(key, GetOptions::default()).await? else {
            return Ok(None);
        };
        let size = result.meta.size;
        let pieces = match result.payload {
            GetResultPayload::File(file, _) => {
                return Ok(Some(ByteStream::from_file(file, size, key.as_ref())));
            }
            GetResultPayload::Stream(pieces) => {
                let key = key.clone();
                pieces.map(move |piece| piece.map_err(StoreError::backend("read", &key))).boxed()
            }
        };
        Ok(Some(ByteStream { size, pieces }))
    }

    /// The size in bytes of the object at `key`.
    pub(crate) async fn size(&self, key: &Key) -> Result<Option<u64>, StoreError> {
        Ok(self.look(key).await?.map(|found| found.size))
    }

    /// What there is to know of the object at `key` without reading it.
    pub(crate) async fn look(&self, key: &Key) -> Result<Option<Looked>, StoreError> {
        match self.store.head(&self.at(key)).await {
            Ok(meta) => Ok(Some(Looked::of(&meta))),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => {
                // The answer to a HEAD has no body that could say why. That to a GET has.
                if cause::is_unexplained(&error) {
                    self.get(key, GetOptions::default().with_range(Some(0..1))).await?;
                }
                Err(StoreError::backend("look at", key)(error))
            }
        }
    }

    /// Writes the object unless the key is taken.
    pub(crate) async fn put_if_absent(&self, key: &Key, bytes: Bytes) -> Result<Put, StoreError> {
        self.put_if_absent_by(&self.store, key, bytes).await
    }

    /// The same in one try, whatever comes of it.
    pub(super) async fn put_if_absent_once(
        &self,
        key: &Key,
        bytes: Bytes,
    ) -> Result<Put, StoreError> {
        self.put_if_absent_by(self.once.as_ref().unwrap_or(&self.store), key, bytes).await
    }

    async fn put_if_absent_by(
        &self,
        store: &Arc<dyn ObjectStore>,
        key: &Key,
        bytes: Bytes,
    ) -> Result<Put, StoreError> {
        self.check_open()?;
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match store.put_opts(&self.at(key), PutPayload::from_bytes(bytes), options).await {
            Ok(_) => Ok(Put::Created),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(Put::Refused),
            Err(error) => Err(StoreError::backend("write", key)(error)),
        }
    }

    /// Writes every object unless its key is taken, with few syncs for all of them. What was not
    /// made may be put by itself: where there is no such way to write many, nothing is made.
    pub(crate) fn put_new(&self, objects: &[(Key, Bytes)]) -> Fresh {
        match &self.local {
            Some(local) if self.check_open().is_ok() => local.put_new(objects),
            _ => Fresh::nothing(objects.len()),
        }
    }

    /// Makes deletions durable before others follow: on a disk a power cut could undo the earlier
    /// and leave the later.
    pub(crate) fn settle_deletions(&self) -> Result<(), StoreError> {
        let synced = self.local.as_ref().map_or(Ok(()), LocalStore::sync);
        synced.map_err(StoreError::io("make deletions durable"))
    }

    /// Writes the object, whatever is there.
    pub(crate) async fn put(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        self.check_open()?;
        let put = self.store.put(&self.at(key), PutPayload::from_bytes(bytes)).await;
        put.map(|_| ()).map_err(StoreError::backend("write", key))
    }

    /// Writes an object named by its content, and makes sure that it is there. Returns whether
    /// it was new.
    pub(crate) async fn put_object(
        &self,
        key: &Key,
        bytes: Bytes,
        env: &Env,
    ) -> Result<bool, StoreError> {
        let mut last = None;
        for attempt in 0..PUT_ATTEMPTS {
            if attempt > 0 {
                tokio::time::sleep(env.backoff(attempt + 3)).await;
            }
            match self.put_if_absent(key, bytes.clone()).await {
                Ok(Put::Created) => return Ok(true),
                Ok(Put::Refused) => match self.size(key).await? {
                    Some(size) if size == bytes.len() as u64 => return Ok(false),
                    Some(_) => {
                        // What is there cannot be what the key says. Putting it right is safe.
                        self.put(key, bytes).await?;
                        return Ok(true);
                    }
                    // Refused, and yet nothing there: racing puts were told to try again.
                    None => {}
                },
                // The answer was lost: it may have landed or not.
                Err(error) if self.is_worth_repeating(&error) => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or_else(|| {
            let source = "but it is not there".into();
            let source = Error::AlreadyExists { path: key.to_string(), source };
            StoreError::backend("write", key)(source)
        }))
    }

    /// Writes a large object in parts, whatever is there. Nothing is kept if the stream fails.
    pub(crate) async fn put_stream(&self, key: &Key, stream: ByteStream) -> Result<(), StoreError> {
        self.check_open()?;
        let size = stream.size;
        let sent = self.transfers.upload(&self.store, self.at(key), stream).await;
        match sent {
            // The answer to the last request may be what was lost.
            Err(error)
                if matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::NotFound)
                    && self.is_remote()
                    && self.size(key).await.is_ok_and(|found| found == Some(size)) =>
            {
                Ok(())
            }
            other => other,
        }
    }

    /// The first key right below `folder`, in the order of names, which must be of one length:
    /// of others not every server agrees on the order.
    pub(crate) async fn first_below(&self, folder: &Key) -> Result<Option<Key>, StoreError> {
        if let Some(local) = &self.local {
            let name =
                local.first_below(folder).map_err(StoreError::io(format!("list {folder}")))?;
            return Ok(name.map(|name| folder.parts().chain([name.into()]).collect()));
        }
        if let Some(page) = self.page(folder, 1, None).await {
            let (keys, _) = page?;
            return Ok(keys.into_iter().next());
        }
        let first = self.store.list(Some(&self.at(folder))).next().await;
        let first = first.transpose().map_err(StoreError::backend("list", folder))?;
        Ok(first.map(|meta| self.below(&meta.location)))
    }

    /// The newest slot of the log in `folder`, or a key that comes before it; `None` if there is
    /// none.
    pub(crate) async fn newest_slot(&self, folder: &Key) -> Result<Option<Key>, StoreError> {
        let Some(local) = &self.local else {
            return self.first_below(folder).await;
        };
        let name = local.newest_slot(folder).map_err(StoreError::io(format!("list {folder}")))?;
        Ok(name.map(|name| folder.parts().chain([name.into()]).collect()))
    }

    /// The names of the folders right below `folder`, in order.
    pub(crate) async fn folders(&self, folder: &Key) -> Result<Vec<String>, StoreError> {
        Ok(self.level(Some(folder)).await?.0)
    }

    /// All keys below `folder`, in order.
    pub(crate) async fn keys(&self, folder: &Key) -> Result<Vec<Key>, StoreError> {
        let at = self.at(folder);
        let list = self.store.list(Some(&at)).map_ok(|meta| self.below(&meta.location));
        let mut keys: Vec<_> =
            list.try_collect().await.map_err(StoreError::backend("list", folder))?;
        keys.sort_unstable();
        keys.dedup();
        Ok(keys)
    }

    /// All keys below `folder` with what there is to know of what is at them, in order. Of a key
    /// that is told twice, what was written last.
    pub(crate) async fn looks(&self, folder: &Key) -> Result<Vec<(Key, Looked)>, StoreError> {
        let at = self.at(folder);
        let list = self.store.list(Some(&at));
        let looks = list.map_ok(|meta| (self.below(&meta.location), Looked::of(&meta)));
        let mut looks: Vec<(Key, Looked)> =
            looks.try_collect().await.map_err(StoreError::backend("list", folder))?;
        looks.sort_unstable_by(|(a, at), (b, other)| {
            a.cmp(b).then_with(|| other.modified.cmp(&at.modified))
        });
        looks.dedup_by(|(key, _), (before, _)| key == before);
        Ok(looks)
    }

    /// The names of the folders and of the objects right below `folder`, or below the root, each
    /// once and in order.
    pub(crate) async fn level(
        &self,
        folder: Option<&Key>,
    ) -> Result<(Vec<String>, Vec<String>), StoreError> {
        let at = folder.map_or_else(|| self.prefix(), |folder| Some(self.at(folder)));
        let list = self.store.list_with_delimiter(at.as_ref()).await;
        let shown = folder.map_or("the bucket", AsRef::as_ref);
        let list = list.map_err(StoreError::backend("list", shown))?;
        let objects: Vec<_> = list.objects.into_iter().map(|meta| meta.location).collect();
        let [folders, objects] = [list.common_prefixes, objects].map(|keys| {
            let names = keys.iter().filter_map(|key| key.filename().map(str::to_owned));
            names.collect::<BTreeSet<_>>().into_iter().collect()
        });
        Ok((folders, objects))
    }

    /// A page of at most `max` keys below `folder`, and the token of the next; `None` where the
    /// store has no pages.
    pub(super) async fn page(
        &self,
        folder: &Key,
        max: usize,
        token: Option<String>,
    ) -> Option<Result<(Vec<Key>, Option<String>), StoreError>> {
        let pages = self.pages.as_ref()?;
        let options = PaginatedListOptions {
            max_keys: Some(max),
            page_token: token,
            ..PaginatedListOptions::default()
        };
        let page = pages.list_paginated(Some(&format!("{}/", self.at(folder))), options).await;
        Some(match page {
            Ok(page) => {
                let keys =
                    page.result.objects.iter().map(|meta| self.below(&meta.location)).collect();
                Ok((keys, page.page_token))
            }
            Err(error) => Err(StoreError::backend("list", folder)(error)),
        })
    }

    /// A part of the object at `key`; `None` if it is absent.
    pub(super) async fn range(
        &self,
        key: &Key,
        range: std::ops::Range<u64>,
    ) -> Result<Option<Bytes>, StoreError> {
        let options = GetOptions::default().with_range(Some(range));
        let Some(result) = self.get(key, options).await? else {
            return Ok(None);
        };
        result.bytes().await.map(Some).map_err(StoreError::backend("read", key))
    }

    /// Removes what is at `key`; absence is no error.
    pub(crate) async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        match self.store.delete(&self.at(key)).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(StoreError::backend("delete", key)(error)),
        }
    }

    /// The object at `key`. A bucket that is not there is an error, not absence.
    pub(super) async fn get(
        &self,
        key: &Key,
        options: GetOptions,
    ) -> Result<Option<GetResult>, StoreError> {
        match self.store.get_opts(&self.at(key), options).await {
            Ok(result) => Ok(Some(result)),
            Err(error @ Error::NotFound { .. }) if !cause::is_missing_bucket(&error) => Ok(None),
            Err(error) => Err(StoreError::backend("read", key)(error)),
        }
    }

    /// Whether an object of more than [`PART_BYTES`] is written in parts.
    pub(super) const fn is_large(size: u64) -> bool {
        size > PART_BYTES
    }

    /// The key in the bucket of a key of the store.
    fn at(&self, key: &Key) -> Key {
        self.root.parts().chain(key.parts()).collect()
    }

    /// The key of the store of a key in the bucket.
    fn below(&self, key: &Key) -> Key {
        match key.prefix_match(&self.root) {
            Some(rest) => rest.collect(),
            None => key.clone(),
        }
    }

    fn prefix(&self) -> Option<Key> {
        (!self.root.as_ref().is_empty()).then(|| self.root.clone())
    }

    /// On a folder an error is final.
    pub(crate) fn is_worth_repeating(&self, error: &StoreError) -> bool {
        self.is_remote() && error.kind() == ErrorKind::Unavailable
    }

    fn check_open(&self) -> Result<(), StoreError> {
        if self.closed.load(Ordering::Relaxed) { Err(StoreError::Closed) } else { Ok(()) }
    }
}
