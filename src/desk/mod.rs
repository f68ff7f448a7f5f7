//! The desk: admits questions, queues them fairly, and keeps the records of their jobs.
//!
//! A door submits a validated question, gets a ticket, and follows the ticket's record with a
//! [`Feed`]. The desk shares the engine's slots fairly among the clients; it knows neither HTTP nor
//! terminals. With a journal (`store`) jobs survive the process: a durable job is on the disk
//! before its ticket is returned, and its end is on the disk before its record shows it.

mod estimate;
mod fair_queue;
pub mod feed;
mod job_state;
mod lengths;
mod overview;
mod recent;
pub mod record;
mod recovery;
mod state;
mod ticket;
mod totals;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

pub use crate::engine::{arm as note_crashes, celsius, read_crashed_jobs};
pub use estimate::Eta;
pub use feed::{Feed, JobEvent};
use job_state::JobState;
pub use overview::{Health, Overview, Pulse};
use record::State;
pub use state::Capacity;
use state::DeskState;
pub use ticket::{Durability, SubmitOptions, Submitted, Ticket};
pub use totals::{STEP_SECONDS, Totals};

use crate::engine::{self, Draw, Engine, Event, Gauge};
use crate::random;
use crate::store::{JobSummary, Journal, NewJob, Recovered, StoredJob};
use crate::types::answer::Outcome;
use crate::types::error::{Error, Kind};
use crate::types::job::{Client, JobId, JobName, Question, Role, Turn};
use crate::types::kernels::SelfTest;
use crate::types::plan::Plan;

/// The desk. Dropping it stops the job being answered and ends the engine.
pub struct Desk {
    desk_state: Arc<Mutex<DeskState>>,
    journal: Option<Arc<Journal>>,
    /// Held while a job is being accepted, so that one key makes one job.
    accepting: Mutex<()>,
    /// Held while the engine ends.
    ending: Mutex<()>,
}

