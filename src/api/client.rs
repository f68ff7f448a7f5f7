//! Asks a running solverbox on this machine over its HTTP API, as `solve` does.
//!
//! Submits a job, reads its events and fetches its result, so that text, votes and errors arrive as
//! data. The address is numeric and was written into the data folder by the running process. Names
//! are never resolved, and no other address is connected to.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};

use serde_json::Value;

use super::ask::Ask;
use super::json::{FinishedJob, VotesJson};
use crate::types::answer::{Part, Piece};
use crate::types::error::{Error, Kind, io_cause};
use crate::types::job::JobName;
use crate::types::limits;

/// A solverbox that is running on this machine.
#[derive(Clone, Copy, Debug)]
pub struct RunningBox {
    address: SocketAddr,
}

/// A job that a running solverbox has accepted.
#[derive(Clone, Copy, Debug)]
pub struct RemoteJob {
    server: RunningBox,
    id: JobName,
}

/// An event of a remote job.
#[derive(Clone, Debug, PartialEq)]
pub enum RemoteEvent {
    /// An attempt has generated text.
    Text {
        /// Index of the attempt, from 0.
        attempt: u32,
        /// The text and the part it belongs to.
        piece: Piece,
    },
    /// The vote after another attempt has ended.
    Vote(VotesJson),
    /// The job has ended; [`RemoteJob::finished`] has its answer.
    Done,
    /// The job could not be answered.
    Failed(Error),
}

/// Why a request was not answered.
enum Unanswered {
    /// The server's own error.
    Refused(Error),
    /// There is no reply, or it cannot be read; holds the cause.
    Lost(String),
}

impl RunningBox {
    /// Takes the address on which it listens; for all interfaces, loopback is used.
    pub fn at(address: SocketAddr) -> RunningBox {
        let loopback = match address {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        };
        let host = if address.ip().is_unspecified() { loopback } else { address.ip() };
        RunningBox { address: SocketAddr::new(host, address.port()) }
    }

    /// Returns the address of its page.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Submits a question; blocks until the server has it on disk.
    ///
    /// # Errors
    /// The server's own, as it reports it; `stopped` if it does not answer.
    pub fn submit(&self, ask: &Ask) -> Result<RemoteJob, Error> {
        let accepted = self
            .json("POST", "/api/jobs", &ask.to_json().to_string())
            .map_err(|unanswered| self.error(unanswered))?;
        let id = accepted["id"].as_str().and_then(|id| id.parse().ok());
        let id = id.ok_or_else(|| self.cannot_ask("its reply has no job ID"))?;
        Ok(RemoteJob { server: *self, id })
    }

    /// Returns the name of its model.
    ///
    /// # Errors
    /// `stopped` if it does not answer.
    pub fn model(&self) -> Result<String, Error> {
        let about =
            self.json("GET", "/api/box", "").map_err(|unanswered| self.error(unanswered))?;
        let name = about["model"]["name"].as_str().map(str::to_string);
        name.ok_or_else(|| self.cannot_ask("it does not name its model"))
    }

    /// Sends a request and returns the JSON of its reply.
    fn json(&self, method: &str, path: &str, body: &str) -> Result<Value, Unanswered> {
        read_json(self.send(method, path, body)?)
    }

    /// Sends a request and returns a reader of the reply's body, if that is not an error.
    fn send(
        &self,
        method: &str,
        path: &str,
        body: &str,
    ) -> Result<BufReader<TcpStream>, Unanswered> {
        let (status, reader) = self.try_send(method, path, body).map_err(Unanswered::lost)?;
        match status {
            200..300 => Ok(reader),
            _ => Err(Unanswered::refused(&read_json(reader)?)),
        }
    }

    fn try_send(
        &self,
        method: &str,
        path: &str,
        body: &str,
    ) -> std::io::Result<(u16, BufReader<TcpStream>)> {
        let mut socket = TcpStream::connect_timeout(&self.address, limits::CLOSE_WAIT)?;
        // Even a stream that has nothing to report sends a comment in this time.
        socket.set_read_timeout(Some(limits::HEARTBEAT * 2))?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        socket.write_all((head + body).as_bytes())?;
        let mut reader = BufReader::new(socket);
        let mut line = read_line(&mut reader)?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or(ErrorKind::UnexpectedEof)?;
        // The head ends with an empty line.
        while line.trim_end() != "" {
            line = read_line(&mut reader)?;
        }
        Ok((status, reader))
    }

