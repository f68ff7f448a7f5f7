//! The owner's actions on all jobs: list, read, move, stop and delete them, change limits, and see
//! what the box was used for.
//!
//! Each action needs the owner's session and, if it concerns single jobs or changes something, is
//! recorded in the owner's log with the job's ID, never with the question.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tiny_http::{Method, Request};

use super::gate::Visitor;
use super::refuse::Shape;
use super::reply::Reply;
use super::{App, job_request};
use crate::api::fields::Fields;
use crate::api::json;
use crate::desk::{Capacity, Ticket};
use crate::types::error::{Error, Kind};
use crate::types::job::JobId;
use crate::types::limits;

/// What an owner's request wants of one job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerJobEndpoint {
    /// The job itself, to read or delete.
    Whole,
    /// The request to move it to the front of the queue.
    Move,
    /// The request to stop it.
    Stop,
}

impl OwnerJobEndpoint {
    /// Splits the path below `/api/owner/jobs/` into the job's ID and what follows it.
    pub fn of_path(path: &str) -> Option<(&str, OwnerJobEndpoint)> {
        match path.split_once('/') {
            None => Some((path, OwnerJobEndpoint::Whole)),
            Some((id, "move")) => Some((id, OwnerJobEndpoint::Move)),
            Some((id, "stop")) => Some((id, OwnerJobEndpoint::Stop)),
            Some(_) => None,
        }
    }

    /// Returns the methods that it allows, as the `Allow` header lists them.
    pub fn allowed(self) -> &'static str {
        match self {
            OwnerJobEndpoint::Whole => "GET, HEAD, DELETE, OPTIONS",
            OwnerJobEndpoint::Move | OwnerJobEndpoint::Stop => "POST, OPTIONS",
        }
    }
}

/// Lists all jobs that have not ended, or stops them all.
pub fn all(app: &App, visitor: &Visitor, request: &Request) -> Reply {
    if let Err(error) = app.identity.owner.check(request) {
        return Reply::error(&error, Shape::Own);
    }
    let jobs = app.desk.unfinished();
    if *request.method() == Method::Delete {
        let detail = format!("{} jobs", jobs.len());
        app.identity.owner.note("clear", visitor.address(), &detail);
        let jobs: Vec<JobId> = jobs.iter().map(|ticket| ticket.job).collect();
        app.desk.stop_all(&jobs);
        return Reply::empty(204);
    }
    let jobs: Vec<Value> = jobs.iter().map(shape).collect();
    Reply::json(200, &json!({"jobs": jobs}))
}

/// Answers a request about one job of any client.
pub fn one(
    app: &App,
    visitor: &Visitor,
    id: &str,
    endpoint: OwnerJobEndpoint,
    request: &Request,
) -> Reply {
    let found = app.identity.owner.check(request).and_then(|()| {
        let name = id.parse().map_err(|_| unknown())?;
        app.desk.find(name)?.ok_or_else(unknown)
    });
    let ticket = match found {
        Ok(ticket) => ticket,
        Err(error) => return Reply::error(&error, Shape::Own),
    };
    let note = |action| app.identity.owner.note(action, visitor.address(), id);
    match endpoint {
        OwnerJobEndpoint::Whole if *request.method() == Method::Delete => {
            note("forget");
            match app.desk.forget(ticket.job, ticket.name) {
                Ok(()) => Reply::empty(204),
                Err(error) => Reply::error(&error, Shape::Own),
            }
        }
        OwnerJobEndpoint::Whole => {
            note("see");
            Reply::json(200, &json::job(&ticket))
        }
        OwnerJobEndpoint::Move => {
            note("move");
            app.desk.move_first(ticket.job);
            Reply::json(202, &shape(&ticket))
        }
        OwnerJobEndpoint::Stop => {
            note("stop");
            app.desk.stop(ticket.job);
            Reply::json(202, &shape(&ticket))
        }
    }
}

