//! Jobs as JSON: states, figures, votes, whole jobs and lists of them.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::refuse::{self, Shape};
use crate::answers::value::of_reply;
use crate::answers::vote::Tally;
use crate::desk::record::{AttemptEnd, AttemptText, State};
use crate::desk::{Eta, Standing, Ticket};
use crate::store::JobSummary;
use crate::types::answer::{Figures, Outcome, Part};

/// Returns seconds to a tenth.
pub fn rounded(seconds: f64) -> f64 {
    (seconds * 10.0).round() / 10.0
}

/// Returns an estimate: the median, and between which 80 % are.
pub fn eta(eta: &Eta) -> Value {
    json!({
        "seconds": rounded(eta.seconds), "low": rounded(eta.low), "high": rounded(eta.high),
    })
}

/// Returns what a job or an attempt took.
pub fn figures(figures: &Figures) -> Value {
    json!({
        "prompt_tokens": figures.prompt_tokens,
        "completion_tokens": figures.completion_tokens,
        "thinking_tokens": figures.thinking_tokens,
        "thinking_was_cut_off": figures.thinking_was_cut_off,
        "first_token_seconds": rounded(figures.first_token_seconds),
        "decode_seconds": rounded(figures.decode_seconds),
        "tokens_per_second": rounded(figures.tokens_per_second()),
    })
}

/// Returns how a vote stands.
pub fn votes(tally: &Tally) -> Value {
    json!({
        "wanted": tally.wanted(),
        "ended": tally.ended(),
        "votes": answers(tally),
        "agreement": tally.agreement(),
        "best_attempt": tally.winner(),
    })
}

/// Returns the answers that were voted for, the leading one first.
pub fn answers(tally: &Tally) -> Value {
    let votes = tally.votes();
    let votes = votes.iter().map(|vote| {
        json!({
            "value": vote.value.to_string(), "count": vote.count, "attempts": vote.attempts,
        })
    });
    votes.collect()
}

/// Returns the end of an attempt.
pub fn run_end(ticket: &Ticket, end: &AttemptEnd) -> Value {
    let answer = ticket.record.text_of(end.attempt, Part::Answer);
    let mut shape = json!({
        "attempt": end.attempt,
        "finish": end.outcome.name(),
        "value": of_reply(&answer).map(|value| value.to_string()),
        "figures": figures(&end.figures),
    });
    if let Outcome::Failed(error) = &end.outcome {
        shape["error"] = refuse::body(error, Shape::Own)["error"].clone();
    }
    shape
}

/// Returns a whole job: how it stands, and all that was written so far by the attempt that stands
/// for it, which is the first until a vote has another.
pub fn whole(ticket: &Ticket, place: Option<usize>) -> Value {
    let record = &ticket.record;
    // Text, offset and state of one moment, so that who goes on from the offset misses nothing.
    let view = record.read(0);
    let text = |part: Part| {
        let of_best = |said: &&AttemptText| said.attempt == view.best && said.piece.part == part;
        let pieces = view.pieces.iter().filter(of_best).map(|said| said.piece.text.as_str());
        let text: String = pieces.collect();
        if view.state.is_last() { text.trim().to_string() } else { text }
    };
    let mut job = head(ticket, &view.state);
    job["offset"] = record.cuts().now(view.offset).to_string().into();
    job["place"] = place.into();
    job["eta"] = view.eta.as_ref().map_or(Value::Null, eta);
    job["thinking"] = text(Part::Thinking).into();
    job["answer"] = text(Part::Answer).into();
    job["attempts"] = view.ends.iter().map(|end| run_end(ticket, end)).collect();
    job["votes"] = view.tally.as_deref().map_or(Value::Null, votes);
    if let State::Ended(outcome, taken) = &view.state {
        job["eta"] = Value::Null;
        job["finish"] = outcome.name().into();
        job["figures"] = figures(taken);
        if let Outcome::Failed(error) = outcome {
            job["error"] = refuse::body(error, Shape::Own)["error"].clone();
        }
    }
    job
}

fn head(ticket: &Ticket, at: &State) -> Value {
    json!({
        "id": ticket.name.to_string(),
        "state": at.name(),
        "mode": ticket.question.mode.name,
        "question": ticket.question.asked(),
        "asked_at": seconds(ticket.asked),
        "attempts_wanted": ticket.question.attempts,
        "budget_tokens": ticket.question.budget_tokens,
    })
}

/// Returns a job of a list; `standing` is known of those that are not over.
pub fn listed(job: &JobSummary, standing: Option<Standing>) -> Value {
    let at = match (&job.end, standing) {
        (Some((outcome, _)), _) => outcome.state(),
        (None, Some(Standing::Running)) => "running",
        (None, _) => "queued",
    };
    json!({
        "id": job.name.to_string(),
        "state": at,
        "mode": job.question.mode.name,
        "question": job.question.asked(),
        "asked_at": seconds(job.asked),
    })
}

/// Returns a time as seconds since 1970.
pub fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
