//! What becomes of jobs that were not over when the box was stopped, and in which order jobs are
//! put in line.
//!
//! A part of the office, which calls it.

use super::case::{Case, Stopping};
use super::office::Office;
use crate::store::Kept;
use crate::words::error::{Error, Kind};
use crate::words::job::{AttemptId, JobId};
use crate::words::limits;

impl Office {
    /// Takes the jobs that were not over when the box was stopped, oldest first, and goes on
    /// counting from the `last` job there was.
    pub fn restore(&mut self, jobs: Vec<Kept>, last: JobId) {
        self.last_job = last;
        for kept in jobs {
            let case = Case::restore(kept);
            let job = case.id;
            log::info!("job {} goes on with {} tokens", job.0, case.tokens());
            self.totals.jobs_taken += 1;
            let twice = case.crashes >= limits::CRASHES_MAX;
            let unwanted = case.stopping == Stopping::Unwanted;
            self.cases.insert(job, case);
            if twice {
                self.fail(job, &twice_crashed());
            } else if unwanted {
                self.stop_all(job);
            } else if self.cases.get(&job).is_some_and(Case::is_decided) {
                self.decide(job);
            } else {
                self.close_if_over(job);
                if self.cases.contains_key(&job) {
                    self.restoring.insert(job);
                    self.prepare(job);
                }
            }
        }
    }

    /// Puts the attempts of prepared jobs in line. After a start all jobs found are waited for
    /// first, so that each keeps its place: those that had begun before the others, older before
    /// younger.
    ///
    /// Of those the box has crashed over one is in line at a time: if it crashes again, that one is
    /// known to be at fault.
    pub fn line_up(&mut self) {
        if !self.restoring.is_empty() {
            return;
        }
        let waits = |case: &&Case| case.prompt.is_some() && !self.in_line.contains(&case.id);
        let mut jobs: Vec<&Case> = self.cases.values().filter(waits).collect();
        jobs.sort_by_key(|case| (!case.has_begun(), case.id));
        let in_line = |case: &Case| case.crashes > 0 && self.in_line.contains(&case.id);
        let mut has_suspect = self.cases.values().any(in_line);
        for case in jobs {
            if case.crashes > 0 && std::mem::replace(&mut has_suspect, true) {
                continue;
            }
            self.in_line.insert(case.id);
            for number in case.running() {
                self.turns.add(case.client, AttemptId { job: case.id, number });
            }
        }
    }
}

fn twice_crashed() -> Error {
    Error::new(
        Kind::Stopped,
        "this question stopped the box twice",
        "Ask it in other words, and tell the person who looks after the box.",
    )
}
