//! What becomes of jobs that were not over when the box was stopped, and in which order jobs are
//! put in line.
//!
//! A part of the desk, which calls it.

use super::job_state::{JobState, Stopping};
use super::state::DeskState;
use crate::store::StoredJob;
use crate::types::error::{Error, Kind};
use crate::types::job::{AttemptId, JobId};
use crate::types::limits;

impl DeskState {
    /// Takes the jobs that were not over when the box was stopped, oldest first, and goes on
    /// counting from the `last` job there was.
    pub fn restore(&mut self, jobs: Vec<StoredJob>, last: JobId) {
        self.last_job = last;
        for kept in jobs {
            let job_state = JobState::restore(kept);
            let job = job_state.id;
            log::info!("job {} goes on with {} tokens", job.0, job_state.tokens());
            self.totals.jobs_taken += 1;
            let twice = job_state.crashes >= limits::CRASHES_MAX;
            let unwanted = job_state.stopping == Stopping::Unwanted;
            self.job_states.insert(job, job_state);
            if twice {
                self.fail(job, &twice_crashed());
            } else if unwanted {
                self.stop_all(job);
            } else if self.job_states.get(&job).is_some_and(JobState::is_decided) {
                self.decide(job);
            } else {
                self.close_if_over(job);
                if self.job_states.contains_key(&job) {
                    self.restoring.insert(job);
                    self.prepare(job);
                }
            }
        }
        self.publish_places();
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
        let waits = |job_state: &&JobState| {
            job_state.prompt.is_some() && !self.in_line.contains(&job_state.id)
        };
        let mut jobs: Vec<&JobState> = self.job_states.values().filter(waits).collect();
        jobs.sort_by_key(|job_state| (!job_state.has_begun(), job_state.id));
        let in_line =
            |job_state: &JobState| job_state.crashes > 0 && self.in_line.contains(&job_state.id);
        let mut has_suspect = self.job_states.values().any(in_line);
        for job_state in jobs {
            if job_state.crashes > 0 && std::mem::replace(&mut has_suspect, true) {
                continue;
            }
            self.in_line.insert(job_state.id);
            for number in job_state.running() {
                self.queue.add(job_state.client, AttemptId { job: job_state.id, number });
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
