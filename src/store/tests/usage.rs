//! The counts of ended jobs: each job once, whatever happens to it and to the journal later.

use super::*;
use crate::store::{UsageHour, usage, write};

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn figures(seconds: f64) -> Figures {
    let (completion_tokens, prompt_seconds) = (10, 0.5);
    Figures { completion_tokens, prompt_seconds, decode_seconds: seconds, ..Figures::default() }
}

fn used(hour: u64, mode: &str, jobs: u32, tokens: u64, seconds: f64) -> UsageHour {
    UsageHour { hour, mode: mode.to_string(), jobs, tokens, seconds }
}

/// Adds a job that ended at a time, without counting it.
fn add_ended(to: &Connection, number: u64, at: Duration) {
    write::job(to, "test", &NewJob { request: None, ..new(number) }).unwrap();
    let outcome = serde_json::to_string(&(Outcome::Done, figures(1.0))).unwrap();
    let end = "UPDATE job SET ended_ms = ?1, outcome = ?2 WHERE number = ?3";
    to.execute(end, rusqlite::params![at.as_millis() as i64, outcome, number as i64]).unwrap();
}

/// Returns the sums of all that the journal counted: jobs and tokens.
fn counted(journal: &Journal) -> (u32, u64) {
    let hours = journal.usage(SystemTime::UNIX_EPOCH).unwrap();
    (hours.iter().map(|hour| hour.jobs).sum(), hours.iter().map(|hour| hour.tokens).sum())
}

#[test]
fn usage_is_counted_by_hour_and_mode_and_read_from_the_hour_of_a_time_on() {
    let folder = tempfile::tempdir().unwrap();
    let (connection, _) = schema::open(folder.path()).unwrap();
    let at = |minutes: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(minutes * 60);
    for (number, minutes) in (1..).zip([59, 60, 60, 119, 120, 180]) {
        let mut job = NewJob { request: None, ..new(number) };
        if number == 4 {
            let mut question = Arc::unwrap_or_clone(job.question);
            question.mode = Modes::built_in().find("hint").unwrap();
            job.question = Arc::new(question);
        }
        write::job(&connection, "test", &job).unwrap();
        if number == 6 {
            connection.execute_batch("UPDATE job SET question = 'x' WHERE number = 6").unwrap();
        }
        let end = StoredEnd { at: at(minutes), ..ended(figures(number as f64)) };
        // What is tried again counts once.
        (0..2).for_each(|_| write::end(&connection, JobId(number), &end, None).unwrap());
    }
    let expected = [
        used(0, "math", 1, 10, 1.5),
        used(1, "hint", 1, 10, 4.5),
        used(1, "math", 2, 20, 6.0),
        used(2, "math", 1, 10, 5.5),
    ];
    assert_eq!(usage::since(&connection, at(0)).unwrap(), expected, "damage is left out");
    assert_eq!(usage::since(&connection, at(90)).unwrap(), expected[1..]);
    assert_eq!(usage::since(&connection, at(180)).unwrap(), []);
}

#[test]
fn a_deleted_job_still_counts_and_one_deleted_before_its_end_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = open(folder.path());
    (1..=3).for_each(|number| journal.accept(new(number)).unwrap());
    end(&journal, JobId(1), figures(1.0));
    end(&journal, JobId(2), figures(1.0));
    journal.forget(JobId(2));
    journal.forget(JobId(3));
    end(&journal, JobId(3), figures(1.0));
    journal.flush();
    assert_eq!(counted(&journal), (2, 20));
    journal.forget_all(ForgottenJobs { client: new(1).client, last: JobId(3), kept: Vec::new() });
    journal.flush();
    assert_eq!(journal.list(None, None, 10).unwrap().len(), 0);
    assert_eq!(counted(&journal), (2, 20));
}

