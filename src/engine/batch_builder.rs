//! Builds the next decode batch: which attempts take part and how many tokens each contributes.
//!
//! Attempts that are decoding come first, then slices of prompts. If the cache is full, room goes
//! by rank: the first attempts of all clients before second ones, older before younger. An attempt
//! of lower rank may lose its cells; it keeps its tokens and is prefilled again once there is room.
//! The attempt of the highest rank never loses its cells, so some attempt always finishes.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use super::attempt::Attempt;
use super::cells::{SequenceId, common_prefix};
use super::draft::{Guess, NgramTable};
use super::kv_cache::KvCache;
use super::llama::Batch;
use super::protocol::AdapterSetId;
use super::step_cost::StepCost;
use crate::types::answer::Token;
use crate::types::error::Error;
use crate::types::job::AttemptId;
use crate::types::limits;
use crate::types::plan::{Drafts, Plan};

/// An attempt with at most this many undecoded tokens counts as decoding, not as prefilling: the
/// engine adds 12 where it closes the thinking and opens a box, in Qwen's vocabulary, and up to
/// twice as many in small ones.
const DECODING_TOKENS_MAX: usize = 32;
/// While any prompt is being prefilled, decoding attempts skip every batch of this number.
const PREFILL_ONLY_EVERY: usize = 3;
/// A prompt waits for one already being prefilled if that lets it reuse at least this many more
/// tokens than are cached now.
const WORTH_WAITING_TOKENS: usize = 8;

/// The index of an attempt in the engine's list of attempts, valid during one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AttemptIndex(pub(crate) usize);

/// One attempt's part of a batch.
#[derive(Debug)]
pub(crate) struct BatchEntry {
    pub(crate) attempt: AttemptIndex,
    pub(crate) sequence: SequenceId,
    /// How many of the attempt's own tokens are decoded.
    pub(crate) tokens: usize,
    /// Guesses of its next tokens, decoded as well and compared with the tokens drawn.
    pub(crate) drafted: Vec<Token>,
    /// Rows of logits: after its last token and after each drafted one; empty during prefill.
    pub(crate) rows: Range<usize>,
}

/// The attempts and the cache that a batch is built from.
struct Candidates<'a, 'm> {
    attempts: &'a mut [Attempt],
    cache: &'a mut KvCache<'m>,
    /// All attempts, the highest rank first.
    ranked: Vec<AttemptIndex>,
}

/// The batch under construction, and the state that lasts from batch to batch.
pub(crate) struct BatchBuilder {
    batch: Batch,
    entries: Vec<BatchEntry>,
    /// Attempts that are due but found no room in the cache.
    stalled: Vec<AttemptId>,
    /// Counts the batches with prefill; decides whose slice comes first.
    turn: usize,
    drafts: Drafts,
    step: Duration,
    cost: StepCost,
    /// The n-grams that drafts are guessed from.
    pub(crate) ngrams: NgramTable,
    guesses: Vec<Vec<Guess>>,
}

impl BatchBuilder {
    pub(crate) fn new(plan: &Plan) -> BatchBuilder {
        BatchBuilder {
            batch: Batch::default(),
            entries: Vec::new(),
            stalled: Vec::new(),
            turn: 0,
            drafts: match plan.pacing.drafts {
                Drafts::Auto if plan.kernels.is_compute_bound() => Drafts::Off,
                drafts => drafts,
            },
            step: plan.pacing.step,
            cost: StepCost::new(),
            ngrams: NgramTable::new(),
            guesses: Vec::new(),
        }
    }

