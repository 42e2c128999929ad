//! What is looked for in lines of text: a regular expression that cannot take more memory or time
//! than is good for whoever else is there.

use std::fmt;

use grep_regex::{RegexMatcher, RegexMatcherBuilder};

use crate::repo::RepoError;

/// Longest expression, in bytes.
const PATTERN_BYTES: usize = 1024;

/// How large an expression may become when it is compiled, in bytes; as much again may be kept
/// while searching. Repetitions of repetitions are what meets it.
const COMPILED_BYTES: usize = 1024 * 1024;

/// How deep groups may stand in groups.
const NESTED: u32 = 64;

/// A regular expression for lines (the syntax of the crate `regex`: no backtracking, so the time
/// is linear in the text).
#[derive(Clone)]
pub struct LinePattern {
    text: String,
    matcher: RegexMatcher,
}

/// How an expression is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PatternOptions {
    /// Letters match in either case.
    pub ignore_case: bool,
    /// The text itself is looked for: it is no expression.
    pub literal: bool,
}

impl LinePattern {
    /// Checks and compiles an expression.
    pub fn parse(text: &str, options: PatternOptions) -> Result<Self, RepoError> {
        let bad = |reason: String| {
            const SHOWN: usize = 100;
            RepoError::Pattern { pattern: text.chars().take(SHOWN).collect(), reason }
        };
        if text.is_empty() {
            return Err(bad("an empty pattern matches every line".to_owned()));
        }
        if text.len() > PATTERN_BYTES {
            return Err(bad(format!("a pattern has at most {PATTERN_BYTES} bytes")));
        }
        let mut builder = RegexMatcherBuilder::new();
        builder
            .case_insensitive(options.ignore_case)
            .fixed_strings(options.literal)
            .multi_line(true)
            .line_terminator(Some(b'\n'))
            .crlf(true)
            .size_limit(COMPILED_BYTES)
            .dfa_size_limit(COMPILED_BYTES)
            .nest_limit(NESTED);
        let matcher = builder.build(text).map_err(|error| bad(error.to_string()))?;
        Ok(Self { text: text.to_owned(), matcher })
    }

    pub(super) const fn matcher(&self) -> &RegexMatcher {
        &self.matcher
    }
}

impl fmt::Debug for LinePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LinePattern").field(&self.text).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> bool {
        let found = LinePattern::parse(text, PatternOptions::default());
        matches!(found, Err(RepoError::Pattern { .. }))
    }

    #[test]
    fn refuses_what_is_no_expression_and_what_would_take_too_much() {
        for bad in ["", "(", "a{2,1}", "[z-a]", "\\", "a\\nb", "(?<n", "(?=a)", "(a)\\1"] {
            assert!(refused(bad), "{bad}");
        }
        assert!(refused("((a{100}){100}){100}"));
        assert!(refused("(\\w{100}){100}"));
        assert!(refused(&"x".repeat(PATTERN_BYTES + 1)));
        let deep = format!("{}a{}", "(".repeat(500), ")".repeat(500));
        assert!(refused(&deep));
        for good in ["a", "^# ", "\\bword\\b", "(?i)x", "\\w{3,20}", "café$", "a|b", "日本"] {
            assert!(!refused(good), "{good}");
        }
        assert!(
            LinePattern::parse("(", PatternOptions { literal: true, ..Default::default() }).is_ok()
        );
    }
}
