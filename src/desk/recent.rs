//! Jobs that have just ended, for whoever asks for them before the journal has them on the disk,
//! and for a box without one.
//!
//! Kept in memory, the latest of them and not too many bytes; the desk adds and asks.

use std::collections::VecDeque;

use super::Ticket;
use crate::types::job::JobName;
use crate::types::limits;

/// The jobs, oldest first.
#[derive(Debug, Default)]
pub struct Recent {
    kept: VecDeque<Ticket>,
    bytes: usize,
}

impl Recent {
    /// Keeps a job that has ended.
    pub fn keep(&mut self, ticket: Ticket) {
        self.bytes += bytes(&ticket);
        self.kept.push_back(ticket);
        while self.kept.len() > limits::RECENT_JOBS_MAX || self.bytes > limits::RECENT_BYTES_MAX {
            let Some(oldest) = self.kept.pop_front() else { break };
            self.bytes -= bytes(&oldest);
        }
    }

    /// Returns the job called `name`, if it is here.
    pub fn find(&self, name: JobName) -> Option<Ticket> {
        self.kept.iter().find(|kept| kept.name == name).cloned()
    }

    /// Forgets a job.
    pub fn forget(&mut self, name: JobName) {
        if let Some(at) = self.kept.iter().position(|kept| kept.name == name)
            && let Some(gone) = self.kept.remove(at)
        {
            self.bytes -= bytes(&gone);
        }
    }
}

/// Returns the bytes of a job's texts, which do not change any more.
fn bytes(ticket: &Ticket) -> usize {
    let asked: usize = ticket.question.turns.iter().map(|turn| turn.text.len()).sum();
    asked + ticket.record.bytes()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::SystemTime;

    use super::*;
    use crate::desk::record::Record;
    use crate::types::answer::{Part, Piece};
    use crate::types::job::{Client, JobId, Question, Role, Turn};
    use crate::types::mode::Modes;

    fn ticket(name: u128, text: String) -> Ticket {
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
        recent.forget(JobName(2));
        assert!(!has(&recent, 2) && has(&recent, 3));
        recent.keep(ticket(jobs, "x".repeat(limits::RECENT_BYTES_MAX - 4)));
        assert!(!has(&recent, jobs - 1) && has(&recent, jobs));
        recent.keep(ticket(jobs + 1, "x".repeat(limits::RECENT_BYTES_MAX)));
        assert_eq!((recent.bytes, recent.kept.len()), (0, 0), "too long to be kept");
    }
}
