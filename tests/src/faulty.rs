//! An object store that fails by plan: at the n-th call, in a chosen way.
//!
//! [`FaultyStore`] wraps any store, counts the calls to it and does two things at chosen numbers:
//! it injects a [`Fault`], or it runs somebody else's action first (a hook). Running a script
//! once for every number, until the script ends before that number is reached, covers every
//! failure at every call and every point at which another writer can come between.
//!
//! What counts as one call: a put, a get (also a head), a list, each part and the completion of
//! an upload, a copy, a stream of deletions. A list counts when its first item is asked for.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt, TryStreamExt};
use object_store::path::Path as Key;
use object_store::{
    CopyMode, CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result, UploadPart,
};

/// One way to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Any call: an error, and nothing was done.
    Refused,
    /// A write: it was done, and then an error.
    AnswerLost,
    /// A create: the answer is that the key is taken, and nothing was done.
    FalselyTaken,
    /// A create: it was done, and the answer is that the key is taken.
    TakenByItself,
    /// A create: an error, and the write lands that many calls later, unless the key is taken
    /// by then.
    Late(u64),
    /// A read: it breaks off with an error half-way.
    BreaksOff,
    /// A read: one bit in the middle is wrong.
    BitFlipped,
    /// A read: it ends half-way as if that were all.
    Truncated,
}

impl Fault {
    /// Every kind; the late ones by 1, 2 and 5 calls.
    pub const ALL: [Self; 10] = [
        Self::Refused,
        Self::AnswerLost,
        Self::FalselyTaken,
        Self::TakenByItself,
        Self::Late(1),
        Self::Late(2),
        Self::Late(5),
        Self::BreaksOff,
        Self::BitFlipped,
        Self::Truncated,
    ];

    /// Whether a call of this sort can fail in this way.
    const fn applies(self, call: Call) -> bool {
        match self {
            Self::Refused => true,
            Self::AnswerLost => matches!(call, Call::Create | Call::Write),
            Self::FalselyTaken | Self::TakenByItself | Self::Late(_) => {
                matches!(call, Call::Create)
            }
            Self::BreaksOff | Self::BitFlipped | Self::Truncated => matches!(call, Call::Read),
        }
    }
}

/// The sorts of call, as far as they can fail differently.
#[derive(Debug, Clone, Copy)]
enum Call {
    /// A put that must not overwrite.
    Create,
    /// Any other write.
    Write,
    /// A get of bytes.
    Read,
    /// A head or a list.
    Look,
}

/// What runs before a call.
type Hook = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;

/// A store that fails by plan. Clones share the plan and the count.
#[derive(Clone)]
pub struct FaultyStore {
    inner: Arc<dyn ObjectStore>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// How many calls began.
    calls: u64,
    /// How many faults were injected.
    injected: u64,
    faults: BTreeMap<u64, Fault>,
    hooks: BTreeMap<u64, Hook>,
    late: Vec<LateCreate>,
}

/// A create whose error was answered before it was done.
struct LateCreate {
    /// It lands before the call of this number.
    due: u64,
    key: Key,
    payload: PutPayload,
}

impl FaultyStore {
    /// `inner` without any fault.
    pub fn new(inner: Arc<dyn ObjectStore>) -> Self {
        Self { inner, state: Arc::default() }
    }

    /// The same with `fault` at the `n`-th call from now on, counted from 1. A call that cannot
    /// fail in that way is left alone.
    #[must_use]
    pub fn with_fault(self, n: u64, fault: Fault) -> Self {
        {
            let mut state = self.lock();
            let at = state.calls + n;
            state.faults.insert(at, fault);
        }
        self
    }

