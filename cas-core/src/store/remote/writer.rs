//! Writing to a server.
//!
//! A writer is called by many tasks at once. What they ask at the same time, whether the server has
//! it, is one request; what it lacks is sent together, as one stream of objects. Large blobs go
//! alone. What the server has answered for is there for good, so that an import that was broken off
//! finds everything it had sent when it is run again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::RemoteError;
use super::batch::{Batcher, Shape};
use super::client::{Call, Client};
use super::objects::path;
use crate::limits;
use crate::name::Hash;
use crate::object::Kind;
use crate::store::once::Once;
use crate::store::wire::{Encoder, Head, MEDIA_TYPE, WireError};
use crate::store::{ByteStream, ObjectWriter, Spooled, StoreError};

/// How questions travel together.
const QUESTIONS: Shape = Shape { items: 10_000, weight: u64::MAX, lanes: 2 };

/// How objects travel together: in memory there are as many batches as lanes.
const UPLOADS: Shape = Shape { items: 10_000, weight: 8 * 1024 * 1024, lanes: 3 };

/// How many bytes a writer may send without asking whether the server has them: what asking costs
/// in time is worth about as much, and a small edit is done in half the requests.
const UNASKED_BYTES: u64 = 64 * 1024;

/// How many large blobs are on their way at once.
const LARGE_AT_ONCE: usize = 4;

/// Writes objects to a server.
#[derive(Debug)]
pub(super) struct RemoteWriter {
    client: Client,
    questions: Batcher<Object, bool>,
    uploads: Batcher<Upload, bool>,
    puts: Once<(Kind, Hash)>,
    /// How many bytes may still be sent without asking.
    unasked: AtomicU64,
    large: Semaphore,
}

/// An object of some size, in `POST /v1/missing` and its answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Object {
    kind: Kind,
    id: Hash,
    size: u64,
}

#[derive(Debug, Serialize)]
struct Questions<'a> {
    objects: &'a [Object],
}

#[derive(Debug, Deserialize)]
struct Missing {
    missing: BTreeSet<Object>,
}

/// An object to send, and its bytes.
#[derive(Debug)]
struct Upload {
    kind: Kind,
    id: Hash,
    bytes: Bytes,
}

/// The answer of `POST /v1/objects`.
#[derive(Debug, Deserialize)]
struct Taken {
    objects: Vec<TakenObject>,
}

#[derive(Debug, Deserialize)]
struct TakenObject {
    kind: Kind,
    id: Hash,
    new: bool,
}

impl RemoteWriter {
    pub(super) fn new(client: Client) -> Self {
        let asking = client.clone();
        let sending = client.clone();
        Self {
            questions: Batcher::new(
                QUESTIONS,
                |_| 0,
                move |batch| are_there(asking.clone(), batch),
            ),
            uploads: Batcher::new(
                UPLOADS,
                |upload| upload.bytes.len() as u64,
                move |batch| send(sending.clone(), batch),
            ),
            client,
            puts: Once::default(),
            unasked: AtomicU64::new(UNASKED_BYTES),
            large: Semaphore::new(LARGE_AT_ONCE),
        }
    }

    /// Whether the server has the object; not asked where sending it costs less.
    async fn has(&self, kind: Kind, id: &Hash, size: u64) -> Result<bool, StoreError> {
        let spend = |left: u64| left.checked_sub(size);
        if self.unasked.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend).is_ok() {
            return Ok(false);
        }
        self.contains(kind, id, size).await
    }

    async fn send(&self, kind: Kind, id: &Hash, bytes: Bytes) -> Result<bool, StoreError> {
        if self.has(kind, id, bytes.len() as u64).await? {
            return Ok(false);
        }
        self.uploads.ask(Upload { kind, id: *id, bytes }).await
    }

    /// Sends a blob that is too large to be held, from a file that lets it be sent again.
    async fn send_large(
        &self,
        kind: Kind,
        id: &Hash,
        stream: ByteStream,
        query: &str,
    ) -> Result<bool, StoreError> {
        // Never closed.
        let _permit = self.large.acquire().await.map_err(|_| StoreError::GivenUp)?;
        let size = stream.size;
        let spooled = Arc::new(Spooled::from_stream(stream).await?);
        let call = Call::put(format!("{}{query}", path(kind, id)), spooled, size);
        let answer = self.client.again(|| self.client.send_once(&call)).await?;
        Ok(answer.is_created())
    }
}

#[async_trait]
impl ObjectWriter for RemoteWriter {
    async fn write(&self, kind: Kind, id: &Hash, bytes: Bytes) -> Result<bool, StoreError> {
        self.puts.run(&(kind, *id), self.send(kind, id, bytes)).await
    }

    async fn write_stream(
        &self,
        kind: Kind,
        id: &Hash,
        stream: ByteStream,
    ) -> Result<bool, StoreError> {
        let size = stream.size;
        let put = async {
            if size <= limits::WHOLE_BYTES {
                return self.send(kind, id, stream.collect(size).await?).await;
            }
            if self.contains(kind, id, size).await? {
                return Ok(false);
            }
            self.send_large(kind, id, stream, "").await
        };
        self.puts.run(&(kind, *id), put).await
    }

    async fn replace(&self, kind: Kind, id: &Hash, stream: ByteStream) -> Result<(), StoreError> {
        self.send_large(kind, id, stream, "?replace=true").await.map(|_| ())
    }

    async fn contains(&self, kind: Kind, id: &Hash, size: u64) -> Result<bool, StoreError> {
        self.questions.ask(Object { kind, id: *id, size }).await
    }

    async fn publish(&self) -> Result<(), StoreError> {
        // Each answer was given for what is visible and durable.
        Ok(())
    }
}

/// Asks which of these objects the server has.
async fn are_there(client: Client, batch: Vec<Object>) -> Result<Vec<bool>, RemoteError> {
    let call = Call::post_json("/v1/missing", &Questions { objects: &batch });
    let Missing { missing } = client.json(&call).await?;
    Ok(batch.iter().map(|object| !missing.contains(object)).collect())
}

/// Sends these objects, and says which were new.
async fn send(client: Client, mut batch: Vec<Upload>) -> Result<Vec<bool>, RemoteError> {
    // What names others comes after them.
    let mut order: Vec<usize> = (0..batch.len()).collect();
    order.sort_by_key(|at| batch[*at].kind);
    let body = encoded(order.iter().map(|at| &batch[*at])).map_err(|error| {
        RemoteError::Broken { server: client.server().to_owned(), reason: error.to_string() }
    })?;
    let ids: Vec<_> = batch.drain(..).map(|upload| (upload.kind, upload.id)).collect();
    let Taken { objects } = client.json(&Call::post("/v1/objects", MEDIA_TYPE, body)).await?;
    let same = |(at, taken): (&usize, &TakenObject)| ids[*at] == (taken.kind, taken.id);
    if objects.len() != ids.len() || !order.iter().zip(&objects).all(same) {
        return Err(RemoteError::lie(
            client.server(),
            "it answers for other objects than it was sent",
        ));
    }
    let mut new = vec![false; ids.len()];
    for (at, taken) in order.into_iter().zip(objects) {
        new[at] = taken.new;
    }
    Ok(new)
}

fn encoded<'a>(uploads: impl Iterator<Item = &'a Upload>) -> Result<Bytes, WireError> {
    let mut encoder = Encoder::new()?;
    for Upload { kind, id, bytes } in uploads {
        encoder.begin(Head { kind: *kind, id: *id, size: bytes.len() as u64 })?;
        encoder.bytes(bytes)?;
    }
    encoder.finish()
}
