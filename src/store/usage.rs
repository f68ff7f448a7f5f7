//! What the box was used for, hour by hour: counts of the ended jobs, without questions or clients.
//!
//! `write` counts a job in the transaction that ends it. The counts stay when the job is deleted;
//! `chores` deletes those that no report covers any more.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, Row as SqlRow, params};

use super::write::millis;
use crate::types::job::JobId;
use crate::types::limits;

const HOUR_MS: i64 = 60 * 60 * 1000;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The jobs of one mode that ended in one hour.
#[derive(Clone, Debug, PartialEq)]
pub struct UsageHour {
    /// Hours from 1970 to the beginning of this one.
    pub hour: u64,
    /// Name of the mode.
    pub mode: String,
    /// Number of the jobs.
    pub jobs: u32,
    /// Tokens that they generated.
    pub tokens: u64,
    /// Seconds that the box worked on them, from the prompt to the last token.
    pub seconds: f64,
}

/// Counts a job that has just ended. One whose question or outcome is damaged is left out.
pub fn count(to: &Connection, job: JobId) -> rusqlite::Result<()> {
    let sql = "INSERT INTO usage (hour, mode, jobs, tokens, seconds)
         SELECT hour, mode, 1, tokens, seconds FROM ended_job WHERE number = ?1
         ON CONFLICT DO UPDATE SET jobs = jobs + 1, tokens = tokens + excluded.tokens,
             seconds = seconds + excluded.seconds";
    to.prepare_cached(sql)?.execute([job.0 as i64])?;
    Ok(())
}

/// Returns the counts since the hour of `since`, in the order of hours and then of modes' names.
pub fn since(from: &Connection, since: SystemTime) -> rusqlite::Result<Vec<UsageHour>> {
    let sql = "SELECT hour, mode, jobs, tokens, seconds FROM usage WHERE hour >= ?1
         ORDER BY hour, mode";
    from.prepare_cached(sql)?.query_map([hour(since)], read)?.collect()
}

/// Deletes the counts that are older than the longest report.
pub fn expire(to: &Connection, now: SystemTime) -> rusqlite::Result<()> {
    let days = DAY * limits::USAGE_DAYS_MAX;
    let oldest = hour(now.checked_sub(days).unwrap_or(UNIX_EPOCH));
    let sql = "DELETE FROM usage WHERE hour < ?1 AND hour + leapt_ms / ?2 < ?1";
    to.prepare_cached(sql)?.execute([oldest, HOUR_MS])?;
    Ok(())
}

/// Copies the counts of a damaged journal into the one that replaces it, as far as they can be
/// read; returns how many.
pub fn carry_over(from: &Connection, to: &mut Connection) -> rusqlite::Result<usize> {
    let transaction = to.transaction()?;
    let mut copied = 0;
    {
        let sql = "SELECT hour, mode, jobs, tokens, seconds, leapt_ms FROM usage";
        let mut statement = from.prepare(sql)?;
        let mut rows = statement.query([])?;
        let sql = "INSERT OR IGNORE INTO usage (hour, mode, jobs, tokens, seconds, leapt_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let mut insert = transaction.prepare(sql)?;
        while let Ok(Some(row)) = rows.next() {
            let Ok(UsageHour { hour, mode, jobs, tokens, seconds }) = read(row) else { continue };
            let leapt_ms = row.get::<_, i64>(5)?;
            let (hour, tokens) = (hour.cast_signed(), tokens.cast_signed());
            copied += insert.execute(params![hour, mode, jobs, tokens, seconds, leapt_ms])?;
        }
    }
    transaction.commit()?;
    Ok(copied)
}

fn read(row: &SqlRow<'_>) -> rusqlite::Result<UsageHour> {
    Ok(UsageHour {
        hour: row.get::<_, i64>(0)?.max(0).cast_unsigned(),
        mode: row.get(1)?,
        jobs: row.get(2)?,
        tokens: row.get::<_, i64>(3)?.max(0).cast_unsigned(),
        seconds: row.get(4)?,
    })
}

fn hour(time: SystemTime) -> i64 {
    millis(time) / HOUR_MS
}