    /// The same with `hook` to be run to its end before the `n`-th call from now on, counted
    /// from 1.
    #[must_use]
    pub fn with_hook<F, Fut>(self, n: u64, hook: F) -> Self
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        {
            let mut state = self.lock();
            let at = state.calls + n;
            state.hooks.insert(at, Box::new(|| hook().boxed()));
        }
        self
    }

    /// How many calls began so far.
    pub fn calls(&self) -> u64 {
        self.lock().calls
    }

    /// How many faults were injected so far.
    pub fn injected(&self) -> u64 {
        self.lock().injected
    }

    /// Lets every late create land that has not yet.
    pub async fn settle(&self) {
        let late = std::mem::take(&mut self.lock().late);
        self.land(late).await;
    }

    /// Counts a call, lets what is due land, runs the hook, and says how the call is to fail.
    async fn enter(&self, call: Call) -> Option<Fault> {
        let (late, hook, fault) = {
            let mut state = self.lock();
            state.calls += 1;
            let now = state.calls;
            let waiting = std::mem::take(&mut state.late);
            let (due, later) = waiting.into_iter().partition(|create| create.due <= now);
            state.late = later;
            let fault = state.faults.remove(&now);
            (due, state.hooks.remove(&now), fault)
        };
        self.land(late).await;
        if let Some(hook) = hook {
            hook().await;
        }
        let fault = fault.filter(|fault| fault.applies(call));
        self.lock().injected += u64::from(fault.is_some());
        fault
    }

    async fn land(&self, late: Vec<LateCreate>) {
        for create in late {
            // Nobody waits for the answer any more.
            let _ = self.inner.put_opts(&create.key, create.payload, PutMode::Create.into()).await;
        }
    }

    /// For a call that can only be refused.
    async fn may_refuse(&self, call: Call) -> Result<()> {
        match self.enter(call).await {
            None => Ok(()),
            Some(_) => Err(failure()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("FaultyStore")
            .field("inner", &self.inner)
            .field("calls", &state.calls)
            .field("faults", &state.faults)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "faulty {}", self.inner)
    }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(
        &self,
        key: &Key,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let call = match options.mode {
            PutMode::Create => Call::Create,
            PutMode::Overwrite | PutMode::Update(_) => Call::Write,
        };
        let fault = self.enter(call).await;
        match fault {
            None => self.inner.put_opts(key, payload, options).await,
            Some(Fault::FalselyTaken) => Err(taken(key)),
            Some(Fault::TakenByItself) => {
                self.inner.put_opts(key, payload, options).await?;
                Err(taken(key))
            }
            Some(Fault::AnswerLost) => {
                self.inner.put_opts(key, payload, options).await?;
                Err(failure())
            }
            Some(Fault::Late(calls)) => {
                let mut state = self.lock();
                let due = state.calls + calls;
                let key = key.clone();
                state.late.push(LateCreate { due, key, payload });
                Err(failure())
            }
            Some(_) => Err(failure()),
        }
    }

    async fn put_multipart_opts(
        &self,
        key: &Key,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.may_refuse(Call::Look).await?;
        let inner = self.inner.put_multipart_opts(key, options).await?;
        Ok(Box::new(FaultyUpload { store: self.clone(), inner }))
    }

    async fn get_opts(&self, key: &Key, options: GetOptions) -> Result<GetResult> {
        let call = if options.head { Call::Look } else { Call::Read };
        let fault = self.enter(call).await;
        if fault == Some(Fault::Refused) {
            return Err(failure());
        }
        let result = self.inner.get_opts(key, options).await?;
        match fault {
            None => Ok(result),
            Some(fault) => spoiled(result, fault).await,
        }
    }

    fn delete_stream(
        &self,
        keys: BoxStream<'static, Result<Key>>,
    ) -> BoxStream<'static, Result<Key>> {
        let store = self.clone();
        let deleted = async move {
            match store.enter(Call::Write).await {
                None => store.inner.delete_stream(keys),
                Some(Fault::AnswerLost) => {
                    let _ = store.inner.delete_stream(keys).collect::<Vec<_>>().await;
                    stream::iter([Err(failure())]).boxed()
                }
                Some(_) => stream::iter([Err(failure())]).boxed(),
            }
        };
        stream::once(deleted).flatten().boxed()
    }

    fn list(&self, prefix: Option<&Key>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (store, prefix) = (self.clone(), prefix.cloned());
        let listed = async move {
            match store.may_refuse(Call::Look).await {
                Ok(()) => store.inner.list(prefix.as_ref()),
                Err(error) => stream::iter([Err(error)]).boxed(),
            }
        };
        stream::once(listed).flatten().boxed()
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Key>,
        offset: &Key,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let (store, prefix, offset) = (self.clone(), prefix.cloned(), offset.clone());
        let listed = async move {
            match store.may_refuse(Call::Look).await {
                Ok(()) => store.inner.list_with_offset(prefix.as_ref(), &offset),
                Err(error) => stream::iter([Err(error)]).boxed(),
            }
        };
        stream::once(listed).flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Key>) -> Result<ListResult> {
        self.may_refuse(Call::Look).await?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Key, to: &Key, options: CopyOptions) -> Result<()> {
        let fault = self.enter(Call::Write).await;
        let taken_means_lost = matches!(options.mode, CopyMode::Create);
        match fault {
            None => self.inner.copy_opts(from, to, options).await,
            Some(Fault::AnswerLost) => match self.inner.copy_opts(from, to, options).await {
                Err(error) if taken_means_lost => Err(error),
                _ => Err(failure()),
            },
            Some(_) => Err(failure()),
        }
    }
}

