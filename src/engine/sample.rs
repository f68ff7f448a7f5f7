//! Draws the next token from a row of logits, with the sampling settings of the mode.
//!
//! The order is: banned tokens and repetition penalty, temperature, top-k, top-p, min-p, then one
//! draw. It is that of the published evaluations (Hugging Face transformers, vLLM); llama.cpp's own
//! chain applies the temperature last, which gives another distribution unless it is 1. Each draw
//! uses exactly one random number, so a seed and a number of tokens determine the state.
//!
//! As little as possible is sorted: top-p sums the probabilities in bins and sorts only the bin
//! that contains its limit; top-k selects. Sorting 151,936 tokens of a flat distribution takes
//! longer than a quarter of a pass over the weights.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::draws::RunnerUp;
use crate::types::answer::Token;
use crate::types::error::{Error, Kind};
use crate::types::limits;
use crate::types::mode::Sampling;
use crate::types::plan::Plan;

/// Draws tokens for one attempt.
pub(crate) struct Sampler {
    sampling: Sampling,
    random: ChaCha8Rng,
    recent: VecDeque<Token>,
    banned: Arc<[Token]>,
}

/// Buffers shared by all samplers of a thread: 20 bytes per token of the vocabulary.
#[derive(Default)]
pub(crate) struct Scratch {
    adjusted: Vec<f32>,
    candidates: Vec<Candidate>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Candidate {
    token: Token,
    /// Probability relative to the most likely token.
    weight: f64,
}

/// A logit is NaN or infinite: the model or the kernels are broken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotANumber;

impl Sampler {
    /// Makes a sampler; `banned` tokens are never drawn.
    pub(crate) fn new(sampling: Sampling, seed: u64, banned: impl Into<Arc<[Token]>>) -> Sampler {
        let random = ChaCha8Rng::seed_from_u64(seed);
        Sampler { sampling, random, recent: VecDeque::new(), banned: banned.into() }
    }

    /// Records a token of the text, prompt included, for the repetition penalty.
    pub(crate) fn record(&mut self, token: Token) {
        if self.sampling.repetition_penalty != 1.0 {
            self.recent.push_back(token);
            if self.recent.len() > limits::PENALTY_WINDOW_TOKENS {
                self.recent.pop_front();
            }
        }
    }

    /// Draws a token from `logits`, one finite value for each token of the vocabulary.
    ///
    /// # Errors
    /// [`NotANumber`] if any logit is NaN or +∞, or none is finite.
    pub(crate) fn draw(
        &mut self,
        logits: &[f32],
        scratch: &mut Scratch,
    ) -> Result<Token, NotANumber> {
        let Scratch { adjusted, candidates } = scratch;
        self.draw_from(self.adjusted(logits, adjusted), candidates)
    }

    /// Returns the second likeliest token after `first`, which was just drawn from `logits`; `None`
    /// unless the temperature is 0. Searches the whole vocabulary again.
    pub(crate) fn runner_up(
        &self,
        logits: &[f32],
        first: Token,
        scratch: &mut Scratch,
    ) -> Option<RunnerUp> {
        if self.sampling.temperature != 0.0 {
            return None;
        }
        let logits = self.adjusted(logits, &mut scratch.adjusted);
        let others = (0..).map(Token).zip(logits).filter(|&(token, _)| token != first);
        let (token, second) = others.max_by(|a, b| a.1.total_cmp(b.1))?;
        Some(RunnerUp { token, behind: logits[first.index()] - second })
    }

    /// Skips the random number of a token that was drawn before a restart.
    pub(crate) fn skip(&mut self) {
        if self.sampling.temperature != 0.0 {
            self.random.next_u64();
        }
    }

    /// Returns the logits with penalty and bans applied; uses `buffer` if there are any.
    fn adjusted<'l>(&self, logits: &'l [f32], buffer: &'l mut Vec<f32>) -> &'l [f32] {
        if self.recent.is_empty() && self.banned.is_empty() {
            return logits;
        }
        buffer.clear();
        buffer.extend_from_slice(logits);
        self.adjust(buffer);
        buffer
    }

