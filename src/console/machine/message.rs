//! Parses the requests of a machine at a serial line from lines of JSON.
//!
//! Fields have the names and meanings of `/api/jobs` (docs/jobs.md); docs/serial.md describes the
//! protocol. A line that is not an object is refused without an ID: the machine sends it again. An
//! object that is not a valid request is refused under its ID, naming the field. Pure: the session
//! receives the bytes and executes the requests.

use serde_json::Value;

use super::super::wire::Checksums;
use super::frame::{self, LineSplitter, NoiseLimit, ReceivedLine};
use crate::api::ask::{Ask, JOB_FIELDS};
use crate::api::fields::{Fields, quoted};
use crate::types::error::{Error, Kind};
use crate::types::job::JobName;
use crate::types::limits;
use crate::types::position::LogPosition;

/// The ID a machine gives a request: an integer or plain ASCII, kept as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Id(String);

impl Id {
    /// Returns the ID as JSON, at most [`limits::MACHINE_ID_BYTES_MAX`] bytes of ASCII.
    pub fn json(&self) -> &str {
        &self.0
    }

    fn of(value: &Value) -> Option<Id> {
        let is_plain = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|c| matches!(c, b' '..=b'~') && !b"\"\\".contains(&c))
        };
        let is_one = match value {
            Value::Number(number) => !number.is_f64(),
            Value::String(text) => is_plain(text),
            _ => false,
        };
        let json = is_one.then(|| value.to_string());
        json.filter(|json| json.len() <= limits::MACHINE_ID_BYTES_MAX).map(Id)
    }
}

/// The job a request refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The job submitted or followed under this ID.
    Under(Id),
    /// The job of this name; the ID is only for the reply.
    Named(JobName, Option<Id>),
}

/// The settings of a machine's connection, in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MachineSettings {
    /// Whether lines in both directions carry checksums.
    pub crc: bool,
    /// Longest line that the box sends, in bytes with checksum and LF; within
    /// [`limits::MACHINE_LINE_BYTES`].
    pub line_bytes: usize,
    /// Whether the thinking is sent as well, unless a request overrides it.
    pub thinking: bool,
    /// Whether non-ASCII characters are escaped.
    pub ascii: bool,
}

impl Default for MachineSettings {
    fn default() -> MachineSettings {
        MachineSettings {
            crc: false,
            line_bytes: limits::MACHINE_LINE_BYTES_DEFAULT,
            thinking: true,
            ascii: false,
        }
    }
}

/// A change of [`MachineSettings`]; `None` keeps the current value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SettingsChange {
    /// Whether lines carry checksums.
    pub crc: Option<bool>,
    /// Longest line, within [`limits::MACHINE_LINE_BYTES`].
    pub line_bytes: Option<usize>,
    /// Whether the thinking is sent.
    pub thinking: Option<bool>,
    /// Whether non-ASCII characters are escaped.
    pub ascii: Option<bool>,
}

impl MachineSettings {
    /// Returns the settings with a change applied.
    pub fn with(self, change: &SettingsChange) -> MachineSettings {
        MachineSettings {
            crc: change.crc.unwrap_or(self.crc),
            line_bytes: change.line_bytes.unwrap_or(self.line_bytes),
            thinking: change.thinking.unwrap_or(self.thinking),
            ascii: change.ascii.unwrap_or(self.ascii),
        }
    }

    fn sums(self) -> Checksums {
        if self.crc { Checksums::On } else { Checksums::Off }
    }
}

/// A request of a machine, one line each.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Submits a question as a new job.
    Ask {
        /// The ID of its events.
        id: Id,
        /// The question.
        ask: Box<Ask>,
        /// Whether its thinking is sent; `None` means the setting.
        thinking: Option<bool>,
    },
    /// Follows the events of a job from a position on.
    Follow {
        /// The ID of the events.
        id: Id,
        /// The job.
        job: JobName,
        /// The position; by default the start.
        from: LogPosition,
        /// Whether its thinking is sent; `None` means the setting.
        thinking: Option<bool>,
    },
    /// Stops a job and keeps its text.
    Stop(Target),
    /// Makes a job answer now.
    Finish(Target),
    /// Asks for the newest job of this line.
    Last(Option<Id>),
    /// Asks whether the box is alive.
    Ping(Option<Id>),
    /// Changes settings of this session.
    Set(Option<Id>, SettingsChange),
    /// Switches to the terminal for people.
    Person(Option<Id>),
}

/// The result of a line.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// A request that passed all checks.
    Request(Request),
    /// An invalid request: its ID, if one was read, and the error to send.
    Refused(Option<Id>, Error),
}

/// Reads requests from the bytes of a machine.
#[derive(Debug, Default)]
pub struct RequestReader {
    splitter: LineSplitter,
    noise: NoiseLimit,
}

impl RequestReader {
    /// Consumes `bytes` up to the end of a line that needs an answer; `None` once all are consumed.
    /// A change of settings applies from the next line on.
    ///
    /// The box's own lines, echoed by a short circuit or a terminal, are ignored: an answer would
    /// be echoed as well.
    pub fn next(&mut self, bytes: &mut &[u8], settings: &MachineSettings) -> Option<Incoming> {
        while let Some(line) = self.splitter.line(bytes) {
            match object(&line, settings.sums()) {
                Ok(fields) => {
                    self.noise.ends();
                    if !is_echo(&fields) {
                        return Some(read(&fields));
                    }
                }
                Err(error) if self.noise.another() => return Some(Incoming::Refused(None, error)),
                Err(_) => {}
            }
        }
        None
    }
}

