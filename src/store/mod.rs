//! The store: what survives a power cut. A journal of jobs in SQLite, in the data folder.
//!
//! The desk accepts a durable job once it is in the journal, adds what its attempts write, and
//! after a restart continues the jobs that have not ended. One thread writes ([`Journal`]), so that
//! answering never waits for a disk; reading has a connection of its own. The store does not know
//! the engine, and decides nothing about jobs.

mod chores;
mod folder;
mod history;
mod journal;
mod lookup;
mod read;
mod recover;
mod row;
mod salvage;
mod schema;
mod usage;
mod write;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub use folder::{Folder, Neighbour};
pub use history::{JobHistory, JobSelection};
pub use journal::{Journal, OnWritten, Recovered};
pub use read::JobSummary;
pub use usage::UsageHour;

use crate::types::answer::{Delta, Figures, Outcome};
use crate::types::job::{Client, JobId, JobName, Question};
use crate::types::position::Truncations;

/// Settings of the journal.
#[derive(Clone, Debug)]
pub struct Keeping {
    /// How far the journal may lag behind what running jobs write.
    pub sync: Duration,
    /// How long ended jobs are kept.
    pub history: Duration,
    /// Size of the journal above which the oldest ended jobs are deleted, in bytes.
    pub history_bytes: u64,
    /// Fingerprint of the model: a job continues only with tokens of the same model.
    pub model: String,
}

/// An `Idempotency-Key` as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestKey {
    /// SHA-256 of the key.
    pub key: [u8; 32],
    /// SHA-256 of the request's body.
    pub asked: [u8; 32],
}

/// A job to be accepted.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// Number of the job, which orders jobs by submission.
    pub id: JobId,
    /// Public name of the job, which cannot be guessed.
    pub name: JobName,
    /// The client that asked.
    pub client: Client,
    /// Identifies a repeated submission, if the client sent an idempotency key.
    pub request: Option<RequestKey>,
    /// The question, with its mode and budget.
    pub question: Arc<Question>,
    /// When the question was asked.
    pub asked: SystemTime,
}

/// The end of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredEnd {
    /// How the job ended.
    pub outcome: Outcome,
    /// Tokens and seconds that all its attempts took together.
    pub figures: Figures,
    /// When the job ended.
    pub at: SystemTime,
}

/// The jobs of a client to delete: those up to `last`, without those in `kept`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForgottenJobs {
    /// Whose jobs they are.
    pub client: Client,
    /// The newest job that can be among them.
    pub last: JobId,
    /// Jobs that are not deleted.
    pub kept: Vec<JobId>,
}

/// The value of an ended job's answer, as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredValue {
    /// The journal has not stored it yet: the job has not ended, or an earlier version of the
    /// program ended it.
    Unknown,
    /// The value, if the answer has one.
    Known(Option<String>),
}

/// A job as the journal stores it.
#[derive(Clone, Debug)]
pub struct StoredJob {
    /// Number of the job, which orders jobs by submission.
    pub id: JobId,
    /// Public name of the job, which cannot be guessed.
    pub name: JobName,
    /// The client that asked.
    pub client: Client,
    /// The question, with its mode and budget.
    pub question: Arc<Question>,
    /// When the question was asked.
    pub asked: SystemTime,
    /// What the attempts wrote, each with the attempt's index, in the order it came.
    pub log: Vec<(u32, Delta)>,
    /// The attempts that have ended, in that order: index, outcome and figures.
    pub ends: Vec<(u32, Outcome, Figures)>,
    /// The job's end, once it has ended.
    pub end: Option<StoredEnd>,
    /// Where restarts have truncated the log.
    pub cuts: Truncations,
    /// How often the process crashed while it worked on the job.
    pub crashes: u32,
    /// Whether a person asked for the answer at once.
    pub answer_now: bool,
    /// Whether a person stopped the job.
    pub stopping: bool,
}

impl StoredJob {
    /// Returns the length of the log's text in bytes.
    pub fn log_bytes(&self) -> usize {
        let pieces = self.log.iter().flat_map(|(_, delta)| &delta.pieces);
        pieces.map(|piece| piece.text.len()).sum()
    }
}
