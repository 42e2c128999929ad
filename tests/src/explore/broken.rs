//! Collections and writers that break one rule of garbage collection each, so that it shows what the
//! rule is for. Nothing of the real code is changed: it is shown another store than there is.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt, TryStreamExt};
use object_store::path::Path as Key;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result,
};

use super::aged::is_object;
use super::lists::{CONDEMNED, DELETED, GcEntry, LOG};

/// A rule that is broken, and by whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// A collection condemns what is young.
    CondemnsTheYoung,
    /// A collection deletes by where refs were when the list was published.
    DeletesByOldMarks,
    /// A collection does not look at an object right before it deletes it.
    DeletesWithoutALook,
    /// A collection deletes right after the list was published.
    DeletesAtOnce,
    /// A collection takes what its own clock says for the store's time; it is two days ahead.
    GoesByItsOwnClock,
    /// A collection forgets a list as soon as it was deleted.
    RetiresAtOnce,
    /// A collection takes a log that it could not list for an empty one.
    GoesOnAfterAnError,
    /// A collection does not look at the refs of people.
    ForgetsBranches,
    /// A collection lists the objects before it reads the logs.
    ListsObjectsFirst,
    /// A collection deletes nothing.
    DeletesNothing,
    /// A writer sees no list.
    HeedsNoLists,
    /// A writer that lives on looks for lists when it begins, and never again.
    LooksForListsOnce,
    /// A writer that puts again what is condemned looks at once whether it is there.
    LooksAgainAtOnce,
    /// A writer that puts again what is condemned does not look whether it is there.
    NeverLooksAgain,
    /// A writer moves a ref however long it took.
    TakesAnyTime,
    /// A writer does not put what it knows to have been there.
    RemembersWhatWasThere,
}

/// Whose store it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Of whoever writes and reads.
    Writer,
    /// Of whoever collects.
    Collector,
}

impl Broken {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::CondemnsTheYoung,
        Self::DeletesByOldMarks,
        Self::DeletesWithoutALook,
        Self::DeletesAtOnce,
        Self::GoesByItsOwnClock,
        Self::RetiresAtOnce,
        Self::GoesOnAfterAnError,
        Self::ForgetsBranches,
        Self::ListsObjectsFirst,
        Self::DeletesNothing,
        Self::HeedsNoLists,
        Self::LooksForListsOnce,
        Self::LooksAgainAtOnce,
        Self::NeverLooksAgain,
        Self::TakesAnyTime,
        Self::RemembersWhatWasThere,
    ];

    /// Those that do no harm by themselves: what protects against it is protected twice.
    pub const HARMLESS: [Self; 2] = [Self::CondemnsTheYoung, Self::ListsObjectsFirst];

    /// Whether it shows when one thing is done after the other.
    pub const fn is_sequential(self) -> bool {
        matches!(
            self,
            Self::GoesOnAfterAnError
                | Self::ForgetsBranches
                | Self::DeletesNothing
                | Self::RemembersWhatWasThere
        )
    }

    const fn role(self) -> Role {
        match self {
            Self::CondemnsTheYoung
            | Self::DeletesByOldMarks
            | Self::DeletesWithoutALook
            | Self::DeletesAtOnce
            | Self::GoesByItsOwnClock
            | Self::RetiresAtOnce
            | Self::GoesOnAfterAnError
            | Self::ForgetsBranches
            | Self::ListsObjectsFirst
            | Self::DeletesNothing => Role::Collector,
            Self::HeedsNoLists
            | Self::LooksForListsOnce
            | Self::LooksAgainAtOnce
            | Self::NeverLooksAgain
            | Self::TakesAnyTime
            | Self::RemembersWhatWasThere => Role::Writer,
        }
    }

    /// `store` as one who breaks the rule sees it; `past` is what was ever there.
    pub fn show(
        self,
        role: Role,
        store: Arc<dyn ObjectStore>,
        past: &BTreeSet<Key>,
    ) -> Arc<dyn ObjectStore> {
        if self.role() != role {
            return store;
        }
        let memory = Mutex::new(Memory { past: past.clone(), ..Memory::default() });
        Arc::new(BrokenStore { inner: store, rule: self, memory })
    }
}

