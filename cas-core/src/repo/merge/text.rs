//! Merging text by lines.
//!
//! Both sides are compared with the base, and each hunk that only one of them changed is taken.
//! Hunks of the two sides that overlap or touch are one region, and a conflict unless both sides
//! say the same there. These are the rules of git's own merge, with its histogram differences, so
//! that a clean merge gives the bytes that git would.
//!
//! Lines are bytes up to and with their line feed: encodings that contain ASCII need no decoding.
//! If a side changed nothing but every line ending, from one style to the other, that is a change
//! of its own, merged apart from the lines.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use imara_diff::{Algorithm, Diff, InternedInput, Interner, Token, sources};

use super::OnConflict;

/// What came of merging texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MergedText {
    pub(super) bytes: Vec<u8>,
    /// How many regions were in conflict, and resolved as asked.
    pub(super) conflicts: usize,
}

/// How lines end in a text, if all do so in the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Lf,
    CrLf,
}

/// Whether this is text: without NUL bytes.
pub(super) fn is_text(bytes: &[u8]) -> bool {
    !bytes.contains(&0)
}

/// Merges what two sides made of a text. Where both changed the same lines, `on_conflict` says
/// what is taken; for [`OnConflict::Fail`], as for ours.
pub(super) fn merge_text(
    base: &[u8],
    ours: &[u8],
    theirs: &[u8],
    on_conflict: OnConflict,
) -> MergedText {
    let endings = (ending(base), ending(ours), ending(theirs));
    let (Some(b), Some(o), Some(t)) = endings else {
        return merge_lines(base, ours, theirs, on_conflict);
    };
    if b == o && b == t {
        return merge_lines(base, ours, theirs, on_conflict);
    }
    let style = if o == b { t } else { o };
    let (base, ours, theirs) = (with_lf(base), with_lf(ours), with_lf(theirs));
    let merged = merge_lines(&base, &ours, &theirs, on_conflict);
    match style {
        Ending::Lf => merged,
        Ending::CrLf => MergedText { bytes: with_crlf(&merged.bytes), ..merged },
    }
}

/// A region of the base and what stands for it on each side, in lines.
#[derive(Debug, Clone)]
struct Region {
    base: Range<u32>,
    ours: Range<u32>,
    theirs: Range<u32>,
    by: Changed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Changed {
    Ours,
    Theirs,
    Both,
}

fn merge_lines(base: &[u8], ours: &[u8], theirs: &[u8], on_conflict: OnConflict) -> MergedText {
    let mut lines = Interner::new(base.len() / 32 + 16);
    let mut interned = |text| sources::byte_lines(text).map(|line| lines.intern(line)).collect();
    let texts: [Vec<Token>; 3] = [interned(base), interned(ours), interned(theirs)];
    let [b, o, t] = &texts;
    let regions = regions(&hunks(b, o, &lines), &hunks(b, t, &lines));
    let mut out = Output { bytes: Vec::with_capacity(ours.len().max(theirs.len())), lines: &lines };
    let mut conflicts = 0;
    let mut at = 0;
    for region in regions {
        out.lines(&b[at as usize..region.base.start as usize]);
        at = region.base.end;
        let (ours, theirs) = (slice(o, &region.ours), slice(t, &region.theirs));
        match region.by {
            Changed::Ours => out.lines(ours),
            Changed::Theirs => out.lines(theirs),
            Changed::Both if ours == theirs => out.lines(ours),
            Changed::Both => {
                conflicts += 1;
                match on_conflict {
                    OnConflict::Fail | OnConflict::Ours => out.lines(ours),
                    OnConflict::Theirs => out.lines(theirs),
                    OnConflict::Markers => out.markers(ours, theirs),
                }
            }
        }
    }
    out.lines(&b[at as usize..]);
    MergedText { bytes: out.bytes, conflicts }
}

fn slice<'a>(tokens: &'a [Token], range: &Range<u32>) -> &'a [Token] {
    &tokens[range.start as usize..range.end as usize]
}

/// The hunks that make `after` of `before`: ranges of lines before and after, in order.
fn hunks(
    before: &[Token],
    after: &[Token],
    lines: &Interner<&[u8]>,
) -> Vec<(Range<u32>, Range<u32>)> {
    let mut input = InternedInput::<&[u8]>::default();
    input.before.extend_from_slice(before);
    input.after.extend_from_slice(after);
    let mut diff = Diff::default();
    diff.compute_with(Algorithm::Histogram, before, after, lines.num_tokens());
    diff.postprocess_no_heuristic(&input);
    diff.hunks().map(|hunk| (hunk.before, hunk.after)).collect()
}

