//! The one error of all names: what was meant, the text, the rule it breaks.

use crate::error::ErrorKind;

/// A text that is not a valid name of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid {what} {shown:?}: {rule}")]
pub struct NameError {
    /// The kind of name, e.g. `ref name`.
    pub what: &'static str,
    /// The offending text, shortened when very long.
    pub shown: String,
    /// The rule it breaks, as a sentence without its full stop.
    pub rule: String,
}

impl NameError {
    /// The error for `text`, which is no valid `what` because of `rule`.
    pub fn new(what: &'static str, text: &str, rule: impl Into<String>) -> Self {
        const SHOWN_CHARS: usize = 120;
        let mut shown: String = text.chars().take(SHOWN_CHARS).collect();
        if shown.len() < text.len() {
            shown.push('…');
        }
        Self { what, shown, rule: rule.into() }
    }

    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}
