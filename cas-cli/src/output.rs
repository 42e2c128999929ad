//! Answers: text for people, JSON for programs; both on standard output.

use std::io::{self, BufWriter, Write};

use cas_core::env::Timestamp;
use serde::Serialize;

use crate::commands::Global;
use crate::error::CommandError;

/// How answers are given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
    quiet: bool,
}

impl Output {
    pub(crate) fn new(global: &Global) -> Self {
        Self { json: global.json, quiet: global.quiet }
    }

    /// Whether answers are in JSON.
    pub(crate) const fn is_json(self) -> bool {
        self.json
    }

    /// Gives an answer: `value` as JSON, or what `text` writes.
    pub(crate) fn answer<T: Serialize>(
        self,
        value: &T,
        text: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), CommandError> {
        self.write(|out| {
            if self.json {
                serde_json::to_writer_pretty(&mut *out, value)?;
                return out.write_all(b"\n");
            }
            text(out)
        })
    }

    /// Gives an answer on one line, also in JSON: for what goes on answering.
    pub(crate) fn line<T: Serialize>(
        self,
        value: &T,
        text: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), CommandError> {
        self.write(|out| {
            if self.json {
                serde_json::to_writer(&mut *out, value)?;
                return out.write_all(b"\n");
            }
            text(out)
        })
    }

    /// Writes raw data.
    #[expect(clippy::unused_self, reason = "reads as one more way to answer")]
    pub(crate) fn write(
        self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), CommandError> {
        let mut out = BufWriter::new(io::stdout().lock());
        match write(&mut out).and_then(|()| out.flush()) {
            // The reader has seen enough, as in `cas log | head`.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other.map_err(CommandError::io("write to standard output")),
        }
    }

    /// Warns, on standard error, unless silence was asked for: also beside an answer in JSON.
    pub(crate) fn warn(self, text: &str) {
        if !self.quiet {
            let _ = writeln!(io::stderr(), "warning: {text}");
        }
    }

    /// Says of an answer what people would not expect, on standard error, unless silence was asked
    /// for: also beside an answer in JSON.
    pub(crate) fn remark(self, text: &str) {
        if !self.quiet {
            let _ = writeln!(io::stderr(), "note: {text}");
        }
    }

    /// Tells on a terminal what is being done, in one line that the next replaces; an empty text
    /// removes it.
    pub(crate) fn note(self, text: &str) {
        use std::io::IsTerminal;
        if !self.quiet && io::stderr().is_terminal() {
            let mut err = io::stderr();
            let _ = write!(err, "\r\x1b[K{text}").and_then(|()| err.flush());
        }
    }

    /// Says something that is no answer, on standard error, unless silence was asked for.
    pub(crate) fn say(self, text: &str) {
        if !self.quiet && !self.json {
            let _ = writeln!(io::stderr(), "{text}");
        }
    }
}

/// To the second: for people.
pub(crate) fn short_time(time: Timestamp) -> String {
    let exact = time.to_string();
    match exact.split_once('.') {
        Some((seconds, _)) => seconds.replace('T', " ") + "Z",
        None => exact,
    }
}

/// A size for people.
pub(crate) fn human_bytes(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}

/// `1 file`, `2 files`.
pub(crate) fn count<N>(n: N, one: &str, many: &str) -> String
where
    N: Copy + PartialEq + From<u8> + std::fmt::Display,
{
    format!("{n} {}", if n == N::from(1) { one } else { many })
}

/// The first twelve digits of an id.
pub(crate) fn short(id: impl std::fmt::Display) -> String {
    id.to_string()[..12].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_for_people_end_with_the_second() {
        let time = Timestamp::from_micros(1_700_000_000_123_456);
        assert_eq!(short_time(time), "2023-11-14 22:13:20Z");
    }
}
