//! Writes the journal, one function a statement; `journal` decides when.

use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::row::Row;
use super::{ForgottenJobs, JobSelection, NewJob, StoredEnd, StoredJob, usage};
use crate::types::answer::{Figures, Outcome};
use crate::types::job::JobId;
use crate::types::limits;
use crate::types::position::Truncations;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Adds an unfinished job; returns false if its number, name or idempotency key exists already.
pub fn job(to: &Connection, model: &str, new: &NewJob) -> rusqlite::Result<bool> {
    let mut statement = to.prepare_cached(
        "INSERT INTO job (number, name, client, request, request_asked, question, asked_ms, model)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
    )?;
    let added = statement.execute(params![
        new.id.0 as i64,
        new.name.0.to_be_bytes(),
        new.client.bytes(),
        new.request.map(|request| request.key),
        new.request.map(|request| request.asked),
        json(&*new.question),
        millis(new.asked),
        model,
    ])?;
    Ok(added == 1)
}

/// Adds a row to a job's log.
pub fn row(to: &Connection, job: JobId, row: &Row) -> rusqlite::Result<()> {
    let mut statement = to.prepare_cached(
        "INSERT INTO log (job, row, gains)
         SELECT ?1, coalesce((SELECT max(row) FROM log WHERE job = ?1), 0) + 1, ?2
         WHERE EXISTS (SELECT 1 FROM job WHERE number = ?1)",
    )?;
    statement.execute(params![job.0 as i64, row.pack()])?;
    Ok(())
}

/// Adds the end of an attempt.
pub fn attempt(
    to: &Connection,
    job: JobId,
    number: u32,
    end: &(Outcome, Figures),
) -> rusqlite::Result<()> {
    let mut statement = to.prepare_cached(
        "INSERT INTO attempt (job, place, number, outcome)
         SELECT ?1, (SELECT count(*) FROM attempt WHERE job = ?1), ?2, ?3
         WHERE EXISTS (SELECT 1 FROM job WHERE number = ?1) ON CONFLICT DO NOTHING",
    )?;
    statement.execute(params![job.0 as i64, number, json(end)])?;
    Ok(())
}

/// Ends a job with the value of its answer and counts it, unless it has ended already.
pub fn end(
    to: &Connection,
    job: JobId,
    end: &StoredEnd,
    value: Option<&str>,
) -> rusqlite::Result<()> {
    let mut statement = to.prepare_cached(
        "UPDATE job SET ended_ms = ?2, outcome = ?3, value = ?4
         WHERE number = ?1 AND ended_ms IS NULL",
    )?;
    let StoredEnd { outcome, figures, at } = end;
    let outcome = json(&(outcome, figures));
    let value = value.unwrap_or_default();
    let ended = statement.execute(params![job.0 as i64, millis(*at), outcome, value])?;
    if ended > 0 { usage::count(to, job) } else { Ok(()) }
}

/// Stores the value of an ended job's answer.
pub fn value(to: &Connection, job: JobId, value: Option<&str>) -> rusqlite::Result<()> {
    to.prepare_cached("UPDATE job SET value = ?2 WHERE number = ?1")?
        .execute(params![job.0 as i64, value.unwrap_or_default()])?;
    Ok(())
}

/// Records that a person asked for a job's answer at once.
pub fn answer_now(to: &Connection, job: JobId) -> rusqlite::Result<()> {
    to.prepare_cached("UPDATE job SET answer_now = 1 WHERE number = ?1")?
        .execute([job.0 as i64])?;
    Ok(())
}

/// Records that a person stopped a job.
pub fn stopping(to: &Connection, job: JobId) -> rusqlite::Result<()> {
    to.prepare_cached("UPDATE job SET stopping = 1 WHERE number = ?1")?.execute([job.0 as i64])?;
    Ok(())
}

/// Adds a job that is not in the journal yet, with its log, its ends and the value of its answer.
pub fn whole(
    to: &Connection,
    model: &str,
    kept: &StoredJob,
    value: Option<&str>,
) -> rusqlite::Result<()> {
    let (id, question) = (kept.id, kept.question.clone());
    let StoredJob { name, client, asked, .. } = *kept;
    job(to, model, &NewJob { id, name, client, request: None, question, asked })?;
    let mut all = Row::default();
    kept.log.iter().for_each(|(number, delta)| all.add(*number, delta.clone()));
    if !all.is_empty() {
        row(to, id, &all)?;
    }
    for (number, outcome, figures) in &kept.ends {
        attempt(to, id, *number, &(outcome.clone(), *figures))?;
    }
    kept.end.as_ref().map_or(Ok(()), |ended| end(to, id, ended, value))
}

/// Stores the hash of the token that shares a job, in place of an earlier one; `None` for no token.
pub fn share(to: &Connection, job: JobId, token: Option<&[u8; 32]>) -> rusqlite::Result<()> {
    to.prepare_cached("UPDATE job SET shared = ?2 WHERE number = ?1")?
        .execute(params![job.0 as i64, token])?;
    Ok(())
}

/// Deletes a job with its log and its attempts.
pub fn forget(to: &Connection, job: JobId) -> rusqlite::Result<()> {
    to.prepare_cached("DELETE FROM job WHERE number = ?1")?.execute([job.0 as i64])?;
    Ok(())
}

/// Deletes jobs of a client, unfinished ones too.
pub fn forget_all(to: &Connection, jobs: &ForgottenJobs) -> rusqlite::Result<()> {
    let kept: Vec<u64> = jobs.kept.iter().map(|job| job.0).collect();
    to.prepare_cached(
        "DELETE FROM job WHERE client = ?1 AND number <= ?2
         AND number NOT IN (SELECT value FROM json_each(?3))",
    )?
    .execute(params![jobs.client.bytes(), jobs.last.0 as i64, json(&kept)])?;
    Ok(())
}

