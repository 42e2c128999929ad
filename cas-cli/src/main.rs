//! `cas`: the command line.
//!
//! One file for each command under `commands/`. Answers go to standard output, everything that is
//! said about them to standard error. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 conflict,
//! 4 damaged data.

mod args;
mod commands;
mod context;
mod error;
mod keys;
mod output;
mod progress;

use std::process::ExitCode;

use clap::Parser;

use commands::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match commands::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error.print();
            error.exit_code()
        }
    }
}
