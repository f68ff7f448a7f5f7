//! OpenAI's APIs below `/v1`: how a question is submitted and its answer sent, whatever the shape.
//!
//! `models` lists the modes; `completion` has the replies of `/v1/chat/completions` and
//! `/v1/completions`, `responses` those of `/v1/responses`. A stream lasts as long as its job;
//! while the job is queued, comments say its place. A client that disconnects stops its job, unless
//! it is durable.

mod chat_request;
mod comments;
mod completion;
mod completions_request;
pub mod models;
mod response_events;
pub mod responses;
mod responses_request;
mod v1_request;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tiny_http::Request;

use super::auth::client::Principal;
use super::gate::Visitor;
use super::refuse::{self, Shape};
use super::reply::Reply;
use super::stream::{Events, ReaderGone, SlowReply};
use super::{App, job_request, refused};
use crate::answers::vote::Tally;
use crate::api::json::VotesJson;
use crate::desk::feed::FeedTexts;
use crate::desk::record::AttemptEnd;
use crate::desk::{Durability, Feed, JobEvent, SubmitOptions, Ticket};
use crate::types::answer::{Figures, Outcome, Piece};
use crate::types::error::Error;
use crate::types::job::JobName;
use crate::types::limits;
use crate::types::mode::Modes;
use crate::types::position::LogPosition;
use comments::Comments;
use v1_request::{Delivery, V1Request};

/// One of the APIs that take a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuestionApi {
    /// Chats, at `POST /v1/chat/completions`.
    Chat,
    /// Text completions, at `POST /v1/completions`.
    Completions,
    /// The Responses API, at `POST /v1/responses`.
    Responses,
}

/// The objects in which one of the APIs returns an answer.
trait AnswerFormat {
    /// Waits for the end of the job; returns the answer, or why it failed.
    fn whole(&self, ticket: &Ticket) -> Result<Value, Error>;

    /// Sends the answer as it is generated, to the end of the job.
    fn stream(
        &self,
        events: &mut Events,
        ticket: &Ticket,
        delivery: Delivery,
    ) -> Result<(), ReaderGone>;
}

/// Handles a request until its job has ended.
pub fn answer(
    app: &App,
    visitor: &Visitor,
    principal: &Principal,
    api: QuestionApi,
    body: &[u8],
    request: Request,
) {
    let submitted = parse(api, body, &app.modes).and_then(|(ask, format)| {
        let V1Request { question, previous, delivery, durability, model: _ } = ask;
        // Only durable jobs can be found again.
        let request =
            job_request::key(&request, body)?.filter(|_| durability == Durability::Durable);
        let terms = SubmitOptions { request, ..SubmitOptions::of(durability) };
        let ticket = super::submit(app, visitor, principal, question, previous, terms)?;
        Ok((ticket, delivery, durability, format))
    });
    let (ticket, delivery, durability, format) = match submitted {
        Ok(submitted) => submitted,
        Err(error) => return refused(app, &error, Shape::OpenAi).send(request),
    };
    match delivery {
        Delivery::Whole => send_whole(app, &*format, &ticket, request),
        Delivery::Stream | Delivery::StreamWithUsage => {
            send_stream(app, &*format, &ticket, request, delivery);
            // However the stream ended, it is not read any more; an ended job is left alone.
            if durability != Durability::Durable {
                app.desk.stop_soon(ticket.job);
            }
        }
    }
}

fn parse(
    api: QuestionApi,
    body: &[u8],
    modes: &Modes,
) -> Result<(V1Request, Box<dyn AnswerFormat>), Error> {
    Ok(match api {
        QuestionApi::Chat => {
            let ask = chat_request::parse(body, modes)?;
            let format = completion::Completion::chat(&ask.model);
            (ask, Box::new(format))
        }
        QuestionApi::Completions => {
            let (ask, echoed) = completions_request::parse(body, modes)?;
            let format = completion::Completion::text(&ask.model, echoed);
            (ask, Box::new(format))
        }
        QuestionApi::Responses => {
            let (ask, settings) = responses_request::parse(body, modes)?;
            let format = responses::ResponseFormat::new(&ask.model, settings);
            (ask, Box::new(format))
        }
    })
}

