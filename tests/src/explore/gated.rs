//! The store behind a gate, as one process sees it.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path as Key;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::access::Access;
use super::gate::Gate;

/// The store as one process sees it.
#[derive(Debug, Clone)]
pub struct GatedStore {
    gate: Gate,
    inner: Arc<dyn ObjectStore>,
    process: usize,
}

impl GatedStore {
    /// `inner` behind the gate, for one of the processes.
    pub fn new(gate: &Gate, inner: Arc<dyn ObjectStore>, process: usize) -> Self {
        Self { gate: gate.clone(), inner, process }
    }

    /// Waits for its turn, and notes what the call will be told: that depends on what is at its key,
    /// or below it.
    async fn enter(&self, access: Access) -> Result<()> {
        self.gate.enter(self.process, &access, &self.inner).await;
        let mut hasher = blake3::Hasher::new();
        hasher.update(access.to_string().as_bytes());
        let mut met = |meta: &ObjectMeta| {
            hasher.update(meta.location.as_ref().as_bytes());
            hasher.update(&self.gate.shown(meta.last_modified).to_be_bytes());
        };
        match &access {
            Access::List(below) => {
                let below: Vec<_> = self.inner.list(below.as_ref()).try_collect().await?;
                below.iter().for_each(met);
            }
            Access::Level(below) => {
                let level = self.inner.list_with_delimiter(below.as_ref()).await?;
                level.objects.iter().for_each(met);
                for folder in level.common_prefixes {
                    hasher.update(folder.as_ref().as_bytes());
                }
            }
            Access::Get(key) | Access::Head(key) | Access::Put(key) | Access::Delete(key) => {
                if let Ok(found) = self.inner.get_opts(key, GetOptions::default()).await {
                    met(&found.meta);
                    hasher.update(&found.bytes().await?);
                }
            }
        }
        self.gate.tell(self.process, &hasher.finalize());
        Ok(())
    }
}

impl fmt::Display for GatedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gated {}", self.inner)
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
        self.enter(Access::Put(key.clone())).await?;
        self.inner.put_opts(key, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        key: &Key,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.enter(Access::Put(key.clone())).await?;
        self.inner.put_multipart_opts(key, options).await
    }

    async fn get_opts(&self, key: &Key, options: GetOptions) -> Result<GetResult> {
        let access = if options.head { Access::Head } else { Access::Get };
        self.enter(access(key.clone())).await?;
        self.inner.get_opts(key, options).await
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
                store.enter(Access::Delete(key.clone())).await?;
                let one = stream::iter([Ok(key.clone())]).boxed();
                store.inner.delete_stream(one).try_collect::<Vec<_>>().await?;
                Ok(key)
            }
        })
        .boxed()
    }

    fn list(&self, prefix: Option<&Key>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (store, prefix) = (self.clone(), prefix.cloned());
        let listed = async move {
            match store.enter(Access::List(prefix.clone())).await {
                Ok(()) => store.inner.list(prefix.as_ref()),
                Err(error) => stream::iter([Err(error)]).boxed(),
            }
        };
        stream::once(listed).flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Key>) -> Result<ListResult> {
        self.enter(Access::Level(prefix.cloned())).await?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Key, to: &Key, options: CopyOptions) -> Result<()> {
        self.enter(Access::Put(to.clone())).await?;
        self.inner.copy_opts(from, to, options).await
    }
}
