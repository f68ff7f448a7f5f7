//! The journal as a command sees it, beside a box that runs or without one.

use std::path::Path;
use std::time::SystemTime;

use rusqlite::Connection;

use super::{StoredJob, chores, read, schema, write};
use crate::types::error::{Error, Kind};
use crate::types::job::JobId;
use crate::types::limits;

/// The answered questions of a data folder.
#[derive(Debug)]
pub struct History {
    connection: Connection,
}

/// Which jobs are to be forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// All.
    All,
    /// Those asked before.
    Before(SystemTime),
    /// One.
    One(JobId),
}

impl History {
    /// Opens the journal in `folder`; makes none.
    ///
    /// # Errors
    /// `not_found` where there is none; what opening it says.
    pub fn open(folder: &Path) -> Result<History, Error> {
        if !folder.join(schema::FILE).is_file() {
            return Err(Error::new(
                Kind::NotFound,
                format!("there is no journal in '{}'", folder.display()),
                "Name the folder of the box with --data DIR.",
            ));
        }
        Ok(History { connection: schema::open_beside(folder)? })
    }

    /// Returns the latest jobs before `before`, the latest first.
    ///
    /// # Errors
    /// `internal` where they cannot be read.
    pub fn list(&self, before: Option<JobId>, most: u32) -> Result<Vec<super::JobSummary>, Error> {
        read::list(&self.connection, None, before, most).map_err(|e| schema::failed(&e))
    }

    /// Finds the job whose id begins so.
    ///
    /// # Errors
    /// `not_found` where there is none; `bad_request` where there are several, or it is no id.
    pub fn find(&self, id: &str) -> Result<StoredJob, Error> {
        let is_id = (1..=32).contains(&id.len())
            && id.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
        let remedy = "`solverbox history list` shows the ids; their first digits are enough.";
        if !is_id {
            let id: String = id.escape_debug().take(40).collect();
            return Err(Error::bad_request(format!("'{id}' is no job's id"), remedy));
        }
        let found = read::by_prefix(&self.connection, id).map_err(|e| schema::failed(&e))?;
        match found.as_slice() {
            [number] => self.kept(*number),
            [] => Err(Error::new(Kind::NotFound, format!("no job's id begins with {id}"), remedy)),
            _ => Err(Error::bad_request(format!("several jobs' ids begin with {id}"), remedy)),
        }
    }

    /// Calls `each` with all jobs, the oldest first. What cannot be read of a single one, or is
    /// forgotten meanwhile, is left out, which the log says.
    ///
    /// # Errors
    /// `internal` where the journal cannot be read; what `each` says.
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
                    Ok(None) => log::warn!("job {number} was forgotten meanwhile"),
                    Err(error) if error.sqlite_error_code().is_none() => {
                        log::warn!("job {number} is damaged and left out: {error}");
                    }
                    Err(error) => return Err(schema::failed(&error)),
                }
            }
        }
    }

    /// Forgets jobs that are over; returns how many.
    ///
    /// # Errors
    /// `conflict` for one that is not over; `no_space` or `internal` where it cannot be written.
    pub fn forget(&self, which: &Which) -> Result<usize, Error> {
        let mut gone = 0;
        loop {
            // Some at a time: a box that is at work here waits for each.
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
            Which::One(_) if gone == 0 => Err(Error::new(
                Kind::Conflict,
                "this job is not over",
                "Stop it first, on the page or with DELETE /api/jobs/ID.",
            )),
            _ => Ok(gone),
        }
    }

    /// Gives the room of what is forgotten back to the file system.
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
        // What a box beside us still reads stays in its log until it has done so.
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    }

    fn kept(&self, number: i64) -> Result<StoredJob, Error> {
        let kept = read::job(&self.connection, number).map_err(|e| schema::failed(&e))?;
        kept.ok_or_else(|| Error::internal("a job was forgotten while it was read"))
    }
}
