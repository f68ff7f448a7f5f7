//! The results of an attempt: pieces of text, the outcome, the figures.

use serde::{Deserialize, Serialize};

use super::error::Error;

/// A token of the model's vocabulary, by its index there, as llama.cpp numbers it (`llama_token`).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[repr(transparent)]
pub struct Token(pub i32);

impl Token {
    /// Returns the token at `index` of the vocabulary, of which every index is below 2^31.
    pub const fn at(index: usize) -> Token {
        Token(index as i32)
    }

    /// Makes tokens of their numbers.
    #[cfg(test)]
    pub(crate) fn all<const N: usize>(numbers: [i32; N]) -> [Token; N] {
        numbers.map(Token)
    }

    /// Returns the token's index in the vocabulary and in a row of logits.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The part of an attempt a piece of text belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Part {
    /// Between `<think>` and `</think>`.
    Thinking,
    /// Everything outside the thinking.
    Answer,
}

/// Text an attempt produced, in whole characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// The part of the attempt the text belongs to.
    pub part: Part,
    /// The text, never empty.
    pub text: String,
}

/// How the engine ended an attempt's thinking. Journals hold the variant's index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Closing {
    /// The engine has not ended it.
    #[default]
    None,
    /// With the closing tag.
    Tag,
    /// With the closing tag and the beginning of the answer, up to the open brace of its box.
    TagAndBox,
}

/// What an attempt gained in one step. The tokens make the attempt resumable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Delta {
    /// Tokens drawn, in order, including an end token.
    pub tokens: Vec<Token>,
    /// Whether and how the engine then ended the thinking by inserting tokens of its own.
    pub closing: Closing,
    /// The text these tokens completed; text that a later token could still change is held back.
    pub pieces: Vec<Piece>,
    /// The attempt's times up to this step.
    #[serde(skip)]
    pub taken: AttemptProgress,
}

/// The times and the probability of an attempt so far: what its tokens alone do not show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AttemptProgress {
    /// Duration of the prefill, as [`Figures::prompt_seconds`].
    pub prompt_seconds: f32,
    /// Time to the first token, as [`Figures::first_token_seconds`].
    pub first_token_seconds: f32,
    /// Duration of the decoding, as [`Figures::decode_seconds`].
    pub decode_seconds: f32,
    /// Sum of the drawn tokens' log-probabilities; 0 if attempts are not compared.
    pub log_probability: f32,
}

/// How a job or an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The model ended the answer, or a stop string did.
    Done,
    /// The token budget or the context was used up.
    Budget,
    /// The user stopped it or disconnected.
    Stopped,
    /// An error prevented an answer.
    Failed(Error),
}

impl Outcome {
    /// Returns the outcome's name in JSON and logs.
    pub fn name(&self) -> &'static str {
        match self {
            Outcome::Done => "done",
            Outcome::Budget => "budget",
            Outcome::Stopped => "stopped",
            Outcome::Failed(_) => "failed",
        }
    }

    /// Returns the state of a job with this outcome, for JSON; a job that used up its budget is
    /// done.
    pub fn state(&self) -> &'static str {
        match self {
            Outcome::Done | Outcome::Budget => "done",
            Outcome::Stopped => "stopped",
            Outcome::Failed(_) => "failed",
        }
    }
}

/// Token counts, times and probability of an attempt. Times are wall-clock seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Tokens in the rendered prompt.
    pub prompt_tokens: u32,
    /// Tokens generated, including inserted ones and the end token.
    pub completion_tokens: u32,
    /// Tokens generated within the thinking.
    pub thinking_tokens: u32,
    /// Whether the budget, the user or a loop cut the thinking short before the answer.
    pub thinking_was_cut_off: bool,
    /// Seconds from the start of the prefill to the first token.
    pub prompt_seconds: f64,
    /// Seconds from the first token to the last.
    pub decode_seconds: f64,
    /// Seconds from submitting to the first token, including the wait in the queue.
    pub first_token_seconds: f64,
    /// Mean natural logarithm of the drawn tokens' probabilities under the model's unmodified
    /// logits; 0 if attempts are not compared.
    pub mean_log_probability: f64,
}

impl Figures {
    /// Returns the prefill speed in tokens/s; 0 if nothing was decoded.
    pub fn prompt_tokens_per_second(&self) -> f64 {
        rate(f64::from(self.prompt_tokens), self.prompt_seconds)
    }

    /// Returns the decode speed in tokens/s, over the tokens after the first; 0 if there are none.
    pub fn tokens_per_second(&self) -> f64 {
        rate(f64::from(self.completion_tokens.saturating_sub(1)), self.decode_seconds)
    }
}

fn rate(count: f64, seconds: f64) -> f64 {
    if seconds > 0.0 { count / seconds } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_without_tokens_are_zero() {
        assert_eq!(Figures::default().tokens_per_second(), 0.0);
        let figures = Figures { completion_tokens: 11, decode_seconds: 2.0, ..Figures::default() };
        assert_eq!(figures.tokens_per_second(), 5.0);
    }
}
