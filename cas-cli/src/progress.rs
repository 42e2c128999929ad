//! Progress bars, on a terminal only, for anything that takes over a second.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cas_core::folder::{Progress, Step};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How long work is done in silence.
const PATIENCE: Duration = Duration::from_secs(1);

/// Draws a bar for each step that takes long.
#[derive(Debug)]
pub(crate) struct Bars {
    bar: Mutex<ProgressBar>,
}

impl Bars {
    pub(crate) fn new() -> Self {
        Self {
            bar: Mutex::new(ProgressBar::hidden()),
        }
    }
}

impl Progress for Bars {
    fn begin(&self, step: Step, total: u64) {
        let what = match step {
            Step::Store => "storing",
            Step::Compare => "comparing",
            Step::Write => "writing",
        };
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}") {
            bar.set_style(style);
        }
        bar.set_message(what);
        let mut current = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        current.finish_and_clear();
        *current = bar;
    }

    fn advance(&self, files: u64) {
        let bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        bar.inc(files);
        if bar.is_hidden() && bar.elapsed() > PATIENCE {
            // Draws nothing when standard error is no terminal.
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.bar
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .finish_and_clear();
    }
}