/// An upload whose parts and completion are calls of their own.
#[derive(Debug)]
struct FaultyUpload {
    store: FaultyStore,
    inner: Box<dyn MultipartUpload>,
}

#[async_trait]
impl MultipartUpload for FaultyUpload {
    fn put_part(&mut self, payload: PutPayload) -> UploadPart {
        let store = self.store.clone();
        let part = self.inner.put_part(payload);
        async move {
            match store.enter(Call::Write).await {
                None => part.await,
                Some(Fault::AnswerLost) => {
                    part.await?;
                    Err(failure())
                }
                Some(_) => Err(failure()),
            }
        }
        .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        match self.store.enter(Call::Write).await {
            None => self.inner.complete().await,
            Some(Fault::AnswerLost) => {
                self.inner.complete().await?;
                Err(failure())
            }
            Some(_) => Err(failure()),
        }
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}

/// The same answer to a get, with its bytes spoiled. The announced size stays.
async fn spoiled(result: GetResult, fault: Fault) -> Result<GetResult> {
    let (meta, range) = (result.meta.clone(), result.range.clone());
    let (attributes, extensions) = (result.attributes.clone(), result.extensions.clone());
    let mut bytes = result.bytes().await?.to_vec();
    let half = bytes.len() / 2;
    let mut end = None;
    match fault {
        Fault::BitFlipped => {
            if let Some(byte) = bytes.get_mut(half) {
                *byte ^= 1;
            }
        }
        Fault::BreaksOff => {
            bytes.truncate(half);
            end = Some(Err(failure()));
        }
        _ => bytes.truncate(half),
    }
    let pieces = [Ok(Bytes::from(bytes))].into_iter().chain(end);
    Ok(GetResult {
        payload: GetResultPayload::Stream(stream::iter(pieces).boxed()),
        meta,
        range,
        attributes,
        extensions,
    })
}

/// The error of a call that failed by plan.
fn failure() -> Error {
    Error::Generic { store: "faulty", source: "failed by plan".into() }
}

/// The answer to a create whose key is said to be taken.
fn taken(key: &Key) -> Error {
    Error::AlreadyExists { path: key.to_string(), source: "said by plan".into() }
}

/// Everything in a store: each key with its bytes.
pub async fn snapshot(store: &dyn ObjectStore) -> Result<BTreeMap<Key, Bytes>> {
    let keys: Vec<_> = store.list(None).map_ok(|meta| meta.location).try_collect().await?;
    let mut all = BTreeMap::new();
    for key in keys {
        let result = store.get_opts(&key, GetOptions::default()).await?;
        all.insert(key, result.bytes().await?);
    }
    Ok(all)
}
