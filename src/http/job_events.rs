//! The events of a job as server-sent events, from any position of its log to its end.
//!
//! The id of each event is the position after it, so that a reader that was cut off continues
//! exactly there; browsers send the last id by themselves. Text is sent once. Events about the
//! job's state (`queued`, `attempt`, `vote`) are sent again to every reader.

use std::time::Instant;

use serde_json::{Value, json};
use tiny_http::Request;

use super::refuse::{self, Shape};
use super::stream::{Events, ReaderGone};
use crate::api::json;
use crate::desk::feed::{FeedTexts, JobEnd, QueueStatus};
use crate::desk::{Feed, JobEvent, Ticket};
use crate::types::answer::{Outcome, Part};
use crate::types::limits;
use crate::types::position::LogPosition;

/// By what right a reader follows a job.
#[derive(Clone, Copy)]
pub enum Reading<'a> {
    /// The job is the reader's own, or the reader is the owner of the box.
    Own,
    /// The job is shared, as long as this returns true.
    Shared(&'a dyn Fn() -> bool),
}

/// Sends the events of a job from `from` on; returns when the job has ended or the reader has left.
pub fn send(ticket: &Ticket, from: LogPosition, reading: Reading<'_>, request: Request) {
    let Ok(events) = Events::open(request) else { return };
    let feed = Feed::new(ticket, from, FeedTexts::EveryAttempt);
    let (queued, now) = (Value::Null, Instant::now());
    let mut reader = Reader { ticket, events, feed, queued, reading, checked: now, written: now };
    if reader.send_all().is_err() {
        log::debug!("a reader left its job's events");
    }
}

struct Reader<'a> {
    ticket: &'a Ticket,
    events: Events,
    feed: Feed,
    /// The last `queued` event. Stages that share a name are sent once.
    queued: Value,
    reading: Reading<'a>,
    /// When it was last checked that the job is still shared.
    checked: Instant,
    /// When the reader was last sent something.
    written: Instant,
}

impl Reader<'_> {
    fn send_all(&mut self) -> Result<(), ReaderGone> {
        loop {
            if !self.may_go_on() {
                return self.events.comment("the job is no longer shared");
            }
            let wait = match self.reading {
                Reading::Own => limits::HEARTBEAT,
                Reading::Shared(_) => limits::SHARE_CHECK_EVERY,
            };
            match self.feed.next(usize::MAX, wait) {
                None if self.written.elapsed() < limits::HEARTBEAT => {}
                None => {
                    self.events.comment("alive")?;
                    self.written = Instant::now();
                }
                Some(JobEvent::Rewound { to }) => {
                    self.send("rewind", &json!({"to": to.offset}))?;
                }
                Some(JobEvent::Queued(status)) => self.send_queued(status)?,
                Some(JobEvent::Text { attempt, piece, position: _ }) => {
                    let kind = match piece.part {
                        Part::Thinking => "thinking",
                        Part::Answer => "answer",
                    };
                    self.send(kind, &json!({"attempt": attempt, "text": piece.text}))?;
                }
                Some(JobEvent::AttemptEnded(end)) => {
                    self.send("attempt", &json::attempt_end(self.ticket, &end))?;
                }
                Some(JobEvent::VoteChanged(tally)) => {
                    self.send("vote", &json::votes(Some(&tally)))?;
                }
                Some(JobEvent::Ended(end)) => return self.send_end(&end),
                // The job continues when the box is back, and so does its reader.
                Some(JobEvent::Interrupted(_)) => {
                    return self.events.comment("the box is stopping; reconnect");
                }
            }
        }
    }

    /// Returns whether the reader may still read. Asks no more often than necessary, since the
    /// answer is on the disk.
    fn may_go_on(&mut self) -> bool {
        let Reading::Shared(is_shared) = self.reading else { return true };
        if self.checked.elapsed() < limits::SHARE_CHECK_EVERY {
            return true;
        }
        self.checked = Instant::now();
        is_shared()
    }

    fn send_queued(&mut self, status: QueueStatus) -> Result<(), ReaderGone> {
        let QueueStatus { stage, place, eta } = status;
        let eta = eta.as_ref().map(json::eta);
        let queued = json!({"state": stage.name(), "place": place, "eta": eta});
        if self.queued == queued {
            return Ok(());
        }
        self.send("queued", &queued)?;
        self.queued = queued;
        Ok(())
    }

    fn send_end(&mut self, end: &JobEnd) -> Result<(), ReaderGone> {
        if let Outcome::Failed(error) = &end.outcome {
            return self.send("failed", &refuse::body(error, Shape::Own));
        }
        let done = json!({
            "state": end.outcome.state(),
            "finish": end.outcome.name(),
            "best_attempt": end.best_attempt,
            "answer": end.answer,
            "votes": json::votes(end.tally.as_deref()),
            "figures": json::figures(&end.figures),
        });
        self.send("done", &done)
    }

    fn send(&mut self, kind: &str, shape: &Value) -> Result<(), ReaderGone> {
        self.written = Instant::now();
        self.events.event(kind, &self.feed.position().to_string(), shape)
    }
}
