//! The desk's state and decisions: its jobs, their order, and the orders to the engine.
//!
//! The desk's thread and the doors change it under one lock. It sends orders, fills records and
//! hands ends to the journal, and blocks for none of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::admission::{AdmissionControl, Capacity, QueueLoad};
use super::estimate::{Estimates, Pending};
use super::fair_queue::{FairQueue, Move};
use super::job_state::{JobState, Unstarted};
use super::lengths::LengthKind;
use super::recent::Recent;
use super::record::State;
use super::totals::Totals;
use super::{Durability, Health, Overview, Pulse, SubmitOptions, Ticket, closing};
use crate::engine::Engine;
use crate::engine::protocol::{
    Event, Gauge, Order, PrepareRequest, Served, StartRequest, StepReport,
};
use crate::store::{ForgottenJobs, Journal, NewJob};
use crate::types::answer::{Delta, Figures, Outcome};
use crate::types::error::Error;
use crate::types::job::{AttemptId, Client, JobId, JobName};
use crate::types::limits;

/// All that the desk knows.
pub struct DeskState {
    /// `None` once the desk is being closed.
    pub(super) engine: Option<Engine>,
    pub(super) health: Health,
    /// As of the engine's last step or rest.
    pub(super) gauge: Gauge,
    pub(super) totals: Totals,
    recent: Recent,
    pub(super) journal: Option<Arc<Journal>>,
    /// When the engine last sent an event.
    last_event: Instant,
    /// The jobs that have not ended.
    pub(super) jobs: BTreeMap<JobId, JobState>,
    /// Jobs whose attempts are in the queue.
    pub(super) queued: BTreeSet<JobId>,
    /// Jobs from before a restart that are not prepared yet.
    pub(super) restoring: BTreeSet<JobId>,
    pub(super) queue: FairQueue,
    pub(super) slots: usize,
    pub(super) admission: AdmissionControl,
    pub(super) last_job: JobId,
    pub(super) estimates: Estimates,
    /// When estimates were made last, and how long that took.
    estimated: (Instant, Duration),
}

impl DeskState {
    /// Begins without jobs, for an engine that runs `slots` attempts at a time and loads a model of
    /// this size.
    pub fn new(engine: Engine, model_bytes: u64, slots: u32, capacity: Capacity) -> DeskState {
        DeskState {
            engine: Some(engine),
            health: Health::Loading { bytes_loaded: 0, bytes_total: model_bytes },
            gauge: Gauge::default(),
            totals: Totals::default(),
            recent: Recent::default(),
            journal: None,
            last_event: Instant::now(),
            jobs: BTreeMap::new(),
            queued: BTreeSet::new(),
            restoring: BTreeSet::new(),
            queue: FairQueue::new(slots as usize, limits::TURN_TOKENS),
            slots: slots as usize,
            admission: AdmissionControl::new(capacity),
            last_job: JobId::default(),
            estimates: Estimates::for_model(model_bytes),
            estimated: (Instant::now(), Duration::ZERO),
        }
    }

    /// Makes a job of a checked question, with the next job number. It is not prepared before
    /// [`DeskState::prepare`].
    ///
    /// # Errors
    /// Like [`super::Desk::submit`].
    pub fn admit(&mut self, new: NewJob, options: SubmitOptions) -> Result<Ticket, Error> {
        self.check_open()?;
        let admitted = self.admission.check(self.load(&new), options.jobs_max);
        match admitted {
            Ok(()) => self.totals.jobs_taken += 1,
            Err(_) => self.totals.jobs_refused += 1,
        }
        admitted?;
        self.last_job.0 += 1;
        let job = JobState::new(NewJob { id: self.last_job, ..new }, options.durability);
        let ticket = job.ticket();
        self.jobs.insert(job.id, job);
        self.publish_places();
        Ok(ticket)
    }

    fn load(&self, new: &NewJob) -> QueueLoad {
        QueueLoad {
            of_client: self.jobs.values().filter(|job| job.client == new.client).count(),
            // Those whose attempts are parked wait as well: with fair shares all have soon started.
            waiting: self.jobs.keys().filter(|&&job| !self.queue.has_slot(job)).count(),
            unfinished: self.jobs.len(),
        }
    }

    /// Returns whether questions are accepted.
    ///
    /// # Errors
    /// The reason if they are not.
    pub(super) fn check_open(&self) -> Result<(), Error> {
        match &self.health {
            Health::Loading { .. } | Health::Ready { .. } => Ok(()),
            Health::Broken(error) => Err(error.clone()),
            Health::Closing => Err(closing()),
        }
    }

