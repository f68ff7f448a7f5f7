//! Who is aboard the next pass over the weights, and with how many tokens.
//!
//! Every attempt with a turn that is writing comes first, then slices of prompts. Where the cache
//! is full, room goes by rank: first attempts of all clients before second ones, older before
//! younger. Who ranks last gives its cells back, keeps its tokens, and comes again when there is
//! room for them; who ranks first never does, so that there is always one who gets to the end.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use super::Token;
use super::adapter_sets::AdapterSetId;
use super::attempt::Attempt;
use super::cells::{Sequence, common};
use super::draft::{Guess, NgramTable};
use super::kv_cache::KvCache;
use super::llama::Batch;
use super::step_cost::StepCost;
use crate::types::error::Error;
use crate::types::job::AttemptId;
use crate::types::limits;
use crate::types::plan::{Drafts, Plan};

/// Tokens an attempt may have to be decoded and still count as writing: the engine adds a few where
/// it closes the thinking.
const WRITING_TOKENS_MAX: usize = 16;
/// While prompts are read, those who write sit out one pass in so many.
const SITTING_OUT: usize = 3;
/// A prompt waits for another that is being decoded where they have so many more tokens in common
/// than there are in the cache already.
const WORTH_WAITING_TOKENS: usize = 8;

/// One attempt's part of a pass.
#[derive(Debug)]
pub struct BatchEntry {
    /// Its place in the list of attempts.
    pub attempt: usize,
    /// Its place in the cache.
    pub sequence: Sequence,
    /// How many of its own tokens are decoded.
    pub tokens: usize,
    /// What it might write next, decoded along to be compared with what it does write.
    pub drafted: Vec<Token>,
    /// Rows of logits: after its last token and after each drafted one; none while prompt is left.
    pub rows: Range<usize>,
}

/// The batch being made up.
pub struct BatchBuilder {
    batch: Batch,
    entries: Vec<BatchEntry>,
    /// Attempts with a turn that could not come aboard for lack of room.
    stalled: Vec<AttemptId>,
    /// Whose slice of a prompt comes first, counted up with every step.
    turn: usize,
    drafts: Drafts,
    step: Duration,
    pace: StepCost,
    /// What drafts are guessed from.
    pub table: NgramTable,
    guesses: Vec<Vec<Guess>>,
}

