//! A progress bar on standard error; shows nothing if that is not a terminal.

use std::time::{Duration, Instant};

use super::{note, show_progress};

/// Width of the bar in characters.
const WIDTH: u64 = 20;

/// Minimum time between two updates.
const UPDATE_EVERY: Duration = Duration::from_millis(100);

/// The progress bar of one task.
#[derive(Debug)]
pub struct ProgressBar {
    start: Instant,
    what: &'static str,
    /// When the bar was last shown.
    shown: Option<Instant>,
}

impl ProgressBar {
    /// Starts the clock; `what` is the unit counted, such as `tensors`.
    pub fn start(what: &'static str) -> ProgressBar {
        ProgressBar { start: Instant::now(), what, shown: None }
    }

    /// Shows that `done` of `total` are done.
    pub fn show(&mut self, done: u64, total: u64) {
        if total == 0 || self.shown.is_some_and(|last| last.elapsed() < UPDATE_EVERY) {
            return;
        }
        let on_terminal = show_progress(&self.line(done, total, self.start.elapsed().as_secs()));
        self.shown = on_terminal.then(Instant::now);
    }

    fn line(&self, done: u64, total: u64, seconds: u64) -> String {
        let filled = WIDTH * done.min(total) / total;
        let (bar, rest) = ("#".repeat(filled as usize), ".".repeat((WIDTH - filled) as usize));
        let left = (seconds * total.saturating_sub(done)).checked_div(done);
        let left = left.map(|seconds| format!(", {seconds} s left")).unwrap_or_default();
        format!("[{bar}{rest}] {done}/{total} {}{left}", self.what)
    }
}

/// Later output begins on a line of its own.
impl Drop for ProgressBar {
    fn drop(&mut self) {
        if self.shown.is_some() {
            note("");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_shows_progress_and_the_time_left() {
        let bar = ProgressBar::start("tensors");
        assert_eq!(bar.line(0, 8, 0), "[....................] 0/8 tensors");
        assert_eq!(bar.line(4, 8, 30), "[##########..........] 4/8 tensors, 30 s left");
        assert_eq!(bar.line(8, 8, 60), "[####################] 8/8 tensors, 0 s left");
    }
}
