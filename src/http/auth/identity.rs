//! What every request has to pass before anybody works for it: is it for this box, may the page
//! that sent it, and who asks?
//!
//! `routes` asks once for each request, before it looks at the path's own rules. Whoever is refused
//! is told why and what to do, and the box's log is told, within bounds, who was refused.

use std::path::Path;

use tiny_http::{Method, Request};

use super::client::{self, Access, Credentials, Principal};
use super::host::Hosts;
use super::keys::Keys;
use super::origin::{Sender, sender};
use super::owner::Owner;
use super::secret::Secret;
use crate::http::alarm::{Alarm, Cause, quoted};
use crate::http::gate::{VISITOR_HEADER, Visitor};
use crate::http::refuse::Shape;
use crate::http::reply::{Reply, header};
use crate::types::error::{Error, Kind};

/// Headers in which proxies say for whom they ask.
const RELAYED: [&str; 3] = ["Forwarded", "X-Forwarded-For", "X-Real-IP"];

/// What an owner says of who may ask.
#[derive(Clone, Debug, Default)]
pub struct Admission {
    /// The list of API keys, where there is one.
    pub keys: Option<Keys>,
    /// Further names of the box.
    pub host_names: Vec<String>,
}

/// What the box tells people apart by.
pub struct Identity {
    secret: Secret,
    keys: Option<Keys>,
    hosts: Hosts,
    alarm: Alarm,
    /// The owner's door.
    pub owner: Owner,
}

impl Identity {
    /// Loads what lasts from the data folder `data`.
    ///
    /// # Errors
    /// Those of [`Secret::load`].
    pub fn open(data: &Path, admission: Admission) -> Result<Identity, Error> {
        if let Some(keys) = &admission.keys {
            log::info!("API keys: {} on the list", keys.count());
        }
        Ok(Identity {
            secret: Secret::load(data)?,
            keys: admission.keys,
            hosts: Hosts::new(&admission.host_names),
            alarm: Alarm::default(),
            owner: Owner::open(data),
        })
    }

    /// Returns who sent a request to `path`.
    ///
    /// # Errors
    /// The reply to one that must not be worked on.
    pub fn check(
        &self,
        request: &Request,
        visitor: &Visitor,
        path: &str,
    ) -> Result<Principal, Reply> {
        let shape = Shape::of_path(path);
        let refused = |cause: Cause, what: &str, error: &Error| {
            self.alarm.refused(cause, visitor.address(), what);
            Reply::error(error, shape)
        };
        let host = header(request, "Host");
        // Only browsers can be led astray, and they speak HTTP/1.1.
        if host.is_some() || request.http_version().1 >= 1 {
            let said = || format!("a request for {}", quoted(host.unwrap_or_default()));
            self.hosts.check(host).map_err(|error| refused(Cause::Host, &said(), &error))?;
        }
        if let Some(error) = forbidden_page(request, path) {
            let origin = quoted(header(request, "Origin").unwrap_or("another site"));
            let said = format!("{} {path} by a page of {origin}", request.method());
            return Err(refused(Cause::Origin, &said, &error));
        }
        let marks = Credentials {
            cookies: header(request, "Cookie"),
            authorization: header(request, "Authorization"),
            address: visitor.address(),
            connection: header(request, VISITOR_HEADER).unwrap_or_default(),
            relayed: RELAYED.iter().any(|name| header(request, name).is_some()),
        };
        let want = want(request.method(), path);
        client::of(&marks, want, &self.secret, self.keys.as_ref()).map_err(|stranger| {
            self.alarm.refused(stranger.cause(), marks.address, &stranger.error().message);
            stranger.reply(shape)
        })
    }

    /// Returns the `Set-Cookie` for a browser that is not known yet.
    pub fn cookie_for(&self, request: &Request) -> Option<String> {
        client::cookie_for(header(request, "Cookie"), &self.secret)
    }

    /// Answers a request to the owner's session.
    pub fn owner_session(&self, request: &Request, visitor: &Visitor, body: &[u8]) -> Reply {
        self.owner.answer(request, body, visitor.address(), &self.alarm)
    }
}

/// Returns what a request wants: whatever changes something asks, and so does whoever looks at what
/// belongs to one client or to the owner.
fn want(method: &Method, path: &str) -> Access {
    let is_under = |room: &str| {
        path.strip_prefix(room).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let asks = match method {
        Method::Options => false,
        method if changes(method) => true,
        _ => is_under("/api/jobs") || is_under("/api/owner"),
    };
    if asks { Access::Something } else { Access::Nothing }
}

fn changes(method: &Method) -> bool {
    !matches!(method, Method::Get | Method::Head | Method::Options)
}

/// Returns why the page that sent a request may not; pages of this machine may ask, but not act as
/// the owner.
fn forbidden_page(request: &Request, path: &str) -> Option<Error> {
    if !changes(request.method()) {
        return None;
    }
    let is_owners = path.starts_with("/api/owner");
    match sender(request) {
        Sender::Program | Sender::OwnPage => None,
        Sender::LoopbackPage if !is_owners => None,
        Sender::LoopbackPage | Sender::ForeignPage => Some(Error::new(
            Kind::Forbidden,
            "a page of another site may not ask this box",
            "Ask from the box's own page, or from a program.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_changes_something_asks_and_so_does_looking_at_ones_own() {
        for (method, path, want) in [
            (Method::Get, "/", Access::Nothing),
            (Method::Get, "/v1/models", Access::Nothing),
            (Method::Get, "/api/jobsx", Access::Nothing),
            (Method::Options, "/api/jobs", Access::Nothing),
            (Method::Post, "/v1/chat/completions", Access::Something),
            (Method::Delete, "/anything", Access::Something),
            (Method::Get, "/api/jobs", Access::Something),
            (Method::Head, "/api/jobs/7", Access::Something),
            (Method::Get, "/api/owner/session", Access::Something),
        ] {
            assert_eq!(super::want(&method, path), want, "{method} {path}");
        }
    }
}
