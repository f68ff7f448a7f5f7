//! Recovery after a restart: which jobs continue, and in which order jobs enter the queue.
//!
//! A part of the desk's state, which calls it.

use super::job_state::JobState;
use super::state::DeskState;
use crate::store::StoredJob;
use crate::types::error::{Error, Kind};
use crate::types::job::{AttemptId, JobId};
use crate::types::limits;

impl DeskState {
    /// Restores the unfinished jobs of the journal, oldest first; new jobs are numbered from `last`
    /// on. A job that was stopped, is decided or crashed the process too often is ended.
    pub fn restore(&mut self, stored: Vec<StoredJob>, last: JobId) {
        self.last_job = last;
        for stored in stored {
            let restored = JobState::restore(stored);
            let job = restored.id;
            log::info!("job {} continues with {} tokens", job.0, restored.tokens());
            self.totals.jobs_taken += 1;
            let (crashes, is_unwanted) = (restored.crashes, restored.is_unwanted());
            self.jobs.insert(job, restored);
            if crashes >= limits::CRASHES_MAX {
                self.fail(job, &crashed_twice());
            } else if is_unwanted {
                self.stop_attempts(job);
            } else if self.jobs.get(&job).is_some_and(JobState::is_decided) {
                self.decide(job);
            } else {
                self.close_if_over(job);
                if self.jobs.contains_key(&job) {
                    self.restoring.insert(job);
                    self.prepare(job);
                }
            }
        }
        self.publish_places();
    }

    /// Adds the attempts of prepared jobs to the queue. After a restart that waits until all
    /// restored jobs are prepared, so that each keeps its place: jobs that had begun first, then
    /// older before younger ones.
    ///
    /// Of the jobs that ran during a crash one at a time is in the queue, so that a second crash
    /// identifies the culprit.
    pub fn queue_prepared(&mut self) {
        if !self.restoring.is_empty() {
            return;
        }
        let is_ready = |job: &&JobState| job.prompt.is_some() && !self.queued.contains(&job.id);
        let mut ready: Vec<&JobState> = self.jobs.values().filter(is_ready).collect();
        ready.sort_by_key(|job| (!job.has_begun(), job.id));
        let is_suspect = |job: &JobState| job.crashes > 0 && self.queued.contains(&job.id);
        let mut has_suspect = self.jobs.values().any(is_suspect);
        for job in ready {
            if job.crashes > 0 && std::mem::replace(&mut has_suspect, true) {
                continue;
            }
            self.queued.insert(job.id);
            for number in job.running() {
                self.queue.add(job.client, AttemptId { job: job.id, number });
            }
        }
    }
}

fn crashed_twice() -> Error {
    Error::new(
        Kind::Stopped,
        "this question crashed the server twice",
        "Ask it in other words, and inform the person who runs this box.",
    )
}
