//! The replies of `/v1/responses`: one object, or the typed events that build it.
//!
//! The thinking is an item of type `reasoning`, the answer one of type `message`. Responses are not
//! kept under this path: what is kept is a durable job, below `/api/jobs`.

use serde_json::{Map, Value, json};

use super::response_events::ResponseEvents;
use super::v1_request::Delivery;
use super::{AnswerFormat, StreamPart, follow, now, ours, rounded};
use crate::answers::vote::Tally;
use crate::desk::Ticket;
use crate::desk::feed::FeedTexts;
use crate::http::refuse::{self, Shape};
use crate::http::reply::Reply;
use crate::http::stream::{Events, ReaderGone};
use crate::types::answer::{Figures, Outcome, Part};
use crate::types::error::{Error, Kind};
use crate::types::job::JobName;

/// Answers `GET /v1/responses/ID`, which cannot be served.
pub fn not_kept(id: &str) -> Reply {
    let what = format!("the response '{}' is not kept here", id.escape_debug());
    let remedy = "Read the answer from the reply or its stream; one that was requested with \
                  `durable: true` is kept at /api/jobs/ID, with the ID of its `solverbox.job`.";
    Reply::error(&Error::new(Kind::NotFound, what, remedy), Shape::OpenAi)
}

/// Where the thinking is in an item of type `reasoning`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThinkingField {
    /// In `content`, OpenAI's field for thinking as it is.
    Content,
    /// In `summary`, the only one that many clients show, if the request asks for one.
    Summary,
}

/// The settings of a request that its response repeats.
#[derive(Clone, Debug, PartialEq)]
pub struct EchoedSettings {
    /// The client's `instructions`, or null.
    pub instructions: Value,
    /// The client's `metadata`, or an empty object.
    pub metadata: Value,
    /// The client's `max_output_tokens`, or null.
    pub max_output_tokens: Value,
    /// The client's `reasoning`, or an empty object.
    pub reasoning: Value,
}

impl EchoedSettings {
    /// Returns where the client wants the thinking.
    pub fn thinking(&self) -> ThinkingField {
        match self.reasoning["summary"].is_null() {
            true => ThinkingField::Content,
            false => ThinkingField::Summary,
        }
    }
}

/// The fields that all objects of one response repeat.
pub struct ResponseFormat {
    created_at: u64,
    model: String,
    settings: EchoedSettings,
}

impl AnswerFormat for ResponseFormat {
    fn whole(&self, ticket: &Ticket) -> Result<Value, Error> {
        let whole = ticket.record.wait_ended();
        if let Outcome::Failed(error) = whole.outcome {
            return Err(error);
        }
        let thinking = Some((Part::Thinking, &whole.thinking)).filter(|(_, text)| !text.is_empty());
        let parts = thinking.into_iter().chain([(Part::Answer, &whole.answer)]);
        let items = parts.enumerate().map(|(at, (part, text))| {
            let status = match part {
                Part::Thinking => "completed",
                Part::Answer => item_status(&whole.outcome),
            };
            let id = item_id(ticket.name, part, at);
            item(&id, part, self.settings.thinking(), status, Some(text))
        });
        let output = items.collect();
        Ok(self.ended(ticket, &whole.outcome, output, &whole.figures, whole.tally.as_deref()))
    }

    fn stream(&self, events: &mut Events, ticket: &Ticket, _: Delivery) -> Result<(), ReaderGone> {
        let mut response = ResponseEvents::new(ticket.name, self.settings.thinking());
        for kind in ["response.created", "response.in_progress"] {
            let object = self.object(ticket, "in_progress", Vec::new(), None);
            response.send(events, kind, json!({"response": object}))?;
        }
        follow(events, ticket, FeedTexts::OneAnswer, |events, part| match part {
            StreamPart::Text { attempt: _, piece } => response.text(events, &piece),
            StreamPart::AttemptEnded(_) => Ok(()),
            StreamPart::End { outcome, figures, tally } => {
                let output = response.end_items(events, item_status(&outcome))?;
                let kind = format!("response.{}", status(&outcome));
                let object = self.ended(ticket, &outcome, output, &figures, tally.as_deref());
                response.send(events, &kind, json!({"response": object}))
            }
        })
    }
}

