//! What a machine at a serial line asks, read from lines of JSON.
//!
//! Fields have the names and meanings of `/api/jobs` (docs/jobs.md), the whole is described in
//! docs/serial.md. A line that makes no sense is refused without an id: the machine sends it again.
//! One that is an object but no request is refused under its id, naming the field. Pure: who hears
//! the bytes and carries the requests out is a session.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::super::wire::Checksums;
use super::frame::{self, Line, Noise, Splitter};
use crate::types::error::{Error, Kind};
use crate::types::job::{self, JobName, Question, Role, Turn};
use crate::types::limits;
use crate::types::mode::{DEFAULT_MODE, Modes};
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

/// A question as it was asked; the same question asked again is equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Its text.
    pub question: String,
    /// The mode's name, where one was given.
    pub mode: Option<String>,
    /// Attempts at it, unless the mode's.
    pub attempts: Option<u32>,
    /// Tokens of each, unless the mode's.
    pub budget_tokens: Option<u32>,
    /// Seed of the random numbers, unless a fresh one.
    pub seed: Option<u64>,
    /// The job whose conversation it goes on with.
    pub previous: Option<JobName>,
    /// What a student wrote, for modes that read it.
    pub attempt_of_student: Option<String>,
}

impl Asked {
    /// Returns the question in its mode, checked.
    ///
    /// # Errors
    /// `bad_request` or `too_long` naming the field; `not_found` for an unknown mode.
    pub fn question(&self, modes: &Modes) -> Result<Question, Error> {
        let mode = modes.find(self.mode.as_deref().unwrap_or(DEFAULT_MODE))?;
        let text = job::message(&mode, &self.question, self.attempt_of_student.as_deref())?;
        let seed = self.seed.unwrap_or_else(job::fresh_seed);
        let mut question = Question::new(mode, vec![Turn { role: Role::User, text }], seed);
        question.attempts = self.attempts.unwrap_or(question.attempts);
        question.budget_tokens = self.budget_tokens.unwrap_or(question.budget_tokens);
        question.check()?;
        Ok(question)
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// A question.
    Ask {
        /// What its events are told under.
        id: Id,
        /// The question.
        asked: Asked,
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
#[derive(Clone, Debug, PartialEq, Eq)]
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
                    if !is_echo(&fields.map) {
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

/// The types of lines a machine sends, and the fields of each.
const FIELDS: [(&str, &[&str]); 8] = [
    (
        "ask",
        &[
            "id",
            "question",
            "mode",
            "attempts",
            "budget_tokens",
            "seed",
            "previous",
            "attempt_of_student",
            "thinking",
        ],
    ),
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

/// The fields of an object, and the first name that is in it twice.
struct Fields {
    map: Map<String, Value>,
    twice: Option<String>,
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fields, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Fields, A::Error> {
                let mut fields = Fields { map: Map::new(), twice: None };
                while let Some((name, value)) = entries.next_entry::<String, Value>()? {
                    if fields.map.contains_key(&name) {
                        fields.twice.get_or_insert(name);
                    } else {
                        fields.map.insert(name, value);
                    }
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(Reader)
    }
}

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
        match serde_json::from_slice(object) {
            Ok(fields) => return Ok(fields),
            // What is wrong with the whole line says the most.
            Err(error) => cause.get_or_insert(error),
        };
    }
    let cause = cause.map_or_else(String::new, |error| format!(": {error}"));
    Err(Error::bad_request(
        format!("the line is no JSON object{cause}"),
        "Send one object a line, such as {\"type\":\"ping\"}; docs/serial.md has all of them.",
    ))
}

fn is_echo(fields: &Map<String, Value>) -> bool {
    fields.get("type").and_then(Value::as_str).is_some_and(|kind| OF_THE_BOX.contains(&kind))
}

fn read(fields: &Fields) -> Incoming {
    match request(fields) {
        Ok(request) => Incoming::Request(request),
        Err(error) => Incoming::Refused(fields.map.get("id").and_then(Id::of), error),
    }
}

fn request(Fields { map, twice }: &Fields) -> Result<Request, Error> {
    if let Some(name) = twice {
        return Err(bad(&quoted(name), "it is there twice"));
    }
    let types = || format!("it is one of {}", FIELDS.map(|(kind, _)| kind).join(", "));
    let Some(kind) = text(map, "type")? else {
        return Err(bad("type", &format!("it is missing; {}", types())));
    };
    let Some((_, fields)) = FIELDS.iter().find(|(known, _)| *known == kind) else {
        let cause = format!("there is no '{}'; {}", quoted(kind), types());
        return Err(bad("type", &cause));
    };
    let is_foreign = |name: &&String| *name != "type" && !fields.contains(&name.as_str());
    if let Some(foreign) = map.keys().find(is_foreign) {
        let remedy = format!("The fields of '{kind}' are type, {}.", fields.join(", "));
        let message = format!("{}: there is no such field", quoted(foreign));
        return Err(Error::bad_request(message, remedy));
    }
    let id = get(map, "id").map(|id| Id::of(id).ok_or_else(|| bad("id", WHAT_IDS_ARE)));
    let id = id.transpose()?;
    let needed = |id: Option<Id>| id.ok_or_else(|| bad("id", "it is missing"));
    Ok(match kind {
        "ask" => Request::Ask { id: needed(id)?, asked: asked(map)?, thinking: told(map)? },
        "follow" => follow(map, needed(id)?)?,
        "stop" => Request::Stop(target(map, id)?),
        "finish" => Request::Finish(target(map, id)?),
        "last" => Request::Last(id),
        "set" => Request::Set(id, change(map)?),
        "person" => Request::Person(id),
        _ => Request::Ping(id),
    })
}

const WHAT_IDS_ARE: &str = "it is no whole number and no text of 1 to 22 plain ASCII characters";

fn asked(fields: &Map<String, Value>) -> Result<Asked, Error> {
    let owned = |name| text(fields, name).map(|text| text.map(str::to_string));
    let Some(question) = owned("question")? else {
        return Err(bad("question", "it is missing"));
    };
    Ok(Asked {
        question,
        mode: owned("mode")?,
        attempts: number(fields, "attempts")?,
        budget_tokens: number(fields, "budget_tokens")?,
        seed: seed(fields)?,
        previous: name(fields, "previous")?,
        attempt_of_student: owned("attempt_of_student")?,
    })
}

fn follow(fields: &Map<String, Value>, id: Id) -> Result<Request, Error> {
    let Some(job) = name(fields, "job")? else { return Err(bad("job", "it is missing")) };
    let place = |text: &str| {
        text.parse().map_err(|_| bad("from", "it is no place in a log, such as \"1234\""))
    };
    let from = text(fields, "from")?.map(place).transpose()?.unwrap_or_default();
    Ok(Request::Follow { id, job, from, thinking: told(fields)? })
}

fn target(fields: &Map<String, Value>, id: Option<Id>) -> Result<Target, Error> {
    match (name(fields, "job")?, id) {
        (Some(job), id) => Ok(Target::Named(job, id)),
        (None, Some(id)) => Ok(Target::Under(id)),
        (None, None) => Err(bad("job", "it is missing, and so is the id it was asked under")),
    }
}

fn change(fields: &Map<String, Value>) -> Result<Change, Error> {
    let (low, high) = limits::MACHINE_LINE_BYTES.into_inner();
    let line_bytes = number(fields, "line_bytes")?.map(|bytes| bytes as usize);
    if let Some(bytes) = line_bytes.filter(|bytes| !limits::MACHINE_LINE_BYTES.contains(bytes)) {
        let cause = format!("{bytes} is out of range, {low} to {high} are allowed");
        return Err(bad("line_bytes", &cause));
    }
    let (crc, ascii) = (flag(fields, "crc")?, flag(fields, "ascii")?);
    Ok(Change { crc, line_bytes, thinking: told(fields)?, ascii })
}

fn get<'f>(fields: &'f Map<String, Value>, name: &str) -> Option<&'f Value> {
    fields.get(name).filter(|value| !value.is_null())
}

fn text<'f>(fields: &'f Map<String, Value>, name: &str) -> Result<Option<&'f str>, Error> {
    let text = |value: &'f Value| value.as_str().ok_or_else(|| bad(name, "it is no text"));
    get(fields, name).map(text).transpose()
}

