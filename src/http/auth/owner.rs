//! The owner's door: signing in with the PIN, and who is signed in.
//!
//! `POST /api/owner/session` takes the PIN and brings a cookie that only the owner's paths see,
//! `DELETE` gives it back, `GET` says how things stand. PINs are tried one at a time and slower
//! with each wrong one (`patience`); those that come too soon are turned away without being looked
//! at. Whatever an owner may do elsewhere asks [`Owner::check`] first and is noted with
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
use sessions::{Look, Sessions};

/// The path of the owner's session.
pub const SESSION_PATH: &str = "/api/owner/session";

const COOKIE: &str = "solverbox-owner";
/// Without an age: the browser forgets it when it is closed, the box when it is not used.
const COOKIE_ATTRIBUTES: &str = "HttpOnly; SameSite=Strict; Path=/api/owner";

/// What the box knows of its owner.
pub struct Owner {
    data: PathBuf,
    began: Instant,
    state: Mutex<State>,
    /// Held while a PIN is hashed: one at a time, however many are sent.
    hashing: Mutex<()>,
    audit: Audit,
}

/// What goes with the PIN there is; a new one begins with a new state.
struct State {
    /// `None` where there is none, or what there is is damaged.
    pin: Option<Pin>,
    /// What is wrong with its file, as was said already.
    fault: Option<String>,
    patience: Patience,
    sessions: Sessions,
}

/// Why nobody was signed in.
#[derive(Debug, PartialEq, Eq)]
enum Denied {
    /// There is no PIN.
    NoPin,
    /// Wrong, so many in a row; the next is heard after this time.
    Wrong(u32, Duration),
    /// Not looked at; one is heard after this time.
    TooSoon(Duration),
    /// The box is at fault.
    Fault(Error),
}

impl Owner {
    /// Opens the owner's door of the data folder `data`.
    pub fn open(data: &Path) -> Owner {
        let state = State {
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

    /// Returns whether the owner sent a request; the owner's session then lasts on from now.
    pub fn is_signed_in(&self, request: &Request) -> bool {
        self.has_session(request, Look::AsUse)
    }

    /// Checks that the owner sent a request.
    ///
    /// # Errors
    /// `unauthorized` with the way to sign in.
    pub fn check(&self, request: &Request) -> Result<(), Error> {
        if self.is_signed_in(request) {
            return Ok(());
        }
        let what = "only the owner of the box may do this, and nobody is signed in here";
        Err(Error::new(Kind::Unauthorized, what, "Sign in with the owner's PIN first."))
    }

    /// Notes what the owner did from `address` in the log for owners.
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
                let signed_in = self.has_session(request, Look::Only);
                let has_pin = self.state(self.now()).pin.is_some();
                Reply::json(200, &json!({"signed_in": signed_in, "has_pin": has_pin}))
            }
        }
    }

    /// Signs in with the PIN in a body, unless it comes too soon to be looked at.
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
        let is_right = pin.is(&tried);
        let mut state = self.state(now);
        // Where it was changed meanwhile, the old one opens nothing any more.
        if !is_right || state.pin.as_ref() != Some(&pin) {
            return Err(Denied::Wrong(wrong, wait));
        }
        state.patience.forgive(pin.id(), now);
        state.sessions.begin(now).map_err(Denied::Fault)
    }

    fn deny(&self, denied: Denied, address: IpAddr, alarm: &Alarm) -> Reply {
        let try_again = "Wait as long as Retry-After says, and type the PIN again.";
        let (error, wait) = match denied {
            Denied::Fault(error) => return Reply::error(&error, Shape::Own),
            Denied::NoPin => {
                let what = "this box has no owner's PIN";
                let way = "Set one on the box itself, with `solverbox owner set-pin`.";
                return Reply::error(&Error::new(Kind::Forbidden, what, way), Shape::Own);
            }
            Denied::Wrong(count, wait) => {
                let detail = format!("wrong PIN, {count} in a row; shut for {} s", wait.as_secs());
                self.note("sign_in_failed", address, &detail);
                alarm.refused(Cause::Pin, address, "a wrong PIN");
                (Error::new(Kind::Unauthorized, "the PIN is wrong", try_again), wait)
            }
            Denied::TooSoon(wait) => {
                alarm.refused(Cause::Pin, address, "a PIN that came too soon was not looked at");
                let what = "too many wrong PINs: this one was not looked at";
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

    fn has_session(&self, request: &Request, look: Look) -> bool {
        let now = self.now();
        let mut state = self.state(now);
        state.pin.is_some() && tokens(request).any(|token| state.sessions.has(token, look, now))
    }

    /// Returns the time on the clock of sessions and waits, which only goes forward.
    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Returns the state, made anew where the PIN is another than it was.
    fn state(&self, now: Duration) -> MutexGuard<'_, State> {
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

/// Reads `{"pin": "…"}`; nothing of it is repeated in an error.
fn pin_in(body: &[u8]) -> Result<String, Error> {
    let form = "Send {\"pin\": \"…\"} as JSON.";
    let value: Value = serde_json::from_slice(body)
        .map_err(|_| Error::bad_request("the body is not JSON", form))?;
    let Some(pin) = value.get("pin").and_then(Value::as_str) else {
        return Err(Error::bad_request("pin: it is missing or no text", form));
    };
    pin::check(pin)?;
    Ok(pin.to_string())
}

#[cfg(test)]
mod tests;
