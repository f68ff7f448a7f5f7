//! What comes back: pieces of text, how it ended, and the figures.

use serde::{Deserialize, Serialize};

use super::error::Error;

/// A token of the model's vocabulary.
pub type Token = i32;

/// Which part of an attempt a piece of text belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Part {
    /// Between `<think>` and `</think>`.
    Thinking,
    /// Everything else: what was asked for.
    Answer,
}

/// Text an attempt gained, whole characters only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// Where it belongs.
    pub part: Part,
    /// The text; never empty.
    pub text: String,
}

/// What an attempt gained in one step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Delta {
    /// Tokens it drew, in order, its end token counted: from them it can be gone on with.
    pub tokens: Vec<Token>,
    /// Whether the engine then ended its thinking, with tokens of its own.
    pub closed_thinking: bool,
    /// The text that became known by that; what could still turn out otherwise comes later.
    pub pieces: Vec<Piece>,
    /// What it had taken by then, in all.
    #[serde(skip)]
    pub taken: AttemptProgress,
}

/// What an attempt has taken so far, as far as its tokens do not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AttemptProgress {
    /// As [`Figures::prompt_seconds`].
    pub prompt_seconds: f32,
    /// As [`Figures::first_token_seconds`].
    pub first_token_seconds: f32,
    /// As [`Figures::decode_seconds`].
    pub decode_seconds: f32,
    /// Sum of the drawn tokens' log-probabilities; 0 where attempts are not compared.
    pub log_probability: f32,
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The model finished by itself, or a stop string did.
    Done,
    /// The token budget, or the room in the context, ran out.
    Budget,
    /// A person stopped it or left.
    Stopped,
    /// It could not be answered.
    Failed(Error),
}

impl Outcome {
    /// Returns its name, for programs.
    pub fn name(&self) -> &'static str {
        match self {
            Outcome::Done => "done",
            Outcome::Budget => "budget",
            Outcome::Stopped => "stopped",
            Outcome::Failed(_) => "failed",
        }
    }

    /// Returns the state of a job that ended so, for programs: one without budget left is done too.
    pub fn state(&self) -> &'static str {
        match self {
            Outcome::Done | Outcome::Budget => "done",
            Outcome::Stopped => "stopped",
            Outcome::Failed(_) => "failed",
        }
    }
}

/// What an attempt took. Times are wall-clock seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Tokens of the rendered prompt.
    pub prompt_tokens: u32,
    /// Tokens generated, injected ones and the end token counted.
    pub completion_tokens: u32,
    /// Those of them that were thinking.
    pub thinking_tokens: u32,
    /// Whether the budget or a person ended the thinking, so that the answer is what was known by
    /// then.
    pub thinking_was_cut_off: bool,
    /// Seconds from the start of the prompt's decoding to the first token.
    pub prompt_seconds: f64,
    /// Seconds from the first token to the last.
    pub decode_seconds: f64,
    /// Seconds from asking to the first token, waiting in line included.
    pub first_token_seconds: f64,
    /// Mean natural logarithm of the drawn tokens' probabilities, under the model's own logits; 0
    /// where attempts are not compared.
    pub mean_log_probability: f64,
}

impl Figures {
    /// Returns prompt tokens per second, 0 where nothing was decoded.
    pub fn prompt_tokens_per_second(&self) -> f64 {
        rate(f64::from(self.prompt_tokens), self.prompt_seconds)
    }

    /// Returns decoded tokens per second over the tokens after the first, 0 where there are none.
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
    fn rates_of_nothing_are_zero() {
        assert_eq!(Figures::default().tokens_per_second(), 0.0);
        let figures = Figures { completion_tokens: 11, decode_seconds: 2.0, ..Figures::default() };
        assert_eq!(figures.tokens_per_second(), 5.0);
    }
}