/// Deletes ended jobs, at most `most`; returns how many.
pub fn forget_ended(to: &Connection, which: &JobSelection, most: u32) -> rusqlite::Result<usize> {
    let some = |bound: &str| {
        format!(
            "DELETE FROM job WHERE number IN (SELECT number FROM job
             WHERE ended_ms IS NOT NULL {bound} LIMIT {most})"
        )
    };
    match which {
        JobSelection::All => to.execute(&some(""), []),
        JobSelection::Before(time) => to.execute(&some("AND asked_ms < ?1"), [millis(*time)]),
        JobSelection::One(job) => to.execute(&some("AND number = ?1"), [job.0 as i64]),
    }
}

/// Counts a crash against an unfinished job.
pub fn crash(to: &Connection, job: JobId) -> rusqlite::Result<()> {
    let mut statement = to.prepare_cached(
        "UPDATE job SET crashes = crashes + 1 WHERE number = ?1 AND ended_ms IS NULL",
    )?;
    statement.execute([job.0 as i64])?;
    Ok(())
}

/// Records where restarts have truncated a job's log.
pub fn cuts(to: &Connection, job: JobId, cuts: &Truncations) -> rusqlite::Result<()> {
    let mut statement = to.prepare_cached("UPDATE job SET cuts = ?2 WHERE number = ?1")?;
    statement.execute(params![job.0 as i64, json(&cuts.parts())])?;
    Ok(())
}

/// Deletes what a job's attempts wrote, so that it starts over with another model.
pub fn start_over(to: &Connection, job: JobId, model: &str) -> rusqlite::Result<()> {
    let number = job.0 as i64;
    to.execute("DELETE FROM log WHERE job = ?1", [number])?;
    to.execute("DELETE FROM attempt WHERE job = ?1", [number])?;
    to.execute("UPDATE job SET model = ?2 WHERE number = ?1", params![number, model])?;
    Ok(())
}

/// Checks the clock: if it has jumped, ended jobs and their counts do not count as older for that.
///
/// A board without a battery starts with the time at which it was switched off. When its date is
/// set, everything stored would be too old at once.
pub fn clock(to: &mut Connection, now: SystemTime) -> rusqlite::Result<()> {
    let seen = to.query_row("SELECT seen_ms FROM clock", [], |row| row.get::<_, i64>(0));
    let (seen, now) = (seen.optional()?, millis(now));
    let passed = now - seen.unwrap_or(0);
    if seen.is_some() && (0..DAY_MS).contains(&passed) {
        return Ok(());
    }
    let transaction = to.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if let Some(seen) = seen
        && passed > limits::CLOCK_LEAP_DAYS * DAY_MS
    {
        let leapt = "UPDATE job SET leapt_ms = leapt_ms + ?1 WHERE ended_ms + leapt_ms < ?2";
        // No job ends within the gap; those after the last check ended close to it.
        transaction.execute(leapt, [passed, seen + passed / 2])?;
        let leapt = "UPDATE usage SET leapt_ms = leapt_ms + ?1
             WHERE hour * 3600000 + leapt_ms < ?2";
        transaction.execute(leapt, [passed, seen + passed / 2])?;
        log::info!("the clock jumped by {} days, which makes no answer older", passed / DAY_MS);
    }
    let look = "INSERT INTO clock (one, seen_ms) VALUES (1, ?1)
         ON CONFLICT DO UPDATE SET seen_ms = ?1";
    transaction.execute(look, [now])?;
    transaction.commit()
}

/// Deletes jobs that ended before `since`, else the oldest if the journal is larger than
/// `bytes_max`; at most `most` at once. Returns how many.
pub fn expire(
    to: &Connection,
    since: SystemTime,
    bytes_max: u64,
    most: u32,
) -> rusqlite::Result<usize> {
    let old = "DELETE FROM job WHERE number IN (SELECT number FROM job
         WHERE ended_ms < ?1 AND ended_ms + leapt_ms < ?1 ORDER BY number LIMIT ?2)";
    let gone = to.execute(old, params![millis(since), most])?;
    if gone > 0 || used_bytes(to)? <= bytes_max {
        return Ok(gone);
    }
    let oldest = "DELETE FROM job WHERE number IN (SELECT number FROM job
         WHERE ended_ms IS NOT NULL ORDER BY number LIMIT ?1)";
    to.execute(oldest, [most.div_ceil(8)])
}

/// Returns the size of the journal's pages in use, in bytes.
pub fn used_bytes(of: &Connection) -> rusqlite::Result<u64> {
    let number = |pragma: &str| of.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let used = (number("page_count")? - number("freelist_count")?) * number("page_size")?;
    Ok(used.max(0).cast_unsigned())
}

/// Returns the highest job number so far.
pub fn last_number(of: &Connection) -> rusqlite::Result<u64> {
    let last = of.query_row("SELECT max(number) FROM job", [], |row| row.get::<_, Option<i64>>(0));
    Ok(last.optional()?.flatten().unwrap_or(0).cast_unsigned())
}

fn json(value: &impl serde::Serialize) -> String {
    // Maps have string keys and numbers are finite or null, so nothing can fail.
    serde_json::to_string(value).expect("stored values have a form in JSON")
}

/// Returns milliseconds since 1970.
pub fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    i64::try_from(since).unwrap_or(i64::MAX)
}
