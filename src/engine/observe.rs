//! What an observer of the engine gets: each token as it is drawn. Only tests attach one, to compare
//! runs token by token; without an observer nothing here costs more than a look at an `Option`.

use super::Token;
use crate::types::job::AttemptId;

/// A token the engine drew, sent before any event that follows from it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Draw {
    /// The attempt it was drawn for.
    pub attempt: AttemptId,
    /// The token drawn, the end of a generation included.
    pub token: Token,
    /// The token that came second; only where the likeliest one is always drawn.
    pub runner_up: Option<RunnerUp>,
}

/// The second likeliest token of a greedy choice. Where two runs part, it tells a tie from a fault.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RunnerUp {
    /// The token.
    pub token: Token,
    /// How far its logit is below that of the token drawn, penalties applied.
    pub behind: f32,
}
