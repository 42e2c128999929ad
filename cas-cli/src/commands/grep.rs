//! `cas grep`

use cas_core::name::Revision;
use cas_core::repo::{
    Globs, LineMatch, LinePattern, PatternOptions, SearchReport, SearchRequest, Source,
};
use clap::Args;
use serde::Serialize;

use crate::args::FolderArg;
use crate::context::Context;
use crate::error::CommandError;

/// Find the lines of a version that match a regular expression
///
/// Files that hold a zero byte or have more than 1 MiB are not searched. Of a long line, what is
/// around the match is printed. Finding nothing is no failure.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas grep 'TODO|FIXME' guide                 PATH:LINE:TEXT of each
  cas grep -i 'merkle tree' guide ch2         ... in either case, in one folder
  cas grep -F 'a[0]' guide -g '**/*.md'       ... the very text, in some files")]
pub(crate) struct Grep {
    /// The expression, in the syntax of the Rust crate `regex`
    #[arg(value_name = "PATTERN")]
    pattern: String,
    /// The version, e.g. guide or guide@draft~1: see `cas --help`
    #[arg(value_name = "REV")]
    revision: Revision,
    /// Only this file or folder
    #[arg(default_value = ".", hide_default_value = true)]
    path: FolderArg,
    /// Letters match in either case
    #[arg(long, short)]
    ignore_case: bool,
    /// The pattern is the very text, no expression
    #[arg(long, short = 'F')]
    fixed_strings: bool,
    /// Only files whose path in the book matches: `*` within a folder, `**` across; may be repeated
    #[arg(long, short, value_name = "PATTERN")]
    glob: Vec<String>,
    /// Most lines to print
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    limit: usize,
}

#[derive(Debug, Serialize)]
struct View {
    commit: String,
    source: Source,
    tree: String,
    lines: Vec<LineView>,
    truncated: bool,
    files: u64,
    bytes: u64,
    skipped_binary: u64,
    skipped_large: u64,
}

#[derive(Debug, Serialize)]
struct LineView {
    path: String,
    id: String,
    line: u64,
    column: u64,
    text: String,
    cut: bool,
}

impl Grep {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let options = PatternOptions { ignore_case: self.ignore_case, literal: self.fixed_strings };
        let pattern = LinePattern::parse(&self.pattern, options)?;
        let globs = Globs::parse(self.glob)?;
        let version = context.reading(&self.revision).await?;
        let tree = version.tree;
        let request = SearchRequest {
            tree,
            path: self.path.0,
            globs,
            pattern,
            lines: self.limit,
            bytes: u64::MAX,
        };
        let SearchReport { lines, truncated, files, bytes, skipped } =
            version.repo.search(&request).await?;
        let view = View {
            commit: version.id.to_string(),
            source: version.source,
            tree: tree.to_string(),
            lines: lines.iter().map(LineView::new).collect(),
            truncated,
            files,
            bytes,
            skipped_binary: skipped.binary,
            skipped_large: skipped.large,
        };
        context.output.answer(&view, |out| {
            lines.iter().try_for_each(|LineMatch { path, line, text, .. }| {
                writeln!(out, "{path}:{line}:{text}")
            })
        })?;
        if truncated {
            context.output.warn("there are more lines: see --limit");
        }
        Ok(())
    }
}

impl LineView {
    fn new(found: &LineMatch) -> Self {
        Self {
            path: found.path.to_string(),
            id: found.id.to_string(),
            line: found.line,
            column: found.column,
            text: found.text.clone(),
            cut: found.cut,
        }
    }
}
