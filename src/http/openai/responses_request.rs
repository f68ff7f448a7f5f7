//! The request of `POST /v1/responses`, read into a question.
//!
//! Field names and meanings follow OpenAI's API reference for responses; `seed` and `stop`, which
//! it lacks, are those of chat completions. The box keeps no responses: a client sends the whole
//! conversation, or `previous`.

use serde_json::{Value, json};

use super::responses::EchoedSettings;
use super::v1_request::{
    Conversation, EXAMPLE, MessageList, V1Request, content, no_tool_results, read, refuse,
    refuse_tools,
};
use crate::api::fields::{Fields, wrong};
use crate::http::job_request::REMEDY;
use crate::types::error::Error;
use crate::types::mode::Modes;

/// Reads a request body; returns the request, and the settings that its response repeats.
///
/// # Errors
/// `bad_request` whose message starts with the field's name; `not_found` for an unknown mode.
pub fn parse(body: &[u8], modes: &Modes) -> Result<(V1Request, EchoedSettings), Error> {
    let fields = Fields::of_body(body, EXAMPLE, REMEDY)?;
    refuse_unserved(&fields)?;
    fields.flag("store")?;
    let conversation = conversation(&fields)?;
    let request = read(&fields, modes, conversation, &["max_output_tokens"])?;
    let echoed = |name| fields.get(name).cloned().unwrap_or_default();
    let settings = EchoedSettings {
        instructions: echoed("instructions"),
        metadata: object(&fields, "metadata")?,
        max_output_tokens: echoed("max_output_tokens"),
        reasoning: object(&fields, "reasoning")?,
    };
    Ok((request, settings))
}

fn refuse_unserved(fields: &Fields) -> Result<(), Error> {
    refuse_tools(fields)?;
    let remedy = "Send the whole conversation in input, or previous with the `solverbox.job` of \
                  the earlier answer.";
    refuse(fields, &["previous_response_id", "conversation"], remedy)?;
    refuse(fields, &["prompt"], "Send the text in instructions and input.")?;
    let remedy = "Leave it out; with `durable: true` the answer is also kept as a job.";
    refuse(fields, &["background"], remedy)?;
    refuse(fields, &["top_logprobs", "moderation"], "Leave the field out.")?;
    if fields.u32("n")?.is_some_and(|n| n > 1) {
        let remedy = "Send attempts for a vote, or use /v1/chat/completions.";
        return Err(wrong("n", "a response has one answer", remedy));
    }
    // The others ask for data of tools, or for thinking in a form that only OpenAI can read.
    let included = fields.get("include").and_then(Value::as_array);
    if included.is_some_and(|list| list.iter().any(|name| *name == "message.output_text.logprobs"))
    {
        let remedy = "Leave message.output_text.logprobs out.";
        return Err(wrong("include", "log probabilities are not supported", remedy));
    }
    let format = fields.get("text").and_then(|text| text.get("format"));
    let format = format.filter(|format| !format.is_null());
    if format.is_some_and(|format| format.get("type").is_none_or(|kind| kind != "text")) {
        return Err(wrong("text.format", "only text is supported", "Leave the field out."));
    }
    Ok(())
}

fn conversation(fields: &Fields) -> Result<Conversation, Error> {
    let mut messages = MessageList::default();
    // Clients that have none send an empty text, which must not replace the mode's own.
    if let Some(instructions) = fields.string("instructions")?.filter(|text| !text.is_empty()) {
        messages.add(Some("system"), instructions.into(), "instructions")?;
    }
    match fields.get("input") {
        Some(Value::String(text)) => messages.add(Some("user"), text.clone(), "input")?,
        Some(Value::Array(items)) if !items.is_empty() => {
            for (at, item) in items.iter().enumerate() {
                add_item(&mut messages, item, &format!("input[{at}]"))?;
            }
        }
        _ => {
            let remedy = "Send {\"input\": \"your question\"}.";
            return Err(wrong("input", "must be a string or a list of messages", remedy));
        }
    }
    messages.end("input")
}

/// Adds one item of the input; the thinking of earlier answers, which clients send back, is
/// dropped.
fn add_item(messages: &mut MessageList, item: &Value, name: &str) -> Result<(), Error> {
    let kind = item.get("type").filter(|kind| !kind.is_null());
    match kind.map(|kind| kind.as_str().unwrap_or_default()) {
        None | Some("message") => {
            let kinds = ["input_text", "output_text", "text"];
            let text = content(item.get("content"), &format!("{name}.content"), &kinds)?;
            messages.add(item.get("role").and_then(Value::as_str), text, name)
        }
        Some("reasoning") => Ok(()),
        Some("item_reference") => {
            let remedy = "Send the item itself: the box keeps no responses.";
            Err(wrong(name, "references are not supported", remedy))
        }
        Some(kind) if kind.contains("call") || kind.contains("tool") => Err(no_tool_results(name)),
        Some(_) => {
            let remedy = "Send messages with role and content.";
            Err(wrong(&format!("{name}.type"), "unknown type of item", remedy))
        }
    }
}

