//! Keys as users give them: files, and texts that are keys themselves.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use cas_core::ErrorKind;
use cas_core::name::NameError;
use cas_core::sign::{SigningKey, VerifierKey};

use crate::context::flag_was_given;
use crate::error::CommandError;

/// Nobody but its owner may read a signing key.
const MODE: u32 = 0o600;

/// Longest file of keys that is read, in bytes.
const FILE_BYTES: u64 = 1 << 20;

/// The signing key that was said: in a file, or from the variable the key itself.
pub(crate) fn signing_key(said: &str) -> Result<SigningKey, CommandError> {
    if SigningKey::looks_like_one(said) {
        if flag_was_given("--signing-key") {
            return Err(CommandError::Usage(
                "everybody on this machine sees a command's options: name a file with \
                 --signing-key, or put the key into the variable CAS_SIGNING_KEY"
                    .to_owned(),
            ));
        }
        return Ok(SigningKey::parse(said)?);
    }
    Ok(SigningKey::parse(&read(said)?)?)
}

/// Keeps a new signing key in a file that was not there.
pub(crate) fn keep(key: &SigningKey, file: &Path) -> Result<(), CommandError> {
    let failed = || CommandError::io(format!("make {}", file.display()));
    let mut options = OpenOptions::new();
    let mut made = match options.write(true).create_new(true).mode(MODE).open(file) {
        Ok(made) => made,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let message =
                format!("{} is there already: a key is never overwritten", file.display());
            return Err(CommandError::found(message, ErrorKind::Conflict));
        }
        Err(error) => return Err(failed()(error)),
    };
    let written = writeln!(made, "{}", key.reveal()).and_then(|()| made.sync_all());
    written.map_err(|source| {
        // Half a key is worse than none.
        let _ = fs::remove_file(file);
        failed()(source)
    })
}

/// The verifier keys that were said, each itself or in a file: a line for each; empty lines, and
/// what begins with `#`, are passed over.
pub(crate) fn verifier_keys(said: &[String]) -> Result<Vec<VerifierKey>, CommandError> {
    let mut keys = Vec::new();
    for said in said {
        if looks_like_a_key(said) {
            keys.push(VerifierKey::parse(said)?);
            continue;
        }
        let text = read(said)?;
        let lines = text.lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let found: Result<Vec<_>, NameError> = lines.map(VerifierKey::parse).collect();
        let found = found?;
        if found.is_empty() {
            return Err(CommandError::Usage(format!("{said} holds no verifier key")));
        }
        keys.extend(found);
    }
    Ok(keys)
}

/// Whether a text is rather a key than the name of a file: it has a key's three parts and no
/// folder before them.
fn looks_like_a_key(said: &str) -> bool {
    SigningKey::looks_like_one(said)
        || said.splitn(3, '+').count() == 3 && !Path::new(said).exists()
}

fn read(file: &str) -> Result<String, CommandError> {
    read_text(Path::new(file), FILE_BYTES)
}

/// A file of text that has at most `limit` bytes.
pub(crate) fn read_text(file: &Path, limit: u64) -> Result<String, CommandError> {
    let shown = file.display();
    let failed = || CommandError::io(format!("read {shown}"));
    let mut text = String::new();
    let opened = fs::File::open(file).map_err(failed())?;
    opened.take(limit + 1).read_to_string(&mut text).map_err(failed())?;
    if text.len() as u64 > limit {
        return Err(CommandError::Usage(format!("{shown} has more than {limit} bytes")));
    }
    Ok(text)
}
