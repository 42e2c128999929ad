//! Why a server could not be made use of.

use std::error::Error;

use serde::Deserialize;

use crate::error::ErrorKind;

/// Longest part of an answer that is shown, in bytes.
const SHOWN_BYTES: usize = 500;

/// A failure of a server, or of the way to it.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// No connection came about.
    #[error("the server at {server} cannot be reached: {reason}")]
    Unreachable {
        /// The server.
        server: String,
        /// Why.
        reason: String,
    },
    /// A connection ended before the answer did.
    #[error("the connection to {server} broke: {reason}")]
    Broken {
        /// The server.
        server: String,
        /// How.
        reason: String,
    },
    /// No answer, or no more of it, for too long.
    #[error("the server at {server} does not answer")]
    Silent {
        /// The server.
        server: String,
    },
    /// The server refused, or could not (RFC 9457).
    #[error("{detail}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Which problem it is.
        code: String,
        /// What the server says of it.
        detail: String,
        /// The position of a damaged ref log entry.
        seq: Option<u64>,
    },
    /// What answers is no server of stores.
    #[error("no store is served at {server}: {reason}")]
    NoServer {
        /// The place.
        server: String,
        /// What it answered.
        reason: String,
    },
    /// An answer that cannot be true.
    #[error("the server at {server} cannot be believed: {reason}")]
    Lie {
        /// The server.
        server: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// What is used of a problem.
#[derive(Debug, Deserialize)]
struct Problem {
    code: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    seq: Option<u64>,
}

impl RemoteError {
    /// What the caller should do.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Unreachable { .. } | Self::Broken { .. } | Self::Silent { .. } => {
                ErrorKind::Unavailable
            }
            Self::NoServer { .. } => ErrorKind::NotFound,
            Self::Lie { .. } => ErrorKind::Corrupt,
            Self::Refused { status, code, .. } => kind_of(*status, code),
        }
    }

    /// Which problem the server named.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            _ => None,
        }
    }

    /// The error for an answer that is no success.
    pub(super) fn from_answer(server: &str, status: u16, body: &[u8]) -> Self {
        match serde_json::from_slice::<Problem>(body) {
            Ok(Problem { code, detail, seq }) => {
                let detail = if detail.is_empty() { code.clone() } else { detail };
                Self::Refused { status, code: shown(&code), detail: shown(&detail), seq }
            }
            Err(_) => {
                let reason = format!("it answers with status {status}");
                Self::NoServer { server: server.to_owned(), reason }
            }
        }
    }

    /// The error for a request that got no answer, or not all of it.
    pub(super) fn from_transport(server: &str, error: reqwest::Error) -> Self {
        let (is_connect, is_timeout) = (error.is_connect(), error.is_timeout());
        let (server, reason) = (server.to_owned(), innermost(&error.without_url()));
        match (is_connect, is_timeout) {
            (true, _) => Self::Unreachable { server, reason },
            (false, true) => Self::Silent { server },
            (false, false) => Self::Broken { server, reason },
        }
    }

    /// Whether asking again may help.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Broken { .. } | Self::Silent { .. } => true,
            Self::Refused { status, .. } => matches!(status, 429 | 502 | 503 | 504),
            // A proxy before the server answers so while that starts.
            Self::NoServer { reason, .. } => {
                ["502", "503", "504"].iter().any(|status| reason.ends_with(status))
            }
            Self::Lie { .. } => false,
        }
    }

    pub(super) fn lie(server: &str, reason: impl Into<String>) -> Self {
        Self::Lie { server: server.to_owned(), reason: reason.into() }
    }
}

fn kind_of(status: u16, code: &str) -> ErrorKind {
    match (status, code) {
        (_, "damaged" | "entry_damaged") => ErrorKind::Corrupt,
        (401 | 403, _) | (_, "store_refused") => ErrorKind::PermissionDenied,
        (404 | 410, _) => ErrorKind::NotFound,
        (409 | 412 | 428, _) => ErrorKind::Conflict,
        (400..=499, _) if status != 408 && status != 429 => ErrorKind::Invalid,
        (500, _) => ErrorKind::Internal,
        _ => ErrorKind::Unavailable,
    }
}

/// The innermost reason, which says most.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

/// What a server says: on one line, not too long, and nothing that could speak to a terminal.
fn shown(text: &str) -> String {
    let mut end = text.len().min(SHOWN_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_keep_their_meaning() {
        let kind = |status, code: &str| {
            let body = format!("{{\"code\":{code:?},\"detail\":\"d\"}}");
            RemoteError::from_answer("s", status, body.as_bytes()).kind()
        };
        assert_eq!(kind(404, "no_object"), ErrorKind::NotFound);
        assert_eq!(kind(409, "tag_moves"), ErrorKind::Conflict);
        assert_eq!(kind(428, "precondition_required"), ErrorKind::Conflict);
        assert_eq!(kind(401, "unauthorized"), ErrorKind::PermissionDenied);
        assert_eq!(kind(403, "forbidden"), ErrorKind::PermissionDenied);
        assert_eq!(kind(413, "too_large"), ErrorKind::Invalid);
        assert_eq!(kind(500, "damaged"), ErrorKind::Corrupt);
        assert_eq!(kind(500, "internal"), ErrorKind::Internal);
        assert_eq!(kind(503, "fate_unknown"), ErrorKind::Unavailable);
        assert_eq!(kind(429, "too_many"), ErrorKind::Unavailable);
    }

    #[test]
    fn what_is_no_problem_is_no_server() {
        let error = RemoteError::from_answer("http://x", 404, b"<html>\x1b[31m");
        assert!(matches!(error, RemoteError::NoServer { .. }), "{error}");
        assert!(!error.is_passing());
        assert!(RemoteError::from_answer("http://x", 502, b"").is_passing());
    }

    #[test]
    fn servers_cannot_speak_to_terminals() {
        let body = br#"{"code":"c","detail":"a\u001b[31mb"}"#;
        assert!(!RemoteError::from_answer("s", 400, body).to_string().contains('\x1b'));
    }
}
