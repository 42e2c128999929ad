//! `cas gc`

use std::collections::BTreeMap;
use std::time::Duration;

use cas_core::env::Timestamp;
use cas_core::limits;
use cas_core::upkeep::{GcReport, GcRequest, GcStatus, Grace, OpenList, Retention, Tally};
use clap::Args;
use serde::Serialize;

use crate::args::Time;
use crate::context::Context;
use crate::error::CommandError;
use crate::output::{count, human_bytes, short_time};

/// Delete what nothing needs any more
///
/// In two runs, so that no writer is ever hurt: the first condemns everything that no branch, tag
/// or kept entry of a log reaches and that is older than the grace period; the second, at least a
/// grace period later, looks again and deletes what is still reached by nothing. Run it once a day:
/// it does whatever is due. In between `--cancel` takes it back.
///
/// A version stays as long as a branch or tag has it in its history, or an entry of a log that is
/// kept names it. Works on the folder or bucket itself, not through a server, while writers go on.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas gc --dry-run               What would be deleted and condemned now
  cas gc                         Do what is due
  cas gc --keep-log 90d          Keep what logs name of the last 90 days only
  cas gc --status                What is condemned, and from when on it may be deleted
  cas gc --alone                 At once, in a store that nobody else uses meanwhile")]
pub(crate) struct Gc {
    /// Say what would be done, and do nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
    /// Take back what is condemned and not deleted yet
    #[arg(long, conflicts_with_all = ["dry_run", "status", "alone", "keep_log", "grace"])]
    cancel: bool,
    /// Tell what is under way
    #[arg(long, conflicts_with_all = ["dry_run", "alone", "keep_log", "grace"])]
    status: bool,
    /// Which entries of logs keep the version that they name: all, so many of the newest, or those
    /// of so long; the newest always does
    #[arg(long, value_name = "all|N|DURATION", value_parser = retention, default_value = "all")]
    keep_log: Retention,
    /// How old what is condemned must be, and how long it then stays
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "24h",
        default_value_if("alone", "true", "0s")
    )]
    grace: Time,
    /// Delete at once. You promise that nobody else uses the store meanwhile, no server either
    #[arg(long)]
    alone: bool,
}

fn retention(text: &str) -> Result<Retention, String> {
    if text == "all" {
        return Ok(Retention::All);
    }
    if let Ok(many) = text.parse() {
        return Ok(Retention::Newest(many));
    }
    match text.parse::<Time>() {
        Ok(Time(window)) => Ok(Retention::Since(window)),
        Err(_) => Err("`all`, a number, or a duration as 90d".to_owned()),
    }
}

#[derive(Debug, Serialize)]
struct View {
    dry_run: bool,
    refs: u64,
    kept: BTreeMap<&'static str, TallyView>,
    young: TallyView,
    condemned: TallyView,
    deleted: TallyView,
    rescued: TallyView,
    lists_retired: u64,
    waiting: Option<ListView>,
    next_due: Option<String>,
    unknown_keys: u64,
}

#[derive(Debug, Serialize)]
struct TallyView {
    objects: u64,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct ListView {
    list: u64,
    state: &'static str,
    objects: u64,
    bytes: u64,
    published: String,
}

#[derive(Debug, Serialize)]
struct StatusView {
    lists: Vec<ListView>,
}

#[derive(Debug, Serialize)]
struct CancelView {
    cancelled: bool,
}

impl Gc {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let upkeep = context.upkeep()?;
        if self.cancel {
            let cancelled = upkeep.gc_cancel(&context.actor).await?;
            return context.output.answer(&CancelView { cancelled }, |out| {
                let said = if cancelled {
                    "taken back: nothing of it was deleted"
                } else {
                    "there is nothing to take back"
                };
                writeln!(out, "{said}")
            });
        }
        if self.status {
            return status(context, &upkeep.gc_status().await?);
        }
        let grace =
            if self.alone { Grace::Alone(self.grace.0) } else { Grace::Shared(self.grace.0) };
        let request = GcRequest {
            actor: context.actor.clone(),
            retention: self.keep_log,
            grace,
            dry_run: self.dry_run,
        };
        let report = upkeep.gc(&request).await?;
        for key in &report.unknown_keys {
            context.output.remark(&format!("unknown key {key}: none of the store's, left alone"));
        }
        let view = view(&report, self.dry_run);
        context.output.answer(&view, |out| {
            for line in lines(&report, self.dry_run) {
                writeln!(out, "{line}")?;
            }
            Ok(())
        })
    }
}