/// The types of requests and their fields other than `type`; `ask` also has those of a job.
const FIELDS: [(&str, &[&str]); 8] = [
    ("ask", &["id", "thinking"]),
    ("follow", &["id", "job", "from", "thinking"]),
    ("stop", &["id", "job"]),
    ("finish", &["id", "job"]),
    ("last", &["id"]),
    ("ping", &["id"]),
    ("set", &["id", "crc", "line_bytes", "thinking", "ascii"]),
    ("person", &["id"]),
];

/// The types of lines that the box sends.
pub const OF_THE_BOX: [&str; 14] = [
    "hello", "accepted", "queued", "thinking", "answer", "attempt", "vote", "rewind", "done",
    "failed", "error", "pong", "ok", "job",
];

/// Parses the object in a line.
fn object(line: &ReceivedLine, sums: Checksums) -> Result<Fields, Error> {
    let ReceivedLine::Whole(line) = line else {
        return Err(Error::new(
            Kind::TooLong,
            format!("the line has more than {} bytes", limits::MACHINE_LINE_BYTES_MAX),
            "Shorten the question.",
        ));
    };
    let mut cause = None;
    for object in frame::objects(line, sums)? {
        match Fields::parse(object, REMEDY) {
            Ok(fields) => return Ok(fields),
            // The error of the whole line is the most useful one.
            Err(error) => cause.get_or_insert(error),
        };
    }
    let cause = cause.map_or_else(String::new, |error| format!(": {error}"));
    Err(Error::bad_request(
        format!("the line is not a JSON object{cause}"),
        "Send one object a line, such as {\"type\":\"ping\"}; docs/serial.md has all of them.",
    ))
}

fn is_echo(fields: &Fields) -> bool {
    fields.get("type").and_then(Value::as_str).is_some_and(|kind| OF_THE_BOX.contains(&kind))
}

fn read(fields: &Fields) -> Incoming {
    match request(fields) {
        Ok(request) => Incoming::Request(request),
        Err(error) => Incoming::Refused(fields.get("id").and_then(Id::of), error),
    }
}

fn request(fields: &Fields) -> Result<Request, Error> {
    fields.check_unique()?;
    let types = || format!("the types are {}", FIELDS.map(|(kind, _)| kind).join(", "));
    let Some(kind) = fields.string("type")? else {
        return Err(fields.wrong("type", &format!("missing; {}", types())));
    };
    let Some((_, known)) = FIELDS.iter().find(|(known, _)| *known == kind) else {
        let cause = format!("unknown type '{}'; {}", quoted(kind), types());
        return Err(fields.wrong("type", &cause));
    };
    let asked: &[&str] = if kind == "ask" { &JOB_FIELDS } else { &[] };
    fields.check_known(&[&["type"], *known, asked].concat(), &format!("'{kind}'"))?;
    let id = fields.get("id").map(|id| Id::of(id).ok_or_else(|| fields.wrong("id", ID_FORM)));
    let id = id.transpose()?;
    let needed = |id: Option<Id>| id.ok_or_else(|| fields.missing("id"));
    Ok(match kind {
        "ask" => Request::Ask {
            id: needed(id)?,
            ask: Box::new(Ask::from_fields(fields)?),
            thinking: fields.flag("thinking")?,
        },
        "follow" => follow(fields, needed(id)?)?,
        "stop" => Request::Stop(target(fields, id)?),
        "finish" => Request::Finish(target(fields, id)?),
        "last" => Request::Last(id),
        "set" => Request::Set(id, change(fields)?),
        "person" => Request::Person(id),
        _ => Request::Ping(id),
    })
}

const REMEDY: &str = "docs/serial.md says what is allowed.";
const ID_FORM: &str = "must be an integer, or a string of 1 to 22 plain ASCII characters";

fn follow(fields: &Fields, id: Id) -> Result<Request, Error> {
    let job = fields.job("job")?.ok_or_else(|| fields.missing("job"))?;
    let from = fields.position("from")?.unwrap_or_default();
    Ok(Request::Follow { id, job, from, thinking: fields.flag("thinking")? })
}

fn target(fields: &Fields, id: Option<Id>) -> Result<Target, Error> {
    match (fields.job("job")?, id) {
        (Some(job), id) => Ok(Target::Named(job, id)),
        (None, Some(id)) => Ok(Target::Under(id)),
        (None, None) => Err(fields.wrong("job", "missing, and so is the id of its question")),
    }
}

fn change(fields: &Fields) -> Result<SettingsChange, Error> {
    let (low, high) = limits::MACHINE_LINE_BYTES.into_inner();
    let line_bytes = fields.u32("line_bytes")?.map(|bytes| bytes as usize);
    if let Some(bytes) = line_bytes.filter(|bytes| !limits::MACHINE_LINE_BYTES.contains(bytes)) {
        let cause = format!("{bytes} is out of range, {low} to {high} are allowed");
        return Err(fields.wrong("line_bytes", &cause));
    }
    let (crc, ascii) = (fields.flag("crc")?, fields.flag("ascii")?);
    Ok(SettingsChange { crc, line_bytes, thinking: fields.flag("thinking")?, ascii })
}

#[cfg(test)]
mod tests;
