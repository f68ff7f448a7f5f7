//! AdmissionControl: whether another job is accepted, by the limits of its client and of the queue.
//!
//! Asked by the desk's state before a job is made. Knows counts only: neither jobs nor clients.

use std::time::Duration;

use crate::types::error::{Error, Kind};
use crate::types::limits;

/// Seconds that the first jobs are assumed to take.
const JOB_SECONDS_ASSUMED: f64 = 30.0;

/// Weight of the latest job in the mean time of a job.
const LATEST_WEIGHT: f64 = 0.3;

/// How many jobs the box accepts at a time.
#[derive(Clone, Copy, Debug)]
pub struct Capacity {
    /// Jobs that may wait in the queue.
    pub line_jobs_max: usize,
    /// Unfinished jobs that one client may have.
    pub client_jobs_max: usize,
}

impl Capacity {
    /// Returns the capacity of a desk with one client, which may fill the queue.
    pub fn alone(line_jobs_max: usize) -> Capacity {
        Capacity { line_jobs_max, client_jobs_max: usize::MAX }
    }
}

/// The unfinished jobs at the moment another one is submitted.
#[derive(Clone, Copy, Debug)]
pub struct QueueLoad {
    /// Jobs of the same client.
    pub of_client: usize,
    /// Jobs without a slot of the engine.
    pub waiting: usize,
    /// Number of all unfinished jobs.
    pub unfinished: usize,
}

/// Decides by [`Capacity`], and says when to try again by how long jobs have taken.
#[derive(Debug)]
pub struct AdmissionControl {
    capacity: Capacity,
    /// Mean time of a job, weighted towards the latest.
    job_seconds: f64,
}

impl AdmissionControl {
    /// Begins with a guess of how long a job takes.
    pub fn new(capacity: Capacity) -> AdmissionControl {
        AdmissionControl { capacity, job_seconds: JOB_SECONDS_ASSUMED }
    }

    /// Returns the limits that hold now.
    pub fn capacity(&self) -> Capacity {
        self.capacity
    }

    /// Changes the limits; jobs that were accepted before stay.
    pub fn set_capacity(&mut self, capacity: Capacity) {
        self.capacity = capacity;
    }

    /// Checks the limits for one more job of a client, which may have a lower limit of its own.
    ///
    /// # Errors
    /// `too_many` if the client has as many unfinished jobs as it may; `busy` if the queue is full.
    pub fn check(&self, load: QueueLoad, own_jobs_max: Option<u32>) -> Result<(), Error> {
        let own_max = own_jobs_max.map_or(usize::MAX, |most| most as usize);
        if load.of_client >= self.capacity.client_jobs_max.min(own_max) {
            return Err(too_many(load.of_client));
        }
        if load.waiting >= self.capacity.line_jobs_max {
            return Err(self.busy(load.unfinished));
        }
        Ok(())
    }

    /// Takes how long a job took, from its submission to its end.
    pub fn learn(&mut self, took: Duration) {
        let before = (1.0 - LATEST_WEIGHT) * self.job_seconds;
        self.job_seconds = before + LATEST_WEIGHT * took.as_secs_f64();
    }

    /// Returns the seconds after which a rejected client should try again.
    pub fn retry_seconds(&self) -> f64 {
        self.job_seconds.clamp(*limits::RETRY_SECONDS.start(), *limits::RETRY_SECONDS.end())
    }

    fn busy(&self, unfinished: usize) -> Error {
        let before = match unfinished {
            1 => "1 question is".to_string(),
            count => format!("{count} questions are"),
        };
        Error::new(
            Kind::Busy,
            format!("the queue is full: {before} before yours"),
            format!("Ask again in about {:.0} seconds.", self.retry_seconds()),
        )
    }
}

fn too_many(own: usize) -> Error {
    Error::new(
        Kind::TooMany,
        format!("you already have {own} unanswered questions, the maximum"),
        "Wait for an answer, or stop a question.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_its_limit_and_the_queue_has_one() {
        let admission = AdmissionControl::new(Capacity { line_jobs_max: 3, client_jobs_max: 2 });
        let kind = |of_client, waiting, own_max| {
            let load = QueueLoad { of_client, waiting, unfinished: 4 };
            admission.check(load, own_max).err().map(|error| error.kind)
        };
        assert_eq!(kind(1, 2, None), None);
        assert_eq!(kind(2, 2, None), Some(Kind::TooMany));
        assert_eq!(kind(1, 2, Some(1)), Some(Kind::TooMany));
        assert_eq!(kind(1, 2, Some(9)), None);
        assert_eq!(kind(1, 3, None), Some(Kind::Busy));
    }

    #[test]
    fn a_rejected_client_is_told_to_wait_about_as_long_as_a_job_takes() {
        let mut admission = AdmissionControl::new(Capacity::alone(1));
        let first = admission.retry_seconds();
        (0..50).for_each(|_| admission.learn(Duration::from_millis(100)));
        assert_eq!(admission.retry_seconds(), *limits::RETRY_SECONDS.start());
        (0..50).for_each(|_| admission.learn(Duration::from_secs(1_000_000)));
        assert_eq!(admission.retry_seconds(), *limits::RETRY_SECONDS.end());
        assert!(limits::RETRY_SECONDS.contains(&first));
    }
}
