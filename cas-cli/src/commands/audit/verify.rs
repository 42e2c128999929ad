//! `cas audit verify`

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use cas_core::ErrorKind;
use cas_core::name::{BookId, NameError, RefName};
use cas_core::refs::{Checkpoint, LogProof, LogReport, SignedFrom, prove_log};
use cas_core::repo::{Globs, RepoError};
use cas_core::sign::{Note, VerifierKey};
use clap::Args;
use futures::{StreamExt, TryStreamExt};
use serde::Serialize;

use super::places;
use crate::args::{Moment, RefsArg};
use crate::context::Context;
use crate::error::CommandError;
use crate::keys;
use crate::output::{Output, count};

/// Largest checkpoint that is read, in bytes: that of a million refs.
const CHECKPOINT_BYTES: u64 = 512 << 20;

/// How many logs are looked at at once.
const AT_ONCE: usize = 16;

/// How many faults are told before the rest is not looked at: of a million branches that nobody
/// signed, each has one.
const FAULTS: usize = 10_000;

/// Prove that logs are whole, and with keys that nobody rewrote them
///
/// Every entry intact and naming the one before it, as `cas verify-log` checks it, of all branches
/// and tags that match, deleted ones too. With --key every entry must carry a good signature by one
/// of the keys, so that also a log that was written anew as a whole is found out. What was cut off
/// at the end of a log only a checkpoint tells. Exit code 4 if anything is wrong.
#[derive(Debug, Args)]
#[command(
    long_flag = "verify",
    after_help = "\
Examples:
  cas audit verify                            All logs of all books
  cas audit verify guide --key books.pub      Every entry is signed
  cas audit verify guide --key books.pub --signed-from 2026-01-31
  cas audit verify guide --checkpoint guide.checkpoint --key my.pub
  cas audit verify guide --checkpoint guide.checkpoint --key my.pub --key books.pub \\
      --signed-from checkpoint                What came since is signed"
)]
pub(super) struct Verify {
    /// The book, and of it the refs that match (default: all books, all refs)
    #[arg(value_name = "BOOK[@PATTERN]")]
    refs: Option<RefsArg>,
    /// A verifier key that is trusted, or a file with a line for each
    #[arg(long = "key", value_name = "VKEY|FILE")]
    keys: Vec<String>,
    /// A checkpoint of the book, signed by one of the keys: every log must still hold what it names
    #[arg(long, value_name = "FILE", requires = "keys", requires = "refs")]
    checkpoint: Option<PathBuf>,
    /// Which entries must be signed: those from this time on (a day as in 2026-01-31, a time, or 7d
    /// for how long ago), or with a checkpoint `checkpoint`, those that came after it (default: all;
    /// with a checkpoint, none)
    #[arg(long, value_name = "TIME|checkpoint", requires = "keys")]
    signed_from: Option<From>,
}

/// From where on entries must be signed.
#[derive(Debug, Clone, Copy)]
enum From {
    Moment(Moment),
    Checkpoint,
}

impl FromStr for From {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text {
            "checkpoint" => Ok(Self::Checkpoint),
            _ => text.parse().map(Self::Moment),
        }
    }
}

#[derive(Debug, Serialize)]
struct View {
    ok: bool,
    refs: usize,
    entries: u64,
    signed: u64,
    /// Who signed the checkpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoint_by: Option<String>,
    faults: Vec<Fault>,
}

#[derive(Debug, Serialize)]
struct Fault {
    book: String,
    r#ref: String,
    seq: u64,
    reason: String,
}

