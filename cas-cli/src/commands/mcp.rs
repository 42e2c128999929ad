//! `cas mcp`

use cas_server::{Settings, serve_mcp};
use clap::Args;

use crate::context::Context;
use crate::error::CommandError;

/// How many bytes of objects an agent's conversation keeps in memory.
const MEMORY: u64 = 64 << 20;

/// Let an AI agent work on the store
///
/// Speaks the Model Context Protocol on standard input and output, for a program that starts this one.
/// Whatever the agent changes is recorded in the name of --actor. A server offers the same to those who
/// show a token, at /mcp: where the store is kept by a server, connect the agent there. What an agent
/// can do is in docs/mcp.md.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas mcp --store ./books --actor editor-bot      On a folder, in that name
  claude mcp add books -- cas mcp --store ./books Let Claude Code start it")]
pub(crate) struct Mcp;

impl Mcp {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let Ok(app) = context.app(Settings::default(), MEMORY) else {
            return Err(CommandError::Usage(format!(
                "{} is kept by a server, which speaks with agents itself: connect them to {}/mcp",
                context.location,
                context.location.to_string().trim_end_matches('/'),
            )));
        };
        let (input, output) = (tokio::io::stdin(), tokio::io::stdout());
        let served = serve_mcp(&app, context.actor.clone(), input, output).await;
        served.map_err(CommandError::io("speak with the agent"))
    }
}