/// Sends the answer as one object. After [`limits::WHOLE_HEAD_WAIT`] its head is sent before the
/// answer is there; a job that fails later is an error object with status 200.
fn send_whole(app: &App, format: &dyn AnswerFormat, ticket: &Ticket, request: Request) {
    if ticket.record.has_ended_within(limits::WHOLE_HEAD_WAIT) {
        return match format.whole(ticket) {
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
        let body = format.whole(ticket);
        reply.end(&body.unwrap_or_else(|error| refuse::body(&error, Shape::OpenAi)))
    };
    if slowly().is_err() {
        log::debug!("a reader left before its answer");
    }
}

/// Sends the stream; returns when the job has ended or the client has disconnected.
fn send_stream(
    app: &App,
    format: &dyn AnswerFormat,
    ticket: &Ticket,
    request: Request,
    delivery: Delivery,
) {
    // A question that cannot be prepared still gets its own status.
    let state = ticket.record.wait_prepared(limits::VERDICT_WAIT);
    if let Some((Outcome::Failed(error), _)) = state.end() {
        return refused(app, &error, Shape::OpenAi).send(request);
    }
    let Ok(mut events) = Events::open(request) else { return };
    if format.stream(&mut events, ticket, delivery).is_err() {
        log::debug!("a reader left its stream");
    }
}

/// Events that a stream sends as objects; everything else is a comment.
enum StreamPart {
    /// An attempt wrote text.
    Text { attempt: u32, piece: Piece },
    /// An attempt ended; all its text came before.
    AttemptEnded(AttemptEnd),
    /// The job ended, or is interrupted, which for a stream is a failure. Comes last.
    End { outcome: Outcome, figures: Figures, tally: Option<Arc<Tally>> },
}

/// Passes a job's text and ends to `send`, to the end of the job, and sends comments meanwhile.
fn follow(
    events: &mut Events,
    ticket: &Ticket,
    texts: FeedTexts,
    mut send: impl FnMut(&mut Events, StreamPart) -> Result<(), ReaderGone>,
) -> Result<(), ReaderGone> {
    let mut feed = Feed::new(ticket, LogPosition::default(), texts);
    let mut comments = Comments::default();
    loop {
        match feed.next(usize::MAX, limits::HEARTBEAT) {
            None => events.comment("alive")?,
            // A new reader starts at the beginning of the log.
            Some(JobEvent::Rewound { .. }) => {}
            Some(JobEvent::Queued(status)) => comments.queued(events, status)?,
            Some(JobEvent::VoteChanged(tally)) => comments.voted(events, &tally)?,
            Some(JobEvent::Text { attempt, piece, position: _ }) => {
                send(events, StreamPart::Text { attempt, piece })?;
            }
            Some(JobEvent::AttemptEnded(end)) => send(events, StreamPart::AttemptEnded(end))?,
            Some(JobEvent::Ended(end)) => {
                let (outcome, figures, tally) = (end.outcome, end.figures, end.tally);
                return send(events, StreamPart::End { outcome, figures, tally });
            }
            Some(JobEvent::Interrupted(error)) => {
                let (outcome, figures) = (Outcome::Failed(error), Figures::default());
                return send(events, StreamPart::End { outcome, figures, tally: None });
            }
        }
    }
}

/// Returns what OpenAI's APIs have no field for: the job's ID, to continue from, and the votes.
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

/// Returns a setting as it was written: 0.1, and not 0.10000000149, which 32 bits make of it.
fn rounded(setting: f32) -> f64 {
    (f64::from(setting) * 1_000.0).round() / 1_000.0
}

/// Returns the time in seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
