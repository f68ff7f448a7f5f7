//! What the desk knows and decides: jobs, whose turn it is, and what the engine is told.
//!
//! The desk's thread and the doors change it under one lock; it gives orders and fills records, and
//! waits for nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::case::{Case, Stopping};
use super::estimate::{Estimates, Pending};
use super::lengths::End;
use super::past::Past;
use super::record::State;
use super::turns::{Move, Turns};
use super::{Health, Pulse, Ticket, closing};
use crate::engine::{Asked, Engine, Event, Gauge, Order, Served, Start, Step};
use crate::words::answer::{Figures, Outcome};
use crate::words::error::{Error, Kind};
use crate::words::job::{AttemptId, Client, JobId, Question};
use crate::words::limits;

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
pub struct Office {
    /// Gone once the desk is being closed.
    pub engine: Option<Engine>,
    /// Whether questions can be answered.
    pub health: Health,
    /// How full the engine was when it last said so.
    pub gauge: Gauge,
    /// What has been answered.
    pub past: Past,
    /// When the engine last said anything.
    heard: Instant,
    cases: BTreeMap<JobId, Case>,
    turns: Turns,
    seats: usize,
    capacity: Capacity,
    last_job: u64,
    estimates: Estimates,
    /// When estimates were made, and how long that took.
    estimated: (Instant, Duration),
    /// Mean time a job takes once it runs, weighted towards the latest.
    job_seconds: f64,
}

impl Office {
    /// Opens it for an engine that runs so many attempts at a time.
    pub fn new(engine: Engine, health: Health, seats: u32, capacity: Capacity) -> Office {
        Office {
            engine: Some(engine),
            health,
            gauge: Gauge::default(),
            past: Past::default(),
            heard: Instant::now(),
            cases: BTreeMap::new(),
            turns: Turns::new(seats as usize, limits::TURN_TOKENS),
            seats: seats as usize,
            capacity,
            last_job: 0,
            estimates: Estimates::default(),
            estimated: (Instant::now(), Duration::ZERO),
            job_seconds: 30.0,
        }
    }

    /// Takes a checked question in line.
    ///
    /// # Errors
    /// Those of [`super::Desk::submit`].
    pub fn submit(&mut self, client: Client, question: Question) -> Result<Ticket, Error> {
        match &self.health {
            Health::Loading { .. } | Health::Ready { .. } => {}
            Health::Broken(error) => return Err(error.clone()),
            Health::Closing => return Err(closing()),
        }
        let own = self.cases.values().filter(|case| case.client == client).count();
        if own >= self.capacity.client_jobs_max {
            return Err(self.too_many(own));
        }
        // Who waits for another turn waits as well: where turns go round, all have soon begun.
        let waiting = self.cases.keys().filter(|&&job| !self.turns.sits(job)).count();
        if waiting >= self.capacity.line_jobs_max {
            return Err(self.busy());
        }
        self.last_job += 1;
        let (job, question) = (JobId(self.last_job), Arc::new(question));
        let case = Case::new(question.clone(), client);
        let ticket = Ticket { job, record: case.record.clone(), choices: case.choices() };
        self.cases.insert(job, case);
        self.order(Order::Prepare(Asked { job, client, question }));
        Ok(ticket)
    }

    /// Stops a job: at once where it waits, within one step where it runs.
    pub fn stop(&mut self, job: JobId) {
        if let Some(case) = self.cases.get_mut(&job)
            && case.stopping == Stopping::No
        {
            case.stopping = Stopping::Unwanted;
            self.stop_all(job);
            self.share_anew();
        }
    }

    /// Stops what is left of a job.
    fn stop_all(&mut self, job: JobId) {
        self.order(Order::Stop(job));
        let Some(case) = self.cases.get_mut(&job) else { return };
        for number in case.end_waiting(&Outcome::Stopped) {
            self.turns.remove(AttemptId { job, number });
        }
        self.close_if_over(job);
    }

    fn close_if_over(&mut self, job: JobId) {
        if self.cases.get(&job).is_some_and(Case::is_over)
            && let Some(case) = self.cases.remove(&job)
        {
            if let Some(answer) = case.close() {
                self.past.keep(job, case.client, &case.question, answer);
            }
            if case.is_started() {
                let seconds = case.asked.elapsed().as_secs_f64();
                self.job_seconds = 0.7 * self.job_seconds + 0.3 * seconds;
            }
        }
    }

    fn order(&self, order: Order) {
        if let Some(engine) = &self.engine {
            engine.order(order);
        }
    }