/// Lines up the hunks of both sides: what touches becomes one region.
fn regions(ours: &[(Range<u32>, Range<u32>)], theirs: &[(Range<u32>, Range<u32>)]) -> Vec<Region> {
    let (mut ours, mut theirs) = (ours.iter().peekable(), theirs.iter().peekable());
    // How far the lines of a side are behind those of the base, between hunks.
    let (mut our_shift, mut their_shift) = (0_i64, 0_i64);
    let mut regions = Vec::new();
    loop {
        let start = match (ours.peek(), theirs.peek()) {
            (None, None) => return regions,
            (Some((o, _)), None) => o.start,
            (None, Some((t, _))) => t.start,
            (Some((o, _)), Some((t, _))) => o.start.min(t.start),
        };
        let (mut end, mut by) = (start, None);
        let (before_ours, before_theirs) = (our_shift, their_shift);
        loop {
            // The strict rule: a line that neither changed must stand between two regions.
            let take_ours = ours.peek().is_some_and(|(o, _)| o.start <= end);
            let take_theirs = theirs.peek().is_some_and(|(t, _)| t.start <= end);
            let side = match (take_ours, take_theirs) {
                (true, _) => &mut ours,
                (false, true) => &mut theirs,
                (false, false) => break,
            };
            let Some((before, after)) = side.next() else { break };
            end = end.max(before.end);
            let grown = length(after) - length(before);
            let who = if take_ours { Changed::Ours } else { Changed::Theirs };
            if take_ours {
                our_shift += grown;
            } else {
                their_shift += grown;
            }
            by = Some(by.map_or(who, |by| if by == who { by } else { Changed::Both }));
        }
        let on_side = |before: i64, after: i64| shifted(start, before)..shifted(end, after);
        regions.push(Region {
            base: start..end,
            ours: on_side(before_ours, our_shift),
            theirs: on_side(before_theirs, their_shift),
            by: by.unwrap_or(Changed::Both),
        });
    }
}

fn length(range: &Range<u32>) -> i64 {
    i64::from(range.end) - i64::from(range.start)
}

fn shifted(at: u32, by: i64) -> u32 {
    u32::try_from(i64::from(at) + by).unwrap_or(0)
}

/// The merged text as it grows.
struct Output<'a> {
    bytes: Vec<u8>,
    lines: &'a Interner<&'a [u8]>,
}

impl Output<'_> {
    fn lines(&mut self, tokens: &[Token]) {
        for token in tokens {
            self.bytes.extend_from_slice(self.lines[*token]);
        }
    }

    /// Both versions between markers, without the lines that are equal at either end.
    fn markers(&mut self, ours: &[Token], theirs: &[Token]) {
        let same = ours.iter().zip(theirs).take_while(|(a, b)| a == b).count();
        self.lines(&ours[..same]);
        let (ours, theirs) = (&ours[same..], &theirs[same..]);
        let tail = ours.iter().rev().zip(theirs.iter().rev()).take_while(|(a, b)| a == b).count();
        let (ours, rest) = ours.split_at(ours.len() - tail);
        let theirs = &theirs[..theirs.len() - tail];
        let is_crlf = |tokens: &[Token]| {
            tokens.first().is_some_and(|token| self.lines[*token].ends_with(b"\r\n"))
        };
        let ending: &[u8] = if is_crlf(ours) || is_crlf(theirs) { b"\r\n" } else { b"\n" };
        for (marker, lines) in [("<<<<<<< ours", ours), ("=======", theirs)] {
            self.marker(marker, ending);
            self.lines(lines);
            if self.bytes.last().is_some_and(|last| *last != b'\n') {
                self.bytes.extend_from_slice(ending);
            }
        }
        self.marker(">>>>>>> theirs", ending);
        self.lines(rest);
    }

    fn marker(&mut self, marker: &str, ending: &[u8]) {
        self.bytes.extend_from_slice(marker.as_bytes());
        self.bytes.extend_from_slice(ending);
    }
}

/// How the lines end; `None` if there are none or they differ.
fn ending(text: &[u8]) -> Option<Ending> {
    let mut found = None;
    for line in text.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")) {
        let this = if line.ends_with(b"\r\n") { Ending::CrLf } else { Ending::Lf };
        if found.is_some_and(|found| found != this) {
            return None;
        }
        found = Some(this);
    }
    found
}

fn with_lf(text: &[u8]) -> Cow<'_, [u8]> {
    if ending(text) != Some(Ending::CrLf) {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_suffix(b"\r\n") {
            Some(line) => {
                out.extend_from_slice(line);
                out.push(b'\n');
            }
            None => out.extend_from_slice(line),
        }
    }
    Cow::Owned(out)
}

