//! Salvages a damaged journal: copies the unfinished jobs and the counts of ended ones that can
//! still be read into the new one.

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::{Keeping, StoredJob, read, usage, write};

/// Copies the unfinished jobs and the counts that are intact from the damaged journal at `aside`,
/// and logs how many those are.
pub fn salvage(aside: &Path, to: &mut Connection, keeping: &Keeping) {
    // Not read-only: the latest commits may be in its write-ahead log.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let Ok(from) = Connection::open_with_flags(aside, flags) else { return };
    // Leaves the damaged file as it is.
    if from.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).is_err() {
        return;
    }
    save_jobs(&from, to, keeping);
    // A journal that was damaged before it was migrated has no counts.
    match usage::carry_over(&from, to) {
        Ok(0) => {}
        Ok(entries) => log::info!("{entries} entries of the usage were saved from it"),
        Err(error) => log::warn!("the usage cannot be saved from it: {error}"),
    }
}

fn save_jobs(from: &Connection, to: &mut Connection, keeping: &Keeping) {
    let numbers = match read::not_over(from) {
        Ok(numbers) => numbers,
        Err(error) => {
            return log::error!("no question in the damaged journal can be read: {error}");
        }
    };
    let all = numbers.len();
    let mut is_copied = |number: &i64| {
        let is_own = read::model_of(from, *number).is_ok_and(|model| model == keeping.model);
        let kept = read::job(from, *number).ok().flatten().filter(|_| is_own);
        kept.is_some_and(|kept| copy(to, keeping, &kept).is_ok())
    };
    let saved = numbers.iter().filter(|number| is_copied(number)).count();
    if all > 0 {
        log::warn!("{saved} of {all} unfinished questions were saved from it");
    }
}

fn copy(to: &mut Connection, keeping: &Keeping, kept: &StoredJob) -> rusqlite::Result<()> {
    let transaction = to.transaction()?;
    write::whole(&transaction, &keeping.model, kept, None)?;
    if kept.answer_now {
        write::answer_now(&transaction, kept.id)?;
    }
    if kept.stopping {
        write::stopping(&transaction, kept.id)?;
    }
    write::cuts(&transaction, kept.id, &kept.cuts)?;
    for _ in 0..kept.crashes {
        write::crash(&transaction, kept.id)?;
    }
    transaction.commit()
}
