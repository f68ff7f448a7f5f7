//! Conversations that have ended, for whoever asked to go on with.
//!
//! Kept in memory, the latest of them and not too many bytes; the office adds and asks. What was
//! thought is left out, as chat templates leave it out of what came before.

use std::collections::VecDeque;

use crate::words::error::{Error, Kind};
use crate::words::job::{Client, JobId, Question, Role, Turn};
use crate::words::limits;

/// The conversations, oldest first.
#[derive(Debug, Default)]
pub struct Past {
    kept: VecDeque<Conversation>,
    bytes: usize,
}

#[derive(Debug)]
struct Conversation {
    job: JobId,
    client: Client,
    turns: Vec<Turn>,
}

impl Conversation {
    fn bytes(&self) -> usize {
        self.turns.iter().map(|turn| turn.text.len()).sum()
    }
}

impl Past {
    /// Keeps what was asked and answered.
    pub fn keep(&mut self, job: JobId, client: Client, question: &Question, answer: String) {
        let answer = Turn { role: Role::Assistant, text: answer };
        let turns = question.turns.iter().cloned().chain([answer]).collect();
        let conversation = Conversation { job, client, turns };
        self.bytes += conversation.bytes();
        self.kept.push_back(conversation);
        while self.kept.len() > limits::PAST_JOBS_MAX || self.bytes > limits::PAST_BYTES_MAX {
            let Some(oldest) = self.kept.pop_front() else { break };
            self.bytes -= oldest.bytes();
        }
    }

    /// Returns the conversation of a client's job, its answer last.
    ///
    /// # Errors
    /// `not_found` where it is another's, is not over, or was too long ago: all the same, so that
    /// nobody learns which jobs there are.
    pub fn of(&self, client: Client, job: JobId) -> Result<Vec<Turn>, Error> {
        let found = self.kept.iter().find(|kept| kept.job == job && kept.client == client);
        found.map(|kept| kept.turns.clone()).ok_or_else(|| {
            Error::new(
                Kind::NotFound,
                format!("previous: you have no answered question {}", job.0),
                "Ask anew, with the whole conversation in `messages`.",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::mode::Modes;

    fn question(text: &str) -> Question {
        let turn = Turn { role: Role::User, text: text.into() };
        Question::new(Modes::built_in().find("math").unwrap(), vec![turn], 1)
    }

    #[test]
    fn a_conversation_is_given_to_whoever_had_it_and_to_nobody_else() {
        let (mut past, [a, b]) = (Past::default(), [b"a", b"b"].map(|m| Client::of("test", m)));
        past.keep(JobId(7), a, &question("1+1?"), "2".into());
        let turns = past.of(a, JobId(7)).unwrap();
        let texts: Vec<&str> = turns.iter().map(|turn| turn.text.as_str()).collect();
        assert_eq!(texts, ["1+1?", "2"]);
        for (client, job) in [(b, 7), (a, 8)] {
            assert_eq!(past.of(client, JobId(job)).unwrap_err().kind, Kind::NotFound);
        }
    }

    #[test]
    fn the_oldest_are_forgotten_first() {
        let (mut past, client) = (Past::default(), Client::of("test", b"a"));
        let jobs = limits::PAST_JOBS_MAX as u64 + 2;
        (0..jobs).for_each(|job| past.keep(JobId(job), client, &question("?"), "!".into()));
        assert!(past.of(client, JobId(1)).is_err() && past.of(client, JobId(2)).is_ok());
        past.keep(JobId(jobs), client, &question("?"), "x".repeat(limits::PAST_BYTES_MAX));
        assert!(past.of(client, JobId(jobs - 1)).is_err());
        assert!(past.bytes <= limits::PAST_BYTES_MAX);
    }
}
