//! Authentication: maps a request's credentials to a principal.
//!
//! In this order: an API key on the owner's list, the box's own cookie, any other key, the address.
//! The page sets the cookie, sealed so that it cannot be forged (`secret`). On loopback all
//! programs share one address, so there each connection without cookie or key is a client of its
//! own. If the owner keeps a list of keys (`keys`), a key must be on it, and programs on other
//! machines need one; without a list a key only tells clients apart. `identity` calls this for
//! every request. It enforces the limits of a key; the desk enforces those of a client.

use std::net::IpAddr;
use std::sync::Arc;

use super::cookie;
use super::keys::{ApiKeys, KeyLimits};
use super::secret::Secret;
use crate::http::alarm::Cause;
use crate::http::refuse::Shape;
use crate::http::reply::Reply;
use crate::types::error::{Error, Kind};
use crate::types::job::{Choices, Client, Question};

const COOKIE: &str = "solverbox";
const YEAR_SECONDS: u32 = 31_536_000;

/// An authenticated client and the limits of its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The client, for fair turns and for ownership.
    pub client: Client,
    /// The client that owns durable jobs: a program on this machine without credentials returns
    /// over another connection, so all such programs are one client.
    pub durable_client: Client,
    /// Whether it sent a cookie of the box or a key; otherwise it is known by its address alone.
    pub has_credentials: bool,
    /// The name of its API key, if the key is on the owner's list.
    pub name: Option<Arc<str>>,
    /// The limits of that key.
    pub limits: KeyLimits,
}

/// The credentials and origin of a request.
#[derive(Clone, Copy, Debug)]
pub struct Credentials<'r> {
    /// The value of the `Cookie` header.
    pub cookies: Option<&'r str>,
    /// The value of the `Authorization` header.
    pub authorization: Option<&'r str>,
    /// The address of the connection.
    pub address: IpAddr,
    /// The ID of the connection.
    pub connection: &'r str,
    /// Whether a proxy relayed it, so that the address says nothing about the sender.
    pub relayed: bool,
}

/// What a request needs authentication for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Work, or data that belongs to one client.
    Private,
    /// Data that everybody may see.
    Public,
}

/// Why a request was not authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthError {
    /// The cookie was not issued by this box.
    ForgedCookie,
    /// The API key is not on the owner's list.
    WrongKey,
    /// An API key is needed and none was sent.
    NoKey,
}

/// Authenticates a request. `keys` is the owner's list, if there is one.
///
/// # Errors
/// The reason to refuse it.
pub fn of(
    credentials: &Credentials<'_>,
    access: Access,
    secret: &Secret,
    keys: Option<&ApiKeys>,
) -> Result<Principal, AuthError> {
    let own = credentials.cookies.and_then(|cookies| id_of(cookies, secret));
    let sends_one =
        || credentials.cookies.is_some_and(|all| cookie::values(all, COOKIE).count() > 0);
    if access == Access::Private && own.is_none() && sends_one() {
        return Err(AuthError::ForgedCookie);
    }
    let key = credentials.authorization.and_then(api_key);
    let of_key = key.map(|key| Client::of("key", key.as_bytes()));
    let unlimited = |client| Principal {
        client,
        durable_client: client,
        has_credentials: own.is_some() || of_key.is_some(),
        name: None,
        limits: KeyLimits::default(),
    };
    if let (Some(keys), Some(key), Some(client)) = (keys, key, of_key) {
        let key = keys.find(key).ok_or(AuthError::WrongKey)?;
        let (durable_client, name) = (client, Some(key.name.clone()));
        let limits = key.limits;
        return Ok(Principal { client, durable_client, has_credentials: true, name, limits });
    }
    if let Some(id) = own {
        return Ok(unlimited(Client::of("cookie", id.as_bytes())));
    }
    if let Some(client) = of_key {
        return Ok(unlimited(client));
    }
    let is_of_the_box = credentials.address.is_loopback() && !credentials.relayed;
    if keys.is_some() && access == Access::Private && !is_of_the_box {
        return Err(AuthError::NoKey);
    }
    let address = unlimited(Client::of("address", credentials.address.to_string().as_bytes()));
    if credentials.address.is_loopback() {
        let connection = Client::of("connection", credentials.connection.as_bytes());
        return Ok(Principal { client: connection, ..address });
    }
    Ok(address)
}

