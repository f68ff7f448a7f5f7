//! What the desk knows and decides: jobs, whose turn it is, and what the engine is told.
//!
//! The desk's thread and the doors change it under one lock; it gives orders and fills records, and
//! waits for nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::estimate::{Estimates, Pending};
use super::fair_queue::{FairQueue, Move};
use super::job_state::{JobState, Stopping, Waiting};
use super::lengths::End;
use super::recent::Recent;
use super::record::State;
use super::totals::Totals;
use super::{Durability, Health, Overview, Pulse, SubmitOptions, Ticket, closing};
use crate::engine::{Asked, Engine, Event, Gauge, Order, Served, Start, Step};
use crate::store::{Journal, NewJob};
use crate::types::answer::{Delta, Figures, Outcome};
use crate::types::error::{Error, Kind};
use crate::types::job::{AttemptId, JobId, JobName};
use crate::types::limits;

/// How many jobs the desk takes.
#[derive(Clone, Copy, Debug)]
pub struct Capacity {
    /// Jobs that may wait in line.
    pub line_jobs_max: usize,
    /// Jobs of one client, waiting or being answered.
    pub client_jobs_max: usize,
}

impl Capacity {
    /// Returns that of a desk with one client, who may fill the line.
    pub fn alone(line_jobs_max: usize) -> Capacity {
        Capacity { line_jobs_max, client_jobs_max: usize::MAX }
    }
}

/// The desk's state.
pub struct DeskState {
    /// Gone once the desk is being closed.
    pub engine: Option<Engine>,
    /// Whether questions can be answered.
    pub health: Health,
    /// How full the engine was when it last said so.
    pub gauge: Gauge,
    /// What was done.
    pub totals: Totals,
    /// What has just ended.
    pub recent: Recent,
    /// What lasts, if anything does.
    pub journal: Option<Arc<Journal>>,
    /// When the engine last said anything.
    heard: Instant,
    pub(super) job_states: BTreeMap<JobId, JobState>,
    /// Jobs whose attempts were put in line.
    pub(super) in_line: BTreeSet<JobId>,
    /// Jobs of an earlier life of the box that are not prepared yet.
    pub(super) restoring: BTreeSet<JobId>,
    pub(super) queue: FairQueue,
    slots: usize,
    capacity: Capacity,
    pub(super) last_job: JobId,
    estimates: Estimates,
    /// When estimates were made, and how long that took.
    estimated: (Instant, Duration),
    /// Mean time a job takes once it runs, weighted towards the latest.
    job_seconds: f64,
}

impl DeskState {
    /// Opens it for an engine that runs so many attempts at a time.
    pub fn new(engine: Engine, health: Health, slots: u32, capacity: Capacity) -> DeskState {
        DeskState {
            engine: Some(engine),
            health,
            gauge: Gauge::default(),
            totals: Totals::default(),
            recent: Recent::default(),
            journal: None,
            heard: Instant::now(),
            job_states: BTreeMap::new(),
            in_line: BTreeSet::new(),
            restoring: BTreeSet::new(),
            queue: FairQueue::new(slots as usize, limits::TURN_TOKENS),
            slots: slots as usize,
            capacity,
            last_job: JobId::default(),
            estimates: Estimates::default(),
            estimated: (Instant::now(), Duration::ZERO),
            job_seconds: 30.0,
        }
    }

    /// Takes a checked question in line; it is not prepared before [`DeskState::prepare`]. The number
    /// in `new` is given here.
    ///
    /// # Errors
    /// Those of [`super::Desk::submit`].
    pub fn admit(&mut self, new: NewJob, terms: SubmitOptions) -> Result<Ticket, Error> {
        self.check_open()?;
        let admitted = self.admit_within(new, terms);
        match &admitted {
            Ok(_) => self.totals.jobs_taken += 1,
            Err(_) => self.totals.jobs_refused += 1,
        }
        admitted
    }

    fn admit_within(&mut self, new: NewJob, terms: SubmitOptions) -> Result<Ticket, Error> {
        let own =
            self.job_states.values().filter(|job_state| job_state.client == new.client).count();
        let most = terms.jobs_max.map_or(usize::MAX, |most| most as usize);
        if own >= self.capacity.client_jobs_max.min(most) {
            return Err(self.too_many(own));
        }
        // Who waits for another turn waits as well: where turns go round, all have soon begun.
        let waiting = self.job_states.keys().filter(|&&job| !self.queue.sits(job)).count();
        if waiting >= self.capacity.line_jobs_max {
            return Err(self.busy());
        }
        self.last_job.0 += 1;
        let job_state = JobState::new(NewJob { id: self.last_job, ..new }, terms.durability);
        let ticket = job_state.ticket();
        self.job_states.insert(job_state.id, job_state);
        self.publish_places();
        Ok(ticket)
    }