impl BatchBuilder {
    /// Makes an empty one.
    pub fn new(plan: &Plan) -> BatchBuilder {
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
            pace: StepCost::new(),
            table: NgramTable::new(),
            guesses: Vec::new(),
        }
    }

    /// Chooses who of those that wear `adapter_set` takes part; makes room for them.
    pub fn load(
        &mut self,
        adapter_set: AdapterSetId,
        attempts: &mut [Attempt],
        cache: &mut KvCache,
    ) {
        self.entries.clear();
        self.stalled.clear();
        let ranks = ranks(attempts);
        let is_writing = |attempt: &Attempt, cache: &KvCache| {
            attempt.sequence.is_some_and(|sequence| {
                let held = cache.cells().tokens(sequence).len();
                attempt.tokens.len() - held <= WRITING_TOKENS_MAX
            })
        };
        let (writing, mut reading): (Vec<usize>, Vec<usize>) = ranks
            .iter()
            .filter(|&&at| !attempts[at].is_parked && attempts[at].adapter_set == adapter_set)
            .partition(|&&at| is_writing(&attempts[at], cache));
        if reading.is_empty() {
            self.board_writing(writing, &ranks, attempts, cache);
            return self.draft(attempts, cache);
        }
        // A prompt beside seven who write takes up to twice as long as alone: they sit every third
        // pass out, so that it takes less than half as long again.
        self.turn += 1;
        let (now, later) = match self.turn % SITTING_OUT {
            0 => (Vec::new(), writing),
            _ => (writing, Vec::new()),
        };
        self.board_writing(now, &ranks, attempts, cache);
        let first = self.turn % reading.len();
        reading.rotate_left(first);
        self.board_reading(reading, &ranks, attempts, cache);
        if self.entries.is_empty() {
            self.board_writing(later, &ranks, attempts, cache);
        }
    }

    fn board_writing(
        &mut self,
        writing: Vec<usize>,
        ranks: &[usize],
        attempts: &mut [Attempt],
        cache: &mut KvCache,
    ) {
        for at in writing {
            // Where the engine closes the thinking of many at once, they may be more than a pass.
            let left = limits::UBATCH_TOKENS as usize - self.tokens();
            let pending = pending(&attempts[at], cache).min(left);
            if pending > 0 {
                self.add(at, pending, ranks, attempts, cache);
            }
        }
    }

    fn board_reading(
        &mut self,
        reading: Vec<usize>,
        ranks: &[usize],
        attempts: &mut [Attempt],
        cache: &mut KvCache,
    ) {
        let most = limits::UBATCH_TOKENS as usize - self.tokens();
        let mut left = self.pace.prefill_tokens(self.tokens(), self.step.as_secs_f64(), most);
        for at in reading {
            if left == 0 {
                break;
            }
            if !self.open(at, ranks, attempts, cache) {
                continue;
            }
            let slice = pending(&attempts[at], cache).min(left);
            if self.add(at, slice, ranks, attempts, cache) {
                left -= slice;
            }
        }
    }

    /// Adds drafted tokens where that makes more tokens a second, and fills the batch up where a
    /// fuller one is cheaper. Nobody gives cells back for it.
    fn draft(&mut self, attempts: &[Attempt], cache: &KvCache) {
        let base = self.tokens();
        let room = (limits::LOGIT_ROWS as usize).saturating_sub(self.entries.len());
        // Where anybody's own tokens did not fit, nothing is left for drafts.
        let left = limits::UBATCH_TOKENS as usize - base;
        let most = room.min(left).min(cache.cells().free().saturating_sub(base));
        if base == 0 || most == 0 {
            return;
        }
        self.guesses.resize_with(self.entries.len(), Vec::new);
        for (entry, guesses) in self.entries.iter().zip(&mut self.guesses) {
            let attempt = &attempts[entry.attempt];
            // The last token of a budget is drawn and never decoded.
            let left = attempt.tokens_left().saturating_sub(1) as usize;
            match self.drafts {
                Drafts::Auto | Drafts::Always => {
                    attempt.drafter.propose(&self.table, left, guesses);
                }
                Drafts::Off => guesses.clear(),
            }
        }
        let chosen = match self.drafts {
            Drafts::Always => as_many_as_fit(&self.guesses, most),
            Drafts::Auto | Drafts::Off => self.pace.choose(base, &self.guesses, most),
        };
        let tokens = base + chosen.iter().sum::<usize>();
        for ((entry, guesses), count) in self.entries.iter_mut().zip(&self.guesses).zip(chosen) {
            entry.drafted = guesses.iter().take(count).map(|guess| guess.token).collect();
        }
        // Whatever stands there is compared like a draft and, but for a great chance, dropped.
        let fill = self.pace.pad(tokens).min(base + most) - tokens;
        if let Some(entry) = self.entries.first_mut() {
            entry.drafted.extend(std::iter::repeat_n(0, fill));
        }
    }

    /// Returns how many tokens are aboard.
    fn tokens(&self) -> usize {
        self.entries.iter().map(|p| p.tokens + p.drafted.len()).sum()
    }

    /// Gives an attempt without cells its sequence, if it is worth it now.
    fn open(
        &mut self,
        at: usize,
        ranks: &[usize],
        attempts: &mut [Attempt],
        cache: &mut KvCache,
    ) -> bool {
        if attempts[at].sequence.is_some() {
            return true;
        }
        let (tokens, adapter_set) = (&attempts[at].tokens, attempts[at].adapter_set);
        let held = cache.cells().nearest(tokens, adapter_set).map_or(0, |(_, length)| length);
        let comes = |other: &Attempt| {
            let alike = !other.is_parked && other.adapter_set == adapter_set;
            let sequence = other.sequence.filter(|_| alike)?;
            let shared = common(&other.tokens, tokens);
            (cache.cells().tokens(sequence).len() < shared).then_some(shared)
        };
        let awaited = attempts.iter().filter_map(comes).max().unwrap_or(0);
        if awaited >= held + WORTH_WAITING_TOKENS {
            return false;
        }
        if self.has_room(at, held, ranks, attempts, cache) {
            attempts[at].sequence = cache.open(&attempts[at].tokens, adapter_set);
        }
        if attempts[at].sequence.is_none() {
            self.stalled.push(attempts[at].id);
        }
        attempts[at].sequence.is_some()
    }

    /// Returns whether an attempt would find room for all its tokens, and a little longer.
    fn has_room(
        &self,
        at: usize,
        held: usize,
        ranks: &[usize],
        attempts: &[Attempt],
        cache: &KvCache,
    ) -> bool {
        let rank = ranks.iter().position(|&other| other == at).unwrap_or(0);
        let sequence_of = |&other: &usize| attempts[other].sequence;
        if ranks[..rank].iter().all(|other| sequence_of(other).is_none()) {
            return true;
        }
        let below: Vec<Sequence> = ranks[rank..].iter().filter_map(sequence_of).collect();
        let margin = cache.cells().total() / limits::ROOM_SHARE_OF_CACHE;
        cache.can_be_free(&below) >= attempts[at].tokens.len() - held + margin
    }

    /// Takes `tokens` of an attempt aboard, if there is or can be made room for them.
    fn add(
        &mut self,
        at: usize,
        tokens: usize,
        ranks: &[usize],
        attempts: &mut [Attempt],
        cache: &mut KvCache,
    ) -> bool {
        // It may have had to make room for another since the list was made.
        let Some(sequence) = attempts[at].sequence else { return false };
        let taken = self.tokens();
        if !self.make_room(at, taken + tokens, ranks, attempts, cache) {
            self.stalled.push(attempts[at].id);
            return false;
        }
        let entry = BatchEntry { attempt: at, sequence, tokens, drafted: Vec::new(), rows: 0..0 };
        self.entries.push(entry);
        true
    }

    /// Makes so many cells free, at the cost of what is kept and of who ranks below `at`.
    fn make_room(
        &self,
        at: usize,
        cells: usize,
        ranks: &[usize],
        attempts: &mut [Attempt],
        cache: &mut KvCache,
    ) -> bool {
        if cache.cells().free() >= cells {
            return true;
        }
        let rank = ranks.iter().position(|&other| other == at).unwrap_or(0);
        let is_aboard = |other| self.entries.iter().any(|p| p.attempt == other);
        let has_cells = |&other: &usize| !is_aboard(other) && attempts[other].sequence.is_some();
        let mut below: Vec<usize> = ranks[rank + 1..].iter().copied().filter(has_cells).collect();
        let held: Vec<Sequence> = below.iter().filter_map(|&at| attempts[at].sequence).collect();
        // Where it would not be enough, nobody loses anything.
        if cache.can_be_free(&held) < cells {
            return false;
        }
        while !cache.make_room(cells) {
            let Some(last) = below.pop() else { return false };
            if let Some(sequence) = attempts[last].sequence.take() {
                log::debug!("attempt {:?} gives its cells back for a while", attempts[last].id);
                cache.close(sequence);
            }
        }
        true
    }

    /// Decodes everybody aboard in one pass.
    ///
    /// # Errors
    /// Those of [`Cache::decode`].
    pub fn decode(
        &mut self,
        entries: &mut [BatchEntry],
        attempts: &[Attempt],
        cache: &mut KvCache,
    ) -> Result<(), Error> {
        self.batch.clear();
        let mut tokens: Vec<(Sequence, Vec<Token>)> = Vec::new();
        let sequences: Vec<Sequence> = entries.iter().map(|p| p.sequence).collect();
        let ids = cache.seat(&sequences);
        for (entry, id) in entries.iter_mut().zip(ids) {
            let (sequence, own) = (entry.sequence, &attempts[entry.attempt].tokens);
            let held = cache.cells().tokens(sequence).len();
            let arrives = held + entry.tokens == own.len();
            let mut staged = own[held..held + entry.tokens].to_vec();
            let last = staged.len() - 1;
            staged.extend(&entry.drafted);
            for (index, &token) in staged.iter().enumerate() {
                let wanted = arrives && index >= last;
                let row = self.batch.push(token, (held + index) as u32, id, wanted);
                if wanted {
                    let first = if index == last { row } else { entry.rows.start };
                    entry.rows = first..row + 1;
                }
            }
            tokens.push((sequence, staged));
        }
        let began = Instant::now();
        cache.decode(&self.batch, &tokens)?;
        // Where most tokens skip the head, a small pass says nothing of those that do not.
        let rows: usize = entries.iter().map(|entry| entry.rows.len()).sum();
        if rows * 2 > self.batch.len() || self.batch.len() > limits::LOGIT_ROWS as usize {
            self.pace.record(self.batch.len(), began.elapsed().as_secs_f64());
        }
        Ok(())
    }

    /// Hands over who is aboard.
    pub fn take_entries(&mut self) -> Vec<BatchEntry> {
        std::mem::take(&mut self.entries)
    }

    /// Hands over who has a turn and found no room.
    pub fn take_stalled(&mut self) -> Vec<AttemptId> {
        std::mem::take(&mut self.stalled)
    }
}