impl Verify {
    pub(super) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let keys = keys::verifier_keys(&self.keys)?;
        let book = self.refs.as_ref().map(|refs| &refs.book);
        let checkpoint = match (&self.checkpoint, book) {
            (Some(file), Some(book)) => Some(believed(file, book, &keys)?),
            _ => None,
        };
        let signed_from = self.signed_from(context, !keys.is_empty())?;
        let mut view = View {
            ok: true,
            refs: 0,
            entries: 0,
            signed: 0,
            checkpoint_by: checkpoint.as_ref().map(|(_, signer)| signer.to_string()),
            faults: Vec::new(),
        };
        let checkpoint = checkpoint.map(|(checkpoint, _)| checkpoint);
        let places = self.to_verify(context, checkpoint.as_ref()).await?;
        let (keys, checkpoint) = (keys.as_slice(), checkpoint.as_ref());
        let mut reports = futures::stream::iter(places)
            .map(|(book, name)| async move {
                let checkpoint = checkpoint.and_then(|checkpoint| checkpoint.position(&name));
                let proof = LogProof { keys, signed_from, checkpoint };
                let report = prove_log(context.repo.store(), &book, &name, &proof).await;
                Ok::<_, CommandError>((book, name, report?))
            })
            .buffered(AT_ONCE);
        while let Some((book, name, report)) = reports.try_next().await? {
            if view.faults.len() >= FAULTS {
                view.give_up(&book, &name);
                break;
            }
            view.add(&book, &name, report);
        }
        drop(reports);
        view.ok = view.faults.is_empty();
        view.tell(context.output)
    }

    /// Which entries must be signed.
    fn signed_from(&self, context: &Context, has_keys: bool) -> Result<SignedFrom, CommandError> {
        match self.signed_from {
            Some(From::Moment(moment)) => Ok(SignedFrom::Time(moment.at(context.now()))),
            Some(From::Checkpoint) if self.checkpoint.is_some() => Ok(SignedFrom::Checkpoint),
            Some(From::Checkpoint) => {
                let text = "--signed-from checkpoint needs --checkpoint FILE".to_owned();
                Err(CommandError::Usage(text))
            }
            None if has_keys && self.checkpoint.is_none() => Ok(SignedFrom::Start),
            None => Ok(SignedFrom::Never),
        }
    }

    /// The refs that are meant, and those that the checkpoint says should be there.
    async fn to_verify(
        &self,
        context: &Context,
        checkpoint: Option<&Checkpoint>,
    ) -> Result<Vec<(BookId, RefName)>, CommandError> {
        let Some((checkpoint, refs)) = checkpoint.zip(self.refs.as_ref()) else {
            return places(&context.repo, self.refs.as_ref()).await;
        };
        let globs = Globs::parse(refs.pattern.clone())?;
        let mut found = match places(&context.repo, Some(refs)).await {
            // All that it held may be gone.
            Err(
                CommandError::Usage(_)
                | CommandError::Repo(RepoError::NoBook { .. } | RepoError::NoRef { .. }),
            ) => Vec::new(),
            found => found?,
        };
        let names = checkpoint.positions().iter().map(|position| &position.name);
        let names = names.filter(|name| globs.is_match(name.as_str()));
        found.extend(names.map(|name| (refs.book.clone(), name.clone())));
        found.sort_unstable();
        found.dedup();
        if found.is_empty() {
            let text = "neither the store nor the checkpoint has such a ref".to_owned();
            return Err(CommandError::Usage(text));
        }
        Ok(found)
    }
}

/// The checkpoint in a file, if one of the keys signed it and it is one of the book, and who did.
fn believed<'k>(
    file: &Path,
    book: &BookId,
    keys: &'k [VerifierKey],
) -> Result<(Checkpoint, &'k VerifierKey), CommandError> {
    let text = keys::read_text(file, CHECKPOINT_BYTES)?;
    let shown = || file.display().to_string();
    let note = Note::parse(&text).map_err(|source| CommandError::Note { file: shown(), source })?;
    let verified = note.verify(keys);
    let (text, signer) = verified.map_err(|source| CommandError::Note { file: shown(), source })?;
    let checkpoint = Checkpoint::parse(text)
        .map_err(|source| CommandError::Checkpoint { file: shown(), source })?;
    if checkpoint.book() != book {
        let (shown, other) = (shown(), checkpoint.book());
        return Err(CommandError::Usage(format!("{shown} is a checkpoint of {other}, not {book}")));
    }
    Ok((checkpoint, signer))
}

impl View {
    fn add(&mut self, book: &BookId, name: &RefName, report: LogReport) {
        self.refs += 1;
        self.entries += report.entries;
        self.signed += report.signed;
        self.faults.extend(report.faults.into_iter().map(|fault| Fault {
            book: book.to_string(),
            r#ref: name.to_string(),
            seq: fault.seq,
            reason: fault.reason,
        }));
    }

    /// Says that there is more to be looked at, from this ref on.
    fn give_up(&mut self, book: &BookId, name: &RefName) {
        let reason = format!("{} faults so far: the rest was not looked at", self.faults.len());
        let (book, r#ref) = (book.to_string(), name.to_string());
        self.faults.push(Fault { book, r#ref, seq: 1, reason });
    }

    fn tell(&self, output: Output) -> Result<(), CommandError> {
        output.answer(self, |out| self.write(out))?;
        if self.ok {
            return Ok(());
        }
        let message = format!("the logs have {}", count(self.faults.len(), "fault", "faults"));
        Err(CommandError::found(message, ErrorKind::Corrupt))
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        for Fault { book, r#ref, seq, reason } in &self.faults {
            writeln!(out, "{book}@{ref}#{seq}: {reason}")?;
        }
        if !self.ok {
            return Ok(());
        }
        let refs = count(self.refs as u64, "ref", "refs");
        let entries = count(self.entries, "entry", "entries");
        writeln!(out, "{refs}, {entries}, {} signed: all in order", self.signed)?;
        match &self.checkpoint_by {
            Some(signer) => writeln!(out, "every log still holds the checkpoint by {signer}"),
            None => Ok(()),
        }
    }
}