    /// Returns whether questions are taken.
    ///
    /// # Errors
    /// Why they are not.
    fn check_open(&self) -> Result<(), Error> {
        match &self.health {
            Health::Loading { .. } | Health::Ready { .. } => Ok(()),
            Health::Broken(error) => Err(error.clone()),
            Health::Closing => Err(closing()),
        }
    }

    /// Has a job prepared, which is accepted now.
    pub fn prepare(&mut self, job: JobId) {
        if let Some(job_state) = self.job_states.get_mut(&job) {
            job_state.is_accepted = true;
            let (client, question) = (job_state.client, job_state.question.clone());
            self.order(Order::Prepare(Asked { job, client, question }));
        }
    }

    /// Forgets a question that was admitted and could not be accepted.
    pub fn withdraw(&mut self, job: JobId) {
        let withdrawn = self.job_states.remove(&job);
        self.totals.jobs_taken -= u64::from(withdrawn.is_some());
        self.publish_places();
    }

    /// Returns what the box does and has done.
    pub fn overview(&self) -> Overview {
        let running = self.job_states.values().filter(|job_state| job_state.is_started()).count();
        Overview {
            health: self.health.clone(),
            gauge: self.gauge,
            totals: self.totals.clone(),
            running,
            waiting: self.job_states.len() - running,
            capacity: self.capacity,
        }
    }

    /// Changes how many jobs are taken from now on.
    pub fn set_capacity(&mut self, capacity: Capacity) {
        self.capacity = capacity;
    }

    /// Puts a job that has not begun before all others.
    pub fn move_first(&mut self, job: JobId) {
        self.queue.move_first(job);
        self.share_anew();
    }

    /// Finds an unfinished or recently ended job by its name.
    pub fn find(&self, name: JobName) -> Option<Ticket> {
        let is_known = |job_state: &&JobState| job_state.name == name && job_state.is_findable();
        let job_state = self.job_states.values().find(is_known);
        job_state.map(JobState::ticket).or_else(|| self.recent.find(name))
    }

    /// Returns the state of a job that has not ended, or whose end is not on the disk yet.
    pub fn state_of(&self, job: JobId) -> Option<State> {
        let record = self.job_states.get(&job).map(|job_state| job_state.record.clone());
        record.or_else(|| self.recent.record_of(job)).map(|record| record.state())
    }

    /// Returns the accepted jobs that have not ended, in the order of submission.
    pub fn all(&self) -> Vec<Ticket> {
        let accepted = self.job_states.values().filter(|job_state| job_state.is_accepted);
        accepted.map(JobState::ticket).collect()
    }

    /// Has a job end its thinking and answer. Attempts that have not begun are not made, unless
    /// none has.
    pub fn answer_now(&mut self, job: JobId) {
        let Some(job_state) = self.job_states.get_mut(&job) else { return };
        if job_state.answer_now {
            return;
        }
        job_state.answer_now = true;
        let (has_begun, is_durable) = (job_state.has_begun(), job_state.is_durable());
        self.order(Order::AnswerNow(job));
        if has_begun {
            self.end_waiting(job, Waiting::Unbegun);
        }
        // After what it ended, so that both are on the disk together.
        if let Some(journal) = self.journal.as_ref().filter(|_| is_durable) {
            journal.answer_now(job);
        }
        self.close_if_over(job);
        self.share_anew();
    }

    /// Stops a job and keeps nothing of it.
    pub fn forget(&mut self, job: JobId, name: JobName) {
        self.recent.forget(name);
        if let Some(job_state) = self.job_states.get_mut(&job) {
            job_state.is_forgotten = true;
        }
        self.stop(job);
        if let Some(journal) = &self.journal {
            journal.forget(job);
        }
    }

    /// Stops a job: at once where it waits, within one step where it runs.
    pub fn stop(&mut self, job: JobId) {
        if let Some(job_state) = self.job_states.get_mut(&job)
            && job_state.stopping == Stopping::No
        {
            job_state.stopping = Stopping::Unwanted;
            if let Some(journal) = journal_of(job_state, &self.journal) {
                journal.stopping(job);
            }
            self.stop_all(job);
            self.share_anew();
        }
    }

    /// Stops what is left of a job.
    pub(super) fn stop_all(&mut self, job: JobId) {
        self.order(Order::Stop(job));
        self.end_waiting(job, Waiting::All);
        self.close_if_over(job);
    }

