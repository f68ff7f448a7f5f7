//! `/api/jobs`: questions that continue when the client that asked them leaves.
//!
//! A job is accepted once it is on disk. It can then be read as a whole or as events from any
//! position (`job_events`), finished early, stopped, or deleted. Only its own client can see it;
//! for all others it does not exist. `job_request` reads requests, `api::json` writes replies.

use serde_json::{Value, json};
use tiny_http::{Method, Request};

use super::auth::client::{Principal, expired_cookie};
use super::gate::Visitor;
use super::job_events::{self, Reading};
use super::refuse::Shape;
use super::reply::Reply;
use super::{App, job_request, refused, shared};
use crate::api::json;
use crate::desk::record::State;
use crate::desk::{Durability, SubmitOptions, Submitted, Ticket, closing};
use crate::store::JobSummary;
use crate::types::answer::Outcome;
use crate::types::error::{Error, Kind};
use crate::types::job::{Client, JobName};
use crate::types::limits;

/// What a request wants of one job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobEndpoint {
    /// The job itself, to read or to delete.
    Whole,
    /// The job's events, as a stream.
    Events,
    /// To end the job's thinking and answer.
    Finish,
    /// To stop the job.
    Stop,
    /// To share the job by a token, or to end that.
    Share,
}

impl JobEndpoint {
    /// Parses the path below `/api/jobs/`: a job ID, and what is wanted of the job.
    pub fn of_path(path: &str) -> Option<(&str, JobEndpoint)> {
        match path.split_once('/') {
            None => Some((path, JobEndpoint::Whole)),
            Some((id, "events")) => Some((id, JobEndpoint::Events)),
            Some((id, "finish")) => Some((id, JobEndpoint::Finish)),
            Some((id, "stop")) => Some((id, JobEndpoint::Stop)),
            Some((id, "share")) => Some((id, JobEndpoint::Share)),
            Some(_) => None,
        }
    }

    /// Returns the methods that are allowed.
    pub fn allowed(self) -> &'static str {
        match self {
            JobEndpoint::Whole => "GET, HEAD, DELETE, OPTIONS",
            JobEndpoint::Events => "GET, OPTIONS",
            JobEndpoint::Finish | JobEndpoint::Stop => "POST, OPTIONS",
            JobEndpoint::Share => "POST, DELETE, OPTIONS",
        }
    }
}

/// Submits a question: `POST /api/jobs`.
pub fn ask(app: &App, visitor: &Visitor, principal: &Principal, body: &[u8], request: Request) {
    if app.is_closing() {
        return refused(app, &closing(), Shape::Own).send(request);
    }
    let accepted = job_request::parse(body).and_then(|ask| {
        let question = ask.question(&app.modes)?;
        let request = job_request::key(&request, body)?;
        let terms = SubmitOptions { request, ..SubmitOptions::of(Durability::Durable) };
        super::submit(app, visitor, principal, question, ask.previous, terms)
    });
    let ticket = match accepted {
        Ok(ticket) => ticket,
        Err(error) => return refused(app, &error, Shape::Own).send(request),
    };
    // A question that cannot be prepared is refused here, unless that takes long: the model may
    // still be loading, and the end of the job has to be written.
    let state = ticket.record.wait_prepared(limits::JOB_VERDICT_WAIT);
    let asked_before = ticket.submitted == Submitted::Duplicate;
    if let State::Ended(Outcome::Failed(error), _) = &state
        && !asked_before
    {
        return refused(app, error, Shape::Own).send(request);
    }
    let body = json::accepted(&ticket, &ticket.record.read(usize::MAX));
    let location = format!("/api/jobs/{}", ticket.name);
    Reply::json(202, &body).with("Location", location).send(request);
}

/// Lists a client's jobs: `GET /api/jobs`.
pub fn list(app: &App, principal: &Principal, request: &Request) -> Reply {
    let client = principal.durable_client;
    let listed = job_request::page(request.url()).and_then(|page| {
        let before = page.before.map(|name| own(app, client, name)).transpose()?;
        let before = before.map(|ticket| ticket.job);
        // One more than requested shows whether there are more.
        let mut jobs = app.desk.list(Some(client), before, page.limit + 1)?;
        let more = jobs.len() > page.limit as usize;
        jobs.truncate(page.limit as usize);
        let next = jobs.last().filter(|_| more).map(|job| job.name.to_string());
        let state = |job: &JobSummary| app.desk.state_of(job.id).map_or("queued", |s| s.name());
        let listed = |job: &JobSummary| Ok(json::listed(job, state(job), app.desk.value_of(job)?));
        let jobs: Vec<Value> = jobs.iter().map(listed).collect::<Result<_, Error>>()?;
        Ok(json!({"jobs": jobs, "next": next}))
    });
    match listed {
        Ok(body) => Reply::json(200, &body),
        Err(error) => Reply::error(&error, Shape::Own),
    }
}

/// Deletes all jobs of a client and has its browser forget the cookie: `DELETE /api/browser`. The
/// next person at the browser gets a new cookie with the page, even if the disk cannot be written.
pub fn forget_all(app: &App, principal: &Principal) -> Reply {
    let reply = match app.desk.forget_all(principal.durable_client) {
        Ok(()) => Reply::empty(204),
        Err(error) => Reply::error(&error, Shape::Own),
    };
    reply.with("Set-Cookie", expired_cookie())
}

/// Handles a request for one job.
pub fn one(app: &App, principal: &Principal, id: &str, part: JobEndpoint, request: Request) {
    let client = principal.durable_client;
    let found = id.parse().map_err(|_| unknown()).and_then(|name| own(app, client, name));
    let ticket = match found {
        Ok(ticket) => ticket,
        Err(error) => return Reply::error(&error, Shape::Own).send(request),
    };
    match part {
        JobEndpoint::Events => match job_request::from(&request) {
            Ok(from) => job_events::send(&ticket, from, Reading::Own, request),
            Err(error) => Reply::error(&error, Shape::Own).send(request),
        },
        JobEndpoint::Whole if *request.method() == Method::Delete => {
            let forgotten = app.desk.forget(ticket.job, ticket.name);
            let refused = |error: Error| Reply::error(&error, Shape::Own);
            forgotten.map_or_else(refused, |()| Reply::empty(204)).send(request);
        }
        JobEndpoint::Whole => Reply::json(200, &json::job(&ticket)).send(request),
        JobEndpoint::Share => {
            let reply = shared::change(app, &ticket, request.method());
            reply.send(request);
        }
        JobEndpoint::Finish => {
            app.desk.answer_now(ticket.job);
            Reply::json(202, &json::state(&ticket)).send(request);
        }
        JobEndpoint::Stop => {
            app.desk.stop(ticket.job);
            Reply::json(202, &json::state(&ticket)).send(request);
        }
    }
}

/// Finds a client's own job.
fn own(app: &App, client: Client, name: JobName) -> Result<Ticket, Error> {
    app.desk.find(name)?.filter(|ticket| ticket.client == client).ok_or_else(unknown)
}

/// The error for jobs of other clients as well as for jobs that do not exist.
fn unknown() -> Error {
    Error::new(
        Kind::NotFound,
        "you have no such job",
        "GET /api/jobs lists yours; jobs belong to the browser or the API key that submitted them.",
    )
}
