//! Jobs, attempts, votes, figures and errors as JSON.
//!
//! A name has one meaning: `attempts` is how many attempts were requested, `attempts_ended` how
//! many have ended, `attempt_results` the list of ended attempts, `attempt_indices` the attempts
//! that gave one value. A job's `attempts` (the list) and a vote's `attempts` (the indices) are
//! older than that rule and stay for the clients that read them. Seconds and tokens per second are
//! rounded to a tenth, shares to a thousandth, for every client.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::answers::value::boxed;
use crate::answers::vote::{Tally, in_words};
use crate::desk::record::{AttemptEnd, AttemptText, FinishedAnswer, State, View};
use crate::desk::{Eta, Forecast, Ticket};
use crate::store::{JobSummary, UsageHour};
use crate::types::answer::{Figures, Outcome, Part};
use crate::types::error::Error;
use crate::types::job::Question;

/// Rounds seconds or tokens per second.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

fn rounded_share(share: f64) -> f64 {
    (share * 1_000.0).round() / 1_000.0
}

pub(crate) fn seconds_since_1970(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Returns an error as clients read it, without the paths and causes that only the owner may see.
pub(crate) fn error(error: &Error) -> Value {
    let Error { kind, message, remedy } = error.for_remote_users();
    json!({"kind": kind.name(), "message": message, "remedy": remedy})
}

/// Returns an estimate: its median and the bounds that hold in 80 % of cases.
pub(crate) fn eta(eta: &Eta) -> Value {
    let [seconds, low, high] = [eta.seconds, eta.low, eta.high].map(rounded);
    json!({"seconds": seconds, "low": low, "high": high})
}

/// Returns when a question asked now would be answered, and its place in the queue.
pub(crate) fn forecast(forecast: &Forecast) -> Value {
    json!({"eta": eta(&forecast.eta), "place": forecast.place})
}

/// Tokens and times of a job or an attempt, as clients read them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FiguresJson {
    /// Tokens of the rendered prompt.
    pub prompt_tokens: u32,
    /// Tokens generated, thinking included.
    pub completion_tokens: u32,
    /// Tokens generated while thinking.
    pub thinking_tokens: u32,
    /// Whether the budget or a person ended the thinking.
    pub thinking_was_cut_off: bool,
    /// Seconds from the request to the first token, waiting included.
    pub first_token_seconds: f64,
    /// Seconds from the first token to the last.
    pub decode_seconds: f64,
    /// Speed after the first token.
    pub tokens_per_second: f64,
}

impl From<&Figures> for FiguresJson {
    fn from(figures: &Figures) -> FiguresJson {
        FiguresJson {
            prompt_tokens: figures.prompt_tokens,
            completion_tokens: figures.completion_tokens,
            thinking_tokens: figures.thinking_tokens,
            thinking_was_cut_off: figures.thinking_was_cut_off,
            first_token_seconds: rounded(figures.first_token_seconds),
            decode_seconds: rounded(figures.decode_seconds),
            tokens_per_second: rounded(figures.tokens_per_second()),
        }
    }
}

pub(crate) fn figures(figures: &Figures) -> Value {
    value(&FiguresJson::from(figures))
}

/// The state of a vote, as clients read it. Its `Display` is the line that `solve` prints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VotesJson {
    /// How many attempts were requested.
    pub wanted: u32,
    /// How many have ended, with or without a value.
    pub ended: u32,
    /// The values that were voted for, the leading one first.
    pub votes: Vec<VoteJson>,
    /// The leading value's share of the ended attempts, 0 to 1.
    pub agreement: f64,
    /// The attempt whose text is the job's answer.
    pub best_attempt: Option<u32>,
}

/// One value in a vote, as clients read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoteJson {
    /// The normalized value of the answer.
    pub value: String,
    /// How many attempts gave it.
    pub count: u32,
    /// The old name of `attempt_indices`.
    pub attempts: Vec<u32>,
    /// The attempts that gave it, from 0. Left out on serial lines, which are short.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempt_indices: Vec<u32>,
}

impl From<&Tally> for VotesJson {
    fn from(tally: &Tally) -> VotesJson {
        let votes = tally.votes().into_iter().map(|vote| VoteJson {
            value: vote.value.to_string(),
            count: vote.count,
            attempts: vote.attempts.clone(),
            attempt_indices: vote.attempts,
        });
        VotesJson {
            wanted: tally.wanted(),
            ended: tally.ended(),
            votes: votes.collect(),
            agreement: rounded_share(tally.agreement()),
            best_attempt: tally.winner(),
        }
    }
}

impl fmt::Display for VotesJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let votes = self.votes.iter().map(|vote| (&vote.value, vote.count));
        in_words(f, self.ended, self.wanted, votes)
    }
}

impl VotesJson {
    /// Leaves out the indices under their new name.
    pub(crate) fn short(mut self) -> VotesJson {
        self.votes.iter_mut().for_each(|vote| vote.attempt_indices.clear());
        self
    }

    pub(crate) fn to_value(&self) -> Value {
        value(self)
    }

