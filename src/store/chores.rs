//! What the journal does beside its work: forgets what is old, and while the box rests gives room
//! back and looks whether all of it is sound.
//!
//! Each chore is done in small parts or can be broken off, because a question may come any time.

use std::time::SystemTime;

use rusqlite::{Connection, ErrorCode};

use super::{Keeping, write};
use crate::types::limits;

/// Steps of SQLite's machine between two looks whether the box still rests.
const STEPS_BETWEEN_LOOKS: i32 = 10_000;

/// Whether all of the file was looked at since the start.
#[derive(Debug, Default)]
pub struct Chores {
    is_checked: bool,
}

impl Chores {
    /// Does a part of what there is to do.
    ///
    /// # Errors
    /// What SQLite says; [`schema::is_damage`](super::schema::is_damage) tells whether the file is
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

    /// Returns whether all of the file was looked at.
    #[cfg(test)]
    pub fn is_done(&self) -> bool {
        self.is_checked
    }

    /// Looks at all of the file, once; broken off where the box has something to do.
    fn check(
        &mut self,
        connection: &mut Connection,
        has_time: impl Fn() -> bool + Send + 'static,
    ) -> rusqlite::Result<()> {
        if self.is_checked || !has_time() {
            return Ok(());
        }
        connection.progress_handler(STEPS_BETWEEN_LOOKS, Some(move || !has_time()))?;
        let check = "PRAGMA integrity_check(1)";
        let said = connection.query_row(check, [], |row| row.get::<_, String>(0));
        connection.progress_handler(0, None::<fn() -> bool>)?;
        match said {
            Ok(said) if said == "ok" => {
                self.is_checked = true;
                log::debug!("all of the journal is sound");
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
    let since = now.checked_sub(keeping.history).unwrap_or(SystemTime::UNIX_EPOCH);
    let (bytes, most) = (keeping.history_bytes, limits::FORGOTTEN_AT_ONCE);
    let gone = write::expire(connection, since, bytes, most)?;
    if gone > 0 {
        log::info!("forgot {gone} answered questions, for their age or for room");
    }
    Ok(())
}

/// Gives so many free pages back to the file system at most.
pub fn vacuum(connection: &Connection, pages: u32) -> rusqlite::Result<()> {
    connection.execute_batch(&format!("PRAGMA incremental_vacuum({pages})"))
}
