//! Multipart uploads: parts written into one temporary file, in place.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::FutureExt;
use object_store::path::Path as Key;
use object_store::{MultipartUpload, PutMode, PutPayload, PutResult, Result, UploadPart};

use super::temp::TempFile;
use super::{LocalStore, failed};

/// An upload under way. Dropping it without completing it removes what was written.
pub(super) struct Upload {
    store: LocalStore,
    key: Key,
    temp: Option<Arc<TempFile>>,
    /// Where the next part begins, in bytes.
    offset: u64,
}

impl Upload {
    pub(super) fn new(store: LocalStore, key: Key, temp: TempFile) -> Self {
        Self { store, key, temp: Some(Arc::new(temp)), offset: 0 }
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload")
            .field("key", &self.key)
            .field("offset", &self.offset)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, payload: PutPayload) -> UploadPart {
        let (key, temp, mut offset) = (self.key.clone(), self.temp.clone(), self.offset);
        self.offset += payload.content_length() as u64;
        async move {
            let temp = temp.ok_or_else(|| failed(&key, std::io::ErrorKind::NotConnected.into()))?;
            for part in &payload {
                temp.write_at(part, offset).map_err(|error| failed(&key, error))?;
                offset += part.len() as u64;
            }
            Ok(())
        }
        .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let temp = self.temp.take().and_then(Arc::into_inner);
        let mut temp =
            temp.ok_or_else(|| failed(&self.key, std::io::ErrorKind::NotConnected.into()))?;
        temp.sync().map_err(|error| failed(&self.key, error))?;
        self.store.settle(temp, &self.key, &PutMode::Overwrite)
    }

    async fn abort(&mut self) -> Result<()> {
        self.temp = None;
        Ok(())
    }
}
