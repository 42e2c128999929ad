//! Answering with stored bytes: validators, conditions and ranges (RFC 9110).
//!
//! The strong `ETag` is the object's id in quotes, so a client can verify what it has. What authors
//! stored is never run in the server's origin: every answer says `nosniff` and is sandboxed.

use std::ops::RangeInclusive;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use cas_core::limits;
use cas_core::name::{BlobId, CommitId, Hash};
use cas_core::repo::{Reading, Source};
use cas_core::store::{Spooled, Store};
use futures::StreamExt;
use http_range_header::parse_range_header;

use super::extract::header_text;
use crate::problem::{Problem, chain};

/// The header with the commit that an answer was read from or made.
static COMMIT: HeaderName = HeaderName::from_static("cas-commit");

/// The header that says where what was read comes from: `own`, `upstream`, `merged` or `conflict`.
static SOURCE: HeaderName = HeaderName::from_static("cas-source");

/// Most ranges that one request may ask for.
const RANGES: usize = 64;

/// Between the parts of an answer with several ranges. Parts have a length each, so that it cannot
/// be mistaken for content.
const BOUNDARY: &str = "cas-3c1f6b8e0a9d";

/// How long and by whom an answer may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caching {
    /// Named by its hash, and for everybody.
    Forever,
    /// Named by its hash, for those who may see it.
    ForeverPrivately,
    /// Named by a name: asked about each time.
    Revalidate,
}

impl Caching {
    /// What is named by its hash is kept for ever; by whom depends on who may see it.
    pub(crate) const fn by_id(public: bool) -> Self {
        if public { Self::Forever } else { Self::ForeverPrivately }
    }

    const fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Forever => "public, max-age=31536000, immutable",
            Self::ForeverPrivately => "private, max-age=31536000, immutable",
            Self::Revalidate => "private, no-cache",
        })
    }
}

/// A strong validator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Etag(String);

impl Etag {
    /// The validator of an object's bytes: its id.
    pub(crate) fn of(id: &Hash) -> Self {
        Self(format!("\"{id}\""))
    }

    /// The validator of something made of an object; `text` has no quotes.
    pub(crate) fn derived(text: &str) -> Self {
        Self(format!("\"{text}\""))
    }

    pub(crate) fn header(&self) -> HeaderValue {
        // Made of hex digits and a few plain characters.
        HeaderValue::from_str(&self.0).unwrap_or(HeaderValue::from_static("\"\""))
    }

    /// Whether `If-None-Match` names it, so that the client has it already.
    pub(crate) fn is_known(&self, headers: &HeaderMap) -> bool {
        let named = headers.get_all(header::IF_NONE_MATCH).iter();
        let mut tags = named.filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(','));
        // RFC 9110 section 13.1.2: compared weakly.
        tags.any(|tag| {
            let tag = tag.trim();
            tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == self.0
        })
    }

    /// Whether ranges may be answered: there is no `If-Range`, or it names this very validator.
    pub(crate) fn allows_range(&self, headers: &HeaderMap) -> bool {
        headers.get(header::IF_RANGE).is_none_or(|value| value.as_bytes() == self.0.as_bytes())
    }
}

/// Names the commit that an answer was read from or made.
pub(crate) fn name_commit(response: &mut Response, commit: &CommitId) {
    // Hex digits are a header's value.
    if let Ok(value) = HeaderValue::from_str(&commit.to_string()) {
        response.headers_mut().insert(&COMMIT, value);
    }
}

/// Names the version that an answer was read from, and where it comes from.
pub(crate) fn name_version(response: &mut Response, version: &Reading) {
    name_commit(response, &version.id);
    name_source(response, version.source);
}

/// Says where what was read comes from.
pub(crate) fn name_source(response: &mut Response, source: Source) {
    response.headers_mut().insert(&SOURCE, HeaderValue::from_static(source.as_str()));
}

/// What is answered about bytes besides them.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) etag: Etag,
    pub(crate) caching: Caching,
    pub(crate) media_type: HeaderValue,
}

