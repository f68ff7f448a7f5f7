//! The modes as JSON, for people who choose one.
//!
//! `GET /api/modes` returns it. `/v1/models` lists the same modes in OpenAI's shape
//! (`http/openai`).

use serde_json::{Value, json};

use crate::types::mode::{DEFAULT_MODE, Mode, Modes, Reads, Voting};
use crate::types::plan::Plan;

/// Returns all modes, in the order in which they are shown, and what `plan` says about the model.
pub(crate) fn list(modes: &Modes, plan: &Plan) -> Value {
    let modes: Vec<Value> = modes.iter().map(|mode| shape(mode)).collect();
    json!({
        "modes": modes,
        "is_demo": plan.model.is_built_in(),
        "question_tokens_max": plan.question_tokens_max,
    })
}

fn shape(mode: &Mode) -> Value {
    json!({
        "name": mode.name,
        "about": mode.about,
        "is_default": mode.name == DEFAULT_MODE,
        "votes": mode.voting == Voting::ByValue,
        "attempts": mode.attempts,
        "budget_tokens": mode.budget_tokens,
        "student_attempt": mode.reads == Reads::StudentAttempt,
        "is_supported": mode.presentation.is_supported,
        "examples": mode.presentation.examples,
    })
}