/// What is remembered of a store.
#[derive(Debug, Default)]
struct Memory {
    /// What was there once.
    past: BTreeSet<Key>,
    /// What is said to be there whether it is or not, with its size.
    said: BTreeMap<Key, u64>,
    /// The objects, as they were listed first.
    objects: Option<Vec<ObjectMeta>>,
    /// The log of collections, as it was listed first.
    log: Option<Vec<ObjectMeta>>,
}

/// A store as one who breaks a rule sees it.
#[derive(Debug)]
struct BrokenStore {
    inner: Arc<dyn ObjectStore>,
    rule: Broken,
    memory: Mutex<Memory>,
}

impl BrokenStore {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a key is that of an entry of the log of collections with this event.
    async fn is_event(&self, key: &Key, event: u64) -> bool {
        let Ok(found) = self.inner.get(key).await else { return false };
        let bytes = found.bytes().await.unwrap_or_default();
        GcEntry::parse(&bytes).is_some_and(|entry| entry.event == event)
    }

    /// What a look at a key is told.
    async fn looked(&self, key: &Key, meta: ObjectMeta) -> ObjectMeta {
        let in_log = key.prefix_matches(&Key::from(LOG));
        match self.rule {
            Broken::DeletesWithoutALook if is_object(key) => at(meta, DateTime::UNIX_EPOCH),
            Broken::DeletesAtOnce if in_log && self.is_event(key, CONDEMNED).await => {
                earlier(meta, Duration::from_hours(25))
            }
            Broken::RetiresAtOnce if in_log && self.is_event(key, DELETED).await => {
                earlier(meta, Duration::from_hours(25))
            }
            Broken::GoesByItsOwnClock if key.as_ref().starts_with("gc/clock/") => {
                let ahead = meta.last_modified + Duration::from_hours(48);
                at(meta, ahead)
            }
            _ => meta,
        }
    }

    /// What a list of what is below `prefix` tells.
    async fn listed(&self, prefix: Option<&Key>) -> Result<Vec<ObjectMeta>> {
        let below = prefix.map(Key::as_ref).unwrap_or_default().to_owned();
        let list = || self.inner.list(prefix).try_collect::<Vec<_>>();
        let of_log = below.starts_with(LOG);
        match self.rule {
            Broken::CondemnsTheYoung => {
                let shown = |meta: ObjectMeta| {
                    if !is_object(&meta.location) {
                        return meta;
                    }
                    earlier(meta, Duration::from_hours(48))
                };
                Ok(list().await?.into_iter().map(shown).collect())
            }
            Broken::DeletesByOldMarks if below.starts_with("refs/") => {
                let published = self.published().await?;
                let mut all = list().await?;
                all.retain(|meta| published.is_none_or(|at| meta.last_modified <= at));
                Ok(all)
            }
            Broken::GoesOnAfterAnError if below.starts_with("refs/book/users") => Ok(Vec::new()),
            Broken::ListsObjectsFirst if is_object(&Key::from(below.clone())) => {
                let known = self.objects().await?;
                let prefix = prefix.cloned().unwrap_or_default();
                Ok(known.into_iter().filter(|at| at.location.prefix_matches(&prefix)).collect())
            }
            Broken::HeedsNoLists if of_log => Ok(Vec::new()),
            Broken::LooksForListsOnce if of_log => {
                let known = self.memory().log.clone();
                let all = match known {
                    Some(known) => known,
                    None => list().await?,
                };
                self.memory().log = Some(all.clone());
                Ok(all)
            }
            _ => list().await,
        }
    }

