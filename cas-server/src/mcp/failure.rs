//! What a tool could not do, so that an agent can go on: which error, what is there now, what to do
//! next.

use axum::http::StatusCode;
use rmcp::model::{CallToolResult, ContentBlock};
use serde::Serialize;
use serde_json::{Map, Value};

/// Of a file that is there already, and was not said to be.
const HASH_REQUIRED: (&str, &str) = (
    "HASH_REQUIRED",
    "something is there already: read it, and give its id (`current`) as expected_hash",
);

/// Why a tool did not do what it was asked to.
#[derive(Debug, Serialize)]
pub(super) struct Failure {
    /// Which kind of error, for programs.
    error: &'static str,
    /// The code of the operation of the HTTP API behind the tool.
    code: String,
    /// Its status.
    status: u16,
    /// What went wrong this time.
    detail: String,
    /// What to do next.
    next: &'static str,
    /// What is there now, and whatever else the operation told.
    #[serde(flatten)]
    members: Map<String, Value>,
}

impl Failure {
    /// What an operation refused with `status` and this body, a problem of RFC 9457.
    pub(super) fn of(status: StatusCode, body: &[u8]) -> Self {
        let mut members: Map<String, Value> = serde_json::from_slice(body).unwrap_or_default();
        let mut text = |name: &str| match members.remove(name) {
            Some(Value::String(text)) => text,
            _ => String::new(),
        };
        let (code, detail) = (text("code"), text("detail"));
        for told in ["type", "title", "status"] {
            members.remove(told);
        }
        let (error, next) = kind(status, &code);
        Self { error, code, status: status.as_u16(), detail, next, members }
    }

    /// An argument breaks a rule.
    pub(super) fn bad_argument(detail: impl Into<String>) -> Self {
        Self::own(StatusCode::BAD_REQUEST, "bad_argument", detail)
    }

    /// There is no tool of this name, or its arguments are not as its schema says.
    pub(super) fn arguments(error: &serde_json::Error) -> Self {
        Self::own(StatusCode::BAD_REQUEST, "bad_arguments", error.to_string())
    }

    /// The answer has more bytes than an answer may have.
    pub(super) fn too_large(limit: usize) -> Self {
        let detail = format!("the answer has more than {limit} bytes");
        Self::own(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
    }

    /// What is asked for is not there.
    pub(super) fn not_there(detail: impl Into<String>) -> Self {
        Self::own(StatusCode::NOT_FOUND, "no_ref", detail)
    }

    /// A folder was never the same for as long as it takes to read it.
    pub(super) fn moving(path: &str) -> Self {
        let detail = format!("{path:?} changed each time while it was read");
        Self::own(StatusCode::SERVICE_UNAVAILABLE, "moving", detail)
    }

    /// Content broke off: its object is missing or damaged.
    pub(super) fn cut_off() -> Self {
        let detail = "the content broke off: what is stored is missing or damaged";
        Self::own(StatusCode::INTERNAL_SERVER_ERROR, "damaged", detail)
    }

    /// An operation answered what it should not.
    pub(super) fn unreadable(error: &serde_json::Error) -> Self {
        Self::own(StatusCode::INTERNAL_SERVER_ERROR, "internal", error.to_string())
    }

    fn own(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        let (error, next) = kind(status, code);
        let (code, detail) = (code.to_owned(), detail.into());
        Self { error, code, status: status.as_u16(), detail, next, members: Map::new() }
    }

    /// Whether what was asked for is not there.
    pub(super) fn is_not_found(&self) -> bool {
        self.status == StatusCode::NOT_FOUND.as_u16()
    }

    /// The code of the operation.
    pub(super) fn code(&self) -> &str {
        &self.code
    }

    /// The same, told to whoever did not say that a file is there.
    pub(super) fn asking_for_hash(self) -> Self {
        let (error, next) = HASH_REQUIRED;
        Self { error, next, ..self }
    }
}

impl From<Failure> for CallToolResult {
    fn from(failure: Failure) -> Self {
        let told = serde_json::to_value(&failure).unwrap_or_default();
        let mut result = Self::error(vec![ContentBlock::text(told.to_string())]);
        result.structured_content = Some(told);
        result
    }
}

/// Which kind of error a code is, and what an agent does about it.
fn kind(status: StatusCode, code: &str) -> (&'static str, &'static str) {
    match (status.as_u16(), code) {
        (428, _) => HASH_REQUIRED,
        (412, _) => (
            "CONFLICT",
            "somebody else was faster: read it again, redo the change on what is there, and give \
             its id (`current`) as expected_hash",
        ),
        (422, "schema_violation") => {
            ("SCHEMA_VIOLATION", "nothing was written: mend what `violations` name, and try again")
        }
        (400, "bad_name" | "bad_path") => {
            ("INVALID_PATH", "use a path that a book can hold: no empty, . or .. segments")
        }
        (400 | 422, _) => ("INVALID_ARGUMENT", "mend the argument that `detail` names"),
        (401 | 403, _) => ("FORBIDDEN", "this token does not allow it; ask for one that does"),
        (404 | 410, _) => ("NOT_FOUND", "look at what is there: list_books, glob_search"),
        (409, _) => ("CONFLICT", "nothing was written: `detail` says what is in the way"),
        (413, _) => ("TOO_LARGE", "ask for less at once, or by the URL that get_asset tells"),
        (429 | 503, _) => ("RETRY", "wait a moment and try the same again"),
        _ => ("INTERNAL", "tell whoever runs the store: its log has the reason"),
    }
}