    /// Marks a job as accepted, which a durable one is once it is on the disk, and has the engine
    /// prepare its prompt.
    pub fn prepare(&mut self, job: JobId) {
        if let Some(accepted) = self.jobs.get_mut(&job) {
            accepted.is_accepted = true;
            let (client, question) = (accepted.client, accepted.question.clone());
            self.order(Order::Prepare(PrepareRequest { job, client, question }));
        }
    }

    /// Removes a job that was admitted and could not be written to the disk.
    pub fn withdraw(&mut self, job: JobId) {
        let withdrawn = self.jobs.remove(&job);
        self.totals.jobs_taken -= u64::from(withdrawn.is_some());
        self.publish_places();
    }

    /// Returns what the box does and has done.
    pub fn overview(&self) -> Overview {
        let running = self.jobs.values().filter(|job| job.is_started()).count();
        Overview {
            health: self.health.clone(),
            gauge: self.gauge,
            totals: self.totals.clone(),
            running,
            waiting: self.jobs.len() - running,
            capacity: self.admission.capacity(),
        }
    }

    /// Puts a job that has not started before all others.
    pub fn move_first(&mut self, job: JobId) {
        self.queue.move_first(job);
        self.reschedule();
    }

    /// Finds an unfinished or recently ended job by its name.
    pub fn find(&self, name: JobName) -> Option<Ticket> {
        let found = self.jobs.values().find(|job| job.name == name && job.is_findable());
        found.map(JobState::ticket).or_else(|| self.recent.find(name))
    }

    /// Returns the state of a job that has not ended, or whose end is not on the disk yet.
    pub fn state_of(&self, job: JobId) -> Option<State> {
        let record = self.jobs.get(&job).map(|job| job.record.clone());
        record.or_else(|| self.recent.record_of(job)).map(|record| record.state())
    }

    /// Returns the accepted jobs that have not ended, in the order of submission.
    pub fn all(&self) -> Vec<Ticket> {
        self.jobs.values().filter(|job| job.is_accepted).map(JobState::ticket).collect()
    }

    /// Has a job end its thinking and answer. Attempts that have not started are dropped, unless
    /// none has.
    pub fn answer_now(&mut self, job: JobId) {
        let Some(asked) = self.jobs.get_mut(&job).filter(|job| !job.answer_now) else { return };
        asked.answer_now = true;
        let (has_begun, is_durable) = (asked.has_begun(), asked.is_durable());
        self.order(Order::AnswerNow(job));
        if has_begun {
            self.end_unstarted(job, Unstarted::NeverBegun);
        }
        // Behind the attempts that it ended, so that all of it is written together.
        if let Some(journal) = self.journal.as_ref().filter(|_| is_durable) {
            journal.answer_now(job);
        }
        self.close_if_over(job);
        self.reschedule();
    }

    /// Stops a job and deletes what is kept of it.
    pub fn forget(&mut self, job: JobId, name: JobName) {
        self.recent.forget(|kept| kept.name == name);
        if let Some(forgotten) = self.jobs.get_mut(&job) {
            forgotten.is_forgotten = true;
        }
        // Deleted before it is stopped, so that it does not count as ended.
        if let Some(journal) = &self.journal {
            journal.forget(job);
        }
        self.stop(job);
    }

    /// Stops all jobs of a client that have not ended, and deletes what is kept of its jobs, except
    /// of those in `kept`. A question that is just being accepted counts as asked later.
    pub fn forget_all(&mut self, client: Client, mut kept: Vec<JobId>) {
        kept.extend(self.jobs.values().filter(|job| !job.is_accepted).map(|job| job.id));
        self.recent.forget(|ticket| ticket.client == client && !kept.contains(&ticket.job));
        let is_own = |job: &&mut JobState| job.client == client && !kept.contains(&job.id);
        let own = self.jobs.values_mut().filter(is_own);
        let stopped: Vec<JobId> = own
            .map(|job| {
                job.is_forgotten = true;
                job.id
            })
            .collect();
        if let Some(journal) = &self.journal {
            journal.forget_all(ForgottenJobs { client, last: self.last_job, kept });
        }
        stopped.into_iter().for_each(|job| self.stop(job));
    }

    /// Stops a job: at once if it waits, within one step if it runs.
    pub fn stop(&mut self, job: JobId) {
        if let Some(stopped) = self.jobs.get_mut(&job)
            && stopped.stop()
        {
            if let Some(journal) = journal_of(stopped, &self.journal) {
                journal.stopping(job);
            }
            self.stop_attempts(job);
            self.reschedule();
        }
    }

    /// Stops the attempts of a job that have not ended.
    pub(super) fn stop_attempts(&mut self, job: JobId) {
        self.order(Order::Stop(job));
        self.end_unstarted(job, Unstarted::All);
        self.close_if_over(job);
    }

