//! The commands, one file each.

mod archive;
mod audit;
mod books;
mod branch;
mod cat;
mod checkout;
mod completions;
mod config;
mod copy;
mod demo;
mod diff;
mod doctor;
mod find;
mod fsck;
mod gc;
mod grep;
mod import;
mod init;
mod log;
mod ls;
mod mcp;
mod merge;
mod mv;
mod patch;
mod put;
mod reflog;
mod reset;
mod restore;
mod rm;
mod serve;
mod show;
mod stats;
mod status;
mod sync;
mod tag;
mod token;
mod validate;
mod verify_log;
mod view;

use std::path::PathBuf;

use bytesize::ByteSize;
use cas_core::name::Actor;
use clap::{Args, Parser, Subcommand};

use crate::context::Context;
use crate::error::CommandError;

const AFTER_HELP: &str = "\
A revision is BOOK, BOOK@REF, BOOK@REF~N (N commits back), BOOK@REF#SEQ (a position in the ref's
log, see `cas reflog`) or BOOK@HEX (the first 8 or more digits of a commit's id). The ref is `main`
where none is said.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 conflict, 4 damaged data.

Examples:
  cas demo                                  See it work, in a folder that is thrown away
  cas import ./book guide -m 'First draft'  Make a folder the first version of a book
  cas checkout guide ./site/docs            Make a folder equal the newest version
  cas put guide ch1.md new.md --expect ID   Replace one file, if it is still what you saw
  cas log guide ch1.md                      See who changed it";

/// A content-addressed store for books.
#[derive(Debug, Parser)]
#[command(name = "cas", version, after_help = AFTER_HELP, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Where the store is: a path, or a URL as `s3://BUCKET/PREFIX`, `r2://ACCOUNT/BUCKET/PREFIX`,
    /// `gs://…`, `az://…`, `https://SERVER` (with the token in `CAS_TOKEN`), `file://…` or
    /// `memory://` (default: a folder in the platform's data directory, made when first used)
    #[arg(long, global = true, env = "CAS_STORE", hide_env_values = true, value_name = "LOCATION")]
    pub(crate) store: Option<String>,
    /// Who you are, for the record of every change (default: user@host)
    #[arg(long, global = true, env = "CAS_ACTOR", hide_env_values = true, value_name = "NAME")]
    pub(crate) actor: Option<Actor>,
    /// Answer in JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say nothing but the answer
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Sign every change with the key in this file, made by `cas audit keygen`; the variable
    /// `CAS_SIGNING_KEY` may also hold the key itself
    #[arg(
        long,
        global = true,
        env = "CAS_SIGNING_KEY",
        hide_env_values = true,
        value_name = "FILE"
    )]
    pub(crate) signing_key: Option<String>,
    /// How many files to work on at once (default: two for each core, or 64 over a network)
    #[arg(
        long,
        global = true,
        env = "CAS_JOBS",
        hide_env_values = true,
        value_name = "N",
        value_parser = jobs
    )]
    pub(crate) jobs: Option<usize>,
    /// Keep what is read over a network in this folder, and read it there the next time
    #[arg(long, global = true, env = "CAS_CACHE", hide_env_values = true, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
    /// How large the cache may grow
    #[arg(
        long,
        global = true,
        env = "CAS_CACHE_SIZE",
        hide_env_values = true,
        value_name = "SIZE",
        default_value = "5 GiB"
    )]
    pub(crate) cache_size: ByteSize,
}

fn jobs(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n @ 1..=1024) => Ok(n),
        _ => Err("a number from 1 to 1024".to_owned()),
    }
}

// Only the one that is run is built, so that a short command starts fast: what `cas --help` says of
// the others is here.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
enum Command {
    /// Make a store
    Init(init::Init),
    /// List the books of the store
    Books(books::Books),
    /// Make a folder the next version of a book
    Import(import::Import),
    /// Make a folder equal a version of a book
    Checkout(checkout::Checkout),
    /// Show how a folder differs from what was checked out into it
    Status(status::Status),
    /// List files and folders of a version
    Ls(ls::Ls),
    /// Print a file of a version
    Cat(cat::Cat),
    /// Write one file of a book
    Put(put::Put),
    /// Remove files of a book
    Rm(rm::Rm),
    /// Move or rename a file or folder of a book
    Mv(mv::Mv),
    /// Show the versions that a version comes from
    Log(log::Log),
    /// Show a version, or any object by its id
    Show(show::Show),
    /// Show how two versions differ
    Diff(diff::Diff),
    /// List the files of a version whose paths match a pattern
    Find(find::Find),
    /// Find the lines of a version that match a regular expression
    Grep(grep::Grep),
    /// Write a version, or part of it, as one archive
    Archive(archive::Archive),
    /// List, create, follow, delete, restore and forget branches
    Branch(branch::Branch),
    /// List, create and delete tags
    Tag(tag::Tag),
    /// Merge a version into a branch
    Merge(merge::Merge),
    /// Bring branches up to what they follow
    Sync(sync::Sync),
    /// Point a branch at another version
    Reset(reset::Reset),
    /// Make files or folders of a branch what they are in its upstream, or in another version
    Restore(restore::Restore),
    /// Show every value that a ref ever had, newest first
    Reflog(reflog::Reflog),
    /// Show who changed what, in all branches and tags, and prove that nobody changed the record
    Audit(audit::Audit),
    /// Check a folder or a version against the rules of its book.toml
    Validate(validate::Validate),
    /// Check the whole log of a ref
    VerifyLog(verify_log::VerifyLog),
    /// Check everything in the store
    Fsck(fsck::Fsck),
    /// Delete what nothing needs any more
    Gc(gc::Gc),
    /// Show how large the store is, and how much is shared
    Stats(stats::Stats),
    /// Copy books from one store into another
    Copy(copy::Copy),
    /// Prove that a place can hold a store
    Doctor(doctor::Doctor),
    /// Serve the store over HTTP
    Serve(serve::Serve),
    /// Let an AI agent work on the store
    Mcp(mcp::Mcp),
    /// Make, list and revoke tokens for a server
    Token(token::TokenCommand),
    /// See the settings in force
    Config(config::Config),
    /// Print a script that completes commands in a shell
    Completions(completions::Completions),
    /// See it work: import, branch, edit, compare, check out and verify a small book
    Demo(demo::Demo),
}

