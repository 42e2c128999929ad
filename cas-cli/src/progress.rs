//! How far long work is: a bar on a terminal for anything that takes over a second, elsewhere, as in
//! the log of a build, a line now and then.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cas_core::folder::{NoProgress, Progress, Step};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How long work is done in silence.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long a step is worked on in a log before a line says how far it is, and before the next does.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Draws a bar for each step that takes long.
#[derive(Debug)]
struct Bars {
    bar: Mutex<ProgressBar>,
    shown: AtomicBool,
}

/// Writes a line now and then for each step that takes very long.
#[derive(Debug)]
struct Lines<W> {
    state: Mutex<Line<W>>,
    every: Duration,
}

#[derive(Debug)]
struct Line<W> {
    out: W,
    what: &'static str,
    /// Counts, and is never drawn.
    bar: ProgressBar,
    /// After how much time in the step the next line is due.
    due: Duration,
}

/// Who hears how far long work is: nobody if silence was asked for.
pub(crate) fn progress(quiet: bool) -> Arc<dyn Progress> {
    let stderr = std::io::stderr();
    if quiet {
        Arc::new(NoProgress)
    } else if stderr.is_terminal() {
        Arc::new(Bars { bar: Mutex::new(ProgressBar::hidden()), shown: AtomicBool::new(false) })
    } else {
        Arc::new(Lines::new(stderr, LINE_EVERY))
    }
}

/// What a step does, in words.
const fn doing(step: Step) -> &'static str {
    match step {
        Step::Read => "reading",
        Step::Store => "storing",
        Step::Verify => "checking the store",
        Step::Compare => "comparing",
        Step::Write => "writing",
        Step::Merge => "merging",
        Step::Branch => "making branches",
        Step::Logs => "reading logs",
        Step::Follow => "following refs",
        Step::Collect => "collecting",
        Step::Copy => "copying refs",
        Step::Repair => "repairing",
    }
}

impl Progress for Bars {
    fn begin(&self, step: Step, total: u64) {
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template(if total == 0 {
            "{msg} {pos}"
        } else {
            "{msg} {wide_bar} {pos}/{len} {eta}"
        }) {
            bar.set_style(style);
        }
        bar.set_message(doing(step));
        let mut current = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        current.finish_and_clear();
        *current = bar;
        self.shown.store(false, Ordering::Relaxed);
    }

    fn advance(&self, files: u64) {
        let bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        bar.inc(files);
        if bar.elapsed() > PATIENCE && !self.shown.swap(true, Ordering::Relaxed) {
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }

    fn end(&self) {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner).finish_and_clear();
    }
}

impl<W> Lines<W> {
    fn new(out: W, every: Duration) -> Self {
        let line = Line { out, what: "", bar: ProgressBar::hidden(), due: every };
        Self { state: Mutex::new(line), every }
    }
}

impl<W: Write + Send + std::fmt::Debug> Progress for Lines<W> {
    fn begin(&self, step: Step, total: u64) {
        let mut line = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        line.what = doing(step);
        line.bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden());
        line.due = self.every;
    }

    fn advance(&self, files: u64) {
        let mut line = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        line.bar.inc(files);
        let passed = line.bar.elapsed();
        if passed < line.due {
            return;
        }
        line.due = passed + self.every;
        let (what, done) = (line.what, line.bar.position());
        let of = line.bar.length().filter(|total| *total > 0);
        // A log that cannot be written to is no reason to stop the work.
        let _ = match of {
            Some(total) => writeln!(line.out, "cas: {what} {done} of {total}"),
            None => writeln!(line.out, "cas: {what} {done}"),
        };
    }

    fn end(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(every: Duration) -> String {
        let lines = Lines::new(Vec::new(), every);
        lines.begin(Step::Store, 3);
        lines.advance(1);
        lines.advance(2);
        lines.end();
        lines.begin(Step::Follow, 0);
        lines.advance(7);
        String::from_utf8(lines.state.into_inner().unwrap().out).unwrap()
    }

    #[test]
    fn lines_say_what_is_done_and_how_much_of_it() {
        let lines = "cas: storing 1 of 3\ncas: storing 3 of 3\ncas: following refs 7\n";
        assert_eq!(said(Duration::ZERO), lines);
    }

    #[test]
    fn short_work_writes_no_line() {
        assert_eq!(said(LINE_EVERY), "");
    }
}
