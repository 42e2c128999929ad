//! What an import leaves out: `.casignore` files, `--exclude` patterns, `.git` and `.cas`.

use std::ffi::CStr;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::handle::Handle;

/// The file in any folder that lists what to leave out, in the syntax of `.gitignore`.
pub(super) const IGNORE_FILE: &CStr = c".casignore";

/// The rules that hold in one folder: its own and those of the folders above.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    excluded: Arc<Gitignore>,
    own: Option<Arc<Level>>,
}

#[derive(Debug)]
struct Level {
    rules: Gitignore,
    above: Option<Arc<Level>>,
}

impl Rules {
    /// Only the given patterns, which hold everywhere.
    pub(super) fn new(exclude: &[String]) -> Result<Self, (String, String)> {
        let mut builder = GitignoreBuilder::new("");
        for pattern in exclude {
            builder
                .add_line(None, pattern)
                .map_err(|error| (pattern.clone(), error.to_string()))?;
        }
        let excluded = builder.build().map_err(|error| (String::new(), error.to_string()))?;
        Ok(Self { excluded: Arc::new(excluded), own: None })
    }

    /// The rules in the folder at `path`, which has an ignore file of its own.
    ///
    /// An ignore file that cannot be used is an error: to go on without it would store what it
    /// leaves out.
    pub(super) fn enter(&self, folder: &Handle, path: &str) -> Result<Self, String> {
        let file = folder.read(IGNORE_FILE).map_err(|error| error.to_string())?;
        let mut builder = GitignoreBuilder::new(path);
        for (nth, line) in BufReader::new(file).lines().enumerate() {
            let at = |reason: String| format!("line {}: {reason}", nth + 1);
            let line = line.map_err(|error| at(error.to_string()))?;
            builder.add_line(None, &line).map_err(|error| at(error.to_string()))?;
        }
        let rules = builder.build().map_err(|error| error.to_string())?;
        let level = Level { rules, above: self.own.clone() };
        Ok(Self { excluded: self.excluded.clone(), own: Some(Arc::new(level)) })
    }

    /// Whether the entry `name` at `path` is left out. The deepest rule that says anything wins.
    pub(super) fn leave_out(&self, path: &str, name: &str, is_folder: bool) -> bool {
        if matches!(name, ".git" | ".cas") {
            return true;
        }
        let path = Path::new(path);
        if self.excluded.matched(path, is_folder).is_ignore() {
            return true;
        }
        let mut level = self.own.as_ref();
        while let Some(Level { rules, above }) = level.map(AsRef::as_ref) {
            let found = rules.matched(path, is_folder);
            if !found.is_none() {
                return found.is_ignore();
            }
            level = above.as_ref();
        }
        false
    }
}
