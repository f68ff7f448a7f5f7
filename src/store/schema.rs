//! The journal's file: opens it, checks it, migrates it, and replaces a damaged one.
//!
//! A start checks no more than it needs: SQLite's header, the application ID, the tables, and (in
//! `read`) the unfinished jobs. The integrity of the whole file is checked while the engine is idle
//! (`chores`). A damaged file is renamed, never deleted, and a new one is made.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::types::error::{Error, Kind, io_cause};
use crate::types::limits;

/// The journal's file in the data folder.
pub const FILE: &str = "journal.sqlite";
/// Marks the file as a journal of solverbox in its header ("sbox").
const APPLICATION_ID: i32 = 0x7362_6f78;
/// Suffixes of the files that belong to a journal, its own included.
const COMPANIONS: [&str; 4] = ["", "-journal", "-wal", "-shm"];

/// The versions of the schema; the last is what this program uses. A file of an earlier version is
/// migrated by each version that follows, in a transaction of its own.
const VERSIONS: [&str; 5] = [FIRST, CLOCK, VALUE, SHARED, USAGE];

const FIRST: &str = "
CREATE TABLE job (
    number INTEGER PRIMARY KEY,
    name BLOB NOT NULL UNIQUE,          -- 16 random bytes
    client BLOB NOT NULL,               -- 16 bytes
    request BLOB,                       -- SHA-256 of the Idempotency-Key
    request_asked BLOB,                 -- SHA-256 of that request's body
    question TEXT NOT NULL,             -- JSON
    asked_ms INTEGER NOT NULL,          -- since 1970
    model TEXT NOT NULL,                -- fingerprint; the log has its tokens
    answer_now INTEGER NOT NULL DEFAULT 0,
    stopping INTEGER NOT NULL DEFAULT 0,
    crashes INTEGER NOT NULL DEFAULT 0,
    cuts TEXT NOT NULL DEFAULT '[0,[]]', -- JSON: starts no longer listed, log bytes at later ones
    ended_ms INTEGER,
    outcome TEXT                        -- JSON: how it ended, and its figures
) STRICT;
CREATE UNIQUE INDEX job_of_request ON job (client, request) WHERE request IS NOT NULL;
CREATE INDEX job_of_client ON job (client, number);
CREATE INDEX job_not_over ON job (number) WHERE ended_ms IS NULL;
CREATE INDEX job_over ON job (ended_ms) WHERE ended_ms IS NOT NULL;
CREATE TABLE attempt (
    job INTEGER NOT NULL REFERENCES job ON DELETE CASCADE,
    place INTEGER NOT NULL,             -- order in which the job's attempts ended
    number INTEGER NOT NULL,
    outcome TEXT NOT NULL,              -- JSON: how it ended, and its figures
    PRIMARY KEY (job, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE log (
    job INTEGER NOT NULL REFERENCES job ON DELETE CASCADE,
    row INTEGER NOT NULL,
    gains BLOB NOT NULL,                -- store/row.rs
    PRIMARY KEY (job, row)
) STRICT, WITHOUT ROWID;
";

const CLOCK: &str = "
-- By how much the clock has jumped since the job ended.
ALTER TABLE job ADD COLUMN leapt_ms INTEGER NOT NULL DEFAULT 0;
CREATE TABLE clock (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    seen_ms INTEGER NOT NULL            -- last time seen, to within a day
) STRICT;
";

const VALUE: &str = "
-- The value of the answer as lists show it, '' for none. NULL for jobs that have not ended, and for
-- those that an earlier version ended until they are listed.
ALTER TABLE job ADD COLUMN value TEXT;
";

const SHARED: &str = "
-- SHA-256 of the token with which anybody may read the job.
ALTER TABLE job ADD COLUMN shared BLOB;
CREATE UNIQUE INDEX job_of_share ON job (shared) WHERE shared IS NOT NULL;
";

const USAGE: &str = "
-- What the ended jobs count for; a damaged one is left out.
CREATE VIEW ended_job AS SELECT * FROM (
    SELECT number, ended_ms / 3600000 AS hour, leapt_ms,
        CASE WHEN json_valid(question) THEN question ->> '$.mode.name' END AS mode,
        CASE WHEN json_valid(outcome) THEN outcome ->> '$[1].completion_tokens' END AS tokens,
        CASE WHEN json_valid(outcome) THEN
            (outcome ->> '$[1].prompt_seconds') + (outcome ->> '$[1].decode_seconds')
        END AS seconds
    FROM job WHERE ended_ms IS NOT NULL
) WHERE typeof(mode) = 'text' AND typeof(tokens) = 'integer' AND seconds IS NOT NULL;
-- The jobs that ended in each hour, counted as they end, whether or not they are kept.
CREATE TABLE usage (
    hour INTEGER NOT NULL,              -- since 1970
    mode TEXT NOT NULL,                 -- its name
    jobs INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    seconds REAL NOT NULL,
    leapt_ms INTEGER NOT NULL DEFAULT 0, -- by how much the clock has jumped since
    PRIMARY KEY (hour, mode)
) STRICT, WITHOUT ROWID;
INSERT INTO usage SELECT hour, mode, count(*), sum(tokens), sum(seconds), max(leapt_ms)
    FROM ended_job GROUP BY hour, mode;
";

/// Reads a row of each table and column of the first version, which commands use on a journal that
/// may not be migrated yet.
const FIRST_TABLES: [&str; 3] = [
    "SELECT number, name, client, request, request_asked, question, asked_ms, model, answer_now, \
     stopping, crashes, cuts, ended_ms, outcome FROM job ORDER BY number DESC LIMIT 1",
    "SELECT job, place, number, outcome FROM attempt LIMIT 1",
    "SELECT job, row, gains FROM log LIMIT 1",
];

/// The same of the later versions.
const LATER_TABLES: [&str; 3] = [
    "SELECT leapt_ms, value, shared FROM job ORDER BY number DESC LIMIT 1",
    "SELECT seen_ms FROM clock",
    "SELECT hour, mode, jobs, tokens, seconds, leapt_ms FROM usage LIMIT 1",
];

/// Why a file cannot be used.
enum JournalFault {
    /// It is damaged or not a journal of solverbox, and is replaced.
    Damaged(String),
    /// It cannot be opened, but is not known to be damaged.
    Other(Error),
}

/// Opens the journal in `folder` for writing; returns the new name of a damaged one that it
/// replaces.
///
/// # Errors
/// `no_space` if the disk is full; `bad_request` if a later version of the program wrote the file;
/// `environment` with the cause if it cannot be read or written.
pub fn open(folder: &Path) -> Result<(Connection, Option<PathBuf>), Error> {
    match open_file(&folder.join(FILE)) {
        Ok(connection) => Ok((connection, None)),
        Err(JournalFault::Other(error)) => Err(error),
        Err(JournalFault::Damaged(cause)) => {
            let aside = set_aside(folder, &cause)?;
            match open_file(&folder.join(FILE)) {
                Ok(connection) => Ok((connection, Some(aside))),
                Err(JournalFault::Other(error)) => Err(error),
                Err(JournalFault::Damaged(cause)) => {
                    Err(Error::internal(format!("cannot make a new journal: {cause}")))
                }
            }
        }
    }
}

/// Opens the journal in `folder` for reading, next to the writer's connection.
///
/// # Errors
/// Like [`failed`].
pub fn open_reader(folder: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(folder.join(FILE), flags)
        .and_then(|connection| {
            connection.busy_timeout(limits::JOURNAL_BUSY_WAIT)?;
            connection.pragma_update(None, "cache_size", -limits::JOURNAL_CACHE_KIB)?;
            Ok(connection)
        })
        .map_err(|e| failed(&e))
}

/// Opens the journal in `folder` for reading and deleting, while a solverbox may be using it. It is
/// not migrated, because that solverbox may be of an earlier version.
///
/// # Errors
/// Like [`failed`].
pub fn open_shared(folder: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let set_up = |connection: Connection| {
        connection.busy_timeout(limits::JOURNAL_BUSY_WAIT)?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "secure_delete", "FAST")?;
        check_tables(&connection, &FIRST_TABLES)?;
        Ok(connection)
    };
    Connection::open_with_flags(folder.join(FILE), flags).and_then(set_up).map_err(|e| failed(&e))
}

fn open_file(file: &Path) -> Result<Connection, JournalFault> {
    check_header(file)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(file, flags).map_err(fault)?;
    let number = |pragma: &str| {
        connection.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0)).map_err(fault)
    };
    let (application, version) = (number("application_id")?, number("user_version")?);
    if application == 0 && version == 0 {
        // Must come before the first table, or the whole file would have to be rewritten; and only
        // then, because it writes to the file and the disk may be full.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL").map_err(fault)?;
    }
    let is_ours = application == APPLICATION_ID || (application == 0 && version == 0);
    if is_ours && version as usize <= VERSIONS.len() {
        set_up(&connection).map_err(fault)?;
    }
    if version == 0 && application == 0 {
        begin(&mut connection, &VERSIONS).map_err(fault)?;
    } else if application != APPLICATION_ID {
        return Err(JournalFault::Damaged("it is not a journal of solverbox".to_string()));
    } else if version as usize > VERSIONS.len() {
        return Err(JournalFault::Other(Error::bad_request(
            format!(
                "the journal '{}' was written by a later solverbox (version {version}; this one \
                 knows {})",
                file.display(),
                VERSIONS.len()
            ),
            "Use the later program, or name another folder with --data DIR.",
        )));
    } else {
        migrate(&mut connection, version as usize).map_err(fault)?;
    }
    check_tables(&connection, &FIRST_TABLES).map_err(fault)?;
    check_tables(&connection, &LATER_TABLES).map_err(fault)?;
    Ok(connection)
}

