//! What a bucket's error means, and what may be done about it.
//!
//! Servers say why they refuse in an XML body with a code; the object store's client hands it on
//! as text. The codes are those of S3's "Error responses" and R2's "Error codes" pages.

use std::error::Error as StdError;

use object_store::client::{HttpError, HttpErrorKind};

use crate::error::ErrorKind;

/// What a bucket's error means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// What happened, in one sentence.
    pub summary: String,
    /// What may be done about it.
    pub remedy: Option<&'static str>,
    /// What the caller should do.
    pub kind: ErrorKind,
}

/// A code of an error, the kind it is of, and what may be done.
type Known = (&'static str, ErrorKind, &'static str);

/// The codes that have a remedy.
const KNOWN: &[Known] = &[
    (
        "NoSuchBucket",
        ErrorKind::NotFound,
        "there is no bucket of this name: check it and the account, or make the bucket first",
    ),
    (
        "InvalidBucketName",
        ErrorKind::Invalid,
        "a bucket has 3 to 63 lower-case letters, digits, dots and hyphens",
    ),
    (
        "InvalidAccessKeyId",
        ErrorKind::PermissionDenied,
        "the access key is not known there: `cas config show` tells where it came from",
    ),
    (
        "SignatureDoesNotMatch",
        ErrorKind::PermissionDenied,
        "the secret key is wrong, or the endpoint or region is not the bucket's: see `cas config show`",
    ),
    (
        "ExpiredToken",
        ErrorKind::PermissionDenied,
        "the credentials have expired: get new ones and run the command again, which goes on where it stopped",
    ),
    (
        "ExpiredRequest",
        ErrorKind::PermissionDenied,
        "the request arrived too late: check this machine's clock",
    ),
    (
        "TokenRefreshRequired",
        ErrorKind::PermissionDenied,
        "the credentials have expired: get new ones and run the command again, which goes on where it stopped",
    ),
    (
        "InvalidToken",
        ErrorKind::PermissionDenied,
        "the session token is not valid: get new credentials",
    ),
    (
        "RequestTimeTooSkewed",
        ErrorKind::PermissionDenied,
        "this machine's clock differs too much from the server's: set it right",
    ),
    (
        "AccessDenied",
        ErrorKind::PermissionDenied,
        "the credentials may not do this: they need to read, write and list (without the right to list, some servers deny what is merely absent)",
    ),
    ("AllAccessDisabled", ErrorKind::PermissionDenied, "the bucket is closed by its owner"),
    (
        "AuthorizationHeaderMalformed",
        ErrorKind::PermissionDenied,
        "the region is not the bucket's: say ?region=… in the location",
    ),
    (
        "PermanentRedirect",
        ErrorKind::Invalid,
        "the bucket is in another region: say ?region=… in the location",
    ),
    (
        "IllegalLocationConstraintException",
        ErrorKind::Invalid,
        "the bucket is in another region: say ?region=… in the location",
    ),
    (
        "SlowDown",
        ErrorKind::Unavailable,
        "the bucket asks for fewer requests: say a smaller --jobs, and try again",
    ),
    (
        "TooManyRequests",
        ErrorKind::Unavailable,
        "the bucket asks for fewer requests: say a smaller --jobs, and try again",
    ),
    ("ServiceUnavailable", ErrorKind::Unavailable, "the bucket cannot serve now: try again later"),
    ("EntityTooLarge", ErrorKind::Invalid, "the server takes no object of this size"),
    (
        "QuotaExceeded",
        ErrorKind::Unavailable,
        "the bucket is full: make room, and run the command again",
    ),
];

