//! Observation of the engine: each token as it is drawn. Only tests attach an observer, to compare
//! runs token by token; without one, the cost is the check of an `Option`.

use crate::types::answer::Token;
use crate::types::job::AttemptId;

/// A token the engine drew, sent before any event that follows from it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Draw {
    /// The attempt it was drawn for.
    pub attempt: AttemptId,
    /// The token drawn, the end of a generation included.
    pub token: Token,
    /// The second likeliest token; only at temperature 0.
    pub runner_up: Option<RunnerUp>,
}

/// The second likeliest token of a greedy choice. If two runs differ, it distinguishes a tie from a
/// fault.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RunnerUp {
    /// The token that came second.
    pub token: Token,
    /// How far its logit is below that of the token drawn, penalties applied.
    pub behind: f32,
}
