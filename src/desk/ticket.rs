//! What a door gets for a submitted question, and how it may be submitted.

use std::sync::Arc;
use std::time::SystemTime;

use super::record::{Record, View};
use crate::answers::vote::shown_value;
use crate::store::RequestKey;
use crate::types::answer::Part;
use crate::types::job::{Client, JobId, JobName, Question};

/// A door's handle to one job.
#[derive(Clone, Debug)]
pub struct Ticket {
    /// Number of the job in this box's journal.
    pub job: JobId,
    /// Public name of the job, which cannot be guessed.
    pub name: JobName,
    /// The client that asked.
    pub client: Client,
    /// The question, with its mode and budget.
    pub question: Arc<Question>,
    /// When the question was asked.
    pub asked: SystemTime,
    /// What the box keeps of the job.
    pub durability: Durability,
    /// Whether this submission made the job or found it.
    pub submitted: Submitted,
    /// The job's log and state.
    pub record: Arc<Record>,
}

impl Ticket {
    /// Returns the value of the job's answer in `view`, as people read it; see [`shown_value`].
    pub fn value(&self, view: &View) -> Option<String> {
        let text = |part| self.record.text_of(view.best, part);
        let (thinking, answer) = (text(Part::Thinking), text(Part::Answer));
        shown_value(&self.question, view.tally.as_deref(), &thinking, &answer)
    }
}

/// Whether a submission made its job or found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Submitted {
    /// Submitting it just now made it, or it was found by its name.
    New,
    /// It was submitted before under the same idempotency key.
    Duplicate,
}

/// What the box keeps of a job, and so when its end is visible.
///
/// A client that sees the end of a durable job sees the same end after a power cut: the end is
/// published once it is on the disk, one sync later than it is known, or when writing it fails.
/// Nothing is promised of the other jobs until they end, so a power cut can make them unknown but
/// cannot contradict what was published; their end is published at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Nothing of the job is kept.
    Never,
    /// The job runs while its client listens. When it has ended it is added to the journal with the
    /// next batch of writes, because a sync for each such answer would wear an SD card out.
    WhileListening,
    /// The job is on the disk before it is accepted, and continues after a restart or a power cut,
    /// whether or not a client listens.
    Durable,
}

/// The conditions under which a question is submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubmitOptions {
    /// What the box keeps of the job.
    pub durability: Durability,
    /// Identifies a repeated submission, which finds the job instead of making another one.
    pub request: Option<RequestKey>,
    /// Unfinished jobs this client may have, if that is fewer than every client may.
    pub jobs_max: Option<u32>,
}

impl SubmitOptions {
    /// Returns options without an idempotency key and without a limit of the client's own.
    pub fn of(durability: Durability) -> SubmitOptions {
        SubmitOptions { durability, request: None, jobs_max: None }
    }
}
