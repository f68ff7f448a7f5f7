//! The cost of a pass over the weights by its number of tokens, measured on this machine during
//! operation, and the decisions that follow: how many drafted tokens pay, and how much of a prompt
//! fits.
//!
//! `batch_builder` records each pass here and asks before it builds the next batch. Texts and
//! tokens are unknown here; the probabilities of guesses come from `draft`.
//!
//! The cost is a staircase. Repacked kernels multiply four tokens at once and repeat their
//! single-token kernel for the rest (ggml's repack.cpp), so 2 or 3 tokens may cost more than 4;
//! other kernels have no such gap. If arithmetic instead of memory is the limit (`armv8.0`), each
//! token costs as much as the first, and no draft pays. Only the four is built in.

#[cfg(test)]
mod tests;

use super::draft::Guess;
use crate::types::limits;

/// Tokens the kernels multiply at once.
const TILE: usize = 4;
/// Up to this many tokens each size is measured by itself, above it only each tile.
const SINGLE_SIZES: usize = 16;
const SIZES: usize = SINGLE_SIZES + (limits::UBATCH_TOKENS as usize - SINGLE_SIZES) / TILE;

/// A size is known after this many measurements; the least of three is reliable.
const KNOWN_TIMES: u32 = 3;
/// A size that was not measured for this many passes is tried again if it might pay.
const KNOWN_PASSES: u64 = 1_024;
/// The largest factor by which one measurement counts, because other programs may have interfered.
const SURPRISE: f64 = 1.5;
/// The learning rate of the whole curve: for a longer context, a warmer CPU, other programs.
const LEVEL_RATE: f64 = 1.0 / 8.0;
/// The learning rate of a single size.
const SIZE_RATE: f64 = 1.0 / 16.0;
/// The factor by which drafts or padding must promise to be better; noise changes a ratio by as
/// much.
const MARGIN: f64 = 1.05;
/// Prompt tokens in the first step, before any measurement.
const FIRST_SLICE_TOKENS: usize = 16;

/// The cost of a pass by its number of tokens.
///
/// Stored as a curve and a level that scales all of it, so that rarely measured sizes remain
/// comparable with frequent ones.
pub(crate) struct StepCost {
    sizes: [Size; SIZES],
    level: f64,
    passes: u64,
}

#[derive(Clone, Copy, Default)]
struct Size {
    /// Seconds of a pass at level 1.
    seconds: f64,
    times: u32,
    /// The number of the pass in which it was last measured.
    last_pass: u64,
}

impl StepCost {
    /// Starts without measurements.
    pub(crate) fn new() -> StepCost {
        StepCost { sizes: [Size::default(); SIZES], level: 1.0, passes: 0 }
    }

    /// Records the duration of a pass of `tokens` tokens, 1 to [`limits::UBATCH_TOKENS`].
    ///
    /// A token whose logits are not wanted skips the head, a fifth of VibeThinker's weights. So a
    /// pass of up to 16 tokens should only be recorded if most of them had logits.
    pub(crate) fn record(&mut self, tokens: usize, seconds: f64) {
        if tokens == 0 || !seconds.is_finite() || seconds <= 0.0 {
            return;
        }
        self.passes += 1;
        let level = self.level;
        let size = &mut self.sizes[size_index(tokens)];
        let at_level = seconds / level;
        let was_known = size.is_known(self.passes);
        size.last_pass = self.passes;
        size.times = size.times.saturating_add(1);
        if !was_known {
            let first = size.times == 1;
            size.seconds = if first { at_level } else { size.seconds.min(at_level) };
            return;
        }
        let surprise = (at_level / size.seconds).clamp(1.0 / SURPRISE, SURPRISE);
        size.seconds *= surprise.powf(SIZE_RATE);
        self.level *= surprise.powf(LEVEL_RATE);
    }

    /// Returns the expected seconds of a pass of `tokens` tokens; `None` before any measurement.
    ///
    /// An unknown size is interpolated between its measured neighbours, but costs at most what its
    /// tokens would cost in passes of a smaller multiple of four, so that one bad measurement does
    /// not rule a size out.
    pub(crate) fn seconds(&self, tokens: usize) -> Option<f64> {
        if let Some(seconds) = self.known(tokens) {
            return Some(seconds);
        }
        let here = size_index(tokens);
        let tokens = tokens_at(here);
        let measured = |at: &usize| self.sizes[*at].times > 0;
        let point = |at: usize| (tokens_at(at), self.sizes[at].seconds * self.level);
        let below = (0..here).rev().find(measured).map(point);
        let above = (here..SIZES).find(measured).map(point);
        let line = match (below, above) {
            (Some((left, from)), Some((right, to))) => {
                from + (to - from) * (tokens - left) as f64 / (right - left) as f64
            }
            (Some((at, seconds)), None) => seconds * tokens as f64 / at as f64,
            (None, Some((_, seconds))) => seconds,
            (None, None) => return None,
        };
        let full = tokens.next_multiple_of(TILE) as f64;
        let tiles = (0..here).filter(measured).map(point).filter(|(at, _)| at.is_multiple_of(TILE));
        Some(tiles.map(|(at, seconds)| seconds / at as f64 * full).fold(line, f64::min))
    }

