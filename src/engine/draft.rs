//! Drafts without a draft model: guesses the next tokens of an attempt from n-grams of the text of
//! all attempts.
//!
//! Guessed tokens join the batch. A guess that equals the token drawn costs a row of a pass instead
//! of a pass; a wrong one costs time, but never changes an answer. So one client's text can make
//! another client's answer faster, but not different.
//!
//! The design is that of a branch predictor (Seznec and Michaud, "A case for (partially) TAgged
//! GEometric history length branch prediction", JILP 8, 2006). A table of fixed size maps the hash
//! of the last 8, 4, 2 and 1 tokens to the token that last followed them; the longest known context
//! gives the guess. The rate of right guesses is counted by the length of the context and by how
//! often this entry was right before. Every token is counted, whether its guess was in a batch or
//! not, because looking the guess up costs almost nothing. So a text that stops repeating itself is
//! noticed before it costs much, and one that starts again without trying. The cost of a pass is
//! `step_cost`'s part.

#[cfg(test)]
mod tests;

use crate::types::answer::Token;
use crate::types::limits;

/// The lengths of the contexts, in tokens; the longest known one gives the guess.
///
/// Measured on 31,600 tokens of reasoning (SmolLM2-135M, two derivations of a large model) with the
/// expected costs of a Raspberry Pi 5 (93 ms a pass, 100 with 4 tokens, 112 with 8, 175 with 16):
/// 1.68 times as fast as without drafts, 1.62 without the length 1, 1.41 with 4 alone, 1.68 with
/// five lengths or with 16. The longest match in the attempt's own text alone: 1.40.
const CONTEXTS: [usize; 4] = [1, 2, 4, 8];
const LONGEST: usize = 8;
/// The highest confidence: the number of times in a row that an entry was right, at most this.
const SURE: u32 = 3;
/// Kinds of guesses, by length of context and confidence.
const KINDS: usize = CONTEXTS.len() * (SURE as usize + 1);

/// The share of right guesses before any is counted: by length of context, then by confidence.
/// Measured on the answers of two small models and on two long derivations of a large one, which
/// agree within 0.1.
const USUAL: [[f32; SURE as usize + 1]; CONTEXTS.len()] = [
    [0.15, 0.3, 0.4, 0.45],
    [0.25, 0.45, 0.55, 0.7],
    [0.45, 0.6, 0.75, 0.9],
    [0.7, 0.87, 0.92, 0.97],
];
/// The weight of the usual rate in the rate of all attempts, and of that in an attempt's own rate,
/// as a number of guesses.
const USUAL_WEIGHT: f32 = 16.0;
/// The number of guesses that the rates of all attempts remember.
const ALL_MEMORY: f32 = 1_024.0;
/// The number of guesses that an attempt's own rates remember.
const OWN_MEMORY: f32 = 256.0;
/// Less likely guesses are dropped: no row of a batch is that cheap.
const CHANCE_MIN: f32 = 0.02;

/// A guess of a token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Guess {
    pub(crate) token: Token,
    /// The probability that this guess and all guesses before it are right, which is the number of
    /// tokens it is expected to save: 0 to 1, and at most that of the guess before.
    pub(crate) chance: f32,
}

/// The n-grams of all attempts of a model, and how often guesses from them were right.
///
/// Takes [`limits::DRAFT_TABLE_BYTES`]; new n-grams overwrite old ones.
pub(crate) struct NgramTable {
    entries: Box<[NgramEntry]>,
    rates: [HitRate; KINDS],
}

/// The last tokens of an attempt and how often guesses for it were right: about 200 bytes.
pub(crate) struct Drafter {
    recent: RecentTokens,
    rates: [HitRate; KINDS],
}

/// From the low bits: 20 of the token that followed, 2 of confidence, 10 of the context's hash. One
/// context in a thousand is mistaken for another.
#[derive(Clone, Copy, Default)]
struct NgramEntry(u32);

const TOKEN_BITS: u32 = 20;
const TAG_SHIFT: u32 = 22;
const _: () = assert!(limits::GGUF_ARRAY_ITEMS_MAX <= 1 << TOKEN_BITS, "every token fits");
const ENTRIES: usize = limits::DRAFT_TABLE_BYTES / size_of::<NgramEntry>();
const _: () = assert!(ENTRIES.is_power_of_two());

/// The position of a context in the table, and its tag there.
#[derive(Clone, Copy)]
struct ContextKey {
    index: usize,
    tag: u32,
}

/// The last tokens of a text, the last one first.
#[derive(Clone, Copy)]
struct RecentTokens {
    tokens: [Token; LONGEST],
    length: usize,
}

#[derive(Clone, Copy, Default)]
struct HitRate {
    right: f32,
    made: f32,
}

impl NgramTable {
    /// Makes an empty table.
    pub(crate) fn new() -> NgramTable {
        let usual = USUAL.as_flattened().iter();
        let mut rates = [HitRate::default(); KINDS];
        for (rate, usual) in rates.iter_mut().zip(usual) {
            *rate = HitRate { right: usual * USUAL_WEIGHT, made: USUAL_WEIGHT };
        }
        NgramTable { entries: vec![NgramEntry::default(); ENTRIES].into_boxed_slice(), rates }
    }