impl Head {
    /// An answer with these headers and those that keep stored content from being run.
    pub(crate) fn answer(&self, status: StatusCode, body: Body) -> Response {
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::ETAG, self.etag.header());
        headers.insert(header::CACHE_CONTROL, self.caching.header());
        headers.insert(header::VARY, HeaderValue::from_static("accept, authorization"));
        if status != StatusCode::NOT_MODIFIED {
            headers.insert(header::CONTENT_TYPE, self.media_type.clone());
            headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
            headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"));
        }
        response
    }

    /// The answer to a client that has it already, if this one has.
    pub(crate) fn not_modified(&self, headers: &HeaderMap) -> Option<Response> {
        let known = self.etag.is_known(headers);
        known.then(|| self.answer(StatusCode::NOT_MODIFIED, Body::empty()))
    }

    /// Answers with bytes that are in memory.
    pub(crate) fn bytes(&self, headers: &HeaderMap, bytes: &Bytes) -> Result<Response, Problem> {
        if let Some(response) = self.not_modified(headers) {
            return Ok(response);
        }
        let size = bytes.len() as u64;
        let slice = |range: &RangeInclusive<u64>| {
            let end = usize::try_from(range.end() + 1).unwrap_or(usize::MAX);
            bytes.slice(usize::try_from(*range.start()).unwrap_or(usize::MAX)..end)
        };
        Ok(match wanted(headers, &self.etag, size)? {
            Wanted::All => self.whole(size, Body::from(bytes.clone())),
            Wanted::Ranges(ranges) => match ranges.as_slice() {
                [range] => self.part(range, size, Body::from(slice(range))),
                ranges => {
                    let parts = ranges.iter().map(|range| (range.clone(), slice(range)));
                    self.parts(size, parts)
                }
            },
        })
    }

    /// Answers with a blob of any size; `method` tells whether only its head is wanted.
    ///
    /// All of it goes out as it comes, the last piece only when every byte is verified: a damaged
    /// blob breaks the connection. Of a range nothing goes out before all of the blob is verified.
    pub(crate) async fn blob(
        &self,
        method: &Method,
        headers: &HeaderMap,
        store: &Store,
        id: &BlobId,
        size: u64,
    ) -> Result<Response, Problem> {
        if let Some(response) = self.not_modified(headers) {
            return Ok(response);
        }
        if method == Method::HEAD {
            return Ok(self.whole(size, Body::empty()));
        }
        if size <= limits::WHOLE_BYTES {
            return self.bytes(headers, &store.get_blob(id).await?);
        }
        let ranges = match wanted(headers, &self.etag, size)? {
            Wanted::All => {
                let stream = store.stream_blob(id).await?;
                let pieces = stream.pieces.inspect(|piece| {
                    if let Err(error) = piece {
                        tracing::error!(error = chain(error), "a blob's stream was broken off");
                    }
                });
                return Ok(self.whole(stream.size, Body::from_stream(pieces)));
            }
            Wanted::Ranges(ranges) => ranges,
        };
        let spooled = store.spool_blob(id).await?;
        let [range] = ranges.as_slice() else {
            return self.file_parts(&spooled, &ranges, size);
        };
        let pieces = spooled.range(range.clone()).map_err(Problem::from)?;
        Ok(self.part(range, size, Body::from_stream(pieces.pieces)))
    }

    /// Several ranges of a large blob, which together must fit into memory.
    fn file_parts(
        &self,
        spooled: &Spooled,
        ranges: &[RangeInclusive<u64>],
        size: u64,
    ) -> Result<Response, Problem> {
        let total: u64 = ranges.iter().map(|range| range.end() - range.start() + 1).sum();
        if total > limits::WHOLE_BYTES {
            let limit = limits::WHOLE_BYTES;
            let detail = format!("several ranges of one request have at most {limit} bytes in all");
            return Err(Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "bad_range", detail));
        }
        let mut parts = Vec::new();
        for range in ranges {
            parts.push((range.clone(), spooled.read_range(range)?));
        }
        Ok(self.parts(size, parts.into_iter()))
    }

    /// 200 with everything.
    pub(crate) fn whole(&self, size: u64, body: Body) -> Response {
        let mut response = self.answer(StatusCode::OK, body);
        let headers = response.headers_mut();
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        headers.insert(header::CONTENT_LENGTH, size.into());
        response
    }

    /// 206 with one range.
    pub(crate) fn part(&self, range: &RangeInclusive<u64>, size: u64, body: Body) -> Response {
        let mut response = self.answer(StatusCode::PARTIAL_CONTENT, body);
        let headers = response.headers_mut();
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        headers.insert(header::CONTENT_LENGTH, (range.end() - range.start() + 1).into());
        if let Ok(value) = HeaderValue::from_str(&content_range(range, size)) {
            headers.insert(header::CONTENT_RANGE, value);
        }
        response
    }

    /// 206 with several ranges.
    fn parts(
        &self,
        size: u64,
        parts: impl Iterator<Item = (RangeInclusive<u64>, Bytes)>,
    ) -> Response {
        let media_type = self.media_type.to_str().unwrap_or("application/octet-stream");
        let mut body = Vec::new();
        for (range, bytes) in parts {
            let range = content_range(&range, size);
            let head = format!(
                "--{BOUNDARY}\r\nContent-Type: {media_type}\r\nContent-Range: {range}\r\n\r\n"
            );
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(&bytes);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        let mut response = self.answer(StatusCode::PARTIAL_CONTENT, Body::from(body));
        let value = format!("multipart/byteranges; boundary={BOUNDARY}");
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(header::CONTENT_TYPE, value);
        }
        response
    }
}

/// What of the bytes is wanted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Everything.
    All,
    /// These ranges, each within the size, none over another.
    Ranges(Vec<RangeInclusive<u64>>),
}

/// What `Range` and `If-Range` ask for of `size` bytes.
pub(crate) fn wanted(headers: &HeaderMap, etag: &Etag, size: u64) -> Result<Wanted, Problem> {
    let Some(text) = header_text(headers, &header::RANGE)? else {
        return Ok(Wanted::All);
    };
    if !etag.allows_range(headers) {
        return Ok(Wanted::All);
    }
    // RFC 9110 section 14.2: a range that cannot be understood is as if it were not there.
    let Ok(parsed) = parse_range_header(text) else {
        return Ok(Wanted::All);
    };
    match parsed.validate(size) {
        Ok(ranges) if ranges.len() <= RANGES => Ok(Wanted::Ranges(ranges)),
        _ => {
            let detail = format!(
                "of {size} bytes: at most {RANGES} ranges that lie within them, none over another"
            );
            let problem = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "bad_range", detail);
            Err(problem.with("size", size))
        }
    }
}

fn content_range(range: &RangeInclusive<u64>, size: u64) -> String {
    format!("bytes {}-{}/{size}", range.start(), range.end())
}
