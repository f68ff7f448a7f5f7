//! The owner's sign-in: the PIN and the sessions it opens.
//!
//! `POST /api/owner/session` takes the PIN and sets a cookie for the owner's paths, `DELETE` ends
//! the session, `GET` returns its state. PINs are verified one at a time, with a growing delay
//! after each wrong one (`patience`); attempts before the delay is over are refused unverified.
//! Every action of the owner elsewhere calls [`Owner::check`] first and is recorded with
//! [`Owner::note`].

mod audit;
mod patience;
pub mod pin;
mod sessions;

pub use audit::Audit;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tiny_http::{Method, Request};

use super::cookie;
use crate::http::alarm::{Alarm, Cause};
use crate::http::refuse::Shape;
use crate::http::reply::{Reply, header};
use crate::types::error::{Error, Kind};
use patience::Patience;
use pin::Pin;
use sessions::{SessionCheck, Sessions};

/// The path of the owner's session.
pub const SESSION_PATH: &str = "/api/owner/session";

const COOKIE: &str = "solverbox-owner";
/// A session cookie: the browser drops it when it closes, the box when it is idle.
const COOKIE_ATTRIBUTES: &str = "HttpOnly; SameSite=Strict; Path=/api/owner";

/// Signs the owner in and keeps the owner's sessions.
pub struct Owner {
    data: PathBuf,
    began: Instant,
    state: Mutex<OwnerState>,
    /// Held while a PIN is hashed, so that one is verified at a time.
    hashing: Mutex<()>,
    audit: Audit,
}

/// The state that belongs to the current PIN; a new PIN starts with a new state.
struct OwnerState {
    /// `None` if no PIN is set or its file is damaged.
    pin: Option<Pin>,
    /// The fault of its file that was last logged.
    fault: Option<String>,
    patience: Patience,
    sessions: Sessions,
}

/// Why a sign-in was refused.
#[derive(Debug, PartialEq, Eq)]
enum Denied {
    /// No PIN is set.
    NoPin,
    /// The PIN is wrong; the number of wrong ones in a row, and the delay before the next.
    Wrong(u32, Duration),
    /// Not verified; the delay before the next is accepted.
    TooSoon(Duration),
    /// The request is malformed or the box failed.
    Fault(Error),
}

impl Owner {
    /// Opens the owner's sign-in with the data folder `data`.
    pub fn open(data: &Path) -> Owner {
        let state = OwnerState {
            pin: None,
            fault: None,
            patience: Patience::load(patience_file(data), "", Duration::ZERO),
            sessions: Sessions::default(),
        };
        Owner {
            data: data.to_path_buf(),
            began: Instant::now(),
            state: Mutex::new(state),
            hashing: Mutex::new(()),
            audit: Audit::open(data),
        }
    }

    /// Returns whether the owner sent a request, and if so renews the session.
    pub fn is_signed_in(&self, request: &Request) -> bool {
        self.has_session(request, SessionCheck::Renew)
    }

    /// Checks that the owner sent a request.
    ///
    /// # Errors
    /// `unauthorized` if no session belongs to it.
    pub fn check(&self, request: &Request) -> Result<(), Error> {
        if self.is_signed_in(request) {
            return Ok(());
        }
        let what = "this needs the owner, and you are not signed in";
        Err(Error::new(Kind::Unauthorized, what, "Sign in with the owner's PIN first."))
    }

    /// Records an action of the owner from `address` in the owner's log.
    pub fn note(&self, action: &str, address: IpAddr, detail: &str) {
        self.audit.note(action, &address, detail);
    }

    /// Answers a request to [`SESSION_PATH`].
    pub fn answer(&self, request: &Request, body: &[u8], address: IpAddr, alarm: &Alarm) -> Reply {
        match request.method() {
            Method::Post => match self.sign_in_with(body, self.now()) {
                Ok(token) => {
                    self.note("sign_in", address, "");
                    Reply::empty(204)
                        .with("Set-Cookie", format!("{COOKIE}={token}; {COOKIE_ATTRIBUTES}"))
                }
                Err(denied) => self.deny(denied, address, alarm),
            },
            Method::Delete => match self.check(request) {
                Ok(()) => {
                    self.sign_out(request);
                    self.note("sign_out", address, "");
                    Reply::empty(204)
                        .with("Set-Cookie", format!("{COOKIE}=; {COOKIE_ATTRIBUTES}; Max-Age=0"))
                }
                Err(error) => Reply::error(&error, Shape::Own),
            },
            _ => {
                let signed_in = self.has_session(request, SessionCheck::Peek);
                let has_pin = self.state(self.now()).pin.is_some();
                Reply::json(200, &json!({"signed_in": signed_in, "has_pin": has_pin}))
            }
        }
    }

