//! Bodies of requests as they come: hashed, bounded, and in memory only when small.

use axum::body::Body;
use axum::http::StatusCode;
use cas_core::repo::{Content, ContentWriter};
use futures::StreamExt;
use http_body::Body as _;

use crate::problem::{Problem, chain};

/// All of a body, which has at most `limit` bytes.
pub(crate) async fn content_of(body: Body, limit: u64) -> Result<Content, Problem> {
    // What announces too much is refused before it is sent.
    if body.size_hint().lower() > limit {
        return Err(too_large(limit));
    }
    let mut content = ContentWriter::new();
    let mut pieces = body.into_data_stream();
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