/// Returns what the box was used for, by hour and mode, without questions and clients.
pub fn usage(app: &App, request: &Request) -> Reply {
    let used = app.identity.owner.check(request).and_then(|()| {
        let days = job_request::days(request.url())?;
        let past = Duration::from_secs(u64::from(days) * 24 * 60 * 60);
        let since = SystemTime::now().checked_sub(past).unwrap_or(UNIX_EPOCH);
        Ok(json::usage(days, &app.desk.usage(since)?))
    });
    match used {
        Ok(used) => Reply::json(200, &used),
        Err(error) => Reply::error(&error, Shape::Own),
    }
}

/// Returns or changes the limits on jobs.
pub fn limits(app: &App, visitor: &Visitor, body: &[u8], request: &Request) -> Reply {
    let capacity = app.desk.overview().capacity;
    let changed = app.identity.owner.check(request).and_then(|()| match request.method() {
        Method::Put => {
            let changed = read(body, capacity)?;
            app.desk.set_capacity(changed);
            let detail = shape_of(changed).to_string();
            app.identity.owner.note("limits", visitor.address(), &detail);
            Ok(changed)
        }
        _ => Ok(capacity),
    });
    match changed {
        Ok(capacity) => Reply::json(200, &shape_of(capacity)),
        Err(error) => Reply::error(&error, Shape::Own),
    }
}

fn read(body: &[u8], now: Capacity) -> Result<Capacity, Error> {
    let form = "Send {\"queue_jobs_max\": N, \"client_jobs_max\": N} as JSON, or one of them.";
    let fields = Fields::of_body(body, form, form)?;
    fields.check_known(&["queue_jobs_max", "client_jobs_max"], "the limits")?;
    let limit = |name: &str, now: usize, most: usize| {
        let Some(number) = fields.u32(name)? else { return Ok(now) };
        let in_range = (1..=most).contains(&(number as usize)).then_some(number as usize);
        let cause = || format!("must be an integer from 1 to {most}");
        in_range.ok_or_else(|| fields.wrong(name, &cause()))
    };
    let (queue, client) = (limits::QUEUE_JOBS_CEILING, limits::CLIENT_JOBS_CEILING);
    Ok(Capacity {
        line_jobs_max: limit("queue_jobs_max", now.line_jobs_max, queue)?,
        client_jobs_max: limit("client_jobs_max", now.client_jobs_max, client)?,
    })
}

fn shape_of(capacity: Capacity) -> Value {
    json!({
        "queue_jobs_max": capacity.line_jobs_max,
        "client_jobs_max": capacity.client_jobs_max,
    })
}

/// Returns a job as the owner's list shows it: its state and its client, as six digits that
/// distinguish clients.
fn shape(ticket: &Ticket) -> Value {
    let view = ticket.record.read(usize::MAX);
    json!({
        "id": ticket.name.to_string(),
        "state": view.state.name(),
        "place": view.place,
        "eta": view.eta.as_ref().map(json::eta),
        "mode": ticket.question.mode.name,
        "asked_at": json::seconds_since_1970(ticket.asked),
        "client": format!("{:?}", ticket.client),
        "attempts_wanted": ticket.question.attempts,
    })
}

fn unknown() -> Error {
    Error::new(Kind::NotFound, "there is no such job", "GET /api/owner/jobs lists all jobs.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_changed_one_by_one_and_within_bounds() {
        let now = Capacity { line_jobs_max: 32, client_jobs_max: 16 };
        let changed = read(br#"{"client_jobs_max": 4}"#, now).unwrap();
        assert_eq!((changed.line_jobs_max, changed.client_jobs_max), (32, 4));
        for body in ["", "[]", r#"{"queue_jobs_max": 0}"#, r#"{"queue_jobs_max": 1025}"#] {
            assert!(read(body.as_bytes(), now).is_err(), "{body}");
        }
        let error = read(br#"{"threads": 4}"#, now).unwrap_err();
        assert!(error.message.starts_with("threads:"), "{error}");
    }
}
