//! Jobs that ended recently: found here while the journal does not have their end yet, and in a box
//! without a journal.
//!
//! Bounded in number and bytes; the oldest make room first. A job whose end is being written stays,
//! because its record is the only one its readers can follow to the end.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Ticket;
use super::record::Record;
use crate::types::job::{JobId, JobName};
use crate::types::limits;

/// The jobs that ended recently, oldest first.
#[derive(Debug, Default)]
pub struct Recent {
    kept: VecDeque<Ticket>,
    bytes: usize,
}

impl Recent {
    /// Adds a job whose log is complete.
    pub fn keep(&mut self, ticket: Ticket) {
        self.bytes += bytes(&ticket);
        self.kept.push_back(ticket);
        while self.kept.len() > limits::RECENT_JOBS_MAX || self.bytes > limits::RECENT_BYTES_MAX {
            let oldest = self.kept.iter().position(|kept| kept.record.state().is_last());
            let Some(gone) = oldest.and_then(|at| self.kept.remove(at)) else { break };
            self.bytes -= bytes(&gone);
        }
    }

    /// Finds a job by its name.
    pub fn find(&self, name: JobName) -> Option<Ticket> {
        self.kept.iter().find(|kept| kept.name == name).cloned()
    }

    /// Returns the record of a job.
    pub fn record_of(&self, job: JobId) -> Option<Arc<Record>> {
        self.kept.iter().find(|kept| kept.job == job).map(|kept| kept.record.clone())
    }

    /// Removes the jobs that `is_deleted` selects.
    pub fn forget(&mut self, is_deleted: impl Fn(&Ticket) -> bool) {
        self.kept.retain(|kept| !is_deleted(kept));
        self.bytes = self.kept.iter().map(bytes).sum();
    }
}

/// Returns the size of a job's texts, which no longer change.
fn bytes(ticket: &Ticket) -> usize {
    let asked: usize = ticket.question.turns.iter().map(|turn| turn.text.len()).sum();
    asked + ticket.record.bytes()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::types::answer::{Figures, Outcome, Part, Piece};
    use crate::types::job::{Client, Question, Role, Turn};
    use crate::types::mode::Modes;

    fn ticket(name: u128, text: String) -> Ticket {
        let ticket = being_written(name, text);
        ticket.record.end(0, Outcome::Done, Figures::default(), SystemTime::now());
        ticket
    }

    fn being_written(name: u128, text: String) -> Ticket {
        let record = Record::new();
        record.append(0, &Piece { part: Part::Answer, text });
        let turn = Turn { role: Role::User, text: "1+1?".into() };
        let question = Question::new(Modes::built_in().find("math").unwrap(), vec![turn], 1);
        Ticket {
            job: JobId(name as u64),
            name: JobName(name),
            client: Client::alone(),
            question: Arc::new(question),
            asked: SystemTime::now(),
            durability: crate::desk::Durability::WhileListening,
            submitted: crate::desk::Submitted::New,
            record: Arc::new(record),
        }
    }

    #[test]
    fn the_oldest_are_forgotten_first() {
        let mut recent = Recent::default();
        let jobs = limits::RECENT_JOBS_MAX as u128 + 2;
        (0..jobs).for_each(|name| recent.keep(ticket(name, "2".into())));
        let has = |recent: &Recent, name| recent.find(JobName(name)).is_some();
        assert!(!has(&recent, 1) && has(&recent, 2));
        recent.forget(|kept| kept.name == JobName(2));
        assert!(!has(&recent, 2) && has(&recent, 3));
        recent.keep(ticket(jobs, "x".repeat(limits::RECENT_BYTES_MAX - 4)));
        assert!(!has(&recent, jobs - 1) && has(&recent, jobs));
        recent.keep(ticket(jobs + 1, "x".repeat(limits::RECENT_BYTES_MAX)));
        assert_eq!((recent.bytes, recent.kept.len()), (0, 0), "too long to be kept");
    }

    #[test]
    fn a_job_stays_until_its_end_is_on_the_disk() {
        let mut recent = Recent::default();
        recent.keep(being_written(0, "2".into()));
        let jobs = 1..limits::RECENT_JOBS_MAX as u128 + 2;
        jobs.clone().for_each(|name| recent.keep(ticket(name, "2".into())));
        assert!(recent.find(JobName(0)).is_some() && recent.find(JobName(1)).is_none());
        let written = recent.find(JobName(0)).unwrap();
        written.record.end(0, Outcome::Done, Figures::default(), SystemTime::now());
        recent.keep(ticket(jobs.end, "2".into()));
        assert!(recent.find(JobName(0)).is_none());
    }
}
