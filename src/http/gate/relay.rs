//! The relay: a request into tiny_http, its response out, watching the client for a disconnect.
//!
//! One loop over poll(2) moves bytes both ways without ever blocking, so that a hang-up is noticed
//! at once even while a write waits. Nothing is gathered: what the server flushes is sent on as it
//! is. Only the response's head is touched, to say `Connection: close` exactly once.

use std::net::TcpStream;
use std::ops::ControlFlow::{self, Break, Continue};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags};

use super::bounds::Bounds;
use super::wire::{self, Gone};
use crate::types::limits::{RELAY_BYTES, RESPONSE_HEAD_BYTES_MAX, SURPLUS_BYTES_MAX};

/// How a relayed request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelayOutcome {
    /// The client received the response.
    Served,
    /// The client received the response but sent more than its request: close gently.
    ServedSurplus,
    /// The client hung up, stopped reading, or sent far more than its request.
    Left,
    /// The server hung up without a response; the client has received nothing.
    Unanswered,
}

/// Whether the response has a body, as far as the request method decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseScope {
    /// HEAD: no body follows, whatever the head declares.
    HeadOnly,
    /// The whole response, for every other method.
    Everything,
}

/// Relays `request` to `server` and the response to `client`, until either is done or gone.
///
/// A client that does not read for `write_wait` counts as gone, and so does one that has not read a
/// whole reply of known length `reply_wait` after it began. The server has no deadline.
pub fn run(
    client: &TcpStream,
    server: &UnixStream,
    request: Vec<u8>,
    scope: ResponseScope,
    bounds: &Bounds,
) -> RelayOutcome {
    let request = Outgoing { bytes: request, sent: 0 };
    let response = Outgoing { bytes: Vec::new(), sent: 0 };
    let reply = Response::Head(Vec::new());
    let (surplus, moved) = (0, Instant::now());
    let (bounds, until) = (bounds.clone(), None);
    let mut relay =
        Relay { client, server, request, response, reply, scope, surplus, moved, until, bounds };
    loop {
        if let Break(outcome) = relay.step() {
            return outcome;
        }
    }
}

struct Relay<'a> {
    client: &'a TcpStream,
    server: &'a UnixStream,
    request: Outgoing,
    response: Outgoing,
    reply: Response,
    scope: ResponseScope,
    /// Bytes the client sent after its request.
    surplus: usize,
    /// When the client last read a byte, or had nothing to read.
    moved: Instant,
    /// Deadline of a reply of known length.
    until: Option<Instant>,
    bounds: Bounds,
}

/// How much of the server's response has arrived.
enum Response {
    /// This part of its head.
    Head(Vec<u8>),
    /// The head; this many bytes of the body are still to come, or an unknown number.
    Body(Option<u64>),
}

impl Relay<'_> {
    /// Waits for something to do and does it.
    fn step(&mut self) -> ControlFlow<RelayOutcome> {
        let (client, server) = self.wait()?;
        self.read_client(client)?;
        let ended = PollFlags::HUP | PollFlags::ERR;
        if server.intersects(PollFlags::OUT | ended) && self.request.send_to(self.server).is_err() {
            // The server answered before it read everything, or is gone: the next read tells.
            self.request.clear();
        }
        if client.contains(PollFlags::OUT) {
            self.send_to_client()?;
        }
        if self.response.is_empty() && server.intersects(PollFlags::IN | ended) {
            self.read_server()?;
        }
        Continue(())
    }

    /// Waits until either socket is ready; returns the poll(2) events of both.
    fn wait(&self) -> ControlFlow<RelayOutcome, (PollFlags, PollFlags)> {
        let (mut of_client, mut of_server) = (PollFlags::IN | PollFlags::RDHUP, PollFlags::empty());
        let mut deadline = None;
        if self.response.is_empty() {
            of_server |= PollFlags::IN;
        } else {
            of_client |= PollFlags::OUT;
            let stuck = self.moved + self.bounds.write_wait;
            deadline = Some(self.until.map_or(stuck, |until| until.min(stuck)));
        }
        if !self.request.is_empty() {
            of_server |= PollFlags::OUT;
        }
        let mut fds = [PollFd::new(self.client, of_client), PollFd::new(self.server, of_server)];
        // A server that has hung up would be reported again and again while the client is slow.
        let watched = if of_server.is_empty() { &mut fds[..1] } else { &mut fds[..] };
        let in_time = self.until.is_none_or(|until| Instant::now() < until);
        match wire::wait_any(watched, deadline).map(|ready| ready && in_time) {
            Ok(true) => Continue((fds[0].revents(), fds[1].revents())),
            Ok(false) => {
                log::debug!("gate: a client does not read, or too slowly");
                Break(RelayOutcome::Left)
            }
            Err(Gone) => Break(RelayOutcome::Left),
        }
    }

    /// Discards what the client sends after its request; notices its hang-up.
    fn read_client(&mut self, events: PollFlags) -> ControlFlow<RelayOutcome> {
        let gone = PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
        if events.intersects(gone) {
            return Break(RelayOutcome::Left);
        }
        if events.contains(PollFlags::IN) {
            let mut rest = [0; 4 << 10];
            match wire::receive(self.client, &mut rest) {
                Ok(count) => self.surplus += count,
                Err(Gone) => return Break(RelayOutcome::Left),
            }
        }
        if self.surplus > SURPLUS_BYTES_MAX { Break(RelayOutcome::Left) } else { Continue(()) }
    }

    /// Reads from the server and passes it on.
    fn read_server(&mut self) -> ControlFlow<RelayOutcome> {
        let mut piece = [0; RELAY_BYTES];
        let Ok(count) = wire::receive(self.server, &mut piece) else {
            return Break(match self.reply {
                Response::Head(_) => RelayOutcome::Unanswered,
                Response::Body(_) => self.served(),
            });
        };
        match &mut self.reply {
            Response::Head(head) => {
                head.extend_from_slice(&piece[..count]);
                let Some(end) = end_of_head(head) else {
                    let endless = head.len() > RESPONSE_HEAD_BYTES_MAX;
                    return if endless { Break(RelayOutcome::Unanswered) } else { Continue(()) };
                };
                let body = head.split_off(end);
                let Some((head, length)) = rewritten(head, self.scope) else {
                    return Break(RelayOutcome::Unanswered);
                };
                self.until = length.map(|_| Instant::now() + self.bounds.reply_wait);
                self.response.bytes = head;
                self.reply = Response::Body(length);
                self.pass_on(&body);
            }
            Response::Body(_) => self.pass_on(&piece[..count]),
        }
        self.moved = Instant::now();
        self.send_to_client()
    }

    /// Queues bytes for the client, at most the declared length.
    fn pass_on(&mut self, mut bytes: &[u8]) {
        if let Response::Body(Some(left)) = &mut self.reply {
            let count = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
            bytes = &bytes[..count];
            *left -= count as u64;
        }
        self.response.bytes.extend_from_slice(bytes);
    }

    /// Sends what the client accepts; finishes when a response of known length is complete, because
    /// the client may close before the server does.
    fn send_to_client(&mut self) -> ControlFlow<RelayOutcome> {
        match self.response.send_to(self.client) {
            Ok(0) => {}
            Ok(_) => self.moved = Instant::now(),
            Err(Gone) => return Break(RelayOutcome::Left),
        }
        let complete = matches!(self.reply, Response::Body(Some(0))) && self.response.is_empty();
        if complete { Break(self.served()) } else { Continue(()) }
    }

    /// Returns how to close a client that received everything.
    fn served(&self) -> RelayOutcome {
        let more = matches!(wire::receive(self.client, &mut [0; 1 << 10]), Ok(1..));
        if more || self.surplus > 0 { RelayOutcome::ServedSurplus } else { RelayOutcome::Served }
    }
}

