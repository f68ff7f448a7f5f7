//! `GET /v1/models` and `POST /v1/chat/completions`, in OpenAI's shape.
//!
//! Thinking is sent as `reasoning_content`. A stream lasts as long as its job; while the job is
//! queued, comments say its place. A client that disconnects stops its job, unless it is durable.

use std::time::{SystemTime, UNIX_EPOCH};

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tiny_http::Request;

use super::auth::client::Principal;
use super::gate::Visitor;
use super::openai_request::{ChatRequest, Delivery, parse};
use super::refuse::{self, Shape};
use super::reply::Reply;
use super::stream::{Events, ReaderGone, SlowReply};
use super::{App, job_request, refused};
use crate::answers::vote::Tally;
use crate::api::json::VotesJson;
use crate::desk::feed::{FeedTexts, JobStage, QueueStatus};
use crate::desk::record::FinishedAnswer;
use crate::desk::{Durability, Eta, Feed, JobEvent, SubmitOptions, Ticket};
use crate::random;
use crate::types::answer::{Figures, Outcome, Part, Piece};
use crate::types::error::{Error, Kind};
use crate::types::job::{Choices, JobName};
use crate::types::limits;
use crate::types::mode::{DEFAULT_MODE, Mode, Reads, Voting};
use crate::types::position::LogPosition;

/// Lists `solverbox` and each mode as a model of its own.
pub fn models(app: &App) -> Reply {
    Reply::json(200, &json!({"object": "list", "data": all_models(app)}))
}

/// Describes one model of the list.
pub fn model(app: &App, id: &str) -> Reply {
    // Some clients encode the colon of solverbox:MODE.
    let id = percent_decode_str(id).decode_utf8_lossy();
    match all_models(app).into_iter().find(|model| model["id"] == *id) {
        Some(model) => Reply::json(200, &model),
        None => {
            let what = format!("no model is called '{}'", id.escape_debug());
            let error = Error::new(Kind::NotFound, what, "GET /v1/models lists them.");
            Reply::error(&error, Shape::OpenAi)
        }
    }
}

fn all_models(app: &App) -> Vec<Value> {
    let entry = |id: String, mode: &Mode| {
        // 0.1, and not 0.10000000149, which 32 bits make of it.
        let temperature = (f64::from(mode.sampling.temperature) * 1_000.0).round() / 1_000.0;
        json!({
            "id": id,
            "object": "model",
            "created": 0,
            "owned_by": "solverbox",
            "about": mode.about,
            "student_attempt": mode.reads == Reads::StudentAttempt,
            "votes": mode.voting == Voting::ByValue,
            "attempts": mode.attempts,
            "temperature": temperature,
            "default": mode.name == DEFAULT_MODE,
        })
    };
    let default = app.modes.iter().find(|mode| mode.name == DEFAULT_MODE);
    let plain = default.map(|mode| entry("solverbox".into(), mode));
    let modes = app.modes.iter().map(|mode| entry(format!("solverbox:{}", mode.name), mode));
    plain.into_iter().chain(modes).collect()
}

/// The fields that every object of one answer repeats.
struct Completion {
    id: String,
    created: u64,
    model: String,
}

/// Handles a request until its job has ended.
pub fn answer(app: &App, visitor: &Visitor, principal: &Principal, body: &[u8], request: Request) {
    let submitted = parse(body, &app.modes).and_then(|ask| {
        let ChatRequest { question, previous, delivery, model, durability } = ask;
        // Only durable jobs can be found again.
        let request =
            job_request::key(&request, body)?.filter(|_| durability == Durability::Durable);
        let terms = SubmitOptions { request, ..SubmitOptions::of(durability) };
        let ticket = super::submit(app, visitor, principal, question, previous, terms)?;
        Ok((ticket, delivery, model, durability))
    });
    let (ticket, delivery, model, durability) = match submitted {
        Ok(submitted) => submitted,
        Err(error) => return refused(app, &error, Shape::OpenAi).send(request),
    };
    let created = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let id = format!("chatcmpl-{:016x}", random::seed());
    let completion = Completion { id, created, model };
    match delivery {
        Delivery::Whole => completion.send_whole(app, &ticket, request),
        Delivery::Stream | Delivery::StreamWithUsage => {
            completion.send_stream(app, &ticket, request, delivery);
            // However the stream ended, it is not read any more; an ended job is left alone.
            if durability != Durability::Durable {
                app.desk.stop_soon(ticket.job);
            }
        }
    }
}