fn with_crlf(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 32);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_suffix(b"\n") {
            Some(line) => {
                out.extend_from_slice(line);
                out.extend_from_slice(b"\r\n");
            }
            None => out.extend_from_slice(line),
        }
    }
    out
}

/// How alike two texts are, from 0 to 100: the bytes of the lines that both have, as a part of the
/// longer one. How a line ends does not matter, and counts for one byte.
pub(super) fn similarity(a: &[u8], b: &[u8]) -> u64 {
    let mut counts = BTreeMap::<&[u8], u64>::new();
    let (mut of_a, mut of_b, mut common) = (0, 0, 0);
    for line in bare_lines(a) {
        *counts.entry(line).or_default() += 1;
        of_a += line.len() as u64 + 1;
    }
    for line in bare_lines(b) {
        of_b += line.len() as u64 + 1;
        if let Some(count) = counts.get_mut(line).filter(|count| **count > 0) {
            *count -= 1;
            common += line.len() as u64 + 1;
        }
    }
    match of_a.max(of_b) {
        0 => 0,
        longer => common * 100 / longer,
    }
}

fn bare_lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|byte| *byte == b'\n').map(|line| {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        line.strip_suffix(b"\r").unwrap_or(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(base: &str, ours: &str, theirs: &str) -> (String, usize) {
        let found =
            merge_text(base.as_bytes(), ours.as_bytes(), theirs.as_bytes(), OnConflict::Markers);
        (String::from_utf8(found.bytes).unwrap(), found.conflicts)
    }

    fn clean(text: &str) -> (String, usize) {
        (text.to_owned(), 0)
    }

    #[test]
    fn takes_each_sides_changes() {
        assert_eq!(merged("a\nb\nc\nd\n", "A\nb\nc\nd\n", "a\nb\nc\nD\n"), clean("A\nb\nc\nD\n"));
        assert_eq!(merged("a\nb\nc\n", "a\nc\n", "a\nb\nc\nd\n"), clean("a\nc\nd\n"));
        assert_eq!(merged("a\n", "a\n", "b\n"), clean("b\n"));
        assert_eq!(merged("a\nb\nc\n", "x\nb\nc\n", "x\nb\nc\n"), clean("x\nb\nc\n"));
    }

    #[test]
    fn lines_that_touch_are_a_conflict() {
        assert_eq!(merged("a\nb\nc\n", "A\nb\nc\n", "a\nB\nc\n").1, 1);
        assert_eq!(
            merged("a\nb\n", "a\nx\nb\n", "a\ny\nb\n").0,
            "a\n<<<<<<< ours\nx\n=======\ny\n>>>>>>> theirs\nb\n"
        );
    }

    #[test]
    fn a_missing_final_newline_is_content() {
        assert_eq!(merged("a\nb\nc", "A\nb\nc", "a\nb\nc\n"), clean("A\nb\nc\n"));
        assert_eq!(merged("a\nb\nc\n", "A\nb\nc\n", "a\nb\nc"), clean("A\nb\nc"));
        let (text, conflicts) = merged("a", "b", "c");
        assert_eq!(
            (text.as_str(), conflicts),
            ("<<<<<<< ours\nb\n=======\nc\n>>>>>>> theirs\n", 1)
        );
    }

    #[test]
    fn line_endings_are_kept_and_merged_apart() {
        assert_eq!(
            merged("a\r\nb\r\nc\r\n", "A\r\nb\r\nc\r\n", "a\r\nb\r\nC\r\n"),
            clean("A\r\nb\r\nC\r\n")
        );
        // Theirs only changed the style; ours only a line.
        assert_eq!(merged("a\r\nb\r\n", "A\r\nb\r\n", "a\nb\n"), clean("A\nb\n"));
        assert_eq!(merged("a\nb\nc\n", "a\r\nb\r\nc\r\n", "a\nb\nC"), clean("a\r\nb\r\nC"));
        // A mixed text is merged byte by byte.
        assert_eq!(merged("a\r\nb\nc\nd\n", "a\r\nb\nc\nD\n", "A\r\nb\nc\nd\n").1, 0);
        let (text, _) = merged("a\r\n", "b\r\n", "c\r\n");
        assert_eq!(text, "<<<<<<< ours\r\nb\r\n=======\r\nc\r\n>>>>>>> theirs\r\n");
    }

    #[test]
    fn similarity_is_that_of_lines() {
        assert_eq!(similarity(b"a\nb\nc\nd\n", b"a\nb\nc\nx\n"), 75);
        assert_eq!(similarity(b"a\nb\nc\nd\n", b"a\r\nb\r\nc\r\nx\r\n"), 75);
        assert_eq!(similarity(b"", b""), 0);
        assert_eq!(similarity(b"same\n", b"same\n"), 100);
    }
}
