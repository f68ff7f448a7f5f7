//! `solverbox history`: what was asked and answered, listed, shown, exported, forgotten.
//!
//! It reads the journal in the data folder, beside a box that runs or without one.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::desk::record::{State, Whole};
use crate::desk::{self, Ticket};
use crate::store::{History, JobSummary, StoredJob, Which};
use crate::types::answer::Outcome;
use crate::types::error::{Error, printable};
use crate::types::job::{JobId, Role};
use crate::types::limits;

/// Characters of a question that a list shows.
const LIST_CHARACTERS: usize = 60;

/// What is wanted of it.
#[derive(Clone, Debug)]
pub enum Action {
    /// The latest so many, one a line.
    List(u32),
    /// All of one.
    Show(String),
    /// All of them, into a file or standard output.
    Export(ExportFormat, Option<PathBuf>),
    /// Forget some.
    Delete(Deleted),
}

/// A form of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// One JSON object a line.
    Jsonl,
    /// A text for people.
    Markdown,
}

/// What is to be forgotten.
#[derive(Clone, Debug)]
pub enum Deleted {
    /// Everything that is over.
    All,
    /// What was asked more than so many days ago.
    OlderThanDays(u32),
    /// These.
    Jobs(Vec<String>),
}

/// Does what is wanted with the journal in `data`.
///
/// # Errors
/// Those of the journal; where the export or standard output cannot be written.
pub fn run(data: &Path, action: Action) -> Result<(), Error> {
    let history = History::open(data)?;
    match action {
        Action::List(most) => list(&history, most),
        Action::Show(id) => super::print(&markdown(&desk::ticket_of(history.find(&id)?))),
        Action::Export(format, None) => history.each(|kept| super::print(&form(format, kept))),
        Action::Export(format, Some(file)) => export(&history, format, &file),
        Action::Delete(deleted) => delete(&history, deleted),
    }
}

fn list(history: &History, most: u32) -> Result<(), Error> {
    let (mut left, mut before) = (most, None::<JobId>);
    while left > 0 {
        let jobs = history.list(before, left.min(limits::LIST_JOBS_MAX))?;
        let Some(last) = jobs.last() else { break };
        (left, before) = (left - jobs.len() as u32, Some(last.id));
        super::print(&jobs.iter().map(line).collect::<String>())?;
    }
    Ok(())
}

fn line(job: &JobSummary) -> String {
    let state = job.end.as_ref().map_or("unfinished", |(outcome, _)| outcome.name());
    let asked = printable(&job.question.asked().replace(['\n', '\t'], " "));
    let asked: String = asked.chars().take(LIST_CHARACTERS).collect();
    let (time, mode) = (time(job.asked), &job.question.mode.name);
    format!("{}  {time}  {state:<10}  {mode:<8}  {asked}\n", job.name)
}

fn export(history: &History, format: ExportFormat, file: &Path) -> Result<(), Error> {
    let cannot = |error: std::io::Error| {
        let what = format!("cannot write --out '{}': {error}", file.display());
        Error::bad_request(what, "Name a file that can be written.")
    };
    let mut out = std::io::BufWriter::new(std::fs::File::create(file).map_err(cannot)?);
    history.each(|kept| out.write_all(form(format, kept).as_bytes()).map_err(cannot))?;
    out.flush().map_err(cannot)
}

fn delete(history: &History, deleted: Deleted) -> Result<(), Error> {
    let gone = match deleted {
        Deleted::All => history.forget(&Which::All)?,
        Deleted::OlderThanDays(days) => {
            let age = Duration::from_secs(u64::from(days) * 86_400);
            let since = SystemTime::now().checked_sub(age).unwrap_or(UNIX_EPOCH);
            history.forget(&Which::Before(since))?
        }
        Deleted::Jobs(ids) => {
            // All are looked for first: where one is mistyped nothing is forgotten.
            let jobs: Vec<StoredJob> =
                ids.iter().map(|id| history.find(id)).collect::<Result<_, Error>>()?;
            let forget = |kept: &StoredJob| history.forget(&Which::One(kept.id));
            jobs.iter().map(forget).sum::<Result<usize, Error>>()?
        }
    };
    super::note(&format!("solverbox: forgot {gone} jobs"));
    Ok(())
}

fn form(format: ExportFormat, kept: StoredJob) -> String {
    let ticket = desk::ticket_of(kept);
    match format {
        ExportFormat::Jsonl => format!("{}\n", object(&ticket)),
        ExportFormat::Markdown => markdown(&ticket),
    }
}

/// Returns how a job ended and all it wrote; `None` where it has not ended.
fn whole(ticket: &Ticket) -> Option<Whole> {
    matches!(ticket.record.state(), State::Ended(..)).then(|| ticket.record.wait_ended())
}

fn object(ticket: &Ticket) -> Value {
    let turns = ticket.question.turns.iter().map(|turn| {
        let role = if turn.role == Role::User { "user" } else { "assistant" };
        json!({"role": role, "content": turn.text})
    });
    let mut object = json!({
        "id": ticket.name.to_string(),
        "asked_at": time(ticket.asked),
        "mode": ticket.question.mode.name,
        "messages": turns.collect::<Vec<Value>>(),
        "seed": ticket.question.seed,
    });
    let Some(whole) = whole(ticket) else {
        object["finish"] = "unfinished".into();
        return object;
    };
    object["finish"] = whole.outcome.name().into();
    object["thinking"] = whole.thinking.into();
    object["answer"] = whole.answer.into();
    object["prompt_tokens"] = whole.figures.prompt_tokens.into();
    object["completion_tokens"] = whole.figures.completion_tokens.into();
    if let Some(tally) = &whole.tally {
        let votes = tally.votes();
        let votes =
            votes.iter().map(|vote| json!({"value": vote.value.to_string(), "count": vote.count}));
        object["votes"] = votes.collect();
    }
    object
}

fn markdown(ticket: &Ticket) -> String {
    let asked = ticket.question.asked();
    let (time, mode) = (time(ticket.asked), &ticket.question.mode.name);
    let mut text = format!("## {}\n\n*{time}, mode {mode}*\n\n{asked}\n\n", ticket.name);
    let Some(whole) = whole(ticket) else { return text + "*It is not over.*\n\n" };
    match &whole.outcome {
        Outcome::Failed(error) => text += &format!("*It failed: {error}. {}*\n\n", error.remedy),
        Outcome::Stopped => text += "*It was stopped.*\n\n",
        Outcome::Budget => text += "*Its budget ran out.*\n\n",
        Outcome::Done => {}
    }
    if !whole.thinking.is_empty() {
        text += &format!(
            "<details><summary>Thinking</summary>\n\n{}\n\n</details>\n\n",
            whole.thinking
        );
    }
    if let Some(tally) = &whole.tally {
        text += &format!("*{}*\n\n", tally.to_string().replace('\n', " "));
    }
    text + &whole.answer + "\n\n"
}

/// Returns a time in RFC 3339, UTC, to the second.
fn time(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).map_or_else(|_| "?".into(), |time| time.to_string())
}
