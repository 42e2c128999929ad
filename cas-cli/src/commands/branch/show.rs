//! `cas branch show`

use cas_core::name::BookPath;
use cas_core::repo::{Change, ChangeStatus, Standing, one_line};
use clap::Args;
use serde::Serialize;

use crate::args::BranchArg;
use crate::context::Context;
use crate::error::CommandError;
use crate::output::{count, short};

/// Show how a branch stands to what it follows
///
/// Where the two met, how many commits each has that the other has not, what the branch changed
/// since, and how much of it is its own.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas branch show guide@users/ada
  cas branch show guide@users/ada --json")]
pub(super) struct Show {
    /// The branch
    #[arg(value_name = "BOOK@BRANCH")]
    branch: BranchArg,
}

#[derive(Debug, Serialize)]
struct View<'a> {
    book: &'a str,
    r#ref: &'a str,
    commit: String,
    upstream: &'a str,
    follow: &'static str,
    upstream_commit: Option<String>,
    /// Where the two met last.
    fork_point: Vec<String>,
    ahead: u64,
    behind: u64,
    /// What the branch changed since.
    changes: Vec<ChangeView<'a>>,
    files: u64,
    /// Bytes of the files that are new on the branch.
    own_bytes: u64,
    /// Bytes of the others.
    shared_bytes: u64,
}

#[derive(Debug, Serialize)]
struct ChangeView<'a> {
    path: &'a str,
    status: ChangeStatus,
    from: Option<&'a str>,
}

impl<'a> ChangeView<'a> {
    fn new(change: &'a Change) -> Self {
        let Change { path, status, from, .. } = change;
        let from = from.as_ref().map(BookPath::as_str);
        Self { path: path.as_str(), status: *status, from }
    }
}

impl Show {
    pub(super) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let BranchArg { book, branch } = &self.branch;
        let standing = context.repo.standing(book, branch).await?;
        let Standing { commit, upstream, ahead, behind, totals, own_bytes, .. } = &standing;
        let shared_bytes = totals.size.saturating_sub(*own_bytes);
        let view = View {
            book: book.as_str(),
            r#ref: branch.as_str(),
            commit: commit.to_string(),
            upstream: upstream.name.as_str(),
            follow: upstream.follow.as_str(),
            upstream_commit: standing.upstream_commit.map(|id| id.to_string()),
            fork_point: standing.bases.iter().map(ToString::to_string).collect(),
            ahead: *ahead,
            behind: *behind,
            changes: changes(&standing),
            files: totals.files,
            own_bytes: *own_bytes,
            shared_bytes,
        };
        context.output.answer(&view, |out| {
            writeln!(out, "branch    {book}@{branch} at {}", short(commit))?;
            match &standing.upstream_commit {
                Some(id) => {
                    let (name, follow) = (&upstream.name, upstream.follow.as_str());
                    writeln!(out, "follows   {name} ({follow}), now at {}", short(id))?;
                }
                None => writeln!(out, "follows   {}, which is not there", upstream.name)?,
            }
            let met: Vec<_> = standing.bases.iter().map(short).collect();
            writeln!(out, "met at    {}", met.join(", "))?;
            let commits = |n: u64| count(n, "commit", "commits");
            writeln!(out, "ahead     {}", commits(*ahead))?;
            writeln!(out, "behind    {}", commits(*behind))?;
            writeln!(out, "bytes     {own_bytes} of its own, {shared_bytes} shared")?;
            for change in &view.changes {
                let status = format!("{:?}", change.status).to_lowercase();
                writeln!(out, "  {status:<8} {}", one_line(change.path))?;
            }
            Ok(())
        })
    }
}

fn changes(standing: &Standing) -> Vec<ChangeView<'_>> {
    let changes = standing.changes.iter();
    changes.map(ChangeView::new).collect()
}
