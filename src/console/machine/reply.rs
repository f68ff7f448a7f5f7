//! What the box says to a machine at a serial line: lines of JSON, none longer than it asked for.
//!
//! Names and meanings are those of `/api/jobs` and its events (docs/jobs.md); docs/serial.md
//! describes the lines. What does not fit into one is cut, and said to be, or left out. Pure: a
//! session says what is to be told, and sends it. Errors are told as they come: which are for a
//! stranger's eyes is not decided here.

use std::fmt::Write;

use serde_json::Value;

use super::frame;
use super::message::{Id, Settings};
use crate::answers::vote::Tally;
use crate::api::json::{self, VotesJson};
use crate::desk::Eta;
use crate::types::answer::{Figures, Outcome, Part};
use crate::types::error::Error;
use crate::types::job::JobName;
use crate::types::position::LogPosition;

/// What is added where a text or a list was cut.
const CUT: &str = ",\"cut\":true";
/// Bytes the widest character has when escaped: a surrogate pair.
const CHARACTER_BYTES_MAX: usize = 12;

/// Writes lines as a machine's settings have them; each has its sum, where wanted, and its LF.
#[derive(Clone, Copy, Debug)]
pub struct LineWriter {
    settings: Settings,
}

/// The end of a job that has not failed.
#[derive(Clone, Copy, Debug)]
pub struct Done<'a> {
    /// How it ended.
    pub outcome: &'a Outcome,
    /// The attempt whose answer is the job's.
    pub best_attempt: u32,
    /// The value in its box.
    pub value: Option<&'a str>,
    /// The vote, where there was one.
    pub votes: Option<&'a Tally>,
    /// What it took.
    pub figures: &'a Figures,
    /// The end of its log.
    pub at: LogPosition,
}

impl LineWriter {
    /// Makes a pen for these settings.
    pub fn new(settings: Settings) -> LineWriter {
        LineWriter { settings }
    }

    /// Says who is there: told when the line opens.
    pub fn hello(&self, version: &str, model: Option<&str>, mode: &str, state: &str) -> String {
        let draft = self.draft("hello", None).must("name", &"solverbox".into());
        let draft = draft.must("state", &state.into()).may("mode", &mode.into());
        draft.may("version", &version.into()).may("model", &model.into()).end()
    }

    /// Says that a question is kept, on the disk, as a job.
    pub fn accepted(
        &self,
        id: &Id,
        job: JobName,
        place: Option<usize>,
        eta: Option<f64>,
    ) -> String {
        let draft = self.draft("accepted", Some(id)).must("job", &job.to_string().into());
        draft.may("place", &place.into()).may("eta_s", &eta.map(json::rounded).into()).end()
    }

    /// Says how a job stands in line.
    pub fn queued(&self, id: &Id, state: &str, place: Option<usize>, eta: Option<Eta>) -> String {
        let draft = self.draft("queued", Some(id)).must("state", &state.into());
        draft.must("place", &place.into()).may("eta", &eta.as_ref().map(json::eta).into()).end()
    }

    /// Says what an attempt wrote from the place `before` on, in as many lines as it takes; each
    /// has the place behind it.
    pub fn text(
        &self,
        id: &Id,
        part: Part,
        attempt: u32,
        text: &str,
        before: LogPosition,
    ) -> Vec<String> {
        let kind = match part {
            Part::Thinking => "thinking",
            Part::Answer => "answer",
        };
        // No place in it is longer than the one at its end.
        let end = LogPosition { offset: before.offset + text.len(), ..before };
        let at_bytes = ",\"at\":\"\"".len() + end.to_string().len();
        let (mut lines, mut rest, mut at) = (Vec::new(), text, before);
        while !rest.is_empty() {
            let draft = self.draft(kind, Some(id)).must("attempt", &attempt.into());
            let room = draft.left(",\"text\":\"\"".len() + at_bytes).max(CHARACTER_BYTES_MAX);
            let (escaped, bytes) = escaped(rest, room, self.settings.ascii);
            rest = &rest[bytes..];
            at.offset += bytes;
            lines.push(draft.raw("text", &format!("\"{escaped}\"")).at(at).end());
        }
        lines
    }

