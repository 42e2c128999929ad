//! What a caller can do about an error, whichever module it comes from.

use std::error::Error;
use std::fmt;

/// The kinds of failure, each named by what the caller should do.
///
/// HTTP statuses and exit codes are two matches on this enum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The named thing is not there. Check the name; trying again will not help.
    NotFound,
    /// Somebody else's change, or a file nobody vouched for, stands in the way. Look at what is
    /// there now and decide again. Nothing was written.
    Conflict,
    /// The request breaks a rule. Correct it. Nothing was written.
    Invalid,
    /// Stored bytes are not what their name says. Restore them from a copy; do not use them.
    Corrupt,
    /// The store or the machine cannot serve this now (I/O, network, full disk). Try again.
    Unavailable,
    /// The caller may not do this. Change the permissions or the credentials.
    PermissionDenied,
    /// A defect in this program. Report it.
    Internal,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Invalid => "invalid",
            Self::Corrupt => "corrupt",
            Self::Unavailable => "unavailable",
            Self::PermissionDenied => "permission_denied",
            Self::Internal => "internal",
        })
    }
}

impl From<&std::io::Error> for ErrorKind {
    fn from(error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::NotFound => Self::NotFound,
            std::io::ErrorKind::PermissionDenied => Self::PermissionDenied,
            _ => Self::Unavailable,
        }
    }
}

/// An error and its sources, each said once.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        source = cause.source();
    }
    text
}
