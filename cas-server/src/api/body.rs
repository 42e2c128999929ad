//! Bodies of requests as they come: hashed, bounded, and in memory only when small.

use axum::body::{Body, BodyDataStream};
use axum::http::StatusCode;
use cas_core::repo::{Content, ContentWriter};
use futures::StreamExt;
use http_body::Body as _;

use crate::problem::{Problem, chain};

/// Up to how many bytes a body that is refused is read to its end.
const DRAINED: u64 = 1024 * 1024;

/// All of a body, which has at most `limit` bytes.
pub(crate) async fn content_of(body: Body, limit: u64) -> Result<Content, Problem> {
    let announced = body.size_hint().lower();
    let mut pieces = body.into_data_stream();
    // What announces too much is refused before it is sent.
    if announced > limit {
        if announced <= DRAINED {
            drain(&mut pieces).await;
        }
        return Err(too_large(limit));
    }
    let mut content = ContentWriter::new();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| {
            Problem::bad_request("bad_body", format!("the body broke off: {error}"))
        })?;
        if content.size() + piece.len() as u64 > limit {
            return Err(too_large(limit));
        }
        content.write(&piece).map_err(|error| no_room(&error))?;
    }
    content.finish().map_err(|error| no_room(&error))
}

/// Reads what is still to come of a small body. A client that sends it in one go may not look for
/// an answer before, and finds the connection closed.
async fn drain(pieces: &mut BodyDataStream) {
    let mut left = DRAINED;
    while let Some(Ok(piece)) = pieces.next().await {
        left = left.saturating_sub(piece.len() as u64);
        if left == 0 {
            return;
        }
    }
}

/// A body over its limit.
fn too_large(limit: u64) -> Problem {
    let detail = format!("a body here has at most {limit} bytes");
    Problem::too_large(detail).with("limit", limit)
}

/// The server's own disk failed.
fn no_room(error: &std::io::Error) -> Problem {
    tracing::error!(error = chain(error), "a body could not be kept");
    let detail = "the server has no room for this body now; nothing was written";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no_room", detail)
}
