//! The tokens an engine drew, in order, and how greedy texts that should be the same compare.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::mpsc::Receiver;

use solverbox::engine::Draw;
use solverbox::types::job::{AttemptId, JobId};

/// The largest lead of a token that a pass of another size may put second. Attention adds values in
/// 16 bits, in the order of their cells, and activations are rounded to 8 bits: of the demo model's
/// leads half differ by 0.03, one in a hundred by 0.3.
pub const TIE_MAX: f32 = 0.5;
/// The same for text unlike the training data: after an answer's own end, in other modes, of the
/// other adapter's questions. There a choice can depend on rounding alone: base 2 without its
/// adapter in mode `hint` leads by 1.44 for one token or by 0.06 for the other, depending only on
/// how many tokens its prompt's end was decoded with (44 and 16 of 60 tries), while all leads
/// before it differ by 0.04.
pub const TIE_UNTRAINED_MAX: f32 = 2.0;
/// Tokens of a text that are compared: more than the demo model's longest answers. A text that is
/// made to go on after its end repeats itself, and the differences between leads grow slowly with
/// it: at 200 tokens they are as at first, at 600 four times that, with single ones of 2.5.
const JUDGED_TOKENS: usize = 200;
/// Half of all leads may differ by this much.
const NOISE_MEDIAN_MAX: f32 = 0.1;
/// Tokens for each text that parts, at least; measured: 400 where texts go on after their end.
const PARTING_TOKENS_MIN: usize = 100;

/// Every token one engine drew, in order. The engine sends a draw before any event that follows
/// from it, so a draw is here by the time its text can be read.
pub struct DrawLog {
    inbox: Receiver<Draw>,
    draws: RefCell<Vec<Draw>>,
}

impl DrawLog {
    /// Makes the log of an engine that sends its draws to the other end of `inbox`.
    pub fn new(inbox: Receiver<Draw>) -> DrawLog {
        DrawLog { inbox, draws: RefCell::default() }
    }

    fn all(&self) -> std::cell::Ref<'_, Vec<Draw>> {
        self.draws.borrow_mut().extend(self.inbox.try_iter());
        self.draws.borrow()
    }

    /// Returns how many tokens have been drawn so far.
    pub fn len(&self) -> usize {
        self.all().len()
    }

    /// Forgets all draws so far.
    pub fn clear(&self) {
        drop(self.all());
        self.draws.take();
    }

    /// Returns the draws of a job's first attempt.
    pub fn of(&self, job: JobId) -> Vec<Draw> {
        let first = AttemptId { job, number: 0 };
        self.all().iter().filter(|draw| draw.attempt == first).copied().collect()
    }

    /// Returns how many tokens each job drew within a range of the log.
    pub fn counts(&self, range: Range<usize>) -> BTreeMap<JobId, usize> {
        let mut counts = BTreeMap::new();
        self.all()[range].iter().for_each(|draw| *counts.entry(draw.attempt.job).or_default() += 1);
        counts
    }

    /// Returns the index of a job's first draw.
    pub fn first(&self, job: JobId) -> usize {
        self.all().iter().position(|draw| draw.attempt.job == job).expect("the job drew tokens")
    }

    /// Returns the index after a job's last draw.
    pub fn end(&self, job: JobId) -> usize {
        let last = self.all().iter().rposition(|draw| draw.attempt.job == job);
        last.expect("the job drew tokens") + 1
    }
}

/// Returns how far a greedy choice led the second likeliest token, in logits.
pub fn lead(draw: &Draw) -> f32 {
    draw.runner_up.expect("a greedy choice").behind
}

/// How greedy texts that should be the same compare.
#[derive(Debug, Default)]
pub struct DrawComparison {
    pub texts: usize,
    pub tokens: usize,
    /// For each text that parts from its twin: the lead of the token drawn over the other where
    /// they part, the larger of both texts'.
    pub partings: Vec<f32>,
    /// How much the lead of the same choice differs between the two, sorted by
    /// [`DrawComparison::check`].
    pub noise: Vec<f32>,
}

impl DrawComparison {
    /// Compares the draws of one text with those of the same text made otherwise. A lead up to
    /// `tie_max` is a tie; `has_ended` tells whether the other text came to its end.
    pub fn add(&mut self, what: &str, tie_max: f32, [alone, other]: [&[Draw]; 2], has_ended: bool) {
        self.texts += 1;
        for (at, (a, b)) in alone.iter().zip(other).enumerate() {
            if at >= JUDGED_TOKENS && a.token != b.token {
                return;
            }
            if a.token != b.token {
                let parting = lead(a).max(lead(b));
                let is_tie = parting <= tie_max;
                assert!(is_tie, "{what}: at {at} {a:?} alone, {b:?} otherwise: not a tie");
                self.partings.push(parting);
                return;
            }
            self.tokens += 1;
            let seconds = [a, b].map(|draw| draw.runner_up.map(|second| second.token));
            if seconds[0] == seconds[1] && at < JUDGED_TOKENS {
                self.noise.push((lead(a) - lead(b)).abs());
            }
        }
        let (alone, other) = (alone.len(), other.len());
        assert!(other <= alone, "{what}: {other} tokens instead of {alone}");
        assert!(!has_ended || other == alone, "{what}: ended at {other} of {alone} tokens");
    }

    /// Prints the result and checks that few texts part and leads differ little: with another
    /// text's keys and values in the cache, all leads would differ.
    pub fn check(mut self, what: &str) {
        self.noise.sort_by(f32::total_cmp);
        let noise = |share: usize| self.noise.get(self.noise.len() * share / 100).copied();
        let [median, most] = [50, 99].map(|share| noise(share).unwrap_or(0.0));
        let DrawComparison { texts, tokens, partings, .. } = &self;
        println!(
            "{what}: {texts} texts, {tokens} tokens the same, whose leads differ by {median:.3}, \
             1 in 100 by more than {most:.3}; {} texts part, at leads of {partings:?}",
            partings.len()
        );
        assert!(median <= NOISE_MEDIAN_MAX, "{what}: leads differ by {median}");
        assert!(partings.len() * PARTING_TOKENS_MIN <= *tokens, "{what}: too many ties");
    }
}
