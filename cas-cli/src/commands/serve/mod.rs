//! `cas serve`

mod log;
mod machine;
mod options;

use std::net::SocketAddr;
use std::path::PathBuf;

use cas_server::{Ended, Server, Settings, Tls};
use clap::Args;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::signal::unix::Signal;
use tokio::sync::oneshot;

use crate::commands::Global;
use crate::context::Context;
use crate::error::CommandError;
use options::{LogFormat, LogLevel, Options};

/// Serve the store over HTTP
///
/// Prints one line with the address once it listens, and logs on standard error. A store without a
/// token is served to this machine only, and to everybody on it; with its first token a server
/// begins to ask for one. Stopped by SIGTERM or Ctrl-C it lets requests end; a second signal ends it
/// at once. What it answers is in docs/http-api.md.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas serve                                          On http://127.0.0.1:8080
  cas serve --listen 127.0.0.1:0                     On any free port, which is printed
  cas serve --store r2://ACCOUNT/books --listen 0.0.0.0:443 --tls-cert c.pem --tls-key k.pem
  cas serve --config /etc/cas/serve.toml             With options from a file, by their names")]
pub(crate) struct Serve {
    /// Take from this TOML file what neither an option nor a variable says
    #[arg(long, env = "CAS_CONFIG", hide_env_values = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    options: Options,
}

/// What is told once the server listens.
#[derive(Debug, Serialize)]
struct View {
    url: String,
    address: String,
    tls: bool,
    /// Whether everybody may do everything.
    open: bool,
    store: String,
}

impl Serve {
    pub(crate) fn run(self, global: &Global) -> Result<(), CommandError> {
        let Self { config, options } = self;
        let (options, global) = match &config {
            Some(file) => options.with_file(file, global)?,
            None => (options, global.clone()),
        };
        let format = options.log_format.unwrap_or(LogFormat::Text);
        log::begin(format, options.log_level.unwrap_or(LogLevel::Info));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(machine::threads())
            .enable_all()
            .build()
            .map_err(CommandError::io("start"))?;
        runtime.block_on(async {
            // From now on signals are ours, also before anything listens.
            let stop = machine::Stop::listen().map_err(CommandError::io("wait for signals"))?;
            let context = Context::open(&global).await?;
            let served = serve(&context, &options, global.jobs, stop).await;
            context.close().await;
            served
        })
    }
}

async fn serve(
    context: &Context,
    options: &Options,
    jobs: Option<usize>,
    stop: machine::Stop,
) -> Result<(), CommandError> {
    let mut settings = options.settings(jobs)?;
    let tls = match options.tls_files()? {
        Some((certificate, key)) => Some(Tls::load(certificate, key)?),
        None => None,
    };
    let asked = options.address();
    let open = !context.tokens()?.any().await?;
    if open && !asked.ip().is_loopback() {
        return Err(CommandError::Unguarded { address: asked });
    }
    make_room(&mut settings);
    let failed = CommandError::io(format!("listen on {asked}"));
    let listener = TcpListener::bind(asked).await.map_err(failed)?;
    let address = listener.local_addr().map_err(CommandError::io("listen"))?;
    let app = context.app(settings, options.memory_cache())?;
    let mut server = Server::new(listener, app);
    if let Some(tls) = &tls {
        server = server.with_tls(tls.clone());
    }
    let reloading = match &tls {
        // Before anybody is told that the server runs: until then a hangup ends the program.
        Some(tls) => {
            let hangups = machine::hangups().map_err(CommandError::io("wait for signals"))?;
            Some(tokio::spawn(reload_on(hangups, tls.clone())))
        }
        None => None,
    };
    tell(context, address, tls.is_some(), open)?;
    let ended = run(server, stop).await;
    if let Some(reloading) = reloading {
        reloading.abort();
    }
    if let Ended::CutOff { connections } = ended {
        tracing::warn!(connections, "requests took longer than drain-timeout, and were cut off");
    }
    tracing::info!("stopped");
    Ok(())
}

/// Runs until a signal, and what it began to its end; a second signal ends the program at once.
async fn run(server: Server, mut stop: machine::Stop) -> Ended {
    let (begin, begun) = oneshot::channel();
    let signals = async move {
        let signal = stop.next().await;
        tracing::info!(signal, "stopping: no more connections; a second signal ends at once");
        // The server is there to hear it: it ends after it.
        let _ = begin.send(());
        let signal = stop.next().await;
        std::process::exit(128 + signal)
    };
    let stopped = async {
        let _ = begun.await;
    };
    tokio::select! {
        ended = server.run(stopped) => ended,
        ended = signals => ended,
    }
}

/// Reads the certificate again when asked to.
async fn reload_on(mut hangups: Signal, tls: Tls) {
    while hangups.recv().await.is_some() {
        match tls.reload() {
            Ok(()) => tracing::info!("read the certificate again"),
            Err(error) => {
                let error: CommandError = error.into();
                tracing::error!(error = error.report(), "the old certificate stays");
            }
        }
    }
}

/// Takes no more connections than the system has files for.
fn make_room(settings: &mut Settings) {
    let wanted = settings.limits.connections;
    if let Err(room) = machine::room_for(wanted) {
        tracing::warn!(
            wanted,
            room,
            "the system allows fewer open files than max-connections needs (ulimit -n)"
        );
        settings.limits.connections = room;
    }
}

/// Says where the server is, on standard output, and on standard error who may use it.
fn tell(context: &Context, address: SocketAddr, tls: bool, open: bool) -> Result<(), CommandError> {
    let scheme = if tls { "https" } else { "http" };
    let url = format!("{scheme}://{address}");
    if open {
        context.output.warn(
            "the store has no token yet: everybody on this machine may do everything; \
             `cas token create` makes the first",
        );
    }
    let store = context.location.to_string();
    let view = View { url, address: address.to_string(), tls, open, store };
    context.output.line(&view, |out| writeln!(out, "serving {} at {}", view.store, view.url))
}
