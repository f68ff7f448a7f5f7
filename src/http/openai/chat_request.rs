//! The request of `POST /v1/chat/completions`, read into a question.
//!
//! Field names and meanings follow OpenAI's API reference for chat completions.

use serde_json::Value;

use super::v1_request::{
    Conversation, EXAMPLE, MessageList, V1Request, content, read, refuse, refuse_tools,
};
use crate::api::fields::{Fields, wrong};
use crate::http::job_request::REMEDY;
use crate::types::error::Error;
use crate::types::mode::Modes;

/// Reads a request body.
///
/// # Errors
/// `bad_request` whose message starts with the field's name; `not_found` for an unknown mode.
pub fn parse(body: &[u8], modes: &Modes) -> Result<V1Request, Error> {
    let fields = Fields::of_body(body, EXAMPLE, REMEDY)?;
    refuse_tools(&fields)?;
    refuse(&fields, &["functions", "logprobs", "top_logprobs"], "Leave the field out.")?;
    let format = fields.get("response_format");
    if format.is_some_and(|format| format.get("type").is_none_or(|kind| kind != "text")) {
        return Err(wrong("response_format", "only text is supported", "Leave the field out."));
    }
    let conversation = conversation(&fields)?;
    read(&fields, modes, conversation, &["max_tokens", "max_completion_tokens"])
}

fn conversation(fields: &Fields) -> Result<Conversation, Error> {
    let list = fields.get("messages").and_then(Value::as_array);
    let Some(list) = list.filter(|list| !list.is_empty()) else {
        let remedy = "Send [{\"role\": \"user\", \"content\": \"your question\"}].";
        return Err(wrong("messages", "must be a list with at least one message", remedy));
    };
    let mut messages = MessageList::default();
    for (at, message) in list.iter().enumerate() {
        let name = format!("messages[{at}]");
        let role = message.get("role").and_then(Value::as_str);
        let said = message.get("content").filter(|content| !content.is_null());
        // An assistant that only called tools has written nothing.
        let text = match (role, said) {
            (Some("assistant"), None) => String::new(),
            _ => content(said, &format!("{name}.content"), &["text"])?,
        };
        messages.add(role, text, &name)?;
    }
    messages.end("messages")
}

#[cfg(test)]
mod tests {
    use super::super::v1_request::Delivery;
    use super::*;
    use crate::types::error::Kind;
    use crate::types::job::{Choices, Ending, Question};
    use crate::types::limits;
    use serde_json::json;

    fn with(extra: Value) -> Result<V1Request, Error> {
        with_modes(&extra, &Modes::built_in())
    }

    fn with_modes(extra: &Value, modes: &Modes) -> Result<V1Request, Error> {
        let mut body = json!({"messages": [{"role": "user", "content": "2+2?"}]});
        for (name, value) in extra.as_object().unwrap() {
            body[name] = value.clone();
        }
        parse(body.to_string().as_bytes(), modes)
    }

    #[test]
    fn unknown_models_mean_the_default_mode_and_unknown_modes_are_not_found() {
        let mode =
            |model: Value| with(json!({"model": model})).map(|ask| ask.question.mode.name.clone());
        for model in [json!(null), json!("solverbox"), json!("gpt-4o"), json!("")] {
            assert_eq!(mode(model).unwrap(), "math");
        }
        assert_eq!(mode(json!("solverbox:code")).unwrap(), "code");
        assert_eq!(mode(json!("solverbox:chess")).unwrap_err().kind, Kind::NotFound);
    }

    #[test]
    fn fields_change_what_they_name() {
        let ask = with(json!({
            "temperature": 0, "top_p": 0.5, "seed": -1, "stop": ["a", "b"], "stream": true,
            "max_tokens": 5, "max_completion_tokens": 7, "ignore_eos": true, "n": 1,
            "tools": [], "logprobs": false, "response_format": {"type": "text"}, "user": "x",
            "stream_options": {"include_usage": true}
        }))
        .unwrap();
        let q = &ask.question;
        assert_eq!((q.sampling.temperature, q.sampling.top_p, q.seed), (0.0, 0.5, u64::MAX));
        assert_eq!((q.budget_tokens, q.ending), (7, Ending::Budget));
        assert_eq!(q.stops, ["a", "b"]);
        assert_eq!(ask.delivery, Delivery::StreamWithUsage);
    }

    #[test]
    fn n_is_the_number_of_choices_and_attempts_that_of_the_votes_for_one() {
        let mut own = Modes::built_in();
        own.extend("[[mode]]\nname='math'\nattempts=5", "own.toml").unwrap();
        let cases = [
            (json!({}), (5, Choices::Voted)),
            (json!({"n": 1}), (5, Choices::Voted)),
            (json!({"n": 1, "attempts": 3}), (3, Choices::Voted)),
            (json!({"attempts": 1}), (1, Choices::Voted)),
            (json!({"attempts": 16, "n": null}), (16, Choices::Voted)),
            (json!({"n": 2}), (2, Choices::All)),
            (json!({"n": 16, "attempts": 1}), (16, Choices::All)),
            (json!({"n": 4, "model": "solverbox:hint"}), (4, Choices::All)),
        ];
        for (extra, expected) in cases {
            let question = with_modes(&extra, &own).unwrap().question;
            assert_eq!((question.attempts, question.choices), expected, "{extra}");
        }
    }

