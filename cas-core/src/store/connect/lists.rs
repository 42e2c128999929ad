//! Seeing that the answer to a list is a list.
//!
//! The client library takes any XML for a list of nothing. A server that fails after it sent the
//! status 200, or a gateway that answers with a page of its own, would look like an empty bucket,
//! and whatever is not listed counts as gone: so such an answer is an error, and asked for again.

use object_store::client::{HttpError, HttpErrorKind, HttpRequest, HttpResponse};

/// What begins a list: of S3 and Google, and of Azure.
const BEGINNINGS: [&str; 2] = ["<ListBucketResult", "<EnumerationResults"];

/// How far from the beginning of an answer that may be: behind a declaration.
const WITHIN: usize = 512;

/// How much of another answer is told.
const TOLD: usize = 80;

#[derive(Debug, thiserror::Error)]
#[error("the answer to a list is none, it begins with {beginning:?}")]
struct NoList {
    beginning: String,
}

/// Whether a request asks for a list.
pub(super) fn is_list(request: &HttpRequest) -> bool {
    let query = request.uri().query().unwrap_or_default();
    query.split('&').any(|part| matches!(part, "list-type=2" | "comp=list"))
}

/// The answer to a list, if it is one or says that it failed.
pub(super) async fn checked(response: HttpResponse) -> Result<HttpResponse, HttpError> {
    if !response.status().is_success() {
        return Ok(response);
    }
    let (head, body) = response.into_parts();
    let bytes = body.bytes().await?;
    let beginning = String::from_utf8_lossy(&bytes[..bytes.len().min(WITHIN)]);
    if !BEGINNINGS.iter().any(|known| beginning.contains(known)) {
        let beginning = beginning.chars().take(TOLD).collect();
        return Err(HttpError::new(HttpErrorKind::Interrupted, NoList { beginning }));
    }
    Ok(HttpResponse::from_parts(head, bytes.into()))
}
