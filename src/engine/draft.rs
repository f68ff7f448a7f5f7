//! Guesses what an attempt writes next from what it and all others have written: drafts without a
//! draft model.
//!
//! The step calls it: guessed tokens join the batch, and those that are then drawn from the model
//! anyway have cost a row of a pass instead of a pass. A wrong guess costs time, never a token of
//! an answer; so what one person's question taught makes another's answer faster, not different.
//!
//! It is built like a branch predictor of processors (Seznec and Michaud, "A case for (partially)
//! TAgged GEometric history length branch prediction", JILP 8, 2006). One table of fixed size maps
//! the hash of the last 8, 4, 2 and 1 tokens to the token that followed them last; the longest
//! context that is known gives the guess. How often such a guess is right is counted for each
//! length of context and how often it has been right in this very place. That is counted on every
//! token that comes, whether it was guessed aloud or not: what it would have guessed is known for
//! nothing. So a text that stops repeating itself is noticed before it costs much, and one that
//! starts again without trying. It does not know what a pass costs: that is `step_cost`.

#[cfg(test)]
mod tests;

use super::Token;
use crate::types::limits;

/// Tokens of context a guess is made from; the longest that is known decides.
///
/// Measured on 31,600 tokens of reasoning (SmolLM2-135M, two derivations of a large model), by the
/// costs expected of a Raspberry Pi 5 (93 ms a pass, 100 of 4 tokens, 112 of 8, 175 of 16): 1.68
/// times as fast as without drafts, 1.62 without the single token, 1.41 with four tokens alone,
/// 1.68 with five lengths or with 16. Looking for the longest match in the own text alone: 1.40.
const CONTEXTS: [usize; 4] = [1, 2, 4, 8];
const LONGEST: usize = 8;
/// A guess that was right three times and more in its place counts as three.
const SURE: u32 = 3;
const KINDS: usize = CONTEXTS.len() * (SURE as usize + 1);

/// How often guesses are right before anything is known: by length of context, then by how often
/// this one was right before. Measured on the answers of two small models and on two long
/// derivations of a large one, which agree within 0.1.
const USUAL: [[f32; SURE as usize + 1]; CONTEXTS.len()] = [
    [0.15, 0.3, 0.4, 0.45],
    [0.25, 0.45, 0.55, 0.7],
    [0.45, 0.6, 0.75, 0.9],
    [0.7, 0.87, 0.92, 0.97],
];
/// How many guesses of a kind the usual rate weighs as much as, and all attempts' rate.
const USUAL_WEIGHT: f32 = 16.0;
/// How many guesses of a kind are remembered, of all attempts and of one.
const ALL_MEMORY: f32 = 1_024.0;
const OWN_MEMORY: f32 = 256.0;
/// Guesses less likely than this are not made: no batch has room so cheap.
const CHANCE_MIN: f32 = 0.02;

/// A token that may come next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guess {
    /// The token.
    pub token: Token,
    /// The probability that it and all guesses before it are right, so the tokens it is expected
    /// to gain: 0 to 1, and no more than that of the guess before.
    pub chance: f32,
}

/// What followed what in all attempts of one model, and how often guesses from it were right.
///
/// It takes [`limits::DRAFT_TABLE_BYTES`] and never more; what was not seen for long is
/// overwritten.
pub struct Table {
    slots: Box<[Slot]>,
    rates: [Rate; KINDS],
}

/// One attempt's end of text and how well it can be guessed: some 200 bytes.
pub struct Drafter {
    history: History,
    rates: [Rate; KINDS],
}

/// From the low bits: 20 of the token that followed, 2 of how often that was right since, 10 of
/// the context's hash. One context in a thousand is taken for another.
#[derive(Clone, Copy, Default)]
struct Slot(u32);

const TOKEN_BITS: u32 = 20;
const TAG_SHIFT: u32 = 22;
const _: () = assert!(limits::GGUF_ARRAY_ITEMS_MAX <= 1 << TOKEN_BITS, "every token has its bits");
const SLOTS: usize = limits::DRAFT_TABLE_BYTES / size_of::<Slot>();
const _: () = assert!(SLOTS.is_power_of_two());

/// Where a context stands in the table.
#[derive(Clone, Copy)]
struct Place {
    slot: usize,
    tag: u32,
}

/// The last tokens of a text, the last one first.
#[derive(Clone, Copy)]
struct History {
    tokens: [Token; LONGEST],
    length: usize,
}

#[derive(Clone, Copy, Default)]
struct Rate {
    right: f32,
    made: f32,
}

impl Table {
    /// Makes an empty table.
    pub fn new() -> Table {
        let usual = USUAL.as_flattened().iter();
        let mut rates = [Rate::default(); KINDS];
        for (rate, usual) in rates.iter_mut().zip(usual) {
            *rate = Rate { right: usual * USUAL_WEIGHT, made: USUAL_WEIGHT };
        }
        Table { slots: vec![Slot::default(); SLOTS].into_boxed_slice(), rates }
    }

