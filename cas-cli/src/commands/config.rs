//! `cas config`

use cas_core::env::Env;
use cas_core::store::{Location, Setting, connect, connect_server};
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::commands::Global;
use crate::context::{Place, place, resolved_settings, variables};
use crate::error::CommandError;
use crate::output::Output;

/// See the settings in force
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas config show                         The settings, and where each comes from
  cas --store s3://books config show      Those of a bucket; secrets are never shown")]
pub(crate) struct Config {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Tell every setting, and where it comes from
    Show,
}

#[derive(Debug, Serialize)]
struct View {
    name: &'static str,
    value: String,
    source: String,
}

impl Config {
    pub(crate) fn run(self, global: &Global) -> Result<(), CommandError> {
        let Action::Show = self.action;
        let Place { location, .. } = place(global)?;
        let mut views: Vec<_> = resolved_settings(global, &location)?
            .into_iter()
            .map(|(name, value, source)| View { name, value, source })
            .collect();
        if location.is_remote() {
            let settings = settings(&location)?;
            views.extend(settings.into_iter().map(|Setting { name, value, source }| View {
                name,
                value,
                source: source.to_string(),
            }));
        }
        Output::new(global).answer(&views, |out| {
            let width = |of: fn(&View) -> usize| views.iter().map(of).max().unwrap_or_default();
            let names = width(|view| view.name.len());
            let values = width(|view| view.value.chars().count());
            for View { name, value, source } in &views {
                writeln!(out, "{name:<names$}  {value:<values$}  from {source}")?;
            }
            Ok(())
        })
    }
}

/// How a place over the network is spoken to.
fn settings(location: &Location) -> Result<Vec<Setting>, CommandError> {
    Ok(match location {
        Location::Http(url) => connect_server(url, &variables(), &Env::system())?.settings,
        _ => connect(location, false, &variables())?.settings,
    })
}