    /// Ends attempts that the engine does not know, as stopped.
    fn end_unstarted(&mut self, job: JobId, which: Unstarted) {
        let Some(ended) = self.jobs.get_mut(&job) else { return };
        for (number, figures) in ended.end_unstarted(which, &Outcome::Stopped) {
            let attempt = AttemptId { job, number };
            self.queue.remove(attempt);
            if let Some(journal) = journal_of(ended, &self.journal) {
                journal.attempt_ended(attempt, None, Outcome::Stopped, figures);
            }
        }
    }

    /// Stops the other attempts of a job whose vote is decided.
    pub(super) fn decide(&mut self, job: JobId) {
        if let Some(decided) = self.jobs.get_mut(&job) {
            decided.decide();
        }
        self.stop_attempts(job);
    }

    /// Ends a job that cannot be answered.
    pub(super) fn fail(&mut self, job: JobId, error: &Error) {
        let Some(failed) = self.jobs.remove(&job) else { return };
        self.restoring.remove(&job);
        let outcome = Outcome::Failed(error.clone());
        self.totals.count_job(&outcome);
        failed.close(outcome, Figures::default(), self.journal.as_deref());
        self.keep_recent(&failed);
    }

    /// Ends a job if all its attempts have ended. Its slots are free at once, although its end is
    /// not visible before it is on the disk.
    pub(super) fn close_if_over(&mut self, job: JobId) {
        if !self.jobs.get(&job).is_some_and(JobState::is_over) {
            return;
        }
        let Some(closed) = self.jobs.remove(&job) else { return };
        self.queued.remove(&job);
        self.restoring.remove(&job);
        let (outcome, figures) = closed.end();
        self.totals.count_job(&outcome);
        closed.close(outcome, figures, self.journal.as_deref());
        if closed.durability == Durability::WhileListening
            && closed.is_findable()
            && let Some(journal) = &self.journal
        {
            journal.keep(closed.stored(), closed.value());
        }
        self.keep_recent(&closed);
        if closed.is_started() {
            self.admission.learn(closed.asked.elapsed());
        }
    }

    /// Keeps an ended job where it is found until the journal has its end.
    fn keep_recent(&mut self, job: &JobState) {
        if job.is_findable() {
            self.recent.keep(job.ticket());
        }
    }

    fn order(&self, order: Order) {
        if let Some(engine) = &self.engine {
            engine.order(order);
        }
    }

    /// Returns when the engine last sent an event, and how many jobs it has to work on.
    pub fn pulse(&self) -> Pulse {
        let running = self.jobs.keys().filter(|&&job| self.queue.has_slot(job)).count();
        Pulse { last_event: self.last_event, running, waiting: self.jobs.len() - running }
    }

