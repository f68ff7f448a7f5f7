//! The distribution of attempt lengths in one mode, and of the length of an attempt that has come
//! this far.
//!
//! `estimate` has one for each mode. Attempts that were cut off (by their budget, a vote, a person)
//! are included as censored observations, because leaving them out would make all attempts look
//! short: E. L. Kaplan and P. Meier, "Nonparametric estimation from incomplete observations"
//! (1958). Their estimator fits any shape of distribution.

use std::collections::VecDeque;

use crate::types::limits;

/// Whether the length of an attempt is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LengthKind {
    /// The attempt ended by itself.
    Complete,
    /// The attempt was cut off, and would have become longer.
    CutOff,
}

/// The prior: eight equally likely lengths, as multiples of the mode's usual length. They are the
/// middles of the eighths of a log-normal distribution whose median is that length and whose
/// logarithm has a standard deviation of 1, which is wide.
const UNKNOWN: [f64; 8] = [0.216, 0.412, 0.612, 0.856, 1.168, 1.632, 2.428, 4.0];

/// Lengths of the latest attempts in one mode.
#[derive(Clone, Debug)]
pub struct Lengths {
    seen: VecDeque<(u32, LengthKind)>,
    usual_tokens: u32,
}

impl Lengths {
    /// Begins with the prior of a mode whose attempts have this median length.
    pub fn new(usual_tokens: u32) -> Lengths {
        Lengths { seen: VecDeque::new(), usual_tokens }
    }

    /// Learns the length of an attempt.
    pub fn learn(&mut self, tokens: u32, end: LengthKind) {
        if self.seen.len() == limits::LENGTHS_KEPT {
            self.seen.pop_front();
        }
        self.seen.push_back((tokens, end));
    }

    /// Returns the distribution of lengths. The prior counts as one more attempt, so that lengths
    /// which were not seen yet stay possible.
    pub fn spread(&self) -> Spread {
        let share = 1.0 / UNKNOWN.len() as f64;
        let assumed =
            UNKNOWN.map(|part| (part * f64::from(self.usual_tokens), LengthKind::Complete, share));
        let seen = self.seen.iter().map(|&(tokens, end)| (f64::from(tokens), end, 1.0));
        let mut all: Vec<(f64, LengthKind, f64)> = assumed.into_iter().chain(seen).collect();
        all.sort_by(|(a, a_end, _), (b, b_end, _)| a.total_cmp(b).then(a_end.cmp(b_end)));
        let mut at_risk: f64 = all.iter().map(|(.., weight)| weight).sum();
        let (mut longer, mut steps) = (1.0, vec![(0.0, 1.0)]);
        for (tokens, end, weight) in all {
            if end == LengthKind::Complete {
                longer *= 1.0 - (weight / at_risk).min(1.0);
                steps.push((tokens, longer));
            }
            at_risk -= weight;
        }
        Spread { steps }
    }
}

/// A distribution of lengths: the share of attempts that get longer than each length.
#[derive(Debug)]
pub struct Spread {
    /// Tokens, rising from 0, and the share of attempts that get longer, falling from 1; linear in
    /// between.
    steps: Vec<(f64, f64)>,
}

impl Spread {
    /// Returns the length that an attempt of `had` tokens so far exceeds with probability `chance`,
    /// above 0 and up to 1: at least one token more. Beyond all known lengths it is twice `had`.
    pub fn length(&self, had: u32, chance: f64) -> f64 {
        let had = f64::from(had);
        let wanted = self.longer_than(had) * chance;
        let next = self.steps.iter().position(|&(_, longer)| longer < wanted);
        let length = match next {
            // The first step is 1, which `wanted` never exceeds.
            Some(at) if wanted > 0.0 => {
                let ((low, above), (high, below)) = (self.steps[at - 1], self.steps[at]);
                low + (high - low) * (above - wanted) / (above - below)
            }
            _ => (2.0 * had).max(self.steps.last().map_or(0.0, |&(tokens, _)| tokens)),
        };
        length.max(had + 1.0)
    }

    fn longer_than(&self, had: f64) -> f64 {
        let Some(at) = self.steps.iter().position(|&(tokens, _)| tokens > had) else { return 0.0 };
        let ((low, above), (high, below)) = (self.steps[at - 1], self.steps[at]);
        above - (above - below) * (had - low) / (high - low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantiles(lengths: &Lengths, had: u32) -> [f64; 3] {
        let spread = lengths.spread();
        [0.9, 0.5, 0.1].map(|chance| spread.length(had, chance))
    }

    #[test]
    fn before_anything_is_known_the_usual_length_says_how_long_and_not_exactly() {
        let [low, median, high] = quantiles(&Lengths::new(8_192), 0);
        assert!((1_000.0..3_000.0).contains(&low), "{low}");
        assert!((6_000.0..9_000.0).contains(&median), "{median}");
        assert!((18_000.0..32_768.0).contains(&high), "{high}");
    }

    #[test]
    fn what_was_seen_soon_counts_more_than_what_was_assumed() {
        let mut lengths = Lengths::new(8_192);
        for tokens in 0..20 {
            lengths.learn(90 + tokens, LengthKind::Complete);
        }
        let [low, median, high] = quantiles(&lengths, 0);
        assert!(
            low > 80.0 && (95.0..106.0).contains(&median) && high < 115.0,
            "{low} {median} {high}"
        );
    }

    #[test]
    fn an_attempt_that_lasts_is_one_of_the_long_ones() {
        let mut lengths = Lengths::new(2_048);
        for _ in 0..50 {
            lengths.learn(100, LengthKind::Complete);
            lengths.learn(2_000, LengthKind::Complete);
        }
        // The mean is 1,050, and what is left of it at 1,500 tokens would be nothing.
        let [low, median, high] = quantiles(&lengths, 1_500);
        assert!(low > 1_500.0 && median > 1_750.0 && high <= 2_000.0, "{low} {median} {high}");
        // Past everything seen, what was assumed before goes on.
        assert!(quantiles(&lengths, 2_500)[1] > 3_000.0);
        assert_eq!(quantiles(&lengths, 8_192), [16_384.0; 3]);
    }

    #[test]
    fn those_cut_off_do_not_make_all_look_short() {
        let mut lengths = Lengths::new(1_024);
        for tokens in 1..=100 {
            lengths.learn(10 * tokens, LengthKind::Complete);
            lengths.learn(500, LengthKind::CutOff);
        }
        let [_, median, high] = quantiles(&lengths, 0);
        // Of all 200 half ended before 1,000, but of those that were let go on a tenth past 900.
        assert!((480.0..850.0).contains(&median) && high > 850.0, "{median} {high}");
    }

    #[test]
    fn only_the_latest_are_remembered() {
        let mut lengths = Lengths::new(250);
        (0..limits::LENGTHS_KEPT).for_each(|_| lengths.learn(10, LengthKind::Complete));
        (0..limits::LENGTHS_KEPT).for_each(|_| lengths.learn(500, LengthKind::Complete));
        assert!(quantiles(&lengths, 0)[0] > 10.0);
        assert_eq!(lengths.seen.len(), limits::LENGTHS_KEPT);
    }
}