#[test]
fn a_job_that_ends_again_after_a_power_cut_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    let copy = tempfile::tempdir().unwrap();
    let (journal, _) = open(folder.path());
    (1..=2).for_each(|number| journal.accept(new(number)).unwrap());
    end(&journal, JobId(1), figures(1.0));
    journal.settle().unwrap();
    // What a power cut leaves: the files as they are now.
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
    }
    let (journal, found) = open(copy.path());
    assert_eq!(found.jobs.iter().map(|kept| kept.id.0).collect::<Vec<u64>>(), [2]);
    assert_eq!(counted(&journal), (1, 10));
    (1..=2).for_each(|number| end(&journal, JobId(number), figures(1.0)));
    journal.settle().unwrap();
    assert_eq!(counted(&journal), (2, 20));
}

#[test]
fn a_journal_of_version_4_is_counted_when_it_is_migrated() {
    let folder = tempfile::tempdir().unwrap();
    {
        let mut own = Connection::open(folder.path().join(schema::FILE)).unwrap();
        schema::begin_version(&mut own, 4).unwrap();
        (1..=6).for_each(|number| add_ended(&own, number, HOUR * 5 + DAY * 20_000));
        let faults = [
            (3, "question = 'x'"),
            (4, "outcome = '[1'"),
            (5, "outcome = '[\"Done\", {\"completion_tokens\": null}]'"),
        ];
        for (number, fault) in faults {
            own.execute(&format!("UPDATE job SET {fault} WHERE number = {number}"), []).unwrap();
        }
        write::job(&own, "test", &new(7)).unwrap();
    }
    let (journal, found) = open(folder.path());
    assert!(found.aside.is_none());
    let expected = [used(20_000 * 24 + 5, "math", 3, 30, 4.5)];
    assert_eq!(journal.usage(SystemTime::UNIX_EPOCH).unwrap(), expected);
}

#[test]
fn counts_go_when_no_report_covers_them_and_a_clock_that_is_set_makes_none_older() {
    let folder = tempfile::tempdir().unwrap();
    let (mut own, _) = schema::open(folder.path()).unwrap();
    let day = |days: u32| SystemTime::UNIX_EPOCH + DAY * days;
    let count = |own: &Connection, number: u64, at: SystemTime| {
        write::job(own, "test", &NewJob { request: None, ..new(number) }).unwrap();
        let end = StoredEnd { at, ..ended(figures(1.0)) };
        write::end(own, JobId(number), &end, None).unwrap();
    };
    let left = |own: &mut Connection, now: SystemTime| {
        write::clock(own, now).unwrap();
        usage::expire(own, now).unwrap();
        usage::since(own, SystemTime::UNIX_EPOCH).unwrap().len()
    };
    count(&own, 1, day(100));
    assert_eq!(left(&mut own, day(100)), 1);
    count(&own, 2, day(150));
    assert_eq!(left(&mut own, day(150)), 2);
    assert_eq!(left(&mut own, day(100 + limits::USAGE_DAYS_MAX)), 2);
    assert_eq!(left(&mut own, day(100 + limits::USAGE_DAYS_MAX) + HOUR), 1);
    assert_eq!(left(&mut own, day(10_200)), 1, "it was set");
    assert_eq!(left(&mut own, day(10_200 + 40)), 1);
    assert_eq!(left(&mut own, day(10_200 + limits::USAGE_DAYS_MAX)), 0);
}

#[test]
fn a_journal_that_replaces_a_damaged_one_has_its_counts() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = open(folder.path());
    (1..=2).for_each(|number| journal.accept(new(number)).unwrap());
    (1..=2).for_each(|number| end(&journal, JobId(number), figures(1.0)));
    journal.settle().unwrap();
    let before = journal.usage(SystemTime::UNIX_EPOCH).unwrap();
    drop(journal);
    let own = Connection::open(folder.path().join(schema::FILE)).unwrap();
    own.execute_batch("PRAGMA foreign_keys = OFF; DROP VIEW ended_job; DROP TABLE job").unwrap();
    drop(own);
    let (journal, found) = open(folder.path());
    assert!(found.aside.is_some());
    assert_eq!(counted(&journal), (2, 20));
    assert_eq!(journal.usage(SystemTime::UNIX_EPOCH).unwrap(), before);
}
