//! The desk: takes questions from the doors, keeps them in line, and keeps their records.
//!
//! A door submits a validated question, gets a ticket, and reads the ticket's record. The desk
//! gives every client its turns and hands attempts to the engine, which runs several at a time; it
//! knows no HTTP and no terminal. Jobs live in memory: what survives a power cut will be the
//! store's business.

mod case;
mod estimate;
mod lengths;
mod office;
mod past;
pub mod record;
mod turns;

use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use estimate::Eta;
pub use office::Capacity;
use office::Office;
use record::Record;

use crate::engine::{Engine, Event, Gauge};
use crate::words::error::{Error, Kind};
use crate::words::job::{Client, JobId, Question, Turn};
use crate::words::kernels::SelfTest;
use crate::words::plan::Plan;

/// What a door holds of a job it submitted.
#[derive(Clone, Debug)]
pub struct Ticket {
    /// The job.
    pub job: JobId,
    /// Its record.
    pub record: Arc<Record>,
    /// A record for each answer, where all are wanted; else none.
    pub choices: Vec<Arc<Record>>,
}

/// Whether the box can answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Health {
    /// The model is being loaded.
    Loading {
        /// Bytes loaded so far.
        bytes_loaded: u64,
        /// Bytes of the model file.
        bytes_total: u64,
    },
    /// Questions are being answered.
    Ready {
        /// Bytes of the model file.
        bytes_total: u64,
    },
    /// The engine has ended by itself, with the reason.
    Broken(Error),
    /// The desk is being closed.
    Closing,
}

/// Whether the engine makes progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// When the engine last said anything.
    pub heard: Instant,
    /// Jobs with an attempt that has a seat.
    pub running: usize,
    /// The other jobs.
    pub waiting: usize,
}

/// The desk. Dropping it stops the job being answered and ends the engine.
pub struct Desk {
    office: Arc<Mutex<Office>>,
    /// Held while the engine ends.
    ending: Mutex<()>,
}

impl Desk {
    /// Opens the desk and starts the engine, which begins to load the model.
    ///
    /// `broken` is called once, from another thread, if the engine ends by itself.
    ///
    /// # Errors
    /// `internal` where threads cannot be had.
    pub fn open(
        plan: Plan,
        capacity: Capacity,
        selftest: SelfTest,
        broken: impl FnOnce(Error) + Send + 'static,
    ) -> Result<Desk, Error> {
        let (events, inbox) = channel();
        let health = Health::Loading { bytes_loaded: 0, bytes_total: plan.file_bytes };
        let seats = plan.sequences;
        let engine = Engine::start(plan, selftest, events)?;
        let office = Arc::new(Mutex::new(Office::new(engine, health, seats, capacity)));
        let shared = office.clone();
        std::thread::Builder::new()
            .name("desk".into())
            .spawn(move || hear_all(&shared, &inbox, broken))
            .map_err(|e| Error::internal(format!("cannot start the desk's thread: {e}")))?;
        Ok(Desk { office, ending: Mutex::new(()) })
    }

    /// Takes a question of `client` in line.
    ///
    /// # Errors
    /// What [`Question::check`] says; `too_many` where the client has as many unanswered ones as it
    /// may; `busy` with the place the job would have had, and the seconds after which to try again,
    /// where the line is full; the engine's own reason where it has ended.
    pub fn submit(&self, client: Client, question: Question) -> Result<Ticket, Error> {
        question.check()?;
        self.lock().submit(client, question)
    }

    /// Returns the conversation of a client's ended job, its answer last, to go on with.
    ///
    /// # Errors
    /// `not_found` where the client has no such job.
    pub fn conversation(&self, client: Client, job: JobId) -> Result<Vec<Turn>, Error> {
        self.lock().past.of(client, job)
    }

    /// Stops a job: at once where it waits, within one step where it runs. Ended ones are left
    /// alone.
    pub fn stop(&self, job: JobId) {
        self.lock().stop(job);
    }

    /// Returns whether the box can answer.
    pub fn health(&self) -> Health {
        self.lock().health.clone()
    }

    /// Returns when the engine last said anything, and how many jobs it has to do.
    pub fn pulse(&self) -> Pulse {
        self.lock().pulse()
    }

    /// Returns how full the engine is and what it has done, as of its last step or rest.
    pub fn gauge(&self) -> Gauge {
        self.lock().gauge
    }

    /// Returns how long a client turned away should wait before it tries again.
    pub fn retry_after(&self) -> Duration {
        Duration::from_secs_f64(self.lock().retry_seconds())
    }

    /// Ends the engine after its step and all jobs with the reason. Later questions are refused.
    /// Returns when the engine has ended, whoever ended it: llama.cpp must not be at work any more
    /// when the process leaves.
    pub fn close(&self) {
        let _ending = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
        let engine = {
            let mut office = self.lock();
            office.health = Health::Closing;
            office.end_all(&closing());
            office.engine.take()
        };
        // Joins the engine's thread, which may be in the middle of a step: not under the lock.
        drop(engine);
    }

    fn lock(&self) -> MutexGuard<'_, Office> {
        lock(&self.office)
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.close();
    }
}

fn closing() -> Error {
    Error::new(Kind::Stopped, "the box is shutting down", "Ask again when it is back.")
}

fn lock(office: &Mutex<Office>) -> MutexGuard<'_, Office> {
    // Every change leaves the office whole, so another thread's panic does not spoil it.
    office.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hears the engine's events until it has ended.
fn hear_all(office: &Mutex<Office>, events: &Receiver<Event>, broken: impl FnOnce(Error)) {
    let mut reason = None;
    for event in events {
        match event {
            Event::Broken(error) => reason = Some(error),
            event => lock(office).hear(event),
        }
    }
    let error = reason.unwrap_or_else(|| Error::internal("the engine stopped by itself"));
    {
        let mut office = lock(office);
        if office.health == Health::Closing {
            return;
        }
        office.health = Health::Broken(error.clone());
        office.end_all(&error);
    }
    broken(error);
}