impl ResponseFormat {
    /// Makes the objects of a response.
    pub fn new(model: &str, settings: EchoedSettings) -> ResponseFormat {
        ResponseFormat { created_at: now(), model: model.into(), settings }
    }

    /// Returns the response of an ended job.
    fn ended(
        &self,
        ticket: &Ticket,
        outcome: &Outcome,
        output: Vec<Value>,
        figures: &Figures,
        tally: Option<&Tally>,
    ) -> Value {
        let mut object = self.object(ticket, status(outcome), output, tally);
        object["usage"] = usage(figures);
        match outcome {
            Outcome::Done => {}
            Outcome::Budget => object["incomplete_details"]["reason"] = "max_output_tokens".into(),
            // OpenAI has no reason for an answer that its reader, or the box's owner, stopped.
            Outcome::Stopped => object["incomplete_details"]["reason"] = "stopped".into(),
            Outcome::Failed(error) => {
                let mut body = refuse::body(error, Shape::OpenAi);
                let message = body["error"]["message"].take();
                object["error"] = json!({"code": "server_error", "message": message});
            }
        }
        object
    }

    fn object(
        &self,
        ticket: &Ticket,
        status: &str,
        output: Vec<Value>,
        tally: Option<&Tally>,
    ) -> Value {
        let sampling = &ticket.question.sampling;
        json!({
            "id": format!("resp_{}", ticket.name),
            "object": "response",
            "created_at": self.created_at,
            "status": status,
            "background": false,
            "error": null,
            "incomplete_details": null,
            "instructions": self.settings.instructions,
            "max_output_tokens": self.settings.max_output_tokens,
            "metadata": self.settings.metadata,
            "model": self.model,
            "output": output,
            "parallel_tool_calls": false,
            "previous_response_id": null,
            "reasoning": self.settings.reasoning,
            "store": false,
            "temperature": rounded(sampling.temperature),
            "text": {"format": {"type": "text"}},
            "tool_choice": "none",
            "tools": [],
            "top_p": rounded(sampling.top_p),
            "truncation": "disabled",
            "usage": null,
            "solverbox": ours(ticket.name, tally),
        })
    }
}

/// Returns the ID of the item at `index` of a response.
pub fn item_id(job: JobName, part: Part, index: usize) -> String {
    let kind = match part {
        Part::Thinking => "rs",
        Part::Answer => "msg",
    };
    format!("{kind}_{job}_{index}")
}

/// Makes an item of a response; its content is empty until there is text.
pub fn item(
    id: &str,
    part: Part,
    thinking: ThinkingField,
    status: &str,
    text: Option<&String>,
) -> Value {
    let content: Vec<Value> = text.map(|text| content(part, thinking, text)).into_iter().collect();
    let fields = match (part, thinking) {
        (Part::Answer, _) => json!({"type": "message", "role": "assistant", "content": content}),
        (Part::Thinking, ThinkingField::Content) => {
            json!({"type": "reasoning", "summary": [], "content": content})
        }
        (Part::Thinking, ThinkingField::Summary) => {
            json!({"type": "reasoning", "summary": content})
        }
    };
    let mut item = json!({"id": id, "status": status});
    if let (Some(item), Value::Object(fields)) = (item.as_object_mut(), fields) {
        Map::extend(item, fields);
    }
    item
}

/// Returns the content of an item: all of them have one part.
pub fn content(part: Part, thinking: ThinkingField, text: &str) -> Value {
    match (part, thinking) {
        (Part::Answer, _) => {
            json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
        }
        (Part::Thinking, ThinkingField::Content) => json!({"type": "reasoning_text", "text": text}),
        (Part::Thinking, ThinkingField::Summary) => json!({"type": "summary_text", "text": text}),
    }
}

/// Returns the status of a response, which is also the name of its last event.
fn status(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "completed",
        Outcome::Budget | Outcome::Stopped => "incomplete",
        Outcome::Failed(_) => "failed",
    }
}

/// Returns the status of a response's last item; items cannot fail.
fn item_status(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "completed",
        Outcome::Budget | Outcome::Stopped | Outcome::Failed(_) => "incomplete",
    }
}

fn usage(figures: &Figures) -> Value {
    json!({
        "input_tokens": figures.prompt_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": figures.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": figures.thinking_tokens},
        "total_tokens": figures.prompt_tokens + figures.completion_tokens,
    })
}
