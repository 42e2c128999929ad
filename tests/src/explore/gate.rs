//! A store whose calls wait until they are let through, one at a time, so that whoever holds the
//! gate decides in which order the calls of several processes happen.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::path::Path as Key;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tokio::sync::oneshot;

/// Which calls wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grain {
    /// Every call.
    Fine,
    /// Those to refs. Calls to objects go through when they come: what an object's key holds never
    /// differs, so those of different processes change nothing for one another.
    Refs,
}

/// The gate of several processes.
#[derive(Debug, Clone)]
pub struct Gate {
    grain: Grain,
    processes: Arc<Mutex<Vec<Process>>>,
}

#[derive(Debug)]
struct Process {
    /// Calls that wait, in the order in which they came, and what lets them through.
    waiting: VecDeque<(String, oneshot::Sender<()>)>,
    /// All that it was told so far, hashed: what it does next depends on nothing else.
    history: blake3::Hash,
}

impl Gate {
    /// A gate for so many processes.
    pub fn new(processes: usize, grain: Grain) -> Self {
        let new = |_| Process { waiting: VecDeque::new(), history: blake3::hash(b"") };
        Self { grain, processes: Arc::new(Mutex::new((0..processes).map(new).collect())) }
    }

    /// The store behind the gate, for one of the processes.
    pub fn store(&self, memory: Arc<InMemory>, process: usize) -> GatedStore {
        GatedStore { gate: self.clone(), memory, process }
    }

    /// Whether a process waits.
    pub fn is_waiting(&self, process: usize) -> bool {
        !self.lock()[process].waiting.is_empty()
    }

    /// Lets the first call of a process through, and says which one it was. `None` if none waits.
    pub fn let_through(&self, process: usize) -> Option<String> {
        let (call, permit) = self.lock()[process].waiting.pop_front()?;
        // Whoever waited may have been dropped.
        let _ = permit.send(());
        Some(call)
    }

    /// What all processes were told so far, as one hash.
    pub fn histories(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        for process in &*self.lock() {
            hasher.update(process.history.as_bytes());
        }
        hasher.finalize()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Process>> {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The store as one process sees it.
#[derive(Debug, Clone)]
pub struct GatedStore {
    gate: Gate,
    memory: Arc<InMemory>,
    process: usize,
}

impl GatedStore {
    /// Waits for its turn, and notes what the call will be told: that depends on what is at its key,
    /// or below it.
    async fn enter(&self, what: &str, key: Option<&Key>) -> Result<()> {
        let at = key.map(Key::as_ref).unwrap_or_default();
        let call = format!("{what} {at}");
        if self.gate.grain == Grain::Fine || at.starts_with("refs") {
            let (permit, permitted) = oneshot::channel();
            self.gate.lock()[self.process].waiting.push_back((call.clone(), permit));
            // The gate lives as long as the processes are driven.
            let _ = permitted.await;
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.gate.lock()[self.process].history.as_bytes());
        hasher.update(call.as_bytes());
        if what == "list" {
            let below: Vec<_> = self.memory.list(key).try_collect().await?;
            for meta in below {
                hasher.update(meta.location.as_ref().as_bytes());
            }
        } else if let Some(key) = key
            && let Ok(found) = self.memory.get_opts(key, GetOptions::default()).await
        {
            hasher.update(&found.bytes().await?);
        }
        self.gate.lock()[self.process].history = hasher.finalize();
        Ok(())
    }
}

impl fmt::Display for GatedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gated {}", self.memory)
    }
}

#[async_trait]
impl ObjectStore for GatedStore {
    async fn put_opts(
        &self,
        key: &Key,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.enter("put", Some(key)).await?;
        self.memory.put_opts(key, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        key: &Key,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.enter("put", Some(key)).await?;
        self.memory.put_multipart_opts(key, options).await
    }

    async fn get_opts(&self, key: &Key, options: GetOptions) -> Result<GetResult> {
        self.enter(if options.head { "head" } else { "get" }, Some(key)).await?;
        self.memory.get_opts(key, options).await
    }

    fn delete_stream(
        &self,
        keys: BoxStream<'static, Result<Key>>,
    ) -> BoxStream<'static, Result<Key>> {
        let store = self.clone();
        keys.then(move |key| {
            let store = store.clone();
            async move {
                let key = key?;
                store.enter("delete", Some(&key)).await?;
                let one = stream::iter([Ok(key.clone())]).boxed();
                store.memory.delete_stream(one).try_collect::<Vec<_>>().await?;
                Ok(key)
            }
        })
        .boxed()
    }

    fn list(&self, prefix: Option<&Key>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (store, prefix) = (self.clone(), prefix.cloned());
        let listed = async move {
            match store.enter("list", prefix.as_ref()).await {
                Ok(()) => store.memory.list(prefix.as_ref()),
                Err(error) => stream::iter([Err(error)]).boxed(),
            }
        };
        stream::once(listed).flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Key>) -> Result<ListResult> {
        self.enter("list", prefix).await?;
        self.memory.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Key, to: &Key, options: CopyOptions) -> Result<()> {
        self.enter("copy", Some(to)).await?;
        self.memory.copy_opts(from, to, options).await
    }
}
