//! Searching one text.

use grep_matcher::{LineTerminator, Matcher};
use grep_searcher::{Searcher, SearcherBuilder, Sink, SinkMatch};
use tokio_util::sync::CancellationToken;

use super::LinePattern;

/// How much of a line is shown, in bytes: of a longer one, what is around the match.
const SHOWN_BYTES: usize = 400;

/// How much of that comes before the match, in bytes.
const BEFORE_BYTES: usize = 100;

/// How much text is searched between two looks whether anybody still wants the result, in bytes.
/// The worst expressions take a second for it.
const BLOCK_BYTES: usize = 64 * 1024;

/// A line that matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hit {
    /// Its number, from 1.
    pub(super) line: u64,
    /// Where in it the first match begins: in characters, from 1.
    pub(super) column: u64,
    /// The line without its end, or what of it is around the match.
    pub(super) text: String,
    /// Whether it is more than is shown.
    pub(super) cut: bool,
}

/// Whether this is no text: it holds a zero byte, as in git and grep.
pub(super) fn is_binary(bytes: &[u8]) -> bool {
    bytes.contains(&0)
}

/// The first lines that match, at most `limit`. Ends early when `given_up`.
pub(super) fn search(
    pattern: &LinePattern,
    bytes: &[u8],
    limit: usize,
    given_up: &CancellationToken,
) -> std::io::Result<Vec<Hit>> {
    let mut searcher = SearcherBuilder::new()
        .line_terminator(LineTerminator::crlf())
        .line_number(true)
        .bom_sniffing(false)
        .build();
    let mut lines = Lines { pattern, before: 0, limit, hits: Vec::new() };
    let mut rest = bytes;
    while !rest.is_empty() && lines.hits.len() < limit && !given_up.is_cancelled() {
        let (block, after) = rest.split_at(block_end(rest));
        searcher.search_slice(pattern.matcher(), block, &mut lines)?;
        lines.before += count_lines(block);
        rest = after;
    }
    Ok(lines.hits)
}

#[expect(clippy::naive_bytecount, reason = "one more crate for what the compiler does well")]
fn count_lines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// Where the first block ends: after a line's end, and not far beyond [`BLOCK_BYTES`].
fn block_end(bytes: &[u8]) -> usize {
    let from = BLOCK_BYTES.min(bytes.len());
    let end = bytes[from..].iter().position(|byte| *byte == b'\n');
    end.map_or(bytes.len(), |at| from + at + 1)
}

/// Collects matching lines.
struct Lines<'a> {
    pattern: &'a LinePattern,
    /// How many lines came before the block.
    before: u64,
    limit: usize,
    hits: Vec<Hit>,
}

impl Sink for Lines<'_> {
    type Error = std::io::Error;

    fn matched(&mut self, _: &Searcher, found: &SinkMatch<'_>) -> Result<bool, Self::Error> {
        let line = trimmed(found.bytes());
        let first = self.pattern.matcher().find(line)?;
        // A match at the very end may be of the line's end itself.
        let at = first.map_or(line.len(), |found| found.start());
        let number = self.before + found.line_number().unwrap_or_default();
        self.hits.push(hit(line, at, number));
        Ok(self.hits.len() < self.limit)
    }
}

fn trimmed(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn hit(line: &[u8], at: usize, number: u64) -> Hit {
    let column = String::from_utf8_lossy(&line[..at]).chars().count() as u64 + 1;
    let (mut start, mut end) = (0, line.len());
    if line.len() > SHOWN_BYTES {
        start = at.saturating_sub(BEFORE_BYTES).min(line.len() - SHOWN_BYTES);
        end = start + SHOWN_BYTES;
        // No character is cut in two.
        let inside = |at: &usize| line.get(*at).is_some_and(|byte| byte & 0xc0 == 0x80);
        start = (start..line.len()).find(|at| !inside(at)).unwrap_or(start);
        end = (start..=end).rev().find(|at| !inside(at)).unwrap_or(end);
    }
    Hit {
        line: number,
        column,
        text: String::from_utf8_lossy(&line[start..end]).into_owned(),
        cut: end - start < line.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::PatternOptions;

    fn hits(pattern: &str, text: &[u8], limit: usize) -> Vec<Hit> {
        let pattern = LinePattern::parse(pattern, PatternOptions::default()).unwrap();
        search(&pattern, text, limit, &CancellationToken::new()).unwrap()
    }

    fn shown(pattern: &str, text: &str) -> Vec<(u64, u64, String)> {
        let hits = hits(pattern, text.as_bytes(), 100).into_iter();
        hits.map(|hit| (hit.line, hit.column, hit.text)).collect()
    }

    #[test]
    fn finds_lines_with_their_numbers_and_columns() {
        let line = |line, column, text: &str| (line, column, text.to_owned());
        assert_eq!(shown("b", "a\nab\r\n\nb"), [line(2, 2, "ab"), line(4, 1, "b")]);
        assert_eq!(shown("^$", "a\n\nb\n"), [line(2, 1, "")]);
        assert_eq!(shown("a$", "ba\r\nb"), [line(1, 2, "ba")]);
        assert_eq!(shown("語", "日本語\n"), [line(1, 3, "日本語")]);
        assert_eq!(shown("x", ""), []);
    }

    #[test]
    fn numbers_go_on_over_blocks() {
        let text: String = (1..=50_000).map(|n| format!("line {n}\n")).collect();
        let found = shown("^line (1|7777|50000)$", &text);
        assert_eq!(found.iter().map(|hit| hit.0).collect::<Vec<_>>(), [1, 7777, 50_000]);
        assert_eq!(hits("line", text.as_bytes(), 7).len(), 7);
    }

    #[test]
    fn shows_of_a_long_line_what_is_around_the_match() {
        for text in
            [format!("{}needle{}", "é".repeat(5000), "語".repeat(5000)), "needle".repeat(500)]
        {
            let found = &hits("needle", text.as_bytes(), 1)[0];
            assert!(found.cut && found.text.contains("needle"), "{found:?}");
            assert!(found.text.len() <= SHOWN_BYTES && !found.text.contains('\u{fffd}'));
        }
        let found = &hits("needle$", format!("{}needle", "x".repeat(9000)).as_bytes(), 1)[0];
        assert!(found.text.ends_with("needle"), "{found:?}");
        assert_eq!(found.column, 9001);
    }

    #[test]
    fn takes_bytes_that_are_no_text_as_they_are() {
        let found = &hits("caf", b"caf\xe9\n", 1)[0];
        assert_eq!((found.text.as_str(), found.cut), ("caf\u{fffd}", false));
        assert!(is_binary(b"a\0b") && !is_binary(b"caf\xe9"));
    }

    #[test]
    fn stops_when_nobody_wants_it_any_more() {
        let pattern = LinePattern::parse("x", PatternOptions::default()).unwrap();
        let given_up = CancellationToken::new();
        given_up.cancel();
        assert_eq!(search(&pattern, b"x\n", 10, &given_up).unwrap(), []);
    }
}
