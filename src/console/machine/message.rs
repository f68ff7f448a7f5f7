//! What a machine at a serial line asks, read from lines of JSON.
//!
//! Fields have the names and meanings of `/api/jobs` (docs/jobs.md), the whole is described in
//! docs/serial.md. A line that makes no sense is refused without an id: the machine sends it again.
//! One that is an object but no request is refused under its id, naming the field. Pure: who hears
//! the bytes and carries the requests out is a session.

use serde_json::Value;

use super::super::wire::Checksums;
use super::frame::{self, Line, Noise, Splitter};
use crate::api::ask::{Ask, JOB_FIELDS};
use crate::api::fields::{Fields, quoted};
use crate::types::error::{Error, Kind};
use crate::types::job::JobName;
use crate::types::limits;
use crate::types::position::LogPosition;

/// What a machine calls a request: a whole number, or plain ASCII, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Id(String);

impl Id {
    /// Returns it as JSON, at most [`limits::MACHINE_ID_BYTES_MAX`] bytes of ASCII.
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

/// Which job a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The one asked or followed under this id.
    Under(Id),
    /// The one of this name; the id is only for the reply.
    Named(JobName, Option<Id>),
}

/// How a machine has the box speak, and how it speaks itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Lines of both sides carry sums.
    pub crc: bool,
    /// Bytes a line of the box has at most, sum and LF counted; within
    /// [`limits::MACHINE_LINE_BYTES`].
    pub line_bytes: usize,
    /// The thinking is told as well, where a request does not say otherwise.
    pub thinking: bool,
    /// What is not ASCII is escaped.
    pub ascii: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            crc: false,
            line_bytes: limits::MACHINE_LINE_BYTES_DEFAULT,
            thinking: true,
            ascii: false,
        }
    }
}

/// What a machine changes of its [`Settings`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// As in [`Settings`], like the others.
    pub crc: Option<bool>,
    /// Within [`limits::MACHINE_LINE_BYTES`].
    pub line_bytes: Option<usize>,
    /// See there.
    pub thinking: Option<bool>,
    /// See there.
    pub ascii: Option<bool>,
}

impl Settings {
    /// Returns them with a change.
    pub fn with(self, change: &Change) -> Settings {
        Settings {
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

/// What a machine may ask.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// A question.
    Ask {
        /// What its events are told under.
        id: Id,
        /// The question.
        ask: Box<Ask>,
        /// Whether its thinking is told, where it says so.
        thinking: Option<bool>,
    },
    /// The events of a job from a place on.
    Follow {
        /// What they are told under.
        id: Id,
        /// The job.
        job: JobName,
        /// The place; the beginning where none was given.
        from: LogPosition,
        /// Whether its thinking is told, where it says so.
        thinking: Option<bool>,
    },
    /// An end to a job.
    Stop(Target),
    /// A job's answer now.
    Finish(Target),
    /// Which job of this line is the newest.
    Last(Option<Id>),
    /// Whether anybody is there.
    Ping(Option<Id>),
    /// Other settings.
    Set(Option<Id>, Change),
    /// The terminal for people.
    Person(Option<Id>),
}

/// What came of a line.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// A request.
    Request(Request),
    /// No request; the error is told, under the id if one was read.
    Refused(Option<Id>, Error),
}

/// Hears requests in the bytes of a machine.
#[derive(Debug, Default)]
pub struct RequestReader {
    splitter: Splitter,
    noise: Noise,
}

impl RequestReader {
    /// Takes bytes from the front of `bytes` up to the end of a line that is to be answered; `None`
    /// once all are taken. So a change of settings counts from the very next line on.
    ///
    /// The box's own lines, which a short circuit or a terminal's echo sends back, are no requests
    /// and are not answered: their answers would come back as well.
    pub fn hear(&mut self, bytes: &mut &[u8], settings: &Settings) -> Option<Incoming> {
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

/// The types of lines that a machine sends, and the fields of each beside `type`; `ask` has those of
/// a job as well.
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

/// The types of lines the box sends.
pub const OF_THE_BOX: [&str; 14] = [
    "hello", "accepted", "queued", "thinking", "answer", "attempt", "vote", "rewind", "done",
    "failed", "error", "pong", "ok", "job",
];

/// Finds the object in a line.
fn object(line: &Line, sums: Checksums) -> Result<Fields, Error> {
    let Line::Whole(line) = line else {
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
            // What is wrong with the whole line says the most.
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

fn change(fields: &Fields) -> Result<Change, Error> {
    let (low, high) = limits::MACHINE_LINE_BYTES.into_inner();
    let line_bytes = fields.u32("line_bytes")?.map(|bytes| bytes as usize);
    if let Some(bytes) = line_bytes.filter(|bytes| !limits::MACHINE_LINE_BYTES.contains(bytes)) {
        let cause = format!("{bytes} is out of range, {low} to {high} are allowed");
        return Err(fields.wrong("line_bytes", &cause));
    }
    let (crc, ascii) = (fields.flag("crc")?, fields.flag("ascii")?);
    Ok(Change { crc, line_bytes, thinking: fields.flag("thinking")?, ascii })
}

#[cfg(test)]
mod tests;