    /// Returns the token that followed the longest known context, and which kind of guess that is.
    fn guess(&self, places: &[Option<Place>; CONTEXTS.len()]) -> Option<(Token, usize)> {
        let known = |(order, place): (usize, &Option<Place>)| {
            let place = (*place)?;
            let slot = self.slots[place.slot];
            (slot.tag() == place.tag)
                .then(|| (slot.token(), order * 4 + slot.confidence() as usize))
        };
        places.iter().enumerate().rev().find_map(known)
    }

    /// Notes which token came after the contexts.
    fn learn(&mut self, places: &[Option<Place>; CONTEXTS.len()], token: Token) {
        for place in places.iter().flatten() {
            let slot = &mut self.slots[place.slot];
            let again = slot.tag() == place.tag && slot.token() == token;
            let confidence = if again { SURE.min(slot.confidence() + 1) } else { 0 };
            *slot = Slot::new(place.tag, confidence, token);
        }
    }
}

impl Drafter {
    /// Makes a drafter for a text that begins with `prompt`.
    ///
    /// What is in the prompt can be guessed from, but how well the prompt itself could have been
    /// guessed says nothing: everybody's begins alike.
    pub fn new(prompt: &[Token], table: &mut Table) -> Drafter {
        let mut drafter = Drafter { history: History::default(), rates: [Rate::default(); KINDS] };
        for &token in prompt {
            table.learn(&drafter.history.places(), token);
            drafter.history.push(token);
        }
        drafter
    }

    /// Notes tokens the text has gained, drafted or not. Each takes four places of the table.
    pub fn extend(&mut self, tokens: &[Token], table: &mut Table) {
        for &token in tokens {
            let places = self.history.places();
            if let Some((guess, kind)) = table.guess(&places) {
                self.rates[kind].count(guess == token, OWN_MEMORY);
                table.rates[kind].count(guess == token, ALL_MEMORY);
            }
            table.learn(&places, token);
            self.history.push(token);
        }
    }

    /// Puts into `guesses` what probably comes next, at most `most` tokens of it and
    /// [`limits::DRAFT_TOKENS_MAX`]: none where the text is at a place like no other, and mostly
    /// more than are worth their rows, which `Pace::choose` decides.
    pub fn propose(&self, table: &Table, most: usize, guesses: &mut Vec<Guess>) {
        guesses.clear();
        let (mut ahead, mut chance) = (self.history, 1.0);
        while guesses.len() < most.min(limits::DRAFT_TOKENS_MAX) {
            let Some((token, kind)) = table.guess(&ahead.places()) else { return };
            chance *= self.rates[kind].weighed_with(table.rates[kind]);
            if chance < CHANCE_MIN {
                return;
            }
            guesses.push(Guess { token, chance });
            ahead.push(token);
        }
    }
}

impl Slot {
    fn new(tag: u32, confidence: u32, token: Token) -> Slot {
        Slot(tag << TAG_SHIFT | confidence << TOKEN_BITS | token as u32 & ((1 << TOKEN_BITS) - 1))
    }

    fn token(self) -> Token {
        (self.0 & ((1 << TOKEN_BITS) - 1)) as Token
    }

    fn confidence(self) -> u32 {
        self.0 >> TOKEN_BITS & SURE
    }

    fn tag(self) -> u32 {
        self.0 >> TAG_SHIFT
    }
}

impl Default for History {
    fn default() -> History {
        History { tokens: [0; LONGEST], length: 0 }
    }
}

impl History {
    fn push(&mut self, token: Token) {
        self.tokens.copy_within(..LONGEST - 1, 1);
        self.tokens[0] = token;
        self.length += 1;
    }

    /// Returns where each context stands, none where the text is shorter.
    fn places(&self) -> [Option<Place>; CONTEXTS.len()] {
        let (mut hash, mut hashed) = (1_u64, 0);
        CONTEXTS.map(|tokens| {
            while hashed < tokens {
                // Fibonacci hashing (Knuth, volume 3, 6.4): the high bits depend on all below.
                hash = (hash.rotate_left(23) ^ self.tokens[hashed] as u64)
                    .wrapping_mul(0x9E37_79B9_7F4A_7C15);
                hashed += 1;
            }
            let slot = (hash >> (64 - SLOTS.ilog2())) as usize;
            // An empty slot has tag 0, which no context has.
            let tag = (hash >> 20) as u32 % ((1 << (32 - TAG_SHIFT)) - 1) + 1;
            (tokens <= self.length).then_some(Place { slot, tag })
        })
    }
}

impl Rate {
    fn count(&mut self, right: bool, memory: f32) {
        let keep = (memory / (self.made + 1.0)).min(1.0);
        self.right = self.right * keep + f32::from(u8::from(right));
        self.made = self.made * keep + 1.0;
    }

    /// Returns the rate, where little is counted that of `all`.
    fn weighed_with(self, all: Rate) -> f32 {
        let usual = all.right / all.made;
        (self.right + USUAL_WEIGHT * usual) / (self.made + USUAL_WEIGHT)
    }
}
