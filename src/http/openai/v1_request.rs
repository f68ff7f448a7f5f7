//! The fields that the requests of all OpenAI's APIs share, read into a question.
//!
//! `ignore_eos` is llama.cpp's; `attempts`, `previous`, `durable` and `attempt_of_student` are
//! ours. Unknown fields are ignored; those that would change the answer and cannot be served are
//! refused by name, each by the API that has it.

use serde_json::Value;

use crate::api::ask::{Ask, StudentWork};
use crate::api::fields::{self, Fields, wrong};
use crate::desk::Durability;
use crate::types::error::Error;
use crate::types::job::{self, Choices, Ending, JobName, Question, Role, Turn};
use crate::types::limits;
use crate::types::mode::{AdapterRef, DEFAULT_MODE, Modes};

pub const EXAMPLE: &str = "Send a JSON object; /openapi.json has all fields.";

/// The form of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// One JSON object at the end.
    Whole,
    /// The reply is a stream of server-sent events.
    Stream,
    /// Server-sent events with the token counts before the end.
    StreamWithUsage,
}

/// A request that was understood.
#[derive(Debug)]
pub struct V1Request {
    /// The question, with its conversation and settings.
    pub question: Question,
    /// The job whose conversation comes before it.
    pub previous: Option<JobName>,
    /// The form of the reply.
    pub delivery: Delivery,
    /// `solverbox:MODE`, as answers name the model.
    pub model: String,
    /// Whether the job continues when its client leaves.
    pub durability: Durability,
}

/// Reads the fields that all APIs share. `budget_names` are those of the token budget, the one that
/// counts last.
///
/// # Errors
/// `bad_request` whose message starts with the field's name; `not_found` for an unknown mode.
pub fn read(
    fields: &Fields,
    modes: &Modes,
    conversation: Conversation,
    budget_names: &[&str],
) -> Result<V1Request, Error> {
    let (mode, adapters) = mode_and_adapters(fields)?;
    let mode = modes.find(mode)?;
    let model = adapters.iter().fold(format!("solverbox:{}", mode.name), |model, adapter| {
        format!("{model}+{}", adapter.adapter)
    });
    let ask = Ask { adapters, ..ask(fields, conversation, budget_names)? };
    let durable = fields.flag("durable")?.unwrap_or(false);
    Ok(V1Request {
        question: ask.question_in(mode)?,
        previous: ask.previous,
        delivery: delivery(fields)?,
        model,
        durability: if durable { Durability::Durable } else { Durability::WhileListening },
    })
}

/// Reads all but the model.
fn ask(fields: &Fields, conversation: Conversation, budget_names: &[&str]) -> Result<Ask, Error> {
    let Conversation { system, earlier, question } = conversation;
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
        budget_tokens: budget(fields, budget_names)?,
        seed: fields.seed("seed")?,
        temperature: fields.float("temperature")?,
        top_p: fields.float("top_p")?,
        ending: if ignores_eos { Ending::Budget } else { Ending::EndOfGeneration },
        stops: stops(fields)?,
        ..Ask::new(question)
    })
}

/// Refuses the fields `names`, unless they hold what a client sends that does not use them: `null`,
/// `false`, 0 or an empty text, list or object.
///
/// # Errors
/// `bad_request` that starts with the field's name and ends with `remedy`.
pub fn refuse(fields: &Fields, names: &[&str], remedy: &str) -> Result<(), Error> {
    let is_unused = |value: &Value| match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(object) => object.is_empty(),
    };
    let used = names.iter().find(|name| fields.get(name).is_some_and(|value| !is_unused(value)));
    used.map_or(Ok(()), |name| Err(wrong(name, "not supported", remedy)))
}

/// Refuses tools, unless the request does not want them used.
///
/// # Errors
/// `bad_request` that names `tools`.
pub fn refuse_tools(fields: &Fields) -> Result<(), Error> {
    match fields.get("tool_choice").is_some_and(|choice| choice == "none") {
        true => Ok(()),
        false => refuse(fields, &["tools"], "Leave the field out."),
    }
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

/// The messages of a request.
#[derive(Debug, Default, PartialEq)]
pub struct Conversation {
    /// The client's own system prompt.
    pub system: Option<String>,
    /// The messages before the question.
    pub earlier: Vec<Turn>,
    /// The last message, which is the user's.
    pub question: String,
}

/// One message after another, as a request lists them.
#[derive(Default)]
pub struct MessageList {
    system: Vec<String>,
    turns: Vec<Turn>,
}

impl MessageList {
    /// Adds a message with a role of OpenAI's; `name` is that of its field.
    ///
    /// # Errors
    /// `bad_request` with the name of the role's field if the role is unknown.
    pub fn add(&mut self, role: Option<&str>, text: String, name: &str) -> Result<(), Error> {
        match role {
            Some("system" | "developer") => self.system.push(text),
            Some("user") => self.turns.push(Turn { role: Role::User, text }),
            Some("assistant") => {
                self.turns.push(Turn { role: Role::Assistant, text: without_thinking(text) });
            }
            Some("tool" | "function") => return Err(no_tool_results(&format!("{name}.role"))),
            _ => {
                let remedy = "Use system, user or assistant.";
                return Err(wrong(&format!("{name}.role"), "unknown role", remedy));
            }
        }
        Ok(())
    }

    /// Returns the conversation, which must end with the user's message; `name` is that of the
    /// list's field.
    ///
    /// # Errors
    /// `bad_request` that names the list.
    pub fn end(mut self, name: &str) -> Result<Conversation, Error> {
        let last = self.turns.pop().filter(|turn| turn.role == Role::User);
        let question = last.ok_or_else(|| {
            wrong(name, "the last one must be the user's", "End with a question.")
        })?;
        let system = (!self.system.is_empty()).then(|| self.system.join("\n\n"));
        Ok(Conversation { system, earlier: self.turns, question: question.text })
    }
}

/// Returns the error for the result of a tool in the field `name`.
pub fn no_tool_results(name: &str) -> Error {
    let remedy = "Leave the results of tools out, or write them in a user's message.";
    wrong(name, "tools are not supported", remedy)
}

/// Drops the thinking of an earlier answer, as chat templates of reasoning models do: clients send
/// it back, and it would fill the context.
fn without_thinking(text: String) -> String {
    match text.rsplit_once("</think>") {
        Some((_, answer)) => answer.trim_start().to_string(),
        None => text,
    }
}

/// Reads a message's content: a string, or a list of text parts of one of the types `kinds`.
///
/// # Errors
/// `bad_request` that names the part.
pub fn content(value: Option<&Value>, name: &str, kinds: &[&str]) -> Result<String, Error> {
    let text_of = |(at, part): (usize, &Value)| {
        let kind = part.get("type").and_then(Value::as_str);
        let is_text = kind.is_some_and(|kind| kinds.contains(&kind));
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

/// Reads the budget under any of its names, of which the last one counts.
fn budget(fields: &Fields, names: &[&str]) -> Result<Option<u32>, Error> {
    let mut budget = None;
    for name in names {
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
