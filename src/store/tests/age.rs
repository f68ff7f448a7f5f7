//! What is deleted for its age or for room.

use super::*;
use crate::store::write;

#[test]
fn old_jobs_and_those_there_is_no_room_for_are_forgotten_and_running_ones_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = open(folder.path());
    for number in 1..=40 {
        journal.accept(new(number)).unwrap();
        journal.gained(JobId(number), 0, delta(&[1; 100], &"x".repeat(20_000)));
        if number != 3 {
            end(&journal, JobId(number), Figures::default());
        }
    }
    drop(journal);
    let own = Connection::open(folder.path().join(schema::FILE)).unwrap();
    own.execute_batch("PRAGMA foreign_keys = ON").unwrap();
    let jobs =
        || own.query_row("SELECT count(*) FROM job", [], |row| row.get::<_, i64>(0)).unwrap();
    let recently = SystemTime::now() - Duration::from_secs(3600);
    assert_eq!(write::expire(&own, recently, 1 << 30, 100).unwrap(), 0);
    let used = write::used_bytes(&own).unwrap();
    assert!(used > 800_000, "{used}");
    while write::expire(&own, recently, 400_000, 8).unwrap() > 0 {}
    assert!(write::used_bytes(&own).unwrap() <= 400_000);
    assert!((5..39).contains(&jobs()), "{}", jobs());
    let later = SystemTime::now() + Duration::from_secs(10);
    while write::expire(&own, later, 1 << 30, 8).unwrap() > 0 {}
    assert_eq!(jobs(), 1, "the one that is not over stays");
    let rows = own.query_row("SELECT count(*) FROM log", [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(rows, 1, "what jobs wrote goes with them");
}

#[test]
fn a_clock_that_is_set_makes_nothing_older_and_one_that_goes_on_does() {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let folder = tempfile::tempdir().unwrap();
    let (mut own, _) = schema::open(folder.path()).unwrap();
    let ended = |own: &Connection, number: u64, at: SystemTime| {
        write::job(own, "test", &NewJob { request: None, ..new(number) }).unwrap();
        let at = at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as i64;
        let end = "UPDATE job SET ended_ms = ?1 WHERE number = ?2";
        own.execute(end, rusqlite::params![at, number as i64]).unwrap();
    };
    // Forgets what is older than 30 days.
    let look = |own: &mut Connection, now: SystemTime| {
        write::clock(own, now).unwrap();
        write::expire(own, now - 30 * DAY, 1 << 30, 100).unwrap()
    };
    // A board without a battery, on the day it was made; what it has from before has right dates.
    let (first, right) =
        (SystemTime::UNIX_EPOCH + 100 * DAY, SystemTime::UNIX_EPOCH + 20_000 * DAY);
    ended(&own, 1, right - 40 * DAY);
    ended(&own, 2, right - 20 * DAY);
    ended(&own, 3, first);
    assert_eq!(look(&mut own, first), 0);
    ended(&own, 4, first + DAY / 2);
    assert_eq!(look(&mut own, first + DAY / 2), 0);
    // Then somebody sets it: only what really is old goes.
    assert_eq!(look(&mut own, right), 1);
    assert_eq!(look(&mut own, right + 9 * DAY), 0);
    assert_eq!(look(&mut own, right + 11 * DAY), 1, "job 2");
    // It is set back, and then right again.
    assert_eq!(look(&mut own, first), 0);
    assert_eq!(look(&mut own, right + 12 * DAY), 0);
    assert_eq!(look(&mut own, right + 29 * DAY), 0);
    // Holidays make old.
    assert_eq!(look(&mut own, right + 90 * DAY), 2);
}
