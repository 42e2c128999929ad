//! One rule broken by one path.

use std::fmt;

use serde::Serialize;

/// A path that breaks a rule of its book.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Violation {
    /// The file or folder; empty for the root.
    pub path: String,
    /// The rule: stable, for programs.
    pub rule: &'static str,
    /// What is wrong, for people.
    pub message: String,
    /// Whether a commit is refused for it.
    pub severity: Severity,
}

/// How much a violation weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// A commit with it is refused.
    Error,
    /// It is only told.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

impl Violation {
    /// A violation for which a commit is refused.
    pub fn error(path: impl Into<String>, rule: &'static str, message: impl Into<String>) -> Self {
        let (path, message) = (path.into(), message.into());
        Self { path, rule, message, severity: Severity::Error }
    }

    /// A violation that is only told.
    pub fn warning(
        path: impl Into<String>,
        rule: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Warning, ..Self::error(path, rule, message) }
    }

    /// Whether a commit is refused for it.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "." } else { &self.path };
        write!(f, "{path}: {} [{}]", self.message, self.rule)
    }
}
