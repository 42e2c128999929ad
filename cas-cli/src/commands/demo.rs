//! `cas demo`

mod book;
mod readers;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use cas_core::ErrorKind;
use cas_core::name::{BlobId, BookId};
use cas_core::store::Location;
use clap::{Args, Parser};

use crate::commands::{Cli, Global};
use crate::context::Context;
use crate::error::CommandError;
use crate::output::Output;

use book::BOOK;

/// See it work: import, branch, edit, compare, check out and verify a small book
///
/// Every command is shown before it runs, in a folder that is thrown away unless you name one.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas demo             See it, and leave nothing behind
  cas demo ./tryout    Keep the book, the store and the checkouts in a new folder")]
pub(crate) struct Demo {
    /// Where to keep what the demo makes; must not exist yet
    dir: Option<PathBuf>,
}

/// The folder that the demo is in, and how it speaks.
struct Stage<'a> {
    global: &'a Global,
    output: Output,
}

impl Demo {
    pub(crate) fn run(self, global: &Global) -> Result<(), CommandError> {
        let thrown_away = match &self.dir {
            Some(dir) => {
                std::fs::create_dir(dir)
                    .map_err(CommandError::io(format!("make {}", dir.display())))?;
                None
            }
            None => Some(tempfile::tempdir().map_err(CommandError::io("make a temporary folder"))?),
        };
        let dir = self
            .dir
            .as_deref()
            .or(thrown_away.as_ref().map(tempfile::TempDir::path))
            .unwrap_or(Path::new("."));
        // The commands are shown as a user in that folder would type them.
        std::env::set_current_dir(dir)
            .map_err(CommandError::io(format!("enter {}", dir.display())))?;
        let stage = Stage { global, output: Output::new(global) };
        book::write(Path::new("field-guide"))?;
        let played = stage.play();
        if thrown_away.is_some() {
            let store = Location::Folder("store".into());
            let known = [
                Context::import_index(Path::new("field-guide"), &store),
                BookId::parse("guide").ok().and_then(|book| Context::branch_index(&book, &store)),
            ];
            for index in known.into_iter().flatten() {
                let _ = std::fs::remove_file(index);
            }
        }
        played?;
        stage.say("\nEverything came back as it went in, and every change is in the log.")?;
        match self.dir {
            Some(_) => {
                stage.say("The book, the store and the checkouts are in the folder that you named.")
            }
            None => stage.say("The folder is gone again; `cas demo ./tryout` keeps it."),
        }
    }
}

impl Stage<'_> {
    fn play(&self) -> Result<(), CommandError> {
        self.title("A folder becomes a book")?;
        self.cas(&["init"])?;
        self.cas(&["import", "field-guide", "guide", "-m", "First version"])?;
        self.cas(&["ls", "guide"])?;

        self.title("A reader gets a branch: nothing is copied")?;
        self.cas(&["branch", "create", "guide@users/ada"])?;
        let readme =
            BOOK.iter().find(|file| file.path == "README.md").map_or(&[][..], |file| file.content);
        let edited = [readme, b"\nAda's note: start with part two.\n"].concat();
        std::fs::write("ada.md", edited).map_err(CommandError::io("write ada.md"))?;
        let seen = BlobId::of(readme).to_string();
        self.cas(&[
            "put",
            "guide@users/ada",
            "README.md",
            "ada.md",
            "--expect",
            &seen,
            "-m",
            "A note of my own",
        ])?;
        self.cas(&["diff", "guide", "guide@users/ada", "--patch"])?;

        self.title("Nothing is overwritten blindly: the same change, of what is no longer there")?;
        self.refused(&[
            "put",
            "guide@users/ada",
            "README.md",
            "ada.md",
            "--expect",
            &BlobId::of(b"old").to_string(),
        ])?;

        self.title("The book goes on")?;
        self.cas(&[
            "mv",
            "guide",
            "03-in-the-field/02-words.md",
            "words.md",
            "-m",
            "Words to the front",
        ])?;
        self.cas(&["rm", "guide", "tools/count-words.sh", "-m", "Nobody counts"])?;
        self.cas(&["log", "guide", "-n", "2"])?;

        self.title("Any version, any time: only what differs is written")?;
        self.cas(&["checkout", "guide", "out"])?;
        self.cas(&["checkout", "guide~2", "out"])?;
        self.cas(&["status", "out"])?;
        self.compare(Path::new("out"))?;
        self.cas(&["checkout", "guide@users/ada", "ada"])?;

        self.title("A second import of the same folder finds out what changed without reading it")?;
        self.cas(&["import", "field-guide", "guide", "-m", "As it was"])?;
        self.cas(&["import", "field-guide", "guide"])?;

        self.readers()?;

        self.title("Who did what, and is it all still true?")?;
        self.cas(&["reflog", "guide@main"])?;
        self.cas(&["verify-log", "guide@main"])?;
        self.cas(&["verify-log", "guide@users/ada"])
    }

    fn say(&self, text: &str) -> Result<(), CommandError> {
        self.output.write(|out| writeln!(out, "{text}"))
    }

    fn title(&self, text: &str) -> Result<(), CommandError> {
        self.say(&format!("\n# {text}"))
    }

    /// Shows a command and runs it.
    fn cas(&self, args: &[&str]) -> Result<(), CommandError> {
        let shown: Vec<_> = args
            .iter()
            .map(|arg| if arg.contains(' ') { format!("'{arg}'") } else { (*arg).to_owned() })
            .collect();
        self.say(&format!("\n$ cas {}", shown.join(" ")))?;
        let all = [OsString::from("cas"), "--store".into(), "store".into()];
        let all = all.into_iter().chain(args.iter().map(OsString::from));
        let mut cli =
            Cli::try_parse_from(all).map_err(|error| CommandError::Usage(error.to_string()))?;
        cli.global.actor.clone_from(&self.global.actor);
        super::run(cli)
    }

    /// Shows a command that must end in a conflict.
    fn refused(&self, args: &[&str]) -> Result<(), CommandError> {
        match self.cas(args) {
            Err(error) if error.kind() == Some(ErrorKind::Conflict) => self.say(&error.report()),
            Err(error) => Err(error),
            Ok(()) => {
                let message = "a change of what is no longer there was not refused".to_owned();
                Err(CommandError::found(message, ErrorKind::Internal))
            }
        }
    }

    /// Compares a checkout with the book that the demo began with.
    fn compare(&self, out: &Path) -> Result<(), CommandError> {
        for file in BOOK {
            let path = out.join(file.path);
            let found = match file.kind {
                book::Kind::Symlink => std::fs::read_link(&path)
                    .map(|to| to.to_string_lossy().into_owned().into_bytes()),
                book::Kind::File | book::Kind::Executable => std::fs::read(&path),
            };
            let found = found.map_err(CommandError::io(format!("read {}", path.display())))?;
            if found != file.content {
                let message = format!("{} is not what was imported", path.display());
                return Err(CommandError::found(message, ErrorKind::Corrupt));
            }
        }
        self.say(&format!(
            "\ncompared {} files of the checkout with the folder, byte by byte: equal",
            BOOK.len()
        ))
    }
}