impl Completion {
    /// Sends the answer as one object. After [`limits::WHOLE_HEAD_WAIT`] its head is sent before
    /// the answer is there; a job that fails later is an error object with status 200.
    fn send_whole(&self, app: &App, ticket: &Ticket, request: Request) {
        if ticket.record.has_ended_within(limits::WHOLE_HEAD_WAIT) {
            return match self.whole(ticket) {
                Ok(body) => Reply::json(200, &body),
                Err(error) => refused(app, &error, Shape::OpenAi),
            }
            .send(request);
        }
        let slowly = || {
            let mut reply = SlowReply::open(request)?;
            reply.space()?;
            while !ticket.record.has_ended_within(limits::HEARTBEAT) {
                reply.space()?;
            }
            let body = self.whole(ticket);
            reply.end(&body.unwrap_or_else(|error| refuse::body(&error, Shape::OpenAi)))
        };
        if slowly().is_err() {
            log::debug!("a reader left before its answer");
        }
    }

    /// Waits for the end of the job; returns the answer, or why it failed.
    fn whole(&self, ticket: &Ticket) -> Result<Value, Error> {
        let whole = ticket.record.wait_ended();
        if let Outcome::Failed(error) = whole.outcome {
            return Err(error);
        }
        let choices: Vec<Value> = match ticket.question.choices {
            Choices::Voted => vec![choice(0, &whole)],
            Choices::All => {
                let all = ticket.record.wait_choices();
                (0..).zip(&all).map(|(at, whole)| choice(at, whole)).collect()
            }
        };
        let mut body = self.object("chat.completion", choices.into(), Some(usage(&whole.figures)));
        body["solverbox"] = ours(ticket.name, whole.tally.as_deref());
        Ok(body)
    }