/// Returns an object that the response repeats; an empty one if the request has none.
fn object(fields: &Fields, name: &str) -> Result<Value, Error> {
    match fields.get(name) {
        None => Ok(json!({})),
        Some(object @ Value::Object(_)) => Ok(object.clone()),
        Some(_) => Err(fields.wrong(name, "must be an object")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::responses::ThinkingField;
    use super::super::v1_request::Delivery;
    use super::*;
    use crate::types::job::Role;

    fn with(extra: Value) -> Result<(V1Request, EchoedSettings), Error> {
        let mut body = json!({"input": "2+2?"});
        for (name, value) in extra.as_object().unwrap() {
            body[name] = value.clone();
        }
        parse(body.to_string().as_bytes(), &Modes::built_in())
    }

    #[test]
    fn input_is_a_question_or_a_conversation() {
        let question = with(json!({})).unwrap().0.question;
        assert_eq!(question.turns[0].text, "2+2?");
        assert_eq!(question.system, question.mode.system);
        let input = json!([
            {"role": "developer", "content": "In words."},
            {"role": "user", "content": [{"type": "input_text", "text": "2+2?"}]},
            {"type": "reasoning", "id": "rs_1", "summary": []},
            {"type": "message", "role": "assistant", "id": "msg_1", "status": "completed",
             "content": [{"type": "output_text", "text": "<think>2</think>4", "annotations": []}]},
            {"role": "user", "content": "Sure?"},
        ]);
        let question = with(json!({"input": input, "instructions": "Be brief."}));
        let question = question.unwrap().0.question;
        assert_eq!(question.system, "Be brief.\n\nIn words.");
        let turns: Vec<_> = question.turns.iter().map(|t| (t.role, t.text.as_str())).collect();
        let expected = [(Role::User, "2+2?"), (Role::Assistant, "4"), (Role::User, "Sure?")];
        assert_eq!(turns, expected);
    }

    #[test]
    fn fields_that_change_nothing_are_taken() {
        let (ask, settings) = with(json!({
            "stream": true, "store": true, "tools": [], "include": ["reasoning.encrypted_content"],
            "text": {"format": {"type": "text"}, "verbosity": "low"}, "background": false,
            "previous_response_id": null, "truncation": "auto", "max_output_tokens": 9,
            "stream_options": {"include_obfuscation": false}, "metadata": {"a": "b"},
            "reasoning": {"effort": "low", "summary": "auto"}, "seed": 1, "stop": "x",
        }))
        .unwrap();
        assert_eq!((ask.delivery, ask.question.budget_tokens), (Delivery::Stream, 9));
        assert_eq!((ask.question.seed, ask.question.stops), (1, vec!["x".to_string()]));
        assert_eq!(settings.metadata, json!({"a": "b"}));
        assert_eq!(settings.thinking(), ThinkingField::Summary);
        assert_eq!(with(json!({})).unwrap().1.thinking(), ThinkingField::Content);
    }

    #[test]
    fn a_field_that_cannot_be_served_is_named() {
        let user = |part: Value| json!({"input": [{"role": "user", "content": [part]}]});
        for (extra, named) in [
            (json!({"input": null}), "input:"),
            (json!({"input": []}), "input:"),
            (json!({"input": [{"role": "assistant", "content": "x"}]}), "input:"),
            (json!({"input": [{"role": "poet", "content": "x"}]}), "input[0].role:"),
            (json!({"input": [{"role": "user"}]}), "input[0].content:"),
            (user(json!({"type": "input_image"})), "input[0].content[0]: only text"),
            (json!({"input": [{"type": "function_call_output"}]}), "input[0]: tools"),
            (json!({"input": [{"type": "item_reference", "id": "x"}]}), "input[0]: references"),
            (json!({"input": [{"type": "compaction"}]}), "input[0].type:"),
            (json!({"tools": [{"type": "web_search"}]}), "tools:"),
            (json!({"previous_response_id": "resp_1"}), "previous_response_id:"),
            (json!({"conversation": "conv_1"}), "conversation:"),
            (json!({"prompt": {"id": "x"}}), "prompt:"),
            (json!({"background": true}), "background:"),
            (json!({"text": {"format": {"type": "json_schema"}}}), "text.format:"),
            (json!({"include": ["message.output_text.logprobs"]}), "include:"),
            (json!({"top_logprobs": 3}), "top_logprobs:"),
            (json!({"moderation": {"model": "x"}}), "moderation:"),
            (json!({"n": 2}), "n:"),
            (json!({"store": "yes"}), "store:"),
            (json!({"instructions": [1]}), "instructions:"),
            (json!({"metadata": "x"}), "metadata:"),
            (json!({"reasoning": 5}), "reasoning:"),
            (json!({"max_output_tokens": 0}), "max_output_tokens:"),
        ] {
            let error = with(extra.clone()).unwrap_err();
            assert!(error.message.starts_with(named), "{extra}: {error}");
        }
    }
}
