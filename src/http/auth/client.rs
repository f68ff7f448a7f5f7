//! Who asks: a key on the owner's list, else the box's own cookie, else any key, else the address.
//!
//! The page brings its cookie to the browser, sealed so that nobody can make one up (`secret`). On
//! loopback all programs have one address, so there each connection without cookie and key is a
//! client of its own. Where the owner keeps a list of keys (`keys`), a key must be on it, and
//! programs from elsewhere need one; where there is none, a key only tells clients apart.
//! `identity` asks for every request. What a client may do is the desk's business, what its key may
//! not, ours.

use std::net::IpAddr;
use std::sync::Arc;

use super::cookie;
use super::keys::{Keys, Limits};
use super::secret::Secret;
use crate::http::alarm::Cause;
use crate::http::refuse::Shape;
use crate::http::reply::Reply;
use crate::types::error::{Error, Kind};
use crate::types::job::{Choices, Client, Question};

const COOKIE: &str = "solverbox";
const YEAR_SECONDS: u32 = 31_536_000;

/// Who asks, and what it may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// For turns and for ownership.
    pub client: Client,
    /// The same for jobs that last: a program of this machine without any mark comes back over
    /// another connection, so all of them are one.
    pub durability: Client,
    /// The name of its key, where the owner has given it one.
    pub name: Option<Arc<str>>,
    /// What that key may.
    pub limits: Limits,
}

/// What a request shows of who sends it.
#[derive(Clone, Copy, Debug)]
pub struct Credentials<'r> {
    /// Its `Cookie`.
    pub cookies: Option<&'r str>,
    /// Its `Authorization`.
    pub authorization: Option<&'r str>,
    /// Where it comes from.
    pub address: IpAddr,
    /// Names its connection.
    pub connection: &'r str,
    /// Whether a proxy passed it on, for somebody who may be anywhere.
    pub relayed: bool,
}

/// What a request wants of the box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Work, or what belongs to one client: it matters who asks.
    Something,
    /// What everybody may see.
    Nothing,
}

/// Somebody who is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthError {
    /// Its cookie is not one of this box.
    ForgedCookie,
    /// Its key is not on the list.
    WrongKey,
    /// It needs a key and shows none.
    NoKey,
}

/// Returns who asks. `keys` is the owner's list, if there is one.
///
/// # Errors
/// A [`AuthError`] who must not be let in.
pub fn of(
    marks: &Credentials<'_>,
    want: Access,
    secret: &Secret,
    keys: Option<&Keys>,
) -> Result<Principal, AuthError> {
    let own = marks.cookies.and_then(|cookies| id_of(cookies, secret));
    let sends_one = || marks.cookies.is_some_and(|all| cookie::values(all, COOKIE).count() > 0);
    if want == Access::Something && own.is_none() && sends_one() {
        return Err(AuthError::ForgedCookie);
    }
    let unlimited =
        |client| Principal { client, durability: client, name: None, limits: Limits::default() };
    let key = marks.authorization.and_then(api_key);
    let of_key = key.map(|key| Client::of("key", key.as_bytes()));
    if let (Some(keys), Some(key), Some(client)) = (keys, key, of_key) {
        let key = keys.find(key).ok_or(AuthError::WrongKey)?;
        let (durability, name) = (client, Some(key.name.clone()));
        return Ok(Principal { client, durability, name, limits: key.limits });
    }
    if let Some(id) = own {
        return Ok(unlimited(Client::of("cookie", id.as_bytes())));
    }
    if let Some(client) = of_key {
        return Ok(unlimited(client));
    }
    let is_of_the_box = marks.address.is_loopback() && !marks.relayed;
    if keys.is_some() && want == Access::Something && !is_of_the_box {
        return Err(AuthError::NoKey);
    }
    let address = unlimited(Client::of("address", marks.address.to_string().as_bytes()));
    if marks.address.is_loopback() {
        let connection = Client::of("connection", marks.connection.as_bytes());
        return Ok(Principal { client: connection, ..address });
    }
    Ok(address)
}

/// Returns the `Set-Cookie` that makes a browser known which sends these cookies; `None` where it
/// is, or where no random number can be had: it is then known by its address.
pub fn cookie_for(cookies: Option<&str>, secret: &Secret) -> Option<String> {
    if cookies.and_then(|cookies| id_of(cookies, secret)).is_some() {
        return None;
    }
    match secret.cookie() {
        Ok(value) => Some(format!(
            "{COOKIE}={value}; HttpOnly; SameSite=Strict; Path=/; Max-Age={YEAR_SECONDS}"
        )),
        Err(error) => {
            log::warn!("cannot make a cookie: {error}");
            None
        }
    }
}

/// Returns whom the first cookie of ours names; others may be called the same.
fn id_of<'c>(cookies: &'c str, secret: &Secret) -> Option<&'c str> {
    cookie::values(cookies, COOKIE).find_map(|value| secret.id_of(value))
}

/// Returns the key of `Authorization: Bearer KEY`; the scheme has no case (RFC 9110, 11.1).
fn api_key(authorization: &str) -> Option<&str> {
    let (scheme, key) = authorization.trim().split_once(' ')?;
    let key = key.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !key.is_empty()).then_some(key)
}

impl Principal {
    /// Holds a question to what the principal's key may: what was asked for by name is refused, what
    /// the mode would give is cut to it.
    ///
    /// # Errors
    /// `forbidden`, naming the field, the value, the key and the bound.
    pub fn admit(&self, question: &mut Question) -> Result<(), Error> {
        let name = self.name.as_deref().unwrap_or_default();
        let too_many = |field: &str, value: u32, max: u32| {
            Error::new(
                Kind::Forbidden,
                format!(
                    "{field}: {value} are too many for the API key '{name}', at most {max} are \
                     allowed"
                ),
                "Ask for less, or ask the person who looks after the box for more.",
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
    /// Returns what the box's owner is told it was.
    pub fn cause(self) -> Cause {
        match self {
            AuthError::ForgedCookie => Cause::Cookie,
            AuthError::WrongKey | AuthError::NoKey => Cause::Key,
        }
    }

    /// Words the refusal.
    pub fn error(self) -> Error {
        let (what, way) = match self {
            AuthError::ForgedCookie => {
                ("the cookie is not this box's", "Load the box's page again, which brings one.")
            }
            AuthError::WrongKey => (
                "the API key is not one of this box's",
                "Check the key, or ask the person who looks after the box for one.",
            ),
            AuthError::NoKey => (
                "this box wants to know who asks",
                "Send an API key (Authorization: Bearer …), or ask from the box's own page.",
            ),
        };
        Error::new(Kind::Unauthorized, what, way)
    }

    /// Makes the reply, under `/v1` as OpenAI's own API refuses a key.
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
