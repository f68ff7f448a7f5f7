//! The events of one job as lines of JSON, from a position of its log to its end.
//!
//! A machine gets the same events as a reader over HTTP: text once, the job's state again with each
//! request to follow it.

use std::collections::VecDeque;
use std::time::Duration;

use super::super::following::QueueNews;
use super::super::link::Subscription;
use super::message::Id;
use super::reply::{Done, LineWriter};
use crate::answers::value::boxed;
use crate::desk::feed::{FeedTexts, JobEnd};
use crate::desk::{Feed, JobEvent, Ticket};
use crate::types::answer::{Outcome, Part};
use crate::types::position::LogPosition;

/// A job whose events are being sent.
pub struct JobLines {
    id: Id,
    ticket: Ticket,
    feed: Feed,
    thinking: bool,
    /// Lines to be sent, of one event.
    ready: VecDeque<String>,
    queue: QueueNews,
    is_ended: bool,
    _subscription: Subscription,
}

impl JobLines {
    /// Sends a job's events under an id from a position on, with the thinking or without.
    pub fn new(
        id: Id,
        ticket: Ticket,
        subscription: Subscription,
        from: LogPosition,
        thinking: bool,
    ) -> JobLines {
        JobLines {
            id,
            feed: Feed::new(&ticket, from, FeedTexts::EveryAttempt),
            ticket,
            thinking,
            ready: VecDeque::new(),
            queue: QueueNews::default(),
            is_ended: false,
            _subscription: subscription,
        }
    }

    /// Returns the id under which the events are sent.
    pub fn id(&self) -> &Id {
        &self.id
    }

    /// Returns the job whose lines these are.
    pub fn ticket(&self) -> &Ticket {
        &self.ticket
    }

    /// Returns whether the last line was returned.
    pub fn is_over(&self) -> bool {
        self.is_ended && self.ready.is_empty()
    }

    /// Returns the next line, with text that takes about `bytes_max` bytes on the wire; `None` if
    /// there is none now. Does not block.
    pub fn next(&mut self, writer: &LineWriter, bytes_max: usize) -> Option<String> {
        while self.ready.is_empty() {
            let event = self.feed.next(bytes_max / 2, Duration::ZERO)?;
            self.take(event, writer);
        }
        self.ready.pop_front()
    }

    fn take(&mut self, event: JobEvent, writer: &LineWriter) {
        match event {
            JobEvent::Rewound { to } => self.ready.push_back(writer.rewind(&self.id, to)),
            JobEvent::Queued(status) => {
                if self.queue.is_news(status) {
                    let (state, place) = (status.stage.name(), status.place);
                    self.ready.push_back(writer.queued(&self.id, state, place, status.eta));
                }
            }
            JobEvent::Text { attempt, piece, position } => {
                if self.thinking || piece.part == Part::Answer {
                    let offset = position.offset - piece.text.len();
                    let before = LogPosition { offset, ..position };
                    let lines = writer.text(&self.id, piece.part, attempt, &piece.text, before);
                    self.ready.extend(lines);
                }
            }
            JobEvent::AttemptEnded(end) => {
                let value = self.ticket.record.value_of(end.attempt);
                let value = value.map(|value| value.to_string());
                let (outcome, figures) = (&end.outcome, &end.figures);
                let value = value.as_deref();
                self.ready.push_back(writer.attempt(
                    &self.id,
                    end.attempt,
                    outcome,
                    value,
                    figures,
                ));
            }
            JobEvent::VoteChanged(tally) => self.ready.push_back(writer.vote(&self.id, &tally)),
            JobEvent::Ended(end) => self.end(&end, writer),
            // The job continues when the box is back; that the box stops is a line of its own.
            JobEvent::Interrupted(_) => self.is_ended = true,
        }
    }

    fn end(&mut self, end: &JobEnd, writer: &LineWriter) {
        self.is_ended = true;
        if let Outcome::Failed(error) = &end.outcome {
            self.ready.push_back(writer.failed(&self.id, &error.for_remote_users()));
            return;
        }
        let done = Done {
            outcome: &end.outcome,
            best_attempt: end.best_attempt,
            value: boxed(&end.answer),
            votes: end.tally.as_deref(),
            figures: &end.figures,
            at: self.feed.position(),
        };
        self.ready.push_back(writer.done(&self.id, &done));
    }
}
