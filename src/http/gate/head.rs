//! The head of a request: read under a deadline, checked, and rewritten for tiny_http.
//!
//! httparse splits it; what tiny_http would take wrongly (several lengths, two framings, bytes
//! beyond ASCII, hop-by-hop headers, `Expect`) is settled here. No byte from
//! the client is passed on verbatim: the relayed head is assembled from checked parts.

use std::net::TcpStream;
use std::time::Instant;

use httparse::{EMPTY_HEADER, Request, Status};
use rustix::event::PollFlags;

use super::VISITOR_HEADER;
use super::bounds::Bounds;
use super::refusal::{Manner, Refusal, Stop};
use super::wire;
use crate::types::limits::HEADERS_MAX;

/// A checked request line with its headers.
#[derive(Debug)]
pub struct Head {
    method: String,
    target: String,
    /// 0 or 1, of HTTP/1.0 or HTTP/1.1.
    minor: u8,
    /// The headers to pass on, without framing, hop-by-hop and our own headers.
    fields: Vec<(String, String)>,
    framing: Framing,
    expects_continue: bool,
}

/// How the length of the body is determined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// The request has no body.
    None,
    /// This many bytes follow.
    Length(u64),
    /// A body in chunks follows.
    Chunked,
}

/// Reads a request's head from `client`; leaves in `buffer` what came after it.
///
/// When refused, `buffer` still holds what came, for [`Manner::of`].
///
/// # Errors
/// `Gone` if the client hangs up, or sends nothing before the deadline: browsers open connections
/// in reserve. A refusal if the head is too slow, too long or not HTTP.
pub fn read(client: &TcpStream, buffer: &mut Vec<u8>, bounds: &Bounds) -> Result<Head, Stop> {
    let deadline = Instant::now() + bounds.head_wait;
    let mut piece = [0; 4 << 10];
    loop {
        if !wire::wait(client, PollFlags::IN, deadline)? {
            let silent = buffer.is_empty();
            return Err(if silent {
                Stop::Gone
            } else {
                Refusal::SlowHead(bounds.head_wait).into()
            });
        }
        let room = piece.len().min(bounds.head_bytes_max - buffer.len());
        let count = wire::receive(client, &mut piece[..room])?;
        let first = buffer.is_empty();
        buffer.extend_from_slice(&piece[..count]);
        if first {
            // Old clients send blank lines before a request (RFC 9112, 2.2).
            let blank = buffer.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
            buffer.drain(..blank);
        }
        // Each parse starts from the beginning, so one is only tried when a line has ended: a
        // client that sends byte by byte costs no more than any other. The first try catches
        // non-HTTP.
        if (first || piece[..count].contains(&b'\n'))
            && let Some((head, bytes)) = parse(buffer)?
        {
            buffer.drain(..bytes);
            return Ok(head);
        }
        if buffer.len() >= bounds.head_bytes_max {
            return Err(Refusal::HeadTooLong(bounds.head_bytes_max).into());
        }
    }
}

/// Parses a head with its length in bytes; `None` while it is incomplete.
pub fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>, Refusal> {
    let mut fields = [EMPTY_HEADER; HEADERS_MAX];
    let mut request = Request::new(&mut fields);
    let length = match request.parse(bytes) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Refusal::TooManyHeaders),
        Err(httparse::Error::Version) if names_a_version(bytes) => {
            return Err(Refusal::UnknownVersion);
        }
        Err(httparse::Error::HeaderName | httparse::Error::HeaderValue) => {
            return Err(Refusal::Malformed("a header line is malformed"));
        }
        Err(_) => return Err(Refusal::Malformed("its first line is malformed")),
    };
    let parts = (request.method, request.path, request.version);
    let (Some(method), Some(target), Some(minor)) = parts else {
        return Err(Refusal::Malformed("its first line is malformed"));
    };
    check(method, target, minor, request.headers).map(|head| Some((head, length)))
}

/// Returns true if the first line ends like `HTTP/2.0`.
fn names_a_version(bytes: &[u8]) -> bool {
    let line = bytes.split(|b| matches!(b, b'\r' | b'\n')).next().unwrap_or_default();
    let word = line.rsplit(|b| *b == b' ').next().unwrap_or_default();
    word.strip_prefix(b"HTTP/").is_some_and(|v| {
        matches!(v, [major] if major.is_ascii_digit())
            || matches!(v, [major, b'.', minor] if major.is_ascii_digit() && minor.is_ascii_digit())
    })
}

