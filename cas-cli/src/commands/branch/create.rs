//! `cas branch create`

use std::io::{self, BufRead};
use std::str::FromStr;

use cas_core::error::ErrorKind;
use cas_core::folder::Step;
use cas_core::name::{BookId, NameError, RefName, Revision};
use cas_core::refs::Follow;
use cas_core::repo::{BRANCHES_AT_ONCE, BranchMade, BranchStart, UpstreamChoice};
use clap::Args;
use serde::Serialize;

use super::super::view::{EntryView, write_entry, write_upstream};
use super::parse_follow;
use crate::args::RefArg;
use crate::context::Context;
use crate::error::CommandError;
use crate::output::count;

/// How many bad names one answer shows.
const SHOWN: usize = 50;

/// Create a branch, or many
///
/// A branch from the newest version of another follows that one, its upstream: it stays where it
/// begins until it is brought up to it (pinned), or shows what is new there right away (live). Where
/// neither is said, the book says it: docs/schema.md has its rules for personal branches.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas branch create guide@users/ada                   A reader's own branch, from main
  cas branch create guide@users/ada --follow live
  cas branch create guide@old --from guide@main~5     At an older version, following nothing
  cas branch create guide@old --from guide@main~5 --upstream main
  cas branch create guide --stdin < names             One for each line, as users/ada

With --stdin, what is there already and follows the same branch is left alone: what was
interrupted is run again.")]
pub(super) struct Create {
    /// The new branch; with --stdin just the book
    #[arg(value_name = "BOOK@NEW")]
    target: Target,
    /// Where it begins (default: the book's main)
    #[arg(long, value_name = "REV")]
    from: Option<Revision>,
    /// The branch that it follows (default: the one that it begins at, if REV is one)
    #[arg(long, value_name = "REF")]
    upstream: Option<RefName>,
    /// Follow nothing
    #[arg(long, conflicts_with_all = ["upstream", "follow"])]
    no_upstream: bool,
    /// How it follows it: live or pinned (default: as the book says, else pinned)
    #[arg(long, value_name = "HOW", value_parser = parse_follow)]
    follow: Option<Follow>,
    /// Read the names of many branches from standard input, one a line
    #[arg(long)]
    stdin: bool,
}

/// `BOOK` or `BOOK@REF`.
#[derive(Debug, Clone)]
enum Target {
    Book(BookId),
    Branch(RefArg),
}

impl FromStr for Target {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.contains('@') {
            text.parse().map(Self::Branch)
        } else {
            text.parse().map(Self::Book)
        }
    }
}

/// What became of one of many branches, as JSON.
#[derive(Debug, Serialize)]
struct MadeView<'a> {
    r#ref: &'a RefName,
    outcome: &'static str,
    commit: Option<String>,
    seq: u64,
}

/// What became of all of them.
#[derive(Debug, Default, Serialize)]
struct Summary {
    created: u64,
    existing: u64,
    /// Other branches have these names.
    in_the_way: u64,
}

impl Create {
    pub(super) async fn run(self, context: &Context) -> Result<(), CommandError> {
        match (&self.target, self.stdin) {
            (Target::Branch(RefArg { book, name }), false) => self.one(context, book, name).await,
            (Target::Book(book), true) => self.many(context, book).await,
            (Target::Book(book), false) => Err(CommandError::Usage(format!(
                "a branch is written BOOK@REF, as in {book}@users/ada; --stdin reads the names of \
                 many"
            ))),
            (Target::Branch(RefArg { book, .. }), true) => Err(CommandError::Usage(format!(
                "--stdin reads the names of the branches: say just {book}"
            ))),
        }
    }

    async fn one(
        &self,
        context: &Context,
        book: &BookId,
        name: &RefName,
    ) -> Result<(), CommandError> {
        if name.is_tag() {
            return Err(CommandError::Usage(format!(
                "{name} is a tag: `cas tag create` makes one"
            )));
        }
        let (from, start) = self.start(context, book, &format!("{book}@{name}")).await?;
        let request = context.repo.ref_request(book, name, &format!("from {from}"));
        let entry = context.repo.create_branch(&request, &start).await?;
        context.output.answer(&EntryView::new(&entry), |out| {
            write_entry(out, &entry)?;
            write_upstream(out, &entry)
        })
    }

