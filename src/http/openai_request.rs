//! The request of `POST /v1/chat/completions`, read into a question.
//!
//! Field names and meanings follow OpenAI's API reference for chat completions; `ignore_eos` is
//! llama.cpp's, `attempts`, `previous`, `durable` and `attempt_of_student` are ours. Unknown fields
//! are ignored; those that would change the answer and cannot be served are refused by name.

use serde_json::Value;

use super::job_request::REMEDY;
use crate::api::ask::{Ask, StudentWork};
use crate::api::fields::{self, Fields, wrong};
use crate::desk::Durability;
use crate::types::error::Error;
use crate::types::job::{self, Choices, Ending, JobName, Question, Role, Turn};
use crate::types::limits;
use crate::types::mode::{AdapterRef, DEFAULT_MODE, Modes};

const EXAMPLE: &str = "Send a JSON object with messages; /openapi.json has all fields.";

/// How an answer is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// One JSON object at the end.
    Whole,
    /// The reply is a stream of server-sent events.
    Stream,
    /// Server-sent events with the token counts before the end.
    StreamWithUsage,
}

/// A chat request that was understood.
#[derive(Debug)]
pub struct ChatRequest {
    /// The question, with its conversation and settings.
    pub question: Question,
    /// The job whose conversation comes before it.
    pub previous: Option<JobName>,
    /// How to send the answer.
    pub delivery: Delivery,
    /// `solverbox:MODE`, as answers name the model.
    pub model: String,
    /// Whether the job continues when its client leaves.
    pub durability: Durability,
}

/// Reads a request body.
///
/// # Errors
/// `bad_request` whose message starts with the field's name; `not_found` for an unknown mode.
pub fn parse(body: &[u8], modes: &Modes) -> Result<ChatRequest, Error> {
    let fields = Fields::of_body(body, EXAMPLE, REMEDY)?;
    refuse_unserved(&fields)?;
    let (mode, adapters) = mode_and_adapters(&fields)?;
    let mode = modes.find(mode)?;
    let model = adapters.iter().fold(format!("solverbox:{}", mode.name), |model, adapter| {
        format!("{model}+{}", adapter.adapter)
    });
    let ask = Ask { adapters, ..ask(&fields)? };
    let durable = fields.flag("durable")?.unwrap_or(false);
    Ok(ChatRequest {
        question: ask.question_in(mode)?,
        previous: ask.previous,
        delivery: delivery(&fields)?,
        model,
        durability: if durable { Durability::Durable } else { Durability::WhileListening },
    })
}

/// Reads all but the model.
fn ask(fields: &Fields) -> Result<Ask, Error> {
    let Conversation { system, earlier, question } = conversation(fields)?;
    let work = fields.string("attempt_of_student")?;
    let (choices, attempts) = attempts(fields)?;
    let ignores_eos = fields.flag("ignore_eos")?.unwrap_or(false);
    Ok(Ask {
        earlier,
        system,
        student_work: work
            .map_or(StudentWork::InQuestion, |work| StudentWork::Given(work.to_string())),
        previous: previous(fields)?,
        choices,
        attempts,
        budget_tokens: budget(fields)?,
        seed: fields.seed("seed")?,
        temperature: fields.float("temperature")?,
        top_p: fields.float("top_p")?,
        ending: if ignores_eos { Ending::Budget } else { Ending::EndOfGeneration },
        stops: stops(fields)?,
        ..Ask::new(question)
    })
}

fn refuse_unserved(fields: &Fields) -> Result<(), Error> {
    let empty = |v: &Value| v.as_array().is_some_and(Vec::is_empty) || *v == Value::Bool(false);
    let no_tools = fields.get("tool_choice").is_some_and(|choice| choice == "none");
    for name in ["tools", "functions", "logprobs", "top_logprobs"] {
        let unused = no_tools && name == "tools"
            || name == "top_logprobs" && fields.get(name).is_some_and(|value| *value == 0);
        if fields.get(name).is_some_and(|value| !empty(value) && !unused) {
            return Err(wrong(name, "not supported", "Leave the field out."));
        }
    }
    let format = fields.get("response_format");
    if format.is_some_and(|format| format.get("type").is_none_or(|kind| kind != "text")) {
        return Err(wrong("response_format", "only text is supported", "Leave the field out."));
    }
    Ok(())
}

/// Returns the mode and the adapters of `solverbox:MODE+ADAPTER`; any other model name means the
/// default mode.
fn mode_and_adapters(fields: &Fields) -> Result<(&str, Vec<AdapterRef>), Error> {
    let model = fields.string("model")?.unwrap_or_default();
    let mut names = model.strip_prefix("solverbox:").unwrap_or(DEFAULT_MODE).split('+');
    let mode = names.next().unwrap_or_default();
    let adapters: Vec<AdapterRef> = names.map(AdapterRef::as_trained).collect();
    if adapters.len() > limits::ADAPTERS_PER_QUESTION_MAX {
        let most = limits::ADAPTERS_PER_QUESTION_MAX;
        return Err(wrong("model", "it names too many adapters", &format!("Name at most {most}.")));
    }
    Ok((mode, adapters))
}

/// The messages of a chat request.
struct Conversation {
    /// The client's own system prompt.
    system: Option<String>,
    /// What comes before the question.
    earlier: Vec<Turn>,
    question: String,
}

