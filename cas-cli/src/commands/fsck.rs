//! `cas fsck`

use std::collections::BTreeMap;

use cas_core::ErrorKind;
use cas_core::store::Location;
use cas_core::upkeep::{Fault, FsckReport, FsckRequest, Problem};
use clap::Args;
use serde::Serialize;

use crate::context::Context;
use crate::error::CommandError;
use crate::output::{count, human_bytes};

/// A percentage in parts of a million.
const PPM: f64 = 10_000.0;

/// Check everything in the store
///
/// Every log unbroken, every object what its id says, everything there that a log reaches, every
/// size and count right. Says what is wrong, and where in the newest versions of books it is. Exit
/// code 4 if anything is wrong and was not put right.
///
/// Writers may go on meanwhile. Works on the folder or bucket itself, not through a server.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json each fault is one line, and the last line tells what was checked.

Examples:
  cas fsck                                    Check the default store
  cas fsck --sample 5                         Read 5 % of the blobs, others each time
  cas fsck --repair-from s3://backup/books    Take what is missing or damaged from a copy")]
pub(crate) struct Fsck {
    /// Read only so many percent of the blobs; of the others only the length is looked at
    #[arg(long, value_name = "PERCENT", value_parser = percent, default_value = "100")]
    sample: u32,
    /// Take what is missing or damaged from another store that has it
    #[arg(long, value_name = "LOCATION", value_parser = Location::parse)]
    repair_from: Option<Location>,
}

fn percent(text: &str) -> Result<u32, String> {
    match text.trim_end_matches('%').parse::<f64>() {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is between 0 and a million"
        )]
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok((percent * PPM).round() as u32),
        _ => Err("a number from 0 to 100".to_owned()),
    }
}

/// One fault, or what was checked.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Line {
    Object {
        kind: &'static str,
        id: String,
        problem: &'static str,
        reason: Option<String>,
        named: bool,
        places: Vec<String>,
        repaired: bool,
    },
    Log {
        book: String,
        r#ref: String,
        seq: u64,
        reason: String,
        repaired: bool,
    },
    Token {
        reason: String,
        repaired: bool,
    },
    Unknown {
        key: String,
    },
    Summary(Summary),
}

#[derive(Debug, Serialize)]
struct Summary {
    ok: bool,
    refs: u64,
    entries: u64,
    objects: BTreeMap<&'static str, Counted>,
    collected: u64,
    blobs_read: u64,
    unknown_keys: u64,
    faults: u64,
    repaired: u64,
}

#[derive(Debug, Serialize)]
struct Counted {
    count: u64,
    bytes: u64,
    unnamed: u64,
}

impl Fsck {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let upkeep = context.upkeep()?;
        let (repair_from, other) = match &self.repair_from {
            None => (None, None),
            Some(location) => {
                let (store, bucket) = context.other(location).await?;
                (Some(store), bucket)
            }
        };
        let report = upkeep.fsck(&FsckRequest { sample_ppm: self.sample, repair_from }).await?;
        if let Some(bucket) = other {
            bucket.finish().await;
        }
        let lines = report.faults.iter().map(line);
        let unknown = report.unknown_keys.iter().map(|key| Line::Unknown { key: key.clone() });
        for line in lines.chain(unknown).chain([Line::Summary(summary(&report))]) {
            context.output.line(&line, |out| writeln!(out, "{}", text(&line)))?;
        }
        if report.is_sound() {
            return Ok(());
        }
        let left = report.faults.iter().filter(|fault| !fault.is_repaired()).count() as u64;
        let what = if self.repair_from.is_some() { "fault is left" } else { "fault" };
        let many = if self.repair_from.is_some() { "faults are left" } else { "faults" };
        let message = format!("the store at {} has {}", context.location, count(left, what, many));
        let hint = match self.repair_from {
            None => Some("`cas fsck --repair-from LOCATION` takes it from a copy of the store"),
            Some(_) => None,
        };
        Err(CommandError::Found { message, kind: ErrorKind::Corrupt, hint })
    }
}

