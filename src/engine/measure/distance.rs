//! How far one model's predictions are from another's, summed over the tokens of a text.
//!
//! Perplexity is e to the mean negative log-likelihood of the text's own tokens; the
//! Kullback-Leibler divergence is that of the second model's distribution from the first's, the
//! mean over all tokens, in nats. Intervals are 95 %, from the spread over tokens.

/// A comparison of two models' predictions on one text.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The number of tokens scored.
    pub tokens: u64,
    /// The perplexity of the first and of the second model.
    pub perplexity: [f64; 2],
    /// The second perplexity divided by the first, and half the width of its interval.
    pub ratio: (f64, f64),
    /// The mean Kullback-Leibler divergence in nats, and half the width of its interval.
    pub divergence: (f64, f64),
    /// The divergence that 99 % of the tokens stay below, in nats.
    pub divergence_99: f64,
    /// The share of tokens for which both models rank the same token first, and half the width of
    /// its interval.
    pub same_top: (f64, f64),
}

/// Sums over the scored tokens.
#[derive(Debug, Default)]
pub(super) struct DivergenceSums {
    /// The negative log-likelihoods of the text's tokens, by model.
    losses: [Mean; 2],
    /// The second loss minus the first.
    difference: Mean,
    divergence: Mean,
    /// One per token: a text has at most 4 million.
    divergences: Vec<f32>,
    same_top: u64,
}

/// A mean and its interval.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    count: f64,
    sum: f64,
    squares: f64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        self.sum += value;
        self.squares += value * value;
    }

    /// Returns the mean and half the width of its interval.
    fn get(&self) -> (f64, f64) {
        let mean = self.sum / self.count;
        let variance = (self.squares / self.count - mean * mean).max(0.0);
        (mean, 1.96 * (variance / self.count).sqrt())
    }
}

impl DivergenceSums {
    /// Adds a token of the text, given both models' logits at its position.
    ///
    /// # Errors
    /// The index of the model whose logits contain NaN or infinity.
    pub(super) fn add(&mut self, logits: [&[f32]; 2], token: usize) -> Result<(), usize> {
        let scale = [log_sum(logits[0]).ok_or(0_usize)?, log_sum(logits[1]).ok_or(1_usize)?];
        let (mut divergence, mut tops) = (0.0, [0, 0]);
        for at in 0..logits[0].len() {
            let of = |which: usize| f64::from(logits[which][at]) - scale[which];
            let (first, second) = (of(0), of(1));
            // A token with probability 0 adds nothing, although its logarithm is infinite.
            divergence += if first > -700.0 { first.exp() * (first - second) } else { 0.0 };
            for (which, top) in tops.iter_mut().enumerate() {
                if logits[which][at] > logits[which][*top] {
                    *top = at;
                }
            }
        }
        let losses = [0, 1].map(|which| scale[which] - f64::from(logits[which][token]));
        self.losses.iter_mut().zip(losses).for_each(|(mean, loss)| mean.add(loss));
        self.difference.add(losses[1] - losses[0]);
        // Negative only by rounding.
        let divergence = divergence.max(0.0);
        self.divergence.add(divergence);
        self.divergences.push(divergence as f32);
        self.same_top += u64::from(tops[0] == tops[1]);
        Ok(())
    }

    /// Returns the means, or `None` if no token was added.
    pub(super) fn comparison(mut self) -> Option<Comparison> {
        self.divergences.sort_by(f32::total_cmp);
        let rank = self.divergences.len() * 99 / 100;
        let divergence_99 = f64::from(*self.divergences.get(rank)?);
        let (difference, error) = self.difference.get();
        let ratio = difference.exp();
        let tokens = self.divergences.len() as u64;
        let share = self.same_top as f64 / tokens as f64;
        Some(Comparison {
            tokens,
            perplexity: self.losses.map(|losses| losses.get().0.exp()),
            ratio: (ratio, ratio * error),
            divergence: self.divergence.get(),
            divergence_99,
            same_top: (share, 1.96 * (share * (1.0 - share) / tokens as f64).sqrt()),
        })
    }
}

/// Returns the logarithm of the sum of exponentials, or `None` if it is not finite.
fn log_sum(logits: &[f32]) -> Option<f64> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&x| f64::from(x - top).exp()).sum();
    let log = f64::from(top) + sum.ln();
    log.is_finite().then_some(log)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_equal_those_computed_by_hand() {
        let mut sums = DivergenceSums::default();
        // Probabilities 1/2, 1/4, 1/4 and 1/4, 1/2, 1/4: logits are their logarithms, shifted.
        let first = [0.5_f32, 0.25, 0.25].map(|p| p.ln() + 3.0);
        let second = [0.25_f32, 0.5, 0.25].map(|p| p.ln() - 7.0);
        sums.add([&first, &second], 0).unwrap();
        sums.add([&first, &first], 1).unwrap();
        let made = sums.comparison().unwrap();
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} is not {b}");
        near(made.perplexity[0], (2.0_f64 * 4.0).sqrt());
        near(made.perplexity[1], 4.0);
        near(made.ratio.0, 2.0_f64.sqrt());
        near(made.divergence.0, 0.25 * 2.0_f64.ln() / 2.0);
        near(made.divergence_99, 0.25 * 2.0_f64.ln());
        assert_eq!((made.tokens, made.same_top.0), (2, 0.5));
        assert_eq!(DivergenceSums::default().comparison(), None);
    }

    #[test]
    fn logits_that_are_not_finite_are_found() {
        let good = [0.0_f32, 1.0];
        for bad in [[f32::NAN, 0.0], [f32::INFINITY, 0.0]] {
            assert_eq!(DivergenceSums::default().add([&good, &bad], 0), Err(1));
            assert_eq!(DivergenceSums::default().add([&bad, &good], 0), Err(0));
        }
        // A token with probability 0 is valid.
        assert_eq!(DivergenceSums::default().add([&good, &[f32::NEG_INFINITY, 0.0]], 1), Ok(()));
    }
}
