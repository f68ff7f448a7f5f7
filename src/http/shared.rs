//! Shared jobs: `POST` and `DELETE /api/jobs/ID/share` for the client whose job it is, and
//! `/api/shared/TOKEN` for everybody who has the token, without cookie or key.
//!
//! A token gives access to reading the job and its events, nothing else. `jobs` calls this for a
//! client's own job, `routes` for a token.

use serde_json::json;
use tiny_http::{Method, Request};

use super::job_events::{self, Reading};
use super::refuse::Shape;
use super::reply::Reply;
use super::{App, job_request};
use crate::api::json;
use crate::desk::Ticket;
use crate::types::error::{Error, Kind};

/// The path below which the token is.
pub const PATH: &str = "/api/shared/";

/// What a request wants of a shared job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SharedEndpoint {
    /// The job with its text so far.
    Whole,
    /// The job's events, as a stream.
    Events,
}

impl SharedEndpoint {
    /// Parses the path below [`PATH`]: a token, and what is wanted of its job.
    pub fn of_path(path: &str) -> Option<(&str, SharedEndpoint)> {
        match path.split_once('/') {
            None => Some((path, SharedEndpoint::Whole)),
            Some((token, "events")) => Some((token, SharedEndpoint::Events)),
            Some(_) => None,
        }
    }

    /// Returns the methods that are allowed.
    pub fn allowed(self) -> &'static str {
        match self {
            SharedEndpoint::Whole => "GET, HEAD, OPTIONS",
            SharedEndpoint::Events => "GET, OPTIONS",
        }
    }
}

/// Shares a job by a new token, or ends that.
pub fn change(app: &App, ticket: &Ticket, method: &Method) -> Reply {
    let changed = match method {
        Method::Delete => app.desk.unshare(ticket.job).map(|()| Reply::empty(204)),
        _ => app.desk.share(ticket.job).map(|token| {
            // The page reads the token from the fragment, which browsers do not send.
            let path = format!("/#shared/{token}");
            Reply::json(201, &json!({"token": token, "path": path}))
        }),
    };
    changed.unwrap_or_else(|error| Reply::error(&error, Shape::Own))
}

/// Handles a request for a shared job.
pub fn read(app: &App, token: &str, endpoint: SharedEndpoint, request: Request) {
    let found = app.desk.find_shared(token).and_then(|ticket| ticket.ok_or_else(unknown));
    let ticket = match found {
        Ok(ticket) => ticket,
        Err(error) => return Reply::error(&error, Shape::Own).send(request),
    };
    match endpoint {
        SharedEndpoint::Whole => Reply::json(200, &json::job(&ticket)).send(request),
        SharedEndpoint::Events => match job_request::from(&request) {
            Ok(from) => {
                // A journal that cannot be read now says nothing: the reader goes on.
                let is_shared = || app.desk.is_shared(token).unwrap_or(true);
                job_events::send(&ticket, from, Reading::Shared(&is_shared), request);
            }
            Err(error) => Reply::error(&error, Shape::Own).send(request),
        },
    }
}

/// The error for tokens that no longer work as well as for those that never did.
fn unknown() -> Error {
    Error::new(
        Kind::NotFound,
        "nothing is shared under this address",
        "Ask the person who shared it for a new link.",
    )
}