    /// Returns when the engine last said anything, and how many jobs it has to do.
    pub fn pulse(&self) -> Pulse {
        let running = self.cases.keys().filter(|&&job| self.turns.sits(job)).count();
        Pulse { heard: self.heard, running, waiting: self.cases.len() - running }
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
                if let Some(case) = self.cases.get_mut(&job) {
                    case.prompt = Some(prompt);
                    for number in 0..case.question.attempts {
                        self.turns.add(case.client, AttemptId { job, number });
                    }
                }
                self.share_anew();
            }
            Event::Prepared(job, Err(error)) => {
                if let Some(case) = self.cases.remove(&job) {
                    case.fail(&error);
                }
            }
            Event::Piece(attempt, piece) => {
                if let Some(case) = self.cases.get_mut(&attempt.job) {
                    case.append(attempt.number, &piece);
                }
            }
            Event::Ended(attempt, outcome, figures) => self.end_run(attempt, outcome, figures),
            Event::Step(step) => self.charge(step),
            Event::Rest(gauge) => self.gauge = gauge,
            Event::Broken(_) => unreachable!("the desk's thread keeps it"),
        }
    }

    fn end_run(&mut self, attempt: AttemptId, outcome: Outcome, figures: Figures) {
        self.turns.remove(attempt);
        if let Some(case) = self.cases.get_mut(&attempt.job) {
            let end = if outcome == Outcome::Done { End::Itself } else { End::CutOff };
            self.estimates.learn(&case.question.mode, figures.completion_tokens, end);
            case.end_run(attempt.number, outcome, figures);
            if case.is_decided() {
                case.stopping = Stopping::Decided;
                self.stop_all(attempt.job);
            }
        }
        self.close_if_over(attempt.job);
        self.share_anew();
    }

    /// Counts a step against the turns of who went on in it. Who found no room in the cache has had
    /// its turn: another may be able to use the seat.
    fn charge(&mut self, step: Step) {
        self.gauge = step.gauge;
        if step.served.iter().all(|served| served.drawn == served.tokens) {
            let tokens = step.served.iter().map(|served| served.drawn).sum();
            self.estimates.measure(step.served.len(), tokens, step.seconds);
        }
        for Served { attempt, tokens, drawn } in step.served {
            self.turns.charge(attempt, tokens);
            if let Some(case) = self.cases.get_mut(&attempt.job) {
                case.count(attempt.number, drawn);
            }
        }
        for attempt in step.stalled {
            self.turns.charge(attempt, limits::TURN_TOKENS);
        }
        if self.share_out() {
            self.tell_places();
            self.estimate();
        } else if self.estimated.0.elapsed() >= limits::ESTIMATE_EVERY {
            self.estimate();
        }
    }

    /// Tells the engine whose turn it is; returns whether anybody's has begun or ended.
    fn share_out(&mut self) -> bool {
        let moves = self.turns.assign();
        for &step in &moves {
            match step {
                Move::Park(attempt) => self.order(Order::Park(attempt)),
                Move::Seat(attempt) => self.seat(attempt),
            }
        }
        !moves.is_empty()
    }

    /// Does so where jobs have come or gone, which changes places even if nobody's turn is over,
    /// and tells everybody.
    fn share_anew(&mut self) {
        self.share_out();
        self.tell_places();
        self.estimate();
    }

    /// Tells every job when it will be over; not more often than it is worth.
    fn estimate(&mut self) {
        let (at, took) = self.estimated;
        let pause = limits::ESTIMATE_PAUSE.max(took * limits::ESTIMATE_PAUSE_TIMES);
        if self.cases.is_empty() || at.elapsed() < pause {
            return;
        }
        let began = Instant::now();
        // Of a client the older come first, as in its turns.
        let jobs: Vec<Pending> = self.cases.iter().map(|(job, case)| case.pending(*job)).collect();
        let etas = self.estimates.etas(self.seats, &jobs);
        self.cases.values().zip(etas).for_each(|(case, eta)| case.record.set_eta(eta));
        self.estimated = (Instant::now(), began.elapsed());
    }

    fn seat(&mut self, attempt: AttemptId) {
        let Some(case) = self.cases.get_mut(&attempt.job) else { return };
        let Some(prompt) = case.prompt.clone() else { return };
        if !case.seat(attempt.number) {
            return self.order(Order::Resume(attempt));
        }
        let (client, question, asked) = (case.client, case.question.clone(), case.asked);
        self.order(Order::Start(Box::new(Start { attempt, client, question, prompt, asked })));
    }

    fn tell_places(&self) {
        for (place, job) in (1..).zip(self.turns.waiting()) {
            if let Some(case) = self.cases.get(&job).filter(|case| !case.is_started()) {
                case.record.set(State::Waiting(place));
            }
        }
    }

    /// Ends every job as failed for `error`.
    pub fn end_all(&mut self, error: &Error) {
        for (_, case) in std::mem::take(&mut self.cases) {
            case.fail(error);
        }
    }

    fn busy(&self) -> Error {
        let before = match self.cases.len() {
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