    /// Where the branches begin.
    async fn start(
        &self,
        context: &Context,
        book: &BookId,
        what: &str,
    ) -> Result<(Revision, BranchStart), CommandError> {
        let newest = || Revision::head(book.clone(), RefName::main());
        let from = self.from.clone().unwrap_or_else(newest);
        if from.book != *book {
            return Err(CommandError::Usage(format!("{from} is of another book than {what}")));
        }
        let upstream = match &self.upstream {
            _ if self.no_upstream => UpstreamChoice::None,
            Some(name) => UpstreamChoice::Named(name.clone()),
            None => UpstreamChoice::Default,
        };
        let start = context.repo.branch_start(&from, &upstream, self.follow).await?;
        Ok((from, start))
    }

    async fn many(&self, context: &Context, book: &BookId) -> Result<(), CommandError> {
        let names = read_names(&mut io::stdin().lock())?;
        let (from, start) = self.start(context, book, book.as_str()).await?;
        let message = format!("from {from}");
        let mut summary = Summary::default();
        context.progress.begin(Step::Branch, names.len() as u64);
        let mut done = Ok(());
        for names in names.chunks(BRANCHES_AT_ONCE) {
            done = make(context, names, &start, &message, &mut summary).await;
            if done.is_err() {
                break;
            }
            context.progress.advance(names.len() as u64);
        }
        context.progress.end();
        done?;
        let Summary { created, existing, in_the_way } = summary;
        context.output.line(&summary, |out| {
            let created = count(created, "branch", "branches");
            writeln!(out, "{created} created, {existing} existing, {in_the_way} in the way")
        })?;
        if in_the_way == 0 {
            return Ok(());
        }
        let message = format!("{} there as something else", is_or_are(in_the_way));
        Err(CommandError::found(message, ErrorKind::Conflict))
    }
}

/// Makes some branches and tells what became of each: in JSON of every one, to people only of those
/// that could not be made.
async fn make(
    context: &Context,
    names: &[RefName],
    start: &BranchStart,
    message: &str,
    summary: &mut Summary,
) -> Result<(), CommandError> {
    let made = context.repo.create_branches(names, start, message, None).await?;
    // What failed is told when all that was done is.
    let mut failed = None;
    for (name, made) in names.iter().zip(made) {
        let made = match made {
            Ok(made) => made,
            Err(error) => {
                failed = failed.or(Some(error));
                continue;
            }
        };
        match made {
            BranchMade::Created(_) => summary.created += 1,
            BranchMade::Existing(_) => summary.existing += 1,
            BranchMade::InTheWay(_) => summary.in_the_way += 1,
        }
        let (outcome, entry) = (made.as_str(), &made.head().entry);
        let commit = entry.target.map(|commit| commit.to_string());
        let in_the_way = matches!(made, BranchMade::InTheWay(_));
        context.output.line(&MadeView { r#ref: name, outcome, commit, seq: entry.seq }, |out| {
            if !in_the_way {
                return Ok(());
            }
            writeln!(out, "{name} is there, and is something else")
        })?;
    }
    failed.map_or(Ok(()), |error| Err(error.into()))
}

/// The names of branches, one a line; an error names every line that is none.
fn read_names(input: &mut impl BufRead) -> Result<Vec<RefName>, CommandError> {
    let (mut names, mut faults) = (Vec::new(), Vec::new());
    for (nth, line) in input.lines().enumerate() {
        let line = line.map_err(CommandError::io("read standard input"))?;
        let text = line.trim_end();
        if text.is_empty() {
            continue;
        }
        match RefName::parse(text) {
            Ok(name) if name.is_tag() => faults.push(format!("line {}: {name} is a tag", nth + 1)),
            Ok(name) => names.push(name),
            Err(error) => faults.push(format!("line {}: {error}", nth + 1)),
        }
    }
    if faults.is_empty() {
        return Ok(names);
    }
    let more = faults.len().saturating_sub(SHOWN);
    faults.truncate(SHOWN);
    let more = if more > 0 { format!("\n  and {more} more") } else { String::new() };
    Err(CommandError::Usage(format!(
        "nothing was made: these are no branches:\n  {}{more}",
        faults.join("\n  ")
    )))
}

fn is_or_are(branches: u64) -> String {
    let verb = if branches == 1 { "is" } else { "are" };
    format!("{} {verb}", count(branches, "branch", "branches"))
}