impl Cause {
    /// What `error` means.
    pub fn of(error: &object_store::Error) -> Self {
        let text = error.to_string();
        if let Some(code) = between(&text, "<Code>", "</Code>") {
            let message = between(&text, "<Message>", "</Message>").filter(|text| !text.is_empty());
            let summary = match message {
                Some(message) => format!("the bucket answered {code}: {message}"),
                None => format!("the bucket answered {code}"),
            };
            return match KNOWN.iter().find(|(known, _, _)| *known == code) {
                Some((_, kind, remedy)) => Self { summary, remedy: Some(remedy), kind: *kind },
                None => Self { summary, remedy: None, kind: plain_kind(error) },
            };
        }
        if text.contains("169.254.") || text.contains("metadata.google.internal") {
            return Self {
                summary:
                    "no credentials were found, and this machine has no service that gives them"
                        .to_owned(),
                remedy: Some(
                    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or a profile (R2_…, GOOGLE_… or AZURE_… for the others): \
                     `cas config show` tells what is found",
                ),
                kind: ErrorKind::PermissionDenied,
            };
        }
        if text.contains("without LOCATION") {
            let remedy = "the bucket is in another region: say ?region=… in the location";
            return Self { summary: text, remedy: Some(remedy), kind: ErrorKind::Invalid };
        }
        match transport(error) {
            Some((HttpErrorKind::Timeout, why)) => Self {
                summary: format!("the server did not answer in time: {why}"),
                remedy: Some("try again; a smaller --jobs asks less of a slow line"),
                kind: ErrorKind::Unavailable,
            },
            Some((_, why)) if is_unreachable(&why) => Self {
                summary: format!("the server cannot be reached: {why}"),
                remedy: Some(
                    "check the network and the endpoint: `cas config show` tells where it came from",
                ),
                kind: ErrorKind::Unavailable,
            },
            Some((_, why)) => Self {
                summary: format!("the connection broke: {why}"),
                remedy: Some("try again"),
                kind: ErrorKind::Unavailable,
            },
            None => Self { summary: text, remedy: None, kind: plain_kind(error) },
        }
    }
}

/// Whether an answer of "not found" means the bucket rather than the object.
pub(super) fn is_missing_bucket(error: &object_store::Error) -> bool {
    let code = error.to_string();
    between(&code, "<Code>", "</Code>") == Some("NoSuchBucket")
}

/// Whether the server refused without saying why.
pub(super) fn is_unexplained(error: &object_store::Error) -> bool {
    let text = error.to_string();
    !text.contains("<Code>") && (text.contains("status code: 4") || text.contains("403 Forbidden"))
}

fn plain_kind(error: &object_store::Error) -> ErrorKind {
    use object_store::Error;
    match error {
        Error::NotFound { .. } => ErrorKind::NotFound,
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
            ErrorKind::PermissionDenied
        }
        _ => ErrorKind::Unavailable,
    }
}

/// The kind of the failure of the connection, and its innermost reason.
fn transport(error: &object_store::Error) -> Option<(HttpErrorKind, String)> {
    let mut kind = None;
    let mut source: Option<&(dyn StdError + 'static)> = Some(error);
    let mut last = String::new();
    while let Some(cause) = source {
        if let Some(found) = cause.downcast_ref::<HttpError>() {
            kind = Some(kind.unwrap_or_else(|| found.kind()));
        }
        last = cause.to_string();
        source = cause.source();
    }
    kind.map(|kind| (kind, last))
}

fn is_unreachable(why: &str) -> bool {
    ["refused", "unreachable", "dns", "lookup", "resolve", "certificate", "No route", "name or"]
        .iter()
        .any(|sign| why.to_lowercase().contains(&sign.to_lowercase()))
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(inside, _)| inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> object_store::Error {
        object_store::Error::Generic { store: "S3", source: format!("403: {body}").into() }
    }

    #[test]
    fn codes_have_kinds_and_remedies() {
        let body = "<Error><Code>RequestTimeTooSkewed</Code><Message>Too far</Message></Error>";
        let cause = Cause::of(&refused(body));
        assert_eq!(cause.kind, ErrorKind::PermissionDenied);
        assert_eq!(cause.summary, "the bucket answered RequestTimeTooSkewed: Too far");
        assert!(cause.remedy.unwrap().contains("clock"));
        let cause = Cause::of(&refused("<Error><Code>Odd</Code><Message></Message></Error>"));
        assert_eq!((cause.summary.as_str(), cause.remedy), ("the bucket answered Odd", None));
        assert_eq!(Cause::of(&refused("no body")).kind, ErrorKind::Unavailable);
    }

    #[test]
    fn a_missing_bucket_is_not_a_missing_object() {
        let missing = |code: &str| object_store::Error::NotFound {
            path: "x".to_owned(),
            source: format!("<Error><Code>{code}</Code></Error>").into(),
        };
        assert!(is_missing_bucket(&missing("NoSuchBucket")));
        assert!(!is_missing_bucket(&missing("NoSuchKey")));
    }
}