    /// When the newest list that is yet to be deleted was published.
    async fn published(&self) -> Result<Option<DateTime<Utc>>> {
        let slots: Vec<_> = self.inner.list(Some(&Key::from(LOG))).try_collect().await?;
        let mut published = None;
        for slot in &slots {
            let bytes = self.inner.get(&slot.location).await?.bytes().await?;
            if GcEntry::parse(&bytes).is_some_and(|entry| entry.event == CONDEMNED) {
                published = published.max(Some(slot.last_modified));
            }
        }
        Ok(published)
    }

    /// The objects, as they were when they were asked for first.
    async fn objects(&self) -> Result<Vec<ObjectMeta>> {
        let known = self.memory().objects.clone();
        if let Some(known) = known {
            return Ok(known);
        }
        let mut all = Vec::new();
        for folder in ["blobs", "trees", "commits"] {
            let below: Vec<_> = self.inner.list(Some(&Key::from(folder))).try_collect().await?;
            all.extend(below);
        }
        self.memory().objects = Some(all.clone());
        Ok(all)
    }
}

fn at(meta: ObjectMeta, last_modified: DateTime<Utc>) -> ObjectMeta {
    ObjectMeta { last_modified, ..meta }
}

fn earlier(meta: ObjectMeta, by: Duration) -> ObjectMeta {
    let before = meta.last_modified - by;
    at(meta, before)
}

impl fmt::Display for BrokenStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.rule, self.inner)
    }
}

#[async_trait]
impl ObjectStore for BrokenStore {
    async fn put_opts(
        &self,
        key: &Key,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        if is_object(key) {
            let size = payload.content_length() as u64;
            let creates = options.mode == PutMode::Create;
            if self.rule == Broken::RemembersWhatWasThere
                && creates
                && self.memory().past.contains(key)
            {
                self.memory().said.insert(key.clone(), size);
                let source = "it was there".into();
                return Err(Error::AlreadyExists { path: key.to_string(), source });
            }
            if self.rule == Broken::NeverLooksAgain && !creates {
                self.memory().said.insert(key.clone(), size);
            }
        }
        self.inner.put_opts(key, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        key: &Key,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(key, options).await
    }

    async fn get_opts(&self, key: &Key, options: GetOptions) -> Result<GetResult> {
        let head = options.head;
        if self.rule == Broken::ListsObjectsFirst {
            self.objects().await?;
        }
        let said = if head { self.memory().said.remove(key) } else { None };
        if let Some(size) = said {
            let meta = ObjectMeta {
                location: key.clone(),
                last_modified: DateTime::UNIX_EPOCH,
                size,
                e_tag: None,
                version: None,
            };
            let payload = object_store::GetResultPayload::Stream(stream::empty().boxed());
            let attributes = object_store::Attributes::default();
            let extensions = object_store::Extensions::default();
            return Ok(GetResult { payload, meta, range: 0..0, attributes, extensions });
        }
        let found = self.inner.get_opts(key, options).await?;
        if head {
            let meta = self.looked(key, found.meta.clone()).await;
            return Ok(GetResult { meta, ..found });
        }
        Ok(found)
    }

    fn delete_stream(
        &self,
        keys: BoxStream<'static, Result<Key>>,
    ) -> BoxStream<'static, Result<Key>> {
        if self.rule == Broken::DeletesNothing {
            return keys;
        }
        self.inner.delete_stream(keys)
    }

    fn list(&self, prefix: Option<&Key>) -> BoxStream<'static, Result<ObjectMeta>> {
        // What is in memory is there at once.
        let listed = self.listed(prefix).now_or_never().expect("memory keeps nobody waiting");
        match listed {
            Ok(all) => stream::iter(all.into_iter().map(Ok)).boxed(),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Key>) -> Result<ListResult> {
        let mut found = self.inner.list_with_delimiter(prefix).await?;
        if self.rule == Broken::ForgetsBranches {
            found.common_prefixes.retain(|folder| !folder.as_ref().contains("users"));
        }
        Ok(found)
    }

    async fn copy_opts(&self, from: &Key, to: &Key, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
