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
use crate::store::{JobSummary, RequestKey};
use crate::types::answer::Outcome;
use crate::types::error::{Error, Kind};
use crate::types::job::{Client, JobName, Question};
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
        let key = job_request::key(&request, body)?;
        accept(app, visitor, principal, question, ask.previous, key)
    });
    let ticket = match accepted {
        Ok(ticket) => ticket,
        Err(error) => return refused(app, &error, Shape::Own).send(request),
    };
    let body = json::accepted(&ticket, &ticket.record.read(usize::MAX));
    let location = format!("/api/jobs/{}", ticket.name);
    Reply::json(202, &body).with("Location", location).send(request);
}

/// Submits a durable question; `key` identifies a repeated submission.
///
/// # Errors
/// Those of [`super::submit`], and why the question cannot be prepared, unless finding that out
/// takes long: the model may still be loading, and the end of the job has to be written.
pub(super) fn accept(
    app: &App,
    visitor: &Visitor,
    principal: &Principal,
    question: Question,
    previous: Option<JobName>,
    key: Option<RequestKey>,
) -> Result<Ticket, Error> {
    let options = SubmitOptions { request: key, ..SubmitOptions::of(Durability::Durable) };
    let ticket = super::submit(app, visitor, principal, question, previous, options)?;
    match ticket.record.wait_prepared(limits::JOB_VERDICT_WAIT) {
        // A repeated submission finds the job, however it ended.
        State::Ended(Outcome::Failed(error), _) if ticket.submitted == Submitted::New => Err(error),
        _ => Ok(ticket),
    }
}

/// A part of a client's jobs, the latest first.
pub(super) struct JobPage {
    pub jobs: Vec<JobSummary>,
    /// Where the next part begins, if there is one.
    pub next: Option<JobName>,
}

/// Returns the jobs that a request asks for by its query.
///
/// # Errors
/// `bad_request` naming the parameter, `not_found` if the job to begin with is not the client's.
pub(super) fn page_of(app: &App, client: Client, request: &Request) -> Result<JobPage, Error> {
    let page = job_request::page(request.url())?;
    let before = page.before.map(|name| own(app, client, name)).transpose()?;
    let before = before.map(|ticket| ticket.job);
    // One more than requested shows whether there are more.
    let mut jobs = app.desk.list(Some(client), before, page.limit + 1)?;
    let has_more = jobs.len() > page.limit as usize;
    jobs.truncate(page.limit as usize);
    let next = jobs.last().filter(|_| has_more).map(|job| job.name);
    Ok(JobPage { jobs, next })
}

/// Lists a client's jobs: `GET /api/jobs`.
pub fn list(app: &App, principal: &Principal, request: &Request) -> Reply {
    let listed =
        page_of(app, principal.durable_client, request).and_then(|JobPage { jobs, next }| {
            let state = |job: &JobSummary| app.desk.state_of(job.id).map_or("queued", |s| s.name());
            let listed =
                |job: &JobSummary| Ok(json::listed(job, state(job), app.desk.value_of(job)?));
            let jobs: Vec<Value> = jobs.iter().map(listed).collect::<Result<_, Error>>()?;
            Ok(json!({"jobs": jobs, "next": next.map(|name| name.to_string())}))
        });
    match listed {
        Ok(body) => Reply::json(200, &body),
        Err(error) => Reply::error(&error, Shape::Own),
    }
}

/// Deletes all jobs of a client, or with `?keep=shared` all that it does not share, and has its
/// browser forget the cookie: `DELETE /api/browser`. The next person at the browser gets a new
/// cookie with the page, even if the disk cannot be written. Deletes nothing for a client that is
/// known by its address alone, which others share with it.
pub fn forget_all(app: &App, principal: &Principal, request: &Request) -> Reply {
    let forgotten = job_request::shared_jobs(request.url()).and_then(|shared| {
        match principal.has_credentials {
            true => app.desk.forget_all(principal.durable_client, shared),
            false => Ok(()),
        }
    });
    let reply = match forgotten {
        Err(error) if error.kind == Kind::BadRequest => return Reply::error(&error, Shape::Own),
        Ok(()) => Reply::empty(204),
        Err(error) => Reply::error(&error, Shape::Own),
    };
    reply.with("Set-Cookie", expired_cookie())
}

/// Handles a request for one job.
pub fn one(app: &App, principal: &Principal, id: &str, part: JobEndpoint, request: Request) {
    let client = principal.durable_client;
    let ticket = match find(app, client, id) {
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

/// Finds a client's own job by its ID in an address.
///
/// # Errors
/// `not_found`, also for other clients' jobs.
pub(super) fn find(app: &App, client: Client, id: &str) -> Result<Ticket, Error> {
    id.parse().map_err(|_| unknown()).and_then(|name| own(app, client, name))
}

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
