//! Counters of the work done since the desk was opened, and the current speed.
//!
//! The desk's state counts, doors show the counters. Each bucket counts its own steps; Prometheus's
//! cumulative form is made in `http/figures`.

use crate::types::answer::Outcome;
use crate::types::limits;

/// Upper bounds of the buckets of step times, in seconds; longer steps are in one more bucket.
pub const STEP_SECONDS: [f64; 10] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Counters since the desk was opened.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Jobs accepted, including those restored after a restart.
    pub jobs_taken: u64,
    /// Jobs rejected because the queue was full or the client had its maximum.
    pub jobs_refused: u64,
    /// Jobs answered, including those whose budget ran out.
    pub jobs_done: u64,
    /// Jobs that were stopped.
    pub jobs_stopped: u64,
    /// Jobs that could not be answered.
    pub jobs_failed: u64,
    /// Prompt tokens of all decoded batches.
    pub prompt_tokens: u64,
    /// Tokens drawn by all attempts.
    pub drawn_tokens: u64,
    /// Steps by their duration, in the buckets of [`STEP_SECONDS`].
    pub steps: [u64; STEP_SECONDS.len() + 1],
    /// Seconds that all steps took.
    pub step_seconds: f64,
    /// Tokens drawn and seconds of steps, decaying with time.
    recent: (f64, f64),
}

impl Totals {
    /// Counts a step that drew `drawn` tokens and decoded `prompt` prompt tokens.
    pub fn count_step(&mut self, seconds: f64, drawn: u32, prompt: u32) {
        let bucket = STEP_SECONDS.iter().position(|&most| seconds <= most);
        self.steps[bucket.unwrap_or(STEP_SECONDS.len())] += 1;
        self.step_seconds += seconds;
        self.drawn_tokens += u64::from(drawn);
        self.prompt_tokens += u64::from(prompt);
        let left = (-seconds / limits::SPEED_MEMORY_SECONDS).exp();
        self.recent = (self.recent.0 * left + f64::from(drawn), self.recent.1 * left + seconds);
    }

    /// Counts the end of a job.
    pub fn count_job(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Done | Outcome::Budget => self.jobs_done += 1,
            Outcome::Stopped => self.jobs_stopped += 1,
            Outcome::Failed(_) => self.jobs_failed += 1,
        }
    }

    /// Returns the recent speed of all attempts together while there was work, in tokens per
    /// second; 0 before the first.
    pub fn tokens_per_second(&self) -> f64 {
        if self.recent.1 > 0.0 { self.recent.0 / self.recent.1 } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_counted_in_the_bucket_of_their_time() {
        let mut totals = Totals::default();
        for seconds in [0.005, 0.01, 0.3, 99.0] {
            totals.count_step(seconds, 2, 1);
        }
        assert_eq!((totals.steps[0], totals.steps[5], totals.steps[10]), (2, 1, 1));
        assert_eq!((totals.drawn_tokens, totals.prompt_tokens), (8, 4));
    }

    #[test]
    fn the_speed_is_that_of_lately() {
        let mut totals = Totals::default();
        assert_eq!(totals.tokens_per_second(), 0.0);
        (0..1_000).for_each(|_| totals.count_step(0.1, 1, 0));
        assert!((totals.tokens_per_second() - 10.0).abs() < 1e-6);
        (0..1_500).for_each(|_| totals.count_step(0.1, 4, 0));
        assert!((totals.tokens_per_second() - 40.0).abs() < 1.0);
    }
}