/// Returns how many of each attempt's guesses are made where `most` of all are.
fn as_many_as_fit(guesses: &[Vec<Guess>], most: usize) -> Vec<usize> {
    let mut left = most;
    let mut some = |own: &Vec<Guess>| {
        let count = own.len().min(left);
        left -= count;
        count
    };
    guesses.iter().map(&mut some).collect()
}

/// Returns how many tokens of an attempt the cache does not hold yet.
fn pending(attempt: &Attempt, cache: &KvCache) -> usize {
    let held = attempt.sequence.map_or(0, |sequence| cache.cells().tokens(sequence).len());
    attempt.tokens.len() - held
}

/// Returns the attempts from first to last rank: each client's first before anybody's second, and
/// older before younger.
fn ranks(attempts: &[Attempt]) -> Vec<usize> {
    let mut by_age: Vec<usize> = (0..attempts.len()).collect();
    by_age.sort_unstable_by_key(|&at| attempts[at].id);
    let mut counts = BTreeMap::new();
    let mut ranked: Vec<(usize, usize)> = Vec::with_capacity(by_age.len());
    for at in by_age {
        let count = counts.entry(attempts[at].client).or_insert(0_usize);
        ranked.push((*count, at));
        *count += 1;
    }
    // Stable: who comes first among equals is older.
    ranked.sort_by_key(|&(count, _)| count);
    ranked.into_iter().map(|(_, at)| at).collect()
}
