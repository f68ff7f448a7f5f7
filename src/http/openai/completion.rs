//! The replies of `/v1/chat/completions` and `/v1/completions`, whole and streamed.
//!
//! The two differ in the fields of a choice alone. A chat sends the thinking as
//! `reasoning_content`; a text completion leaves it out.

use serde_json::{Value, json};

use super::v1_request::Delivery;
use super::{AnswerFormat, StreamPart, follow, now, ours};
use crate::desk::Ticket;
use crate::desk::feed::FeedTexts;
use crate::desk::record::FinishedAnswer;
use crate::http::refuse::{self, Shape};
use crate::http::stream::{Events, ReaderGone};
use crate::random;
use crate::types::answer::{Figures, Outcome, Part, Piece};
use crate::types::error::Error;
use crate::types::job::Choices;

/// The fields that every object of one answer repeats.
pub struct Completion {
    id: String,
    created: u64,
    model: String,
    form: ChoiceForm,
}

/// The fields of a choice.
enum ChoiceForm {
    /// A `message`, and a `delta` in a stream.
    Chat,
    /// `text`, which begins with a text that is echoed.
    Text { echoed: String },
}

impl ChoiceForm {
    /// Returns the fields of a choice before any text is generated.
    fn start(&self) -> Value {
        match self {
            ChoiceForm::Chat => json!({"delta": {"role": "assistant", "content": ""}}),
            ChoiceForm::Text { echoed } => json!({"text": echoed, "logprobs": null}),
        }
    }

    /// Returns the fields of a choice that got more text; `None` if it is not shown.
    fn more(&self, piece: Piece) -> Option<Value> {
        match (self, piece.part) {
            (ChoiceForm::Chat, Part::Thinking) => {
                Some(json!({"delta": {"reasoning_content": piece.text}}))
            }
            (ChoiceForm::Chat, Part::Answer) => Some(json!({"delta": {"content": piece.text}})),
            (ChoiceForm::Text { .. }, Part::Thinking) => None,
            (ChoiceForm::Text { .. }, Part::Answer) => {
                Some(json!({"text": piece.text, "logprobs": null}))
            }
        }
    }

    /// Returns the fields of a choice's last chunk.
    fn end(&self) -> Value {
        match self {
            ChoiceForm::Chat => json!({"delta": {}}),
            ChoiceForm::Text { .. } => json!({"text": "", "logprobs": null}),
        }
    }

    /// Returns the fields of a finished choice.
    fn whole(&self, whole: &FinishedAnswer) -> Value {
        let reasoning = Some(whole.thinking.as_str()).filter(|thinking| !thinking.is_empty());
        match self {
            ChoiceForm::Chat => json!({"message": {
                "role": "assistant", "content": whole.answer, "reasoning_content": reasoning,
            }}),
            ChoiceForm::Text { echoed } => {
                json!({"text": format!("{echoed}{}", whole.answer), "logprobs": null})
            }
        }
    }
}

impl AnswerFormat for Completion {
    fn whole(&self, ticket: &Ticket) -> Result<Value, Error> {
        let whole = ticket.record.wait_ended();
        if let Outcome::Failed(error) = whole.outcome {
            return Err(error);
        }
        let choice =
            |at, whole| choice(at, self.form.whole(whole), finish_reason(&whole.outcome).into());
        let choices: Vec<Value> = match ticket.question.choices {
            Choices::Voted => vec![choice(0, &whole)],
            Choices::All => {
                let all = ticket.record.wait_choices();
                (0..).zip(&all).map(|(at, whole)| choice(at, whole)).collect()
            }
        };
        let kind = match self.form {
            ChoiceForm::Chat => "chat.completion",
            ChoiceForm::Text { .. } => "text_completion",
        };
        let mut body = self.object(kind, choices.into(), Some(usage(&whole.figures)));
        body["solverbox"] = ours(ticket.name, whole.tally.as_deref());
        Ok(body)
    }

