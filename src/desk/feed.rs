//! One job as a sequence of events, from any position of its log to its end.
//!
//! Every door follows a job with a [`Feed`] and matches on [`JobEvent`], which is closed: the page,
//! the OpenAI streams, both consoles and `solve`. A feed reads the job's record alone. It knows
//! neither the desk nor the door, and holds no more text than one read asked for.
//!
//! Text comes first. Everything else is published when the reader has caught up with the log, in
//! this order: attempts that ended, the votes, then the job's end or its place in the queue. The
//! end of a durable job comes when it is on the disk, because the record does not show it earlier.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Ticket;
use super::estimate::Eta;
use super::record::{AttemptEnd, Record, State, View};
use crate::answers::vote::Tally;
use crate::types::answer::{Figures, Outcome, Part, Piece};
use crate::types::error::Error;
use crate::types::position::LogPosition;

/// Something that happened to a job.
#[derive(Clone, Debug, PartialEq)]
pub enum JobEvent {
    /// A restart of the box took text that the reader has seen: it drops what is behind `to`. Comes
    /// once at most, before all other events.
    Rewound {
        /// Position up to which the reader's text is still the log's.
        to: LogPosition,
    },
    /// An unfinished job changed its stage, its place in the queue or its estimate. Every reader
    /// gets the current ones.
    Queued(QueueStatus),
    /// An attempt wrote text.
    Text {
        /// Index of the attempt, from 0.
        attempt: u32,
        /// The text, never empty, and whether it belongs to the thinking or to the answer.
        piece: Piece,
        /// Position behind the text, from which another reader can continue.
        position: LogPosition,
    },
    /// An attempt ended; all its text came before.
    AttemptEnded(AttemptEnd),
    /// Another attempt was counted. Only the latest votes are published.
    VoteChanged(Arc<Tally>),
    /// The job ended. No event follows.
    Ended(Box<JobEnd>),
    /// The box stops for this reason; the job continues at the next start. No event follows.
    Interrupted(Error),
}

/// How far an unfinished job has come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QueueStatus {
    /// Whether the job waits or runs.
    pub stage: JobStage,
    /// Place in the queue: 0 once an attempt has started, 1 for the next job to start.
    pub place: Option<usize>,
    /// When the job is expected to end, once that has been estimated.
    pub eta: Option<Eta>,
}

/// The states of an unfinished job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobStage {
    /// The prompt is not prepared yet.
    Preparing,
    /// The job waits for a slot of the engine.
    Waiting,
    /// At least one attempt has started.
    Running,
}

impl JobStage {
    /// Returns the name of the state in JSON.
    pub fn name(self) -> &'static str {
        match self {
            JobStage::Preparing | JobStage::Waiting => "queued",
            JobStage::Running => "running",
        }
    }
}

/// How a job ended, and with what answer.
#[derive(Clone, Debug, PartialEq)]
pub struct JobEnd {
    /// How the job ended.
    pub outcome: Outcome,
    /// Tokens and seconds that all attempts took together.
    pub figures: Figures,
    /// Index of the attempt whose answer is the job's.
    pub best_attempt: u32,
    /// The answer of that attempt, trimmed.
    pub answer: String,
    /// The votes, if the attempts voted.
    pub tally: Option<Arc<Tally>>,
}

/// The selection of a job's text that a reader gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedTexts {
    /// The log as it is: all attempts, interleaved as they write.
    EveryAttempt,
    /// One answer to show to a person. If attempts vote, that is the thinking of the first one as
    /// it is written, then the answer of the best one, just before the job's end.
    OneAnswer,
    /// Nothing but the answer of the best attempt, just before the job's end; neither votes nor
    /// ends of attempts.
    AnswerOnly,
}

/// A reader of one job's events.
#[derive(Debug)]
pub struct Feed {
    record: Arc<Record>,
    texts: FeedTexts,
    is_voted: bool,
    /// Length of the log that was read, in bytes.
    offset: usize,
    /// Length of the log that was returned or left out, in bytes.
    returned: usize,
    /// Version of the record up to which everything was read; `None` if there is more text.
    version: Option<u64>,
    /// What was read and not returned yet.
    ready: VecDeque<JobEvent>,
    /// The rest of the best attempt's answer, once the job has ended.
    answer: Option<Piece>,
    /// The last event, to be returned after all others.
    last: Option<JobEvent>,
    status: Option<QueueStatus>,
    ends: usize,
    ended_in_vote: u32,
}

impl Feed {
    /// Begins to read a job's events from `from` on.
    pub fn new(ticket: &Ticket, from: LogPosition, texts: FeedTexts) -> Feed {
        Feed::of(ticket.record.clone(), ticket.question.is_voted(), from, texts)
    }

    fn of(record: Arc<Record>, is_voted: bool, from: LogPosition, texts: FeedTexts) -> Feed {
        let offset = match texts {
            FeedTexts::EveryAttempt | FeedTexts::OneAnswer => record.resume(from),
            FeedTexts::AnswerOnly => record.bytes(),
        };
        let to = record.cuts().now(offset);
        let rewound = (offset < from.offset).then_some(JobEvent::Rewound { to });
        Feed {
            texts,
            is_voted,
            offset,
            returned: offset,
            version: None,
            ready: rewound.into_iter().collect(),
            answer: None,
            last: None,
            status: None,
            ends: if texts == FeedTexts::AnswerOnly { usize::MAX } else { 0 },
            ended_in_vote: if texts == FeedTexts::AnswerOnly { u32::MAX } else { 0 },
            record,
        }
    }

    /// Returns the position behind the events returned so far.
    pub fn position(&self) -> LogPosition {
        self.record.cuts().now(self.returned)
    }