/// Checks the file's header before SQLite opens it. A wrong one is damage, unless a rollback
/// journal lies next to the file, which SQLite applies first.
fn check_header(file: &Path) -> Result<(), JournalFault> {
    let mut head = Vec::new();
    match std::fs::File::open(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(JournalFault::Other(cannot_open(file, &io_cause(&error)))),
        Ok(opened) => {
            opened
                .take(16)
                .read_to_end(&mut head)
                .map_err(|e| JournalFault::Other(cannot_open(file, &io_cause(&e))))?;
        }
    }
    match head.as_slice() {
        b"" | b"SQLite format 3\0" => Ok(()),
        _ if file.with_extension("sqlite-journal").exists() => Ok(()),
        _ => Err(JournalFault::Damaged("it does not have SQLite's header".to_string())),
    }
}

/// Returns whether a file has SQLite's header.
pub fn is_database(file: &Path) -> bool {
    check_header(file).is_ok()
}

fn set_up(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(limits::JOURNAL_BUSY_WAIT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // A commit returns when it is on the disk.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -limits::JOURNAL_CACHE_KIB)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // Deleted text must not remain in the file.
    connection.pragma_update(None, "secure_delete", "FAST")?;
    connection.pragma_update(None, "cell_size_check", true)
}

fn begin(connection: &mut Connection, versions: &[&str]) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    for version in versions {
        transaction.execute_batch(version)?;
    }
    transaction.pragma_update(None, "user_version", versions.len() as i32)?;
    transaction.commit()
}

