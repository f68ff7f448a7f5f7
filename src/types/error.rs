//! The one error type of the program.
//!
//! An error has two texts for the user (what failed, what to do) and a stable kind for programs.
//! `main` prints it and maps the kind to an exit code; `http/` maps it to a status. Neither is
//! known here.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The kind of an error: a stable name that programs can rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A fault in the program itself.
    Internal,
    /// A request, a flag or a setting is not valid.
    BadRequest,
    /// No model file was found.
    NoModel,
    /// The model file is damaged or unsupported, or its output is not usable.
    BadModel,
    /// The model does not fit in this machine's memory.
    NoMemory,
    /// The disk is full.
    NoSpace,
    /// The queue or the connections are full.
    Busy,
    /// The client already has its maximum of unanswered questions.
    TooMany,
    /// The question is longer than allowed.
    TooLong,
    /// The named job, mode, file or path does not exist.
    NotFound,
    /// The same name was already used for something else.
    Conflict,
    /// A user stopped it, or the server is stopping.
    Stopped,
    /// Credentials are required, and are missing or not valid.
    Unauthorized,
    /// The client is not permitted to do this.
    Forbidden,
    /// The request names a host that is not this server.
    Misdirected,
    /// The system does not provide what the program needs: an address, a socket, a writable folder.
    Environment,
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
            Kind::Environment => "environment",
        }
    }
}

/// A failure the user can act on: `what failed 'which': cause`, then the remedy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    /// What programs can rely on.
    pub kind: Kind,
    /// What failed and which thing, without a full stop.
    pub message: String,
    /// One full sentence: what the user can do now.
    pub remedy: String,
}

impl Error {
    /// Makes an error from its kind and its two texts.
    pub fn new(kind: Kind, message: impl Into<String>, remedy: impl Into<String>) -> Error {
        Error { kind, message: message.into(), remedy: remedy.into() }
    }

    /// Makes an error of kind `bad_request`.
    pub fn bad_request(message: impl Into<String>, remedy: impl Into<String>) -> Error {
        Error::new(Kind::BadRequest, message, remedy)
    }

    /// Makes an error of kind `internal`, whose only remedy is to restart the program.
    pub fn internal(message: impl Into<String>) -> Error {
        Error::new(
            Kind::Internal,
            message,
            "This is a fault in solverbox: start it again, and report this if it returns.",
        )
    }

    /// Returns the error for remote users: what they can act on, without paths or internal causes.
    #[must_use]
    pub fn for_remote_users(&self) -> Error {
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
            Kind::Internal => "an internal fault occurred",
            Kind::NoModel | Kind::BadModel => "the server has no working model",
            Kind::NoMemory => "the server lacks memory",
            Kind::NoSpace => "the server's disk is full",
            Kind::Environment => "the server cannot use its disk or network",
        };
        let remedy = "Ask the administrator; the server's log has the details.";
        Error::new(self.kind, what, remedy)
    }
}

/// Returns a system error's text without the number Rust appends to it ("(os error 2)").
pub fn io_cause(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_string()
}

/// Escapes control characters, with which text from outside could control a terminal.
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
