//! `solverbox history`: lists, shows, exports and deletes questions and answers.
//!
//! Uses the journal in the data folder, whether or not a server is running on it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::desk::record::{FinishedAnswer, State};
use crate::desk::{self, Ticket};
use crate::store::{JobHistory, JobSelection, JobSummary, StoredJob};
use crate::types::answer::Outcome;
use crate::types::error::{Error, printable};
use crate::types::job::{JobId, Role};
use crate::types::limits;

/// Length of a question in a list, in characters.
const LIST_CHARACTERS: usize = 60;

/// An action on the history.
#[derive(Clone, Debug)]
pub enum Action {
    /// List this many of the latest questions, one per line.
    List(u32),
    /// Show one question with its answer.
    Show(String),
    /// Write all of them to a file or to standard output.
    Export(ExportFormat, Option<PathBuf>),
    /// Delete some of them.
    Delete(Deleted),
}

/// The format of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// One JSON object per line.
    Jsonl,
    /// Markdown text, for people.
    Markdown,
}

/// The questions to delete.
#[derive(Clone, Debug)]
pub enum Deleted {
    /// All that have ended.
    All,
    /// Questions asked more than this many days ago.
    OlderThanDays(u32),
    /// Questions with these IDs, or first digits of IDs.
    Jobs(Vec<String>),
}

/// Carries out an action on the journal in `data`.
///
/// # Errors
/// Errors of the journal; if the export or standard output cannot be written.
pub fn run(data: &Path, action: Action) -> Result<(), Error> {
    let history = JobHistory::open(data)?;
    match action {
        Action::List(most) => list(&history, most),
        Action::Show(id) => super::print(&markdown(&desk::ticket_of(history.find(&id)?))),
        Action::Export(format, None) => history.each(|kept| super::print(&form(format, kept))),
        Action::Export(format, Some(file)) => export(&history, format, &file),
        Action::Delete(deleted) => delete(&history, deleted),
    }
}

fn list(history: &JobHistory, most: u32) -> Result<(), Error> {
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
    let state = job.end.as_ref().map_or("unfinished", |end| end.outcome.name());
    let asked = printable(&job.question.asked().replace(['\n', '\t'], " "));
    let asked: String = asked.chars().take(LIST_CHARACTERS).collect();
    let (time, mode) = (time(job.asked), &job.question.mode.name);
    format!("{}  {time}  {state:<10}  {mode:<8}  {asked}\n", job.name)
}

fn export(history: &JobHistory, format: ExportFormat, file: &Path) -> Result<(), Error> {
    let cannot = |error: std::io::Error| {
        let what = format!("cannot write --out '{}': {error}", file.display());
        Error::bad_request(what, "Name a writable file.")
    };
    let mut out = std::io::BufWriter::new(std::fs::File::create(file).map_err(cannot)?);
    history.each(|kept| out.write_all(form(format, kept).as_bytes()).map_err(cannot))?;
    out.flush().map_err(cannot)
}

fn delete(history: &JobHistory, deleted: Deleted) -> Result<(), Error> {
    let gone = match deleted {
        Deleted::All => history.forget(&JobSelection::All)?,
        Deleted::OlderThanDays(days) => {
            let age = Duration::from_secs(u64::from(days) * 86_400);
            let since = SystemTime::now().checked_sub(age).unwrap_or(UNIX_EPOCH);
            history.forget(&JobSelection::Before(since))?
        }
        Deleted::Jobs(ids) => {
            // All are searched for first: if one is mistyped, nothing is deleted.
            let jobs: Vec<StoredJob> =
                ids.iter().map(|id| history.find(id)).collect::<Result<_, Error>>()?;
            let forget = |kept: &StoredJob| history.forget(&JobSelection::One(kept.id));
            jobs.iter().map(forget).sum::<Result<usize, Error>>()?
        }
    };
    super::note(&format!("solverbox: deleted {gone} jobs"));
    Ok(())
}

fn form(format: ExportFormat, kept: StoredJob) -> String {
    let ticket = desk::ticket_of(kept);
    match format {
        ExportFormat::Jsonl => format!("{}\n", object(&ticket)),
        ExportFormat::Markdown => markdown(&ticket),
    }
}

/// Returns a job's outcome and text; `None` if it has not ended.
fn whole(ticket: &Ticket) -> Option<FinishedAnswer> {
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
    let asked = ticket.question.last_message();
    let (time, mode) = (time(ticket.asked), &ticket.question.mode.name);
    let mut text = format!("## {}\n\n*{time}, mode {mode}*\n\n{asked}\n\n", ticket.name);
    let Some(whole) = whole(ticket) else { return text + "*Not finished.*\n\n" };
    match &whole.outcome {
        Outcome::Failed(error) => text += &format!("*Failed: {error}. {}*\n\n", error.remedy),
        Outcome::Stopped => text += "*Stopped.*\n\n",
        Outcome::Budget => text += "*The token budget was used up.*\n\n",
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

/// Formats a time as RFC 3339 in UTC, to the second.
fn time(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).map_or_else(|_| "?".into(), |time| time.to_string())
}