fn flag(fields: &Map<String, Value>, name: &str) -> Result<Option<bool>, Error> {
    let flag = |value: &Value| value.as_bool().ok_or_else(|| bad(name, "it is not true or false"));
    get(fields, name).map(flag).transpose()
}

fn told(fields: &Map<String, Value>) -> Result<Option<bool>, Error> {
    flag(fields, "thinking")
}

fn number(fields: &Map<String, Value>, name: &str) -> Result<Option<u32>, Error> {
    let number = |value: &Value| {
        let whole = whole(value).and_then(|whole| u32::try_from(whole).ok());
        whole.ok_or_else(|| bad(name, "it is no positive integer"))
    };
    get(fields, name).map(number).transpose()
}

fn seed(fields: &Map<String, Value>) -> Result<Option<u64>, Error> {
    let seed = |value| whole(value).ok_or_else(|| bad("seed", "it is no integer from 0 up"));
    get(fields, "seed").map(seed).transpose()
}

/// Returns a number from 0 up that is whole: to JSON 4 and 4.0 are one.
fn whole(value: &Value) -> Option<u64> {
    let of_float = |float: f64| {
        // From 2^64 on there is no room.
        let fits = float.fract() == 0.0 && (0.0..18_446_744_073_709_551_616.0).contains(&float);
        fits.then_some(float as u64)
    };
    value.as_u64().or_else(|| value.as_f64().and_then(of_float))
}

fn name(fields: &Map<String, Value>, field: &str) -> Result<Option<JobName>, Error> {
    let cause = "it is no job's id, which has 32 digits of 0-9 and a-f";
    let name = |id: &str| id.parse().map_err(|_| bad(field, cause));
    text(fields, field)?.map(name).transpose()
}

/// Returns the beginning of a name from outside, for a message.
fn quoted(name: &str) -> String {
    name.escape_debug().take(40).collect()
}

fn bad(name: &str, cause: &str) -> Error {
    Error::bad_request(format!("{name}: {cause}"), "docs/serial.md says what is allowed.")
}

#[cfg(test)]
mod tests;
