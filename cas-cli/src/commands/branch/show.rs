//! `cas branch show`

use cas_core::repo::{Follower, one_line};
use cas_server::StandingView;
use clap::Args;

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

impl Show {
    pub(super) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let BranchArg { book, branch } = &self.branch;
        let repo = &context.repo;
        let standing = repo.standing(repo.follower(book, branch).await?).await?;
        let Follower { commit, upstream, .. } = &standing.branch;
        context.output.answer(&StandingView::new(&standing), |out| {
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
            writeln!(out, "ahead     {}", commits(standing.ahead))?;
            writeln!(out, "behind    {}", commits(standing.behind))?;
            let (own, shared) = (standing.own_bytes, standing.shared_bytes());
            writeln!(out, "bytes     {own} of its own, {shared} shared")?;
            for change in &standing.changes {
                let status = format!("{:?}", change.status).to_lowercase();
                writeln!(out, "  {status:<8} {}", one_line(change.path.as_str()))?;
            }
            Ok(())
        })
    }
}
