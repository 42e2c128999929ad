//! `cas sync`

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

use cas_core::ErrorKind;
use cas_core::folder::Step;
use cas_core::name::{BookId, CommitId, Revision};
use cas_core::repo::{
    EditedPaths, PathConflicts, SyncItem, SyncReport, SyncRequest, SyncStatus, one_line,
};
use clap::Args;
use serde::Serialize;

use super::merge::{How, MergeView};
use crate::context::Context;
use crate::error::CommandError;
use crate::output::count;

/// About how many bytes an index of what branches changed takes at most.
const INDEX_BYTES: u64 = 1 << 30;

/// Bring branches up to what they follow
///
/// Every branch that matches and has an upstream gets the upstream's newest version merged, many
/// at a time. Branches that are up to date are left alone, so that a run that was cut off is
/// finished by running it again. With --dry-run it is the author's preview: how many branches are
/// untouched, merged or in conflict, and where.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas sync 'guide@users/*'                                All of them
  cas sync guide@users/7 --on-conflict ours               One; where both changed, its own stays
  cas sync 'guide@users/*' --dry-run                      What would come of it
  cas sync 'guide@users/*' --dry-run --against guide@draft     What publishing a draft would do
  cas sync 'guide@users/*' --dry-run --sample 1000        By a sample
  cas sync 'guide@users/*' --json                         One line for each branch, then the sums")]
pub(crate) struct Sync {
    /// The branches: `*` stands for a segment or part of one, `**` for several
    #[arg(value_name = "BOOK@PATTERN")]
    branches: String,
    #[command(flatten)]
    how: How,
    /// With --dry-run: the version that the upstreams are to become
    #[arg(long, value_name = "REV", requires = "dry_run")]
    against: Option<Revision>,
    /// With --dry-run: look at so many branches only
    #[arg(long, value_name = "N", requires = "dry_run")]
    sample: Option<usize>,
    /// Why (default: what was merged)
    #[arg(long, short, value_name = "TEXT")]
    message: Option<String>,
}

/// One branch, on a line of JSON.
#[derive(Debug, Serialize)]
struct ItemView<'a> {
    branch: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    merge: Option<MergeView<'a>>,
}

/// The sums, on the last line of JSON.
#[derive(Debug, Serialize)]
struct ReportView<'a> {
    dry_run: bool,
    matching: u64,
    branches: u64,
    opened: u64,
    outcomes: BTreeMap<&'static str, u64>,
    with_conflicts: u64,
    conflicts: BTreeMap<&'a str, &'a PathConflicts>,
}

