//! The journal for the `history` commands, with or without a running solverbox on it.

use std::path::Path;
use std::time::SystemTime;

use rusqlite::Connection;

use super::read::ListedValues;
use super::{StoredJob, chores, read, schema, write};
use crate::types::error::{Error, Kind};
use crate::types::job::JobId;
use crate::types::limits;

/// The answered questions of a data folder.
#[derive(Debug)]
pub struct JobHistory {
    connection: Connection,
}

/// A selection of jobs to delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobSelection {
    /// All jobs that have ended.
    All,
    /// Ended jobs asked before this time.
    Before(SystemTime),
    /// One job, which must have ended.
    One(JobId),
}

impl JobHistory {
    /// Opens the journal in `folder`, if there is one.
    ///
    /// # Errors
    /// `not_found` if there is none; otherwise like [`schema::failed`].
    pub fn open(folder: &Path) -> Result<JobHistory, Error> {
        if !folder.join(schema::FILE).is_file() {
            return Err(Error::new(
                Kind::NotFound,
                format!("there is no journal in '{}'", folder.display()),
                "Name the folder of the box with --data DIR.",
            ));
        }
        Ok(JobHistory { connection: schema::open_shared(folder)? })
    }

    /// Returns jobs without the values of their answers, newest first, at most `most`, only those
    /// older than `before` if that is given.
    ///
    /// # Errors
    /// `internal` if the journal cannot be read.
    pub fn list(&self, before: Option<JobId>, most: u32) -> Result<Vec<super::JobSummary>, Error> {
        let listed = read::list(&self.connection, None, before, most, ListedValues::Unread);
        listed.map_err(|e| schema::failed(&e))
    }

    /// Finds a job by the first digits of its ID.
    ///
    /// # Errors
    /// `not_found` if there is none; `bad_request` if there are several, or `id` is not
    /// hexadecimal.
    pub fn find(&self, id: &str) -> Result<StoredJob, Error> {
        let is_id = (1..=32).contains(&id.len())
            && id.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
        let remedy = "`solverbox history list` shows the IDs; their first digits are enough.";
        if !is_id {
            let id: String = id.escape_debug().take(40).collect();
            return Err(Error::bad_request(format!("'{id}' is not a job ID"), remedy));
        }
        let found = read::by_prefix(&self.connection, id).map_err(|e| schema::failed(&e))?;
        match found.as_slice() {
            [number] => self.kept(*number),
            [] => Err(Error::new(Kind::NotFound, format!("no job ID begins with {id}"), remedy)),
            _ => Err(Error::bad_request(format!("several job IDs begin with {id}"), remedy)),
        }
    }

    /// Calls `each` with every job, oldest first. A damaged job, or one that is deleted meanwhile,
    /// is skipped with a warning in the log.
    ///
    /// # Errors
    /// `internal` if the journal cannot be read; the first error of `each`.
    pub fn each(&self, mut each: impl FnMut(StoredJob) -> Result<(), Error>) -> Result<(), Error> {
        let mut after = -1;
        loop {
            let most = limits::LIST_JOBS_MAX;
            let numbers = read::after(&self.connection, after, most);
            let numbers = numbers.map_err(|e| schema::failed(&e))?;
            let Some(last) = numbers.last() else { return Ok(()) };
            after = *last;
            for number in numbers {
                match read::job(&self.connection, number) {
                    Ok(Some(kept)) => each(kept)?,
                    Ok(None) => log::warn!("job {number} was deleted meanwhile"),
                    Err(error) if error.sqlite_error_code().is_none() => {
                        log::warn!("job {number} is damaged and skipped: {error}");
                    }
                    Err(error) => return Err(schema::failed(&error)),
                }
            }
        }
    }

    /// Deletes ended jobs; returns how many.
    ///
    /// # Errors
    /// `conflict` for a single job that has not ended; `no_space` or `internal` if the journal
    /// cannot be written.
    pub fn forget(&self, which: &JobSelection) -> Result<usize, Error> {
        let mut gone = 0;
        loop {
            // In small parts, because a running solverbox waits for each.
            let most = limits::FORGOTTEN_AT_ONCE;
            let some = write::forget_ended(&self.connection, which, most);
            let some = some.map_err(|e| schema::failed(&e))?;
            gone += some;
            if some < most as usize {
                break;
            }
        }
        self.give_room_back().map_err(|e| schema::failed(&e))?;
        match which {
            JobSelection::One(_) if gone == 0 => Err(Error::new(
                Kind::Conflict,
                "this job has not ended",
                "Stop it first, on the page or with DELETE /api/jobs/ID.",
            )),
            _ => Ok(gone),
        }
    }

    /// Returns the space of deleted jobs to the file system.
    fn give_room_back(&self) -> rusqlite::Result<()> {
        let free = "freelist_count";
        let pages = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
        loop {
            let before = self.connection.pragma_query_value(None, free, pages)?;
            chores::vacuum(&self.connection, limits::VACUUM_PAGES)?;
            let after = self.connection.pragma_query_value(None, free, pages)?;
            if after == 0 || after >= before {
                break;
            }
        }
        // What a running solverbox still reads stays in the write-ahead log until it has.
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    }

    fn kept(&self, number: i64) -> Result<StoredJob, Error> {
        let kept = read::job(&self.connection, number).map_err(|e| schema::failed(&e))?;
        kept.ok_or_else(|| Error::internal("a job was deleted while it was read"))
    }
}