    fn error(&self, unanswered: Unanswered) -> Error {
        match unanswered {
            Unanswered::Refused(error) => error,
            Unanswered::Lost(cause) => self.cannot_ask(&cause),
        }
    }

    fn cannot_ask(&self, cause: &str) -> Error {
        Error::new(
            Kind::Stopped,
            format!("cannot ask the solverbox at {}: {cause}", self.url()),
            "Ask again when it is back; with --model FILE this command loads a model of its own.",
        )
    }
}

impl Unanswered {
    fn lost(error: std::io::Error) -> Unanswered {
        Unanswered::Lost(cause_of(&error))
    }

    /// Takes the error out of a reply.
    fn refused(reply: &Value) -> Unanswered {
        serde_json::from_value(reply["error"].clone()).map_or_else(
            |_| Unanswered::Lost("its error is not readable".into()),
            Unanswered::Refused,
        )
    }
}

fn read_json(reader: BufReader<TcpStream>) -> Result<Value, Unanswered> {
    let mut text = String::new();
    reader
        .take(limits::REMOTE_LINE_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(Unanswered::lost)?;
    serde_json::from_str(&text).map_err(|_| Unanswered::Lost("its reply is not JSON".into()))
}

impl RemoteJob {
    /// Stops the job, which then ends with the text it has.
    ///
    /// # Errors
    /// The server's own; `stopped`, with the way to the answer, if the server goes away.
    pub fn stop(&self) -> Result<(), Error> {
        let stopped = self.server.json("POST", &format!("{}/stop", self.path()), "");
        stopped.map(drop).map_err(|unanswered| self.error(unanswered))
    }

    /// Returns the number of attempts requested, by default the mode's.
    ///
    /// # Errors
    /// The server's own; `stopped`, with the way to the answer, if the server goes away.
    pub fn attempts(&self) -> Result<u32, Error> {
        let job = self.state()?;
        let attempts =
            job["attempts_wanted"].as_u64().and_then(|wanted| u32::try_from(wanted).ok());
        attempts.ok_or_else(|| self.server.cannot_ask("its job lacks attempts_wanted"))
    }

    /// Returns the job's events from the beginning; the iterator ends with `Done`, `Failed` or an
    /// error.
    ///
    /// # Errors
    /// The server's own; `stopped`, with the way to the answer, if the server goes away.
    pub fn events(&self) -> Result<impl Iterator<Item = Result<RemoteEvent, Error>>, Error> {
        let path = format!("{}/events", self.path());
        let sent = self.server.send("GET", &path, "");
        let mut reader = sent.map_err(|unanswered| self.error(unanswered))?;
        let (job, mut is_over) = (*self, false);
        Ok(std::iter::from_fn(move || {
            if is_over {
                return None;
            }
            let event = next_event(&mut reader);
            let event = event
                .map_err(|error| job.interrupted(&cause_of(&error)))
                .and_then(|event| event.ok_or_else(|| job.interrupted("it is being stopped")));
            is_over = matches!(event, Ok(RemoteEvent::Done | RemoteEvent::Failed(_)) | Err(_));
            Some(event)
        }))
    }

    /// Returns the answer of a job that has ended.
    ///
    /// # Errors
    /// The job's or the server's own; `stopped`, with the way to the answer, if the server goes
    /// away.
    pub fn finished(&self) -> Result<FinishedJob, Error> {
        let job = self.state()?;
        if job.get("error").is_some() {
            return Err(self.error(Unanswered::refused(&job)));
        }
        serde_json::from_value(job)
            .map_err(|error| self.server.cannot_ask(&format!("its job is incomplete: {error}")))
    }

    fn state(&self) -> Result<Value, Error> {
        self.server.json("GET", &self.path(), "").map_err(|unanswered| self.error(unanswered))
    }

    fn path(&self) -> String {
        format!("/api/jobs/{}", self.id)
    }

    fn error(&self, unanswered: Unanswered) -> Error {
        match unanswered {
            Unanswered::Refused(error) => error,
            Unanswered::Lost(cause) => self.interrupted(&cause),
        }
    }

    fn interrupted(&self, cause: &str) -> Error {
        Error::new(
            Kind::Stopped,
            format!("the solverbox at {} did not finish: {cause}", self.server.url()),
            format!(
                "It continues when it is started again; solverbox history show {} has the answer.",
                self.id
            ),
        )
    }
}

fn cause_of(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => "it does not answer".into(),
        _ => io_cause(error),
    }
}