    /// Returns the list of values alone.
    pub(crate) fn list(&self) -> Vec<Value> {
        self.votes.iter().map(value).collect()
    }
}

pub(crate) fn votes(tally: Option<&Tally>) -> Value {
    tally.map_or(Value::Null, |tally| VotesJson::from(tally).to_value())
}

/// Returns an attempt that has ended.
pub(crate) fn attempt_end(ticket: &Ticket, end: &AttemptEnd) -> Value {
    let mut shape = json!({
        "attempt": end.attempt,
        "finish": end.outcome.name(),
        "value": ticket.record.value_of(end.attempt).map(|value| value.to_string()),
        "figures": figures(&end.figures),
    });
    if let Outcome::Failed(cause) = &end.outcome {
        shape["error"] = error(cause);
    }
    shape
}

/// Returns a job that was just accepted.
pub(crate) fn accepted(ticket: &Ticket, view: &View) -> Value {
    json!({
        "id": ticket.name.to_string(),
        "state": view.state.name(),
        "place": view.place,
        "eta_s": view.eta.map(|eta| rounded(eta.seconds)),
    })
}

/// Returns a job's ID and state.
pub(crate) fn state(ticket: &Ticket) -> Value {
    json!({"id": ticket.name.to_string(), "state": ticket.record.state().name()})
}

/// Returns a job with its state and the text so far of the attempt that represents it: the first,
/// until a vote has another winner.
pub(crate) fn job(ticket: &Ticket) -> Value {
    let record = &ticket.record;
    // Text, offset and state of one moment, so that reading on from the offset misses nothing.
    let view = record.read(0);
    let text = |part: Part| {
        let of_best = |said: &&AttemptText| said.attempt == view.best && said.piece.part == part;
        let pieces = view.pieces.iter().filter(of_best).map(|said| said.piece.text.as_str());
        let text: String = pieces.collect();
        // An interrupted job continues after its last character.
        let has_ended = matches!(view.state, State::Ended(..));
        if has_ended { text.trim().to_string() } else { text }
    };
    let results: Value = view.ends.iter().map(|end| attempt_end(ticket, end)).collect();
    let question = &ticket.question;
    let mut job = json!({
        "id": ticket.name.to_string(),
        "state": view.state.name(),
        "mode": question.mode.name,
        "question": question.asked(),
        "attempt_of_student": question.attempt_of_student(),
        "previous": question.previous,
        "asked_at": seconds_since_1970(ticket.asked),
        "ended_at": view.ended_at.map(seconds_since_1970),
        "attempts_wanted": question.attempts,
        "budget_tokens": question.budget_tokens,
        "offset": record.cuts().now(view.offset).to_string(),
        "place": view.place,
        "eta": view.eta.as_ref().map(eta),
        "thinking": text(Part::Thinking),
        "answer": text(Part::Answer),
        "value": ticket.value(&view),
        "best_attempt": view.best,
        "attempts_ended": view.ends.len(),
        "attempt_results": results,
        "attempts": results,
        "votes": votes(view.tally.as_deref()),
    });
    if let State::Ended(outcome, taken) = &view.state {
        job["eta"] = Value::Null;
        job["finish"] = outcome.name().into();
        job["figures"] = figures(taken);
        if let Outcome::Failed(cause) = outcome {
            job["error"] = error(cause);
        }
    }
    job
}

/// Returns an entry of a list of jobs; `state` is that of a job that has not ended, `value` that of
/// the answer.
pub(crate) fn listed(job: &JobSummary, state: &str, value: Option<String>) -> Value {
    let state = job.end.as_ref().map_or(state, |end| end.outcome.state());
    json!({
        "id": job.name.to_string(),
        "state": state,
        "mode": job.question.mode.name,
        "question": job.question.asked(),
        "previous": job.question.previous,
        "attempts_wanted": job.question.attempts,
        "asked_at": seconds_since_1970(job.asked),
        "ended_at": job.end.as_ref().map(|end| seconds_since_1970(end.at)),
        "value": value,
    })
}

/// Returns what the box was used for in the last `days` days, by hour and mode.
pub(crate) fn usage(days: u32, hours: &[UsageHour]) -> Value {
    let hour = |used: &UsageHour| {
        json!({
            "at": used.hour * 3_600,
            "mode": used.mode,
            "jobs": used.jobs,
            "tokens": used.tokens,
            "seconds": rounded(used.seconds),
        })
    };
    json!({"days": days, "hours": hours.iter().map(hour).collect::<Value>()})
}

/// An answer as `solve` reports it, computed in this process or by a running server.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct FinishedJob {
    /// Name of the mode.
    pub mode: String,
    /// How many attempts were requested.
    #[serde(rename = "attempts_wanted")]
    pub attempts: u32,
    /// The thinking of the best attempt.
    pub thinking: String,
    /// The answer of the best attempt.
    pub answer: String,
    /// How the job ended: `done`, `budget` or `stopped`.
    pub finish: String,
    /// Tokens and times of the attempt.
    pub figures: FiguresJson,
    /// The vote, if there were several attempts.
    pub votes: Option<VotesJson>,
    /// Prefill speed; not reported by a running server.
    #[serde(skip)]
    pub prompt_tokens_per_second: Option<f64>,
}

