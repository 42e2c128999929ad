//! `cas verify-log`

use cas_core::ErrorKind;
use cas_core::refs::verify_log;
use clap::Args;
use serde::Serialize;

use crate::args::RefArg;
use crate::context::Context;
use crate::error::CommandError;
use crate::output::count;

/// Check the whole log of a ref
///
/// Positions 1 to n without a gap, every entry intact and naming the one before it, no time going
/// back, every version there. Exit code 4 if anything is wrong.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas verify-log guide@main")]
pub(crate) struct VerifyLog {
    /// The ref
    #[arg(value_name = "BOOK@REF")]
    name: RefArg,
}

#[derive(Debug, Serialize)]
struct View {
    book: String,
    r#ref: String,
    entries: u64,
    head: Option<String>,
    ok: bool,
    faults: Vec<Fault>,
}

#[derive(Debug, Serialize)]
struct Fault {
    seq: u64,
    reason: String,
}

impl VerifyLog {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let RefArg { book, name } = self.name;
        let report = verify_log(context.repo.store(), &book, &name).await?;
        if report.entries == 0 {
            return Err(context.repo.missing_ref(&book, &name).await.into());
        }
        let faults: Vec<_> = report
            .faults
            .iter()
            .map(|fault| Fault { seq: fault.seq, reason: fault.reason.clone() })
            .collect();
        let view = View {
            book: book.to_string(),
            r#ref: name.to_string(),
            entries: report.entries,
            head: report.head.map(|id| id.to_string()),
            ok: faults.is_empty(),
            faults,
        };
        context.output.answer(&view, |out| {
            for Fault { seq, reason } in &view.faults {
                writeln!(out, "{book}@{name}#{seq}: {reason}")?;
            }
            if view.ok {
                writeln!(
                    out,
                    "{book}@{name}: {}, all in order",
                    count(report.entries, "entry", "entries")
                )?;
            }
            Ok(())
        })?;
        if view.ok {
            return Ok(());
        }
        let message =
            format!("the log of {book}@{name} has {}", count(view.faults.len(), "fault", "faults"));
        Err(CommandError::found(message, ErrorKind::Corrupt))
    }
}
