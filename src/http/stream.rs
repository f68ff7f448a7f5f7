//! Server-sent events, each written and flushed by itself until the reader is gone.
//!
//! The response has no length and ends with the connection, which the gate closes. Every event is
//! sent at once (tiny_http's own `respond` would buffer 8 KiB). The first event of a stream tells
//! its reader when to reconnect after the stream breaks, whether by a restart or a power cut.

use std::io::Write;

use serde_json::Value;
use tiny_http::Request;

use super::reply::{EVERY_REPLYS_HEADERS, cors_headers};
use crate::types::limits;

/// An open stream of events to one reader.
pub struct Events {
    writer: Box<dyn Write + Send>,
    is_first: bool,
}

/// The reader has disconnected.
#[derive(Debug)]
pub struct ReaderGone;

impl Events {
    /// Sends the head of an event stream.
    ///
    /// It names the encoding, which is always UTF-8, because Python's `requests` otherwise assumes
    /// Latin-1.
    ///
    /// # Errors
    /// [`ReaderGone`] if the reader has disconnected.
    pub fn open(request: Request) -> Result<Events, ReaderGone> {
        let writer = begin(request, "text/event-stream; charset=utf-8")?;
        Ok(Events { writer, is_first: true })
    }

    /// Sends one event of JSON.
    ///
    /// # Errors
    /// [`ReaderGone`] if the reader has disconnected.
    pub fn json(&mut self, value: &Value) -> Result<(), ReaderGone> {
        let retry = self.retry();
        self.write(&format!("{retry}data: {value}\n\n"))
    }

    /// Sends one event of a kind, with the id from which a reader can continue.
    ///
    /// # Errors
    /// [`ReaderGone`] if the reader has disconnected.
    pub fn event(&mut self, kind: &str, id: &str, value: &Value) -> Result<(), ReaderGone> {
        let retry = self.retry();
        self.write(&format!("{retry}event: {kind}\nid: {id}\ndata: {value}\n\n"))
    }

    /// Sends one event of a kind, from which no reader continues.
    ///
    /// # Errors
    /// [`ReaderGone`] if the reader has disconnected.
    pub fn typed(&mut self, kind: &str, value: &Value) -> Result<(), ReaderGone> {
        let retry = self.retry();
        self.write(&format!("{retry}event: {kind}\ndata: {value}\n\n"))
    }

    /// Returns the `retry` line of a stream's first event, the time after which to reconnect. It is
    /// part of an event because some clients take a separate one for an event without data.
    fn retry(&mut self) -> String {
        match std::mem::take(&mut self.is_first) {
            true => format!("retry: {}\n", limits::RECONNECT_WAIT.as_millis()),
            false => String::new(),
        }
    }

    /// Sends a comment, which the page displays and other clients ignore.
    ///
    /// # Errors
    /// [`ReaderGone`] if the reader has disconnected.
    pub fn comment(&mut self, text: &str) -> Result<(), ReaderGone> {
        self.write(&format!(": {text}\n\n"))
    }

    /// Sends the marker that ends a stream for OpenAI's clients.
    ///
    /// # Errors
    /// [`ReaderGone`] if the reader has disconnected.
    pub fn done(&mut self) -> Result<(), ReaderGone> {
        self.write("data: [DONE]\n\n")
    }

    fn write(&mut self, text: &str) -> Result<(), ReaderGone> {
        write(&mut self.writer, text)
    }
}

/// A JSON reply that takes minutes: until it is there, white space, which JSON allows before a
/// value, keeps the connection open.
pub struct SlowReply {
    writer: Box<dyn Write + Send>,
}

impl SlowReply {
    /// Sends the head, with status 200.
    ///
    /// # Errors
    /// [`ReaderGone`] if the reader has disconnected.
    pub fn open(request: Request) -> Result<SlowReply, ReaderGone> {
        Ok(SlowReply { writer: begin(request, "application/json")? })
    }

    /// Sends a space.
    ///
    /// # Errors
    /// [`ReaderGone`] if the reader has disconnected.
    pub fn space(&mut self) -> Result<(), ReaderGone> {
        write(&mut self.writer, " ")
    }

    /// Sends the body, and ends the reply.
    ///
    /// # Errors
    /// [`ReaderGone`] if the reader has disconnected.
    pub fn end(mut self, body: &Value) -> Result<(), ReaderGone> {
        write(&mut self.writer, &body.to_string())
    }
}

/// Sends the head of a reply without a length; returns where its body goes.
fn begin(request: Request, content_type: &str) -> Result<Box<dyn Write + Send>, ReaderGone> {
    let mut head =
        format!("HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nX-Accel-Buffering: no\r\n");
    let own = EVERY_REPLYS_HEADERS.map(|(name, value)| (name, value.to_string()));
    for (name, value) in own.into_iter().chain(cors_headers(&request)) {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let mut writer = request.into_writer();
    write(&mut writer, &head)?;
    Ok(writer)
}

fn write(writer: &mut Box<dyn Write + Send>, text: &str) -> Result<(), ReaderGone> {
    writer.write_all(text.as_bytes()).and_then(|()| writer.flush()).map_err(|_| ReaderGone)
}