impl Sync {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let Some((book, pattern)) = self.branches.split_once('@') else {
            let text = format!("{}: say which branches, e.g. guide@users/*", self.branches);
            return Err(CommandError::Usage(text));
        };
        let book: BookId = book.parse()?;
        let index = Context::branch_index(&book, &context.location).filter(|_| self.how.dry_run);
        let edited = index.as_deref().map(|file| Arc::new(EditedPaths::load(file, INDEX_BYTES)));
        let request = SyncRequest {
            on_conflict: self.how.on_conflict,
            dry_run: self.how.dry_run,
            against: self.against(context, &book).await?,
            sample: self.sample,
            message: self.message.clone(),
            edited: edited.clone(),
            ..SyncRequest::new(book, pattern)
        };
        let output = context.output;
        let mut said = Ok(());
        let mut begun = false;
        let progress = context.progress.clone();
        let report = context
            .repo
            .sync(&request, &mut |item, total| {
                if !std::mem::replace(&mut begun, true) {
                    progress.begin(Step::Merge, total);
                }
                progress.advance(1);
                if said.is_ok() && output.is_json() {
                    said = output.line(&ItemView::new(&item), |_| Ok(()));
                } else if said.is_ok() && needs_telling(&item) {
                    progress.end();
                    begun = false;
                    said = output.line(&(), |out| write_item(out, &item));
                }
                Box::pin(std::future::ready(()))
            })
            .await;
        context.progress.end();
        said?;
        let report = report?;
        if let (Some(file), Some(edited)) = (&index, &edited) {
            // Only what the next preview would save is lost if it cannot be kept.
            let _ = edited.save(file);
        }
        if report.branches == 0 && !output.is_json() && report.matching == 0 {
            return Err(CommandError::Usage(format!("no branch matches {}", self.branches)));
        }
        output.line(&ReportView::new(&report, self.how.dry_run), |out| {
            write_report(out, &report, self.how.dry_run)
        })?;
        self.verdict(&report)
    }

    async fn against(
        &self,
        context: &Context,
        book: &BookId,
    ) -> Result<Option<CommitId>, CommandError> {
        let Some(against) = &self.against else {
            return Ok(None);
        };
        if against.book != *book {
            let text = format!("{against} is of another book than {}", self.branches);
            return Err(CommandError::Usage(text));
        }
        Ok(Some(context.repo.resolve_id(against).await?))
    }

    /// Conflicts and failures decide the exit code; as a preview, they are what was asked for.
    fn verdict(&self, report: &SyncReport) -> Result<(), CommandError> {
        let (conflicts, failed) =
            (report.count(SyncStatus::Conflict), report.count(SyncStatus::Failed));
        if failed > 0 {
            let message = format!("{} failed", count(failed, "branch", "branches"));
            return Err(CommandError::found(message, ErrorKind::Internal));
        }
        if conflicts == 0 || self.how.dry_run {
            return Ok(());
        }
        let message = format!(
            "{} in conflict: nothing was written to them; \
             --on-conflict ours, theirs or markers says what to take",
            count(conflicts, "branch", "branches")
        );
        Err(CommandError::found(message, ErrorKind::Conflict))
    }
}

/// Whether people are told of a branch by name: of a million, only those with a problem.
fn needs_telling(item: &SyncItem) -> bool {
    matches!(item.status, SyncStatus::Conflict | SyncStatus::Failed)
}

fn write_item(out: &mut dyn Write, item: &SyncItem) -> io::Result<()> {
    writeln!(out, "{:<12}  {}", item.status.as_str(), item.name)?;
    if let Some(report) = &item.report {
        super::merge::write_conflicts(out, &report.conflicts)?;
    }
    match &item.error {
        Some(error) => writeln!(out, "  {}", one_line(&error.to_string())),
        None => Ok(()),
    }
}

fn write_report(out: &mut dyn Write, report: &SyncReport, dry_run: bool) -> io::Result<()> {
    if !report.conflicts.is_empty() {
        writeln!(out, "paths in conflict:")?;
        for (path, found) in &report.conflicts {
            let branches = count(found.branches, "branch", "branches");
            writeln!(out, "  {}: {branches}", one_line(path.as_str()))?;
        }
    }
    let sums: Vec<_> = SyncStatus::ALL
        .into_iter()
        .map(|status| (status, report.count(status)))
        .filter(|(_, branches)| *branches > 0)
        .map(|(status, branches)| format!("{branches} {}", status.as_str()))
        .collect();
    let sums = if sums.is_empty() { String::new() } else { format!(": {}", sums.join(", ")) };
    let would = if dry_run { " (nothing was written)" } else { "" };
    writeln!(out, "{}{sums}{would}", count(report.branches, "branch", "branches"))
}

impl<'a> ItemView<'a> {
    fn new(item: &'a SyncItem) -> Self {
        let reason = item.reason.map(str::to_owned);
        Self {
            branch: item.name.as_str(),
            status: item.status.as_str(),
            reason: reason.or_else(|| item.error.as_ref().map(ToString::to_string)),
            merge: item.report.as_ref().map(MergeView::new),
        }
    }
}

impl<'a> ReportView<'a> {
    fn new(report: &'a SyncReport, dry_run: bool) -> Self {
        let counted = |status: SyncStatus| (status.as_str(), report.count(status));
        let conflicts = report.conflicts.iter().map(|(path, found)| (path.as_str(), found));
        Self {
            dry_run,
            matching: report.matching,
            branches: report.branches,
            opened: report.opened,
            outcomes: SyncStatus::ALL.into_iter().map(counted).collect(),
            with_conflicts: report.with_conflicts,
            conflicts: conflicts.collect(),
        }
    }
}
