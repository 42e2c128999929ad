//! What the targets begin with: small inputs of each kind, kept in `fuzz/seeds/`.

use std::fs;
use std::path::Path;

/// One input.
#[derive(Debug, Clone)]
pub struct Seed {
    /// The name of its file.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// The seeds of a target, sorted by name; none if it has no folder.
pub fn seeds(target: &str) -> Vec<Seed> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(target);
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut seeds: Vec<Seed> = files
        .filter_map(|file| {
            let name = file.file_name().into_string().ok()?;
            Some(Seed { name, bytes: fs::read(file.path()).ok()? })
        })
        .collect();
    seeds.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    seeds
}
