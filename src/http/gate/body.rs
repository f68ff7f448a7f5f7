//! The body of a request: read whole, under one deadline, within one bound.
//!
//! tiny_http would allocate what a Content-Length claims and wait forever; here memory grows with
//! what has arrived, and a chunked body comes out as a plain one (RFC 9112, 7.1). Chunk extensions
//! and trailers are dropped.

use std::os::fd::AsFd;
use std::time::Instant;

use rustix::event::PollFlags;

use super::bounds::Bounds;
use super::head::{Framing, Head};
use super::refusal::{Refusal, Stop};
use super::wire;
use crate::types::limits::{CHUNK_LINE_BYTES_MAX, HEADERS_MAX};

/// Reads the body that follows `head`, of which `arrived` is here already.
///
/// # Errors
/// `Gone` if the client hangs up before the end; a refusal if the body is too long (told from its
/// Content-Length before a byte is read), too slow or malformed.
pub fn read(
    client: &impl AsFd,
    head: &Head,
    arrived: Vec<u8>,
    bounds: &Bounds,
) -> Result<Vec<u8>, Stop> {
    let deadline = Instant::now() + bounds.body_wait;
    let mut source =
        Source { client, arrived, taken: 0, framing_left: bounds.body_bytes_max, deadline, bounds };
    match head.framing() {
        Framing::None => Ok(Vec::new()),
        Framing::Length(bytes) => {
            let bytes_max = bounds.body_bytes_max;
            let length = usize::try_from(bytes).ok().filter(|length| *length <= bytes_max);
            let length = length.ok_or(Refusal::BodyTooLong { bytes, bytes_max })?;
            source.invite(head, length)?;
            let mut body = Vec::new();
            source.take(length, &mut body)?;
            Ok(body)
        }
        Framing::Chunked => {
            source.invite(head, 1)?;
            source.take_chunks()
        }
    }
}

/// The client's bytes, first those that came with the head.
struct Source<'a, C> {
    client: &'a C,
    arrived: Vec<u8>,
    /// How many of `arrived` are used up.
    taken: usize,
    /// Bytes that sizes and trailers may still have; else tiny chunks make endless work.
    framing_left: usize,
    deadline: Instant,
    bounds: &'a Bounds,
}

impl<C: AsFd> Source<'_, C> {
    /// Answers `Expect: 100-continue`, unless the body has already begun to arrive.
    fn invite(&self, head: &Head, length: usize) -> Result<(), Stop> {
        if head.expects_continue() && self.arrived.is_empty() && length > 0 {
            wire::send_all(self.client, b"HTTP/1.1 100 Continue\r\n\r\n", self.deadline)?;
        }
        Ok(())
    }

    /// Waits for more bytes when all that arrived are consumed. Bytes beyond the request are
    /// dropped with the source: a connection carries one request.
    fn fill(&mut self) -> Result<(), Stop> {
        if !wire::wait(self.client, PollFlags::IN, self.deadline)? {
            return Err(Refusal::SlowBody(self.bounds.body_wait).into());
        }
        let mut piece = [0; 16 << 10];
        let count = wire::receive(self.client, &mut piece)?;
        self.arrived.clear();
        self.taken = 0;
        self.arrived.extend_from_slice(&piece[..count]);
        Ok(())
    }

    /// Moves exactly `bytes` bytes to the end of `body`.
    fn take(&mut self, mut bytes: usize, body: &mut Vec<u8>) -> Result<(), Stop> {
        while bytes > 0 {
            let here = &self.arrived[self.taken..];
            let count = here.len().min(bytes);
            body.extend_from_slice(&here[..count]);
            self.taken += count;
            bytes -= count;
            if count == 0 {
                self.fill()?;
            }
        }
        Ok(())
    }

    /// Takes a line that ends in CR LF, and returns it without them.
    fn line(&mut self) -> Result<Vec<u8>, Stop> {
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            if line.len() >= CHUNK_LINE_BYTES_MAX || self.framing_left == 0 {
                return Err(Refusal::Malformed("the size line of a chunk is too long").into());
            }
            self.framing_left -= 1;
            self.take(1, &mut line)?;
        }
        match line.strip_suffix(b"\r\n") {
            Some(line) => Ok(line.to_vec()),
            None => Err(Refusal::Malformed("a chunk's size line does not end with CR LF").into()),
        }
    }

    fn take_chunks(&mut self) -> Result<Vec<u8>, Stop> {
        let mut body = Vec::new();
        loop {
            let size = chunk_size(&self.line()?)?;
            if size == 0 {
                self.skip_trailers()?;
                return Ok(body);
            }
            if size > self.bounds.body_bytes_max - body.len() {
                return Err(Refusal::BodyGrewTooLong(self.bounds.body_bytes_max).into());
            }
            self.take(size, &mut body)?;
            if !self.line()?.is_empty() {
                return Err(Refusal::Malformed("a chunk is longer than its size").into());
            }
        }
    }

    fn skip_trailers(&mut self) -> Result<(), Stop> {
        for _ in 0..=HEADERS_MAX {
            if self.line()?.is_empty() {
                return Ok(());
            }
        }
        Err(Refusal::TooManyHeaders.into())
    }
}

/// Parses the hexadecimal size at the start of a chunk's size line.
fn chunk_size(line: &[u8]) -> Result<usize, Refusal> {
    let size = line.split(|b| *b == b';').next().unwrap_or_default().trim_ascii_end();
    let digits = str::from_utf8(size).ok().filter(|s| s.bytes().all(|b| b.is_ascii_hexdigit()));
    // The length is checked so that a size of many zeros is not read as a small one elsewhere.
    digits
        .filter(|digits| (1..=8).contains(&digits.len()))
        .and_then(|digits| usize::from_str_radix(digits, 16).ok())
        .ok_or(Refusal::Malformed("a chunk's size is malformed"))
}
