//! Objects of a server, read by id.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use reqwest::header::{HeaderValue, RANGE};
use serde::Deserialize;
use tokio::task::AbortHandle;

use super::RemoteError;
use super::client::{Answer, Call, Client, Failed};
use super::coming::{Coming, Place};
use super::fetch::bring;
use super::writer::RemoteWriter;
use crate::name::{Hash, HashPrefix};
use crate::object::Kind;
use crate::store::{ByteStream, ObjectWriter, Objects, Prefetch, StoreError, Want};

/// The objects of a server.
#[derive(Debug)]
pub(super) struct RemoteObjects {
    client: Client,
    /// What was announced and not taken back, the oldest first.
    coming: Mutex<Vec<Weak<Coming>>>,
}

/// Keeps what is coming, until it is dropped.
struct Held {
    _coming: Arc<Coming>,
    task: AbortHandle,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The answer of `GET /v1/raw/ids`.
#[derive(Debug, Deserialize)]
struct Ids {
    ids: Vec<Hash>,
}

impl RemoteObjects {
    pub(super) fn new(client: Client) -> Self {
        Self { client, coming: Mutex::default() }
    }

    /// The object, if it was announced and came.
    async fn announced(&self, kind: Kind, id: &Hash) -> Option<(Arc<Coming>, Place)> {
        let all: Vec<_> = {
            let mut coming = self.coming.lock().unwrap_or_else(PoisonError::into_inner);
            coming.retain(|coming| coming.strong_count() > 0);
            coming.iter().rev().filter_map(Weak::upgrade).collect()
        };
        for coming in all {
            if let Some(place) = coming.find(kind, id).await {
                return Some((coming, place));
            }
        }
        None
    }

    /// The beginning of an answer with the object and its size; `None` if it is absent.
    async fn begin_read(&self, call: &Call) -> Result<Option<(Answer, u64)>, Failed> {
        let answer = match self.client.send_once(call).await {
            Ok(answer) => answer,
            Err(failed) if failed.error.code() == Some("no_object") => return Ok(None),
            Err(failed) => return Err(failed),
        };
        let Some(size) = answer.announced() else {
            let reason = "it does not say how long an object is";
            return Err(RemoteError::lie(self.client.server(), reason).into());
        };
        Ok(Some((answer, size)))
    }
}

#[async_trait]
impl Objects for RemoteObjects {
    fn takes_in_order(&self) -> bool {
        true
    }

    fn is_remote(&self) -> bool {
        true
    }

    async fn read(&self, kind: Kind, id: &Hash, limit: u64) -> Result<Option<Bytes>, StoreError> {
        let too_large = |size| StoreError::TooLarge { kind, id: *id, size, limit };
        if let Some((coming, place)) = self.announced(kind, id).await {
            if place.size > limit {
                return Err(too_large(place.size));
            }
            return coming.read(place).map(Some);
        }
        let call = Call::get(path(kind, id));
        let found = self.client.again(|| async {
            let Some((answer, size)) = self.begin_read(&call).await? else {
                return Ok(None);
            };
            if size > limit {
                return Ok(Some(Err(size)));
            }
            Ok(Some(Ok(answer.bytes(size).await?)))
        });
        found.await?.transpose().map_err(too_large)
    }

    async fn stream(&self, kind: Kind, id: &Hash) -> Result<Option<ByteStream>, StoreError> {
        if let Some((coming, place)) = self.announced(kind, id).await {
            return coming.stream(place).map(Some);
        }
        let call = Call::get(path(kind, id));
        let begun = self.client.again(|| self.begin_read(&call)).await?;
        Ok(begun.map(|(answer, size)| {
            let reading =
                Reading { client: self.client.clone(), call, answer: Some(answer), at: 0, size };
            reading.into_stream()
        }))
    }

    async fn size(&self, kind: Kind, id: &Hash) -> Result<Option<u64>, StoreError> {
        let call = Call::head(path(kind, id));
        let begun = self.client.again(|| self.begin_read(&call)).await?;
        Ok(begun.map(|(_, size)| size))
    }

    async fn list(&self, kind: Kind, prefix: &HashPrefix) -> Result<Vec<Hash>, StoreError> {
        let call = Call::get(format!("/v1/raw/ids?kind={kind}&prefix={prefix}"));
        let Ids { mut ids } = self.client.json(&call).await?;
        // What was not asked for is left out, whoever sent it.
        ids.retain(|id| prefix.matches(id));
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    async fn prefetch(&self, want: Want) -> Result<Prefetch, StoreError> {
        let contents = match &want {
            Want::Blobs(blobs) if blobs.is_empty() => return Ok(Prefetch::nothing()),
            Want::Blobs(_) => true,
            Want::Tree { contents, .. } => *contents,
        };
        let coming = Arc::new(Coming::new(&want)?);
        let mut all = self.coming.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(Arc::downgrade(&coming));
        drop(all);
        let task = tokio::spawn(bring(self.client.clone(), want, coming.clone())).abort_handle();
        Ok(Prefetch::coming(Held { _coming: coming, task }, contents))
    }

    async fn begin(&self) -> Result<Box<dyn ObjectWriter>, StoreError> {
        Ok(Box::new(RemoteWriter::new(self.client.clone())))
    }
}

/// Where an object is on the server.
pub(super) fn path(kind: Kind, id: &Hash) -> String {
    let folder = match kind {
        Kind::Blob => "blobs",
        Kind::Tree => "trees",
        Kind::Commit => "commits",
    };
    format!("/v1/{folder}/{id}")
}

/// An object that is being read in pieces, and gone on with when the connection breaks.
struct Reading {
    client: Client,
    call: Call,
    answer: Option<Answer>,
    /// How many bytes came.
    at: u64,
    size: u64,
}

impl Reading {
    fn into_stream(self) -> ByteStream {
        let size = self.size;
        let pieces = futures::stream::try_unfold(self, |mut reading| async move {
            let piece = reading.next().await?;
            Ok(piece.map(|piece| (piece, reading)))
        });
        ByteStream { size, pieces: pieces.boxed() }
    }

    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        let mut failures = 0;
        loop {
            let failed = match self.next_once().await {
                Ok(Some(piece)) => {
                    self.at += piece.len() as u64;
                    return Ok(Some(piece));
                }
                Ok(None) => return Ok(None),
                Err(failed) => failed,
            };
            self.answer = None;
            failures += 1;
            if !self.client.may_try_again(failures, &failed.error) {
                return Err(failed.error.into());
            }
            self.client.pause(failures, failed.retry_after).await;
        }
    }

    async fn next_once(&mut self) -> Result<Option<Bytes>, Failed> {
        if self.at >= self.size {
            return Ok(None);
        }
        if self.answer.is_none() {
            let rest = HeaderValue::from_str(&format!("bytes={}-", self.at));
            let rest = rest.unwrap_or(HeaderValue::from_static("bytes=0-"));
            let answer = self.client.send_once(&self.call.clone().header(RANGE, rest)).await?;
            if answer.announced() != Some(self.size - self.at) {
                let reason = "it does not go on where it was asked to";
                return Err(RemoteError::lie(self.client.server(), reason).into());
            }
            self.answer = Some(answer);
        }
        let Some(answer) = &mut self.answer else { return Ok(None) };
        match answer.piece().await? {
            Some(piece) => Ok(Some(piece)),
            None => {
                let server = self.client.server().to_owned();
                let reason = "the answer is cut off".to_owned();
                Err(RemoteError::Broken { server, reason }.into())
            }
        }
    }
}
