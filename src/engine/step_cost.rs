//! What a pass over the weights costs by the tokens in it, measured on this machine as it works,
//! and what follows from it: how many drafted tokens pay, and how much of a prompt fits.
//!
//! The step tells it each pass it made and asks before it makes the next. It knows nothing of
//! texts or tokens; chances come from `draft`.
//!
//! Kernels make a staircase of it. Repacked ones multiply four tokens at once and repeat their
//! single-token kernel for what is left (ggml's repack.cpp), so 2 and 3 tokens may cost more than
//! 4; others have no such hole; where arithmetic and not memory is the limit (`armv8.0`) each token
//! costs as much as the first, and nothing drafted pays. None of that is built in but the four.

#[cfg(test)]
mod tests;

use super::draft::Guess;
use crate::types::limits;

/// Tokens the kernels multiply at once.
const TILE: usize = 4;
/// Up to so many tokens each size is measured by itself, above only each tile.
const SINGLE_SIZES: usize = 16;
const SIZES: usize = SINGLE_SIZES + (limits::UBATCH_TOKENS as usize - SINGLE_SIZES) / TILE;

/// A size is known once it was measured so often: the least of three is no accident.
const KNOWN_TIMES: u32 = 3;
/// A size that was not measured for so many passes is tried once again where it might pay.
const KNOWN_PASSES: u64 = 1_024;
/// How much one measurement may surprise, as a factor: other programs' turns are not the kernels'.
const SURPRISE: f64 = 1.5;
/// How fast the whole curve follows: a longer context, a warmer processor, a busy neighbour.
const LEVEL_RATE: f64 = 1.0 / 8.0;
/// How fast one size follows on its own.
const SIZE_RATE: f64 = 1.0 / 16.0;
/// What drafts or padding must promise over a pass without them: noise moves a ratio by that much.
const MARGIN: f64 = 1.05;
/// Prompt tokens in the first step, before anything is measured.
const FIRST_SLICE_TOKENS: usize = 16;

/// The cost of a pass by its tokens.
///
/// Seconds are kept as a curve and a level that moves all of it, so that sizes that are seldom
/// made stay comparable with those that are made all the time.
pub struct StepCost {
    sizes: [Size; SIZES],
    level: f64,
    passes: u64,
}

#[derive(Clone, Copy, Default)]
struct Size {
    /// Seconds of a pass at level 1.
    seconds: f64,
    times: u32,
    /// The pass it was measured at last.
    at: u64,
}

impl StepCost {
    /// Makes a curve that knows nothing.
    pub fn new() -> StepCost {
        StepCost { sizes: [Size::default(); SIZES], level: 1.0, passes: 0 }
    }

    /// Notes what a pass of `tokens` tokens, 1 to [`limits::UBATCH_TOKENS`], took.
    ///
    /// A token whose logits nobody asked for skips the head, a fifth of VibeThinker's weights: a
    /// pass of up to 16 tokens should only be noted where most of them had logits.
    pub fn saw(&mut self, tokens: usize, seconds: f64) {
        if tokens == 0 || !seconds.is_finite() || seconds <= 0.0 {
            return;
        }
        self.passes += 1;
        let level = self.level;
        let size = &mut self.sizes[place(tokens)];
        let at_level = seconds / level;
        let was_known = size.is_known(self.passes);
        size.at = self.passes;
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

    /// Returns the seconds a pass of `tokens` tokens is expected to take; none before the first.
    ///
    /// Of a size that is not known it is on the line between its measured neighbours, but at most
    /// what the tokens cost in a smaller multiple of four: so one bad moment condemns no size.
    pub fn seconds(&self, tokens: usize) -> Option<f64> {
        if let Some(seconds) = self.known(tokens) {
            return Some(seconds);
        }
        let here = place(tokens);
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

    /// Chooses how many of each attempt's guesses join a pass that has `base` tokens without
    /// them: as many as make it the most expected tokens a second, at most `most` in all.
    ///
    /// A size that is not known yet is hoped to cost what the four below it cost, so that it is
    /// tried until it is known; that is all that is ever tried.
    pub fn choose(&self, base: usize, guesses: &[Vec<Guess>], most: usize) -> Vec<usize> {
        let mut chosen = vec![0; guesses.len()];
        let Some(alone) = self.known(base) else { return chosen };
        // An attempt's chances fall from guess to guess, so the order keeps each attempt's own.
        let mut all: Vec<(f32, usize)> = (guesses.iter().enumerate())
            .flat_map(|(attempt, guesses)| guesses.iter().map(move |guess| (guess.chance, attempt)))
            .collect();
        all.sort_by(|left, right| right.0.total_cmp(&left.0));
        all.truncate(most);
        let (mut delta, mut best, mut drafted) = (0.0, base as f64 / alone * MARGIN, 0);
        for (at, (chance, _)) in all.iter().enumerate() {
            delta += f64::from(*chance);
            let pays = (base as f64 + delta) / self.hoped(base + at + 1, base, alone);
            if pays > best {
                (best, drafted) = (pays, at + 1);
            }
        }
        all[..drafted].iter().for_each(|(_, attempt)| chosen[*attempt] += 1);
        chosen
    }

    /// Returns to how many tokens a pass is best filled up, with anything: the next multiple of
    /// four where that is cheaper, or not known yet.
    pub fn pad(&self, tokens: usize) -> usize {
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

    /// Returns how many of `most` waiting prompt tokens go with `decoding` others, so that the
    /// pass stays under `step_seconds` and is a multiple of four; at least four or so, because
    /// prompts go on whatever a pass costs.
    pub fn slice(&self, decoding: usize, step_seconds: f64, most: usize) -> usize {
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
        let size = &self.sizes[place(tokens)];
        size.is_known(self.passes + 1).then_some(size.seconds * self.level)
    }

    /// Returns what a pass with drafts costs; of a size not known, what it costs at least.
    fn hoped(&self, tokens: usize, base: usize, alone: f64) -> f64 {
        let full = tokens.next_multiple_of(TILE);
        // Filled up to the multiple of four it may be cheaper; see `pad`.
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
        self.times >= KNOWN_TIMES && pass - self.at <= KNOWN_PASSES
    }
}

/// Returns where a size is measured.
fn place(tokens: usize) -> usize {
    let tokens = tokens.clamp(1, limits::UBATCH_TOKENS as usize);
    if tokens <= SINGLE_SIZES {
        tokens - 1
    } else {
        SINGLE_SIZES + (tokens - SINGLE_SIZES - 1) / TILE
    }
}

/// Returns how many tokens stand for a place: the most of it.
fn tokens_at(place: usize) -> usize {
    if place < SINGLE_SIZES { place + 1 } else { SINGLE_SIZES + (place - SINGLE_SIZES + 1) * TILE }
}