    /// Chooses the entries of the next batch from the attempts of `adapter_set`, and makes room for
    /// them in the cache.
    pub(crate) fn build(
        &mut self,
        adapter_set: AdapterSetId,
        attempts: &mut [Attempt],
        cache: &mut KvCache,
    ) {
        self.entries.clear();
        self.stalled.clear();
        let ranked = ranked(attempts);
        let mut from = Candidates { attempts, cache, ranked };
        let (decoding, mut prefilling): (Vec<AttemptIndex>, Vec<AttemptIndex>) = from
            .ranked
            .iter()
            .filter(|&&at| {
                let attempt = from.attempt(at);
                !attempt.is_parked && attempt.adapter_set == adapter_set
            })
            .partition(|&&at| from.is_decoding(at));
        if prefilling.is_empty() {
            self.add_decoding(decoding, &mut from);
            return self.draft(&from);
        }
        // Prefill next to seven decoding attempts takes up to twice as long as alone. If they skip
        // every third batch, it takes less than half as long again.
        self.turn += 1;
        let (now, later) = match self.turn % PREFILL_ONLY_EVERY {
            0 => (Vec::new(), decoding),
            _ => (decoding, Vec::new()),
        };
        self.add_decoding(now, &mut from);
        let first = self.turn % prefilling.len();
        prefilling.rotate_left(first);
        self.add_prefilling(prefilling, &mut from);
        if self.entries.is_empty() {
            self.add_decoding(later, &mut from);
        }
    }

    fn add_decoding(&mut self, decoding: Vec<AttemptIndex>, from: &mut Candidates) {
        for at in decoding {
            // If the engine closes the thinking of many at once, their tokens may exceed a batch.
            let left = limits::UBATCH_TOKENS as usize - self.tokens();
            let pending = from.pending_tokens(at).min(left);
            if pending > 0 {
                self.add(at, pending, from);
            }
        }
    }

    fn add_prefilling(&mut self, prefilling: Vec<AttemptIndex>, from: &mut Candidates) {
        let most = limits::UBATCH_TOKENS as usize - self.tokens();
        let mut left = self.cost.prefill_tokens(self.tokens(), self.step.as_secs_f64(), most);
        for at in prefilling {
            if left == 0 {
                break;
            }
            if !self.open_sequence(at, from) {
                continue;
            }
            let slice = from.pending_tokens(at).min(left);
            if self.add(at, slice, from) {
                left -= slice;
            }
        }
    }

    /// Adds drafted tokens if they increase the tokens per second, and pads the batch if a larger
    /// one is cheaper. No attempt loses cells for this.
    fn draft(&mut self, from: &Candidates) {
        let base = self.tokens();
        let rows = (limits::LOGIT_ROWS as usize).saturating_sub(self.entries.len());
        // If not all attempts' own tokens fitted, nothing is left for drafts.
        let left = limits::UBATCH_TOKENS as usize - base;
        let most = rows.min(left).min(from.cache.cells().free().saturating_sub(base));
        if base == 0 || most == 0 {
            return;
        }
        self.guesses.resize_with(self.entries.len(), Vec::new);
        for (entry, guesses) in self.entries.iter().zip(&mut self.guesses) {
            let attempt = from.attempt(entry.attempt);
            // The last token of a budget is drawn but never decoded.
            let left = attempt.tokens_left().saturating_sub(1) as usize;
            match self.drafts {
                Drafts::Auto | Drafts::Always => {
                    attempt.drafter.propose(&self.ngrams, left, guesses);
                }
                Drafts::Off => guesses.clear(),
            }
        }
        let chosen = match self.drafts {
            Drafts::Always => as_many_as_fit(&self.guesses, most),
            Drafts::Auto | Drafts::Off => self.cost.choose(base, &self.guesses, most),
        };
        let tokens = base + chosen.iter().sum::<usize>();
        for ((entry, guesses), count) in self.entries.iter_mut().zip(&self.guesses).zip(chosen) {
            entry.drafted = guesses.iter().take(count).map(|guess| guess.token).collect();
        }
        // Padding is compared like a draft and almost always dropped.
        let padding = self.cost.pad(tokens).min(base + most) - tokens;
        if let Some(entry) = self.entries.first_mut() {
            entry.drafted.extend(std::iter::repeat_n(Token::default(), padding));
        }
    }

    /// Returns the number of tokens in the batch, drafts included.
    fn tokens(&self) -> usize {
        self.entries.iter().map(|entry| entry.tokens + entry.drafted.len()).sum()
    }

