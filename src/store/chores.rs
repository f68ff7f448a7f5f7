//! Maintenance of the journal: deletes old jobs and counts, and while the engine is idle returns
//! free space and checks the integrity of the file.
//!
//! Each chore is done in small parts or can be interrupted, because a question may come any time.

use std::time::SystemTime;

use rusqlite::{Connection, ErrorCode};

use super::{Keeping, usage, write};
use crate::types::limits;

/// Steps of SQLite's virtual machine between two checks whether the engine is still idle.
const STEPS_BETWEEN_CHECKS: i32 = 10_000;

/// Whether the whole file was checked since the start.
#[derive(Debug, Default)]
pub struct Chores {
    is_checked: bool,
}

impl Chores {
    /// Does some of the pending maintenance.
    ///
    /// # Errors
    /// SQLite's; [`schema::is_damage`](super::schema::is_damage) decides whether the file is
    /// damaged.
    pub fn go_on(
        &mut self,
        connection: &mut Connection,
        keeping: &Keeping,
        has_time: impl Fn() -> bool + Send + 'static,
    ) -> rusqlite::Result<()> {
        forget(connection, keeping)?;
        if has_time() {
            vacuum(connection, limits::VACUUM_PAGES)?;
        }
        self.check(connection, has_time)
    }

    /// Returns whether the whole file was checked.
    #[cfg(test)]
    pub fn is_done(&self) -> bool {
        self.is_checked
    }

    /// Checks the integrity of the whole file once; interrupted if the engine has work.
    fn check(
        &mut self,
        connection: &mut Connection,
        has_time: impl Fn() -> bool + Send + 'static,
    ) -> rusqlite::Result<()> {
        if self.is_checked || !has_time() {
            return Ok(());
        }
        connection.progress_handler(STEPS_BETWEEN_CHECKS, Some(move || !has_time()))?;
        let check = "PRAGMA integrity_check(1)";
        let said = connection.query_row(check, [], |row| row.get::<_, String>(0));
        connection.progress_handler(0, None::<fn() -> bool>)?;
        match said {
            Ok(said) if said == "ok" => {
                self.is_checked = true;
                log::debug!("the whole journal is intact");
                Ok(())
            }
            Ok(said) => {
                let corrupt = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
                Err(rusqlite::Error::SqliteFailure(corrupt, Some(said)))
            }
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

fn forget(connection: &mut Connection, keeping: &Keeping) -> rusqlite::Result<()> {
    let now = SystemTime::now();
    write::clock(connection, now)?;
    usage::expire(connection, now)?;
    let since = now.checked_sub(keeping.history).unwrap_or(SystemTime::UNIX_EPOCH);
    let (bytes, most) = (keeping.history_bytes, limits::FORGOTTEN_AT_ONCE);
    let gone = write::expire(connection, since, bytes, most)?;
    if gone > 0 {
        log::info!("deleted {gone} answered questions, for their age or for room");
    }
    Ok(())
}

/// Returns at most `pages` free pages to the file system.
pub fn vacuum(connection: &Connection, pages: u32) -> rusqlite::Result<()> {
    connection.execute_batch(&format!("PRAGMA incremental_vacuum({pages})"))
}
