//! `cas validate`

use std::path::Path;

use cas_core::ErrorKind;
use cas_core::folder;
use cas_core::name::Revision;
use cas_core::repo::{Source, one_line};
use cas_core::schema::{Preset, Violation};
use clap::Args;
use serde::Serialize;

use super::Global;
use crate::context::Context;
use crate::error::CommandError;
use crate::output::{Output, count};

/// Check a folder or a version against the rules of its book.toml
///
/// Nothing is written. Every rule that is broken is told at once. Whatever exists as a folder is taken
/// for one; `./NAME` always is. docs/schema.md has every key and every rule.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas validate ./book                          A folder, before it is imported
  cas validate guide@main                      A version
  cas validate ./book --preset docusaurus      What that preset would say
  cas validate ./book --strict --json          For a program; warnings fail too")]
pub(crate) struct Validate {
    /// The folder, or the version, e.g. guide or guide@draft~1: see `cas --help`
    #[arg(value_name = "DIR|REV")]
    what: String,
    /// As if book.toml named this preset: none, docusaurus or strict-lessons
    #[arg(long, value_name = "PRESET")]
    preset: Option<Preset>,
    /// Fail for warnings too
    #[arg(long)]
    strict: bool,
}

#[derive(Debug, Serialize)]
struct View<'a> {
    ok: bool,
    /// Of a version: where it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Source>,
    errors: usize,
    warnings: usize,
    violations: &'a [Violation],
}

impl Validate {
    pub(crate) async fn run(self, global: &Global) -> Result<(), CommandError> {
        let path = Path::new(&self.what);
        if path.is_dir() || self.what.starts_with(['.', '/']) {
            let found = folder::validate(path, self.preset)?;
            return self.answer(Output::new(global), None, &found);
        }
        let revision: Revision = self.what.parse()?;
        let context = Context::open(global).await?;
        let found = self.of_version(&context, &revision).await;
        context.close().await;
        let (source, found) = found?;
        self.answer(context.output, Some(source), &found)
    }

    async fn of_version(
        &self,
        context: &Context,
        revision: &Revision,
    ) -> Result<(Source, Vec<Violation>), CommandError> {
        let version = context.reading(revision).await?;
        Ok((version.source, version.repo.validate(version.tree, self.preset).await?))
    }

    fn answer(
        &self,
        output: Output,
        source: Option<Source>,
        violations: &[Violation],
    ) -> Result<(), CommandError> {
        let errors = violations.iter().filter(|found| found.is_error()).count();
        let warnings = violations.len() - errors;
        let ok = errors == 0 && (warnings == 0 || !self.strict);
        let said = format!(
            "{}, {}",
            count(errors as u64, "error", "errors"),
            count(warnings as u64, "warning", "warnings")
        );
        output.answer(&View { ok, source, errors, warnings, violations }, |out| {
            for found in violations {
                writeln!(out, "{:<7}  {}", found.severity.as_str(), one_line(&found.to_string()))?;
            }
            writeln!(out, "{said}")
        })?;
        if ok {
            return Ok(());
        }
        let message = format!("{} breaks the rules of its book: {said}", one_line(&self.what));
        Err(CommandError::found(message, ErrorKind::Invalid))
    }
}