fn line(fault: &Fault) -> Line {
    match fault {
        Fault::Object { kind, id, problem, named, places, repaired } => Line::Object {
            kind: kind.as_str(),
            id: id.to_string(),
            problem: problem.as_str(),
            reason: reason(problem),
            named: *named,
            places: places.clone(),
            repaired: *repaired,
        },
        Fault::Log { book, name, seq, reason, repaired } => Line::Log {
            book: book.to_string(),
            r#ref: name.to_string(),
            seq: *seq,
            reason: reason.clone(),
            repaired: *repaired,
        },
        Fault::Token { reason } => Line::Token { reason: reason.clone(), repaired: false },
    }
}

fn reason(problem: &Problem) -> Option<String> {
    match problem {
        Problem::Missing => None,
        Problem::Damaged { reason } | Problem::Invalid { reason } => Some(reason.clone()),
        Problem::Totals { said, found } => Some(format!(
            "a tree says that it has {} in {}, and it has {} in {}",
            count(said.size, "byte", "bytes"),
            count(said.files, "file", "files"),
            count(found.size, "byte", "bytes"),
            count(found.files, "file", "files"),
        )),
    }
}

fn summary(report: &FsckReport) -> Summary {
    let counted = |(kind, found): (&cas_core::object::Kind, &cas_core::upkeep::ObjectCount)| {
        let counted = Counted { count: found.count, bytes: found.bytes, unnamed: found.unnamed };
        (kind.as_str(), counted)
    };
    Summary {
        ok: report.is_sound(),
        refs: report.refs,
        entries: report.entries,
        objects: report.objects.iter().map(counted).collect(),
        collected: report.collected,
        blobs_read: report.blobs_read,
        unknown_keys: report.unknown,
        faults: report.faults.len() as u64,
        repaired: report.repaired,
    }
}

fn text(line: &Line) -> String {
    let mended = |repaired: bool| if repaired { ": repaired" } else { "" };
    match line {
        Line::Object { kind, id, problem, reason, named, places, repaired } => {
            let mut text = match *problem {
                "missing" => format!("{kind} {id} is missing"),
                "damaged" => format!("{kind} {id} is damaged"),
                "invalid" => format!("{kind} {id} breaks a rule"),
                _ => format!("{kind} {id} is named wrongly"),
            };
            if let Some(reason) = reason {
                text += &format!(": {reason}");
            }
            if !places.is_empty() {
                text += &format!(" ({})", places.join(", "));
            } else if !named {
                text += " (nothing names it)";
            }
            text + mended(*repaired)
        }
        Line::Log { book, r#ref, seq, reason, repaired } => {
            format!("{book}@{ref}#{seq}: {reason}{}", mended(*repaired), r#ref = r#ref)
        }
        Line::Token { reason, .. } => reason.clone(),
        Line::Unknown { key } => format!("unknown key {key}: none of the store's, left alone"),
        Line::Summary(summary) => told(summary),
    }
}

fn told(summary: &Summary) -> String {
    let objects: Vec<_> = summary
        .objects
        .iter()
        .map(|(kind, found)| {
            let many = format!("{kind}s");
            format!("{} ({})", count(found.count, kind, &many), human_bytes(found.bytes))
        })
        .collect();
    let found = match (summary.faults, summary.repaired) {
        (0, _) => "all in order".to_owned(),
        (faults, 0) => count(faults, "fault", "faults"),
        (faults, repaired) => format!("{}, {repaired} repaired", count(faults, "fault", "faults")),
    };
    format!(
        "{} with {}, {}; {} read: {found}",
        count(summary.refs, "ref", "refs"),
        count(summary.entries, "entry", "entries"),
        objects.join(", "),
        count(summary.blobs_read, "blob", "blobs"),
    )
}