/// Makes a journal of an earlier version, from 1.
#[cfg(test)]
pub fn begin_version(connection: &mut Connection, version: usize) -> rusqlite::Result<()> {
    begin(connection, &VERSIONS[..version])
}

fn migrate(connection: &mut Connection, from: usize) -> rusqlite::Result<()> {
    for (at, version) in VERSIONS.iter().enumerate().skip(from) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(version)?;
        transaction.pragma_update(None, "user_version", at as i32 + 1)?;
        transaction.commit()?;
        log::info!("the journal was migrated to version {}", at + 1);
    }
    Ok(())
}

/// Reads one row of each table, which fails if columns are missing or root pages are damaged.
fn check_tables(connection: &Connection, tables: &[&str]) -> rusqlite::Result<()> {
    for sql in tables {
        connection.prepare(sql)?.query([])?.next()?;
    }
    Ok(())
}

/// Renames the files of the damaged journal in `folder`, logs that, and returns the new name.
///
/// # Errors
/// `internal` if they cannot be renamed.
pub fn set_aside(folder: &Path, cause: &str) -> Result<PathBuf, Error> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let name = |second: u64| folder.join(format!("journal.damaged-{second}.sqlite"));
    let free = (seconds..).find(|&second| !name(second).exists()).unwrap_or(seconds);
    let aside = name(free);
    for companion in COMPANIONS {
        let with = |file: &Path| PathBuf::from(format!("{}{companion}", file.display()));
        match std::fs::rename(with(&folder.join(FILE)), with(&aside)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                let what = format!("cannot rename the damaged journal: {}", io_cause(&error));
                return Err(Error::internal(what));
            }
            _ => {}
        }
    }
    log::error!(
        "the journal is damaged ({cause}): it is kept as '{}', and a new one is made",
        aside.display()
    );
    Ok(aside)
}

fn fault(error: rusqlite::Error) -> JournalFault {
    if is_damage(&error) {
        return JournalFault::Damaged(error.to_string());
    }
    JournalFault::Other(failed(&error))
}

/// Returns whether an error means that the file is damaged.
pub fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{FromSqlConversionFailure, InvalidColumnType, SqlInputError};
    match error {
        // The statements are correct, so a table or column is missing.
        SqlInputError { .. } | FromSqlConversionFailure(..) | InvalidColumnType(..) => true,
        other => matches!(
            other.sqlite_error_code(),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown)
        ),
    }
}

/// Turns an error of SQLite into one for a person: `no_space` if the disk is full, `busy` if
/// another program holds the file for long, else `internal`.
pub fn failed(error: &rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Error::new(
            Kind::NoSpace,
            "the journal cannot be written: the disk is full",
            "Make room on the disk of --data, or delete old answers: solverbox history delete.",
        ),
        Some(ErrorCode::DatabaseBusy) => {
            Error::new(Kind::Busy, "another program is using the journal", "Try again in a moment.")
        }
        _ => Error::new(
            Kind::Internal,
            format!("the journal cannot be read or written: {error}"),
            "Check the disk of --data: it may be failing or write-protected.",
        ),
    }
}

fn cannot_open(file: &Path, cause: &str) -> Error {
    Error::new(
        Kind::Environment,
        format!("cannot open the journal '{}': {cause}", file.display()),
        "Name a folder that you own with --data DIR.",
    )
}
