//! Refusals: the error responses that the gate sends itself.
//!
//! One table gives each refusal its status, kind and two sentences, in the shape that clients of
//! the path expect (`refuse`). Requests that the gate relays are answered by the server alone.

use std::time::Duration;

use super::wire::Gone;
use crate::http::refuse::{self, Shape};
use crate::http::reply::EVERY_REPLYS_HEADERS;
use crate::types::error::{Error, Kind};
use crate::types::limits::HEADERS_MAX;

/// Why a request does not get through the gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The request breaks the rules of HTTP; says how.
    Malformed(&'static str),
    /// A version of HTTP other than 1.0 and 1.1.
    UnknownVersion,
    /// An `Expect` other than `100-continue`.
    UnknownExpectation,
    /// The request line and headers are longer than this many bytes.
    HeadTooLong(usize),
    /// There are more header lines than `HEADERS_MAX`.
    TooManyHeaders,
    /// The head was not complete after this time.
    SlowHead(Duration),
    /// The body is longer than allowed: its size as far as it is known, and the bound, in bytes.
    BodyTooLong { bytes: u64, bytes_max: usize },
    /// A body of unknown length has grown over this many bytes.
    BodyGrewTooLong(usize),
    /// The body was not complete after this time.
    SlowBody(Duration),
    /// No connection, thread or descriptor is free.
    Busy,
    /// The server hung up without a response.
    Unanswered,
}

/// Why the gate stops working on a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The client is gone, or sent nothing that needs an answer.
    Gone,
    /// The client gets this refusal.
    Refused(Refusal),
}

impl From<Gone> for Stop {
    fn from(_: Gone) -> Stop {
        Stop::Gone
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Stop {
        Stop::Refused(refusal)
    }
}

impl Refusal {
    /// Returns the status line's code and reason.
    fn status(&self) -> (u16, &'static str) {
        match self {
            Refusal::Malformed(_) => (400, "Bad Request"),
            Refusal::SlowHead(_) | Refusal::SlowBody(_) => (408, "Request Timeout"),
            Refusal::BodyTooLong { .. } | Refusal::BodyGrewTooLong(_) => (413, "Payload Too Large"),
            Refusal::UnknownExpectation => (417, "Expectation Failed"),
            Refusal::HeadTooLong(_) | Refusal::TooManyHeaders => {
                (431, "Request Header Fields Too Large")
            }
            Refusal::Unanswered => (500, "Internal Server Error"),
            Refusal::Busy => (503, "Service Unavailable"),
            Refusal::UnknownVersion => (505, "HTTP Version Not Supported"),
        }
    }

    /// Words the refusal.
    fn error(&self) -> Error {
        match self {
            Refusal::Malformed(how) => Error::bad_request(
                format!("the request cannot be read: {how}"),
                "Send a plain HTTP/1.1 request.",
            ),
            Refusal::UnknownVersion => Error::bad_request(
                "the request uses an unsupported HTTP version",
                "Use HTTP/1.1 or HTTP/1.0.",
            ),
            Refusal::UnknownExpectation => Error::bad_request(
                "the request expects something other than '100-continue'",
                "Omit the Expect header.",
            ),
            Refusal::HeadTooLong(most) => Error::new(
                Kind::TooLong,
                format!("the request's URL and headers are longer than {most} bytes"),
                "Shorten the URL or the headers; clearing this site's cookies may help.",
            ),
            Refusal::TooManyHeaders => Error::new(
                Kind::TooLong,
                format!("the request has more than {HEADERS_MAX} headers"),
                "Send fewer headers.",
            ),
            Refusal::SlowHead(wait) => Error::bad_request(
                format!("the request did not arrive within {}", seconds(*wait)),
                "Check the connection and send it again.",
            ),
            Refusal::BodyTooLong { bytes, bytes_max } => too_long(format!(
                "the request body has {bytes} bytes, at most {bytes_max} are allowed"
            )),
            Refusal::BodyGrewTooLong(bytes_max) => too_long(format!(
                "the request body has more than {bytes_max} bytes, at most {bytes_max} are allowed"
            )),
            Refusal::SlowBody(wait) => Error::bad_request(
                format!("the request body did not arrive within {}", seconds(*wait)),
                "Check the connection and send it again.",
            ),
            Refusal::Busy => Error::new(
                Kind::Busy,
                "all connections are in use",
                "Close pages you do not need, or try again in a few seconds.",
            ),
            Refusal::Unanswered => Error::new(
                Kind::Internal,
                "the server did not answer",
                "Send the request again; if that does not help, restart the box.",
            ),
        }
    }

    /// Returns the whole response, in the shape that suits the request.
    pub fn response(&self, manner: Manner) -> Vec<u8> {
        let (status, reason) = self.status();
        let error = self.error();
        let (content_type, body) = refuse::document(&error, manner.shape, error.kind.name());
        let retry = match self {
            Refusal::Busy => "Retry-After: 2\r\n",
            _ => "",
        };
        let mut response = format!(
            "HTTP/1.1 {status} {reason}\r\nContent-Type: {content_type}\r\n\
             Content-Length: {}\r\n{retry}Connection: close\r\n",
            body.len()
        );
        for (name, value) in EVERY_REPLYS_HEADERS {
            response.push_str(&format!("{name}: {value}\r\n"));
        }
        response.push_str("\r\n");
        if !manner.bodiless {
            response.push_str(&body);
        }
        response.into_bytes()
    }
}

fn too_long(message: String) -> Error {
    Error::new(Kind::TooLong, message, "Send a shorter question, or split it.")
}

fn seconds(wait: Duration) -> String {
    format!("{} seconds", wait.as_secs_f32())
}

/// The form of a refusal: its error shape, and whether it has a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    shape: Shape,
    /// The answer to HEAD has no body.
    bodiless: bool,
}

impl Manner {
    /// Returns the manner for a request with this method and target.
    pub fn new(method: &str, target: &str) -> Manner {
        Manner { shape: Shape::of_path(target), bodiless: method == "HEAD" }
    }

    /// Derives the manner from the first bytes of a request, even if the rest is malformed.
    pub fn of(request: &[u8]) -> Manner {
        let line = request.split(|b| matches!(b, b'\r' | b'\n')).next().unwrap_or_default();
        let mut words = line.split(|b| *b == b' ').map(|w| str::from_utf8(w).unwrap_or_default());
        Manner::new(words.next().unwrap_or_default(), words.next().unwrap_or_default())
    }
}
