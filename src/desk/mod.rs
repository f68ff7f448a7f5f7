//! The desk: takes questions from the doors, keeps them in line, and keeps their records.
//!
//! A door submits a validated question, gets a ticket, and reads the ticket's record. The desk
//! hands prompts to the engine one at a time in the order they came; it knows no HTTP and no
//! terminal. Jobs live in memory: what survives a power cut will be the store's business.

pub mod estimate;
pub mod lengths;
pub mod record;
pub mod turns;

use std::collections::{HashMap, VecDeque};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use record::{Record, State};

use crate::engine::{Engine, Event, Order, Prompt, Start};
use crate::words::answer::{Figures, Outcome};
use crate::words::error::{Error, Kind};
use crate::words::job::{JobId, Question};
use crate::words::kernels::SelfTest;
use crate::words::limits;
use crate::words::plan::Plan;

/// What a door holds of a job it submitted.
#[derive(Clone, Debug)]
pub struct Ticket {
    /// The job.
    pub job: JobId,
    /// Its record.
    pub record: Arc<Record>,
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

/// The desk. Dropping it stops the job being answered and ends the engine.
pub struct Desk {
    office: Arc<Mutex<Office>>,
    /// Held while the engine ends.
    ending: Mutex<()>,
}

struct Office {
    engine: Option<Engine>,
    health: Health,
    jobs: HashMap<JobId, Job>,
    /// Jobs in line, next first; not the running one.
    line: VecDeque<JobId>,
    line_jobs_max: usize,
    running: Option<JobId>,
    last_job: u64,
    /// Mean time a job takes once it runs, weighted towards the latest.
    job_seconds: f64,
}

struct Job {
    question: Arc<Question>,
    record: Arc<Record>,
    prompt: Option<Prompt>,
    asked: Instant,
    started: Option<Instant>,
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
        line_jobs_max: usize,
        selftest: SelfTest,
        broken: impl FnOnce(Error) + Send + 'static,
    ) -> Result<Desk, Error> {
        let (events, inbox) = channel();
        let health = Health::Loading { bytes_loaded: 0, bytes_total: plan.file_bytes };
        let office = Office {
            engine: Some(Engine::start(plan, selftest, events)?),
            health,
            jobs: HashMap::new(),
            line: VecDeque::new(),
            line_jobs_max,
            running: None,
            last_job: 0,
            job_seconds: 30.0,
        };
        let office = Arc::new(Mutex::new(office));
        let shared = office.clone();
        std::thread::Builder::new()
            .name("desk".into())
            .spawn(move || hear_all(&shared, &inbox, broken))
            .map_err(|e| Error::internal(format!("cannot start the desk's thread: {e}")))?;
        Ok(Desk { office, ending: Mutex::new(()) })
    }

    /// Takes a question in line.
    ///
    /// # Errors
    /// What [`Question::check`] says; `busy` with the place the job would have had, and the seconds
    /// after which to try again, where the line is full; the engine's own reason where it has
    /// ended.
    pub fn submit(&self, question: Question) -> Result<Ticket, Error> {
        question.check()?;
        let mut office = self.lock();
        match &office.health {
            Health::Loading { .. } | Health::Ready { .. } => {}
            Health::Broken(error) => return Err(error.clone()),
            Health::Closing => return Err(closing()),
        }
        if office.line.len() >= office.line_jobs_max {
            return Err(office.busy());
        }
        office.last_job += 1;
        let job = JobId(office.last_job);
        let (question, record) = (Arc::new(question), Arc::new(Record::new()));
        let entry = Job {
            question: question.clone(),
            record: record.clone(),
            prompt: None,
            asked: Instant::now(),
            started: None,
        };
        office.jobs.insert(job, entry);
        office.line.push_back(job);
        office.order(Order::Prepare(job, question));
        Ok(Ticket { job, record })
    }

    /// Stops a job: at once where it waits, within one step where it runs. Ended ones are left
    /// alone.
    pub fn stop(&self, job: JobId) {
        let mut office = self.lock();
        if office.jobs.contains_key(&job) {
            office.order(Order::Stop(job));
            if office.running != Some(job) {
                office.end(job, Outcome::Stopped, Figures::default());
            }
        }
    }

    /// Returns whether the box can answer.
    pub fn health(&self) -> Health {
        self.lock().health.clone()
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

impl Office {
    fn order(&self, order: Order) {
        if let Some(engine) = &self.engine {
            engine.order(order);
        }
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::Loading(loaded) => {
                if let Health::Loading { bytes_loaded, .. } = &mut self.health {
                    *bytes_loaded = loaded;
                }
            }
            Event::Ready => {
                if let Health::Loading { bytes_total, .. } = self.health {
                    log::info!("the model is loaded, questions are being answered");
                    self.health = Health::Ready { bytes_total };
                }
            }
            Event::Prepared(job, Ok(prompt)) => {
                if let Some(job) = self.jobs.get_mut(&job) {
                    job.prompt = Some(prompt);
                }
                self.start_next();
            }
            Event::Prepared(job, Err(error)) => {
                self.end(job, Outcome::Failed(error), Figures::default());
                self.start_next();
            }
            Event::Piece(job, piece) => {
                if let Some(job) = self.jobs.get(&job) {
                    job.record.append(&piece);
                }
            }
            Event::Ended(job, outcome, figures) => {
                self.end(job, outcome, figures);
                self.start_next();
            }
            Event::Broken(_) => unreachable!("hear_all keeps it"),
        }
    }

    /// Starts the first in line where nothing runs, and tells the others their places.
    fn start_next(&mut self) {
        let front = self.line.front().copied();
        if self.running.is_none()
            && let Some(id) = front
            && let Some(job) = self.jobs.get_mut(&id)
            && let Some(prompt) = job.prompt.take()
        {
            job.started = Some(Instant::now());
            job.record.set(State::Running);
            let (question, asked) = (job.question.clone(), job.asked);
            self.line.pop_front();
            self.running = Some(id);
            self.order(Order::Start(Box::new(Start { job: id, question, prompt, asked })));
        }
        self.tell_places();
    }

    fn tell_places(&self) {
        let ahead = usize::from(self.running.is_some());
        for (place, job) in self.line.iter().filter_map(|id| self.jobs.get(id)).enumerate() {
            if job.prompt.is_some() {
                job.record.set(State::Waiting(place + ahead));
            }
        }
    }

    fn end(&mut self, id: JobId, outcome: Outcome, figures: Figures) {
        let Some(job) = self.jobs.remove(&id) else { return };
        self.line.retain(|&waiting| waiting != id);
        if self.running == Some(id) {
            self.running = None;
        }
        if let Some(started) = job.started {
            self.job_seconds = 0.7 * self.job_seconds + 0.3 * started.elapsed().as_secs_f64();
        }
        job.record.set(State::Ended(outcome, figures));
        self.tell_places();
    }

    /// Ends every job as failed for `error`.
    fn end_all(&mut self, error: &Error) {
        let jobs: Vec<JobId> = self.jobs.keys().copied().collect();
        for job in jobs {
            self.end(job, Outcome::Failed(error.clone()), Figures::default());
        }
    }

    fn busy(&self) -> Error {
        let before = self.line.len() + usize::from(self.running.is_some());
        Error::new(
            Kind::Busy,
            format!("the line is full: {before} questions are before yours"),
            format!("Ask again in about {:.0} seconds.", self.retry_seconds()),
        )
    }

    fn retry_seconds(&self) -> f64 {
        self.job_seconds.clamp(*limits::RETRY_SECONDS.start(), *limits::RETRY_SECONDS.end())
    }
}
