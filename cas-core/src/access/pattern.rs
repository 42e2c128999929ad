//! Patterns over names that have segments: books, refs and paths.
//!
//! `*` stands for any run of characters within a segment, `**` as a whole segment for any number
//! of segments, also none: `docs/**` is the folder `docs` and everything in it. Everything else
//! stands for itself: no name has a `*` in it, so nothing needs escaping. The language is this
//! small because what a pattern lets through must be plain to whoever writes one.
//!
//! A pattern is a chain of segments, and the positions in it that a path can have come to are a
//! set of bits. So three questions have exact answers in one walk over the path: whether it
//! matches, whether everything below it does, and whether anything below it does.

use std::fmt;
use std::str::FromStr;

use unicode_normalization::is_nfc;

use crate::limits;
use crate::name::NameError;

/// A pattern that names are compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    /// Any number of segments, also none.
    Deep,
    /// One segment, with `*` for any run of characters.
    One(String),
}

/// The positions in a pattern that a path has come to: bit n says that n segments are behind it.
type Positions = u128;

// Each position has its bit: those before all segments, and the end.
const _: () = assert!(limits::PATH_SEGMENTS < Positions::BITS as usize);

impl Pattern {
    const WHAT: &'static str = "pattern";

    /// Checks the rules: 1 to 512 bytes in normal form C, 1 to 64 segments none of them empty,
    /// `**` only as a whole segment, and no character that no name has.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let fail = |rule: &str| Err(NameError::new(Self::WHAT, text, rule));
        if text.is_empty() || text.len() > limits::PATTERN_BYTES {
            return fail("a pattern has 1 to 512 bytes");
        }
        if text.chars().any(|c| c.is_control() || r#"\:?"<>|"#.contains(c)) {
            return fail(r#"no name has control characters or any of \ : ? " < > |"#);
        }
        if !is_nfc(text) {
            return fail("names are in Unicode normal form C, and this is not");
        }
        if text.split('/').count() > limits::PATH_SEGMENTS {
            return fail("a pattern has at most 64 segments");
        }
        let mut segments = Vec::new();
        for segment in text.split('/') {
            segments.push(match segment {
                "" => return fail("no segment is empty: everything in a folder is FOLDER/**"),
                "." | ".." => return fail("a pattern has no . and no .."),
                "**" => Segment::Deep,
                _ if segment.contains("**") => return fail("** stands alone between slashes"),
                _ => Segment::One(segment.to_owned()),
            });
        }
        Ok(Self { text: text.to_owned(), segments })
    }

    /// The pattern of everything: `**`.
    pub fn all() -> Self {
        Self { text: "**".to_owned(), segments: vec![Segment::Deep] }
    }

    /// The pattern of every name of one segment: `*`.
    pub(super) fn one() -> Self {
        Self { text: "*".to_owned(), segments: vec![Segment::One("*".to_owned())] }
    }

    /// Whether it is written without `*`, and so matches one name only.
    pub fn is_literal(&self) -> bool {
        !self.text.contains('*')
    }

    /// Whether `name` matches.
    pub fn matches(&self, name: &str) -> bool {
        self.walk(name) & (1 << self.segments.len()) != 0
    }

    /// Whether `folder` matches and every name below it. The empty `folder` stands for the root.
    ///
    /// Exact but for patterns that cover everything in a roundabout way, as `**/*` does below a
    /// folder: to those it says no.
    pub fn covers_below(&self, folder: &str) -> bool {
        self.segments.last() == Some(&Segment::Deep)
            && self.walk(folder) & (1 << (self.segments.len() - 1)) != 0
    }

    /// Whether some name below `folder` can match.
    pub fn reaches_below(&self, folder: &str) -> bool {
        self.walk(folder) & !(1 << self.segments.len()) != 0
    }

    /// The positions behind the segments of `name`.
    fn walk(&self, name: &str) -> Positions {
        let mut at = self.skip_deep(1);
        for part in name.split('/').filter(|part| !part.is_empty()) {
            let mut next = 0;
            for (n, segment) in self.segments.iter().enumerate() {
                if at & (1 << n) == 0 {
                    continue;
                }
                match segment {
                    Segment::Deep => next |= 1 << n,
                    Segment::One(glob) if segment_matches(glob, part) => next |= 1 << (n + 1),
                    Segment::One(_) => {}
                }
            }
            at = self.skip_deep(next);
            if at == 0 {
                break;
            }
        }
        at
    }

