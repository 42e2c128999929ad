//! Progress bars, on a terminal only, for anything that takes over a second.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cas_core::folder::{NoProgress, Progress, Step};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How long work is done in silence.
const PATIENCE: Duration = Duration::from_secs(1);

/// Draws a bar for each step that takes long.
#[derive(Debug)]
struct Bars {
    bar: Mutex<ProgressBar>,
    shown: AtomicBool,
}

/// Who hears how far long work is: a bar if standard error is a terminal and silence was not
/// asked for, else nobody.
pub(crate) fn progress(quiet: bool) -> Arc<dyn Progress> {
    if quiet || !std::io::stderr().is_terminal() {
        return Arc::new(NoProgress);
    }
    Arc::new(Bars { bar: Mutex::new(ProgressBar::hidden()), shown: AtomicBool::new(false) })
}

impl Progress for Bars {
    fn begin(&self, step: Step, total: u64) {
        let what = match step {
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
        };
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template(if total == 0 {
            "{msg} {pos}"
        } else {
            "{msg} {wide_bar} {pos}/{len} {eta}"
        }) {
            bar.set_style(style);
        }
        bar.set_message(what);
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