    /// Returns the token that followed the longest known context, and the kind of this guess.
    fn guess(&self, keys: &[Option<ContextKey>; CONTEXTS.len()]) -> Option<(Token, usize)> {
        let known = |(order, key): (usize, &Option<ContextKey>)| {
            let key = (*key)?;
            let entry = self.entries[key.index];
            (entry.tag() == key.tag)
                .then(|| (entry.token(), order * 4 + entry.confidence() as usize))
        };
        keys.iter().enumerate().rev().find_map(known)
    }

    /// Records the token that followed the contexts.
    fn learn(&mut self, keys: &[Option<ContextKey>; CONTEXTS.len()], token: Token) {
        for key in keys.iter().flatten() {
            let entry = &mut self.entries[key.index];
            let again = entry.tag() == key.tag && entry.token() == token;
            let confidence = if again { SURE.min(entry.confidence() + 1) } else { 0 };
            *entry = NgramEntry::new(key.tag, confidence, token);
        }
    }
}

impl Drafter {
    /// Makes a drafter for a text that starts with `prompt`.
    ///
    /// The n-grams of the prompt are learned, but guesses within it are not counted: prompts start
    /// alike, which would make the rates too high.
    pub(crate) fn new(prompt: &[Token], table: &mut NgramTable) -> Drafter {
        let mut drafter =
            Drafter { recent: RecentTokens::default(), rates: [HitRate::default(); KINDS] };
        for &token in prompt {
            table.learn(&drafter.recent.keys(), token);
            drafter.recent.push(token);
        }
        drafter
    }

    /// Records tokens appended to the text, drafted or not. Each uses four entries of the table.
    pub(crate) fn extend(&mut self, tokens: &[Token], table: &mut NgramTable) {
        for &token in tokens {
            let keys = self.recent.keys();
            if let Some((guess, kind)) = table.guess(&keys) {
                self.rates[kind].count(guess == token, OWN_MEMORY);
                table.rates[kind].count(guess == token, ALL_MEMORY);
            }
            table.learn(&keys, token);
            self.recent.push(token);
        }
    }

    /// Replaces `guesses` by the likely next tokens, at most `most` and
    /// [`limits::DRAFT_TOKENS_MAX`]: none if the context is unknown, and usually more than pay off,
    /// which `StepCost::choose` decides.
    pub(crate) fn propose(&self, table: &NgramTable, most: usize, guesses: &mut Vec<Guess>) {
        guesses.clear();
        let (mut ahead, mut chance) = (self.recent, 1.0);
        while guesses.len() < most.min(limits::DRAFT_TOKENS_MAX) {
            let Some((token, kind)) = table.guess(&ahead.keys()) else { return };
            chance *= self.rates[kind].weighed_with(table.rates[kind]);
            if chance < CHANCE_MIN {
                return;
            }
            guesses.push(Guess { token, chance });
            ahead.push(token);
        }
    }
}

impl NgramEntry {
    fn new(tag: u32, confidence: u32, token: Token) -> NgramEntry {
        NgramEntry(
            tag << TAG_SHIFT | confidence << TOKEN_BITS | token.0 as u32 & ((1 << TOKEN_BITS) - 1),
        )
    }

    fn token(self) -> Token {
        Token((self.0 & ((1 << TOKEN_BITS) - 1)) as i32)
    }

    fn confidence(self) -> u32 {
        self.0 >> TOKEN_BITS & SURE
    }

    fn tag(self) -> u32 {
        self.0 >> TAG_SHIFT
    }
}

impl Default for RecentTokens {
    fn default() -> RecentTokens {
        RecentTokens { tokens: [Token::default(); LONGEST], length: 0 }
    }
}

impl RecentTokens {
    fn push(&mut self, token: Token) {
        self.tokens.copy_within(..LONGEST - 1, 1);
        self.tokens[0] = token;
        self.length += 1;
    }

    /// Returns the key of each context; `None` if the text is shorter.
    fn keys(&self) -> [Option<ContextKey>; CONTEXTS.len()] {
        let (mut hash, mut hashed) = (1_u64, 0);
        CONTEXTS.map(|tokens| {
            while hashed < tokens {
                // Fibonacci hashing (Knuth, volume 3, 6.4): the high bits depend on all below.
                hash = (hash.rotate_left(23) ^ self.tokens[hashed].0 as u64)
                    .wrapping_mul(0x9E37_79B9_7F4A_7C15);
                hashed += 1;
            }
            let index = (hash >> (64 - ENTRIES.ilog2())) as usize;
            // An empty entry has tag 0, which no context has.
            let tag = (hash >> 20) as u32 % ((1 << (32 - TAG_SHIFT)) - 1) + 1;
            (tokens <= self.length).then_some(ContextKey { index, tag })
        })
    }
}

impl HitRate {
    fn count(&mut self, right: bool, memory: f32) {
        let keep = (memory / (self.made + 1.0)).min(1.0);
        self.right = self.right * keep + f32::from(u8::from(right));
        self.made = self.made * keep + 1.0;
    }

    /// Returns the rate; with few guesses counted, mostly that of `all`.
    fn weighed_with(self, all: HitRate) -> f32 {
        let usual = all.right / all.made;
        (self.right + USUAL_WEIGHT * usual) / (self.made + USUAL_WEIGHT)
    }
}
