//! Reads the journal: single jobs, lists, unfinished jobs. Statements only; callers decide when.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row as SqlRow, params};
use serde::de::DeserializeOwned;

use super::row::Row;
use super::{StoredEnd, StoredJob, StoredValue};
use crate::types::answer::{Figures, Outcome};
use crate::types::job::{Client, JobId, JobName, Question};
use crate::types::limits;
use crate::types::position::Truncations;

/// A job in a list, without its log.
#[derive(Clone, Debug)]
pub struct JobSummary {
    /// Number of the job, which orders jobs by submission.
    pub id: JobId,
    /// Public name of the job, which cannot be guessed.
    pub name: JobName,
    /// The client that asked.
    pub client: Client,
    /// The question, with its mode and budget.
    pub question: Arc<Question>,
    /// When the question was asked.
    pub asked: SystemTime,
    /// The job's end, once it has ended.
    pub end: Option<StoredEnd>,
    /// The value of the answer, as far as it was read.
    pub value: StoredValue,
}

/// The columns of a [`JobSummary`] but for the value, all of the journal's first version: `salvage`
/// and `history` read journals that were not migrated.
const HEAD: &str = "number, name, client, question, asked_ms, outcome, ended_ms";

/// Returns the job called `name`.
pub fn by_name(from: &Connection, name: JobName) -> rusqlite::Result<Option<StoredJob>> {
    let mut statement = from.prepare_cached("SELECT number FROM job WHERE name = ?1")?;
    let number: Option<i64> =
        statement.query_row([name.0.to_be_bytes()], |row| row.get(0)).optional()?;
    number.map_or(Ok(None), |number| job(from, number))
}

/// Returns the job that a client submitted under an idempotency key, and the SHA-256 of that
/// request's body.
pub fn by_request(
    from: &Connection,
    client: Client,
    key: &[u8; 32],
) -> rusqlite::Result<Option<(JobName, [u8; 32])>> {
    let sql = "SELECT name, request_asked FROM job WHERE client = ?1 AND request = ?2";
    let mut statement = from.prepare_cached(sql)?;
    let found = |row: &SqlRow<'_>| Ok((JobName(u128::from_be_bytes(row.get(0)?)), row.get(1)?));
    statement.query_row(params![client.bytes(), key], found).optional()
}

/// Returns the job that is shared by the token with this hash.
pub fn by_share(from: &Connection, token: &[u8; 32]) -> rusqlite::Result<Option<JobName>> {
    let mut statement = from.prepare_cached("SELECT name FROM job WHERE shared = ?1")?;
    let found = |row: &SqlRow<'_>| Ok(JobName(u128::from_be_bytes(row.get(0)?)));
    statement.query_row([token], found).optional()
}

/// Returns the jobs of a client that are shared.
pub fn shared_of(from: &Connection, client: Client) -> rusqlite::Result<Vec<JobId>> {
    let sql = "SELECT number FROM job WHERE client = ?1 AND shared IS NOT NULL";
    let mut statement = from.prepare_cached(sql)?;
    let number = |row: &SqlRow<'_>| Ok(JobId(row.get::<_, i64>(0)? as u64));
    statement.query_map([client.bytes()], number)?.collect()
}

/// The values of answers in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListedValues {
    /// They are read as far as they are stored.
    Stored,
    /// They are not read: the journal may not be migrated.
    Unread,
}

/// Returns jobs of one client or of all, newest first, only those older than `before` if that is
/// given. At most `most`, and at most one more than the longest page, to show that another follows.
pub fn list(
    from: &Connection,
    client: Option<Client>,
    before: Option<JobId>,
    most: u32,
    values: ListedValues,
) -> rusqlite::Result<Vec<JobSummary>> {
    let value = if values == ListedValues::Stored { "value" } else { "NULL" };
    let whose = if client.is_some() { "client = ?1" } else { "?1 IS NULL" };
    let sql = format!(
        "SELECT {HEAD}, {value} FROM job WHERE {whose} AND number < ?2
         ORDER BY number DESC LIMIT ?3"
    );
    let before = before.map_or(i64::MAX, |job| i64::try_from(job.0).unwrap_or(i64::MAX));
    let mut statement = from.prepare_cached(&sql)?;
    let client = client.map(|client| client.bytes());
    let most = most.min(limits::LIST_JOBS_MAX + 1);
    let listed = |row: &SqlRow<'_>| {
        let known = |value: String| StoredValue::Known(Some(value).filter(|v| !v.is_empty()));
        let value = row.get::<_, Option<String>>(7)?.map_or(StoredValue::Unknown, known);
        Ok(JobSummary { value, ..head(row)? })
    };
    statement.query_map(params![client, before, most], listed)?.collect()
}

