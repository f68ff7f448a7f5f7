//! What the desk reads of the running journal: jobs, lists of them with values, and counts.
//!
//! Readers share a connection of their own, so that they do not wait for the writer's disk.

use std::sync::{MutexGuard, PoisonError};
use std::time::SystemTime;

use rusqlite::Connection;

use super::journal::Journal;
use super::read::{JobSummary, ListedValues};
use super::usage::{self, UsageHour};
use super::{StoredJob, read, schema};
use crate::types::error::Error;
use crate::types::job::{Client, JobId, JobName};

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

    /// Lists jobs of one client or of all with the values of their answers, newest first, `most` at
    /// most, only those older than `before` if that is given.
    ///
    /// # Errors
    /// `internal` if the journal cannot be read.
    pub fn list(
        &self,
        client: Option<Client>,
        before: Option<JobId>,
        most: u32,
    ) -> Result<Vec<JobSummary>, Error> {
        let listed = read::list(&self.reader(), client, before, most, ListedValues::Stored);
        listed.map_err(|e| schema::failed(&e))
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

    /// Returns how many jobs have ended since the hour of `since`, by hour and mode.
    ///
    /// # Errors
    /// `internal` if the journal cannot be read.
    pub fn usage(&self, since: SystemTime) -> Result<Vec<UsageHour>, Error> {
        usage::since(&self.reader(), since).map_err(|e| schema::failed(&e))
    }

    fn reader(&self) -> MutexGuard<'_, Connection> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