fn check(
    method: &str,
    target: &str,
    minor: u8,
    headers: &[httparse::Header<'_>],
) -> Result<Head, Refusal> {
    let (target, authority) = origin_form(target)?;
    let mut fields = Vec::with_capacity(headers.len());
    for header in headers {
        fields.push((header.name.to_string(), text(header.value)?));
    }
    let framing = framing(&fields, minor)?;
    let expects_continue = expects_continue(&fields, minor)?;
    if values(&fields, "host").count() > 1 {
        return Err(Refusal::Malformed("it has several Host headers"));
    }
    drop_hop_by_hop(&mut fields);
    if let Some(authority) = authority {
        // The target's host counts then (RFC 9112, 3.2.2).
        fields.retain(|(name, _)| !name.eq_ignore_ascii_case("host"));
        fields.push(("Host".to_string(), authority.to_string()));
    }
    let (method, target) = (method.to_string(), target.to_string());
    Ok(Head { method, target, minor, fields, framing, expects_continue })
}

/// Reduces a target to its path and query; returns the host of a target that names one.
fn origin_form(target: &str) -> Result<(&str, Option<&str>), Refusal> {
    if !target.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Refusal::Malformed("its address has bytes that are not ASCII"));
    }
    if target.starts_with('/') {
        return Ok((target, None));
    }
    match target.strip_prefix("http://").and_then(|rest| rest.find('/').map(|at| rest.split_at(at)))
    {
        Some((authority, path)) if !authority.is_empty() && !authority.contains('@') => {
            Ok((path, Some(authority)))
        }
        _ => Err(Refusal::Malformed("its address is not a path that begins with '/'")),
    }
}

/// Takes a header's value as text; tiny_http takes nothing but ASCII.
fn text(value: &[u8]) -> Result<String, Refusal> {
    match str::from_utf8(value) {
        Ok(text) if text.bytes().all(|b| matches!(b, b'\t' | b' '..=b'~')) => Ok(text.to_string()),
        _ => Err(Refusal::Malformed("a header has bytes that are not printable ASCII")),
    }
}

/// Returns the values of all headers of that name.
fn values<'a>(fields: &'a [(String, String)], name: &'a str) -> impl Iterator<Item = &'a str> {
    fields.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// Determines how long the body is. Two servers that disagree on it make request smuggling possible
/// (RFC 9112, 6.3 and 11.2), so anything ambiguous is refused.
fn framing(fields: &[(String, String)], minor: u8) -> Result<Framing, Refusal> {
    let mut length = None;
    for value in values(fields, "content-length") {
        if value.is_empty() || !value.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Refusal::Malformed("its Content-Length is not a number"));
        }
        let bytes =
            value.parse().map_err(|_| Refusal::Malformed("its Content-Length is absurd"))?;
        if length.is_some_and(|before: u64| before != bytes) {
            return Err(Refusal::Malformed("it has several Content-Lengths that differ"));
        }
        length = Some(bytes);
    }
    let mut codings = values(fields, "transfer-encoding");
    match (codings.next(), codings.next(), length) {
        (None, _, None) => Ok(Framing::None),
        (None, _, Some(bytes)) => Ok(Framing::Length(bytes)),
        (Some(_), _, Some(_)) => {
            Err(Refusal::Malformed("it has both a Content-Length and a Transfer-Encoding"))
        }
        (Some(coding), None, None) if minor == 1 && coding.eq_ignore_ascii_case("chunked") => {
            Ok(Framing::Chunked)
        }
        _ => Err(Refusal::Malformed("its Transfer-Encoding is not plain 'chunked'")),
    }
}

/// Returns whether the client waits for `100 Continue`; HTTP/1.0 cannot (RFC 9110, 10.1.1).
fn expects_continue(fields: &[(String, String)], minor: u8) -> Result<bool, Refusal> {
    let mut expects = false;
    for value in values(fields, "expect") {
        if !value.eq_ignore_ascii_case("100-continue") {
            return Err(Refusal::UnknownExpectation);
        }
        expects = minor == 1;
    }
    Ok(expects)
}

/// Drops hop-by-hop headers and those that only the gate may set.
fn drop_hop_by_hop(fields: &mut Vec<(String, String)>) {
    let named: Vec<String> = values(fields, "connection")
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    fields.retain(|(name, _)| {
        let name = name.to_ascii_lowercase();
        let ours = matches!(
            name.as_str(),
            "connection"
                | "keep-alive"
                | "te"
                | "trailer"
                | "transfer-encoding"
                | "upgrade"
                | "expect"
                | "content-length"
        );
        let reserved = name.starts_with("proxy-") || name.starts_with("x-solverbox-");
        !(ours || reserved || named.contains(&name))
    });
}

impl Head {
    /// Returns how the length of the body is determined.
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// Returns true if the client waits for `100 Continue` before it sends its body.
    pub fn expects_continue(&self) -> bool {
        self.expects_continue
    }

    /// Returns true if the response has no body, whatever its head says of a length.
    pub fn asks_for_head_only(&self) -> bool {
        self.method == "HEAD"
    }

    /// Returns true if the request changes nothing (RFC 9110, 9.2.1).
    pub fn is_safe(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS")
    }

    /// Returns the manner of refusing this request.
    pub fn manner(&self) -> Manner {
        Manner::new(&self.method, &self.target)
    }

    /// Writes the head for tiny_http, for a body of this many bytes.
    ///
    /// The client's version is kept: tiny_http does not send chunks to HTTP/1.0.
    pub fn relayed(&self, visitor: &str, body_bytes: usize) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.{}\r\n", self.method, self.target, self.minor);
        for (name, value) in &self.fields {
            head.extend([name.as_str(), ": ", value.as_str(), "\r\n"]);
        }
        if self.framing != Framing::None {
            head.push_str(&format!("Content-Length: {body_bytes}\r\n"));
        }
        head.push_str(&format!("{VISITOR_HEADER}: {visitor}\r\nConnection: close\r\n\r\n"));
        head.into_bytes()
    }
}
