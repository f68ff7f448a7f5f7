//! The pages' fixed texts in English.

use super::{Language, Phrases};
use crate::types::error::Kind;

/// The texts for all other browsers.
pub static PHRASES: Phrases = Phrases {
    language: Language::English,
    tag: "en",
    intro: "Ask a mathematics or programming question; this box answers it by itself.",
    full_page: "To the full page, for newer browsers",
    demo: "Demo model: school arithmetic only. The owner of this box can install VibeThinker, \
           which solves far more.",
    model_loads: "The model is loading. You can ask already: your question waits in line.",
    warning: "Answers come from a language model and can be wrong: check each step.",
    question: "Your question",
    work: "Your own work, if the mode reads it",
    own_work: "Your own work",
    mode: "Mode",
    attempts: "How sure?",
    usual_attempts: "as the mode does it",
    ask: "Ask",
    no_question: "Type a question first.",
    no_work: "Write down your own work first: this mode reads it.",
    continued: "This question goes on from an earlier answer.",
    yours: "Your questions",
    none_yet: "You have asked nothing yet.",
    older: "Older questions",
    is_queued: "waiting",
    is_running: "being answered",
    is_done: "answered",
    is_stopped: "stopped",
    is_failed: "failed",
    ask_another: "Ask another question",
    earlier: "Before",
    waits_for_model: "In line until the model is loaded.",
    is_next: "In line: yours is next.",
    reads: "Reading your question …",
    thinks: "Thinking …",
    answers: "Answering …",
    is_interrupted: "The box is being switched off. It goes on with your question when it is back.",
    answered: "Answered.",
    stopped: "Stopped.",
    is_cut_off: "Cut off: an answer may not get longer than this.",
    value: "Answer",
    thinking: "Thinking",
    first_thinking: "Thinking of the first attempt",
    keep_open: "Keep the thinking unfolded",
    look_again: "Look again now",
    answer_now: "Answer now",
    stop: "Stop",
    delete: "Delete",
    delete_for_good: "Delete question and answer for good",
    go_on: "Go on from this answer",
    go_on_button: "Go on",
    failed: "That did not work",
    back: "To your questions",
    error,
    about,
};

fn error(kind: Kind) -> &'static str {
    match kind {
        Kind::BadRequest => "The box cannot use this as it is.",
        Kind::TooLong => "This is too long.",
        Kind::NotFound => {
            "There is nothing here for this browser. A question belongs to the browser that asked \
             it."
        }
        Kind::TooMany => {
            "You have as many questions in line as one browser may have. Wait until one is \
             answered."
        }
        Kind::Busy => "Too many are asking right now. Please try again soon.",
        Kind::Conflict => "This form was sent before, with other words. Open the page again.",
        Kind::Stopped => "The box is being switched off. Ask again when it is back.",
        Kind::Unauthorized => "The box does not know this browser. Open the page again.",
        Kind::Forbidden => {
            "The box did not accept this. Nothing was asked and nothing was changed."
        }
        Kind::Misdirected => "This box does not go by that name. Open it by its address.",
        Kind::NoSpace => {
            "The box's disk is full, so it takes no more questions. Please tell the person who \
             looks after it."
        }
        Kind::Internal | Kind::NoModel | Kind::BadModel | Kind::NoMemory | Kind::Environment => {
            "The box has a fault. Please tell the person who looks after it."
        }
    }
}

fn about(_: &str) -> Option<&'static str> {
    None
}