    /// Sends the stream; returns when the job has ended or the client has disconnected.
    fn send_stream(&self, app: &App, ticket: &Ticket, request: Request, delivery: Delivery) {
        // A question that cannot be prepared still gets its own status.
        let state = ticket.record.wait_prepared(limits::VERDICT_WAIT);
        if let Some((Outcome::Failed(error), _)) = state.end() {
            return refused(app, &error, Shape::OpenAi).send(request);
        }
        let Ok(mut events) = Events::open(request) else { return };
        if self.stream(&mut events, ticket, delivery).is_err() {
            log::debug!("a reader left its stream");
        }
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
            self.begin(events, index, ticket)?;
        }
        let mut feed = Feed::new(ticket, LogPosition::default(), texts);
        let mut comments = Comments::default();
        loop {
            match feed.next(usize::MAX, limits::HEARTBEAT) {
                None => events.comment("alive")?,
                // A new reader starts at the beginning of the log.
                Some(JobEvent::Rewound { .. }) => {}
                Some(JobEvent::Queued(status)) => comments.queued(events, status)?,
                Some(JobEvent::Text { attempt, piece, position: _ }) => {
                    let index = if choices == Choices::All { attempt } else { 0 };
                    events.json(&self.chunk(index, delta(&piece), Value::Null))?;
                }
                Some(JobEvent::AttemptEnded(end)) => {
                    if choices == Choices::All {
                        self.finish(events, end.attempt, &end.outcome, ours(ticket.name, None))?;
                    }
                }
                Some(JobEvent::VoteChanged(tally)) => comments.voted(events, &tally)?,
                Some(JobEvent::Ended(end)) => {
                    if choices == Choices::Voted {
                        let ours = ours(ticket.name, end.tally.as_deref());
                        self.finish(events, 0, &end.outcome, ours)?;
                    }
                    return self.end(events, &end.figures, delivery);
                }
                Some(JobEvent::Interrupted(error)) => {
                    if choices == Choices::Voted {
                        let ours = ours(ticket.name, None);
                        self.finish(events, 0, &Outcome::Failed(error), ours)?;
                    }
                    return self.end(events, &Figures::default(), delivery);
                }
            }
        }
    }

    /// Sends the first chunk of one choice, which names the job: a client that is cut off later can
    /// look for it.
    fn begin(&self, events: &mut Events, index: u32, ticket: &Ticket) -> Result<(), ReaderGone> {
        let start = json!({"role": "assistant", "content": ""});
        let mut chunk = self.chunk(index, start, Value::Null);
        chunk["solverbox"] = ours(ticket.name, None);
        events.json(&chunk)
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
        let mut chunk = self.chunk(index, json!({}), finish_reason(outcome).into());
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
            events.json(&self.object("chat.completion.chunk", json!([]), usage))?;
        }
        events.done()
    }

    fn chunk(&self, index: u32, delta: Value, finish_reason: Value) -> Value {
        let choice = json!({"index": index, "delta": delta, "finish_reason": finish_reason});
        self.object("chat.completion.chunk", json!([choice]), None)
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

/// The state of the job as the stream's comments have reported it.
#[derive(Default)]
struct Comments {
    status: Option<QueueStatus>,
    tally: Option<String>,
    /// The last comment about the stage and the votes.
    progress: String,
}

impl Comments {
    /// Sends the job's stage, its place in the queue and its estimate, each if it has changed.
    fn queued(&mut self, events: &mut Events, status: QueueStatus) -> Result<(), ReaderGone> {
        let before = self.status.replace(status).and_then(|before| before.eta);
        self.send_progress(events)?;
        match status.eta.filter(|_| status.eta != before) {
            Some(eta) => events.comment(&expected(&eta)),
            None => Ok(()),
        }
    }

    fn voted(&mut self, events: &mut Events, tally: &Tally) -> Result<(), ReaderGone> {
        self.tally = Some(tally.to_string());
        self.send_progress(events)
    }

    fn send_progress(&mut self, events: &mut Events) -> Result<(), ReaderGone> {
        let Some(status) = self.status else { return Ok(()) };
        let progress = match (status.stage, status.place, &self.tally) {
            (JobStage::Running, _, Some(tally)) => format!("running, {tally}"),
            (JobStage::Running, _, None) => "running".into(),
            (JobStage::Waiting, Some(place), _) => format!("place {place}"),
            (JobStage::Waiting, None, _) | (JobStage::Preparing, ..) => "checking".into(),
        };
        if progress != self.progress {
            events.comment(&progress)?;
            self.progress = progress;
        }
        Ok(())
    }
}

fn delta(piece: &Piece) -> Value {
    match piece.part {
        Part::Thinking => json!({"reasoning_content": piece.text}),
        Part::Answer => json!({"content": piece.text}),
    }
}

/// Returns a finished answer as a choice.
fn choice(index: usize, whole: &FinishedAnswer) -> Value {
    let reasoning =
        if whole.thinking.is_empty() { Value::Null } else { whole.thinking.as_str().into() };
    json!({
        "index": index,
        "message": {
            "role": "assistant", "content": whole.answer, "reasoning_content": reasoning,
        },
        "finish_reason": finish_reason(&whole.outcome),
    })
}

/// Returns what OpenAI's API has no field for: the job's ID, to continue from, and the votes.
fn ours(job: JobName, tally: Option<&Tally>) -> Value {
    let mut ours = json!({"job": job.to_string()});
    let Some(tally) = tally else { return ours };
    let votes = VotesJson::from(tally);
    ours["attempts"] = votes.wanted.into();
    ours["attempts_ended"] = votes.ended.into();
    ours["ended"] = votes.ended.into();
    ours["votes"] = votes.list().into();
    ours["agreement"] = votes.agreement.into();
    ours["best_attempt"] = votes.best_attempt.into();
    ours
}

/// Formats an estimate: seconds until the job ends, and the bounds that hold in 80 % of cases.
fn expected(eta: &Eta) -> String {
    format!("eta {:.0} {:.0} {:.0}", eta.seconds, eta.low, eta.high)
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
