//! When a question would be answered if it were asked now, for a person who has not asked yet.
//!
//! A part of the desk's state, which takes a snapshot of its queue and its estimates; the rest is
//! computed from that without the state's lock. No job is made, and nothing is remembered.

use super::estimate::{Estimates, Eta, Pending};
use super::fair_queue::FairQueue;
use super::state::DeskState;
use crate::answers::vote::Tally;
use crate::types::job::{AttemptId, Client, JobId, Question};

/// When a question would be answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// When the answer would be expected, in seconds from now.
    pub eta: Eta,
    /// The place in the queue: 1 for the next to start, 0 if it would start at once.
    pub place: usize,
}

/// The queue with the question at its place, and what is known of lengths and speeds.
pub struct Prospect {
    estimates: Estimates,
    slots: usize,
    queue: FairQueue,
    /// The unfinished jobs and, at the end, the question.
    pending: Vec<Pending>,
    job: JobId,
}

impl DeskState {
    /// Takes a snapshot of the queue as if `client` had just asked `question`.
    pub fn prospect(&self, client: Client, question: &Question) -> Prospect {
        // The number that the job would get, so that its estimate will draw the same lengths.
        let job = JobId(self.last_job.0 + 1);
        let mut pending: Vec<Pending> =
            self.jobs.iter().map(|(id, job)| job.pending(*id)).collect();
        let needed = match question.is_voted() {
            true => Tally::new(question.attempts).still_needed(),
            false => question.attempts,
        };
        pending.push(Pending {
            job,
            client,
            mode: question.mode.clone(),
            budget_tokens: question.budget_tokens,
            generated: vec![0; question.attempts as usize],
            needed: needed as usize,
        });
        let mut queue = self.queue.clone();
        for waiting in self.jobs.values().filter(|job| !self.queued.contains(&job.id)) {
            for number in waiting.running() {
                queue.add(waiting.client, AttemptId { job: waiting.id, number });
            }
        }
        for number in 0..question.attempts {
            queue.add(client, AttemptId { job, number });
        }
        Prospect { estimates: self.estimates.clone(), slots: self.slots, queue, pending, job }
    }
}

impl Prospect {
    /// Computes the forecast. Takes as long as [`Estimates::etas`].
    pub fn forecast(mut self) -> Forecast {
        self.queue.assign();
        let place = match self.queue.has_slot(self.job) {
            true => 0,
            false => self.queue.waiting().iter().position(|job| *job == self.job).unwrap_or(0) + 1,
        };
        let etas = self.estimates.etas(self.slots, &self.pending);
        let eta = etas.last().copied().unwrap_or_else(|| unreachable!("the question is pending"));
        Forecast { eta, place }
    }
}
