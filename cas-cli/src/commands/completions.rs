//! `cas completions`

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::commands::{Cli, Global};
use crate::error::CommandError;
use crate::output::Output;

/// Print a script that completes commands in a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas completions bash > ~/.local/share/bash-completion/completions/cas
  cas completions fish > ~/.config/fish/completions/cas.fish")]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(self, global: &Global) -> Result<(), CommandError> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "cas", &mut script);
        Output::new(global).write(|out| out.write_all(&script))
    }
}