    /// Says that an attempt has ended.
    pub fn attempt(
        &self,
        id: &Id,
        attempt: u32,
        outcome: &Outcome,
        value: Option<&str>,
        taken: &Figures,
    ) -> String {
        let draft = self.draft("attempt", Some(id)).must("attempt", &attempt.into());
        let draft = draft.must("finish", &outcome.name().into()).start_of("value", value);
        draft.may("figures", &json::figures(taken)).end()
    }

    /// Says how the vote stands: the leading answers, as many as fit.
    pub fn vote(&self, id: &Id, tally: &Tally) -> String {
        let votes = VotesJson::from(tally).short();
        let draft = self.draft("vote", Some(id)).must("wanted", &votes.wanted.into());
        let draft = draft.must("ended", &votes.ended.into());
        let draft = draft.must("best_attempt", &votes.best_attempt.into());
        draft.first_of("votes", votes.list()).may("agreement", &votes.agreement.into()).end()
    }

    /// Says that what was told beyond a place is written anew.
    pub fn rewind(&self, id: &Id, to: LogPosition) -> String {
        self.draft("rewind", Some(id)).must("to", &to.offset.into()).at(to).end()
    }

    /// Says that a job is over and its text was told.
    pub fn done(&self, id: &Id, done: &Done<'_>) -> String {
        let draft = self.draft("done", Some(id)).must("finish", &done.outcome.name().into());
        let draft = draft.must("best_attempt", &done.best_attempt.into());
        let draft = draft.start_of("value", done.value).may("at", &done.at.to_string().into());
        let draft = match done.votes {
            Some(tally) => draft.may("votes", &VotesJson::from(tally).short().to_value()),
            None => draft,
        };
        draft.may("figures", &json::figures(done.figures)).end()
    }

    /// Says why a job could not be answered.
    pub fn failed(&self, id: &Id, error: &Error) -> String {
        self.draft("failed", Some(id)).error(error).end()
    }

    /// Says why a line or a request is refused, and when to come again: within
    /// [`limits::RETRY_SECONDS`](crate::types::limits::RETRY_SECONDS).
    pub fn error(&self, id: Option<&Id>, error: &Error, retry_after_s: Option<u32>) -> String {
        let draft = self.draft("error", id);
        let draft = match retry_after_s {
            Some(seconds) => draft.must("retry_after_s", &seconds.into()),
            None => draft,
        };
        draft.error(error).end()
    }

    /// Answers a ping with the state of the box.
    pub fn pong(&self, id: Option<&Id>, state: &str) -> String {
        self.draft("pong", id).must("state", &state.into()).end()
    }

    /// Says that something was done.
    pub fn ok(&self, id: Option<&Id>) -> String {
        self.draft("ok", id).end()
    }

    /// Says which settings there are now: this line is the first to obey them.
    pub fn settings(&self, id: Option<&Id>) -> String {
        let Settings { crc, line_bytes, thinking, ascii } = self.settings;
        let draft = self.draft("ok", id).must("crc", &crc.into());
        let draft = draft.must("line_bytes", &line_bytes.into());
        draft.must("thinking", &thinking.into()).may("ascii", &ascii.into()).end()
    }

    /// Says which job of this line is the newest, how it stands and how its question begins.
    pub fn last(&self, id: Option<&Id>, job: Option<(JobName, &str, &str)>) -> String {
        let draft = self.draft("job", id);
        let Some((name, state, question)) = job else {
            return draft.must("job", &Value::Null).end();
        };
        let draft = draft.must("job", &name.to_string().into()).must("state", &state.into());
        draft.start_of("question", Some(question)).end()
    }

    fn draft(&self, kind: &str, id: Option<&Id>) -> Draft {
        let around = "}\n".len() + if self.settings.crc { frame::SUM_BYTES } else { 0 };
        let room = self.settings.line_bytes - around;
        let draft = Draft { text: format!("{{\"type\":\"{kind}\""), room, settings: self.settings };
        match id {
            Some(id) => draft.raw("id", id.json()),
            None => draft,
        }
    }
}

/// A line that is being written, without what closes it.
struct Draft {
    text: String,
    /// Bytes it may have.
    room: usize,
    settings: Settings,
}

