//! Progress of an evaluation: a bar on a terminal, an occasional line otherwise.

use std::time::{Duration, Instant};

use crate::commands::{note, show_progress};

/// Width of the bar in characters.
const WIDTH: usize = 10;
/// Total number of lines printed if there is no terminal.
const LINES: usize = 10;

/// The progress shown on standard error.
#[derive(Debug)]
pub struct EvalProgress {
    start: Instant,
    /// Number of attempts in total, and of those made by an earlier run.
    total: usize,
    earlier: usize,
    done: usize,
    right: usize,
    /// Whether the cursor is on the bar's line.
    is_shown: bool,
}

impl EvalProgress {
    /// Starts the clock on `total` attempts, `earlier` of which an earlier run has made.
    pub fn start(total: usize, earlier: usize) -> EvalProgress {
        EvalProgress {
            start: Instant::now(),
            total,
            earlier,
            done: earlier,
            right: 0,
            is_shown: false,
        }
    }

    /// Counts an attempt and shows the progress.
    pub fn step(&mut self, is_right: bool) {
        self.done += 1;
        self.right += usize::from(is_right);
        let line = self.line(self.start.elapsed());
        self.is_shown = show_progress(&line);
        let is_due = self.done * LINES / self.total > (self.done - 1) * LINES / self.total;
        if !self.is_shown && is_due {
            note(&line);
        }
    }

    /// Prints a message on a line of its own.
    pub fn note(&mut self, line: &str) {
        self.leave();
        note(line);
    }

    /// Ends the bar's line, if one is shown.
    fn leave(&mut self) {
        if std::mem::take(&mut self.is_shown) {
            note("");
        }
    }

    fn line(&self, elapsed: Duration) -> String {
        let (done, total) = (self.done, self.total);
        let filled = WIDTH * done / total.max(1);
        let made = done - self.earlier;
        let each = elapsed.as_secs_f64() / made.max(1) as f64;
        let left = span(each * (total - done) as f64);
        let (bar, rest) = ("#".repeat(filled), ".".repeat(WIDTH - filled));
        format!(
            "[{bar}{rest}] {done}/{total} attempts, {} of {made} right, {left} left",
            self.right
        )
    }
}

/// Later output begins on a line of its own.
impl Drop for EvalProgress {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Formats a time: `3 s`, `4 min`, `2 h 5 min`.
fn span(seconds: f64) -> String {
    let seconds = seconds.ceil() as u64;
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_based_on_this_runs_attempts() {
        let mut progress = EvalProgress::start(100, 50);
        (progress.done, progress.right) = (60, 9);
        let line = progress.line(Duration::from_secs(100));
        assert!(line.contains("] 60/100 attempts, 9 of 10 right, 6 min left"), "{line}");
        assert!(line.starts_with(&format!("[{}.", "#".repeat(6))), "{line}");
        progress = EvalProgress::start(99_999, 0);
        (progress.done, progress.right) = (10_000, 10_000);
        let line = progress.line(Duration::from_secs(100_000));
        assert!(line.len() < 80, "it fits a terminal: {line}");
    }

    #[test]
    fn times_have_units_that_suit_their_length() {
        assert_eq!(
            [0.0, 3.2, 119.0, 120.0, 7500.0].map(span),
            ["0 s", "4 s", "119 s", "2 min", "2 h 5 min"]
        );
    }
}
