//! `cas init`

use cas_core::env::Env;
use cas_core::store::{self, Examination, StoreError, Writers, connect};
use clap::Args;
use serde::Serialize;

use super::doctor::prove;
use crate::commands::Global;
use crate::context::{notice, place, variables};
use crate::error::CommandError;
use crate::output::{Output, short_time};

/// Make a store
///
/// The folder must be empty or not exist yet; a bucket must exist, with nothing below the prefix.
/// Before the store is made, the place is asked for what its safety rests on, as `cas doctor` does
/// in full. A store that is there already is left as it is.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas init                                      Make the default store
  cas --store /srv/books init                   Make one in a folder of your choice
  cas --store r2://ACCOUNT/books init           ... in a bucket of Cloudflare R2
  cas --store s3://books/prod init              ... below a prefix in a bucket of Amazon S3")]
pub(crate) struct Init {
    /// Make it even where racing writers are not kept apart, for one writer at a time
    #[arg(long)]
    single_writer: bool,
}

#[derive(Debug, Serialize)]
struct View {
    store: String,
    created: bool,
    created_at: String,
}

impl Init {
    pub(crate) async fn run(self, global: &Global) -> Result<(), CommandError> {
        let output = Output::new(global);
        let location = place(global)?.location;
        let bucket = connect(&location, true, &variables())?.bucket;
        let shown = location.to_string();
        let env = Env::system();
        let (marker, created) = match store::open(&bucket, &shown).await {
            Ok(marker) => (marker, false),
            Err(StoreError::NoStore { .. }) => {
                let findings = prove(&bucket, Examination::Safety, output).await?;
                let writers = match findings.danger() {
                    None => Writers::Any,
                    Some(_) if self.single_writer => Writers::One,
                    Some(reason) => {
                        let (location, reason) = (shown, reason.to_owned());
                        return Err(StoreError::Unsafe { location, reason }.into());
                    }
                };
                store::create(&bucket, &shown, writers, &env).await?
            }
            Err(error) => return Err(error.into()),
        };
        if let Some(notice) = notice(marker.writers) {
            output.warn(notice);
        }
        let view = View { store: shown, created, created_at: marker.created_at.to_string() };
        output.answer(&view, |out| {
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
