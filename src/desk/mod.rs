//! The desk: admits questions, queues them fairly, and keeps the records of their jobs.
//!
//! A door submits a validated question, gets a ticket, and follows the ticket's record with a
//! [`Feed`]. The desk shares the engine's slots fairly among the clients; it knows neither HTTP nor
//! terminals. With a journal (`store`) jobs survive the process: a durable job is on the disk
//! before its ticket is returned, and its end is on the disk before its record shows it.

mod admission;
mod estimate;
mod fair_queue;
pub mod feed;
mod forecast;
mod job_state;
mod lengths;
mod overview;
mod recent;
pub mod record;
mod recovery;
mod share;
mod state;
mod ticket;
mod totals;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

pub use crate::engine::{arm as note_crashes, celsius, read_crashed_jobs};
pub use admission::Capacity;
pub use estimate::Eta;
pub use feed::{Feed, JobEvent};
pub use forecast::Forecast;
use forecast::{ForecastKey, Forecasts};
use job_state::JobState;
pub use overview::{Health, Overview, Pulse};
use record::State;
pub use share::SharedJobs;
use state::DeskState;
pub use ticket::{Durability, SubmitOptions, Submitted, Ticket};
pub use totals::{STEP_SECONDS, Totals};

use crate::engine::protocol::{Event, Gauge};
use crate::engine::{self, Draw, Engine};
use crate::random;
use crate::store::{JobSummary, Journal, NewJob, Recovered, StoredJob, StoredValue, UsageHour};
use crate::types::answer::Outcome;
use crate::types::error::{Error, Kind};
use crate::types::job::{Client, JobId, JobName, Question, Role, Turn};
use crate::types::kernels::SelfTest;
use crate::types::mode::Voting;
use crate::types::plan::Plan;

/// The desk, shared by all doors. Dropping it closes it.
pub struct Desk {
    state: Arc<Mutex<DeskState>>,
    journal: Option<Arc<Journal>>,
    /// Held while a job is accepted under an idempotency key, so that one key makes one job.
    accepting: Mutex<()>,
    /// Held while a forecast is computed.
    forecasts: Mutex<Forecasts>,
    /// Held while a job is shared or no longer shared.
    sharing: Mutex<()>,
    /// Held while the engine is stopped.
    ending: Mutex<()>,
}

impl Desk {
    /// Opens the desk and starts the engine, which begins to load the model. With a journal, the
    /// unfinished jobs in it continue.
    ///
    /// `broken` is called once, from another thread, if the engine stops by itself.
    ///
    /// # Errors
    /// `internal` if a thread cannot be started.
    pub fn open(
        plan: Plan,
        capacity: Capacity,
        selftest: SelfTest,
        journal: Option<(Journal, Recovered)>,
        broken: impl FnOnce(Error) + Send + 'static,
    ) -> Result<Desk, Error> {
        Desk::start(plan, capacity, selftest, journal, None, broken)
    }

    /// Opens a desk without journal and self-test whose engine sends each token it draws to
    /// `observer`: for tests that compare runs token by token.
    ///
    /// # Errors
    /// `internal` where threads cannot be had.
    pub fn open_observed(
        plan: Plan,
        capacity: Capacity,
        observer: Sender<Draw>,
        broken: impl FnOnce(Error) + Send + 'static,
    ) -> Result<Desk, Error> {
        Desk::start(plan, capacity, SelfTest::Skip, None, Some(observer), broken)
    }

    fn start(
        plan: Plan,
        capacity: Capacity,
        selftest: SelfTest,
        journal: Option<(Journal, Recovered)>,
        observer: Option<Sender<Draw>>,
        broken: impl FnOnce(Error) + Send + 'static,
    ) -> Result<Desk, Error> {
        let (events, inbox) = channel();
        let (model_bytes, slots) = (plan.file_bytes, plan.sequences);
        let engine = Engine::start(plan, selftest, events, observer)?;
        let mut state = DeskState::new(engine, model_bytes, slots, capacity);
        let (journal, recovered) = journal.unzip();
        let journal = journal.map(Arc::new);
        state.journal = journal.clone();
        if let Some(Recovered { jobs, last, .. }) = recovered {
            state.restore(jobs, last);
        }
        let state = Arc::new(Mutex::new(state));
        let shared = state.clone();
        std::thread::Builder::new()
            .name("desk".into())
            .spawn(move || take_events(&shared, &inbox, broken))
            .map_err(|e| Error::internal(format!("cannot start the desk's thread: {e}")))?;
        let (accepting, forecasts, sharing, ending) = Default::default();
        Ok(Desk { state, journal, accepting, forecasts, sharing, ending })
    }