fn status(context: &Context, status: &GcStatus) -> Result<(), CommandError> {
    let view = StatusView { lists: status.lists.iter().map(list_view).collect() };
    context.output.answer(&view, |out| {
        if status.lists.is_empty() {
            return writeln!(out, "nothing is under way");
        }
        for list in &status.lists {
            let since = short_time(list.published);
            let what = told(&list.tally);
            match list.state {
                "condemned" => {
                    let due = short_time(later(list.published, limits::GRACE));
                    writeln!(out, "{what} condemned on {since}, to be deleted from {due} on")?;
                }
                "deleting" => writeln!(out, "{what} condemned on {since}, half deleted")?,
                _ => writeln!(out, "{what} condemned on {since}, deleted")?,
            }
        }
        Ok(())
    })
}

fn later(time: Timestamp, by: Duration) -> Timestamp {
    let by = u64::try_from(by.as_micros()).unwrap_or(u64::MAX);
    Timestamp::from_micros(time.as_micros().saturating_add(by))
}

fn view(report: &GcReport, dry_run: bool) -> View {
    let kept = report.kept.iter().map(|(kind, tally)| (kind.as_str(), tally_view(tally)));
    View {
        dry_run,
        refs: report.refs,
        kept: kept.collect(),
        young: tally_view(&report.young),
        condemned: tally_view(&report.condemned),
        deleted: tally_view(&report.deleted),
        rescued: tally_view(&report.rescued),
        lists_retired: report.retired,
        waiting: report.waiting.as_ref().map(list_view),
        next_due: report.next_due.map(|time| time.to_string()),
        unknown_keys: report.unknown,
    }
}

const fn tally_view(tally: &Tally) -> TallyView {
    TallyView { objects: tally.objects, bytes: tally.bytes }
}

fn list_view(list: &OpenList) -> ListView {
    ListView {
        list: list.seq,
        state: list.state,
        objects: list.tally.objects,
        bytes: list.tally.bytes,
        published: list.published.to_string(),
    }
}

fn lines(report: &GcReport, dry_run: bool) -> Vec<String> {
    let kept: Vec<_> = report
        .kept
        .iter()
        .map(|(kind, tally)| {
            let many = format!("{kind}s");
            let bytes = human_bytes(tally.bytes);
            format!("{} ({bytes})", count(tally.objects, kind.as_str(), &many))
        })
        .collect();
    let refs = count(report.refs, "ref", "refs");
    let mut lines = vec![format!(
        "kept {} of {refs}",
        if kept.is_empty() { "nothing".to_owned() } else { kept.join(", ") }
    )];
    let would = if dry_run { "would be " } else { "" };
    let mut tell = |tally: &Tally, what: String| {
        if tally.objects > 0 {
            lines.push(format!("{} {what}", told(tally)));
        }
    };
    tell(&report.deleted, format!("{would}deleted"));
    tell(&report.rescued, "condemned before, and needed again: kept".to_owned());
    let due = report.next_due.map(short_time).unwrap_or_default();
    tell(&report.condemned, format!("{would}condemned, to be deleted from {due} on"));
    tell(&report.young, "needed by nothing and too young to be judged".to_owned());
    if let Some(list) = &report.waiting {
        tell(&list.tally, format!("condemned before, to be deleted from {due} on"));
    }
    lines
}

fn told(tally: &Tally) -> String {
    format!("{} ({})", count(tally.objects, "object", "objects"), human_bytes(tally.bytes))
}
