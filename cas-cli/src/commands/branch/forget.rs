//! `cas branch forget`

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use cas_core::ErrorKind;
use cas_core::name::Hash;
use cas_core::object::Kind;
use cas_core::repo::{Repository, one_line};
use cas_core::upkeep::{Forgetting, Forgotten, ForgottenObject, Upkeep};
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::args::RefArg;
use crate::context::Context;
use crate::error::CommandError;
use crate::output::{count, human_bytes};

/// Delete branches for good, as when a reader asks that their copy go
///
/// The branch is deleted, and its log keeps nothing alive any more: `cas gc` removes every object
/// that only it reached. The entries of the log stay, with their ids, times and names, and without
/// content. The command tells exactly what will go, and what stays because others have it too; it
/// may be repeated. Nothing brings the branch back, but its name may be used again.
///
/// Works on the folder or bucket itself, not through a server, and reads all logs of the store: say
/// several branches at once.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas branch forget guide@users/ada --dry-run
  cas branch forget guide@users/ada --report ada.json
  cas gc                                       Today, and again when it is due
  cas branch forget --check ada.json           Proves that everything went")]
pub(super) struct Forget {
    /// The branches
    #[arg(value_name = "BOOK@BRANCH", required_unless_present = "check")]
    branches: Vec<RefArg>,
    /// Only tell what would go and what would stay
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// List what stays as well
    #[arg(short, long)]
    long: bool,
    /// Also write the report to this file, in JSON; it must not exist
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    report: Option<PathBuf>,
    /// Look whether everything went that a report says will go. Exit code 3 if something is there
    #[arg(long, value_name = "REPORT", conflicts_with_all = ["branches", "dry_run", "long", "report"])]
    check: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct View {
    dry_run: bool,
    branches: Vec<BranchView>,
    goes: Vec<ObjectView>,
    goes_bytes: u64,
    stays: Vec<ObjectView>,
    stays_bytes: u64,
    versions_gone: u64,
}

#[derive(Debug, Serialize)]
struct BranchView {
    book: String,
    r#ref: String,
    entries: u64,
    versions: u64,
}

#[derive(Debug, Serialize)]
struct ObjectView {
    kind: &'static str,
    id: String,
    size: u64,
    path: Option<String>,
}

/// What is read of a report.
#[derive(Debug, Deserialize)]
struct Report {
    goes: Vec<Named>,
}

#[derive(Debug, Deserialize)]
struct Named {
    kind: String,
    id: Hash,
}

#[derive(Debug, Serialize)]
struct CheckView {
    gone: u64,
    waiting: Vec<NamedView>,
    needed: Vec<NamedView>,
}

#[derive(Debug, Serialize)]
struct NamedView {
    kind: &'static str,
    id: String,
}

impl Forget {
    pub(super) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let upkeep = context.upkeep()?;
        if let Some(file) = &self.check {
            return check(context, &upkeep, file).await;
        }
        let repo = &context.repo;
        // All of them before any is changed.
        for RefArg { book, name } in &self.branches {
            Repository::check_forgettable(&repo.ref_request(book, name, ""))?;
            repo.ref_log(book, name, 1).await?;
        }
        let file = self.report.as_deref().map(new_file).transpose()?;
        if !self.dry_run {
            for RefArg { book, name } in &self.branches {
                let message = format!("forget {book}@{name}");
                repo.forget_branch(&repo.ref_request(book, name, &message)).await?;
            }
        }
        let branches: BTreeSet<_> = self
            .branches
            .iter()
            .map(|RefArg { book, name }| (book.clone(), name.clone()))
            .collect();
        let report = upkeep.forgetting(&branches).await?;
        let view = view(&report, self.dry_run);
        if let (Some(file), Some(path)) = (file, &self.report) {
            write_report(&file, &view)
                .map_err(CommandError::io(format!("write the report {}", path.display())))?;
        }
        context.output.answer(&view, |out| self.write(out, &report))
    }

    fn write(&self, out: &mut dyn Write, report: &Forgetting) -> io::Result<()> {
        for branch in &report.branches {
            let (book, name) = (&branch.book, &branch.name);
            let would = if self.dry_run { "would be forgotten" } else { "is forgotten" };
            let entries = count(branch.entries, "entry", "entries");
            let versions = count(branch.versions, "version", "versions");
            writeln!(out, "{book}@{name} {would}: {entries} of its log stay, {versions} named")?;
        }
        if report.gone > 0 {
            writeln!(out, "{} gone already", count(report.gone, "version is", "versions are"))?;
        }
        writeln!(out, "goes:  {}", told(&report.goes))?;
        write_objects(out, &report.goes)?;
        writeln!(out, "stays: {}, because others have it", told(&report.stays))?;
        if self.long {
            write_objects(out, &report.stays)?;
        }
        Ok(())
    }
}

