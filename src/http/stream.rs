//! Server-sent events: written one by one, flushed each, ended when the reader is gone.
//!
//! The response has no length and ends with the connection, which the gate closes; every event
//! leaves at once (tiny_http's own `respond` would keep 8 KiB back). A stream's first event says
//! after what time to come back, so that its reader does whatever ends it: a restart, a power cut.

use std::io::Write;

use serde_json::Value;
use tiny_http::Request;

use super::reply::cors_headers;
use crate::words::limits;

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
    /// # Errors
    /// [`Left`] where the reader is gone.
    pub fn open(request: Request) -> Result<Events, Left> {
        let mut head = String::from(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\
             X-Accel-Buffering: no\r\nX-Content-Type-Options: nosniff\r\n",
        );
        for (name, value) in cors_headers(&request) {
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
        // Within the event: some clients take a lone `retry` for an event without data.
        let retry = match std::mem::take(&mut self.is_first) {
            true => format!("retry: {}\n", limits::COME_BACK.as_millis()),
            false => String::new(),
        };
        self.write(&format!("{retry}data: {value}\n\n"))
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
