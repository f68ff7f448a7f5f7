//! The one error type everything in the box reports with.
//!
//! An error is two sentences for the person present (what failed, what to do now) and a stable kind
//! that programs can rely on. `main` prints it, `http/` maps its kind to a status; nothing here
//! knows of exit codes or statuses.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What went wrong, as a stable name for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Something in the box itself broke.
    Internal,
    /// The request, a flag or a setting makes no sense as given.
    BadRequest,
    /// No model file was found.
    NoModel,
    /// The model file is damaged, unsupported, or produced nonsense.
    BadModel,
    /// What was asked for does not fit this machine's memory.
    NoMemory,
    /// The disk has no room for what would be written.
    NoSpace,
    /// The line of waiting questions, or the connections, are full.
    Busy,
    /// The client has as many questions in the box as one may have.
    TooMany,
    /// The question is longer than allowed.
    TooLong,
    /// The thing named does not exist.
    NotFound,
    /// The same name was used for something else before.
    Conflict,
    /// A person stopped it.
    Stopped,
    /// Who asks has to say who it is, and has not or not truly.
    Unauthorized,
    /// Who asks is known, or need not be, and may not do this.
    Forbidden,
    /// The request was sent to a name that is not this box's.
    Misdirected,
}

impl Kind {
    /// Returns the kind's name as it appears in JSON and logs.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Internal => "internal",
            Kind::BadRequest => "bad_request",
            Kind::NoModel => "no_model",
            Kind::BadModel => "bad_model",
            Kind::NoMemory => "no_memory",
            Kind::NoSpace => "no_space",
            Kind::Busy => "busy",
            Kind::TooMany => "too_many",
            Kind::TooLong => "too_long",
            Kind::NotFound => "not_found",
            Kind::Conflict => "conflict",
            Kind::Stopped => "stopped",
            Kind::Unauthorized => "unauthorized",
            Kind::Forbidden => "forbidden",
            Kind::Misdirected => "misdirected",
        }
    }
}

/// A failure a person can act on: `what failed 'which': cause`, then the way out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    /// The stable kind.
    pub kind: Kind,
    /// What failed, naming the thing; no full stop.
    pub message: String,
    /// One full sentence: what the person present can do now.
    pub remedy: String,
}

impl Error {
    /// Makes an error of `kind` from its two sentences.
    pub fn new(kind: Kind, message: impl Into<String>, remedy: impl Into<String>) -> Error {
        Error { kind, message: message.into(), remedy: remedy.into() }
    }

    /// Makes a `bad_request`.
    pub fn bad_request(message: impl Into<String>, remedy: impl Into<String>) -> Error {
        Error::new(Kind::BadRequest, message, remedy)
    }

    /// Makes an `internal`: the box is at fault, and starting it again is all a person can do.
    pub fn internal(message: impl Into<String>) -> Error {
        Error::new(
            Kind::Internal,
            message,
            "This is a fault in solverbox: start it again, and report this if it returns.",
        )
    }

    /// Returns it as people far from the box may read it: what they can act on, and neither a path
    /// nor a cause within.
    #[must_use]
    pub fn for_strangers(&self) -> Error {
        let what = match self.kind {
            Kind::BadRequest
            | Kind::TooLong
            | Kind::NotFound
            | Kind::TooMany
            | Kind::Busy
            | Kind::Conflict
            | Kind::Stopped
            | Kind::Unauthorized
            | Kind::Forbidden
            | Kind::Misdirected => return self.clone(),
            Kind::Internal => "something in the box broke",
            Kind::NoModel | Kind::BadModel => "the box has no working model",
            Kind::NoMemory => "the box has not enough memory",
            Kind::NoSpace => "the box's disk is full",
        };
        let remedy = "Ask the person who looks after the box; its log says more.";
        Error::new(self.kind, what, remedy)
    }
}

/// Words an error of the system without the number Rust appends to it ("(os error 2)").
pub fn io_cause(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_string()
}

/// Escapes what a text from outside could do to a terminal.
pub fn printable(text: &str) -> String {
    text.chars().fold(String::new(), |mut safe, c| {
        if c.is_control() {
            safe.extend(c.escape_debug());
        } else {
            safe.push(c);
        }
        safe
    })
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
