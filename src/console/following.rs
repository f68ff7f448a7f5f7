//! A job that a person follows at a console, in parts as small as the line is slow.
//!
//! The job's feed says what happened; here is left out what a console does not show: news of the
//! queue that are too small for a line, and text after the person has stopped the job. What the
//! line does not take yet waits in the job's record.

use std::time::{Duration, Instant};

use super::link::Subscription;
use crate::desk::feed::{FeedTexts, QueueStatus};
use crate::desk::{Eta, Feed, JobEvent, Ticket};
use crate::types::limits;
use crate::types::position::LogPosition;

/// Decides which changes of a job's place and estimate are worth a line of their own.
#[derive(Debug, Default)]
pub struct QueueNews {
    shown: Option<(Option<usize>, Option<Eta>, Instant)>,
}

impl QueueNews {
    /// Returns whether this status is to be shown: another place, a first estimate, or an estimate
    /// that differs much from one shown a while ago. Takes it as shown if so.
    pub fn is_news(&mut self, status: QueueStatus) -> bool {
        let QueueStatus { place, eta, stage: _ } = status;
        let is_other = |before: Eta, eta: Eta| {
            (eta.seconds - before.seconds).abs() > before.seconds * limits::CONSOLE_ETA_CHANGE
        };
        let is_news = self.shown.is_none_or(|(place_before, before, since)| {
            let is_changed = match (before, eta) {
                (None, Some(_)) => true,
                (Some(before), Some(eta)) => {
                    since.elapsed() >= limits::CONSOLE_ETA_EVERY && is_other(before, eta)
                }
                (_, None) => false,
            };
            // Once the job runs, its text shows how far it is.
            place_before != place || (is_changed && place != Some(0))
        });
        if is_news {
            self.shown = Some((place, eta, Instant::now()));
        }
        is_news
    }
}

/// A job that is shown on a console.
#[derive(Debug)]
pub struct FollowedJob {
    /// The job that is followed.
    pub ticket: Ticket,
    feed: Feed,
    queue: QueueNews,
    /// Whether the rest of its text is left out.
    is_skipped: bool,
    _subscription: Subscription,
}

impl FollowedJob {
    /// Follows a job from an offset of its log on.
    pub fn from(ticket: Ticket, offset: usize, subscription: Subscription) -> FollowedJob {
        let from = ticket.record.cuts().now(offset);
        FollowedJob::by(ticket, from, FeedTexts::OneAnswer, subscription)
    }

    /// Shows the answer of an ended job, and nothing of how it came about.
    pub fn answer_of(ticket: Ticket, subscription: Subscription) -> FollowedJob {
        FollowedJob::by(ticket, LogPosition::default(), FeedTexts::AnswerOnly, subscription)
    }

    fn by(
        ticket: Ticket,
        from: LogPosition,
        texts: FeedTexts,
        subscription: Subscription,
    ) -> FollowedJob {
        let feed = Feed::new(&ticket, from, texts);
        let queue = QueueNews::default();
        FollowedJob { ticket, feed, queue, is_skipped: false, _subscription: subscription }
    }

    /// Leaves out the rest of the text.
    pub fn skip(&mut self) {
        self.is_skipped = true;
    }

    /// Returns how many bytes of the log were returned.
    pub fn offset(&self) -> usize {
        self.feed.position().offset
    }

    /// Returns the next event that is shown, with about `bytes_max` bytes of text at most; `None`
    /// if there is none now. Does not block.
    pub fn next(&mut self, bytes_max: usize) -> Option<JobEvent> {
        loop {
            let event = self.feed.next(bytes_max, Duration::ZERO)?;
            let is_shown = match &event {
                JobEvent::Queued(status) => self.queue.is_news(*status),
                JobEvent::Text { .. } => !self.is_skipped,
                JobEvent::Rewound { .. }
                | JobEvent::AttemptEnded(_)
                | JobEvent::VoteChanged(_)
                | JobEvent::Ended(_)
                | JobEvent::Interrupted(_) => true,
            };
            if is_shown {
                return Some(event);
            }
        }
    }
}
