//! Errors as RFC 9457 problems: `application/problem+json` with a stable `code`.
//!
//! What the caller can put right is told in full. What only the operator can (5xx) is logged with
//! its whole chain and answered without it.

use std::error::Error;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cas_core::ErrorKind;
use cas_core::access::AccessError;
pub(crate) use cas_core::error::chain;
use cas_core::name::{Hash, NameError};
use cas_core::object::{DecodeError, Kind};
use cas_core::refs::RefError;
use cas_core::repo::RepoError;
use cas_core::store::StoreError;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

/// How long a client is asked to wait before it tries again, in seconds, where nothing is known.
const RETRY_AFTER_S: u64 = 1;

/// The code of a write of which it is not known whether it was done.
pub(crate) const FATE_UNKNOWN: &str = "fate_unknown";

/// An answer that says what went wrong.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    /// Members of its own: what is there now, what was expected.
    members: Map<String, Value>,
    /// How long to wait before trying again, in seconds.
    retry_after_s: u64,
}

/// Which problem an answer is, for whoever counts them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Code(pub(crate) &'static str);

/// What a problem looks like (RFC 9457). Some have more members, named at their operation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemView {
    /// `about:blank`: the code says which problem it is.
    r#type: &'static str,
    /// The status in words.
    title: &'static str,
    /// The status.
    status: u16,
    /// Which problem it is: stable, for programs.
    code: &'static str,
    /// What went wrong this time, for people.
    detail: String,
    /// What is there now, what was expected; the operation says which.
    #[serde(flatten)]
    #[schema(inline = false, value_type = Object)]
    members: Map<String, Value>,
}

impl Problem {
    /// A problem.
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let (detail, members) = (detail.into(), Map::new());
        Self { status, code, detail, members, retry_after_s: RETRY_AFTER_S }
    }

    /// The request breaks a rule.
    pub(crate) fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// What is asked for is not there.
    pub(crate) fn not_found(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, detail)
    }

    /// There is no such object.
    pub(crate) fn no_object(kind: Kind, id: &Hash) -> Self {
        Self::not_found("no_object", format!("there is no {kind} {id}"))
    }

    /// What was sent is larger than may be.
    pub(crate) fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
    }

    /// The code that clients decide by.
    pub(crate) const fn code(&self) -> &'static str {
        self.code
    }

    /// The same problem with one more member.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: impl Serialize) -> Self {
        self.members.insert(name.to_owned(), json!(value));
        self
    }

    /// The same problem, told to whoever sent the request `key`: of several that failed together,
    /// each is told its own.
    #[must_use]
    pub(crate) fn of_request(self, key: &str) -> Self {
        if self.code == FATE_UNKNOWN { self.with("request_id", key) } else { self }
    }

    /// The same problem, to be tried again after so long.
    #[must_use]
    pub(crate) fn retry_after(self, wait: Duration) -> Self {
        let whole = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Self { retry_after_s: whole.max(1), ..self }
    }

    /// A problem of the server's own: the chain is logged, the answer says only the code.
    fn hidden(
        status: StatusCode,
        code: &'static str,
        public: &str,
        error: &(dyn Error + 'static),
    ) -> Self {
        tracing::error!(code, error = chain(error), "request failed");
        Self::new(status, code, public)
    }

    /// The problem for a kind of error of which nothing more is known.
    fn of_kind(kind: ErrorKind, error: &(dyn Error + 'static)) -> Self {
        match kind {
            ErrorKind::NotFound => Self::not_found("not_found", error.to_string()),
            ErrorKind::Conflict => Self::new(StatusCode::CONFLICT, "conflict", error.to_string()),
            ErrorKind::Invalid => Self::bad_request("invalid", chain(error)),
            ErrorKind::Corrupt => Self::hidden(
                StatusCode::INTERNAL_SERVER_ERROR,
                "damaged",
                "stored data is damaged or missing; whoever runs this server finds it in its log",
                error,
            ),
            ErrorKind::Unavailable => Self::hidden(
                StatusCode::SERVICE_UNAVAILABLE,
                "store_unavailable",
                "the store cannot be reached now; nothing was written",
                error,
            ),
            ErrorKind::PermissionDenied => Self::hidden(
                StatusCode::INTERNAL_SERVER_ERROR,
                "store_refused",
                "the store refuses this server; whoever runs it finds why in its log",
                error,
            ),
            _ => Self::hidden(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "a defect in this server; whoever runs it finds it in its log",
                error,
            ),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { status, code, detail, members, retry_after_s } = self;
        let title = status.canonical_reason().unwrap_or("Error");
        let view = ProblemView {
            r#type: "about:blank",
            title,
            status: status.as_u16(),
            code,
            detail,
            members,
        };
        let body = serde_json::to_vec(&view).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, json);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let retry =
            matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS);
        if retry {
            headers.insert(header::RETRY_AFTER, retry_after_s.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            let bearer = HeaderValue::from_static("Bearer realm=\"cas\"");
            headers.insert(header::WWW_AUTHENTICATE, bearer);
        }
        response.extensions_mut().insert(Code(code));
        response
    }
}

/// Errors are looked at, not taken apart: one may be told to several callers.
macro_rules! from_owned {
    ($($error:ty)*) => {$(
        impl From<$error> for Problem {
            fn from(error: $error) -> Self {
                Self::from(&error)
            }
        }
    )*};
}

from_owned! { AccessError NameError DecodeError StoreError RefError RepoError }

impl From<&NameError> for Problem {
    fn from(error: &NameError) -> Self {
        Self::bad_request("bad_name", error.to_string())
    }
}

impl From<&DecodeError> for Problem {
    fn from(error: &DecodeError) -> Self {
        Self::bad_request("bad_encoding", error.to_string())
    }
}

impl From<&StoreError> for Problem {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::Closed => {
                Self::new(StatusCode::FORBIDDEN, "store_closed", error.to_string())
            }
            StoreError::TooLarge { .. } => Self::too_large(error.to_string()),
            StoreError::ContentChanged { .. } => {
                Self::bad_request("wrong_hash", "the bytes do not hash to the id given")
            }
            StoreError::Unwritable { .. } => Self::bad_request("invalid", chain(error)),
            _ => Self::of_kind(error.kind(), error),
        }
    }
}

