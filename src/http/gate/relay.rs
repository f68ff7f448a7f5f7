//! The relay: a request into tiny_http, its response out, and an ear for the client all the while.
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
pub enum Outcome {
    /// The client got the response.
    Served,
    /// The client got the response, but sent more than its request: close gently.
    ServedSurplus,
    /// The client hung up, stopped reading, or sent far more than its request.
    Left,
    /// The server hung up without a response; the client got nothing yet.
    Unanswered,
}

/// What the length of a response depends on besides its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// HEAD: there is no body whatever the head says.
    HeadOnly,
    /// Every other method.
    Everything,
}

/// Relays `request` to `server` and the response to `client`, until either is done or gone.
///
/// A client that leaves a write unread for `write_wait` has left, and so has one that has not taken
/// the whole of a reply of known length `reply_wait` after it began. The server may take its time.
pub fn run(
    client: &TcpStream,
    server: &UnixStream,
    request: Vec<u8>,
    asked: Asked,
    bounds: &Bounds,
) -> Outcome {
    let request = Outgoing { bytes: request, sent: 0 };
    let response = Outgoing { bytes: Vec::new(), sent: 0 };
    let answer = Answer::Head(Vec::new());
    let (surplus, moved) = (0, Instant::now());
    let (bounds, until) = (bounds.clone(), None);
    let mut relay =
        Relay { client, server, request, response, answer, asked, surplus, moved, until, bounds };
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
    answer: Answer,
    asked: Asked,
    /// Bytes the client sent after its request.
    surplus: usize,
    /// When the client last took a byte, or had nothing to take.
    moved: Instant,
    /// When a reply of known length must be through.
    until: Option<Instant>,
    bounds: Bounds,
}

/// How far the server's response has come in.
enum Answer {
    /// This much of its head.
    Head(Vec<u8>),
    /// Its head; this many bytes of the body are still to come, or an unknown number.
    Body(Option<u64>),
}

impl Relay<'_> {
    /// Waits for something to do and does it.
    fn step(&mut self) -> ControlFlow<Outcome> {
        let (client, server) = self.wait()?;
        self.hear_client(client)?;
        let ended = PollFlags::HUP | PollFlags::ERR;
        if server.intersects(PollFlags::OUT | ended) && self.request.send_to(self.server).is_err() {
            // The server answers without having read it all, or is gone, which reading will tell.
            self.request.clear();
        }
        if client.contains(PollFlags::OUT) {
            self.feed_client()?;
        }
        if self.response.is_empty() && server.intersects(PollFlags::IN | ended) {
            self.hear_server()?;
        }
        Continue(())
    }

    /// Waits until one of the two can go on; returns what poll(2) says of them.
    fn wait(&self) -> ControlFlow<Outcome, (PollFlags, PollFlags)> {
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
                log::debug!("gate: a client reads nothing, or too slowly");
                Break(Outcome::Left)
            }
            Err(Gone) => Break(Outcome::Left),
        }
    }

    /// Discards what the client sends after its request; notices its hang-up.
    fn hear_client(&mut self, events: PollFlags) -> ControlFlow<Outcome> {
        let gone = PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
        if events.intersects(gone) {
            return Break(Outcome::Left);
        }
        if events.contains(PollFlags::IN) {
            let mut rest = [0; 4 << 10];
            match wire::receive(self.client, &mut rest) {
                Ok(count) => self.surplus += count,
                Err(Gone) => return Break(Outcome::Left),
            }
        }
        if self.surplus > SURPLUS_BYTES_MAX { Break(Outcome::Left) } else { Continue(()) }
    }

    /// Reads what the server has to say, and passes it on.
    fn hear_server(&mut self) -> ControlFlow<Outcome> {
        let mut piece = [0; RELAY_BYTES];
        let Ok(count) = wire::receive(self.server, &mut piece) else {
            return Break(match self.answer {
                Answer::Head(_) => Outcome::Unanswered,
                Answer::Body(_) => self.served(),
            });
        };
        match &mut self.answer {
            Answer::Head(head) => {
                head.extend_from_slice(&piece[..count]);
                let Some(end) = end_of_head(head) else {
                    let endless = head.len() > RESPONSE_HEAD_BYTES_MAX;
                    return if endless { Break(Outcome::Unanswered) } else { Continue(()) };
                };
                let body = head.split_off(end);
                let Some((head, length)) = rewritten(head, self.asked) else {
                    return Break(Outcome::Unanswered);
                };
                self.until = length.map(|_| Instant::now() + self.bounds.reply_wait);
                self.response.bytes = head;
                self.answer = Answer::Body(length);
                self.pass_on(&body);
            }
            Answer::Body(_) => self.pass_on(&piece[..count]),
        }
        self.moved = Instant::now();
        self.feed_client()
    }

    /// Adds to what the client is to get, no more than the response has.
    fn pass_on(&mut self, mut bytes: &[u8]) {
        if let Answer::Body(Some(left)) = &mut self.answer {
            let count = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
            bytes = &bytes[..count];
            *left -= count as u64;
        }
        self.response.bytes.extend_from_slice(bytes);
    }

    /// Sends what the client takes; ends when a response of known length is through, because the
    /// client may close then before the server does.
    fn feed_client(&mut self) -> ControlFlow<Outcome> {
        match self.response.send_to(self.client) {
            Ok(0) => {}
            Ok(_) => self.moved = Instant::now(),
            Err(Gone) => return Break(Outcome::Left),
        }
        let complete = matches!(self.answer, Answer::Body(Some(0))) && self.response.is_empty();
        if complete { Break(self.served()) } else { Continue(()) }
    }

    /// Returns how a client that got everything is to be closed.
    fn served(&self) -> Outcome {
        let more = matches!(wire::receive(self.client, &mut [0; 1 << 10]), Ok(1..));
        if more || self.surplus > 0 { Outcome::ServedSurplus } else { Outcome::Served }
    }
}