/// Returns the numbers of all unfinished jobs, in the order of submission.
pub fn not_over(from: &Connection) -> rusqlite::Result<Vec<i64>> {
    let sql = "SELECT number FROM job WHERE ended_ms IS NULL ORDER BY number";
    from.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
}

/// Returns the numbers of the jobs whose names begin with these hexadecimal digits, at most two.
pub fn by_prefix(from: &Connection, digits: &str) -> rusqlite::Result<Vec<i64>> {
    let sql = "SELECT number FROM job WHERE lower(hex(name)) LIKE ?1 || '%' LIMIT 2";
    from.prepare(sql)?.query_map([digits], |row| row.get(0))?.collect()
}

/// Returns the numbers of the jobs after `number`, in order, at most `most`.
pub fn after(from: &Connection, number: i64, most: u32) -> rusqlite::Result<Vec<i64>> {
    let sql = "SELECT number FROM job WHERE number > ?1 ORDER BY number LIMIT ?2";
    from.prepare_cached(sql)?.query_map(params![number, most], |row| row.get(0))?.collect()
}

/// Returns the fingerprint of the model whose tokens are in a job's log.
pub fn model_of(from: &Connection, number: i64) -> rusqlite::Result<String> {
    from.query_row("SELECT model FROM job WHERE number = ?1", [number], |row| row.get(0))
}

/// Returns a job with its log.
///
/// # Errors
/// SQLite's; a conversion error without an SQLite code if the stored values are damaged.
pub fn job(from: &Connection, number: i64) -> rusqlite::Result<Option<StoredJob>> {
    let sql =
        format!("SELECT {HEAD}, cuts, crashes, answer_now, stopping FROM job WHERE number = ?1");
    let mut statement = from.prepare_cached(&sql)?;
    let found = statement.query_row([number], |row| {
        let (forgotten, survived): (u32, Vec<usize>) = parsed(row, 7)?;
        let cuts = Truncations::from_parts(forgotten, survived);
        let (crashes, wants) = (row.get::<_, u32>(8)?, (row.get::<_, bool>(9)?, row.get(10)?));
        Ok((head(row)?, cuts, crashes, wants))
    });
    let Some((head, cuts, crashes, wants)) = found.optional()? else { return Ok(None) };
    let (answer_now, stopping) = wants;
    let JobSummary { id, name, client, question, asked, end, value: _ } = head;
    let mut log = Vec::new();
    let mut rows = from.prepare_cached("SELECT gains FROM log WHERE job = ?1 ORDER BY row")?;
    for packed in rows.query_map([number], |row| row.get::<_, Vec<u8>>(0))? {
        log.extend(Row::unpack(&packed?).map_err(|_| damaged(0, Type::Blob, "a row of a log"))?);
    }
    let mut ends =
        from.prepare_cached("SELECT number, outcome FROM attempt WHERE job = ?1 ORDER BY place")?;
    let ends = ends.query_map([number], |row| {
        let (outcome, figures) = parsed(row, 1)?;
        Ok((row.get(0)?, outcome, figures))
    })?;
    let ends: Vec<(u32, Outcome, Figures)> = ends.collect::<rusqlite::Result<_>>()?;
    let attempts = log.iter().map(|(attempt, _)| attempt).chain(ends.iter().map(|end| &end.0));
    if attempts.max().is_some_and(|&most| most >= question.attempts) {
        return Err(damaged(0, Type::Integer, "the number of an attempt"));
    }
    let kept = StoredJob {
        id,
        name,
        client,
        question,
        asked,
        log,
        ends,
        end,
        cuts,
        crashes,
        answer_now,
        stopping,
    };
    Ok(Some(kept))
}

/// Reads the columns of [`HEAD`].
fn head(row: &SqlRow<'_>) -> rusqlite::Result<JobSummary> {
    let end = match row.get::<_, Option<i64>>(6)? {
        None => None,
        Some(ended_ms) => {
            let (outcome, figures) = parsed(row, 5)?;
            Some(StoredEnd { outcome, figures, at: time(ended_ms) })
        }
    };
    Ok(JobSummary {
        id: JobId(row.get::<_, i64>(0)?.cast_unsigned()),
        name: JobName(u128::from_be_bytes(row.get(1)?)),
        client: Client::from_bytes(row.get(2)?),
        question: Arc::new(parsed(row, 3)?),
        asked: time(row.get(4)?),
        end,
        value: StoredValue::Unknown,
    })
}

/// Reads a time; one before 1970 is damaged and counts as 1970.
fn time(millis: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(millis.max(0).cast_unsigned())
}

/// Reads a column of JSON.
fn parsed<T: DeserializeOwned>(row: &SqlRow<'_>, column: usize) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
    })
}

fn damaged(column: usize, kind: Type, what: &str) -> rusqlite::Error {
    let cause = std::io::Error::other(format!("{what} is invalid"));
    rusqlite::Error::FromSqlConversionFailure(column, kind, Box::new(cause))
}
