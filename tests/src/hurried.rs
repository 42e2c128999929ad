//! A clock that many processes share and in which days pass within seconds, and a store that goes
//! by it.
//!
//! The clock goes as the machine's does, and now and then whoever keeps it lets hours pass at once.
//! What must take no time is done while none can pass: a deletion that comes more than
//! [`limits::DELETE_DEADLINE`] after the look at what it deletes is not done, as a request has a
//! deadline.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use cas_core::env::{Clock, Env, Timestamp};
use cas_core::limits;
use chrono::{DateTime, Utc};
use futures::StreamExt;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::BoxStream;
use object_store::path::Path as Key;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// The length of a leap in the clock's file: when it was, and how far the clock is ahead since, both
/// in microseconds.
const LEAP: usize = 16;

/// More than a step of the clock that stamps files.
const STEP: Duration = Duration::from_millis(11);

/// How often a sleeper looks at the clock.
const LOOK: Duration = Duration::from_millis(1);

/// A clock in a file.
#[derive(Debug, Clone)]
pub struct HurriedClock {
    path: Arc<Path>,
    file: Arc<File>,
    machine: Arc<dyn Clock>,
    /// What was read of the file.
    leaps: Arc<Mutex<Vec<Leap>>>,
}

/// Hours that passed at once.
#[derive(Debug, Clone, Copy)]
struct Leap {
    /// When, by the machine's clock.
    when: u64,
    /// How far the clock is ahead since.
    ahead: u64,
}

impl HurriedClock {
    /// The clock in the file at `path`, which goes as the machine's if it is new.
    ///
    /// # Errors
    ///
    /// The file cannot be opened.
    pub fn open(path: PathBuf) -> io::Result<Self> {
        let file = File::options().create(true).read(true).append(true).open(&path)?;
        let (file, machine) = (Arc::new(file), Env::system().clock);
        Ok(Self { path: path.into(), file, machine, leaps: Arc::default() })
    }

    /// Lets time pass, when nobody does what must take none. What is written when this is over is
    /// stamped later: a file system's clock goes by steps.
    ///
    /// # Errors
    ///
    /// The file cannot be locked or written to.
    pub fn leap(&self, by: Duration) -> io::Result<()> {
        let mut file = File::options().append(true).open(&self.path)?;
        file.lock()?;
        let by = u64::try_from(by.as_micros()).unwrap_or(u64::MAX);
        let mut leap = [0; LEAP];
        leap[..8].copy_from_slice(&self.machine.now().as_micros().to_le_bytes());
        leap[8..].copy_from_slice(&(self.ahead() + by).to_le_bytes());
        file.write_all(&leap)?;
        std::thread::sleep(STEP);
        Ok(())
    }

    /// Lets no time pass until the answer is dropped.
    fn stopped(&self) -> io::Result<File> {
        let file = File::open(&self.path)?;
        file.lock_shared()?;
        Ok(file)
    }

    /// Does something with all leaps there were, in their order.
    fn with_leaps<T>(&self, look: impl FnOnce(&[Leap]) -> T) -> T {
        let mut known = self.leaps.lock().unwrap_or_else(PoisonError::into_inner);
        let length = self.file.metadata().map_or(0, |found| found.len());
        let mut leap = [0; LEAP];
        while (known.len() + 1) * LEAP <= usize::try_from(length).unwrap_or(0)
            && self.file.read_exact_at(&mut leap, (known.len() * LEAP) as u64).is_ok()
        {
            let [when, ahead] = [&leap[..8], &leap[8..]]
                .map(|number| number.try_into().map_or(0, u64::from_le_bytes));
            known.push(Leap { when, ahead });
        }
        look(&known)
    }

    /// How far it is ahead now, in microseconds.
    fn ahead(&self) -> u64 {
        self.with_leaps(|leaps| leaps.last().map_or(0, |leap| leap.ahead))
    }

    /// What the clock said when the machine's said `micros`.
    fn at(&self, micros: u64) -> u64 {
        self.with_leaps(|leaps| {
            let before = leaps.partition_point(|leap| leap.when <= micros);
            micros + before.checked_sub(1).map_or(0, |last| leaps[last].ahead)
        })
    }
}