/// Returns the `Set-Cookie` for a browser that sent `cookies`; `None` if it already has a valid
/// cookie, or if no random number is available (it is then identified by its address).
pub fn cookie_for(cookies: Option<&str>, secret: &Secret) -> Option<String> {
    if cookies.and_then(|cookies| id_of(cookies, secret)).is_some() {
        return None;
    }
    match secret.cookie() {
        Ok(value) => Some(set_cookie(&value)),
        Err(error) => {
            log::warn!("cannot make a cookie: {error}");
            None
        }
    }
}

/// Returns the `Set-Cookie` with which a browser forgets its cookie.
pub fn expired_cookie() -> String {
    format!("{COOKIE}=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0")
}

/// Returns the `Set-Cookie` that gives a browser a cookie of this value.
///
/// `Lax`, because a browser that follows a link from another site must be known: without its cookie
/// it would get a new one, and lose its questions. What changes something is guarded by `origin`.
pub(super) fn set_cookie(value: &str) -> String {
    format!("{COOKIE}={value}; HttpOnly; SameSite=Lax; Path=/; Max-Age={YEAR_SECONDS}")
}

/// Returns the ID in the first valid cookie; other sites' cookies may have the same name.
pub(super) fn id_of<'c>(cookies: &'c str, secret: &Secret) -> Option<&'c str> {
    cookie::values(cookies, COOKIE).find_map(|value| secret.id_of(value))
}

/// Returns the key of `Authorization: Bearer KEY`; the scheme has no case (RFC 9110, 11.1).
fn api_key(authorization: &str) -> Option<&str> {
    let (scheme, key) = authorization.trim().split_once(' ')?;
    let key = key.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !key.is_empty()).then_some(key)
}

impl Principal {
    /// Applies the limits of the principal's key to a question: an explicit value above a limit is
    /// refused, a mode's default is lowered to it.
    ///
    /// # Errors
    /// `forbidden`, naming the field, the value, the key and the bound.
    pub fn admit(&self, question: &mut Question) -> Result<(), Error> {
        let name = self.name.as_deref().unwrap_or_default();
        let too_many = |field: &str, value: u32, max: u32| {
            Error::new(
                Kind::Forbidden,
                format!(
                    "{field}: {value} is too many for the API key '{name}', at most {max} are \
                     allowed"
                ),
                "Lower it, or ask the owner of the box for a higher limit.",
            )
        };
        let mode = question.mode.clone();
        if let Some(max) = self.limits.attempts_max.filter(|max| question.attempts > *max) {
            if question.choices == Choices::All || question.attempts != mode.attempts {
                let field = if question.choices == Choices::All { "n" } else { "attempts" };
                return Err(too_many(field, question.attempts, max));
            }
            question.attempts = max;
        }
        if let Some(max) = self.limits.budget_tokens_max.filter(|m| question.budget_tokens > *m) {
            if question.budget_tokens != mode.budget_tokens {
                return Err(too_many("max_tokens", question.budget_tokens, max));
            }
            question.budget_tokens = max;
        }
        Ok(())
    }
}

impl AuthError {
    /// Returns the cause for the owner's log.
    pub fn cause(self) -> Cause {
        match self {
            AuthError::ForgedCookie => Cause::Cookie,
            AuthError::WrongKey | AuthError::NoKey => Cause::Key,
        }
    }

    /// Returns the error to send.
    pub fn error(self) -> Error {
        let (what, way) = match self {
            AuthError::ForgedCookie => {
                ("the cookie was not issued by this box", "Reload the box's page to get a new one.")
            }
            AuthError::WrongKey => (
                "the API key is not valid on this box",
                "Check the key, or ask the owner of the box for one.",
            ),
            AuthError::NoKey => (
                "authentication required",
                "Send an API key (Authorization: Bearer …), or use the box's own page.",
            ),
        };
        Error::new(Kind::Unauthorized, what, way)
    }

    /// Returns the reply; under `/v1` it has the form of OpenAI's own API.
    pub fn reply(self, shape: Shape) -> Reply {
        match self {
            AuthError::ForgedCookie => Reply::error(&self.error(), shape),
            AuthError::WrongKey | AuthError::NoKey => {
                Reply::error_coded(&self.error(), shape, "invalid_api_key")
                    .with("WWW-Authenticate", "Bearer")
            }
        }
    }
}

#[cfg(test)]
mod tests;
