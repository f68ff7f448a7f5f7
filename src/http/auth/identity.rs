//! The checks that every request passes first: its Host, the page that sent it, its credentials.
//!
//! `routes` calls this once for each request, before the rules of its path. A refused request gets
//! an error with a remedy, and the log gets a bounded number of lines about refusals.

use std::path::Path;

use tiny_http::{Method, Request};

use super::browser::{self, Browser};
use super::client::{self, Access, Credentials, Principal};
use super::host::Hosts;
use super::keys::ApiKeys;
use super::origin::{self, Sender, sender};
use super::owner::Owner;
use super::secret::Secret;
use crate::http::alarm::{Alarm, Cause, quoted};
use crate::http::gate::{VISITOR_HEADER, Visitor};
use crate::http::refuse::Shape;
use crate::http::reply::{Reply, header};
use crate::types::error::{Error, Kind};

/// Headers in which proxies name the client they relay for.
const RELAYED: [&str; 3] = ["Forwarded", "X-Forwarded-For", "X-Real-IP"];

/// The owner's settings for who may use the box.
#[derive(Clone, Debug, Default)]
pub struct Admission {
    /// The list of API keys, if there is one.
    pub keys: Option<ApiKeys>,
    /// Further host names that the box answers to.
    pub host_names: Vec<String>,
    /// Origins of pages of other sites and apps that may use the APIs.
    pub origins: Vec<String>,
}

/// Authenticates requests: the secret of cookies, the API keys, the host names and the owner.
pub struct Identity {
    secret: Secret,
    keys: Option<ApiKeys>,
    hosts: Hosts,
    alarm: Alarm,
    /// The owner's sign-in and sessions.
    pub owner: Owner,
}

impl Identity {
    /// Loads the cookies' secret and the owner's PIN from the data folder `data`.
    ///
    /// # Errors
    /// The errors of [`Secret::load`].
    pub fn open(data: &Path, admission: Admission) -> Result<Identity, Error> {
        if let Some(keys) = &admission.keys {
            log::info!("API keys: {} on the list", keys.count());
        }
        origin::allow(&admission.origins);
        Ok(Identity {
            secret: Secret::load(data)?,
            keys: admission.keys,
            hosts: Hosts::new(&admission.host_names),
            alarm: Alarm::default(),
            owner: Owner::open(data),
        })
    }

    /// Authenticates a request to `path`.
    ///
    /// # Errors
    /// The reply to a request that must not be handled.
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
        // DNS rebinding works on browsers only, and they speak HTTP/1.1.
        if host.is_some() || request.http_version().1 >= 1 {
            let said = || format!("a request for {}", quoted(host.unwrap_or_default()));
            self.hosts.check(host).map_err(|error| refused(Cause::Host, &said(), &error))?;
        }
        if let Some(error) = forbidden_page(request, path) {
            let origin = quoted(header(request, "Origin").unwrap_or("another site"));
            let said = format!("{} {path} by a page of {origin}", request.method());
            return Err(refused(Cause::Origin, &said, &error));
        }
        let credentials = Credentials {
            // Without this, an allowed page could act as the person who uses the box's page in the
            // same browser.
            cookies: header(request, "Cookie")
                .filter(|_| origin::sender(request) != Sender::AllowedPage),
            authorization: header(request, "Authorization"),
            address: visitor.address(),
            connection: header(request, VISITOR_HEADER).unwrap_or_default(),
            relayed: RELAYED.iter().any(|name| header(request, name).is_some()),
        };
        let access = access(request.method(), path);
        client::of(&credentials, access, &self.secret, self.keys.as_ref()).map_err(|denied| {
            self.alarm.refused(denied.cause(), credentials.address, &denied.error().message);
            denied.reply(shape)
        })
    }

    /// Returns the `Set-Cookie` for a browser without a valid cookie.
    pub fn cookie_for(&self, request: &Request) -> Option<String> {
        client::cookie_for(header(request, "Cookie"), &self.secret)
    }

    /// Returns the browser that asks for a page with forms.
    ///
    /// # Errors
    /// `internal` if it is new and no random bytes are available.
    pub fn browser(&self, request: &Request) -> Result<Browser, Error> {
        Browser::of(header(request, "Cookie"), &self.secret)
    }

    /// Refuses a form that this box did not give to the browser that sends it, and logs that.
    ///
    /// # Errors
    /// `forbidden`, whose remedy is to open the page again.
    pub fn check_form(
        &self,
        request: &Request,
        visitor: &Visitor,
        token: &str,
    ) -> Result<(), Error> {
        if browser::is_own_form(header(request, "Cookie"), token, &self.secret) {
            return Ok(());
        }
        let what = "the form does not come from a page of this box";
        self.alarm.refused(Cause::Origin, visitor.address(), what);
        Err(Error::new(
            Kind::Forbidden,
            what,
            "Let the browser keep this box's cookie, open the page again, and send it from there.",
        ))
    }

    /// Answers a request to the owner's session.
    pub fn owner_session(&self, request: &Request, visitor: &Visitor, body: &[u8]) -> Reply {
        self.owner.answer(request, body, visitor.address(), &self.alarm)
    }
}

/// Returns the access a request needs: private for unsafe methods and for the paths of one client's
/// or the owner's data, else public.
fn access(method: &Method, path: &str) -> Access {
    let is_under = |room: &str| {
        path.strip_prefix(room).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let is_private = match method {
        Method::Options => false,
        method if changes(method) => true,
        _ => is_under("/api/jobs") || is_under("/api/owner"),
    };
    if is_private { Access::Private } else { Access::Public }
}

fn changes(method: &Method) -> bool {
    !matches!(method, Method::Get | Method::Head | Method::Options)
}

/// Returns why the page that sent a request may not send it. Other pages of this machine may ask
/// questions but not act as the owner.
fn forbidden_page(request: &Request, path: &str) -> Option<Error> {
    if !changes(request.method()) {
        return None;
    }
    let is_owners = path.starts_with("/api/owner");
    match sender(request) {
        Sender::Program | Sender::OwnPage | Sender::AllowedPage => None,
        Sender::LoopbackPage if !is_owners => None,
        Sender::LoopbackPage | Sender::ForeignPage => {
            let remedy = if origin::can_be_allowed(request) {
                "Use the box's own page or a program, or start the box with --allow-origin and \
                 this origin."
            } else {
                "Use the box's own page or a program."
            };
            let what = "requests from other sites are not allowed";
            Some(Error::new(Kind::Forbidden, what, remedy))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_changes_something_asks_and_so_does_looking_at_ones_own() {
        for (method, path, access) in [
            (Method::Get, "/", Access::Public),
            (Method::Get, "/v1/models", Access::Public),
            (Method::Get, "/api/jobsx", Access::Public),
            (Method::Options, "/api/jobs", Access::Public),
            (Method::Post, "/v1/chat/completions", Access::Private),
            (Method::Delete, "/anything", Access::Private),
            (Method::Get, "/api/jobs", Access::Private),
            (Method::Head, "/api/jobs/7", Access::Private),
            (Method::Get, "/api/owner/session", Access::Private),
        ] {
            assert_eq!(super::access(&method, path), access, "{method} {path}");
        }
    }
}
