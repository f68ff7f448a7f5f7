//! Writes the lines that a machine at a serial line receives: JSON, none longer than it asked for.
//!
//! Names and meanings are those of `/api/jobs` and its events (docs/jobs.md); docs/serial.md
//! describes the lines. A value that does not fit is truncated with a mark, or omitted. Pure: the
//! session decides what to send, and which details of an error a client may see.

use std::fmt::Write;

use serde_json::Value;

use super::frame;
use super::message::{Id, MachineSettings};
use crate::answers::vote::Tally;
use crate::api::json::{self, VotesJson};
use crate::desk::Eta;
use crate::types::answer::{Figures, Outcome, Part};
use crate::types::error::Error;
use crate::types::job::JobName;
use crate::types::position::LogPosition;

/// The field that marks a truncated text or list.
const CUT: &str = ",\"cut\":true";
/// Length of the longest escaped character, in bytes: a surrogate pair.
const CHARACTER_BYTES_MAX: usize = 12;

/// Formats lines by a machine's settings, each with its LF and, if wanted, its checksum.
#[derive(Clone, Copy, Debug)]
pub struct LineWriter {
    settings: MachineSettings,
}

/// The end of a job that has not failed.
#[derive(Clone, Copy, Debug)]
pub struct Done<'a> {
    /// The outcome of the job.
    pub outcome: &'a Outcome,
    /// The attempt whose answer is the job's.
    pub best_attempt: u32,
    /// The value in that answer's box.
    pub value: Option<&'a str>,
    /// The votes, if the attempts voted.
    pub votes: Option<&'a Tally>,
    /// Tokens and times of the job.
    pub figures: &'a Figures,
    /// Position at the end of its log.
    pub at: LogPosition,
}

impl LineWriter {
    /// Makes a writer with these settings.
    pub fn new(settings: MachineSettings) -> LineWriter {
        LineWriter { settings }
    }

    /// Greets the machine when the connection opens.
    pub fn hello(&self, version: &str, model: Option<&str>, mode: &str, state: &str) -> String {
        let draft = self.draft("hello", None).must("name", &"solverbox".into());
        let draft = draft.must("state", &state.into()).may("mode", &mode.into());
        draft.may("version", &version.into()).may("model", &model.into()).end()
    }

    /// Confirms that a question is on the disk as a job.
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

    /// Reports a job's state and place in the queue.
    pub fn queued(&self, id: &Id, state: &str, place: Option<usize>, eta: Option<Eta>) -> String {
        let draft = self.draft("queued", Some(id)).must("state", &state.into());
        draft.must("place", &place.into()).may("eta", &eta.as_ref().map(json::eta).into()).end()
    }

    /// Sends the text of an attempt from the position `before` on, in as many lines as needed; each
    /// has the position after it.
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
        // No position in it is longer than the one at its end.
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

    /// Reports the end of an attempt.
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

    /// Reports the votes: the leading answers, as many as fit.
    pub fn vote(&self, id: &Id, tally: &Tally) -> String {
        let votes = VotesJson::from(tally).short();
        let draft = self.draft("vote", Some(id)).must("wanted", &votes.wanted.into());
        let draft = draft.must("ended", &votes.ended.into());
        let draft = draft.must("best_attempt", &votes.best_attempt.into());
        draft.first_of("votes", votes.list()).may("agreement", &votes.agreement.into()).end()
    }

    /// Tells the machine to drop the text after a position, which will be sent again.
    pub fn rewind(&self, id: &Id, to: LogPosition) -> String {
        self.draft("rewind", Some(id)).must("to", &to.offset.into()).at(to).end()
    }

    /// Reports the end of a job whose text was sent.
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

    /// Reports a failed job with the reason.
    pub fn failed(&self, id: &Id, error: &Error) -> String {
        self.draft("failed", Some(id)).error(error).end()
    }

    /// Refuses a line or a request, with the reason and when to retry: within
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

    /// Confirms that a request was executed.
    pub fn ok(&self, id: Option<&Id>) -> String {
        self.draft("ok", id).end()
    }

    /// Confirms the new settings, which this line is the first to use.
    pub fn settings(&self, id: Option<&Id>) -> String {
        let MachineSettings { crc, line_bytes, thinking, ascii } = self.settings;
        let draft = self.draft("ok", id).must("crc", &crc.into());
        let draft = draft.must("line_bytes", &line_bytes.into());
        draft.must("thinking", &thinking.into()).may("ascii", &ascii.into()).end()
    }

    /// Reports the newest job of this line, its state and the start of its question.
    pub fn last(&self, id: Option<&Id>, job: Option<(JobName, &str, &str)>) -> String {
        let draft = self.draft("job", id);
        let Some((name, state, question)) = job else {
            return draft.must("job", &Value::Null).end();
        };
        let draft = draft.must("job", &name.to_string().into()).must("state", &state.into());
        draft.start_of("question", Some(question)).end()
    }

    fn draft(&self, kind: &str, id: Option<&Id>) -> LineDraft {
        let around = "}\n".len() + if self.settings.crc { frame::SUM_BYTES } else { 0 };
        let room = self.settings.line_bytes - around;
        let draft =
            LineDraft { text: format!("{{\"type\":\"{kind}\""), room, settings: self.settings };
        match id {
            Some(id) => draft.raw("id", id.json()),
            None => draft,
        }
    }
}

/// A line under construction.
struct LineDraft {
    text: String,
    /// Longest line, in bytes.
    room: usize,
    settings: MachineSettings,
}

impl LineDraft {
    /// Returns the free space in bytes after another `others` bytes.
    fn left(&self, others: usize) -> usize {
        self.room.saturating_sub(self.text.len() + others)
    }

    fn json(&self, value: &Value) -> String {
        let text = value.to_string();
        if !self.settings.ascii || text.is_ascii() {
            return text;
        }
        // Non-ASCII characters occur in strings only.
        text.chars().fold(String::new(), |mut escaped, c| {
            push(&mut escaped, c, !c.is_ascii());
            escaped
        })
    }

    /// Adds a field whose value is already JSON.
    fn raw(mut self, name: &str, json: &str) -> LineDraft {
        let _ = write!(self.text, ",\"{name}\":{json}");
        self
    }

    /// Adds a required field; all of them fit into the shortest line with the longest ID.
    fn must(self, name: &str, value: &Value) -> LineDraft {
        let json = self.json(value);
        self.raw(name, &json)
    }

    /// Adds a field if it fits and its value is not null.
    fn may(self, name: &str, value: &Value) -> LineDraft {
        let json = self.json(value);
        let fits = self.left(",\"\":".len() + name.len()) >= json.len();
        if fits && !value.is_null() { self.raw(name, &json) } else { self }
    }

    fn at(self, place: LogPosition) -> LineDraft {
        self.raw("at", &format!("\"{place}\""))
    }

    fn error(self, error: &Error) -> LineDraft {
        let draft = self.must("kind", &error.kind.name().into());
        draft.start_of("message", Some(&error.message)).may("remedy", &error.remedy.as_str().into())
    }

    /// Adds as much of a text as fits, marked if truncated; omits it if not even that fits.
    fn start_of(self, name: &str, text: Option<&str>) -> LineDraft {
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

    /// Adds as many of a list's first entries as fit, marked if truncated.
    fn first_of(self, name: &str, mut list: Vec<Value>) -> LineDraft {
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

    fn cut(mut self) -> LineDraft {
        self.text.push_str(CUT);
        self
    }

    /// Completes the line.
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

/// Escapes as many characters of a text as fit; returns them and the bytes of the text they cover.
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

/// Appends a character, as `\uXXXX` if it must be escaped.
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
