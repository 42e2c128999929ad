//! `cas merge`

use std::io::{self, Write};

use cas_core::ErrorKind;
use cas_core::name::{BookPath, Revision};
use cas_core::repo::{
    Conflict, MergeReport, MergeRequest, MergeStatus, OnConflict, Side, one_line,
};
use clap::Args;
use serde::Serialize;

use crate::args::BranchArg;
use crate::context::Context;
use crate::error::CommandError;
use crate::output::{count, short};

/// Merge a version into a branch
///
/// What only one side changed since they last met is taken. Text that both changed is merged by
/// lines. Where both changed the same lines, or one removed what the other changed, nothing is
/// written and every such path is told, unless --on-conflict says what to take. docs/merge.md has
/// every case.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas merge guide@main --into guide@users/7                       Bring a branch forward
  cas merge guide@main --into guide@users/7 --dry-run             What would come of it
  cas merge guide@draft --into guide --on-conflict markers        Both versions between markers
  cas merge guide@draft --into guide --on-conflict ours --json    For a program")]
pub(crate) struct Merge {
    /// The version to merge, e.g. guide@main: see `cas --help`
    #[arg(value_name = "REV")]
    from: Revision,
    /// The branch that is to get it
    #[arg(long, value_name = "BOOK@BRANCH")]
    into: BranchArg,
    #[command(flatten)]
    how: How,
    /// Why (default: what was merged)
    #[arg(long, short, value_name = "TEXT")]
    message: Option<String>,
}

/// Options of everything that merges.
#[derive(Debug, Clone, Args)]
pub(super) struct How {
    /// What to take where both changed the same: fail (nothing is written), ours (what the branch
    /// has), theirs (what is merged) or markers (both, for somebody to choose)
    #[arg(long, value_name = "WHAT", default_value = "fail")]
    pub(super) on_conflict: OnConflict,
    /// Only say what would come of it
    #[arg(long)]
    pub(super) dry_run: bool,
}

/// A merge, in JSON.
#[derive(Debug, Serialize)]
pub(super) struct MergeView<'a> {
    status: &'static str,
    base: Vec<String>,
    ours: String,
    theirs: String,
    commit: String,
    tree: String,
    merged_files: usize,
    seq: Option<u64>,
    conflicts: Vec<ConflictView<'a>>,
}

/// A path in conflict, in JSON.
#[derive(Debug, Serialize)]
pub(super) struct ConflictView<'a> {
    path: &'a str,
    kind: &'static str,
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    other: Option<&'a str>,
    base: Option<SideView>,
    ours: Option<SideView>,
    theirs: Option<SideView>,
}

#[derive(Debug, Serialize)]
struct SideView {
    kind: &'static str,
    id: String,
    size: u64,
}

#[derive(Debug, Serialize)]
struct Answer<'a> {
    book: String,
    into: String,
    dry_run: bool,
    #[serde(flatten)]
    merge: MergeView<'a>,
}

impl Merge {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let BranchArg { book, branch } = self.into;
        if self.from.book != book {
            let text = format!("{} is of another book than {book}@{branch}", self.from);
            return Err(CommandError::Usage(text));
        }
        let repo = &context.repo;
        let request = MergeRequest {
            from: repo.resolve_id(&self.from).await?,
            book: book.clone(),
            into: branch.clone(),
            from_ref: self.from.head_ref().cloned(),
            on_conflict: self.how.on_conflict,
            message: self.message,
            request_id: context.request_id(),
        };
        let report = repo.merge(&request, self.how.dry_run).await?;
        let answer = Answer {
            book: book.to_string(),
            into: branch.to_string(),
            dry_run: self.how.dry_run,
            merge: MergeView::new(&report),
        };
        context.output.answer(&answer, |out| {
            writeln!(out, "{}", said(&report, &format!("{book}@{branch}"), self.how.dry_run))?;
            write_conflicts(out, &report.conflicts)
        })?;
        if report.status != MergeStatus::Conflict {
            return Ok(());
        }
        let paths = count(report.conflicts.len() as u64, "conflict", "conflicts");
        let message = format!(
            "{paths} between {} and {book}@{branch}: nothing was written; \
             --on-conflict ours, theirs or markers says what to take",
            self.from
        );
        Err(CommandError::found(message, ErrorKind::Conflict))
    }
}

fn said(report: &MergeReport, into: &str, dry_run: bool) -> String {
    let would = if dry_run { "would be " } else { "" };
    match report.status {
        MergeStatus::UpToDate => format!("{into} is up to date"),
        MergeStatus::FastForward => {
            format!("{into} {would}fast-forwarded to {}", short(report.theirs))
        }
        MergeStatus::Merged if dry_run => format!("{into} would be merged, {}", files(report)),
        MergeStatus::Merged => {
            format!("{into} merged, {}: commit {}", files(report), short(report.commit))
        }
        MergeStatus::Conflict => format!("{into} is in conflict with {}", short(report.theirs)),
    }
}

fn files(report: &MergeReport) -> String {
    let files = count(report.merged_files as u64, "file", "files");
    format!("{files} with changes of both sides")
}

/// One line for each path in conflict.
pub(super) fn write_conflicts(out: &mut dyn Write, conflicts: &[Conflict]) -> io::Result<()> {
    for conflict in conflicts {
        let path = one_line(conflict.path.as_str());
        write!(out, "  {:<14}  {path}: {}", conflict.kind.as_str(), conflict.kind.reason())?;
        match &conflict.other {
            Some(other) => writeln!(out, " ({})", one_line(other.as_str()))?,
            None => writeln!(out)?,
        }
    }
    Ok(())
}

impl<'a> MergeView<'a> {
    pub(super) fn new(report: &'a MergeReport) -> Self {
        Self {
            status: report.status.as_str(),
            base: report.bases.iter().map(ToString::to_string).collect(),
            ours: report.ours.to_string(),
            theirs: report.theirs.to_string(),
            commit: report.commit.to_string(),
            tree: report.tree.to_string(),
            merged_files: report.merged_files,
            seq: report.entry.as_ref().map(|entry| entry.entry.seq),
            conflicts: report.conflicts.iter().map(ConflictView::new).collect(),
        }
    }
}

impl<'a> ConflictView<'a> {
    fn new(conflict: &'a Conflict) -> Self {
        let side = |side: Option<Side>| {
            side.map(|side| SideView {
                kind: side.kind.as_str(),
                id: side.id.to_string(),
                size: side.size,
            })
        };
        Self {
            path: conflict.path.as_str(),
            kind: conflict.kind.as_str(),
            reason: conflict.kind.reason(),
            other: conflict.other.as_ref().map(BookPath::as_str),
            base: side(conflict.base),
            ours: side(conflict.ours),
            theirs: side(conflict.theirs),
        }
    }
}
