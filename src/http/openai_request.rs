//! The request of `POST /v1/chat/completions`, read into a question.
//!
//! Field names and meanings follow OpenAI's API reference for chat completions; `ignore_eos` is
//! llama.cpp's, `attempts` and `attempt_of_student` are ours. Fields we do not know are ignored;
//! those that would change the answer and cannot be served are refused by name.

use serde_json::{Map, Value};

use crate::desk::Durability;
use crate::types::error::Error;
use crate::types::job::{self, Choices, Ending, JobName, Question, Role, Turn};
use crate::types::limits;
use crate::types::mode::{AdapterRef, DEFAULT_MODE, Modes, Reads};

/// How the answer is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// One JSON object at the end.
    Whole,
    /// Server-sent events.
    Stream,
    /// Server-sent events with the token counts before the end.
    StreamWithUsage,
}

/// A request that was understood.
#[derive(Debug)]
pub struct Ask {
    /// The question.
    pub question: Question,
    /// The job whose conversation it goes on with.
    pub previous: Option<JobName>,
    /// How to send the answer.
    pub delivery: Delivery,
    /// `solverbox:MODE`, as answers name the model.
    pub model: String,
    /// Whether the job goes on when its client leaves.
    pub durability: Durability,
}

/// Reads a request body.
///
/// # Errors
/// `bad_request` whose message starts with the field's name; `not_found` for an unknown mode.
pub fn parse(body: &[u8], modes: &Modes) -> Result<Ask, Error> {
    let value: Value = serde_json::from_slice(body).map_err(|e| {
        Error::bad_request(format!("the body is not JSON: {e}"), "Send a JSON object.")
    })?;
    let Value::Object(fields) = value else {
        return Err(Error::bad_request("the body is no JSON object", "Send a JSON object."));
    };
    refuse_unserved(&fields)?;
    let (mode, adapters) = mode_and_adapters(&fields)?;
    let mode = modes.find(mode)?;
    let model = adapters.iter().fold(format!("solverbox:{}", mode.name), |model, worn| {
        format!("{model}+{}", worn.adapter)
    });
    let (system, mut turns) = messages(&fields)?;
    let attempt = text(&fields, "attempt_of_student")?;
    // A chat client that knows nothing of attempts may write one into its message.
    if (attempt.is_some() || mode.reads == Reads::Question)
        && let Some(last) = turns.last_mut()
    {
        last.text = job::message(&mode, &last.text, attempt)?;
    }
    let mut question = Question::new(mode, turns, job::fresh_seed());
    question.system = system.unwrap_or(question.system);
    if !adapters.is_empty() {
        question.adapters = adapters;
    }
    question.stops = stops(&fields)?;
    settings(&fields, &mut question)?;
    attempts(&fields, &mut question)?;
    question.check()?;
    let previous = previous(&fields)?;
    let durability =
        if flag(&fields, "durable")? { Durability::Durable } else { Durability::WhileListening };
    Ok(Ask { question, previous, delivery: delivery(&fields)?, model, durability })
}

fn bad(field: &str, cause: &str, remedy: &str) -> Error {
    Error::bad_request(format!("{field}: {cause}"), remedy)
}

/// Returns a field's value; `null` counts as absent, as OpenAI's clients send it.
fn get<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    fields.get(name).filter(|value| !value.is_null())
}

fn refuse_unserved(fields: &Map<String, Value>) -> Result<(), Error> {
    let empty = |v: &Value| v.as_array().is_some_and(Vec::is_empty) || *v == Value::Bool(false);
    let no_tools = get(fields, "tool_choice").is_some_and(|choice| choice == "none");
    for name in ["tools", "functions", "logprobs", "top_logprobs"] {
        let unused = no_tools && name == "tools";
        if get(fields, name).is_some_and(|value| !empty(value) && !unused) {
            return Err(bad(name, "this box cannot do that", "Leave the field out."));
        }
    }
    let format = get(fields, "response_format");
    if format.is_some_and(|format| format.get("type").is_none_or(|kind| kind != "text")) {
        return Err(bad("response_format", "only text can be had", "Leave the field out."));
    }
    Ok(())
}