impl FinishedJob {
    /// Collects what is reported of an answer to `question`.
    pub fn new(question: &Question, finished: &FinishedAnswer) -> FinishedJob {
        FinishedJob {
            mode: question.mode.name.clone(),
            attempts: question.attempts,
            thinking: finished.thinking.clone(),
            answer: finished.answer.clone(),
            finish: finished.outcome.name().into(),
            figures: FiguresJson::from(&finished.figures),
            votes: finished.tally.as_deref().map(VotesJson::from),
            prompt_tokens_per_second: Some(finished.figures.prompt_tokens_per_second()),
        }
    }

    /// Returns the line that `solve --json` prints for a question that `model` answered.
    pub fn line(&self, question: &str, model: &str) -> String {
        let mut object = json!({
            "question": question,
            "model": model,
            "mode": self.mode,
            "thinking": self.thinking,
            "answer": self.answer,
            "boxed": boxed(&self.answer),
            "prompt_tokens": self.figures.prompt_tokens,
            "completion_tokens": self.figures.completion_tokens,
            "tokens_per_second": self.figures.tokens_per_second,
            "finish": self.finish,
        });
        if let Some(votes) = &self.votes {
            object["votes"] = votes.list().into();
            object["agreement"] = votes.agreement.into();
            object["attempts"] = self.attempts.into();
            object["attempts_ended"] = votes.ended.into();
        }
        format!("{object}\n")
    }
}

fn value(shape: &impl Serialize) -> Value {
    // Structs of strings, numbers and lists cannot fail.
    serde_json::to_value(shape).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answers::value::Value as AnswerValue;
    use crate::answers::vote::Ballot;

    fn tally(answers: &[&str]) -> Tally {
        let mut tally = Tally::new(4);
        (0..).zip(answers).for_each(|(attempt, answer)| {
            tally.add(Ballot { attempt, value: AnswerValue::parse(answer), mean_logprob: -0.1 });
        });
        tally
    }

    #[test]
    fn votes_are_written_and_read_as_the_same() {
        let tally = tally(&["391", "392", "391"]);
        let votes = VotesJson::from(&tally);
        let expected = json!({
            "wanted": 4, "ended": 3,
            "votes": [
                {"value": "391", "count": 2, "attempts": [0, 2], "attempt_indices": [0, 2]},
                {"value": "392", "count": 1, "attempts": [1], "attempt_indices": [1]},
            ],
            "agreement": 0.667, "best_attempt": 0,
        });
        assert_eq!(votes.to_value(), expected);
        assert_eq!(serde_json::from_value::<VotesJson>(expected).unwrap(), votes);
        assert_eq!(votes.to_string(), tally.to_string());
        let short = votes.short().list();
        assert_eq!(short[0].to_string(), r#"{"value":"391","count":2,"attempts":[0,2]}"#);
    }

    #[test]
    fn numbers_are_rounded_alike_everywhere() {
        let of = Figures {
            first_token_seconds: 1.26,
            decode_seconds: 1.04,
            completion_tokens: 12,
            ..Figures::default()
        };
        let shape = figures(&of);
        assert_eq!(
            (&shape["first_token_seconds"], &shape["decode_seconds"]),
            (&json!(1.3), &json!(1.0))
        );
        assert_eq!(shape["tokens_per_second"], json!(10.6));
        let shape = eta(&Eta { seconds: 42.04, low: 20.0, high: 90.06 });
        assert_eq!(shape, json!({"seconds": 42.0, "low": 20.0, "high": 90.1}));
    }

    #[test]
    fn an_error_keeps_its_three_parts_and_no_path() {
        let shape = error(&Error::bad_request("seed: must be an integer", "See the manual."));
        let expected = json!({"kind": "bad_request", "message": "seed: must be an integer", "remedy": "See the manual."});
        assert_eq!(shape, expected);
        let inside = error(&Error::internal("cannot read '/home/x'")).to_string();
        assert!(!inside.contains("/home"), "{inside}");
    }

    #[test]
    fn solves_line_counts_attempts_by_what_the_names_say() {
        let job = FinishedJob {
            mode: "math".into(),
            attempts: 4,
            thinking: String::new(),
            answer: "\\boxed{391}".into(),
            finish: "done".into(),
            figures: FiguresJson::from(&Figures::default()),
            votes: Some(VotesJson::from(&tally(&["391", "391", "391"]))),
            prompt_tokens_per_second: None,
        };
        let line: Value = serde_json::from_str(&job.line("17*23?", "demo")).unwrap();
        assert_eq!((&line["attempts"], &line["attempts_ended"]), (&json!(4), &json!(3)));
        assert_eq!((&line["boxed"], &line["agreement"]), (&json!("391"), &json!(1.0)));
        assert_eq!(line["votes"][0]["attempt_indices"], json!([0, 1, 2]));
    }
}
