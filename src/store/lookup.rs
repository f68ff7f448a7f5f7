//! What the desk reads of the running journal: jobs, lists of them, values, and counts.
//!
//! Readers share a connection of their own, so that they do not wait for the writer's disk.

use std::sync::{MutexGuard, PoisonError};
use std::time::SystemTime;

use rusqlite::Connection;

use super::journal::Journal;
use super::read::JobSummary;
use super::usage::{Usage, UsageHour};
use super::{StoredJob, StoredValue, read, schema};
use crate::types::error::Error;
use crate::types::job::{Client, JobId, JobName};
use crate::types::limits;

impl Journal {
    /// Reads a job by its name.
    ///
    /// # Errors
    /// `internal` if the journal cannot be read.
    pub fn find(&self, name: JobName) -> Result<Option<StoredJob>, Error> {
        read::by_name(&self.reader(), name).map_err(|e| schema::failed(&e))
    }

    /// Reads the job that a client submitted under an idempotency key, and the SHA-256 of that
    /// request's body.
    ///
    /// # Errors
    /// `internal` if the journal cannot be read.
    pub fn find_request(
        &self,
        client: Client,
        key: &[u8; 32],
    ) -> Result<Option<(JobName, [u8; 32])>, Error> {
        read::by_request(&self.reader(), client, key).map_err(|e| schema::failed(&e))
    }

    /// Lists jobs of one client or of all, newest first, `most` at most, only those older than
    /// `before` if that is given.
    ///
    /// # Errors
    /// `internal` if the journal cannot be read.
    pub fn list(
        &self,
        client: Option<Client>,
        before: Option<JobId>,
        most: u32,
    ) -> Result<Vec<JobSummary>, Error> {
        read::list(&self.reader(), client, before, most).map_err(|e| schema::failed(&e))
    }

    /// Finds the job that is shared by the token with this SHA-256.
    ///
    /// # Errors
    /// `internal` if the journal cannot be read.
    pub fn find_shared(&self, token: &[u8; 32]) -> Result<Option<JobName>, Error> {
        read::by_share(&self.reader(), token).map_err(|e| schema::failed(&e))
    }

    /// Returns the jobs of a client that are shared.
    ///
    /// # Errors
    /// `internal` if the journal cannot be read.
    pub fn shared_of(&self, client: Client) -> Result<Vec<JobId>, Error> {
        read::shared_of(&self.reader(), client).map_err(|e| schema::failed(&e))
    }

    /// Counts the jobs that have ended since `since`, by hour and mode.
    ///
    /// # Errors
    /// `internal` if the journal cannot be read.
    pub fn usage(&self, since: SystemTime) -> Result<Vec<UsageHour>, Error> {
        let mut usage = Usage::default();
        // In parts, because other readers wait for each.
        let mut count = || usage.count(&self.reader(), since, limits::LIST_JOBS_MAX);
        while count().map_err(|e| schema::failed(&e))? {}
        Ok(usage.hours())
    }

    /// Reads the value of a job's answer.
    ///
    /// # Errors
    /// `internal` if the journal cannot be read.
    pub fn value(&self, job: JobId) -> Result<StoredValue, Error> {
        read::value(&self.reader(), job).map_err(|e| schema::failed(&e))
    }

    fn reader(&self) -> MutexGuard<'_, Connection> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