    /// Stops attempts of a job that the engine has never heard of.
    fn end_waiting(&mut self, job: JobId, which: Waiting) {
        let Some(job_state) = self.job_states.get_mut(&job) else { return };
        for (number, figures) in job_state.end_waiting(which, &Outcome::Stopped) {
            let attempt = AttemptId { job, number };
            self.queue.remove(attempt);
            if let Some(journal) = journal_of(job_state, &self.journal) {
                journal.attempt_ended(attempt, None, Outcome::Stopped, figures);
            }
        }
    }

    /// Stops what is left of a job whose vote is decided.
    pub(super) fn decide(&mut self, job: JobId) {
        if let Some(job_state) = self.job_states.get_mut(&job) {
            job_state.stopping = Stopping::Decided;
        }
        self.stop_all(job);
    }

    /// Ends a job that cannot be answered.
    pub(super) fn fail(&mut self, job: JobId, error: &Error) {
        let Some(job_state) = self.job_states.remove(&job) else { return };
        self.restoring.remove(&job);
        let outcome = Outcome::Failed(error.clone());
        self.totals.count_job(&outcome);
        job_state.close(outcome, Figures::default(), self.journal.as_deref());
        self.keep_recent(&job_state);
    }

    pub(super) fn close_if_over(&mut self, job: JobId) {
        if self.job_states.get(&job).is_some_and(JobState::is_over)
            && let Some(job_state) = self.job_states.remove(&job)
        {
            self.in_line.remove(&job);
            self.restoring.remove(&job);
            let (outcome, figures) = job_state.end();
            self.totals.count_job(&outcome);
            job_state.close(outcome, figures, self.journal.as_deref());
            if job_state.durability == Durability::WhileListening
                && job_state.is_findable()
                && let Some(journal) = &self.journal
            {
                journal.keep(job_state.kept());
            }
            self.keep_recent(&job_state);
            if job_state.is_started() {
                let seconds = job_state.asked.elapsed().as_secs_f64();
                self.job_seconds = 0.7 * self.job_seconds + 0.3 * seconds;
            }
        }
    }

    /// Keeps a job that has ended where it is found until its end is on the disk.
    fn keep_recent(&mut self, job_state: &JobState) {
        if job_state.is_findable() {
            self.recent.keep(job_state.ticket());
        }
    }

    fn order(&self, order: Order) {
        if let Some(engine) = &self.engine {
            engine.order(order);
        }
    }

    /// Returns when the engine last said anything, and how many jobs it has to do.
    pub fn pulse(&self) -> Pulse {
        let running = self.job_states.keys().filter(|&&job| self.queue.sits(job)).count();
        Pulse { heard: self.heard, running, waiting: self.job_states.len() - running }
    }

