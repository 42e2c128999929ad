//! Bringing what was announced: one request, one streamed answer, gone on with when it breaks.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;

use super::RemoteError;
use super::client::{Call, Client, Failed};
use super::coming::{Arriving, Coming};
use crate::limits;
use crate::name::{BlobId, TreeId};
use crate::store::wire::{Decoder, Limits, Part, WireError};
use crate::store::{StoreError, Want};

/// How often an answer may break without anything new having come.
const BREAKS: u32 = 4;

/// How many blobs one request asks for by their ids.
const BLOBS_AT_ONCE: usize = 20_000;

/// The body of `POST /v1/fetch`.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Request<'a> {
    Tree { want: TreeId, have: &'a [TreeId], contents: bool, skip: u64 },
    Blobs { blobs: &'a [BlobId], skip: u64 },
}

/// Why an answer ended early.
enum Ended {
    /// The way to the server, or what the server said.
    Remote(Failed),
    /// This machine.
    Here,
}

/// Brings everything that is wanted, as far as the server gives it. What it does not give is then
/// asked for by whoever reads it, who is told why it cannot be had.
pub(super) async fn bring(client: Client, want: Want, coming: Arc<Coming>) {
    match want {
        Want::Tree { tree, have, contents } => {
            let request = |skip| Request::Tree { want: tree, have: &have, contents, skip };
            bring_one(&client, &coming, request).await;
        }
        Want::Blobs(blobs) => {
            let ids: Vec<BlobId> = blobs.into_iter().map(|(id, _)| id).collect();
            for blobs in ids.chunks(BLOBS_AT_ONCE) {
                let request = |skip| Request::Blobs { blobs, skip };
                if !bring_one(&client, &coming, request).await {
                    break;
                }
            }
        }
    }
    coming.end();
}

/// Brings what one request asks for; whether that is done.
async fn bring_one<'a>(
    client: &Client,
    coming: &Coming,
    request: impl Fn(u64) -> Request<'a>,
) -> bool {
    let before = coming.count();
    let mut failures = 0;
    loop {
        let had = coming.count();
        let call = Call::post_json("/v1/fetch", &request(had - before));
        let failed = match bring_once(client, coming, &call).await {
            Ok(()) => return true,
            Err(Ended::Here) => return false,
            Err(Ended::Remote(failed)) => failed,
        };
        failures = if coming.count() > had { 1 } else { failures + 1 };
        // The server breaks the connection when it cannot go on, so again and again at one object.
        let is_stuck = failures >= BREAKS && matches!(failed.error, RemoteError::Broken { .. });
        if is_stuck || !client.may_try_again(failures, &failed.error) {
            return false;
        }
        client.pause(failures, failed.retry_after).await;
    }
}

/// Takes in one answer.
async fn bring_once(client: &Client, coming: &Coming, call: &Call) -> Result<(), Ended> {
    let mut answer = client.send_once(call).await.map_err(Ended::Remote)?;
    let limits = Limits { blob_bytes: limits::BLOB_BYTES, ..Limits::FORMAT };
    let mut decoder = Decoder::new(limits).map_err(|error| unusable(client, &error))?;
    let mut arriving = None;
    loop {
        let piece = answer.piece().await.map_err(|error| Ended::Remote(error.into()))?;
        let Some(mut piece) = piece else { break };
        take_in(client, coming, &mut decoder, &mut arriving, &mut piece)?;
    }
    decoder.finish().map_err(|error| unusable(client, &error))?;
    Ok(())
}

fn take_in(
    client: &Client,
    coming: &Coming,
    decoder: &mut Decoder,
    arriving: &mut Option<Arriving>,
    piece: &mut Bytes,
) -> Result<(), Ended> {
    let here = |_: StoreError| Ended::Here;
    while let Some(part) = decoder.next(piece).map_err(|error| unusable(client, &error))? {
        match (part, arriving.as_mut()) {
            (Part::Begin(head), _) => {
                let lie = |reason| Ended::Remote(RemoteError::lie(client.server(), reason).into());
                *arriving = Some(coming.begin(head).map_err(lie)?);
            }
            (Part::Bytes(bytes), Some(arriving)) => coming.take(arriving, &bytes).map_err(here)?,
            (Part::Verified, _) => {
                if let Some(whole) = arriving.take() {
                    coming.keep(whole);
                }
            }
            // A decoder gives bytes only of what it began.
            (Part::Bytes(_), None) => {}
        }
    }
    Ok(())
}

fn unusable(client: &Client, error: &WireError) -> Ended {
    let server = client.server().to_owned();
    Ended::Remote(match error {
        WireError::Truncated => {
            RemoteError::Broken { server, reason: "the answer is cut off".to_owned() }.into()
        }
        error => RemoteError::Lie { server, reason: error.to_string() }.into(),
    })
}
