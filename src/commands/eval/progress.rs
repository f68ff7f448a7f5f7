//! Progress of an evaluation: a bar on a terminal, an occasional line otherwise.

use std::time::{Duration, Instant};

use crate::commands::{note, show_progress};

/// Width of the bar in characters.
const WIDTH: usize = 10;
/// Total number of lines printed if there is no terminal.
const LINES: usize = 10;

/// The tokens drawn in this run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Drawn {
    /// By the attempts that have ended.
    pub ended: u64,
    /// By all attempts, those under way included.
    pub all: u64,
}

/// The progress shown on standard error.
#[derive(Debug)]
pub struct EvalProgress {
    /// Number of attempts in total, and of those made by an earlier run.
    total: usize,
    earlier: usize,
    /// Most attempts that are under way at the same time.
    together: usize,
    done: usize,
    right: usize,
    drawn: Drawn,
    /// When the first attempt began, once the model was loaded.
    began: Option<Instant>,
    /// Whether the cursor is on the bar's line.
    is_shown: bool,
}

impl EvalProgress {
    /// Starts with `total` attempts, `earlier` of which an earlier run has made, and of which
    /// `together` are made at the same time.
    pub fn start(total: usize, earlier: usize, together: usize) -> EvalProgress {
        EvalProgress {
            total,
            earlier,
            together,
            done: earlier,
            right: 0,
            drawn: Drawn::default(),
            began: None,
            is_shown: false,
        }
    }

    /// Counts an attempt that took this many seconds and shows the progress.
    pub fn step(&mut self, is_right: bool, seconds: f64, drawn: Drawn) {
        let now = Instant::now();
        if self.began.is_none() && seconds > 0.0 {
            self.began = now.checked_sub(Duration::from_secs_f64(seconds));
        }
        self.done += 1;
        self.right += usize::from(is_right);
        self.drawn = drawn;
        let line = self.line(self.began.map_or(Duration::ZERO, |began| now - began));
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
        let (bar, rest) = ("#".repeat(filled), ".".repeat(WIDTH - filled));
        let left = self.seconds_left(elapsed.as_secs_f64());
        let left = left.map(|seconds| format!(", {} left", span(seconds))).unwrap_or_default();
        format!("[{bar}{rest}] {done}/{total} attempts, {} of {made} right{left}", self.right)
    }

    /// Returns the time left, from the speed so far and the mean length of the attempts that have
    /// ended; `None` before the first tokens.
    fn seconds_left(&self, elapsed: f64) -> Option<f64> {
        let (made, left) = (self.done - self.earlier, self.total - self.done);
        let mean = self.drawn.ended as f64 / made as f64;
        // Tokens of running attempts, at most the mean length for each.
        let under_way = self.drawn.all.saturating_sub(self.drawn.ended) as f64;
        let under_way = under_way.min(left.min(self.together) as f64 * mean);
        let speed = self.drawn.all as f64 / elapsed;
        let seconds = (left as f64 * mean - under_way) / speed;
        seconds.is_finite().then_some(seconds)
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
    fn the_time_left_follows_from_the_tokens_of_this_run() {
        let mut progress = EvalProgress::start(100, 50, 8);
        (progress.done, progress.right) = (60, 9);
        // 10 attempts of 20 tokens, and 8 that are half done: 2.8 tokens/s, 720 tokens left.
        progress.drawn = Drawn { ended: 200, all: 280 };
        let line = progress.line(Duration::from_secs(100));
        assert!(line.ends_with("] 60/100 attempts, 9 of 10 right, 4 min left"), "{line}");
        assert!(line.starts_with(&format!("[{}.", "#".repeat(6))), "{line}");
        progress.drawn.all = 2_000;
        let line = progress.line(Duration::from_secs(100));
        assert!(line.ends_with("32 s left"), "32 attempts of 20 tokens are not begun: {line}");
        progress.drawn = Drawn::default();
        assert!(progress.line(Duration::ZERO).ends_with("9 of 10 right"), "unknown");
    }

    #[test]
    fn the_line_fits_a_terminal() {
        let mut progress = EvalProgress::start(99_999, 0, 16);
        (progress.done, progress.right) = (10_000, 10_000);
        progress.drawn = Drawn { ended: 1_000, all: 1_000 };
        let line = progress.line(Duration::from_secs(100_000));
        assert!(line.contains(" h ") && line.len() < 80, "{line}");
    }

    #[test]
    fn times_have_units_that_suit_their_length() {
        assert_eq!(
            [0.0, 3.2, 119.0, 120.0, 7500.0].map(span),
            ["0 s", "4 s", "119 s", "2 min", "2 h 5 min"]
        );
    }
}
