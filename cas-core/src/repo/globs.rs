//! Patterns of paths: `*` within a segment, `**` across segments.

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};

use super::RepoError;

/// Most patterns at once: what fits a request line, and more than anybody types.
const PATTERNS: usize = 100;

/// Longest pattern, in bytes. What it compiles to stays small.
const PATTERN_BYTES: usize = 1024;

/// A choice of paths: those that any of a few patterns matches as a whole. Without a pattern, all.
///
/// `*` matches any text without a `/`, `?` one ASCII character other than `/`, `**` any number of
/// segments, `[…]` one of several characters, `{a,b}` either of two patterns. Letters match in
/// their own case only.
#[derive(Debug, Clone, Default)]
pub struct Globs {
    patterns: Vec<String>,
    set: GlobSet,
}

impl Globs {
    /// Checks and compiles patterns, in any order.
    pub fn parse<S: Into<String>>(
        patterns: impl IntoIterator<Item = S>,
    ) -> Result<Self, RepoError> {
        let mut patterns: Vec<String> = patterns.into_iter().map(Into::into).collect();
        patterns.sort_unstable();
        patterns.dedup();
        if let Some(over) = patterns.get(PATTERNS) {
            return Err(bad(over, format!("there are more than {PATTERNS} patterns")));
        }
        let mut set = GlobSetBuilder::new();
        for pattern in &patterns {
            set.add(compile(pattern)?);
        }
        let set = set.build().map_err(|error| bad(&patterns.join(" "), error.to_string()))?;
        Ok(Self { patterns, set })
    }

    /// The patterns, sorted.
    pub fn patterns(&self) -> &[String] {
        &self.patterns
    }

    /// Whether the choice is of everything.
    pub fn is_all(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Whether a path, or a name of as many segments, is chosen.
    pub fn is_match(&self, path: &str) -> bool {
        self.is_all() || self.set.is_match(path)
    }
}

/// One pattern.
fn compile(pattern: &str) -> Result<Glob, RepoError> {
    if pattern.len() > PATTERN_BYTES {
        return Err(bad(pattern, format!("a pattern has at most {PATTERN_BYTES} bytes")));
    }
    let glob = GlobBuilder::new(pattern).literal_separator(true).build();
    glob.map_err(|error| bad(pattern, error.kind().to_string()))
}

fn bad(pattern: &str, reason: String) -> RepoError {
    const SHOWN: usize = 100;
    let shown = pattern.chars().take(SHOWN).collect();
    RepoError::Pattern { pattern: shown, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chooses_whole_paths_by_segments() {
        let globs = Globs::parse(["*.md", "static/**", "a/{b,c}/?.png"]).unwrap();
        for yes in ["README.md", "static/x", "static/x/y.css", "a/b/1.png", "a/c/2.png"] {
            assert!(globs.is_match(yes), "{yes}");
        }
        for no in ["ch1/README.md", "static", "a/b/12.png", "README.MD", "README.mdx"] {
            assert!(!globs.is_match(no), "{no}");
        }
        assert!(Globs::default().is_match("anything/at all"));
        assert!(Globs::parse(Vec::<String>::new()).unwrap().is_all());
    }

    #[test]
    fn refuses_what_is_no_pattern_and_what_is_too_much() {
        for bad in ["[a", "{a,b", "a\\"] {
            assert!(matches!(Globs::parse([bad]), Err(RepoError::Pattern { .. })), "{bad}");
        }
        assert!(Globs::parse(["x".repeat(PATTERN_BYTES)]).is_ok());
        assert!(Globs::parse(["x".repeat(PATTERN_BYTES + 1)]).is_err());
        assert!(Globs::parse((0..PATTERNS).map(|n| n.to_string())).is_ok());
        assert!(Globs::parse((0..=PATTERNS).map(|n| n.to_string())).is_err());
    }

    #[test]
    fn order_and_repetition_of_patterns_do_not_matter() {
        let globs = Globs::parse(["b", "a", "b"]).unwrap();
        assert_eq!(globs.patterns(), ["a", "b"]);
    }
}