fn conversation(fields: &Fields) -> Result<Conversation, Error> {
    let list = fields.get("messages").and_then(Value::as_array);
    let Some(list) = list.filter(|list| !list.is_empty()) else {
        let remedy = "Send [{\"role\": \"user\", \"content\": \"your question\"}].";
        return Err(wrong("messages", "must be a list with at least one message", remedy));
    };
    let (mut system, mut turns) = (Vec::new(), Vec::new());
    for (at, message) in list.iter().enumerate() {
        let role = message.get("role").and_then(Value::as_str);
        let said = message.get("content").filter(|content| !content.is_null());
        // An assistant that only called tools has written nothing.
        let text = match (role, said) {
            (Some("assistant"), None) => String::new(),
            _ => content(said, &format!("messages[{at}].content"))?,
        };
        match role {
            Some("system" | "developer") => system.push(text),
            Some("user") => turns.push(Turn { role: Role::User, text }),
            Some("assistant") => {
                turns.push(Turn { role: Role::Assistant, text: without_thinking(text) });
            }
            Some("tool" | "function") => {
                let remedy = "Leave the results of tools out, or write them in a user's message.";
                return Err(wrong(
                    &format!("messages[{at}].role"),
                    "tools are not supported",
                    remedy,
                ));
            }
            _ => {
                let remedy = "Use system, user or assistant.";
                return Err(wrong(&format!("messages[{at}].role"), "unknown role", remedy));
            }
        }
    }
    let last = turns.pop().filter(|turn| turn.role == Role::User);
    let question = last.ok_or_else(|| {
        wrong("messages", "the last one must be the user's", "End with a question.")
    })?;
    let system = (!system.is_empty()).then(|| system.join("\n\n"));
    Ok(Conversation { system, earlier: turns, question: question.text })
}

/// Drops the thinking of an earlier answer, as chat templates of reasoning models do: clients send
/// it back, and it would fill the context.
fn without_thinking(text: String) -> String {
    match text.rsplit_once("</think>") {
        Some((_, answer)) => answer.trim_start().to_string(),
        None => text,
    }
}

/// Reads a message's content: a string, or a list of text parts.
fn content(value: Option<&Value>, name: &str) -> Result<String, Error> {
    let text_of = |(at, part): (usize, &Value)| {
        let is_text = part.get("type").is_some_and(|kind| kind == "text");
        let text = part.get("text").and_then(Value::as_str).filter(|_| is_text);
        text.map(str::to_string).ok_or_else(|| {
            wrong(&format!("{name}[{at}]"), "only text is supported", "Send text parts alone.")
        })
    };
    match value {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Array(parts)) => parts.iter().enumerate().map(text_of).collect(),
        _ => Err(wrong(name, "must be a string or a list of text parts", "Send a string.")),
    }
}

fn stops(fields: &Fields) -> Result<Vec<String>, Error> {
    let not_strings = || fields.wrong("stop", "must be a string or a list of strings");
    match fields.get("stop") {
        None => Ok(Vec::new()),
        Some(Value::String(stop)) => Ok(vec![stop.clone()]),
        Some(Value::Array(list)) => {
            list.iter().map(|s| s.as_str().map(str::to_string).ok_or_else(not_strings)).collect()
        }
        Some(_) => Err(not_strings()),
    }
}

/// Reads the budget under either of its names, the newer one first.
fn budget(fields: &Fields) -> Result<Option<u32>, Error> {
    let mut budget = None;
    for name in ["max_tokens", "max_completion_tokens"] {
        // Other servers take -1 for as many as there is room for.
        if fields.get(name).is_some_and(|value| *value == -1) {
            continue;
        }
        let Some(tokens) = fields.integer(name)? else { continue };
        if tokens == 0 {
            return Err(fields.wrong(name, "must be a positive integer"));
        }
        // More than any context holds means as much as there is room for.
        let most = limits::BUDGET_TOKENS_MAX;
        budget = Some(u32::try_from(tokens).unwrap_or(most).min(most));
    }
    Ok(budget)
}

/// Reads how often the question is tried: `attempts` vote on one choice, `n` are a choice each.
fn attempts(fields: &Fields) -> Result<(Choices, Option<u32>), Error> {
    let number = |name: &str| -> Result<Option<u32>, Error> {
        let number = fields.u32(name)?;
        number.map_or(Ok(()), |number| job::check_attempts(name, number))?;
        Ok(number)
    };
    match (number("n")?, number("attempts")?) {
        (Some(n @ 2..), Some(attempts @ 2..)) => {
            let cause = format!("a vote of {attempts} attempts cannot give {n} choices");
            let remedy = "Send n for all the answers, or attempts for a vote.";
            Err(wrong("n", &cause, remedy))
        }
        (n @ Some(2..), _) => Ok((Choices::All, n)),
        // One choice is what a vote gives; clients ask for it out of habit.
        (_, attempts) => Ok((Choices::Voted, attempts)),
    }
}

/// Returns the job of an answer's `solverbox.job`.
fn previous(fields: &Fields) -> Result<Option<JobName>, Error> {
    let job = |id| fields::job("previous", id, "Send the `solverbox.job` of an answer.");
    fields.string("previous")?.map(job).transpose()
}

fn delivery(fields: &Fields) -> Result<Delivery, Error> {
    if !fields.flag("stream")?.unwrap_or(false) {
        return Ok(Delivery::Whole);
    }
    let wrong = |cause| Err(fields.wrong("stream_options", cause));
    match fields.get("stream_options") {
        None => Ok(Delivery::Stream),
        Some(Value::Object(options)) => match options.get("include_usage") {
            Some(Value::Bool(true)) => Ok(Delivery::StreamWithUsage),
            None | Some(Value::Bool(false) | Value::Null) => Ok(Delivery::Stream),
            Some(_) => wrong("include_usage must be true or false"),
        },
        Some(_) => wrong("must be an object"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::error::Kind;
    use serde_json::json;

    fn with(extra: Value) -> Result<ChatRequest, Error> {
        with_modes(&extra, &Modes::built_in())
    }

    fn with_modes(extra: &Value, modes: &Modes) -> Result<ChatRequest, Error> {
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