    #[test]
    fn what_clients_send_out_of_habit_is_understood() {
        let tools = json!([{"type": "function"}]);
        assert!(with(json!({"tools": tools, "tool_choice": "none", "n": 1.0, "top_p": 0})).is_ok());
        let floats = with(json!({"seed": 1.0, "max_tokens": 5.0, "attempts": 2.0})).unwrap();
        let Question { seed, budget_tokens, attempts, .. } = floats.question;
        assert_eq!((seed, budget_tokens, attempts), (1, 5, 2));
        let most = with(json!({"max_tokens": 1_000_000_000_000_u64})).unwrap();
        assert_eq!(most.question.budget_tokens, limits::BUDGET_TOKENS_MAX);
        let messages = json!([
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": null},
            {"role": "user", "content": "b"},
        ]);
        assert_eq!(with(json!({"messages": messages})).unwrap().question.turns[1].text, "");
        let unlimited = json!({"max_tokens": -1, "top_logprobs": 0, "seed": 42.0});
        let mode = with(json!({})).unwrap().question.budget_tokens;
        assert_eq!(with(unlimited).unwrap().question.budget_tokens, mode);
        let messages = json!([
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "<think>\nlong\n</think>\n\n5", "reasoning": "long"},
            {"role": "user", "content": "b"},
        ]);
        assert_eq!(with(json!({"messages": messages})).unwrap().question.turns[1].text, "5");
        let messages = json!([{"role": "tool", "content": "5"}, {"role": "user", "content": "b"}]);
        let error = with(json!({"messages": messages})).unwrap_err();
        assert!(error.message.contains("tools are not supported"), "{error:?}");
    }

    #[test]
    fn a_system_message_replaces_the_modes_and_parts_are_joined() {
        let messages = json!([
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "1+1?"},
            {"role": "assistant", "content": "2"},
            {"role": "user", "content": [
                {"type": "text", "text": "and "}, {"type": "text", "text": "2+2?"},
            ]},
        ]);
        let question = with(json!({"messages": messages})).unwrap().question;
        assert_eq!(question.system, "Be brief.");
        assert_eq!(question.turns.len(), 3);
        assert_eq!(question.turns[2].text, "and 2+2?");
    }

    #[test]
    fn a_bad_field_is_named() {
        for (extra, named) in [
            (json!({"messages": null}), "messages:"),
            (json!({"messages": []}), "messages:"),
            (json!({"messages": ["x"]}), "messages[0].content:"),
            (json!({"messages": [{"role": "tool", "content": "x"}]}), "messages[0].role:"),
            (json!({"messages": [{"role": "assistant", "content": "x"}]}), "messages:"),
            (
                json!({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}),
                "messages[0].content[0]:",
            ),
            (json!({"temperature": "hot"}), "temperature:"),
            (json!({"temperature": 99}), "temperature:"),
            (json!({"top_p": -0.1}), "top_p:"),
            (json!({"seed": 1.5}), "seed:"),
            (json!({"max_tokens": 0}), "max_tokens:"),
            (json!({"max_completion_tokens": -3}), "max_completion_tokens:"),
            (json!({"stop": 5}), "stop:"),
            (json!({"stop": ["a", "b", "c", "d", "e"]}), "stop:"),
            (json!({"stop": ""}), "stop:"),
            (json!({"tools": [{"type": "function"}]}), "tools:"),
            (json!({"logprobs": true}), "logprobs:"),
            (json!({"response_format": {"type": "json_object"}}), "response_format:"),
            (json!({"response_format": "json"}), "response_format:"),
            (json!({"n": 0}), "n:"),
            (json!({"n": 17}), "n: 17 is too many, at most 16"),
            (json!({"n": 1.5}), "n:"),
            (json!({"n": "2"}), "n:"),
            (json!({"n": 2, "attempts": 3}), "n: a vote of 3 attempts"),
            (json!({"attempts": 1e99}), "attempts:"),
            (json!({"attempts": -1}), "attempts:"),
            (json!({"attempts": 2, "model": "solverbox:hint"}), "attempts: mode 'hint'"),
            (json!({"stream": "yes"}), "stream:"),
            (json!({"model": 5}), "model:"),
            (json!({"attempt_of_student": "x"}), "mode 'math' does not read"),
        ] {
            let error = with(extra.clone()).unwrap_err();
            assert!(error.message.starts_with(named), "{extra}: {error}");
        }
    }
}
