//! What the desk has done since it was opened, in numbers that only grow, and how fast it is.
//!
//! The desk counts; doors show them. Buckets are cumulative where Prometheus wants them so; here
//! each counts its own.

use crate::types::answer::Outcome;
use crate::types::limits;

/// Upper bounds of the step times' buckets, in seconds; longer ones are in a last one of their own.
pub const STEP_SECONDS: [f64; 10] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The numbers.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Jobs taken, those of an earlier life of the box counted again.
    pub jobs_taken: u64,
    /// Jobs turned away because the line or the client's share was full.
    pub jobs_refused: u64,
    /// Jobs answered, by the model's own end or that of their budget.
    pub jobs_done: u64,
    /// Jobs stopped.
    pub jobs_stopped: u64,
    /// Jobs that could not be answered.
    pub jobs_failed: u64,
    /// Tokens of prompts computed.
    pub prompt_tokens: u64,
    /// Tokens drawn.
    pub drawn_tokens: u64,
    /// Steps by how long they took, by [`STEP_SECONDS`].
    pub steps: [u64; STEP_SECONDS.len() + 1],
    /// Seconds all steps took.
    pub step_seconds: f64,
    /// Tokens drawn and seconds of steps, fading.
    recent: (f64, f64),
}

impl Totals {
    /// Counts a step that drew so many tokens and computed so many of prompts.
    pub fn count_step(&mut self, seconds: f64, drawn: u32, prompt: u32) {
        let bucket = STEP_SECONDS.iter().position(|&most| seconds <= most);
        self.steps[bucket.unwrap_or(STEP_SECONDS.len())] += 1;
        self.step_seconds += seconds;
        self.drawn_tokens += u64::from(drawn);
        self.prompt_tokens += u64::from(prompt);
        let left = (-seconds / limits::SPEED_MEMORY_SECONDS).exp();
        self.recent = (self.recent.0 * left + f64::from(drawn), self.recent.1 * left + seconds);
    }

    /// Counts a job's end.
    pub fn count_job(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Done | Outcome::Budget => self.jobs_done += 1,
            Outcome::Stopped => self.jobs_stopped += 1,
            Outcome::Failed(_) => self.jobs_failed += 1,
        }
    }

    /// Returns how many tokens a second were drawn lately, all attempts together, while there was
    /// work; 0 before there was any.
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