async fn check(context: &Context, upkeep: &Upkeep, file: &Path) -> Result<(), CommandError> {
    let reading = CommandError::io(format!("read the report {}", file.display()));
    let text = std::fs::read(file).map_err(reading)?;
    let invalid = |said: String| {
        CommandError::Usage(format!(
            "{} is no report of `cas branch forget`: {said}",
            file.display()
        ))
    };
    let report: Report =
        serde_json::from_slice(&text).map_err(|error| invalid(error.to_string()))?;
    let mut objects = Vec::with_capacity(report.goes.len());
    for Named { kind, id } in report.goes {
        let kind = Kind::ALL.into_iter().find(|known| known.as_str() == kind);
        objects.push((kind.ok_or_else(|| invalid("an object of no kind".to_owned()))?, id));
    }
    let report = upkeep.forgotten(&objects).await?;
    let Forgotten { gone, waiting, needed } = &report;
    let view =
        CheckView { gone: *gone, waiting: named_views(waiting), needed: named_views(needed) };
    context.output.answer(&view, |out| {
        for (what, objects) in [
            ("waits for collection", &view.waiting),
            ("is there again: something reaches it", &view.needed),
        ] {
            for NamedView { kind, id } in objects {
                writeln!(out, "{kind} {id} {what}")?;
            }
        }
        writeln!(out, "{} of {} gone", gone, count(objects.len() as u64, "object", "objects"))
    })?;
    if waiting.is_empty() {
        return Ok(());
    }
    let many = count(waiting.len() as u64, "object is", "objects are");
    Err(CommandError::Found {
        message: format!("{many} still there that nothing needs"),
        kind: ErrorKind::Conflict,
        hint: Some("`cas gc` removes it when it is due; `cas gc --status` tells what is under way"),
    })
}

fn new_file(path: &Path) -> Result<File, CommandError> {
    let making = CommandError::io(format!("make the report {}", path.display()));
    File::create_new(path).map_err(making)
}

fn write_report(mut file: &File, view: &View) -> io::Result<()> {
    serde_json::to_writer_pretty(file, view)?;
    file.write_all(b"\n")?;
    file.sync_all()
}

fn told(objects: &[ForgottenObject]) -> String {
    let kinds = [Kind::Commit, Kind::Tree, Kind::Blob].into_iter().filter_map(|kind| {
        let many = objects.iter().filter(|object| object.kind == kind).count() as u64;
        (many > 0).then(|| count(many, kind.as_str(), &format!("{kind}s")))
    });
    let kinds: Vec<_> = kinds.collect();
    if kinds.is_empty() {
        return "nothing".to_owned();
    }
    format!("{} ({})", kinds.join(", "), human_bytes(bytes(objects)))
}

fn write_objects(out: &mut dyn Write, objects: &[ForgottenObject]) -> io::Result<()> {
    for ForgottenObject { kind, id, size, path } in objects {
        let path = match path {
            None => String::new(),
            Some(path) if path.is_root() => " .".to_owned(),
            Some(path) => format!(" {}", one_line(path.as_str())),
        };
        writeln!(out, "  {:<6} {id} {size:>8}{path}", kind.as_str())?;
    }
    Ok(())
}

fn bytes(objects: &[ForgottenObject]) -> u64 {
    objects.iter().map(|object| object.size).fold(0, u64::saturating_add)
}

fn view(report: &Forgetting, dry_run: bool) -> View {
    let branches = report.branches.iter().map(|branch| BranchView {
        book: branch.book.to_string(),
        r#ref: branch.name.to_string(),
        entries: branch.entries,
        versions: branch.versions,
    });
    View {
        dry_run,
        branches: branches.collect(),
        goes: report.goes.iter().map(object_view).collect(),
        goes_bytes: bytes(&report.goes),
        stays: report.stays.iter().map(object_view).collect(),
        stays_bytes: bytes(&report.stays),
        versions_gone: report.gone,
    }
}

fn object_view(object: &ForgottenObject) -> ObjectView {
    ObjectView {
        kind: object.kind.as_str(),
        id: object.id.to_string(),
        size: object.size,
        path: object.path.as_ref().map(ToString::to_string),
    }
}

fn named_views(objects: &[(Kind, Hash)]) -> Vec<NamedView> {
    let named = |(kind, id): &(Kind, Hash)| NamedView { kind: kind.as_str(), id: id.to_string() };
    objects.iter().map(named).collect()
}
