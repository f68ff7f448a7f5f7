//! Server-sent events: written one by one, flushed each, ended when the reader is gone.
//!
//! The response has no length and ends with the connection, which the gate closes; every event
//! leaves at once (tiny_http's own `respond` would keep 8 KiB back). A stream's first event says
//! after what time to come back, so that its reader does whatever ends it: a restart, a power cut.

use std::io::Write;

use serde_json::Value;
use tiny_http::Request;

use super::reply::{EVERY_REPLYS_HEADERS, cors_headers};
use crate::types::limits;

/// A stream of events to one reader.
pub struct Events {
    writer: Box<dyn Write + Send>,
    is_first: bool,
}

/// The reader is gone.
#[derive(Debug)]
pub struct Left;

impl Events {
    /// Sends the head of an event stream.
    ///
    /// It names the encoding, which is always UTF-8: Python's `requests` takes it for Latin-1 where
    /// nothing is said.
    ///
    /// # Errors
    /// [`Left`] where the reader is gone.
    pub fn open(request: Request) -> Result<Events, Left> {
        let mut head = String::from(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\
             X-Accel-Buffering: no\r\n",
        );
        let own = EVERY_REPLYS_HEADERS.map(|(name, value)| (name, value.to_string()));
        for (name, value) in own.into_iter().chain(cors_headers(&request)) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let mut events = Events { writer: request.into_writer(), is_first: true };
        events.write(&head)?;
        Ok(events)
    }

    /// Sends one event of JSON.
    ///
    /// # Errors
    /// [`Left`] where the reader is gone.
    pub fn json(&mut self, value: &Value) -> Result<(), Left> {
        let retry = self.retry();
        self.write(&format!("{retry}data: {value}\n\n"))
    }

    /// Sends one event of a kind, with the id a reader comes back with.
    ///
    /// # Errors
    /// [`Left`] where the reader is gone.
    pub fn event(&mut self, kind: &str, id: &str, value: &Value) -> Result<(), Left> {
        let retry = self.retry();
        self.write(&format!("{retry}event: {kind}\nid: {id}\ndata: {value}\n\n"))
    }

    /// Returns the line of a stream's first event that says after how long a reader that was cut
    /// off is to come back: within the event, as some clients take a lone one for an event without
    /// data.
    fn retry(&mut self) -> String {
        match std::mem::take(&mut self.is_first) {
            true => format!("retry: {}\n", limits::RECONNECT_WAIT.as_millis()),
            false => String::new(),
        }
    }

    /// Sends a comment, which clients ignore and our page reads.
    ///
    /// # Errors
    /// [`Left`] where the reader is gone.
    pub fn comment(&mut self, text: &str) -> Result<(), Left> {
        self.write(&format!(": {text}\n\n"))
    }

    /// Sends the mark OpenAI's clients end at.
    ///
    /// # Errors
    /// [`Left`] where the reader is gone.
    pub fn done(&mut self) -> Result<(), Left> {
        self.write("data: [DONE]\n\n")
    }

    fn write(&mut self, text: &str) -> Result<(), Left> {
        let sent = self.writer.write_all(text.as_bytes()).and_then(|()| self.writer.flush());
        sent.map_err(|_| Left)
    }
}