    /// Takes what the engine says.
    pub fn hear(&mut self, event: Event) {
        self.heard = Instant::now();
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
                if let Some(job_state) = self.job_states.get_mut(&job) {
                    job_state.prompt = Some(prompt);
                }
                self.restoring.remove(&job);
                self.share_anew();
            }
            Event::Prepared(job, Err(error)) => {
                self.fail(job, &error);
                self.share_anew();
            }
            Event::Gained(attempt, delta) => self.delta(attempt, delta),
            Event::Ended(attempt, delta, outcome, figures) => {
                self.end_attempt(attempt, delta, outcome, figures);
            }
            Event::Step(step) => self.charge(step),
            Event::Rest(gauge) => {
                self.gauge = gauge;
                if let Some(journal) = &self.journal {
                    journal.set_resting(true);
                }
            }
            Event::Broken(_) => unreachable!("the desk's thread keeps it"),
        }
    }

    fn delta(&mut self, attempt: AttemptId, delta: Delta) {
        let Some(job_state) = self.job_states.get_mut(&attempt.job) else { return };
        job_state.append(attempt.number, &delta);
        if let Some(journal) = journal_of(job_state, &self.journal) {
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
        if let Some(job_state) = self.job_states.get_mut(&attempt.job) {
            if let Some(delta) = &delta {
                job_state.append(attempt.number, delta);
            }
            let end = if outcome == Outcome::Done { End::Itself } else { End::CutOff };
            self.estimates.learn(&job_state.question.mode, figures.completion_tokens, end);
            job_state.end_attempt(attempt.number, outcome.clone(), figures);
            if let Some(journal) = journal_of(job_state, &self.journal) {
                journal.attempt_ended(attempt, delta, outcome, figures);
            }
            if job_state.is_decided() {
                self.decide(attempt.job);
            }
        }
        self.close_if_over(attempt.job);
        self.share_anew();
    }

    /// Counts a step against the turns of who went on in it. Who found no room in the cache has had
    /// its turn: another may be able to use the slot.
    fn charge(&mut self, step: Step) {
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
            if let Some(job_state) = self.job_states.get_mut(&attempt.job) {
                job_state.count(attempt.number, drawn);
            }
        }
        for attempt in step.stalled {
            self.queue.charge(attempt, limits::TURN_TOKENS);
        }
        if self.share_out() {
            self.publish_places();
            self.estimate();
        } else if self.estimated.0.elapsed() >= limits::ESTIMATE_EVERY {
            self.publish_places();
            self.estimate();
        }
    }

    /// Tells the engine whose turn it is; returns whether anybody's has begun or ended.
    fn share_out(&mut self) -> bool {
        let moves = self.queue.assign();
        for &step in &moves {
            match step {
                Move::Park(attempt) => self.order(Order::Park(attempt)),
                Move::Slot(attempt) => self.slot(attempt),
            }
        }
        !moves.is_empty()
    }

    /// Does so where jobs have come or gone, which changes places even if nobody's turn is over,
    /// and tells everybody.
    pub(super) fn share_anew(&mut self) {
        self.line_up();
        self.share_out();
        self.publish_places();
        self.estimate();
    }

    /// Tells every job when it will be over; not more often than it is worth.
    fn estimate(&mut self) {
        let (at, took) = self.estimated;
        let pause = limits::ESTIMATE_PAUSE.max(took * limits::ESTIMATE_PAUSE_TIMES);
        if self.job_states.is_empty() || at.elapsed() < pause {
            return;
        }
        let began = Instant::now();
        // Of a client the older come first, as in its turns.
        let jobs: Vec<Pending> =
            self.job_states.iter().map(|(job, job_state)| job_state.pending(*job)).collect();
        let etas = self.estimates.etas(self.slots, &jobs);
        self.job_states
            .values()
            .zip(etas)
            .for_each(|(job_state, eta)| job_state.record.set_eta(eta));
        self.estimated = (Instant::now(), began.elapsed());
    }

    fn slot(&mut self, attempt: AttemptId) {
        let Some(job_state) = self.job_states.get_mut(&attempt.job) else { return };
        let Some(prompt) = job_state.prompt.clone() else { return };
        let Some(written) = job_state.slot(attempt.number) else {
            return self.order(Order::Resume(attempt));
        };
        let (client, question, asked) =
            (job_state.client, job_state.question.clone(), job_state.asked);
        let answer_now = job_state.answer_now;
        let start = Start { attempt, client, question, prompt, asked, written };
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
            if let Some(job_state) = self.job_states.get(job).filter(|job| !job.is_started()) {
                job_state.record.set_queued(State::Queued, place);
            }
        }
        let is_unprepared = |job_state: &&JobState| !self.in_line.contains(&job_state.id);
        let unprepared = self.job_states.values().filter(is_unprepared);
        for (place, job_state) in (line.len() + 1..).zip(unprepared) {
            job_state.record.set_queued(State::Preparing, place);
        }
    }

    /// Ends every job as failed for `error`; those that last are not over for that, and go on at
    /// the next start.
    pub fn end_all(&mut self, error: &Error) {
        for (_, job_state) in std::mem::take(&mut self.job_states) {
            job_state.interrupt(error);
        }
    }

    fn busy(&self) -> Error {
        let before = match self.job_states.len() {
            1 => "1 question is".to_string(),
            count => format!("{count} questions are"),
        };
        Error::new(
            Kind::Busy,
            format!("the line is full: {before} before yours"),
            format!("Ask again in about {:.0} seconds.", self.retry_seconds()),
        )
    }

    fn too_many(&self, own: usize) -> Error {
        Error::new(
            Kind::TooMany,
            format!(
                "{own} questions of yours are not answered yet, which is as many as one may have"
            ),
            "Wait for an answer, or stop a question.",
        )
    }

    /// Returns after how many seconds one turned away should come again.
    pub fn retry_seconds(&self) -> f64 {
        self.job_seconds.clamp(*limits::RETRY_SECONDS.start(), *limits::RETRY_SECONDS.end())
    }
}

/// Returns the journal if the job is written to it as it runs.
fn journal_of<'j>(job_state: &JobState, journal: &'j Option<Arc<Journal>>) -> Option<&'j Journal> {
    journal.as_deref().filter(|_| job_state.is_durable())
}
