//! `cas doctor`

use std::time::Duration;

use cas_core::ErrorKind;
use cas_core::env::Env;
use cas_core::store::{
    Bucket, Check, Examination, Finding, Findings, Location, Marker, Measured, StoreError, Writers,
    connect, examine, look, restrict,
};
use clap::Args;
use serde::Serialize;

use crate::commands::Global;
use crate::context::{Place, notice, place, variables};
use crate::error::CommandError;
use crate::output::{Output, human_bytes};

/// Prove that a place can hold a store
///
/// Asks the real folder or bucket for everything that a store rests on, above all that of writers
/// racing for one name exactly one wins, and measures how quick it is. What it writes for that is
/// removed at the end.
///
/// If the store there fails what its safety rests on, that is recorded in it: it is closed for
/// writing until it passes, or until you take it upon yourself that only one writer works on it at
/// a time, with --single-writer. Every command then says so.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas doctor                                      The default store
  cas --store s3://books/prod doctor              A bucket, with or without a store in it
  cas --store s3://old doctor --single-writer     Use it in spite of what it fails, alone")]
pub(crate) struct Doctor {
    /// Allow writing to a store that fails, by one writer at a time
    #[arg(long)]
    single_writer: bool,
}

#[derive(Debug, Serialize)]
struct View<'a> {
    store: String,
    exists: bool,
    safe: bool,
    ok: bool,
    writers: Option<&'static str>,
    checks: Vec<CheckView<'a>>,
    measured: Option<MeasuredView>,
}

#[derive(Debug, Serialize)]
struct CheckView<'a> {
    name: &'static str,
    safety: bool,
    ok: bool,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct MeasuredView {
    read_ms: f64,
    write_ms: f64,
    upload_bytes_per_second: u64,
    download_bytes_per_second: u64,
}

impl Doctor {
    pub(crate) async fn run(self, global: &Global) -> Result<(), CommandError> {
        let output = Output::new(global);
        let Place { location, is_default } = place(global)?;
        let bucket = connect(&location, is_default, &variables())?.bucket;
        let shown = location.to_string();
        let before = match look(&bucket, &shown).await {
            Ok(marker) => Some(marker),
            Err(StoreError::NoStore { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let findings = prove(&bucket, Examination::Full, output).await;
        bucket.finish().await;
        let findings = findings?;
        let after = match before {
            None => None,
            Some(before) => Some(self.record(&bucket, &location, before, &findings).await?),
        };
        let danger = findings.danger().map(str::to_owned);
        let view = View {
            store: shown,
            exists: after.is_some(),
            safe: danger.is_none(),
            ok: findings.is_good(),
            writers: after.as_ref().map(|marker| marker.writers.as_str()),
            checks: findings.checks.iter().map(check_view).collect(),
            measured: findings.measured.map(measured_view),
        };
        output.answer(&view, |out| {
            for check in &view.checks {
                let mark = if check.ok { "ok    " } else { "FAILED" };
                writeln!(out, "{mark}  {:<18}  {}", check.name, check.detail)?;
                if let Some(hint) = check.hint {
                    writeln!(out, "{:28}hint: {hint}", "")?;
                }
            }
            if let Some(Measured {
                read,
                write,
                upload_bytes_per_second: up,
                download_bytes_per_second: down,
            }) = findings.measured
            {
                writeln!(out, "\nsmall objects: {} to read, {} to write", ms(read), ms(write))?;
                writeln!(out, "large ones: {}/s up, {}/s down", rate(up), rate(down))?;
            }
            writeln!(out)?;
            match (&danger, &after) {
                (None, Some(_)) => writeln!(out, "the store at {location} is fit for use"),
                (None, None) => {
                    writeln!(out, "{location} can hold a store: `cas --store '{location}' init`")
                }
                (Some(_), Some(marker)) => {
                    writeln!(out, "{}", notice(marker.writers).unwrap_or_default())
                }
                (Some(_), None) => writeln!(out, "{location} must not hold a store"),
            }
        })?;
        match danger {
            None if view.ok => Ok(()),
            None => {
                let message = format!("{location} does not do all that a store may ask of it");
                Err(CommandError::found(message, ErrorKind::Unavailable))
            }
            Some(_) if self.single_writer && after.is_some() => Ok(()),
            Some(reason) => Err(StoreError::Unsafe { location: view.store, reason }.into()),
        }
    }

    /// Records in the store who may write to it from now on.
    async fn record(
        &self,
        bucket: &Bucket,
        location: &Location,
        before: Marker,
        findings: &Findings,
    ) -> Result<Marker, CommandError> {
        let writers = match findings.danger() {
            None => Writers::Any,
            Some(_) if self.single_writer || before.writers == Writers::One => Writers::One,
            Some(_) => Writers::Nobody,
        };
        if writers == before.writers {
            return Ok(before);
        }
        match restrict(bucket, &location.to_string(), writers).await {
            Ok(marker) => Ok(marker),
            // A bucket that takes no writes needs no closing.
            Err(_) if writers == Writers::Nobody => Ok(before),
            Err(error) => Err(error.into()),
        }
    }
}

/// Examines a bucket, telling what is looked at.
pub(crate) async fn prove(
    bucket: &Bucket,
    examination: Examination,
    output: Output,
) -> Result<Findings, CommandError> {
    let tell = |name: &'static str| output.note(&format!("looking at: {name}"));
    let findings = examine(bucket, &Env::system(), examination, &tell).await;
    output.note("");
    Ok(findings?)
}

fn check_view(check: &Check) -> CheckView<'_> {
    let (ok, detail, hint) = match &check.finding {
        Finding::Passed(detail) => (true, detail.as_str(), None),
        Finding::Failed { reason, hint } => (false, reason.as_str(), *hint),
    };
    CheckView { name: check.name, safety: check.is_safety, ok, detail, hint }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate is positive and far below the limit"
)]
fn measured_view(measured: Measured) -> MeasuredView {
    let ms = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
    MeasuredView {
        read_ms: ms(measured.read),
        write_ms: ms(measured.write),
        upload_bytes_per_second: measured.upload_bytes_per_second as u64,
        download_bytes_per_second: measured.download_bytes_per_second as u64,
    }
}

fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate is positive and far below the limit"
)]
fn rate(bytes_per_second: f64) -> String {
    human_bytes(bytes_per_second as u64)
}
