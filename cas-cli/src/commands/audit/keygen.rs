//! `cas audit keygen`

use std::path::PathBuf;

use cas_core::env::Env;
use cas_core::sign::{KeyName, SigningKey};
use clap::Args;
use serde::Serialize;

use crate::commands::Global;
use crate::error::CommandError;
use crate::keys;
use crate::output::Output;

/// Make a signing key, and print the verifier key that belongs to it
///
/// The signing key is kept in a new file that only you may read. The verifier key is public: give it
/// to whoever verifies. Keep both where those who can write to the store cannot change them.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas audit keygen books.example.org --out books.key > books.pub")]
pub(super) struct Keygen {
    /// Whose key it is, as in books.example.org or build/7: without white space and `+`
    #[arg(value_name = "NAME", value_parser = KeyName::parse)]
    name: KeyName,
    /// Where the signing key is kept; a file that is there is never overwritten
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Debug, Serialize)]
struct View {
    name: String,
    verifier_key: String,
    file: String,
}

impl Keygen {
    pub(super) fn run(self, global: &Global) -> Result<(), CommandError> {
        let key = SigningKey::generate(self.name, &Env::system());
        keys::keep(&key, &self.out)?;
        let verifier = key.verifier();
        let view = View {
            name: verifier.name().to_string(),
            verifier_key: verifier.to_string(),
            file: self.out.display().to_string(),
        };
        Output::new(global).answer(&view, |out| writeln!(out, "{}", view.verifier_key))
    }
}