impl Desk {
    /// Opens the desk and starts the engine, which begins to load the model. With a journal it goes
    /// on with the jobs found in it.
    ///
    /// `broken` is called once, from another thread, if the engine ends by itself.
    ///
    /// # Errors
    /// `internal` where threads cannot be had.
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
        let health = Health::Loading { bytes_loaded: 0, bytes_total: plan.file_bytes };
        let slots = plan.sequences;
        let engine = Engine::start(plan, selftest, events, observer)?;
        let mut desk_state = DeskState::new(engine, health, slots, capacity);
        let (journal, recovered) = journal.unzip();
        let journal = journal.map(Arc::new);
        desk_state.journal = journal.clone();
        if let Some(Recovered { jobs, last, .. }) = recovered {
            desk_state.restore(jobs, last);
        }
        let desk_state = Arc::new(Mutex::new(desk_state));
        let shared = desk_state.clone();
        std::thread::Builder::new()
            .name("desk".into())
            .spawn(move || hear_all(&shared, &inbox, broken))
            .map_err(|e| Error::internal(format!("cannot start the desk's thread: {e}")))?;
        Ok(Desk { desk_state, journal, accepting: Mutex::new(()), ending: Mutex::new(()) })
    }

    /// Takes a question of `client` in line. Blocks until it is on the disk where it is to last.
    ///
    /// # Errors
    /// What [`Question::check`] says; `too_many` where the client has as many unanswered ones as it
    /// may; `busy` with the place the job would have had, and the seconds after which to try again,
    /// where the line is full; the engine's own reason where it has ended; `no_space` or `internal`
    /// where a job that is to last cannot be kept; `conflict` where the key was another question's.
    pub fn submit(
        &self,
        client: Client,
        question: Question,
        terms: SubmitOptions,
    ) -> Result<Ticket, Error> {
        question.check()?;
        let SubmitOptions { durability, request, .. } = terms;
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
                let mut desk_state = self.lock();
                let ticket = desk_state.admit(new, terms)?;
                desk_state.prepare(ticket.job);
                return Ok(ticket);
            }
        };
        let _accepting =
            request.map(|_| self.accepting.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(request) = &request
            && let Some((name, asked)) = journal.find_request(client, &request.key)?
        {
            return self.same(name, asked == request.asked);
        }
        // It counts from here on, but nobody knows of it until it is on the disk.
        let ticket = self.lock().admit(new.clone(), terms)?;
        let accepted = journal.accept(NewJob { id: ticket.job, ..new });
        let mut desk_state = self.lock();
        match accepted {
            Ok(()) => desk_state.prepare(ticket.job),
            Err(_) => desk_state.withdraw(ticket.job),
        }
        accepted.map(|()| ticket)
    }

    /// Returns the job that was asked under the same key, if the same was asked.
    fn same(&self, name: JobName, is_same: bool) -> Result<Ticket, Error> {
        if !is_same {
            return Err(Error::new(
                Kind::Conflict,
                "Idempotency-Key: something else was asked under it",
                "Send a new key with each new question.",
            ));
        }
        let found =
            self.find(name)?.map(|ticket| Ticket { submitted: Submitted::Duplicate, ..ticket });
        found.ok_or_else(|| Error::internal("the job of a key is not in the journal"))
    }

    /// Finds a job by its name, whether or not it is over.
    ///
    /// # Errors
    /// `internal` where the journal cannot be read.
    pub fn find(&self, name: JobName) -> Result<Option<Ticket>, Error> {
        let known = self.lock().find(name);
        let is_live = |ticket: &Ticket| !ticket.record.state().is_last();
        let Some(journal) = self.journal.as_ref().filter(|_| !known.as_ref().is_some_and(is_live))
        else {
            return Ok(known);
        };
        // What lasts is there as long as the journal has it, which a command may forget; its end
        // may not be there yet.
        Ok(match (journal.find(name)?, known) {
            (Some(kept), Some(known)) if kept.end.is_none() => Some(known),
            (Some(kept), _) => Some(ticket_of(kept)),
            (None, known) => known.filter(|known| known.durability == Durability::WhileListening),
        })
    }

    /// Lists the latest jobs before `before`, of one client or of all, the latest first.
    ///
    /// # Errors
    /// `internal` where the journal cannot be read.
    pub fn list(
        &self,
        client: Option<Client>,
        before: Option<JobId>,
        most: u32,
    ) -> Result<Vec<JobSummary>, Error> {
        self.journal.as_ref().map_or(Ok(Vec::new()), |journal| journal.list(client, before, most))
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

    /// Returns the conversation of an answered job of a client, which may be known in two ways, its
    /// answer last, to go on with. What was thought is left out, as chat templates leave it out of
    /// what came before.
    ///
    /// # Errors
    /// `not_found` where it is another's, is not answered, or was too long ago: all the same, so
    /// that nobody learns which jobs there are.
    pub fn conversation(&self, clients: [Client; 2], job: JobName) -> Result<Vec<Turn>, Error> {
        let ticket = self.find(job)?.filter(|ticket| clients.contains(&ticket.client));
        let answered = ticket.filter(|ticket| {
            matches!(ticket.record.state(), State::Ended(Outcome::Done | Outcome::Budget, _))
        });
        let Some(ticket) = answered else {
            return Err(Error::new(
                Kind::NotFound,
                format!("previous: you have no answered question {job}"),
                "Ask anew, with the whole conversation.",
            ));
        };
        let answer = Turn { role: Role::Assistant, text: ticket.record.wait_ended().answer };
        Ok(ticket.question.turns.iter().cloned().chain([answer]).collect())
    }

    /// Has a job end its thinking and answer, at its next token. Blocks until that is on the disk.
    pub fn answer_now(&self, job: JobId) {
        self.lock().answer_now(job);
        self.wait_written();
    }

    /// Stops a job and forgets it. Blocks until it is gone from the disk.
    ///
    /// # Errors
    /// `no_space` or `internal` where it cannot be forgotten; it is stopped all the same.
    pub fn forget(&self, job: JobId, name: JobName) -> Result<(), Error> {
        self.lock().forget(job, name);
        self.written()
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

    /// Returns whether the box can answer.
    pub fn health(&self) -> Health {
        self.lock().health.clone()
    }

    /// Returns what the box does and has done.
    pub fn overview(&self) -> Overview {
        self.lock().overview()
    }

    /// Changes how many jobs are taken from now on, until the box is started again.
    pub fn set_capacity(&self, capacity: Capacity) {
        self.lock().set_capacity(capacity);
    }

    /// Puts a job that has not begun before all others: it gets the next slot that is free.
    pub fn move_first(&self, job: JobId) {
        self.lock().move_first(job);
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
            let mut desk_state = self.lock();
            desk_state.health = Health::Closing;
            desk_state.end_all(&closing());
            desk_state.engine.take()
        };
        // First, because it is quick: the engine may be in the middle of a step, and what it still
        // says is not heard any more.
        if let Some(journal) = &self.journal {
            journal.flush();
        }
        // Joins the engine's thread, not under the lock.
        drop(engine);
    }

    fn lock(&self) -> MutexGuard<'_, DeskState> {
        lock(&self.desk_state)
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.close();
    }
}

/// Returns a job that the journal has kept, to be read.
pub fn ticket_of(kept: StoredJob) -> Ticket {
    JobState::restore(kept).ticket()
}

/// Returns a name nobody can guess.
fn fresh_name() -> Result<JobName, Error> {
    Ok(JobName(u128::from_ne_bytes(random::bytes()?)))
}

/// Returns why a box that is being closed takes no question.
pub fn closing() -> Error {
    Error::new(Kind::Stopped, "the box is shutting down", "Ask again when it is back.")
}

fn lock(desk_state: &Mutex<DeskState>) -> MutexGuard<'_, DeskState> {
    // Every change leaves the desk whole, so another thread's panic does not spoil it.
    desk_state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hears the engine's events until it has ended.
fn hear_all(desk_state: &Mutex<DeskState>, events: &Receiver<Event>, broken: impl FnOnce(Error)) {
    let mut reason = None;
    for event in events {
        match event {
            Event::Broken(error) => reason = Some(error),
            event => lock(desk_state).hear(event),
        }
    }
    let crashed = reason.is_none();
    let error = reason.unwrap_or_else(|| Error::internal("the engine stopped by itself"));
    {
        let mut desk_state = lock(desk_state);
        if desk_state.health == Health::Closing {
            return;
        }
        if let Some(journal) = desk_state.journal.as_ref().filter(|_| crashed) {
            engine::jobs_in_batch().into_iter().for_each(|job| journal.crashed(job));
        }
        desk_state.health = Health::Broken(error.clone());
        desk_state.end_all(&error);
    }
    broken(error);
}