impl Draft {
    /// Returns how many bytes are left beside so many others.
    fn left(&self, others: usize) -> usize {
        self.room.saturating_sub(self.text.len() + others)
    }

    fn json(&self, value: &Value) -> String {
        let text = value.to_string();
        if !self.settings.ascii || text.is_ascii() {
            return text;
        }
        // Only in its strings can there be such characters.
        text.chars().fold(String::new(), |mut escaped, c| {
            push(&mut escaped, c, !c.is_ascii());
            escaped
        })
    }

    /// Adds a field with a value that is JSON already.
    fn raw(mut self, name: &str, json: &str) -> Draft {
        let _ = write!(self.text, ",\"{name}\":{json}");
        self
    }

    /// Adds a field; those that must be there fit into the shortest line, with the longest id.
    fn must(self, name: &str, value: &Value) -> Draft {
        let json = self.json(value);
        self.raw(name, &json)
    }

    /// Adds a field if it fits and says anything.
    fn may(self, name: &str, value: &Value) -> Draft {
        let json = self.json(value);
        let fits = self.left(",\"\":".len() + name.len()) >= json.len();
        if fits && !value.is_null() { self.raw(name, &json) } else { self }
    }

    fn at(self, place: LogPosition) -> Draft {
        self.raw("at", &format!("\"{place}\""))
    }

    fn error(self, error: &Error) -> Draft {
        let draft = self.must("kind", &error.kind.name().into());
        draft.start_of("message", Some(&error.message)).may("remedy", &error.remedy.as_str().into())
    }

    /// Adds as much of a text as fits, and says so where that is not all; nothing where not even
    /// that fits.
    fn start_of(self, name: &str, text: Option<&str>) -> Draft {
        let Some(text) = text else { return self.raw(name, "null") };
        let field = ",\"\":\"\"".len() + name.len();
        let (whole, bytes) = escaped(text, self.left(field), self.settings.ascii);
        if bytes == text.len() {
            return self.raw(name, &format!("\"{whole}\""));
        }
        if self.room < self.text.len() + field + CUT.len() {
            return self;
        }
        let (begun, _) = escaped(text, self.left(field + CUT.len()), self.settings.ascii);
        self.raw(name, &format!("\"{begun}\"")).cut()
    }

    /// Adds as many of a list's first entries as fit, and says so where those are not all.
    fn first_of(self, name: &str, mut list: Vec<Value>) -> Draft {
        let all = list.len();
        loop {
            let cut = if list.len() < all { CUT.len() } else { 0 };
            let json = self.json(&Value::from(list.clone()));
            let fits = self.left(",\"\":".len() + name.len() + cut) >= json.len();
            if fits || list.pop().is_none() {
                let draft = self.raw(name, &json);
                return if list.len() < all { draft.cut() } else { draft };
            }
        }
    }

    fn cut(mut self) -> Draft {
        self.text.push_str(CUT);
        self
    }

    /// Closes it.
    fn end(mut self) -> String {
        self.text.push('}');
        if self.settings.crc {
            let sum = frame::sum(self.text.as_bytes());
            let _ = write!(self.text, "*{sum:08X}");
        }
        self.text.push('\n');
        self.text
    }
}

/// Escapes as many characters of a text as have room, and returns how many of its bytes those are.
fn escaped(text: &str, room: usize, ascii: bool) -> (String, usize) {
    let mut escaped = String::new();
    for (at, c) in text.char_indices() {
        let before = escaped.len();
        push(&mut escaped, c, c < ' ' || (ascii && !c.is_ascii()));
        if matches!(c, '"' | '\\') {
            escaped.insert(before, '\\');
        }
        if escaped.len() > room {
            escaped.truncate(before);
            return (escaped, at);
        }
    }
    (escaped, text.len())
}

/// Appends a character, as `\uXXXX` where it must be escaped.
fn push(text: &mut String, c: char, must_be_escaped: bool) {
    match c {
        '\n' if must_be_escaped => text.push_str("\\n"),
        _ if must_be_escaped => {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
        _ => text.push(c),
    }
}

#[cfg(test)]
mod tests;