    /// Streams one answer, or all answers of a job side by side, each under its index.
    fn stream(
        &self,
        events: &mut Events,
        ticket: &Ticket,
        delivery: Delivery,
    ) -> Result<(), ReaderGone> {
        let choices = ticket.question.choices;
        let (texts, indices) = match choices {
            Choices::Voted => (FeedTexts::OneAnswer, 1),
            Choices::All => (FeedTexts::EveryAttempt, ticket.question.attempts),
        };
        for index in 0..indices {
            // It names the job: a client that is cut off later can look for it.
            let mut chunk = self.chunk(index, self.form.start(), Value::Null);
            chunk["solverbox"] = ours(ticket.name, None);
            events.json(&chunk)?;
        }
        follow(events, ticket, texts, |events, part| match (part, choices) {
            (StreamPart::Text { attempt, piece }, _) => {
                let index = if choices == Choices::All { attempt } else { 0 };
                match self.form.more(piece) {
                    Some(fields) => events.json(&self.chunk(index, fields, Value::Null)),
                    None => Ok(()),
                }
            }
            (StreamPart::AttemptEnded(_), Choices::Voted) => Ok(()),
            (StreamPart::AttemptEnded(end), Choices::All) => {
                self.finish(events, end.attempt, &end.outcome, ours(ticket.name, None))
            }
            (StreamPart::End { outcome, figures, tally }, _) => {
                // Each of several answers had its own end, unless the job failed.
                if choices == Choices::Voted || matches!(outcome, Outcome::Failed(_)) {
                    self.finish(events, 0, &outcome, ours(ticket.name, tally.as_deref()))?;
                }
                self.end(events, &figures, delivery)
            }
        })
    }
}

impl Completion {
    /// Makes the objects of a chat.
    pub fn chat(model: &str) -> Completion {
        Completion::new("chatcmpl", model, ChoiceForm::Chat)
    }

    /// Makes the objects of a text completion, which begins with `echoed`.
    pub fn text(model: &str, echoed: String) -> Completion {
        Completion::new("cmpl", model, ChoiceForm::Text { echoed })
    }

    fn new(prefix: &str, model: &str, form: ChoiceForm) -> Completion {
        let id = format!("{prefix}-{:016x}", random::seed());
        Completion { id, created: now(), model: model.into(), form }
    }

    /// Sends the last chunk of one choice.
    fn finish(
        &self,
        events: &mut Events,
        index: u32,
        outcome: &Outcome,
        ours: Value,
    ) -> Result<(), ReaderGone> {
        if let Outcome::Failed(error) = outcome {
            return events.json(&refuse::body(error, Shape::OpenAi));
        }
        let mut chunk = self.chunk(index, self.form.end(), finish_reason(outcome).into());
        chunk["solverbox"] = ours;
        events.json(&chunk)
    }

    fn end(
        &self,
        events: &mut Events,
        figures: &Figures,
        delivery: Delivery,
    ) -> Result<(), ReaderGone> {
        if delivery == Delivery::StreamWithUsage {
            let usage = Some(usage(figures));
            events.json(&self.object(self.chunk_kind(), json!([]), usage))?;
        }
        events.done()
    }

    fn chunk(&self, index: u32, fields: Value, finish_reason: Value) -> Value {
        let choice = choice(index, fields, finish_reason);
        self.object(self.chunk_kind(), json!([choice]), None)
    }

    fn chunk_kind(&self) -> &'static str {
        match self.form {
            ChoiceForm::Chat => "chat.completion.chunk",
            ChoiceForm::Text { .. } => "text_completion",
        }
    }

    fn object(&self, kind: &str, choices: Value, usage: Option<Value>) -> Value {
        let mut object = json!({
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "choices": choices,
        });
        if let Some(usage) = usage {
            object["usage"] = usage;
        }
        object
    }
}

fn choice(index: u32, mut fields: Value, finish_reason: Value) -> Value {
    fields["index"] = index.into();
    fields["finish_reason"] = finish_reason;
    fields
}

fn finish_reason(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done | Outcome::Stopped => "stop",
        Outcome::Budget => "length",
        Outcome::Failed(_) => "error",
    }
}

fn usage(figures: &Figures) -> Value {
    json!({
        "prompt_tokens": figures.prompt_tokens,
        "completion_tokens": figures.completion_tokens,
        "total_tokens": figures.prompt_tokens + figures.completion_tokens,
        "completion_tokens_details": {"reasoning_tokens": figures.thinking_tokens},
    })
}