impl Clock for HurriedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.machine.now().as_micros() + self.ahead())
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        let clock = self.clone();
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let until = self.now().as_micros().saturating_add(micros);
        async move {
            while clock.now().as_micros() < until {
                tokio::time::sleep(LOOK).await;
            }
        }
        .boxed()
    }
}

/// A store that goes by a hurried clock, and lists in order as a bucket does, which a folder does
/// not.
#[derive(Debug, Clone)]
pub struct HurriedStore {
    inner: Arc<dyn ObjectStore>,
    clock: HurriedClock,
    /// When each key was looked at last, by this process.
    looked: Arc<Mutex<BTreeMap<Key, Timestamp>>>,
}

impl HurriedStore {
    /// `inner`, which goes by the machine's clock.
    pub fn new(inner: Arc<dyn ObjectStore>, clock: HurriedClock) -> Self {
        Self { inner, clock, looked: Arc::default() }
    }

    fn dated(&self, meta: ObjectMeta) -> ObjectMeta {
        let micros = u64::try_from(meta.last_modified.timestamp_micros()).unwrap_or(0);
        let time = i64::try_from(self.clock.at(micros)).unwrap_or(i64::MAX);
        let last_modified = DateTime::<Utc>::from_timestamp_micros(time).unwrap_or_default();
        ObjectMeta { last_modified, ..meta }
    }

    /// Deletes a key, unless it was looked at too long ago.
    async fn delete_in_time(&self, key: Key) -> Result<Key> {
        let _stopped = self.clock.stopped().map_err(failed)?;
        let looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        let since = |looked: Timestamp| {
            Duration::from_micros(self.clock.now().as_micros().saturating_sub(looked.as_micros()))
        };
        if looked.is_some_and(|looked| since(looked) > limits::DELETE_DEADLINE) {
            return Err(failed(io::Error::from(io::ErrorKind::TimedOut)));
        }
        let keys = futures::stream::iter([Ok(key.clone())]).boxed();
        match self.inner.delete_stream(keys).next().await {
            Some(deleted) => deleted,
            None => Ok(key),
        }
    }
}

fn failed(error: io::Error) -> Error {
    Error::Generic { store: "hurried", source: Box::new(error) }
}

impl fmt::Display for HurriedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hurried {}", self.inner)
    }
}

#[async_trait]
impl ObjectStore for HurriedStore {
    async fn put_opts(
        &self,
        key: &Key,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
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
        if options.head {
            let now = self.clock.now();
            self.looked.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), now);
        }
        let found = self.inner.get_opts(key, options).await?;
        Ok(GetResult { meta: self.dated(found.meta), ..found })
    }

    fn delete_stream(
        &self,
        keys: BoxStream<'static, Result<Key>>,
    ) -> BoxStream<'static, Result<Key>> {
        let this = self.clone();
        keys.then(move |key| {
            let this = this.clone();
            async move { this.delete_in_time(key?).await }
        })
        .boxed()
    }

    fn list(&self, prefix: Option<&Key>) -> BoxStream<'static, Result<ObjectMeta>> {
        let this = self.clone();
        let listed = self.inner.list(prefix).collect::<Vec<_>>();
        let sorted = async move {
            let mut listed = listed.await;
            listed.sort_by(|a, b| match (a, b) {
                (Ok(a), Ok(b)) => a.location.cmp(&b.location),
                (a, b) => a.is_ok().cmp(&b.is_ok()),
            });
            futures::stream::iter(listed)
        };
        let dated = move |meta: Result<_>| meta.map(|meta| this.dated(meta));
        sorted.flatten_stream().map(dated).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Key>) -> Result<ListResult> {
        let mut found = self.inner.list_with_delimiter(prefix).await?;
        found.objects = found.objects.into_iter().map(|meta| self.dated(meta)).collect();
        Ok(found)
    }

    async fn copy_opts(&self, from: &Key, to: &Key, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
