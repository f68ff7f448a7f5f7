//! Replies that are sent in one piece: status, content type, headers and body.

use std::borrow::Cow;
use std::io::Cursor;

use serde_json::Value;
use tiny_http::{Header, Request, Response, StatusCode};

use super::auth::origin;
use super::refuse::{self, Shape};
use crate::types::error::{Error, Kind};

/// A reply that is sent in one piece.
pub struct Reply {
    status: u16,
    content_type: &'static str,
    body: Cow<'static, [u8]>,
    headers: Vec<NamedValue>,
}

/// A header's name and value.
type NamedValue = (&'static str, String);

/// The headers of every reply, including streams and the gate's own: no caching, no guessing of
/// content types; a page loads nothing from other hosts and nothing inline, makes no HTML of text,
/// cannot be framed and sends no `Referer`. A reply with a header of the same name replaces it.
pub const EVERY_REPLYS_HEADERS: [(&str, &str); 5] = [
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
         img-src 'self' data:; font-src 'self'; require-trusted-types-for 'script'; \
         trusted-types 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
];

impl Reply {
    /// Makes a reply with status 200.
    pub fn new(content_type: &'static str, body: impl Into<Vec<u8>>) -> Reply {
        Reply { status: 200, content_type, body: Cow::Owned(body.into()), headers: Vec::new() }
    }

    /// Makes a reply with status 200 and a body that is part of the program, which is not copied.
    pub fn of_static(content_type: &'static str, body: &'static [u8]) -> Reply {
        Reply { status: 200, content_type, body: Cow::Borrowed(body), headers: Vec::new() }
    }

    /// Makes a JSON reply.
    pub fn json(status: u16, body: &Value) -> Reply {
        Reply { status, ..Reply::new("application/json", body.to_string()) }
    }

    /// Makes the reply to an error, and logs the details that the client does not see.
    pub fn error(error: &Error, shape: Shape) -> Reply {
        Reply::error_coded(error, shape, refuse::code(error.kind))
    }

    /// Like [`Reply::error`], with another `code` in OpenAI's shape.
    pub fn error_coded(error: &Error, shape: Shape, code: &str) -> Reply {
        match error.kind {
            Kind::Internal | Kind::NoModel | Kind::BadModel | Kind::NoMemory | Kind::NoSpace => {
                log::error!("{}: {} ({})", error.kind.name(), error.message, error.remedy);
            }
            kind => log::debug!("refused: {}", kind.name()),
        }
        let (content_type, body) = refuse::document(error, shape, code);
        Reply { status: refuse::status(error.kind, shape), ..Reply::new(content_type, body) }
    }

    /// Makes a reply without a body.
    pub fn empty(status: u16) -> Reply {
        Reply { status, ..Reply::new("text/plain", Vec::new()) }
    }

    /// Adds a header to the reply. It replaces one of every reply, but for `Vary`, whose values
    /// are joined.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Reply {
        self.headers.push((name, value.into()));
        self
    }

    /// Replaces the status of the reply. With 204 and 304 the body is not sent.
    pub fn with_status(self, status: u16) -> Reply {
        Reply { status, ..self }
    }

    /// Replaces the body of the reply by another of the same content type.
    pub fn with_body(self, body: String) -> Reply {
        Reply { body: Cow::Owned(body.into_bytes()), ..self }
    }

    /// Sends the reply. It is not an error if the client has left.
    pub fn send(self, request: Request) {
        let headers = joined(self.headers, cors_headers(&request));
        let length = self.body.len();
        let (status, body) = (StatusCode(self.status), Cursor::new(self.body));
        let mut response = Response::new(status, Vec::new(), body, Some(length), None)
            .with_chunked_threshold(usize::MAX);
        let kind = [("Content-Type", self.content_type.to_string())];
        for (name, value) in kind.into_iter().chain(headers) {
            // Our names are valid; a header whose value is not is left out.
            if let Ok(header) = Header::from_bytes(name, value) {
                response.add_header(header);
            }
        }
        if let Err(error) = request.respond(response) {
            log::debug!("a client left before its reply: {error}");
        }
    }
}

/// Returns a reply's own headers with those of every reply and the CORS headers.
fn joined(own: Vec<NamedValue>, cors: Vec<NamedValue>) -> Vec<NamedValue> {
    let every = EVERY_REPLYS_HEADERS.map(|(name, value)| (name, value.to_string()));
    let mut headers = own;
    for (name, value) in every.into_iter().chain(cors) {
        match headers.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) if name == "Vary" => *known = format!("{value}, {known}"),
            Some(_) => {}
            None => headers.push((name, value)),
        }
    }
    headers
}

/// Returns the value of a request's header.
pub fn header<'r>(request: &'r Request, name: &'static str) -> Option<&'r str> {
    request.headers().iter().find(|h| h.field.equiv(name)).map(|h| h.value.as_str())
}

/// Returns the values of all of a request's headers of one name, which together are one list.
pub fn headers<'r>(
    request: &'r Request,
    name: &'static str,
) -> impl Iterator<Item = &'r str> + use<'r> {
    request.headers().iter().filter(move |h| h.field.equiv(name)).map(|h| h.value.as_str())
}

/// Returns the CORS headers, which let pages served from this machine, those that the owner allows
/// and no others read a reply; none of them with cookies.
pub fn cors_headers(request: &Request) -> Vec<NamedValue> {
    let mut headers = vec![("Vary", "Origin".to_string())];
    let may_read = |origin: &&str| is_loopback(origin) || origin::is_allowed(request);
    if let Some(origin) = header(request, "Origin").filter(may_read) {
        headers.push(("Access-Control-Allow-Origin", origin.to_string()));
        headers.push(("Access-Control-Expose-Headers", "Retry-After".to_string()));
    }
    headers
}

/// Returns whether an `Origin` is a page served on this machine's loopback interface.
pub fn is_loopback(origin: &str) -> bool {
    let rest = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    let Some(rest) = rest else { return false };
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (rest, None),
    };
    let port_ok = port.is_none_or(|port| port.parse::<u16>().is_ok());
    port_ok && matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replys_own_header_replaces_the_usual_one_and_vary_names_all_reasons() {
        let pair = |name, value: &str| (name, value.to_string());
        let own = vec![pair("Cache-Control", "no-cache"), pair("Vary", "Accept-Encoding")];
        let headers = joined(own, vec![pair("Vary", "Origin")]);
        let values = |wanted: &str| -> Vec<&str> {
            let of_name = headers.iter().filter(|(name, _)| *name == wanted);
            of_name.map(|(_, value)| value.as_str()).collect()
        };
        assert_eq!(values("Cache-Control"), ["no-cache"]);
        assert_eq!(values("Vary"), ["Origin, Accept-Encoding"]);
        assert_eq!(values("X-Content-Type-Options"), ["nosniff"]);
        assert_eq!(headers.len(), EVERY_REPLYS_HEADERS.len() + 1);
    }

    #[test]
    fn only_loopback_origins_may_read_replies() {
        for origin in
            ["http://localhost", "http://127.0.0.1:8080", "https://[::1]:1", "http://[::1]"]
        {
            assert!(is_loopback(origin), "{origin}");
        }
        for origin in [
            "null",
            "http://example.org",
            "http://localhost.example.org",
            "http://127.0.0.1.example.org:80",
            "http://localhost:80@example.org",
            "http://127.0.0.1:x",
            "file://localhost",
        ] {
            assert!(!is_loopback(origin), "{origin}");
        }
    }
}
