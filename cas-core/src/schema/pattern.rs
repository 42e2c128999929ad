//! One pattern of paths: `*` within a segment, `**` across segments.

use globset::{GlobBuilder, GlobMatcher};

/// Longest pattern, in bytes. What it compiles to stays small.
const PATTERN_BYTES: usize = 1024;

/// A pattern of whole paths, as everywhere in this crate.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    matcher: GlobMatcher,
}

impl Pattern {
    /// Checks and compiles a pattern.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.len() > PATTERN_BYTES {
            return Err(format!("a pattern has 1 to {PATTERN_BYTES} bytes"));
        }
        let glob = GlobBuilder::new(text).literal_separator(true).build();
        let glob = glob.map_err(|error| format!("bad pattern {text:?}: {}", error.kind()))?;
        Ok(Self { matcher: glob.compile_matcher() })
    }

    /// Whether a path matches as a whole.
    pub(super) fn is_match(&self, path: &str) -> bool {
        self.matcher.is_match(path)
    }

    /// The text it was made from.
    pub(super) fn as_str(&self) -> &str {
        self.matcher.glob().glob()
    }
}
