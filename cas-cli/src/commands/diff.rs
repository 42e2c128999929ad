//! `cas diff`

use cas_core::name::{BookPath, Revision};
use cas_core::object::EntryKind;
use cas_core::repo::{Change, ChangeStatus, Reading, Side, Source};
use clap::Args;
use serde::Serialize;

use super::patch::{self, FileDiff};
use crate::args::{BranchArg, FolderArg};
use crate::context::Context;
use crate::error::CommandError;

/// Show how two versions differ
///
/// A file that went and one with the same content that came are shown as renamed. In JSON, a patch
/// that is not UTF-8 is left out.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas diff guide@main~1 guide                  What the last version changed
  cas diff guide guide@users/ada ch1 --patch   ... line by line, in one folder
  cas diff guide@tags/v1 guide --stat          ... how much
  cas diff guide~1 guide --name-only           Which files a build has to look at again
  cas diff --upstream guide@users/ada          What a branch changed since it met its upstream")]
pub(crate) struct Diff {
    /// The version before, e.g. guide@main~1
    #[arg(value_name = "OLD", required_unless_present = "upstream")]
    old: Option<Revision>,
    /// The version after, e.g. guide
    #[arg(value_name = "NEW", required_unless_present = "upstream")]
    new: Option<Revision>,
    /// In place of two versions a branch: what it changed since it met its upstream last
    #[arg(long, value_name = "BOOK@BRANCH", conflicts_with_all = ["old", "new"])]
    upstream: Option<BranchArg>,
    /// Only this file or folder
    #[arg(default_value = ".", hide_default_value = true)]
    path: FolderArg,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, Args)]
#[group(multiple = false)]
struct Form {
    /// How many lines came and went in each file
    #[arg(long)]
    stat: bool,
    /// A letter and the path of each file: A added, M changed, D removed, R renamed (default)
    #[arg(long)]
    name_status: bool,
    /// Only the path of each file; of a renamed file both
    #[arg(long)]
    name_only: bool,
    /// The lines that differ
    #[arg(long)]
    patch: bool,
}

#[derive(Debug, Serialize)]
struct View {
    path: String,
    status: ChangeStatus,
    from: Option<String>,
    old: Option<SideView>,
    new: Option<SideView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lines: Option<patch::Lines>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<String>,
}

#[derive(Debug, Serialize)]
struct SideView {
    kind: EntryKind,
    id: String,
    size: u64,
    /// Where what is there comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Source>,
}

impl SideView {
    async fn new(
        side: Option<&Side>,
        path: &BookPath,
        version: Option<&Reading>,
    ) -> Result<Option<Self>, CommandError> {
        let Some(Side { kind, id, size }) = side else { return Ok(None) };
        let source = match version {
            Some(version) => version.sources_at(&[(path, *kind, *id.hash())]).await?.pop(),
            None => None,
        };
        Ok(Some(Self { kind: *kind, id: id.to_string(), size: *size, source }))
    }
}

impl Diff {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let (repo, changes, versions) = match (&self.upstream, &self.old, &self.new) {
            (None, Some(old), Some(new)) => {
                let (old, new) = (context.reading(old).await?, context.reading(new).await?);
                let repo = new.repo_with(&old);
                let changes = repo.diff(old.tree, new.tree, &self.path.0).await?;
                (repo, changes, Some((old, new)))
            }
            (Some(BranchArg { book, branch }), ..) => {
                let repo = &context.repo;
                let standing = repo.standing(repo.follower(book, branch).await?).await?;
                (repo.clone(), standing.changes, None)
            }
            _ => return Err(CommandError::Usage("name two versions".to_owned())),
        };
        let mut files = Vec::with_capacity(changes.len());
        for change in &changes {
            let wanted = self.form.stat || self.form.patch;
            files.push(if wanted { Some(patch::compare(&repo, change).await?) } else { None });
        }
        let mut views = Vec::with_capacity(changes.len());
        for (change, file) in changes.iter().zip(&files) {
            views.push(self.view(change, file.as_ref(), versions.as_ref()).await?);
        }
        context.output.answer(&views, |out| {
            if self.form.stat {
                return patch::write_stat(out, &changes, &files);
            }
            for (change, file) in changes.iter().zip(&files) {
                match file {
                    Some(file) => out.write_all(&file.patch)?,
                    None if self.form.name_only => {
                        for path in change.from.iter().chain([&change.path]) {
                            writeln!(out, "{path}")?;
                        }
                    }
                    None => writeln!(out, "{}", name_status(change))?,
                }
            }
            Ok(())
        })
    }

    async fn view(
        &self,
        change: &Change,
        file: Option<&FileDiff>,
        versions: Option<&(Reading, Reading)>,
    ) -> Result<View, CommandError> {
        let Change { path, status, from, old, new } = change;
        let (before, after) = versions.map(|(old, new)| (old, new)).unzip();
        Ok(View {
            path: path.to_string(),
            status: *status,
            from: from.as_ref().map(ToString::to_string),
            old: SideView::new(old.as_ref(), from.as_ref().unwrap_or(path), before).await?,
            new: SideView::new(new.as_ref(), path, after).await?,
            lines: file.and_then(|file| file.lines),
            patch: file
                .filter(|_| self.form.patch)
                .and_then(|file| String::from_utf8(file.patch.clone()).ok()),
        })
    }
}

fn name_status(change: &Change) -> String {
    let path = &change.path;
    match (change.status, &change.from) {
        (ChangeStatus::Added, _) => format!("A  {path}"),
        (ChangeStatus::Changed, _) => format!("M  {path}"),
        (ChangeStatus::Removed, _) => format!("D  {path}"),
        (ChangeStatus::Renamed, from) => {
            format!("R  {} -> {path}", from.as_ref().map(ToString::to_string).unwrap_or_default())
        }
    }
}
