//! `If-Match` and `If-None-Match` of writes: what the caller believes to be there.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use cas_core::name::{BlobId, CommitId, HashPrefix};
use cas_core::repo::Precondition;

use super::extract::header_text;
use crate::app::App;
use crate::problem::Problem;

/// What is believed to be at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PathPrecondition(pub(crate) Precondition);

/// What a ref is believed to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefPrecondition {
    /// Nothing said.
    Unsaid,
    /// It is not there.
    Absent,
    /// It points at this commit.
    Is(CommitId),
}

/// What the headers say.
enum Said<'a> {
    Nothing,
    Absent,
    Is(&'a str),
}

impl FromRequestParts<App> for PathPrecondition {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Result<Self, Problem> {
        Ok(Self(match said(&parts.headers)? {
            Said::Nothing => Precondition::Unsaid,
            Said::Absent => Precondition::Absent,
            Said::Is(text) => {
                let id: BlobId = text.parse()?;
                Precondition::Is(HashPrefix::parse(&id.to_string())?)
            }
        }))
    }
}

impl FromRequestParts<App> for RefPrecondition {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Result<Self, Problem> {
        Ok(match said(&parts.headers)? {
            Said::Nothing => Self::Unsaid,
            Said::Absent => Self::Absent,
            Said::Is(text) => Self::Is(text.parse()?),
        })
    }
}

/// Reads both headers. Only what says exactly what is there will do: `If-Match: *` would overwrite
/// what its writer has not seen.
fn said(headers: &HeaderMap) -> Result<Said<'_>, Problem> {
    let bad = |rule: &str| Problem::bad_request("bad_precondition", rule);
    let is = header_text(headers, &header::IF_MATCH)?;
    let is_not = header_text(headers, &header::IF_NONE_MATCH)?;
    match (is, is_not) {
        (None, None) => Ok(Said::Nothing),
        (None, Some("*")) => Ok(Said::Absent),
        (None, Some(_)) => Err(bad("If-None-Match of a write is *: nothing is there")),
        (Some(_), Some(_)) => Err(bad("say either If-Match or If-None-Match")),
        (Some(tag), None) => {
            let id = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
            id.map(Said::Is).ok_or_else(|| {
                bad("If-Match of a write is one id in quotes, as the ETag of a read says it")
            })
        }
    }
}