/// Returns the mode and the adapters of `solverbox:MODE+ADAPTER`; any other model name means the
/// default mode.
fn mode_and_adapters(fields: &Map<String, Value>) -> Result<(&str, Vec<AdapterRef>), Error> {
    let model = text(fields, "model")?.unwrap_or_default();
    let mut names = model.strip_prefix("solverbox:").unwrap_or(DEFAULT_MODE).split('+');
    let mode = names.next().unwrap_or_default();
    let adapters: Vec<AdapterRef> = names.map(AdapterRef::as_trained).collect();
    if adapters.len() > limits::ADAPTERS_WORN_MAX {
        let most = limits::ADAPTERS_WORN_MAX;
        return Err(bad("model", "it names too many adapters", &format!("Name at most {most}.")));
    }
    Ok((mode, adapters))
}

fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, Error> {
    get(fields, name)
        .map(|value| value.as_str().ok_or_else(|| bad(name, "it is no text", "Send a string.")))
        .transpose()
}

/// Returns the client's system prompt, if it sent one, and the conversation.
fn messages(fields: &Map<String, Value>) -> Result<(Option<String>, Vec<Turn>), Error> {
    let list = get(fields, "messages").and_then(Value::as_array);
    let Some(list) = list.filter(|list| !list.is_empty()) else {
        let remedy = "Send [{\"role\": \"user\", \"content\": \"your question\"}].";
        return Err(bad("messages", "it is missing, empty or no list", remedy));
    };
    let (mut system, mut turns) = (Vec::new(), Vec::new());
    for (at, message) in list.iter().enumerate() {
        let role = message.get("role").and_then(Value::as_str);
        let said = message.get("content").filter(|content| !content.is_null());
        // An assistant that only called tools has said nothing.
        let text = match (role, said) {
            (Some("assistant"), None) => String::new(),
            _ => content(said, &format!("messages[{at}].content"))?,
        };
        match role {
            Some("system" | "developer") => system.push(text),
            Some("user") => turns.push(Turn { role: Role::User, text }),
            Some("assistant") => turns.push(Turn { role: Role::Assistant, text }),
            _ => {
                let remedy = "Use system, user or assistant.";
                return Err(bad(&format!("messages[{at}].role"), "it is unknown", remedy));
            }
        }
    }
    if turns.last().is_none_or(|turn| turn.role != Role::User) {
        return Err(bad("messages", "the last one is not the user's", "End with a question."));
    }
    Ok(((!system.is_empty()).then(|| system.join("\n\n")), turns))
}

/// Reads a message's content: a string, or a list of text parts.
fn content(value: Option<&Value>, name: &str) -> Result<String, Error> {
    match value {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Array(parts)) => {
            let texts = parts.iter().enumerate().map(|(at, part)| {
                let text = part.get("text").and_then(Value::as_str);
                text.filter(|_| part.get("type").is_some_and(|kind| kind == "text")).ok_or_else(
                    || {
                        bad(
                            &format!("{name}[{at}]"),
                            "only text can be read",
                            "Send text parts alone.",
                        )
                    },
                )
            });
            Ok(texts.collect::<Result<Vec<_>, _>>()?.concat())
        }
        _ => Err(bad(name, "it is missing or no text", "Send a string.")),
    }
}

fn stops(fields: &Map<String, Value>) -> Result<Vec<String>, Error> {
    let wrong = || bad("stop", "it is neither a string nor a list of strings", "Send a string.");
    match get(fields, "stop") {
        None => Ok(Vec::new()),
        Some(Value::String(stop)) => Ok(vec![stop.clone()]),
        Some(Value::Array(list)) => {
            list.iter().map(|s| s.as_str().map(str::to_string).ok_or_else(wrong)).collect()
        }
        Some(_) => Err(wrong()),
    }
}

fn settings(fields: &Map<String, Value>, question: &mut Question) -> Result<(), Error> {
    let float = |name: &str| {
        let number =
            |v: &Value| v.as_f64().ok_or_else(|| bad(name, "it is no number", "Send one."));
        get(fields, name).map(number).transpose().map(|n| n.map(|n| n as f32))
    };
    let sampling = &mut question.sampling;
    sampling.temperature = float("temperature")?.unwrap_or(sampling.temperature);
    sampling.top_p = float("top_p")?.unwrap_or(sampling.top_p);
    if let Some(seed) = get(fields, "seed") {
        // A seed is a name, not a quantity: negative ones keep their bits.
        let bits = seed.as_u64().or_else(|| seed.as_i64().map(i64::cast_unsigned));
        question.seed = bits.ok_or_else(|| bad("seed", "it is no integer", "Send an integer."))?;
    }
    for name in ["max_tokens", "max_completion_tokens"] {
        if let Some(tokens) = get(fields, name) {
            let whole = tokens.as_u64().filter(|&n| n > 0);
            let remedy = "Send a positive integer.";
            let whole =
                whole.ok_or_else(|| bad(name, &format!("{tokens} is no token count"), remedy))?;
            // More than any context holds means as much as there is room for.
            let most = limits::BUDGET_TOKENS_MAX;
            question.budget_tokens = u32::try_from(whole).unwrap_or(most).min(most);
        }
    }
    if flag(fields, "ignore_eos")? {
        question.ending = Ending::Budget;
    }
    Ok(())
}

