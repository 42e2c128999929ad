//! `cas init`

use cas_core::env::Env;
use cas_core::store;
use clap::Args;
use serde::Serialize;

use crate::commands::Global;
use crate::context::{location, open_bucket};
use crate::error::CommandError;
use crate::output::{Output, exact_time, short_time};

/// Make a store
///
/// The folder must be empty or not exist yet. A store that is there already is left as it is.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas init                        Make the default store
  cas --store /srv/books init     Make one in a folder of your choice")]
pub(crate) struct Init {}

#[derive(Debug, Serialize)]
struct View {
    store: String,
    created: bool,
    created_at: String,
}

impl Init {
    pub(crate) async fn run(self, global: &Global) -> Result<(), CommandError> {
        let location = location(global)?;
        let bucket = open_bucket(&location, true)?;
        let (marker, created) =
            store::create(&bucket, &location.to_string(), &Env::system()).await?;
        let view = View {
            store: location.to_string(),
            created,
            created_at: exact_time(marker.created_at),
        };
        Output::new(global).answer(&view, |out| {
            if created {
                writeln!(out, "made a store at {location}")
            } else {
                writeln!(
                    out,
                    "there is a store at {location} already, made {}",
                    short_time(marker.created_at)
                )
            }
        })
    }
}
