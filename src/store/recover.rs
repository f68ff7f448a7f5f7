//! What a start finds in the journal, and what it notes there: that the box was stopped, how much
//! of each log survived that, and over whom it crashed.
//!
//! Reading comes first. What cannot be noted because the disk is full is no reason not to serve:
//! the jobs go on from what was read.

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use super::{Keeping, StoredJob, read, write};
use crate::types::answer::{Figures, Outcome};
use crate::types::error::{Error, Kind};
use crate::types::job::JobId;

/// A job that is not over, as it was found.
enum Found {
    /// It goes on.
    Sound(Box<StoredJob>),
    /// It is begun anew: its tokens are another model's.
    Foreign(Box<StoredJob>),
    /// What was kept of it makes no sense: it fails, alone.
    Damaged(JobId),
}

/// Finds the jobs that are not over, oldest first, and the highest number any job has had.
///
/// # Errors
/// What SQLite says, but for a full disk.
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
            log::error!("the start cannot be noted in the journal: the disk is full");
        }
        noted => noted?,
    }
    let jobs = found.into_iter().filter_map(|found| match found {
        Found::Sound(kept) | Found::Foreign(kept) => Some(*kept),
        Found::Damaged(_) => None,
    });
    Ok((jobs.collect(), last))
}

fn find(
    connection: &Connection,
    number: i64,
    keeping: &Keeping,
    crashed: &[JobId],
) -> rusqlite::Result<Option<Found>> {
    let is_foreign = read::model_of(connection, number)? != keeping.model;
    let mut kept = match read::job(connection, number) {
        Ok(Some(kept)) => Box::new(kept),
        Ok(None) => return Ok(None),
        // Not SQLite but what was made of its values: the rest of the file may be sound.
        Err(error) if error.sqlite_error_code().is_none() => {
            log::error!("what was kept of job {number} is damaged: {error}");
            return Ok(Some(Found::Damaged(JobId(number.cast_unsigned()))));
        }
        Err(error) => return Err(error),
    };
    kept.crashes += u32::from(crashed.contains(&kept.id));
    if is_foreign {
        log::info!("job {number} is begun anew: its tokens are another model's");
        kept.log.clear();
        kept.ends.clear();
    }
    kept.cuts.push(kept.log_bytes());
    Ok(Some(if is_foreign { Found::Foreign(kept) } else { Found::Sound(kept) }))
}

fn note(
    connection: &mut Connection,
    found: &[Found],
    keeping: &Keeping,
    crashed: &[JobId],
) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for &job in crashed {
        write::crash(&transaction, job)?;
    }
    for found in found {
        match found {
            Found::Sound(kept) => write::cuts(&transaction, kept.id, &kept.cuts)?,
            Found::Foreign(kept) => {
                write::begin_anew(&transaction, kept.id, &keeping.model)?;
                write::cuts(&transaction, kept.id, &kept.cuts)?;
            }
            Found::Damaged(job) => {
                let error = Error::new(
                    Kind::Internal,
                    "what was kept of this question is damaged",
                    "Ask again.",
                );
                write::begin_anew(&transaction, *job, &keeping.model)?;
                write::end(&transaction, *job, &(Outcome::Failed(error), Figures::default()))?;
            }
        }
    }
    transaction.commit()
}