/// Reads how often the question is tried: `attempts` vote on one choice, `n` are a choice each.
fn attempts(fields: &Map<String, Value>, question: &mut Question) -> Result<(), Error> {
    let number = |name: &str| {
        let Some(value) = get(fields, name) else { return Ok(None) };
        let whole = value.as_f64().filter(|n| *n >= 0.0 && n.fract() == 0.0);
        let remedy = format!("Send an integer from 1 to {}.", limits::ATTEMPTS_MAX);
        let whole = whole.ok_or_else(|| bad(name, "it is no positive integer", &remedy))? as u32;
        job::check_attempts(name, whole).map(|()| Some(whole))
    };
    let (choices, attempts) = (number("n")?, number("attempts")?);
    match (choices, attempts) {
        (Some(n @ 2..), Some(attempts @ 2..)) => {
            let cause = format!("{n} choices cannot be had of a vote of {attempts} attempts");
            return Err(bad("n", &cause, "Send n for all the answers, or attempts for a vote."));
        }
        (Some(n @ 2..), _) => {
            question.attempts = n;
            question.choices = Choices::All;
        }
        // One choice is what a vote gives; clients say so out of habit.
        (_, attempts) => question.attempts = attempts.unwrap_or(question.attempts),
    }
    Ok(())
}

fn flag(fields: &Map<String, Value>, name: &str) -> Result<bool, Error> {
    let wrong = || bad(name, "it is neither true nor false", "Send true or false.");
    get(fields, name).map_or(Ok(false), |value| value.as_bool().ok_or_else(wrong))
}

/// Returns the job of an answer's `solverbox.job`.
fn previous(fields: &Map<String, Value>) -> Result<Option<JobName>, Error> {
    let remedy = "Send the `solverbox.job` of an answer.";
    let job = |id: &str| id.parse().map_err(|_| bad("previous", "it is no job", remedy));
    text(fields, "previous")?.map(job).transpose()
}

fn delivery(fields: &Map<String, Value>) -> Result<Delivery, Error> {
    if !flag(fields, "stream")? {
        return Ok(Delivery::Whole);
    }
    match get(fields, "stream_options") {
        None => Ok(Delivery::Stream),
        Some(Value::Object(options)) if flag(options, "include_usage")? => {
            Ok(Delivery::StreamWithUsage)
        }
        Some(Value::Object(_)) => Ok(Delivery::Stream),
        Some(_) => Err(bad("stream_options", "it is no object", "Send an object.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::error::Kind;
    use serde_json::json;

    fn with(extra: Value) -> Result<Ask, Error> {
        with_modes(&extra, &Modes::built_in())
    }

    fn with_modes(extra: &Value, modes: &Modes) -> Result<Ask, Error> {
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
        let most = with(json!({"max_tokens": 1_000_000_000_000_u64})).unwrap();
        assert_eq!(most.question.budget_tokens, limits::BUDGET_TOKENS_MAX);
        let messages = json!([
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": null},
            {"role": "user", "content": "b"},
        ]);
        assert_eq!(with(json!({"messages": messages})).unwrap().question.turns[1].text, "");
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
            (json!({"n": 2, "attempts": 3}), "n: 2 choices"),
            (json!({"attempts": 1e99}), "attempts:"),
            (json!({"attempts": -1}), "attempts:"),
            (json!({"attempts": 2, "model": "solverbox:hint"}), "attempts: mode 'hint'"),
            (json!({"stream": "yes"}), "stream:"),
            (json!({"model": 5}), "model:"),
            (json!({"attempt_of_student": "x"}), "mode 'math' reads no"),
        ] {
            let error = with(extra.clone()).unwrap_err();
            assert!(error.message.starts_with(named), "{extra}: {error}");
        }
    }
}