    fn adjust(&self, logits: &mut [f32]) {
        let penalty = self.sampling.repetition_penalty;
        let mut seen: Vec<Token> = self.recent.iter().copied().collect();
        seen.sort_unstable();
        seen.dedup();
        for token in seen {
            if let Some(logit) = logits.get_mut(token.index()) {
                *logit = if *logit > 0.0 { *logit / penalty } else { *logit * penalty };
            }
        }
        for &token in self.banned.iter() {
            if let Some(logit) = logits.get_mut(token.index()) {
                *logit = f32::NEG_INFINITY;
            }
        }
    }

    fn draw_from(
        &mut self,
        logits: &[f32],
        candidates: &mut Vec<Candidate>,
    ) -> Result<Token, NotANumber> {
        let max = highest(logits)?;
        if self.sampling.temperature == 0.0 {
            // The first of equals, like llama.cpp's greedy sampler.
            let first = logits.iter().position(|&logit| logit == max);
            return Ok(Token::at(first.expect("the highest logit is one of them")));
        }
        // Below about 1e-4 all other weights underflow, which is greedy without a division by 0.
        let scale = 1.0 / self.sampling.temperature.max(1e-4);
        let uniform = (self.random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        choose_candidates(&self.sampling, logits, max, scale, candidates);
        let total: f64 = candidates.iter().map(|c| c.weight).sum();
        let mut left = uniform * total;
        for candidate in candidates.iter() {
            left -= candidate.weight;
            if left < 0.0 {
                return Ok(candidate.token);
            }
        }
        // A remainder left by rounding belongs to the last candidate.
        Ok(candidates.last().expect("the most likely token is always a candidate").token)
    }
}

/// Fills `candidates` with the tokens that top-k, top-p and min-p leave, in any order.
fn choose_candidates(
    sampling: &Sampling,
    logits: &[f32],
    max: f32,
    scale: f32,
    candidates: &mut Vec<Candidate>,
) {
    let &Sampling { top_p, top_k, min_p, .. } = sampling;
    candidates.clear();
    if top_k == 0 && top_p < 1.0 {
        nucleus(logits, max, scale, f64::from(top_p), candidates);
    } else {
        gather(logits, max, scale, |_| true, candidates);
    }
    if top_k > 0 {
        let most = top_k as usize;
        if most < candidates.len() {
            candidates.select_nth_unstable_by(most, by_likelihood);
            candidates.truncate(most);
        }
        if top_p < 1.0 {
            let kept: f64 = candidates.iter().map(|c| c.weight).sum();
            candidates.sort_unstable_by(by_likelihood);
            truncate_at(candidates, kept * f64::from(top_p));
        }
    }
    candidates.retain(|c| c.weight >= f64::from(min_p));
}

/// Orders candidates by descending probability, then by token.
fn by_likelihood(a: &Candidate, b: &Candidate) -> Ordering {
    b.weight.total_cmp(&a.weight).then(a.token.cmp(&b.token))
}

/// Bins per factor of e between the probability of a token and that of the likeliest one.
const BINS_PER_E: f32 = 32.0;
/// The number of bins; the last one includes everything less likely than e⁻³².
const BINS: usize = 1024;

/// Adds to `candidates` the likeliest tokens whose probabilities sum to `top_p`, at least one.
fn nucleus(logits: &[f32], max: f32, scale: f32, top_p: f64, candidates: &mut Vec<Candidate>) {
    let bin = |logit: f32| (((max - logit) * scale * BINS_PER_E) as usize).min(BINS - 1);
    let mut masses = [0.0_f64; BINS];
    for &logit in logits {
        masses[bin(logit)] += weight(logit, max, scale);
    }
    let mut left = masses.iter().sum::<f64>() * top_p;
    // The bin that contains the limit; all bins before it are included completely.
    let mut edge = 0;
    while edge + 1 < BINS && left > masses[edge] {
        left -= masses[edge];
        edge += 1;
    }
    gather(logits, max, scale, |logit| bin(logit) == edge, candidates);
    candidates.sort_unstable_by(by_likelihood);
    truncate_at(candidates, left);
    gather(logits, max, scale, |logit| bin(logit) < edge, candidates);
}

/// Returns the probability of a token relative to that of the likeliest one.
fn weight(logit: f32, max: f32, scale: f32) -> f64 {
    f64::from(((logit - max) * scale).exp())
}

/// Returns the natural logarithm of the probability of `token` at temperature 1 without any filter;
/// at most 0.
pub(crate) fn log_probability(logits: &[f32], token: Token) -> f64 {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&logit| f64::from((logit - max).exp())).sum();
    let logit = logits.get(token.index()).copied().unwrap_or(f32::NEG_INFINITY);
    f64::from(logit - max) - sum.ln()
}

/// Returns the highest logit.
///
/// # Errors
/// [`NotANumber`] if any logit is NaN or +∞, or none is finite.
fn highest(logits: &[f32]) -> Result<f32, NotANumber> {
    // Eight maxima in parallel, which the compiler vectorises; NaN never wins a comparison, so it
    // is detected separately.
    let mut max = [f32::NEG_INFINITY; 8];
    let mut nan = [false; 8];
    let mut compare = |lane: usize, x: f32| {
        max[lane] = if x > max[lane] { x } else { max[lane] };
        nan[lane] |= x.is_nan();
    };
    let chunks = logits.chunks_exact(8);
    chunks.remainder().iter().for_each(|&x| compare(0, x));
    for chunk in chunks {
        (0..8).for_each(|lane| compare(lane, chunk[lane]));
    }
    let max = max.into_iter().fold(f32::NEG_INFINITY, f32::max);
    if nan.contains(&true) || !max.is_finite() { Err(NotANumber) } else { Ok(max) }
}

/// Adds the tokens whose logit satisfies `which` and is not -∞.
fn gather(
    logits: &[f32],
    max: f32,
    scale: f32,
    which: impl Fn(f32) -> bool,
    candidates: &mut Vec<Candidate>,
) {
    for (token, &logit) in logits.iter().enumerate() {
        if logit > f32::NEG_INFINITY && which(logit) {
            let weight = weight(logit, max, scale);
            candidates.push(Candidate { token: Token::at(token), weight });
        }
    }
}

/// Keeps the shortest prefix whose weights reach `mass`, at least one candidate.
fn truncate_at(candidates: &mut Vec<Candidate>, mass: f64) {
    let mut sum = 0.0;
    let end = candidates.iter().position(|c| {
        sum += c.weight;
        sum >= mass
    });
    candidates.truncate(end.map_or(candidates.len(), |end| end + 1));
}

/// Returns the error for logits that are NaN or infinite.
pub(crate) fn not_a_number(plan: &Plan) -> Error {
    Error::new(
        Kind::BadModel,
        format!("{} computed values that are not numbers", plan.model),
        "The model file is damaged or unsuitable for these kernels: use another file.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFF: Sampling =
        Sampling { temperature: 1.0, top_p: 1.0, top_k: 0, min_p: 0.0, repetition_penalty: 1.0 };

    fn draw(sampler: &mut Sampler, logits: &[f32]) -> Result<Token, NotANumber> {
        sampler.draw(logits, &mut Scratch::default())
    }

    fn random_logits(seed: u64, n: usize) -> Vec<f32> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        (0..n).map(|_| (random.next_u32() % 40_000) as f32 / 1_000.0 - 20.0).collect()
    }

    /// Computes the distribution of the settings the simple way: sorts everything.
    fn reference(logits: &[f32], sampling: Sampling) -> Vec<f64> {
        let scaled = |l: f32| f64::from(l) / f64::from(sampling.temperature);
        let max = logits.iter().map(|&l| scaled(l)).fold(f64::MIN, f64::max);
        let mut all: Vec<(usize, f64)> =
            logits.iter().map(|&l| (scaled(l) - max).exp()).enumerate().collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        if sampling.top_k > 0 {
            all.truncate(sampling.top_k as usize);
        }
        let total: f64 = all.iter().map(|x| x.1).sum();
        let (mut kept, mut sum) = (Vec::new(), 0.0);
        for (token, p) in all {
            let enough = sampling.top_p < 1.0 && sum / total >= f64::from(sampling.top_p);
            if enough && !kept.is_empty() {
                break;
            }
            sum += p;
            kept.push((token, p));
        }
        kept.retain(|&(_, p)| p >= f64::from(sampling.min_p));
        let total: f64 = kept.iter().map(|x| x.1).sum();
        let mut probabilities = vec![0.0; logits.len()];
        kept.iter().for_each(|&(token, p)| probabilities[token] = p / total);
        probabilities
    }

    #[test]
    fn candidates_and_their_weights_equal_the_sorted_reference() {
        for seed in 0..200 {
            let logits = random_logits(seed, 700);
            let pick = |options: &[f32]| options[seed as usize % options.len()];
            let sampling = Sampling {
                temperature: pick(&[0.2, 0.6, 1.0, 1.7, 4.0]),
                top_p: pick(&[0.3, 0.95, 1.0, 0.0]),
                top_k: pick(&[0.0, 1.0, 40.0, 0.0]) as u32,
                min_p: pick(&[0.0, 0.05]),
                repetition_penalty: 1.0,
            };
            let mut candidates = Vec::new();
            let max = highest(&logits).unwrap();
            let scale = 1.0 / sampling.temperature;
            choose_candidates(&sampling, &logits, max, scale, &mut candidates);
            let expected = reference(&logits, sampling);
            let total: f64 = candidates.iter().map(|c| c.weight).sum();
            let support = expected.iter().filter(|&&p| p > 0.0).count();
            assert_eq!(candidates.len(), support, "{seed} {sampling:?}");
            for c in &candidates {
                let wanted = expected[c.token.index()];
                assert!((c.weight / total - wanted).abs() < 1e-5, "{seed} {sampling:?} {c:?}");
            }
        }
    }

    #[test]
    fn draws_follow_the_distribution() {
        let logits = [2.0, 1.0, 0.0, -1.0, -3.0, 0.5];
        let sampling = Sampling { temperature: 0.8, top_p: 0.95, ..OFF };
        let expected = reference(&logits, sampling);
        let mut sampler = Sampler::new(sampling, 42, []);
        let (n, mut counts) = (40_000, [0_u32; 6]);
        (0..n).for_each(|_| counts[draw(&mut sampler, &logits).unwrap().index()] += 1);
        let chi2: f64 = (0..6)
            .filter(|&i| expected[i] > 0.0)
            .map(|i| {
                let want = expected[i] * f64::from(n);
                (f64::from(counts[i]) - want).powi(2) / want
            })
            .sum();
        // 4 degrees of freedom at most: 23.5 is the 0.9999 quantile. The seed is fixed.
        assert!(chi2 < 23.5, "{chi2} {counts:?}");
        assert!((0..6).all(|i| expected[i] > 0.0 || counts[i] == 0), "{counts:?}");
    }

    #[test]
    fn greedy_draws_the_first_of_the_highest_and_a_seed_repeats_its_draws() {
        let mut greedy = Sampler::new(Sampling { temperature: 0.0, ..OFF }, 1, []);
        assert_eq!(draw(&mut greedy, &[0.0, 3.0, 3.0, -1.0]), Ok(Token(1)));
        let logits = random_logits(3, 50);
        let draws = |seed| {
            let mut sampler = Sampler::new(OFF, seed, []);
            (0..32).map(|_| draw(&mut sampler, &logits).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(draws(5), draws(5));
        assert_ne!(draws(5), draws(6));
    }

    #[test]
    fn banned_tokens_are_never_drawn_and_penalised_ones_less_often() {
        let mut sampler = Sampler::new(OFF, 1, [Token(0)]);
        assert!((0..2_000).all(|_| draw(&mut sampler, &[9.0, 0.0, 0.0]).unwrap() != Token(0)));
        let sampling = Sampling { repetition_penalty: 2.0, temperature: 0.0, ..OFF };
        let mut sampler = Sampler::new(sampling, 1, []);
        assert_eq!(draw(&mut sampler, &[3.0, 2.0, -1.0]), Ok(Token(0)));
        sampler.record(Token(0));
        assert_eq!(draw(&mut sampler, &[3.0, 2.0, -1.0]), Ok(Token(1)));
    }

    #[test]
    fn logits_that_are_not_numbers_are_an_error() {
        let (inf, nan) = (f32::INFINITY, f32::NAN);
        for logits in [&[1.0, nan][..], &[nan, 1.0], &[inf, 0.0], &[-inf, -inf], &[]] {
            for temperature in [0.0, 1.0] {
                let mut sampler = Sampler::new(Sampling { temperature, ..OFF }, 1, []);
                assert_eq!(draw(&mut sampler, logits), Err(NotANumber));
            }
        }
    }
}