    /// Opens a sequence for an attempt without cells, if it should be prefilled now; returns
    /// whether it has a sequence.
    fn open_sequence(&mut self, at: AttemptIndex, from: &mut Candidates) -> bool {
        let attempt = from.attempt(at);
        if attempt.sequence.is_some() {
            return true;
        }
        let adapter_set = attempt.adapter_set;
        let nearest = from.cache.cells().nearest(&attempt.tokens, adapter_set);
        let cached = nearest.map_or(0, |(_, length)| length);
        if from.prefix_being_prefilled(at) >= cached + WORTH_WAITING_TOKENS {
            return false;
        }
        if from.has_room(at, cached) {
            from.attempts[at.0].sequence =
                from.cache.open(&from.attempts[at.0].tokens, adapter_set);
        }
        let has_sequence = from.attempt(at).sequence.is_some();
        if !has_sequence {
            self.stalled.push(from.attempt(at).id);
        }
        has_sequence
    }

    /// Adds `tokens` of an attempt to the batch, if there is or can be made room for them.
    fn add(&mut self, at: AttemptIndex, tokens: usize, from: &mut Candidates) -> bool {
        // It may have lost its cells to another attempt since the list was made.
        let Some(sequence) = from.attempt(at).sequence else { return false };
        if !self.make_room(at, self.tokens() + tokens, from) {
            self.stalled.push(from.attempt(at).id);
            return false;
        }
        let entry = BatchEntry { attempt: at, sequence, tokens, drafted: Vec::new(), rows: 0..0 };
        self.entries.push(entry);
        true
    }

    /// Makes `cells` free, at the expense of kept sequences and of attempts that rank below `at`.
    fn make_room(&self, at: AttemptIndex, cells: usize, from: &mut Candidates) -> bool {
        if from.cache.cells().free() >= cells {
            return true;
        }
        let is_in_batch = |other| self.entries.iter().any(|entry| entry.attempt == other);
        let has_cells =
            |&other: &AttemptIndex| !is_in_batch(other) && from.attempt(other).sequence.is_some();
        let mut below: Vec<AttemptIndex> =
            from.ranked[from.rank(at) + 1..].iter().copied().filter(has_cells).collect();
        let held: Vec<SequenceId> =
            below.iter().filter_map(|&other| from.attempt(other).sequence).collect();
        // If that would not be enough, no attempt loses its cells.
        if from.cache.can_be_free(&held) < cells {
            return false;
        }
        while !from.cache.make_room(cells) {
            let Some(last) = below.pop() else { return false };
            let attempt = &mut from.attempts[last.0];
            if let Some(sequence) = attempt.sequence.take() {
                log::debug!("attempt {:?} loses its cells for now", attempt.id);
                from.cache.close(sequence);
            }
        }
        true
    }

    /// Decodes the entries in one pass and fills in their rows of logits.
    ///
    /// # Errors
    /// As [`KvCache::decode`].
    pub(crate) fn decode(
        &mut self,
        entries: &mut [BatchEntry],
        attempts: &[Attempt],
        cache: &mut KvCache,
    ) -> Result<(), Error> {
        self.batch.clear();
        let mut tokens: Vec<(SequenceId, Vec<Token>)> = Vec::new();
        let sequences: Vec<SequenceId> = entries.iter().map(|entry| entry.sequence).collect();
        let numbers = cache.move_to_slots(&sequences);
        for (entry, number) in entries.iter_mut().zip(numbers) {
            let (sequence, own) = (entry.sequence, &attempts[entry.attempt.0].tokens);
            let cached = cache.cells().tokens(sequence).len();
            let is_complete = cached + entry.tokens == own.len();
            let mut staged = own[cached..cached + entry.tokens].to_vec();
            let last = staged.len() - 1;
            staged.extend(&entry.drafted);
            for (offset, &token) in staged.iter().enumerate() {
                let wanted = is_complete && offset >= last;
                let row = self.batch.push(token, (cached + offset) as u32, number, wanted);
                if wanted {
                    let first = if offset == last { row } else { entry.rows.start };
                    entry.rows = first..row + 1;
                }
            }
            tokens.push((sequence, staged));
        }
        let began = Instant::now();
        cache.decode(&self.batch, &tokens)?;
        // If most tokens skip the head, a small pass says little about those that do not.
        let rows: usize = entries.iter().map(|entry| entry.rows.len()).sum();
        if rows * 2 > self.batch.len() || self.batch.len() > limits::LOGIT_ROWS as usize {
            self.cost.record(self.batch.len(), began.elapsed().as_secs_f64());
        }
        Ok(())
    }