    /// Submits a question of `client`. Blocks until a durable job is on the disk.
    ///
    /// # Errors
    /// Those of [`Question::check`]; `too_many` if the client has as many unfinished jobs as it
    /// may; `busy`, with the seconds after which to try again, if the queue is full; the engine's
    /// own error if it has stopped; `no_space` or `internal` if a durable job cannot be written;
    /// `conflict` if the idempotency key belongs to another question.
    pub fn submit(
        &self,
        client: Client,
        question: Question,
        options: SubmitOptions,
    ) -> Result<Ticket, Error> {
        question.check()?;
        let SubmitOptions { durability, request, .. } = options;
        let new = NewJob {
            id: JobId::default(),
            name: fresh_name()?,
            client,
            request,
            question: Arc::new(question),
            asked: SystemTime::now(),
        };
        let journal = match (&self.journal, durability) {
            (Some(journal), Durability::Durable) => journal,
            _ => {
                let mut state = self.lock();
                let ticket = state.admit(new, options)?;
                state.prepare(ticket.job);
                return Ok(ticket);
            }
        };
        let _accepting =
            request.map(|_| self.accepting.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(request) = &request
            && let Some((name, asked)) = journal.find_request(client, &request.key)?
        {
            return self.duplicate(name, asked == request.asked);
        }
        // It counts from here on, but is not visible before it is on the disk.
        let ticket = self.lock().admit(new.clone(), options)?;
        let accepted = journal.accept(NewJob { id: ticket.job, ..new });
        let mut state = self.lock();
        match accepted {
            Ok(()) => state.prepare(ticket.job),
            Err(_) => state.withdraw(ticket.job),
        }
        accepted.map(|()| ticket)
    }

    /// Returns when `question` would be answered if `client` asked it now. Nothing is submitted.
    ///
    /// # Errors
    /// Those of [`Question::check`]; the reason if the box answers no questions; `busy` if
    /// forecasts have taken too much time lately.
    pub fn forecast(&self, client: Client, question: &Question) -> Result<Forecast, Error> {
        question.check()?;
        let mut forecasts = self.forecasts.lock().unwrap_or_else(PoisonError::into_inner);
        forecasts.get(ForecastKey::new(client, question), || {
            let prospect = {
                let state = self.lock();
                state.check_open()?;
                state.prospect(client, question)
            };
            // Without the lock: a long queue takes a while.
            Ok(prospect.forecast())
        })
    }

    /// Returns the job that was submitted under the same key.
    ///
    /// # Errors
    /// `conflict` if that was another question.
    fn duplicate(&self, name: JobName, is_same: bool) -> Result<Ticket, Error> {
        if !is_same {
            return Err(Error::new(
                Kind::Conflict,
                "Idempotency-Key: already used for a different question",
                "Send a new key with each new question.",
            ));
        }
        let found =
            self.find(name)?.map(|ticket| Ticket { submitted: Submitted::Duplicate, ..ticket });
        found.ok_or_else(|| Error::internal("the job of an idempotency key is not in the journal"))
    }

    /// Finds a job by its name, unfinished or ended.
    ///
    /// # Errors
    /// `internal` if the journal cannot be read.
    pub fn find(&self, name: JobName) -> Result<Option<Ticket>, Error> {
        let known = self.lock().find(name);
        let is_live = |ticket: &Ticket| !ticket.record.state().is_last();
        let Some(journal) = self.journal.as_ref().filter(|_| !known.as_ref().is_some_and(is_live))
        else {
            return Ok(known);
        };
        // A durable job exists while the journal has it, and a command may have deleted it. An end
        // that could not be written is only in memory.
        Ok(match (journal.find(name)?, known) {
            (Some(stored), Some(known)) if stored.end.is_none() => Some(known),
            (Some(stored), _) => Some(ticket_of(stored)),
            (None, known) => known.filter(|known| known.durability == Durability::WhileListening),
        })
    }

    /// Lists jobs of one client or of all, newest first, `most` at most, only those older than
    /// `before` if that is given.
    ///
    /// # Errors
    /// `internal` if the journal cannot be read.
    pub fn list(
        &self,
        client: Option<Client>,
        before: Option<JobId>,
        most: u32,
    ) -> Result<Vec<JobSummary>, Error> {
        self.journal.as_ref().map_or(Ok(Vec::new()), |journal| journal.list(client, before, most))
    }

    /// Returns the value of the answer of a job in a list, once the end is on the disk.
    ///
    /// Of a job that an earlier version of the program ended, the journal has only the log: its
    /// value is computed here and stored, so that this takes long once.
    ///
    /// # Errors
    /// `internal` if the journal cannot be read.
    pub fn value_of(&self, job: &JobSummary) -> Result<Option<String>, Error> {
        let has_value = job.end.is_some() && job.question.mode.voting == Voting::ByValue;
        let Some(journal) = self.journal.as_ref().filter(|_| has_value) else { return Ok(None) };
        if let StoredValue::Known(value) = &job.value {
            return Ok(value.clone());
        }
        let ticket = journal.find(job.name)?.map(ticket_of);
        let value = ticket.and_then(|ticket| ticket.value(&ticket.record.read(usize::MAX)));
        journal.keep_value(job.id, value.clone());
        Ok(value)
    }

    /// Returns how many jobs have ended since the hour of `since`, by hour and mode, including
    /// those that were deleted later.
    ///
    /// # Errors
    /// `internal` if the journal cannot be read.
    pub fn usage(&self, since: SystemTime) -> Result<Vec<UsageHour>, Error> {
        self.journal.as_ref().map_or(Ok(Vec::new()), |journal| journal.usage(since))
    }

    /// Returns the state of a job that has not ended, or whose end is not on the disk yet; `None`
    /// if only the journal may know it.
    pub fn state_of(&self, job: JobId) -> Option<State> {
        self.lock().state_of(job)
    }

    /// Returns all unfinished jobs, in the order of submission.
    pub fn unfinished(&self) -> Vec<Ticket> {
        self.lock().all()
    }

    /// Returns the conversation of an answered job, with its answer last, for a question that
    /// continues it. The job must belong to one of `clients`, the identities of one asker. Thinking
    /// is left out, as chat templates leave it out of earlier turns.
    ///
    /// # Errors
    /// `not_found` if the job is another client's, is not answered, or is no longer kept. The error
    /// is the same in each case, so that it does not reveal which jobs exist.
    pub fn conversation(&self, clients: [Client; 2], job: JobName) -> Result<Vec<Turn>, Error> {
        let ticket = self.find(job)?.filter(|ticket| clients.contains(&ticket.client));
        let answered = ticket.filter(|ticket| {
            matches!(ticket.record.state(), State::Ended(Outcome::Done | Outcome::Budget, _))
        });
        let Some(ticket) = answered else {
            return Err(Error::new(
                Kind::NotFound,
                format!("previous: you have no answered question {job}"),
                "Ask again with the whole conversation.",
            ));
        };
        let answer = Turn { role: Role::Assistant, text: ticket.record.wait_ended().answer };
        Ok(ticket.question.turns.iter().cloned().chain([answer]).collect())
    }

    /// Has a job end its thinking and answer, from its next token on. Blocks until that is on the
    /// disk.
    pub fn answer_now(&self, job: JobId) {
        self.lock().answer_now(job);
        self.wait_written();
    }

    /// Stops a job and deletes it. Blocks until it is gone from the disk.
    ///
    /// # Errors
    /// `no_space` or `internal` if it cannot be deleted now; it is stopped all the same.
    pub fn forget(&self, job: JobId, name: JobName) -> Result<(), Error> {
        self.lock().forget(job, name);
        self.written()
    }

    /// Stops and deletes all jobs of a client, or all that it does not share. Blocks until they are
    /// gone from the disk.
    ///
    /// # Errors
    /// `no_space` or `internal` if they cannot be deleted now, which is tried again; they are
    /// stopped all the same.
    pub fn forget_all(&self, client: Client, shared: SharedJobs) -> Result<(), Error> {
        let kept = match (shared, &self.journal) {
            (SharedJobs::Keep, Some(journal)) => journal.shared_of(client),
            (SharedJobs::Keep, None) | (SharedJobs::Delete, _) => Ok(Vec::new()),
        };
        // If it cannot be read what is shared, all goes, because nobody could delete it later.
        let (kept, unread) = kept.map_or_else(|e| (Vec::new(), Err(e)), |kept| (kept, Ok(())));
        self.lock().forget_all(client, kept);
        self.written().and(unread)
    }

    /// Stops a job: at once if it waits, within one step if it runs. Does nothing to one that has
    /// ended. Blocks until it is on the disk that the job does not continue.
    pub fn stop(&self, job: JobId) {
        self.stop_all(&[job]);
    }

    /// Stops several jobs like [`Desk::stop`], in one write to the disk where that is possible.
    pub fn stop_all(&self, jobs: &[JobId]) {
        jobs.iter().for_each(|&job| self.stop_soon(job));
        self.wait_written();
    }

    /// Stops a job without waiting for the disk: after a power cut it may continue.
    pub fn stop_soon(&self, job: JobId) {
        self.lock().stop(job);
    }

    /// Blocks until the orders given so far are on the disk, or cannot be written. What attempts
    /// wrote may follow later.
    fn wait_written(&self) {
        // The journal tries again where it failed, and has logged why.
        let _ = self.written();
    }

    fn written(&self) -> Result<(), Error> {
        self.journal.as_ref().map_or(Ok(()), |journal| journal.settle())
    }

    /// Returns whether the box can answer questions.
    pub fn health(&self) -> Health {
        self.lock().health.clone()
    }

    /// Returns a summary of what the box does and has done.
    pub fn overview(&self) -> Overview {
        self.lock().overview()
    }

    /// Changes how many jobs the box accepts, until it is restarted.
    pub fn set_capacity(&self, capacity: Capacity) {
        self.lock().admission.set_capacity(capacity);
    }

    /// Moves a job that has not started to the front of the queue: it gets the next free slot.
    pub fn move_first(&self, job: JobId) {
        self.lock().move_first(job);
    }

    /// Returns when the engine last sent an event, and how many jobs it has to work on.
    pub fn pulse(&self) -> Pulse {
        self.lock().pulse()
    }

    /// Returns how full the engine is and what it has done, as of its last step or rest.
    pub fn gauge(&self) -> Gauge {
        self.lock().gauge
    }

    /// Returns how long a rejected client should wait before it tries again.
    pub fn retry_after(&self) -> Duration {
        Duration::from_secs_f64(self.lock().admission.retry_seconds())
    }

    /// Interrupts all jobs, writes what the journal has pending, and stops the engine after its
    /// step. Later questions are rejected. Blocks until the engine has stopped, also if another
    /// thread closes the desk: llama.cpp must not be running when the process exits.
    pub fn close(&self) {
        let _ending = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
        let engine = {
            let mut state = self.lock();
            state.health = Health::Closing;
            state.interrupt_all(&closing());
            state.engine.take()
        };
        // Before the engine, which may be in the middle of a step; its events no longer count.
        if let Some(journal) = &self.journal {
            journal.flush();
        }
        // Joins the engine's thread, without the lock.
        drop(engine);
    }

    fn lock(&self) -> MutexGuard<'_, DeskState> {
        lock(&self.state)
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.close();
    }
}