    /// The same positions, and those behind each `**` among them, which may stand for nothing.
    fn skip_deep(&self, mut at: Positions) -> Positions {
        for (n, segment) in self.segments.iter().enumerate() {
            if *segment == Segment::Deep && at & (1 << n) != 0 {
                at |= 1 << (n + 1);
            }
        }
        at
    }
}

/// Whether `part` is `glob` with each `*` standing for any run of characters.
fn segment_matches(glob: &str, part: &str) -> bool {
    let Some((first, rest)) = glob.split_once('*') else { return glob == part };
    let Some(mut part) = part.strip_prefix(first) else { return false };
    let (middle, last) = rest.rsplit_once('*').map_or((None, rest), |(m, l)| (Some(m), l));
    // The first place where a piece fits leaves the most for those that follow.
    for piece in middle.into_iter().flat_map(|middle| middle.split('*')) {
        let Some(at) = part.find(piece) else { return false };
        part = &part[at + piece.len()..];
    }
    part.ends_with(last)
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl FromStr for Pattern {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text).unwrap()
    }

    #[test]
    fn stars_stay_in_their_segment_and_double_stars_do_not() {
        for (text, yes, no) in [
            ("**", &["a", "a/b/c"][..], &[][..]),
            ("*", &["a", "main"], &["a/b"]),
            ("users/*", &["users/1", "users/x.y"], &["users", "users/1/draft", "xusers/1"]),
            ("docs/**", &["docs", "docs/a", "docs/a/b"], &["docsx/a", "doc", "x/docs/a"]),
            ("**/*.md", &["a.md", "x/y/a.md"], &["a.mdx", "a.md/b"]),
            ("a/**/z", &["a/z", "a/b/z", "a/b/c/z"], &["a", "z", "a/b", "a/z/b"]),
            ("a*c*", &["ac", "abc", "abcd", "acac"], &["a", "ca", "a/c"]),
            ("*.*.md", &["a.b.md", "..md", "a.b.c.md"], &["a.md", ".md"]),
            ("[ab]/{c}", &["[ab]/{c}"], &["a/c"]),
            ("ab*ba", &["abba", "abxba"], &["aba"]),
        ] {
            let pattern = pattern(text);
            for name in yes {
                assert!(pattern.matches(name), "{text} {name}");
            }
            for name in no {
                assert!(!pattern.matches(name), "{text} {name}");
            }
        }
    }

    #[test]
    fn covers_below_only_what_ends_in_everything() {
        for (text, folder, covers) in [
            ("**", "", true),
            ("**", "a/b", true),
            ("docs/**", "", false),
            ("docs/**", "docs", true),
            ("docs/**", "docs/a/b", true),
            ("docs/**", "doc", false),
            ("*/**", "", false),
            ("*/**", "a", true),
            ("docs/*", "docs", false),
            ("**/*.md", "docs", false),
            ("**/draft/**", "a/draft", true),
            ("**/draft/**", "a", false),
        ] {
            assert_eq!(pattern(text).covers_below(folder), covers, "{text} {folder}");
        }
    }

    #[test]
    fn reaches_below_where_something_can_match() {
        for (text, folder, reaches) in [
            ("docs/a.md", "", true),
            ("docs/a.md", "docs", true),
            ("docs/a.md", "docs/a.md", false),
            ("docs/a.md", "static", false),
            ("*/img/**", "x", true),
            ("*/img/**", "x/y", false),
            ("**/x", "any/where", true),
        ] {
            assert_eq!(pattern(text).reaches_below(folder), reaches, "{text} {folder}");
        }
    }

    #[test]
    fn refuses_patterns_that_cannot_be_meant() {
        let long = "x".repeat(513);
        let deep = vec!["*"; 65].join("/");
        for bad in [
            "", "/a", "a/", "a//b", "a**", "***", "a/**b", "../a", ".", "a:b", "a?", "a\\b", "a\0",
            "e\u{301}", &long, &deep,
        ] {
            assert!(Pattern::parse(bad).is_err(), "{bad:?}");
        }
        assert!(Pattern::parse(&vec!["*"; 64].join("/")).is_ok());
        assert!(Pattern::parse(&vec!["**"; 64].join("/")).is_ok());
    }

    /// The definition, word for word: slow and recursive.
    fn naive(pattern: &[&str], name: &[&str]) -> bool {
        match pattern {
            [] => name.is_empty(),
            ["**", rest @ ..] => (0..=name.len()).any(|n| naive(rest, &name[n..])),
            [glob, rest @ ..] => {
                let glob: Vec<_> = glob.chars().collect();
                name.split_first().is_some_and(|(part, names)| {
                    let part: Vec<_> = part.chars().collect();
                    naive_segment(&glob, &part) && naive(rest, names)
                })
            }
        }
    }

    fn naive_segment(glob: &[char], part: &[char]) -> bool {
        match glob {
            [] => part.is_empty(),
            ['*', rest @ ..] => (0..=part.len()).any(|n| naive_segment(rest, &part[n..])),
            [c, rest @ ..] => part
                .split_first()
                .is_some_and(|(first, others)| first == c && naive_segment(rest, others)),
        }
    }

    fn split(text: &str) -> Vec<&str> {
        text.split('/').filter(|part| !part.is_empty()).collect()
    }

    /// Every name of one to four of these segments.
    fn names() -> Vec<String> {
        let mut names = Vec::new();
        let mut last = vec![String::new()];
        for _ in 0..4 {
            let mut longer = Vec::new();
            for name in &last {
                for part in ["a", "b", "ab", "é"] {
                    let slash = if name.is_empty() { "" } else { "/" };
                    longer.push(format!("{name}{slash}{part}"));
                }
            }
            names.extend(longer.iter().cloned());
            last = longer;
        }
        names
    }

    #[test]
    fn every_small_pattern_means_what_its_definition_says() {
        let names = names();
        let parts = ["a", "*", "**", "a*", "*b", "é"];
        let mut patterns: Vec<String> = parts.iter().map(ToString::to_string).collect();
        for first in parts {
            for second in parts {
                patterns.push(format!("{first}/{second}"));
                patterns.extend(parts.iter().map(|third| format!("{first}/{second}/{third}")));
            }
        }
        for text in &patterns {
            let (pattern, segments) = (pattern(text), split(text));
            for name in &names {
                assert_eq!(pattern.matches(name), naive(&segments, &split(name)), "{text} {name}");
            }
            for folder in names.iter().map(String::as_str).chain([""]).filter(|f| f.len() < 5) {
                let start = if folder.is_empty() { String::new() } else { format!("{folder}/") };
                let mut below = names.iter().filter(|name| name.starts_with(&start));
                if pattern.covers_below(folder) {
                    assert!(pattern.matches(folder), "{text} {folder}");
                    assert!(below.clone().all(|name| pattern.matches(name)), "{text} {folder}");
                }
                // Within the small names there is one that matches if there is one at all: a
                // literal of the pattern is a name here, and there is room for each segment.
                if split(folder).len() <= 1 {
                    let some = below.any(|name| pattern.matches(name));
                    assert_eq!(pattern.reaches_below(folder), some, "{text} {folder}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn means_what_its_definition_says(
            text in "[a*]{1,4}(/([ab*]{1,5}|[*][*])){0,5}",
            name in "[ab]{1,6}(/[ab]{1,6}){0,5}",
            folder in "([ab]{1,2}(/[ab]{1,2}){0,2})?",
        ) {
            let Ok(pattern) = Pattern::parse(&text) else { return Ok(()) };
            let segments = split(&text);
            prop_assert_eq!(pattern.matches(&name), naive(&segments, &split(&name)));
            let below = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            if pattern.covers_below(&folder) {
                prop_assert!(naive(&segments, &split(&below)), "{} covers {}", text, folder);
            }
            if naive(&segments, &split(&below)) {
                prop_assert!(pattern.reaches_below(&folder), "{} reaches {}", text, folder);
            }
        }

        #[test]
        fn agrees_with_globset(
            text in "([ab]{1,2}|[*]|[*][*]|a[*]b)(/([ab]{1,2}|[*]|[*][*]|[*]a)){0,3}",
            name in "[ab]{1,3}(/[ab]{1,3}){0,4}",
        ) {
            let glob = globset::GlobBuilder::new(&text).literal_separator(true).build().unwrap();
            let theirs = glob.compile_matcher();
            // There `docs/**` is without `docs` itself.
            let folder = text.strip_suffix("/**").map(pattern);
            let is_folder = folder.is_some_and(|folder| folder.matches(&name));
            let ours = pattern(&text).matches(&name);
            prop_assert_eq!(ours, is_folder || theirs.is_match(&name), "{} {}", text, name);
        }
    }
}