    pub(crate) fn take_entries(&mut self) -> Vec<BatchEntry> {
        std::mem::take(&mut self.entries)
    }

    pub(crate) fn take_stalled(&mut self) -> Vec<AttemptId> {
        std::mem::take(&mut self.stalled)
    }
}

impl Candidates<'_, '_> {
    fn attempt(&self, at: AttemptIndex) -> &Attempt {
        &self.attempts[at.0]
    }

    /// Returns an attempt's rank, 0 for the highest.
    fn rank(&self, at: AttemptIndex) -> usize {
        self.ranked.iter().position(|&other| other == at).unwrap_or(0)
    }

    /// Returns how many tokens of an attempt are not in the cache.
    fn pending_tokens(&self, at: AttemptIndex) -> usize {
        let attempt = self.attempt(at);
        let cached =
            attempt.sequence.map_or(0, |sequence| self.cache.cells().tokens(sequence).len());
        attempt.tokens.len() - cached
    }

    fn is_decoding(&self, at: AttemptIndex) -> bool {
        self.attempt(at).sequence.is_some() && self.pending_tokens(at) <= DECODING_TOKENS_MAX
    }

    /// Returns the length of the longest prefix of an attempt's tokens that is not cached yet but
    /// will be, because another attempt with the same prefix is being prefilled.
    fn prefix_being_prefilled(&self, at: AttemptIndex) -> usize {
        let Attempt { tokens, adapter_set, .. } = self.attempt(at);
        let prefix = |other: &Attempt| {
            let is_due = !other.is_parked && other.adapter_set == *adapter_set;
            let sequence = other.sequence.filter(|_| is_due)?;
            let shared = common_prefix(&other.tokens, tokens);
            (self.cache.cells().tokens(sequence).len() < shared).then_some(shared)
        };
        self.attempts.iter().filter_map(prefix).max().unwrap_or(0)
    }

    /// Returns whether there is or can be made room for all tokens of an attempt, of which `cached`
    /// can be shared, and for some more.
    fn has_room(&self, at: AttemptIndex, cached: usize) -> bool {
        let (above, below) = self.ranked.split_at(self.rank(at));
        let sequence_of = |&other: &AttemptIndex| self.attempt(other).sequence;
        if above.iter().all(|other| sequence_of(other).is_none()) {
            return true;
        }
        let below: Vec<SequenceId> = below.iter().filter_map(sequence_of).collect();
        let margin = self.cache.cells().total() / limits::ROOM_SHARE_OF_CACHE;
        self.cache.can_be_free(&below) >= self.attempt(at).tokens.len() - cached + margin
    }
}

/// Returns how many of each attempt's guesses are used if `most` fit in total.
fn as_many_as_fit(guesses: &[Vec<Guess>], most: usize) -> Vec<usize> {
    let mut left = most;
    let mut some = |own: &Vec<Guess>| {
        let count = own.len().min(left);
        left -= count;
        count
    };
    guesses.iter().map(&mut some).collect()
}

/// Returns the attempts from the highest rank to the lowest: each client's first attempt before any
/// client's second, and older before younger.
fn ranked(attempts: &[Attempt]) -> Vec<AttemptIndex> {
    let mut by_age: Vec<usize> = (0..attempts.len()).collect();
    by_age.sort_unstable_by_key(|&at| attempts[at].id);
    let mut counts = BTreeMap::new();
    let mut ranked: Vec<(usize, AttemptIndex)> = Vec::with_capacity(by_age.len());
    for at in by_age {
        let count = counts.entry(attempts[at].client).or_insert(0_usize);
        ranked.push((*count, AttemptIndex(at)));
        *count += 1;
    }
    // The sort is stable, so equals remain ordered by age.
    ranked.sort_by_key(|&(count, _)| count);
    ranked.into_iter().map(|(_, at)| at).collect()
}
