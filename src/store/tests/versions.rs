//! Journals of earlier versions of the program, and of later ones.

use super::*;
use crate::store::{JobHistory, write};

#[test]
fn a_later_programs_journal_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    let own = Connection::open(folder.path().join(schema::FILE)).unwrap();
    own.execute_batch("PRAGMA user_version = 99").unwrap();
    drop(own);
    let error = Journal::open(folder.path(), keeping(), &[]).unwrap_err();
    assert!(error.message.contains("version 99"), "{error}");
    assert!(error.remedy.contains("--data"));
}

#[test]
fn a_journal_of_the_first_version_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(schema::FILE);
    {
        let mut own = Connection::open(&file).unwrap();
        schema::begin_version(&mut own, 1).unwrap();
        write::job(&own, "test", &new(1)).unwrap();
        write::job(&own, "test", &new(2)).unwrap();
        let outcome = serde_json::to_string(&(Outcome::Stopped, Figures::default())).unwrap();
        own.execute("UPDATE job SET ended_ms = 7, outcome = ?1 WHERE number = 2", [outcome])
            .unwrap();
    }
    // Commands read it before it is brought up to date.
    let history = JobHistory::open(folder.path()).unwrap();
    assert_eq!(history.list(None, 10).unwrap().len(), 2);
    drop(history);
    let (journal, found) = open(folder.path());
    assert_eq!(value(&journal, JobId(2)), StoredValue::Unknown);
    assert!(found.aside.is_none());
    assert_eq!(found.jobs.len(), 1);
    end(&journal, JobId(1), Figures::default());
    drop(journal);
    let (mut own, _) = schema::open(folder.path()).unwrap();
    write::clock(&mut own, SystemTime::now()).unwrap();
}

#[test]
fn a_question_of_an_earlier_version_can_be_read() {
    let mut question = Arc::unwrap_or_clone(new(1).question);
    question.previous = Some(JobName(7));
    let mut stored = serde_json::to_value(&question).unwrap();
    assert_eq!(stored["previous"], "00000000000000000000000000000007");
    let read: Question = serde_json::from_value(stored.clone()).unwrap();
    assert_eq!(read.previous, question.previous);
    for field in ["previous", "student_attempt_bytes"] {
        stored.as_object_mut().unwrap().remove(field).unwrap();
    }
    stored["mode"].as_object_mut().unwrap().remove("usual_tokens").unwrap();
    let read: Question = serde_json::from_value(stored).unwrap();
    assert_eq!((read.previous, read.asked()), (None, "1+1?"));
}