/// Returns a ticket for a stored job, to read it.
pub fn ticket_of(stored: StoredJob) -> Ticket {
    JobState::restore(stored).ticket()
}

/// Returns a name that cannot be guessed.
fn fresh_name() -> Result<JobName, Error> {
    Ok(JobName(u128::from_ne_bytes(random::bytes()?)))
}

/// Returns the error of questions that come while the box is being closed.
pub fn closing() -> Error {
    Error::new(Kind::Stopped, "the box is shutting down", "Ask again when it is back.")
}

fn lock(state: &Mutex<DeskState>) -> MutexGuard<'_, DeskState> {
    // Every change leaves the desk whole, so another thread's panic does not spoil it.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the engine's events until it has stopped.
fn take_events(state: &Mutex<DeskState>, events: &Receiver<Event>, broken: impl FnOnce(Error)) {
    let mut reason = None;
    for event in events {
        match event {
            Event::Broken(error) => reason = Some(error),
            event => lock(state).take(event),
        }
    }
    let crashed = reason.is_none();
    let error = reason.unwrap_or_else(|| Error::internal("the engine stopped by itself"));
    {
        let mut state = lock(state);
        if state.health == Health::Closing {
            return;
        }
        if let Some(journal) = state.journal.as_ref().filter(|_| crashed) {
            engine::jobs_in_batch().into_iter().for_each(|job| journal.crashed(job));
        }
        state.health = Health::Broken(error.clone());
        state.interrupt_all(&error);
    }
    broken(error);
}
