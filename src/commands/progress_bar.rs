//! A bar on a terminal that shows how far long work is; nothing where there is no terminal.

use std::time::{Duration, Instant};

use super::{note, show_progress};

/// Characters of the bar.
const WIDTH: u64 = 20;

/// Time between two looks of it.
const LOOK: Duration = Duration::from_millis(100);

/// The bar of one piece of work.
#[derive(Debug)]
pub struct ProgressBar {
    start: Instant,
    what: &'static str,
    /// When it was last shown.
    shown: Option<Instant>,
}

impl ProgressBar {
    /// Starts the clock on `what`, the unit that is counted, such as `tensors`.
    pub fn start(what: &'static str) -> ProgressBar {
        ProgressBar { start: Instant::now(), what, shown: None }
    }

    /// Shows that `done` of `total` are done.
    pub fn show(&mut self, done: u64, total: u64) {
        if total == 0 || self.shown.is_some_and(|last| last.elapsed() < LOOK) {
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

/// What is printed after it begins on a line of its own.
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
    fn the_line_says_how_far_it_is_and_how_long_it_takes() {
        let bar = ProgressBar::start("tensors");
        assert_eq!(bar.line(0, 8, 0), "[....................] 0/8 tensors");
        assert_eq!(bar.line(4, 8, 30), "[##########..........] 4/8 tensors, 30 s left");
        assert_eq!(bar.line(8, 8, 60), "[####################] 8/8 tensors, 0 s left");
    }
}
