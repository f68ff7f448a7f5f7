//! Damage: what is done about it, what is saved, and how it is looked for.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::store::chores::Chores;
use crate::store::write;

#[test]
fn a_damaged_journal_is_set_aside_and_a_fresh_one_begun() {
    type Harm = fn(&Path);
    let harms: [(&str, Harm); 4] = [
        ("no database", |file| std::fs::write(file, "once upon a time there was a disk").unwrap()),
        ("zeros", |file| {
            let bytes = std::fs::metadata(file).unwrap().len() as usize;
            std::fs::write(file, vec![0; bytes]).unwrap();
        }),
        ("somebody else's", |file| {
            std::fs::remove_file(file).unwrap();
            let other = Connection::open(file).unwrap();
            other.execute_batch("CREATE TABLE cake (eaten); PRAGMA application_id = 7").unwrap();
        }),
        ("a table is gone", |file| {
            let own = Connection::open(file).unwrap();
            own.execute_batch("DROP TABLE log").unwrap();
        }),
    ];
    for (what, harm) in harms {
        let folder = tempfile::tempdir().unwrap();
        let (journal, _) = open(folder.path());
        journal.accept(new(1)).unwrap();
        drop(journal);
        let file = folder.path().join(schema::FILE);
        harm(&file);
        // Pages of the damaged file must not be put into the new one.
        let pages = folder.path().join("journal.sqlite-journal");
        let has_pages = what == "somebody else's";
        if has_pages {
            std::fs::write(&pages, "pages").unwrap();
        }
        let harmed = std::fs::read(&file).unwrap();
        let (journal, found) = open(folder.path());
        let aside = found.aside.unwrap_or_else(|| panic!("{what}: it was not set aside"));
        // What could be opened as a journal of ours has been.
        let is_untouched = std::fs::read(&aside).unwrap() == harmed;
        assert!(is_untouched || what == "a table is gone", "{what}");
        assert!(found.jobs.is_empty() && !pages.exists());
        journal.accept(new(2)).unwrap();
    }
}

#[test]
fn damage_in_one_job_fails_that_job_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = open(folder.path());
    (1..=2).for_each(|number| journal.accept(new(number)).unwrap());
    journal.gained(JobId(1), 0, delta(&[1], "text"));
    drop(journal);
    let own = Connection::open(folder.path().join(schema::FILE)).unwrap();
    own.execute_batch("UPDATE log SET gains = x'ffffff' WHERE job = 1").unwrap();
    drop(own);
    let (journal, found) = open(folder.path());
    assert_eq!(found.jobs.iter().map(|kept| kept.id.0).collect::<Vec<u64>>(), [2]);
    let failed = journal.find(new(1).name).unwrap().unwrap();
    let Some(StoredEnd { outcome: Outcome::Failed(error), .. }) = failed.end else {
        panic!("{failed:?}")
    };
    assert!(error.message.contains("damaged"), "{error}");
}

#[test]
fn a_look_at_all_of_the_file_is_broken_off_where_somebody_waits() {
    let folder = tempfile::tempdir().unwrap();
    let (mut connection, _) = schema::open(folder.path()).unwrap();
    let transaction = connection.transaction().unwrap();
    for number in 0..3000 {
        let job = NewJob { request: None, ..new(number) };
        write::job(&transaction, "test", &job).unwrap();
    }
    transaction.commit().unwrap();
    let mut chores = Chores::default();
    let looks = Arc::new(AtomicUsize::new(0));
    let mut go_on = |looks_max: usize| {
        looks.store(0, Ordering::Relaxed);
        let looks = looks.clone();
        let has_time = move || looks.fetch_add(1, Ordering::Relaxed) < looks_max;
        chores.go_on(&mut connection, &keeping(), has_time).unwrap();
        chores.is_done()
    };
    assert!(!go_on(0), "no check while a message waits");
    assert!(!go_on(2), "it is broken off");
    assert!(go_on(usize::MAX), "and done another time");
}