    /// Signs in with the PIN in a body, unless the delay after the last wrong one is not over.
    fn sign_in_with(&self, body: &[u8], now: Duration) -> Result<String, Denied> {
        let _hashing = match self.hashing.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(Denied::TooSoon(Duration::from_secs(1))),
        };
        let (pin, left) = {
            let state = self.state(now);
            (state.pin.clone().ok_or(Denied::NoPin)?, state.patience.left(now))
        };
        if !left.is_zero() {
            return Err(Denied::TooSoon(left));
        }
        let tried = pin_in(body).map_err(Denied::Fault)?;
        let (wrong, wait) = self.state(now).patience.count(pin.id(), now);
        let is_right = pin.matches(&tried);
        let mut state = self.state(now);
        // The PIN may have been changed meanwhile: then the old one is not valid any more.
        if !is_right || state.pin.as_ref() != Some(&pin) {
            return Err(Denied::Wrong(wrong, wait));
        }
        state.patience.forgive(pin.id(), now);
        state.sessions.begin(now).map_err(Denied::Fault)
    }

    fn deny(&self, denied: Denied, address: IpAddr, alarm: &Alarm) -> Reply {
        let try_again = "Wait for the time in Retry-After, then type the PIN again.";
        let (error, wait) = match denied {
            Denied::Fault(error) => return Reply::error(&error, Shape::Own),
            Denied::NoPin => {
                let what = "no owner's PIN is set on this box";
                let way = "Set one on the box itself, with `solverbox owner set-pin`.";
                return Reply::error(&Error::new(Kind::Forbidden, what, way), Shape::Own);
            }
            Denied::Wrong(count, wait) => {
                let detail =
                    format!("wrong PIN, {count} in a row; locked for {} s", wait.as_secs());
                self.note("sign_in_failed", address, &detail);
                alarm.refused(Cause::Pin, address, "a wrong PIN");
                (Error::new(Kind::Unauthorized, "the PIN is wrong", try_again), wait)
            }
            Denied::TooSoon(wait) => {
                alarm.refused(Cause::Pin, address, "a PIN that came too soon was not verified");
                let what = "too many wrong PINs: this one was not verified";
                (Error::new(Kind::TooMany, what, try_again), wait)
            }
        };
        let seconds = wait.as_millis().div_ceil(1_000).max(1);
        Reply::error(&error, Shape::Own).with("Retry-After", seconds.to_string())
    }

    fn sign_out(&self, request: &Request) {
        let mut state = self.state(self.now());
        tokens(request).for_each(|token| state.sessions.end(token));
    }

    fn has_session(&self, request: &Request, check: SessionCheck) -> bool {
        let now = self.now();
        let mut state = self.state(now);
        state.pin.is_some() && tokens(request).any(|token| state.sessions.has(token, check, now))
    }

    /// Returns the time on the monotonic clock of sessions and delays.
    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Returns the state, reset if the PIN has changed.
    fn state(&self, now: Duration) -> MutexGuard<'_, OwnerState> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (pin, fault) = match pin::read(&self.data) {
            Ok(pin) => (pin, None),
            Err(error) => (None, Some(format!("{error}. {}", error.remedy))),
        };
        if let Some(fault) = fault.as_ref().filter(|fault| state.fault.as_ref() != Some(fault)) {
            log::error!("the owner cannot sign in: {fault}");
        }
        state.fault = fault;
        if pin != state.pin {
            let id = pin.as_ref().map_or("", Pin::id);
            state.patience = Patience::load(patience_file(&self.data), id, now);
            state.sessions.end_all();
            state.pin = pin;
        }
        state
    }
}

/// Returns the values of the owner's cookies that a request carries.
fn tokens(request: &Request) -> impl Iterator<Item = &str> {
    cookie::values(header(request, "Cookie").unwrap_or_default(), COOKIE)
}

fn patience_file(data: &Path) -> PathBuf {
    data.join("owner-wrong.toml")
}

/// Parses `{"pin": "…"}`; errors never repeat the PIN.
fn pin_in(body: &[u8]) -> Result<String, Error> {
    let form = "Send {\"pin\": \"…\"} as JSON.";
    let value: Value = serde_json::from_slice(body)
        .map_err(|_| Error::bad_request("the body is not JSON", form))?;
    let Some(pin) = value.get("pin").and_then(Value::as_str) else {
        return Err(Error::bad_request("pin: must be a string", form));
    };
    pin::check(pin)?;
    Ok(pin.to_string())
}

#[cfg(test)]
mod tests;