    /// Returns the next event, with about `bytes_max` bytes of text at most and one character at
    /// least. Blocks until there is one or `timeout` has passed, then returns `None`; so it does
    /// at once after the last event.
    pub fn next(&mut self, bytes_max: usize, timeout: Duration) -> Option<JobEvent> {
        let until = Instant::now() + timeout;
        loop {
            if let Some(event) = self.take_ready(bytes_max) {
                return Some(event);
            }
            if self.is_over() {
                return None;
            }
            let left = until.saturating_duration_since(Instant::now());
            let view = match self.version {
                None => self.record.read_some(self.offset, bytes_max),
                Some(version) => {
                    let view = self.record.wait_some(version, self.offset, bytes_max, left);
                    if view.version == version {
                        return None;
                    }
                    view
                }
            };
            self.take(view);
        }
    }

    /// Returns whether the last event was returned.
    pub fn is_over(&self) -> bool {
        self.version == Some(u64::MAX) && self.last.is_none()
    }

    fn take_ready(&mut self, bytes_max: usize) -> Option<JobEvent> {
        let Some(event) = self.ready.pop_front() else {
            self.returned = self.offset;
            return self.answer_part(bytes_max).or_else(|| self.last.take());
        };
        self.returned = match &event {
            JobEvent::Text { position, .. } => position.offset,
            // All text that was read comes before it.
            _ => self.offset,
        };
        Some(event)
    }

    /// Returns the next part of the best attempt's answer.
    fn answer_part(&mut self, bytes_max: usize) -> Option<JobEvent> {
        let Piece { part, mut text } = self.answer.take()?;
        let rest = text.split_off(text.ceil_char_boundary(bytes_max.max(1)));
        if !rest.is_empty() {
            self.answer = Some(Piece { part, text: rest });
        }
        let (attempt, position) = (self.record.best(), self.position());
        Some(JobEvent::Text { attempt, piece: Piece { part, text }, position })
    }

    /// Turns what was read into events.
    fn take(&mut self, view: View) {
        let cuts = self.record.cuts();
        for said in view.pieces {
            self.offset += said.piece.text.len();
            let is_wanted = match self.texts {
                FeedTexts::EveryAttempt => true,
                FeedTexts::OneAnswer => {
                    !self.is_voted || (said.attempt == 0 && said.piece.part == Part::Thinking)
                }
                FeedTexts::AnswerOnly => false,
            };
            if is_wanted {
                let position = cuts.now(self.offset);
                let (attempt, piece) = (said.attempt, said.piece);
                self.ready.push_back(JobEvent::Text { attempt, piece, position });
            }
        }
        // Also where an offset inside a character was moved.
        self.offset = view.offset;
        self.version = None;
        if view.rest_bytes > 0 {
            return;
        }
        self.version = Some(view.version);
        let ends = view.ends.len();
        let new = view.ends.into_iter().skip(self.ends);
        self.ready.extend(new.map(JobEvent::AttemptEnded));
        self.ends = self.ends.max(ends);
        if let Some(tally) = view.tally.clone().filter(|t| t.ended() > self.ended_in_vote) {
            self.ended_in_vote = tally.ended();
            self.ready.push_back(JobEvent::VoteChanged(tally));
        }
        let stage = match view.state {
            State::Preparing => JobStage::Preparing,
            State::Queued => JobStage::Waiting,
            State::Running => JobStage::Running,
            State::Interrupted(error) => return self.end(JobEvent::Interrupted(error)),
            State::Ended(outcome, figures) => {
                let answer = self.record.text_of(view.best, Part::Answer);
                let is_asked_for = match self.texts {
                    FeedTexts::EveryAttempt => false,
                    FeedTexts::OneAnswer => self.is_voted,
                    FeedTexts::AnswerOnly => true,
                };
                let is_due = is_asked_for && !answer.is_empty();
                self.answer = is_due.then(|| Piece { part: Part::Answer, text: answer.clone() });
                let (best_attempt, tally) = (view.best, view.tally);
                let end = JobEnd { outcome, figures, best_attempt, answer, tally };
                return self.end(JobEvent::Ended(Box::new(end)));
            }
        };
        let status = QueueStatus { stage, place: view.place, eta: view.eta };
        if self.status != Some(status) {
            self.status = Some(status);
            self.ready.push_back(JobEvent::Queued(status));
        }
    }

    fn end(&mut self, last: JobEvent) {
        // No change of the record has this number.
        self.version = Some(u64::MAX);
        self.last = Some(last);
    }
}

/// Waits for changes of one job's record, for a reader that calls [`Feed::next`] from another
/// thread and must not block there.
#[derive(Debug)]
pub struct RecordChanges {
    record: Arc<Record>,
    version: Option<u64>,
}

/// The result of [`RecordChanges::wait`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordChange {
    /// The record has changed and may change again.
    Some,
    /// The record has not changed within the time given.
    None,
    /// The record has changed for the last time.
    Last,
}

impl RecordChanges {
    /// Begins with the record as it is, which counts as a change.
    pub fn of(ticket: &Ticket) -> RecordChanges {
        RecordChanges { record: ticket.record.clone(), version: None }
    }

    /// Blocks until the record has changed since the last call, or `timeout` has passed.
    pub fn wait(&mut self, timeout: Duration) -> RecordChange {
        let view = match self.version {
            None => self.record.read(usize::MAX),
            Some(version) => self.record.wait(version, usize::MAX, timeout),
        };
        match self.version.replace(view.version) {
            Some(before) if before == view.version => RecordChange::None,
            _ if view.state.is_last() => RecordChange::Last,
            _ => RecordChange::Some,
        }
    }
}

#[cfg(test)]
mod tests;