/// Returns the next line with its end, or an empty string at the end of the stream.
fn read_line(reader: &mut impl BufRead) -> std::io::Result<String> {
    let mut line = String::new();
    reader.take(limits::REMOTE_LINE_BYTES_MAX).read_line(&mut line)?;
    Ok(line)
}

/// Reads the next event of interest; `None` if the stream has ended.
fn next_event(reader: &mut impl BufRead) -> std::io::Result<Option<RemoteEvent>> {
    let mut kind = String::new();
    loop {
        let line = read_line(reader)?;
        if line.is_empty() {
            return Ok(None);
        }
        let line = line.trim_end();
        if let Some(name) = line.strip_prefix("event: ") {
            kind = name.to_string();
        } else if let Some(data) = line.strip_prefix("data: ")
            && let Some(event) = event(&kind, data)
        {
            return Ok(Some(event));
        }
    }
}

/// Parses an event; `None` for a kind that is not of interest.
fn event(kind: &str, data: &str) -> Option<RemoteEvent> {
    let data: Value = serde_json::from_str(data).ok()?;
    let text = |part| {
        let attempt = data["attempt"].as_u64().and_then(|attempt| u32::try_from(attempt).ok())?;
        let text = data["text"].as_str()?.to_string();
        Some(RemoteEvent::Text { attempt, piece: Piece { part, text } })
    };
    match kind {
        "thinking" => text(Part::Thinking),
        "answer" => text(Part::Answer),
        "vote" => serde_json::from_value(data).ok().map(RemoteEvent::Vote),
        "done" => Some(RemoteEvent::Done),
        "failed" => {
            let error = serde_json::from_value(data["error"].clone());
            let unknown = |_| Error::internal("the job failed for an unknown reason");
            Some(RemoteEvent::Failed(error.unwrap_or_else(unknown)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_as_data_and_comments_are_not_events() {
        let stream = "retry: 2000\nevent: queued\nid: 0\ndata: {\"state\":\"queued\",\"place\":1,\"eta\":null}\n\n\
            : alive\n\nevent: thinking\nid: 5\ndata: {\"attempt\":1,\"text\":\"17*23\\n\"}\n\n\
            event: vote\nid: 5\ndata: {\"wanted\":4,\"ended\":1,\"votes\":[],\"agreement\":0.0,\"best_attempt\":1}\n\n\
            event: failed\nid: 5\ndata: {\"error\":{\"kind\":\"busy\",\"message\":\"a. b: c\",\"remedy\":\"Wait.\"}}\n\n";
        let mut reader = stream.as_bytes();
        let mut events = Vec::new();
        while let Some(event) = next_event(&mut reader).unwrap() {
            events.push(event);
        }
        let votes = VotesJson {
            wanted: 4,
            ended: 1,
            votes: Vec::new(),
            agreement: 0.0,
            best_attempt: Some(1),
        };
        let piece = Piece { part: Part::Thinking, text: "17*23\n".into() };
        let error = Error::new(Kind::Busy, "a. b: c", "Wait.");
        assert_eq!(
            events,
            [
                RemoteEvent::Text { attempt: 1, piece },
                RemoteEvent::Vote(votes),
                RemoteEvent::Failed(error)
            ]
        );
    }

    #[test]
    fn a_box_that_listens_everywhere_is_asked_over_loopback() {
        let url = |address: &str| RunningBox::at(address.parse().unwrap()).url();
        assert_eq!(url("0.0.0.0:7860"), "http://127.0.0.1:7860/");
        assert_eq!(url("[::]:7860"), "http://[::1]:7860/");
        assert_eq!(url("192.168.1.5:80"), "http://192.168.1.5:80/");
    }

    #[test]
    fn a_server_that_is_gone_is_named() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = RunningBox::at(free).submit(&Ask::new("2+2?")).unwrap_err();
        assert_eq!(error.kind, Kind::Stopped);
        assert!(
            error.message.contains(&free.to_string()) && error.message.contains("refused"),
            "{error}"
        );
        let id = JobName(7);
        let error = RemoteJob { server: RunningBox::at(free), id }.attempts().unwrap_err();
        assert_eq!(error.kind, Kind::Stopped);
        assert!(error.remedy.contains(&format!("history show {id}")), "{error}");
    }
}