    /// Takes an event of the engine.
    pub fn take(&mut self, event: Event) {
        self.last_event = Instant::now();
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
                if let Some(prepared) = self.jobs.get_mut(&job) {
                    prepared.prompt = Some(prompt);
                }
                self.restoring.remove(&job);
                self.reschedule();
            }
            Event::Prepared(job, Err(error)) => {
                self.fail(job, &error);
                self.reschedule();
            }
            Event::Delta(attempt, delta) => self.append(attempt, delta),
            Event::Ended(attempt, delta, outcome, figures) => {
                self.end_attempt(attempt, delta, outcome, figures);
            }
            Event::Step(step) => self.charge(step),
            Event::Idle(gauge) => {
                self.gauge = gauge;
                if let Some(journal) = &self.journal {
                    journal.set_resting(true);
                }
            }
            Event::Broken(_) => unreachable!("the desk's thread keeps it"),
        }
    }

    fn append(&mut self, attempt: AttemptId, delta: Delta) {
        let Some(job) = self.jobs.get_mut(&attempt.job) else { return };
        job.append(attempt.number, &delta);
        if let Some(journal) = journal_of(job, &self.journal) {
            journal.gained(attempt.job, attempt.number, delta);
        }
    }

    fn end_attempt(
        &mut self,
        attempt: AttemptId,
        delta: Option<Delta>,
        outcome: Outcome,
        figures: Figures,
    ) {
        self.queue.remove(attempt);
        if let Some(job) = self.jobs.get_mut(&attempt.job) {
            if let Some(delta) = &delta {
                job.append(attempt.number, delta);
            }
            let end =
                if outcome == Outcome::Done { LengthKind::Complete } else { LengthKind::CutOff };
            self.estimates.learn(&job.question.mode, figures.completion_tokens, end);
            job.end_attempt(attempt.number, outcome.clone(), figures);
            if let Some(journal) = journal_of(job, &self.journal) {
                journal.attempt_ended(attempt, delta, outcome, figures);
            }
            if job.is_decided() {
                self.decide(attempt.job);
            }
        }
        self.close_if_over(attempt.job);
        self.reschedule();
    }

    /// Charges a step's tokens to the attempts it served. An attempt without room in the KV cache
    /// is charged a whole turn, so that another may use its slot.
    fn charge(&mut self, step: StepReport) {
        self.gauge = step.gauge;
        if let Some(journal) = &self.journal {
            journal.set_resting(false);
        }
        let drawn: u32 = step.served.iter().map(|served| served.drawn).sum();
        let tokens: u32 = step.served.iter().map(|served| served.tokens).sum();
        self.totals.count_step(step.seconds, drawn, tokens.saturating_sub(drawn));
        if step.served.iter().all(|served| served.drawn == served.tokens) {
            self.estimates.measure(step.served.len(), drawn, step.seconds);
        }
        for Served { attempt, tokens, drawn } in step.served {
            self.queue.charge(attempt, tokens);
            if let Some(job) = self.jobs.get_mut(&attempt.job) {
                job.count(attempt.number, drawn);
            }
        }
        for attempt in step.stalled {
            self.queue.charge(attempt, limits::TURN_TOKENS);
        }
        if self.assign_slots() || self.estimated.0.elapsed() >= limits::ESTIMATE_EVERY {
            self.publish_places();
            self.estimate();
        }
    }

    /// Assigns the engine's slots to attempts; returns whether any of them changed.
    fn assign_slots(&mut self) -> bool {
        let moves = self.queue.assign();
        for &step in &moves {
            match step {
                Move::Park(attempt) => self.order(Order::Park(attempt)),
                Move::Run(attempt) => self.start_or_resume(attempt),
            }
        }
        !moves.is_empty()
    }

    /// Assigns the slots after jobs came, ended or moved, and publishes the new places in the queue
    /// and estimates.
    pub(super) fn reschedule(&mut self) {
        self.queue_prepared();
        self.assign_slots();
        self.publish_places();
        self.estimate();
    }

    /// Publishes when each job is expected to end, unless that was done just now.
    fn estimate(&mut self) {
        let (at, took) = self.estimated;
        let pause = limits::ESTIMATE_PAUSE.max(took * limits::ESTIMATE_PAUSE_TIMES);
        if self.jobs.is_empty() || at.elapsed() < pause {
            return;
        }
        let began = Instant::now();
        // In the order of submission, which is also that of a client's jobs in the queue.
        let pending: Vec<Pending> = self.jobs.iter().map(|(id, job)| job.pending(*id)).collect();
        let etas = self.estimates.etas(self.slots, &pending);
        self.jobs.values().zip(etas).for_each(|(job, eta)| job.record.set_eta(eta));
        self.estimated = (Instant::now(), began.elapsed());
    }

    fn start_or_resume(&mut self, attempt: AttemptId) {
        let Some(job) = self.jobs.get_mut(&attempt.job) else { return };
        let Some(prompt) = job.prompt.clone() else { return };
        let Some(written) = job.start_attempt(attempt.number) else {
            return self.order(Order::Resume(attempt));
        };
        let (client, question, asked) = (job.client, job.question.clone(), job.asked);
        let answer_now = job.answer_now;
        let start = StartRequest { attempt, client, question, prompt, asked, written };
        self.order(Order::Start(Box::new(start)));
        if answer_now {
            self.order(Order::AnswerNow(attempt.job));
        }
    }

    /// Publishes the place in the queue of each job that has not started; jobs that are not
    /// prepared yet come after all that are.
    pub(super) fn publish_places(&self) {
        let line = self.queue.waiting();
        for (place, job) in (1..).zip(&line) {
            if let Some(job) = self.jobs.get(job).filter(|job| !job.is_started()) {
                job.record.set_queued(State::Queued, place);
            }
        }
        let unprepared = self.jobs.values().filter(|job| !self.queued.contains(&job.id));
        for (place, job) in (line.len() + 1..).zip(unprepared) {
            job.record.set_queued(State::Preparing, place);
        }
    }

    /// Interrupts every job because of `error`; durable ones continue at the next start.
    pub fn interrupt_all(&mut self, error: &Error) {
        for (_, job) in std::mem::take(&mut self.jobs) {
            job.interrupt(error);
        }
    }
}

/// Returns the journal if the job is written to it as it runs.
fn journal_of<'j>(job: &JobState, journal: &'j Option<Arc<Journal>>) -> Option<&'j Journal> {
    journal.as_deref().filter(|_| job.is_durable())
}