/// Runs what was asked for.
pub(crate) fn run(cli: Cli) -> Result<(), CommandError> {
    let Cli { global, command } = cli;
    // Those that need no store, or one of their own.
    match command {
        Command::Completions(command) => return command.run(&global),
        Command::Demo(command) => return command.run(&global),
        Command::Status(command) => return command.run(&global),
        Command::Config(command) => return command.run(&global),
        Command::Audit(command) if command.needs_no_store() => return command.run_alone(&global),
        Command::Serve(command) => return command.run(&global),
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(CommandError::io("start"))?;
    runtime.block_on(async move {
        match command {
            Command::Init(command) => return command.run(&global).await,
            Command::Doctor(command) => return command.run(&global).await,
            Command::Validate(command) => return command.run(&global).await,
            Command::Copy(command) => return command.run(&global).await,
            _ => {}
        }
        let context = Context::open(&global).await?;
        if !matches!(command, Command::Audit(_)) {
            context.must_sign_here()?;
        }
        // On a folder an interrupted command may simply end: the next one cleans up. Over a network
        // it may have begun what would stay.
        let interrupted = async {
            if context.location.is_remote() {
                tokio::signal::ctrl_c().await
            } else {
                std::future::pending().await
            }
        };
        let done = tokio::select! {
            done = command.run(&context) => done,
            Ok(()) = interrupted => Err(CommandError::Interrupted),
        };
        context.close().await;
        done
    })
}

impl Command {
    /// Runs a command that works on an open store.
    async fn run(self, context: &Context) -> Result<(), CommandError> {
        match self {
            Self::Books(command) => command.run(context).await,
            Self::Import(command) => command.run(context).await,
            Self::Checkout(command) => command.run(context).await,
            Self::Ls(command) => command.run(context).await,
            Self::Cat(command) => command.run(context).await,
            Self::Put(command) => command.run(context).await,
            Self::Rm(command) => command.run(context).await,
            Self::Mv(command) => command.run(context).await,
            Self::Log(command) => command.run(context).await,
            Self::Show(command) => command.run(context).await,
            Self::Diff(command) => command.run(context).await,
            Self::Find(command) => command.run(context).await,
            Self::Grep(command) => command.run(context).await,
            Self::Archive(command) => command.run(context).await,
            Self::Branch(command) => command.run(context).await,
            Self::Tag(command) => command.run(context).await,
            Self::Mcp(command) => command.run(context).await,
            Self::Merge(command) => command.run(context).await,
            Self::Sync(command) => command.run(context).await,
            Self::Reset(command) => command.run(context).await,
            Self::Restore(command) => command.run(context).await,
            Self::Reflog(command) => command.run(context).await,
            Self::Audit(command) => command.run(context).await,
            Self::VerifyLog(command) => command.run(context).await,
            Self::Fsck(command) => command.run(context).await,
            Self::Gc(command) => command.run(context).await,
            Self::Stats(command) => command.run(context).await,
            Self::Token(command) => command.run(context).await,
            Self::Init(_)
            | Self::Doctor(_)
            | Self::Serve(_)
            | Self::Validate(_)
            | Self::Copy(_)
            | Self::Config(_)
            | Self::Completions(_)
            | Self::Demo(_)
            | Self::Status(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_list_of_commands_says_what_the_commands_say() {
        let listed = Cli::command();
        let mut built = listed.clone();
        built.build();
        for command in listed.get_subcommands() {
            let about = |command: &clap::Command| command.get_about().map(ToString::to_string);
            let own = built.find_subcommand(command.get_name()).and_then(about);
            assert!(own.is_some() && about(command) == own, "{}", command.get_name());
        }
    }
}