/// Bytes waiting to be sent.
struct Outgoing {
    bytes: Vec<u8>,
    sent: usize,
}

impl Outgoing {
    fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Drops the bytes and frees their memory: a request's body may be large.
    fn clear(&mut self) {
        (self.bytes, self.sent) = (Vec::new(), 0);
    }

    /// Sends what `socket` accepts; returns the number of bytes.
    fn send_to(&mut self, socket: &impl AsFd) -> Result<usize, Gone> {
        if self.is_empty() {
            return Ok(0);
        }
        let count = wire::send(socket, &self.bytes[self.sent..])?;
        self.sent += count;
        if self.sent == self.bytes.len() {
            self.clear();
        }
        Ok(count)
    }
}

/// Returns where the head of a response ends, if it does.
fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}

/// Rewrites a response's head with a single `Connection: close`, and returns the length of the
/// body; `None` if it is not a response head.
fn rewritten(head: &[u8], scope: ResponseScope) -> Option<(Vec<u8>, Option<u64>)> {
    let mut lines = head.split(|b| *b == b'\n').map(|line| line.trim_ascii_end());
    let status_line = lines.next()?;
    let status = str::from_utf8(status_line.strip_prefix(b"HTTP/1.")?.get(2..5)?).ok()?;
    let bodiless = scope == ResponseScope::HeadOnly || matches!(status, "204" | "304");
    let mut length = bodiless.then_some(0);
    let mut out = [status_line, b"\r\n"].concat();
    for line in lines.filter(|line| !line.is_empty()) {
        let colon = line.iter().position(|b| *b == b':')?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"connection") {
            continue;
        }
        if name.eq_ignore_ascii_case(b"content-length") && length.is_none() {
            length = Some(str::from_utf8(value).ok()?.parse().ok()?);
        }
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"Connection: close\r\n\r\n");
    Some((out, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_says_once_that_the_connection_closes() {
        let head = b"HTTP/1.1 200 OK\r\nconnection: keep-alive\r\nContent-Length: 12\r\n\r\n";
        let (head, length) = rewritten(head, ResponseScope::Everything).expect("a head");
        let expected = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\nConnection: close\r\n\r\n";
        assert_eq!(String::from_utf8_lossy(&head), expected);
        assert_eq!(length, Some(12));
    }

    #[test]
    fn the_answer_to_head_and_a_status_without_a_body_have_no_length() {
        let ok = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n";
        assert_eq!(rewritten(ok, ResponseScope::HeadOnly).expect("a head").1, Some(0));
        let unchanged = b"HTTP/1.1 304 Not Modified\r\nContent-Length: 12\r\n\r\n";
        assert_eq!(rewritten(unchanged, ResponseScope::Everything).expect("a head").1, Some(0));
        let stream = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
        assert_eq!(rewritten(stream, ResponseScope::Everything).expect("a head").1, None);
    }

    #[test]
    fn bytes_that_are_not_a_response_are_not_passed_on() {
        for head in [&b"hello\r\n\r\n"[..], b"HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\nx\r\n\r\n"] {
            assert_eq!(rewritten(head, ResponseScope::Everything), None);
        }
    }
}