/// Bytes on their way out.
struct Outgoing {
    bytes: Vec<u8>,
    sent: usize,
}

impl Outgoing {
    fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Forgets the bytes and gives back their memory: a request's body may be large.
    fn clear(&mut self) {
        (self.bytes, self.sent) = (Vec::new(), 0);
    }

    /// Sends what `socket` takes; returns how many bytes that were.
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

/// Rewrites a response's head to say `Connection: close` once, and returns the length of the body;
/// `None` for what is no head at all.
fn rewritten(head: &[u8], asked: Asked) -> Option<(Vec<u8>, Option<u64>)> {
    let mut lines = head.split(|b| *b == b'\n').map(|line| line.trim_ascii_end());
    let status_line = lines.next()?;
    let status = str::from_utf8(status_line.strip_prefix(b"HTTP/1.")?.get(2..5)?).ok()?;
    let bodiless = asked == Asked::HeadOnly || matches!(status, "204" | "304");
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
        let (head, length) = rewritten(head, Asked::Everything).expect("a head");
        let expected = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\nConnection: close\r\n\r\n";
        assert_eq!(String::from_utf8_lossy(&head), expected);
        assert_eq!(length, Some(12));
    }

    #[test]
    fn the_answer_to_head_and_a_status_without_a_body_have_no_length() {
        let ok = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n";
        assert_eq!(rewritten(ok, Asked::HeadOnly).expect("a head").1, Some(0));
        let unchanged = b"HTTP/1.1 304 Not Modified\r\nContent-Length: 12\r\n\r\n";
        assert_eq!(rewritten(unchanged, Asked::Everything).expect("a head").1, Some(0));
        let stream = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
        assert_eq!(rewritten(stream, Asked::Everything).expect("a head").1, None);
    }

    #[test]
    fn what_is_no_response_is_not_passed_on() {
        for head in [&b"hello\r\n\r\n"[..], b"HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\nx\r\n\r\n"] {
            assert_eq!(rewritten(head, Asked::Everything), None);
        }
    }
}
