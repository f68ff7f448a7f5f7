//! Server-sent events: written one by one, flushed each, ended when the reader is gone.
//!
//! The response has no length and ends with the connection, which the gate closes; every event
//! leaves at once (tiny_http's own `respond` would keep 8 KiB back).

use std::io::Write;
use std::time::Duration;

use serde_json::Value;
use tiny_http::Request;

use super::reply::{EVERY_REPLYS_HEADERS, cors_headers};

/// A stream of events to one reader.
pub struct Events {
    writer: Box<dyn Write + Send>,
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
        let mut events = Events { writer: request.into_writer() };
        events.write(&head)?;
        Ok(events)
    }

    /// Sends one event of JSON.
    ///
    /// # Errors
    /// [`Left`] where the reader is gone.
    pub fn json(&mut self, value: &Value) -> Result<(), Left> {
        self.write(&format!("data: {value}\n\n"))
    }

    /// Sends one event of a kind, with the id a reader comes back with.
    ///
    /// # Errors
    /// [`Left`] where the reader is gone.
    pub fn event(&mut self, kind: &str, id: &str, value: &Value) -> Result<(), Left> {
        self.write(&format!("event: {kind}\nid: {id}\ndata: {value}\n\n"))
    }

    /// Says after how long a reader that was cut off is to come back.
    ///
    /// # Errors
    /// [`Left`] where the reader is gone.
    pub fn retry(&mut self, after: Duration) -> Result<(), Left> {
        self.write(&format!("retry: {}\n\n", after.as_millis()))
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
