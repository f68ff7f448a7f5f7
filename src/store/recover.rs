//! Recovery at a start: finds the unfinished jobs, and records how much of each log survived and
//! which jobs the process crashed on.
//!
//! Reads first. If the disk is too full to record the start, the jobs continue all the same.

use std::time::SystemTime;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use super::{Keeping, StoredEnd, StoredJob, read, write};
use crate::types::answer::{Figures, Outcome};
use crate::types::error::{Error, Kind};
use crate::types::job::JobId;

/// An unfinished job, as it was found.
enum FoundJob {
    /// The job is intact and continues.
    Sound(Box<StoredJob>),
    /// The job starts over: its tokens are from a different model.
    Foreign(Box<StoredJob>),
    /// What is stored of it is damaged: it alone fails.
    Damaged(JobId),
}

/// Returns the unfinished jobs, oldest first, and the highest job number so far.
///
/// # Errors
/// SQLite's, except for a full disk.
pub fn recover(
    connection: &mut Connection,
    keeping: &Keeping,
    crashed: &[JobId],
) -> rusqlite::Result<(Vec<StoredJob>, JobId)> {
    let mut found = Vec::new();
    for number in read::not_over(connection)? {
        found.extend(find(connection, number, keeping, crashed)?);
    }
    let last = JobId(write::last_number(connection)?);
    match note(connection, &found, keeping, crashed) {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => {
            log::error!("the start cannot be recorded in the journal: the disk is full");
        }
        noted => noted?,
    }
    let jobs = found.into_iter().filter_map(|found| match found {
        FoundJob::Sound(kept) | FoundJob::Foreign(kept) => Some(*kept),
        FoundJob::Damaged(_) => None,
    });
    Ok((jobs.collect(), last))
}

fn find(
    connection: &Connection,
    number: i64,
    keeping: &Keeping,
    crashed: &[JobId],
) -> rusqlite::Result<Option<FoundJob>> {
    let is_foreign = read::model_of(connection, number)? != keeping.model;
    let mut kept = match read::job(connection, number) {
        Ok(Some(kept)) => Box::new(kept),
        Ok(None) => return Ok(None),
        // Not an error of SQLite but of the stored values: the rest of the file may be intact.
        Err(error) if error.sqlite_error_code().is_none() => {
            log::error!("job {number} is damaged in the journal: {error}");
            return Ok(Some(FoundJob::Damaged(JobId(number.cast_unsigned()))));
        }
        Err(error) => return Err(error),
    };
    kept.crashes += u32::from(crashed.contains(&kept.id));
    if is_foreign {
        log::info!("job {number} starts over: its tokens are from a different model");
        kept.log.clear();
        kept.ends.clear();
    }
    kept.cuts.push(kept.log_bytes());
    Ok(Some(if is_foreign { FoundJob::Foreign(kept) } else { FoundJob::Sound(kept) }))
}

fn note(
    connection: &mut Connection,
    found: &[FoundJob],
    keeping: &Keeping,
    crashed: &[JobId],
) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for &job in crashed {
        write::crash(&transaction, job)?;
    }
    for found in found {
        match found {
            FoundJob::Sound(kept) => write::cuts(&transaction, kept.id, &kept.cuts)?,
            FoundJob::Foreign(kept) => {
                write::start_over(&transaction, kept.id, &keeping.model)?;
                write::cuts(&transaction, kept.id, &kept.cuts)?;
            }
            FoundJob::Damaged(job) => {
                let error = Error::new(
                    Kind::Internal,
                    "this question was damaged on the disk",
                    "Ask again.",
                );
                let (outcome, figures) = (Outcome::Failed(error), Figures::default());
                let end = StoredEnd { outcome, figures, at: SystemTime::now() };
                write::start_over(&transaction, *job, &keeping.model)?;
                write::end(&transaction, *job, &end, None)?;
            }
        }
    }
    transaction.commit()
}