impl From<&AccessError> for Problem {
    fn from(error: &AccessError) -> Self {
        match error {
            AccessError::Store(error) => error.into(),
            _ => Self::of_kind(error.kind(), error),
        }
    }
}

impl From<&RefError> for Problem {
    fn from(error: &RefError) -> Self {
        match error {
            RefError::Store(error) => error.into(),
            RefError::Invalid(error) => error.into(),
            RefError::FateUnknown { request_id, .. } => Self::hidden(
                StatusCode::SERVICE_UNAVAILABLE,
                FATE_UNKNOWN,
                "it is not known whether this was done: repeat it with the same key, or look for \
                 the request id in the ref's log",
                error,
            )
            .with("request_id", request_id.to_string()),
            RefError::Contended { .. } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "contended", error.to_string())
            }
            RefError::TagMoves { .. } => {
                Self::new(StatusCode::CONFLICT, "tag_moves", error.to_string())
            }
            _ => Self::of_kind(error.kind(), error),
        }
    }
}

impl From<&RepoError> for Problem {
    fn from(error: &RepoError) -> Self {
        let said = error.to_string();
        let not_found = |code| Self::not_found(code, said.clone());
        let conflict = |code| Self::new(StatusCode::CONFLICT, code, said.clone());
        let failed = |code, current: Option<String>| {
            Self::new(StatusCode::PRECONDITION_FAILED, code, said.clone()).with("current", current)
        };
        match error {
            RepoError::Store(error) => error.into(),
            RepoError::Ref(error) => error.into(),
            RepoError::Name(error) => error.into(),
            RepoError::Shared(error) => (&**error).into(),
            RepoError::NoBook { .. } => not_found("no_book"),
            RepoError::NoRef { .. } => not_found("no_ref"),
            RepoError::Deleted { .. } => not_found("ref_deleted"),
            RepoError::Forgotten { .. } => not_found("ref_forgotten"),
            RepoError::NoObject { .. } => not_found("no_object"),
            RepoError::NoLogEntry { .. } => not_found("no_log_entry"),
            RepoError::TooFarBack { .. } => not_found("too_far_back"),
            RepoError::NoPath { .. } => not_found("no_path"),
            RepoError::RefExists { commit, .. } => failed("ref_exists", Some(commit.to_string())),
            RepoError::RefMoved { current, .. } => {
                failed("ref_moved", current.map(|id| id.to_string()))
            }
            RepoError::Exists { current, .. } => failed("exists", current.map(|id| id.to_string())),
            RepoError::NotAsExpected { current, .. } => {
                failed("not_as_expected", current.map(|id| id.to_string()))
            }
            RepoError::PreconditionRequired { current, .. } => {
                Self::new(StatusCode::PRECONDITION_REQUIRED, "precondition_required", said)
                    .with("current", current.to_string())
            }
            RepoError::RequestUsed { .. } => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "key_used", said)
            }
            RepoError::WrongRef { .. } => conflict("wrong_ref"),
            RepoError::Unrelated { .. } => conflict("unrelated"),
            RepoError::Upstream { .. } => conflict("bad_upstream"),
            RepoError::NoUpstream { .. } => conflict("no_upstream"),
            RepoError::NotAPath { .. } => Self::bad_request("bad_path", said),
            RepoError::NotAFolder { .. } => conflict("not_a_folder"),
            RepoError::IsAFolder { .. } | RepoError::RemoveFolder { .. } => conflict("is_a_folder"),
            RepoError::MoveIntoItself { .. } => conflict("move_into_itself"),
            RepoError::Ambiguous { .. } => Self::bad_request("ambiguous", said),
            RepoError::Pattern { .. } => Self::bad_request("bad_pattern", said),
            RepoError::Tree { .. } => Self::bad_request("bad_tree", chain(error)),
            RepoError::BadTree { .. } => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_tree", said)
            }
            RepoError::Schema { violations } => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "schema_violation", said)
                    .with("violations", violations)
            }
            RepoError::TooManyFiles { .. } => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "too_many_files", said)
            }
            _ => Self::of_kind(error.kind(), error),
        }
    }
}
