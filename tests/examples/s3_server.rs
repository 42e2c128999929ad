//! Serves the tests' S3 server, to try the real binary against.
//!
//! ```text
//! cargo run --release -p cas-tests --example s3_server -- [--latency-ms N] [--ignore-conditions] [--port N]
//! ```
//!
//! Prints the variables to export and the URL of a store, and serves until it is interrupted.
//! What it holds is in memory and gone then.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program talks to its user")]

use std::process::ExitCode;
use std::time::Duration;

use cas_tests::s3::{Behaviour, Server};

const USAGE: &str = "usage: s3_server [--latency-ms N] [--ignore-conditions] [--port N]";

/// The port and the behaviour that `args` ask for.
fn parse(mut args: impl Iterator<Item = String>) -> Result<(u16, Behaviour), String> {
    let (mut port, mut behaviour) = (0, Behaviour::default());
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--ignore-conditions" => behaviour.ignore_conditions = true,
            "--latency-ms" => {
                behaviour.latency = Duration::from_millis(number(&arg, args.next())?);
            }
            "--port" => port = number(&arg, args.next())?,
            _ => return Err(format!("unknown argument {arg:?}")),
        }
    }
    Ok((port, behaviour))
}

fn number<N: std::str::FromStr>(option: &str, value: Option<String>) -> Result<N, String> {
    let value = value.ok_or_else(|| format!("{option} wants a number"))?;
    value.parse().map_err(|_| format!("{option} wants a number, not {value:?}"))
}

fn main() -> ExitCode {
    let (port, behaviour) = match parse(std::env::args().skip(1)) {
        Ok(parsed) => parsed,
        Err(error) => {
            eprintln!("error: {error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let server = match Server::start_at(port, behaviour) {
        Ok(server) => server,
        Err(error) => {
            eprintln!("error: cannot serve on port {port}: {error}");
            return ExitCode::FAILURE;
        }
    };
    for (name, value) in server.environment() {
        println!("export {name}={value}");
    }
    println!("export CAS_STORE='{}'", server.url("shelf"));
    eprintln!("serving on {} until interrupted", server.endpoint());
    loop {
        std::thread::park();
    }
}