    /// Chooses how many of each attempt's guesses join a pass that has `base` tokens without them:
    /// the number with the most expected tokens per second, at most `most` in total.
    ///
    /// An unknown size is assumed to cost as much as the next smaller multiple of four, so that it
    /// is tried until it is known. Nothing else is tried.
    pub(crate) fn choose(&self, base: usize, guesses: &[Vec<Guess>], most: usize) -> Vec<usize> {
        let mut chosen = vec![0; guesses.len()];
        let Some(alone) = self.known(base) else { return chosen };
        // An attempt's chances decrease, so sorting by them keeps the order of its own guesses.
        let mut all: Vec<(f32, usize)> = (guesses.iter().enumerate())
            .flat_map(|(attempt, guesses)| guesses.iter().map(move |guess| (guess.chance, attempt)))
            .collect();
        all.sort_by(|left, right| right.0.total_cmp(&left.0));
        all.truncate(most);
        let (mut expected, mut best, mut drafted) = (0.0, base as f64 / alone * MARGIN, 0);
        for (at, (chance, _)) in all.iter().enumerate() {
            expected += f64::from(*chance);
            let rate = (base as f64 + expected) / self.assumed(base + at + 1, base, alone);
            if rate > best {
                (best, drafted) = (rate, at + 1);
            }
        }
        all[..drafted].iter().for_each(|(_, attempt)| chosen[*attempt] += 1);
        chosen
    }

    /// Returns the number of tokens to pad a pass to: the next multiple of four if that is cheaper
    /// or unknown.
    pub(crate) fn pad(&self, tokens: usize) -> usize {
        let full = tokens.next_multiple_of(TILE);
        if full == tokens || full > SINGLE_SIZES {
            return tokens;
        }
        match (self.known(tokens), self.known(full)) {
            (Some(bare), Some(padded)) if padded * MARGIN < bare => full,
            (Some(_), None) => full,
            _ => tokens,
        }
    }

    /// Returns how many of `most` waiting prompt tokens join `decoding` others, so that the pass
    /// takes at most `step_seconds` and is a multiple of four; at least about four, because prefill
    /// must progress at any cost.
    pub(crate) fn prefill_tokens(&self, decoding: usize, step_seconds: f64, most: usize) -> usize {
        let least = (decoding + TILE).next_multiple_of(TILE);
        let end = (decoding + most).next_multiple_of(TILE).min(limits::UBATCH_TOKENS as usize);
        let fits = |total: &usize| match self.seconds(*total) {
            Some(seconds) => seconds <= step_seconds,
            None => *total <= (decoding + FIRST_SLICE_TOKENS).next_multiple_of(TILE),
        };
        let mut totals = (least / TILE..=end / TILE).rev().map(|tiles| tiles * TILE);
        let total = totals.find(fits).unwrap_or(least);
        (total - decoding).min(most)
    }

    fn known(&self, tokens: usize) -> Option<f64> {
        let size = &self.sizes[size_index(tokens)];
        size.is_known(self.passes + 1).then_some(size.seconds * self.level)
    }

    /// Returns the seconds of a pass with drafts; for an unknown size, the least it can cost.
    fn assumed(&self, tokens: usize, base: usize, alone: f64) -> f64 {
        let full = tokens.next_multiple_of(TILE);
        // Padded to the multiple of four it may be cheaper; see `pad`.
        match (self.known(tokens), self.known(full)) {
            (Some(bare), Some(padded)) => bare.min(padded),
            (Some(seconds), None) | (None, Some(seconds)) => seconds,
            // One step of the staircase at a time.
            (None, None) if full - TILE > base => self.known(full - TILE).unwrap_or(f64::INFINITY),
            (None, None) => alone,
        }
    }
}

impl Size {
    fn is_known(&self, pass: u64) -> bool {
        self.times >= KNOWN_TIMES && pass - self.last_pass <= KNOWN_PASSES
    }
}

/// Returns the index of the size that stands for this many tokens.
fn size_index(tokens: usize) -> usize {
    let tokens = tokens.clamp(1, limits::UBATCH_TOKENS as usize);
    if tokens <= SINGLE_SIZES {
        tokens - 1
    } else {
        SINGLE_SIZES + (tokens - SINGLE_SIZES - 1) / TILE
    }
}

/// Returns the largest number of tokens of a size.
fn tokens_at(index: usize) -> usize {
    if index < SINGLE_SIZES { index + 1 } else { SINGLE_SIZES + (index - SINGLE_SIZES + 1) * TILE }
}
