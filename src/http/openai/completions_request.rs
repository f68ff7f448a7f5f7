//! The request of `POST /v1/completions`, read into a question.
//!
//! The box has chat models, which answer and do not continue a text: the prompt is the question of
//! the mode. Editors' inline edits, which put their instruction into the prompt, work with that.

use serde_json::Value;

use super::v1_request::{Conversation, EXAMPLE, V1Request, read};
use crate::api::fields::{Fields, wrong};
use crate::http::job_request::REMEDY;
use crate::types::error::Error;
use crate::types::mode::Modes;

/// Reads a request body; returns the request and the text with which each answer begins, which is
/// the prompt if the client wants it echoed.
///
/// # Errors
/// `bad_request` whose message starts with the field's name; `not_found` for an unknown mode.
pub fn parse(body: &[u8], modes: &Modes) -> Result<(V1Request, String), Error> {
    let fields = Fields::of_body(body, EXAMPLE, REMEDY)?;
    if fields.string("suffix")?.is_some_and(|suffix| !suffix.is_empty()) {
        let remedy = "Leave it out, and say in the prompt the text before and after the gap.";
        return Err(wrong("suffix", "not supported", remedy));
    }
    // 0 asks for the log probabilities of the text itself.
    if fields.get("logprobs").is_some_and(|logprobs| *logprobs != false) {
        return Err(wrong("logprobs", "not supported", "Leave the field out."));
    }
    if fields.get("best_of").is_some() && fields.u32("best_of")? != fields.u32("n")?.or(Some(1)) {
        let remedy = "Leave it out, or send attempts for a vote.";
        return Err(wrong("best_of", "not supported", remedy));
    }
    let question = prompt(&fields)?;
    let echoed = match fields.flag("echo")? {
        Some(true) => question.clone(),
        Some(false) | None => String::new(),
    };
    let conversation = Conversation { question, ..Conversation::default() };
    Ok((read(&fields, modes, conversation, &["max_tokens"])?, echoed))
}

fn prompt(fields: &Fields) -> Result<String, Error> {
    let must = |cause: &str, remedy: &str| Err(wrong("prompt", cause, remedy));
    match fields.get("prompt") {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Array(list)) => match list.as_slice() {
            [Value::String(text)] => Ok(text.clone()),
            [Value::String(_), ..] => {
                must("only one is answered at a time", "Send a request for each prompt.")
            }
            _ => must("tokens are not supported", "Send the prompt as a string."),
        },
        Some(_) => must("must be a string", REMEDY),
        None => must("missing", "Send {\"prompt\": \"your question\"}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::job::Choices;
    use serde_json::json;

    fn with(extra: Value) -> Result<(V1Request, String), Error> {
        let mut body = json!({"prompt": "2+2?"});
        for (name, value) in extra.as_object().unwrap() {
            body[name] = value.clone();
        }
        parse(body.to_string().as_bytes(), &Modes::built_in())
    }

    #[test]
    fn the_prompt_is_the_question_of_the_mode() {
        let (ask, echoed) = with(json!({"max_tokens": 7, "n": 2, "best_of": 2})).unwrap();
        assert_eq!(ask.question.turns[0].text, "2+2?");
        assert_eq!(ask.question.system, ask.question.mode.system);
        assert_eq!((ask.question.budget_tokens, ask.question.choices), (7, Choices::All));
        assert_eq!(echoed, "");
        let unused = json!({"prompt": ["3+3?"], "suffix": "", "logprobs": null, "echo": true});
        assert_eq!(with(unused).unwrap().1, "3+3?");
    }

    #[test]
    fn a_field_that_cannot_be_served_is_named() {
        for (extra, named) in [
            (json!({"prompt": null}), "prompt: missing"),
            (json!({"prompt": ["a", "b"]}), "prompt: only one"),
            (json!({"prompt": [1, 2]}), "prompt: tokens"),
            (json!({"prompt": [[1, 2]]}), "prompt: tokens"),
            (json!({"prompt": []}), "prompt:"),
            (json!({"prompt": 5}), "prompt:"),
            (json!({"suffix": "}"}), "suffix:"),
            (json!({"logprobs": 0}), "logprobs:"),
            (json!({"best_of": 3}), "best_of:"),
            (json!({"n": 17}), "n: 17 is too many"),
            (json!({"echo": "yes"}), "echo:"),
            (json!({"max_tokens": 0}), "max_tokens:"),
        ] {
            let error = with(extra.clone()).unwrap_err();
            assert!(error.message.starts_with(named), "{extra}: {error}");
        }
    }
}
