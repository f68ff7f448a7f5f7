//! The store: what survives a power cut. A journal of jobs in SQLite, in the data folder.
//!
//! The desk accepts a job only once it is in here, tells it what attempts gain, and finds in it,
//! after a start, what was not over. One thread writes ([`Journal`]), so that nobody who answers
//! waits for a disk; reading has a connection of its own. The store knows no engine and decides
//! nothing: what becomes of a job is the desk's business.

mod chores;
mod folder;
mod history;
mod journal;
mod read;
mod recover;
mod row;
mod salvage;
mod schema;
mod write;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub use folder::{Folder, Neighbour};
pub use history::{History, Which};
pub use journal::{Journal, OnWritten, Recovered};
pub use read::JobSummary;

use crate::types::answer::{Delta, Figures, Outcome};
use crate::types::job::{Client, JobId, JobName, Question};
use crate::types::position::Truncations;

/// How the journal is kept.
#[derive(Clone, Debug)]
pub struct Keeping {
    /// How far it may be behind what running jobs write.
    pub sync: Duration,
    /// How long ended jobs are kept.
    pub history: Duration,
    /// Bytes it may have; older jobs make room.
    pub history_bytes: u64,
    /// What is computed with: tokens another model drew are not gone on with.
    pub model: String,
}

/// What an `Idempotency-Key` is kept as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestKey {
    /// SHA-256 of the key.
    pub key: [u8; 32],
    /// SHA-256 of what was asked under it, as it was sent.
    pub asked: [u8; 32],
}

/// A job to be accepted.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// Its number.
    pub id: JobId,
    /// What it is called outside.
    pub name: JobName,
    /// Who asks.
    pub client: Client,
    /// What makes a second asking the same job, if the client gave anything.
    pub request: Option<RequestKey>,
    /// What is asked.
    pub question: Arc<Question>,
    /// When.
    pub asked: SystemTime,
}

/// A job as the journal has it.
#[derive(Clone, Debug)]
pub struct StoredJob {
    /// Its number.
    pub id: JobId,
    /// What it is called outside.
    pub name: JobName,
    /// Who asked.
    pub client: Client,
    /// What was asked.
    pub question: Arc<Question>,
    /// When.
    pub asked: SystemTime,
    /// What its attempts gained, by their numbers, in the order in which it came.
    pub log: Vec<(u32, Delta)>,
    /// The attempts that have ended, in that order.
    pub ends: Vec<(u32, Outcome, Figures)>,
    /// How it ended, if it has.
    pub end: Option<(Outcome, Figures)>,
    /// How much of the log survived each stop of the box.
    pub cuts: Truncations,
    /// How often the box crashed over it.
    pub crashes: u32,
    /// Whether a person wanted the answer at once.
    pub answer_now: bool,
    /// Whether a person wanted no more of it.
    pub stopping: bool,
}

impl StoredJob {
    /// Returns the bytes of text in its log.
    pub fn log_bytes(&self) -> usize {
        let pieces = self.log.iter().flat_map(|(_, delta)| &delta.pieces);
        pieces.map(|piece| piece.text.len()).sum()
    }
}
